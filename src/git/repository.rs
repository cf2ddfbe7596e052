//! One open repository.
//!
//! Two ways to open matter inside a hook: *by path* sees the main object store only, and writes to it; *from the
//! environment* sees what a push brought into quarantine, and what it writes vanishes with a denied push. So the
//! ledger is written through the first, and pushed objects are read through the second.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use git2::{ErrorCode, ObjectType, OdbLookupFlags};

use super::loose::{Loose, Stores};
use super::ref_move;
use super::refs::{self, Target};
use crate::name::{Oid, RefName};
use crate::object::tree::{self, TreeError};

/// The word for a history that is cut.
pub const SHALLOW: &str = "a shallow boundary";

/// What Git refused or could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// Nothing there that is a repository.
    #[error("`{0}` is not a Git repository")]
    NotFound(String),
    /// A format that libgit2 cannot work with.
    #[error("the repository `{path}` uses {feature}, which mledger does not support yet")]
    Unsupported {
        /// The repository.
        path: String,
        /// The format.
        feature: &'static str,
    },
    /// Owned by somebody else.
    #[error("the repository `{0}` belongs to another user, so Git does not trust it")]
    NotOwned(String),
    /// An object that should be there is not.
    #[error("object {0} is missing from the repository")]
    Missing(Oid),
    /// An object that cannot be read.
    #[error("object {0} cannot be read")]
    Corrupt(Oid, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// No time left; see the limits of a gathering.
    #[error("reading it all takes longer than a push may take; push less at a time")]
    TooSlow,
    /// An object of another kind than it should be.
    #[error("object {0} is not a {1}")]
    Kind(Oid, &'static str),
    /// An object beyond a limit.
    #[error("object {oid} has {bytes} bytes, more than the {max} allowed")]
    TooLarge {
        /// The object.
        oid: Oid,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// A ref moved while we were about to move it.
    #[error("{0} moved meanwhile")]
    RefMoved(RefName),
    /// A ref that stays locked.
    #[error("{0} is locked by another process")]
    RefLocked(RefName),
    /// Something else, with what was attempted.
    #[error("could not {0}")]
    Other(&'static str, #[source] git2::Error),
    /// A git command that failed.
    #[error("`git {command}` failed: {message}")]
    Command {
        /// The command's words.
        command: String,
        /// What it printed.
        message: String,
    },
    /// A file beside the objects that cannot be read or written.
    #[error("could not access `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The kind of a Git object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Contents.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl Kind {
    fn from_git2(kind: ObjectType) -> Option<Self> {
        match kind {
            ObjectType::Blob => Some(Self::Blob),
            ObjectType::Tree => Some(Self::Tree),
            ObjectType::Commit => Some(Self::Commit),
            ObjectType::Tag => Some(Self::Tag),
            ObjectType::Any => None,
        }
    }

    fn to_git2(self) -> ObjectType {
        match self {
            Self::Blob => ObjectType::Blob,
            Self::Tree => ObjectType::Tree,
            Self::Commit => ObjectType::Commit,
            Self::Tag => ObjectType::Tag,
        }
    }

    /// Git's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Tree => "tree",
            Self::Commit => "commit",
            Self::Tag => "tag",
        }
    }
}

/// An open repository.
pub struct Repository {
    inner: git2::Repository,
    /// Where an object may be a file, which libgit2 is not asked for.
    loose: Stores,
}

/// A repository through which every object and ref has reached the disk when the call that writes it returns.
pub struct Durable(Repository);

impl Durable {
    /// Makes `repository` durable, which was just opened and has not touched an object.
    ///
    /// `core.fsyncObjectFiles` does so in libgit2, which looks at it once, at the first object. In the repository's own
    /// configuration Git would print a deprecation warning to every pusher; hence the file `private_config`.
    pub fn new(repository: Repository, private_config: &Path) -> Result<Self, GitError> {
        const TEXT: &str = "[core]\n\tfsyncObjectFiles = true\n";
        // A crash may have left the file empty.
        if !std::fs::read_to_string(private_config).is_ok_and(|text| text == TEXT) {
            std::fs::write(private_config, TEXT)
                .map_err(|source| GitError::File { path: private_config.to_owned(), source })?;
        }
        let failed = |error| GitError::Other("configure durable writes", error);
        let mut config = repository.inner.config().map_err(failed)?;
        config.add_file(private_config, git2::ConfigLevel::App, true).map_err(failed)?;
        repository.inner.set_config(&config).map_err(failed)?;
        Ok(Self(repository))
    }
}

impl Deref for Durable {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.0
    }
}

