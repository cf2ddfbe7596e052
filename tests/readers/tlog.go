// Reads an export of a ledger with Go's own transparency log and note, and trusts nothing else in it:
//
//	tlog VKEY FOLDER [OLDER-CHECKPOINT …]
//
// The checkpoint is signed by VKEY; every hash that is read belongs to its tree; every entry, hashed from its bundle, is
// the record at its place; every blob is named by its SHA-256; the tree begins with that of each older checkpoint.
// Prints the number of records.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Go's checksum database writes the height into the path and calls entries data; C2SP's tiles are all of height 8.
const height = 8

type folder string

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := os.ReadFile(f.path(tile))
		if err != nil {
			return nil, err
		}
		read[i] = bytes
	}
	return read, nil
}

func (f folder) path(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return filepath.Join(string(f), "tile", strings.Replace(path, "data/", "entries/", 1))
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: tlog VKEY FOLDER [OLDER-CHECKPOINT …]")
	}
	from := folder(os.Args[2])
	tree := open(os.Args[1], filepath.Join(string(from), "checkpoint"))
	reader := tlog.TileHashReader(tree, from)
	records(from, tree, reader)
	for _, path := range os.Args[3:] {
		older := open(os.Args[1], path)
		proof, err := tlog.ProveTree(tree.N, older.N, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
	}
	blobs(filepath.Join(string(from), "blob"))
	fmt.Println(tree.N)
}

// open returns the tree of a signed checkpoint.
func open(vkey, path string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	check(err)
	text, err := os.ReadFile(path)
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		log.Fatalf("%s: not a checkpoint of %s", path, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	if copy(tree.Hash[:], root) != len(tree.Hash) || len(root) != len(tree.Hash) {
		log.Fatalf("%s: not a hash", path)
	}
	return tree
}

// records hashes every entry and proves it to be in the tree.
func records(from folder, tree tlog.Tree, reader tlog.HashReader) {
	for first := int64(0); first < tree.N; first += 1 << height {
		width := tree.N - first
		if width > 1<<height {
			width = 1 << height
		}
		path := from.path(tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)})
		bundle, err := os.ReadFile(path)
		check(err)
		for index := first; index < first+width; index++ {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				log.Fatalf("%s: cut off", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			hash := tlog.RecordHash(bundle[2:end])
			bundle = bundle[end:]
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			check(err)
			check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, hash))
		}
		if len(bundle) != 0 {
			log.Fatalf("%s: too long", path)
		}
	}
}

// blobs checks that all contents are the ones that their paths name.
func blobs(root string) {
	check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		check(err)
		name := strings.ReplaceAll(strings.TrimPrefix(path, root), string(filepath.Separator), "")
		want, err := hex.DecodeString(name)
		check(err)
		if digest := sha256.Sum256(text); !bytes.Equal(digest[:], want) {
			log.Fatalf("%s: other contents", path)
		}
		return nil
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