fn oid(raw: git2::Oid) -> Oid {
    raw.as_bytes().try_into().map_or(Oid::from_bytes([0; 20]), Oid::from_bytes)
}

fn raw(oid: &Oid) -> git2::Oid {
    git2::Oid::from_bytes(oid.as_bytes()).unwrap_or(git2::Oid::ZERO_SHA1)
}

impl Repository {
    /// Opens the repository at `path` (its work tree, its `.git`, or a bare one), and sees the main store only.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        git2::Repository::open(path).map(Self::new).map_err(|error| open_error(path, error))
    }

    /// Opens the repository that holds `path`, from any folder in it.
    pub fn discover(path: &Path) -> Result<Self, GitError> {
        // Its own `discover` forgets the work tree of a Git folder that lies elsewhere.
        let flags = git2::RepositoryOpenFlags::empty();
        let opened = git2::Repository::open_ext(path, flags, std::iter::empty::<&Path>());
        opened.map(Self::new).map_err(|error| open_error(path, error))
    }

    /// Opens what the environment of a hook names, pushed objects in quarantine included. Only for reading.
    pub fn open_from_env() -> Result<Self, GitError> {
        let inner = git2::Repository::open_from_env().map_err(|error| open_error(Path::new("."), error))?;
        let loose = Stores::open_from_env(&inner.commondir().join("objects"));
        Ok(Self { inner, loose })
    }

    /// Makes a bare repository, or opens the one that is there.
    pub fn init_bare(path: &Path) -> Result<Self, GitError> {
        let inner = git2::Repository::init_bare(path).map_err(|error| GitError::Other("make a repository", error))?;
        Ok(Self::new(inner))
    }

    fn new(inner: git2::Repository) -> Self {
        let loose = Stores::open(&inner.commondir().join("objects"));
        Self { inner, loose }
    }

    /// The folder of its own objects.
    pub fn objects_dir(&self) -> PathBuf {
        self.inner.commondir().join("objects")
    }

    /// Lets it read the objects of another repository, from when it is opened the next time.
    pub fn add_alternate(&self, objects: &Path) -> std::io::Result<()> {
        let info = self.objects_dir().join("info");
        std::fs::create_dir_all(&info)?;
        let mut line = std::path::absolute(objects)?.into_os_string().into_encoded_bytes();
        line.push(b'\n');
        std::fs::write(info.join("alternates"), line)
    }

    /// The folder with `objects` and `refs`; the common one for a linked work tree.
    pub fn git_dir(&self) -> &Path {
        self.inner.commondir()
    }

    /// The folder with `HEAD` and `MERGE_HEAD`: a linked work tree has one of its own.
    pub fn own_dir(&self) -> &Path {
        self.inner.path()
    }

    /// The root of the work tree, if there is one.
    pub fn work_dir(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// Whether the object is there, without another look at the disk for packs that appeared meanwhile.
    pub fn has(&self, id: &Oid) -> Result<bool, GitError> {
        Ok(self.odb()?.exists_ext(raw(id), OdbLookupFlags::NO_REFRESH))
    }

    /// Kind and size in bytes of an object.
    pub fn header(&self, id: &Oid) -> Result<(Kind, u64), GitError> {
        if let Some(loose) = self.loose(id)? {
            return Ok((loose.kind, loose.size));
        }
        let (size, kind) = self.odb()?.read_header(raw(id)).map_err(|error| read_error(*id, error))?;
        let kind = Kind::from_git2(kind).ok_or(GitError::Kind(*id, "known object"))?;
        Ok((kind, size as u64))
    }

    /// An object's bytes, where it is of that kind.
    pub fn read(&self, id: &Oid, kind: Kind) -> Result<Vec<u8>, GitError> {
        self.read_limited(id, kind, u64::MAX)
    }

    /// An object's bytes, where it is of that kind and at most `max` bytes long.
    pub fn read_limited(&self, id: &Oid, kind: Kind, max: u64) -> Result<Vec<u8>, GitError> {
        let too_large = |bytes| if bytes > max { Err(GitError::TooLarge { oid: *id, bytes, max }) } else { Ok(()) };
        if let Some(loose) = self.loose(id)? {
            too_large(loose.size)?;
            return read_loose(id, kind, loose);
        }
        if max < u64::MAX {
            too_large(self.header(id)?.1)?;
        }
        self.read_packed(id, kind, <[u8]>::to_vec)
    }

    /// Calls `look` with an object's bytes, where it is of that kind. Its size is the caller's to look at first, once:
    /// each look at a header searches all packs.
    pub fn read_with<T>(&self, id: &Oid, kind: Kind, look: impl FnOnce(&[u8]) -> T) -> Result<T, GitError> {
        match self.loose(id)? {
            Some(loose) => Ok(look(&read_loose(id, kind, loose)?)),
            None => self.read_packed(id, kind, look),
        }
    }

    fn loose(&self, id: &Oid) -> Result<Option<Loose>, GitError> {
        self.loose.find(id).map_err(|error| corrupt(*id, error))
    }

    fn read_packed<T>(&self, id: &Oid, kind: Kind, look: impl FnOnce(&[u8]) -> T) -> Result<T, GitError> {
        let odb = self.odb()?;
        let object = odb.read(raw(id)).map_err(|error| read_error(*id, error))?;
        if object.kind() == kind.to_git2() { Ok(look(object.data())) } else { Err(GitError::Kind(*id, kind.word())) }
    }

    /// Writes an object and returns its name.
    pub fn write(&self, kind: Kind, bytes: &[u8]) -> Result<Oid, GitError> {
        let written = self.odb()?.write(kind.to_git2(), bytes);
        written.map(oid).map_err(|error| GitError::Other("write an object", error))
    }

    /// Where a ref stands; none if it does not exist. A symbolic ref is followed.
    pub fn tip(&self, name: &RefName) -> Result<Option<Oid>, GitError> {
        if self.has_no_file(name) {
            return Ok(match refs::find_packed(self.git_dir(), name)? {
                Some(Target::Object(oid)) => Some(oid),
                Some(Target::Ref(_)) | None => None,
            });
        }
        match self.inner.refname_to_id(name.as_str()) {
            Ok(id) => Ok(Some(oid(id))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::Other("read a ref", error)),
        }
    }

    /// Whether a ref points to another ref.
    pub fn is_symbolic(&self, name: &RefName) -> Result<bool, GitError> {
        if self.has_no_file(name) {
            // Only objects are packed.
            return Ok(false);
        }
        match self.inner.find_reference(name.as_str()) {
            Ok(reference) => Ok(reference.kind() == Some(git2::ReferenceType::Symbolic)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(GitError::Other("read a ref", error)),
        }
    }

    /// Every ref with what it points to, sorted by name; symbolic ones left out.
    pub fn refs(&self) -> Result<Vec<(String, Oid)>, GitError> {
        let object = |(name, target)| match target {
            Target::Object(oid) => Some((name, oid)),
            Target::Ref(_) => None,
        };
        Ok(refs::list(self.git_dir())?.into_iter().filter_map(object).collect())
    }

    /// The names of the refs below `folder`, such as `refs/heads`; symbolic ones, too.
    pub fn ref_names_under(&self, folder: &str) -> Result<Vec<RefName>, GitError> {
        let names = refs::list_under(self.git_dir(), folder)?;
        Ok(names.keys().filter_map(|name| RefName::parse(name).ok()).collect())
    }

    /// Where `HEAD` stands by itself, if it names no ref.
    pub fn detached_head(&self) -> Result<Option<Oid>, GitError> {
        let head = self.inner.find_reference("HEAD").map_err(|error| GitError::Other("read HEAD", error))?;
        Ok(head.target().map(oid))
    }

    /// Every symbolic ref below `refs/` with the ref that it names, sorted.
    pub fn symbolic_refs(&self) -> Result<Vec<(String, String)>, GitError> {
        let symbolic = |(name, target)| match target {
            Target::Object(_) => None,
            Target::Ref(to) => Some((name, to)),
        };
        Ok(refs::list(self.git_dir())?.into_iter().filter_map(symbolic).collect())
    }

    /// Moves a ref from `expected` (none: it must not exist) to `new`.
    pub fn move_ref(&self, name: &RefName, new: &Oid, expected: Option<&Oid>, why: &str) -> Result<(), GitError> {
        let moved = match expected {
            Some(old) => self.inner.reference_matching(name.as_str(), raw(new), true, raw(old), why),
            None => self.inner.reference(name.as_str(), raw(new), false, why),
        };
        moved.map(|_| ()).map_err(|error| match error.code() {
            ErrorCode::Modified | ErrorCode::Exists => GitError::RefMoved(name.clone()),
            ErrorCode::Locked => GitError::RefLocked(name.clone()),
            _ => GitError::Other("move a ref", error),
        })
    }

    /// The same; the ref has reached the disk when this returns. It is for refs that nobody names folders after.
    pub fn move_ref_durably(&self, name: &RefName, new: &Oid, expected: Option<&Oid>) -> Result<(), GitError> {
        ref_move::move_ref(self.git_dir(), name, new, expected)
    }

    /// Removes a ref, if it is there.
    pub fn delete_ref(&self, name: &RefName) -> Result<(), GitError> {
        match self.inner.find_reference(name.as_str()) {
            Ok(mut reference) => reference.delete().map_err(|error| GitError::Other("remove a ref", error)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(error) => Err(GitError::Other("read a ref", error)),
        }
    }

    /// The object at `path` in a tree.
    pub fn entry(&self, tree: &Oid, path: &str) -> Result<Option<Oid>, GitError> {
        let mut at = *tree;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let is_right = |entry: &&tree::Entry<'_>| {
                entry.name == part.as_bytes() && (is_last || entry.kind == tree::Kind::Folder)
            };
            let found = self.look_into(&at, |entries| entries.iter().find(is_right).map(|found| found.oid))?;
            let Some(found) = found else { return Ok(None) };
            at = found;
        }
        Ok(Some(at))
    }

    /// The folder at `path` in a tree, for many looks into it.
    pub fn folder(&self, tree: &Oid, path: &str) -> Result<Option<Folder>, GitError> {
        let Some(folder) = self.entry(tree, path)? else { return Ok(None) };
        self.look_into(&folder, |entries| {
            Some(Folder(entries.iter().map(|entry| (entry.name.into(), entry.oid)).collect()))
        })
    }

    /// The names within the folder at `path` in a tree; none if there is no such folder.
    pub fn entry_names(&self, tree: &Oid, path: &str) -> Result<Vec<String>, GitError> {
        let Some(folder) = self.entry(tree, path)? else { return Ok(Vec::new()) };
        let name = |entry: &tree::Entry<'_>| String::from_utf8_lossy(entry.name).into_owned();
        self.look_into(&folder, |entries| entries.iter().map(name).collect())
    }

    fn look_into<T>(&self, tree: &Oid, look: impl FnOnce(&[tree::Entry<'_>]) -> T) -> Result<T, GitError> {
        let parsed = self.read_with(tree, Kind::Tree, |raw| Ok(look(&tree::parse(raw)?)));
        parsed?.map_err(|error: TreeError| corrupt(*tree, error))
    }

    /// A tree like `base` (none: empty) with the blobs put at their paths and the `removed` paths taken away.
    pub fn write_tree(&self, base: Option<&Oid>, put: &[(String, Oid)], removed: &[String]) -> Result<Oid, GitError> {
        let failed = |error| GitError::Other("write a tree", error);
        let base = base.map_or_else(|| self.write(Kind::Tree, b""), |tree| Ok(*tree))?;
        self.look_into_folders(&base, put.iter().map(|(path, _)| path).chain(removed))?;
        let base = self.inner.find_tree(raw(&base)).map_err(|error| read_error(base, error))?;
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, blob) in put {
            update.upsert(path.as_str(), raw(blob), git2::FileMode::Blob);
        }
        for path in removed {
            update.remove(path.as_str());
        }
        update.create_updated(&self.inner, &base).map(oid).map_err(failed)
    }

    /// Reads the folders on the way to these paths, as libgit2 will, which would turn for ever on one that is cut short.
    fn look_into_folders<'p>(&self, tree: &Oid, paths: impl Iterator<Item = &'p String>) -> Result<(), GitError> {
        self.look_into(tree, |_| ())?;
        let above = |path: &'p String| path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let folders: BTreeSet<&str> = paths.flat_map(above).collect();
        folders.into_iter().try_for_each(|folder| self.entry_names(tree, folder).map(|_| ()))
    }

    /// A value of the configuration, as text; none if it is not set.
    pub fn config(&self, key: &str) -> Result<Option<String>, GitError> {
        self.configs([key]).map(|[value]| value)
    }

    /// Values of the configuration, which is read once for all of them.
    pub fn configs<const N: usize>(&self, keys: [&str; N]) -> Result<[Option<String>; N], GitError> {
        let failed = |error| GitError::Other("read the configuration", error);
        let config = self.inner.config().and_then(|mut config| config.snapshot()).map_err(failed)?;
        let mut values = [const { None }; N];
        for (value, key) in values.iter_mut().zip(keys) {
            *value = match config.get_string(key) {
                Ok(value) => Some(value),
                Err(error) if error.code() == ErrorCode::NotFound => None,
                Err(error) => return Err(failed(error)),
            };
        }
        Ok(values)
    }

    /// Where `HEAD`, `ORIG_HEAD` and the like stand; none where there is no such thing, or nothing yet.
    pub(super) fn pseudo_ref(&self, name: &str) -> Option<Oid> {
        self.inner.refname_to_id(name).ok().map(oid)
    }

    /// The branch that is checked out.
    pub fn head_ref(&self) -> Result<Option<String>, GitError> {
        let head = self.inner.find_reference("HEAD").map_err(|error| GitError::Other("read HEAD", error))?;
        Ok(head.symbolic_target().ok().flatten().map(str::to_owned))
    }

    /// Whether the repository shares objects with others or hides part of its history: files that change what Git
    /// shows without changing any object.
    pub fn oddities(&self) -> Vec<&'static str> {
        [("info/grafts", "grafts"), ("shallow", SHALLOW), ("objects/info/alternates", "alternates")]
            .into_iter()
            .filter(|(file, _)| self.git_dir().join(file).exists())
            .map(|(_, word)| word)
            .collect()
    }

    /// Whether a ref has no file, and so is packed or does not exist: libgit2 would take all packed refs apart to find
    /// out. A linked work tree has files elsewhere, too.
    fn has_no_file(&self, name: &RefName) -> bool {
        self.own_dir() == self.git_dir() && !refs::has_file(self.git_dir(), name)
    }

    /// The commits behind which the history is cut; none if the file that lists them cannot be read.
    pub fn shallow_commits(&self) -> Option<Vec<Oid>> {
        let text = std::fs::read_to_string(self.git_dir().join("shallow")).ok()?;
        text.lines().map(|line| Oid::parse(line).ok()).collect()
    }

    fn odb(&self) -> Result<git2::Odb<'_>, GitError> {
        self.inner.odb().map_err(|error| GitError::Other("open the object store", error))
    }
}

/// A folder in a tree: names with their objects.
pub struct Folder(HashMap<Box<[u8]>, Oid>);

impl Folder {
    /// The object of that name in it.
    pub fn entry(&self, name: &str) -> Option<Oid> {
        self.0.get(name.as_bytes()).copied()
    }
}

/// Has every object that is read re-hashed (slow: SHA-1 with collision detection), or not, in this process.
pub fn verify_hashes_on_read(enabled: bool) {
    git2::opts::strict_hash_verification(enabled);
    HASHES_ARE_VERIFIED.store(enabled, Ordering::Relaxed);
}

/// The same for objects that libgit2 does not read; it begins with yes, too.
static HASHES_ARE_VERIFIED: AtomicBool = AtomicBool::new(true);

fn read_loose(id: &Oid, kind: Kind, loose: Loose) -> Result<Vec<u8>, GitError> {
    if loose.kind != kind {
        return Err(GitError::Kind(*id, kind.word()));
    }
    let bytes = loose.read().map_err(|error| corrupt(*id, error))?;
    let is_right = || git2::Oid::hash_object(kind.to_git2(), &bytes).is_ok_and(|found| oid(found) == *id);
    if HASHES_ARE_VERIFIED.load(Ordering::Relaxed) && !is_right() {
        return Err(corrupt(*id, "its content is that of another object"));
    }
    Ok(bytes)
}

fn open_error(path: &Path, error: git2::Error) -> GitError {
    let name = path.display().to_string();
    let says = |words: &str| error.message().to_lowercase().contains(words);
    if says("refstorage") {
        GitError::Unsupported { path: name, feature: "the reftable format for refs" }
    } else if says("objectformat") || says("sha256") || says("object format") {
        GitError::Unsupported { path: name, feature: "SHA-256 object names" }
    } else if error.code() == ErrorCode::Owner {
        GitError::NotOwned(name)
    } else if error.code() == ErrorCode::NotFound {
        GitError::NotFound(name)
    } else {
        GitError::Other("open the repository", error)
    }
}

fn read_error(id: Oid, error: git2::Error) -> GitError {
    if error.code() == ErrorCode::NotFound { GitError::Missing(id) } else { corrupt(id, error) }
}

fn corrupt(id: Oid, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> GitError {
    GitError::Corrupt(id, why.into())
}
