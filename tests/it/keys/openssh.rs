//! What the ledger holds, checked by stock OpenSSH and Git: an allowed-signers file written from the policy alone, and
//! leaves as `mledger show --json` prints them. No line of this program takes part in the verdict.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64_simd::STANDARD;
use serde_json::Value;

use super::{enrolled, init, person};
use crate::bank::Bank;
use crate::world::{Person, Run, write};

/// An auditor with a repository of his own, which holds nothing but what he puts there.
struct Auditor<'a> {
    bank: &'a Bank,
    person: &'a Person,
    dir: PathBuf,
}

impl Auditor<'_> {
    /// The file that `ssh-keygen` and Git take, from a policy's text: an actor per key.
    fn allow(&self, policy: &str) -> PathBuf {
        let policy: toml::Table = policy.parse().unwrap();
        let keys = policy["actors"].as_table().unwrap().iter().flat_map(|(actor, details)| {
            let keys = details["keys"].as_array().unwrap().iter();
            keys.map(move |key| format!("{actor} namespaces=\"git,mledger\" {}\n", key.as_str().unwrap()))
        });
        let text: String = keys.collect();
        let path = self.dir.join("allowed-signers");
        fs::write(&path, text).unwrap();
        path
    }

    /// A field of a leaf: in place, or a blob of the ledger.
    fn field(&self, field: &Value) -> Vec<u8> {
        let Some(digest) = field["sha256"].as_str() else { return field.as_str().unwrap().as_bytes().to_vec() };
        let hex = digest.strip_prefix("sha256:").unwrap();
        let name = format!("refs/mledger/log:blob/{}/{}", &hex[..2], &hex[2..]);
        let mut git = Command::new("git");
        git.args(["cat-file", "blob", &name]).current_dir(&self.bank.server);
        git.output().unwrap().stdout
    }

    fn bytes(&self, field: &Value) -> Vec<u8> {
        let bytes = self.field(field);
        if field.is_string() { STANDARD.decode_to_vec(bytes).unwrap() } else { bytes }
    }

    fn verify(&self, allowed: &Path, who: &str, namespace: &str, signature: &str, message: &[u8]) -> Run {
        let file = self.dir.join("signature");
        fs::write(&file, signature).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-Y", "verify", "-n", namespace, "-I", who, "-f"]).arg(allowed).arg("-s").arg(file);
        self.person.run(&mut keygen, Some(message))
    }

    /// Puts a commit there and asks Git who signed it.
    fn verify_commit(&self, allowed: &Path, object: &[u8]) -> Run {
        let oid = self.person.write_object(&self.dir, "commit", object);
        let allowed = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        self.person.git(&self.dir, &["-c", "gpg.format=ssh", "-c", &allowed, "verify-commit", &oid])
    }
}

/// The text with one letter of its message changed.
fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut other = bytes.to_vec();
    let at = other.windows(2).position(|two| two == b"\n\n").unwrap_or_default() + 2;
    other[at] ^= 1;
    other
}

#[test]
fn git_and_openssh_verify_what_the_ledger_holds() {
    let kinds = [("ecdsa", "256"), ("ecdsa", "521"), ("rsa", "3072")];
    let (bank, clones) = enrolled(
        |world| {
            let name = |(kind, bits): (&str, &str)| format!("{kind}{bits}");
            let make = |kind: (&str, &str)| person(world, &name(kind), &format!("id_{}", kind.0), kind.0, kind.1);
            kinds.map(make).to_vec()
        },
        "",
    );
    let carols = bank.clone_of(&bank.carol);
    let hers = (bank.carol.clone(), carols.clone());
    let everybody = std::iter::once(&hers).chain(&clones).collect::<Vec<_>>();
    // Everybody commits and pushes, becomes an admin, and changes the policy.
    let policy = |extra: &str| bank.carol.mledger(&carols, &["policy", "show"]).ok() + extra;
    let ids: Vec<String> = everybody.iter().map(|(person, _)| format!("{:?}", person.id())).collect();
    let admins = policy("\n").replace("actors = [\"carol@bank.example\"]", &format!("actors = [{}]", ids.join(", ")));
    write(&carols, "new.toml", &admins);
    bank.carol.mledger(&carols, &["policy", "apply", "new.toml"]).ok();
    for (person, dir) in &everybody {
        init(person, dir);
        person.commit(dir, "models/a", &person.name);
        person.push(dir, &[&format!("HEAD:refs/heads/dev/{}", person.name)]).ok();
        write(dir, "new.toml", &policy(&format!("\n# by {}\n", person.name)));
        person.mledger(dir, &["policy", "apply", "new.toml"]).ok();
    }
    let auditor = Auditor { bank: &bank, person: &bank.mallory, dir: bank.bare_clone_of(&bank.mallory, "audit") };
    let text = policy("\n");
    let allowed = auditor.allow(&text);
    let (mut commits, mut certificates, mut statements) = (0, 0, 0);
    for index in 0..bank.size() {
        let leaf = bank.leaf(index);
        match leaf["kind"].as_str().unwrap() {
            "commit" => {
                let (object, actor) = (auditor.bytes(&leaf["object"]), leaf["actor"].as_str().unwrap());
                let said = auditor.verify_commit(&allowed, &object);
                assert!(said.err.contains(&format!("Good \"git\" signature for {actor} ")), "{said:#?}");
                assert_eq!(said.code, Some(0));
                auditor.verify_commit(&allowed, &changed(&object)).fails();
                commits += 1;
            }
            "push" if leaf.get("certificate").is_some() => {
                let certificate = String::from_utf8(auditor.bytes(&leaf["certificate"])).unwrap();
                let at = certificate.find("-----BEGIN SSH SIGNATURE-----").unwrap();
                let (signed, signature) = certificate.split_at(at);
                let actor = leaf["actor"].as_str().unwrap();
                let verify = |who, message: &[u8]| auditor.verify(&allowed, who, "git", signature, message);
                verify(actor, signed.as_bytes()).ok();
                verify(actor, &changed(signed.as_bytes())).fails();
                verify("bob@bank.example", signed.as_bytes()).fails();
                certificates += 1;
            }
            "policy" => {
                let envelope: Value = serde_json::from_slice(&auditor.field(&leaf["statements"][0])).unwrap();
                let said = envelope["statement"].as_str().unwrap();
                let statement: Value = serde_json::from_str(said).unwrap();
                let (actor, signature) =
                    (statement["actor"].as_str().unwrap(), envelope["signature"].as_str().unwrap());
                let verify = |who, namespace, message: &str| {
                    auditor.verify(&allowed, who, namespace, signature, message.as_bytes())
                };
                verify(actor, "mledger", said).ok();
                verify(actor, "git", said).fails();
                verify(actor, "mledger", &said.replacen("mledger", "mledges", 1)).fails();
                verify("bob@bank.example", "mledger", said).fails();
                statements += 1;
            }
            _ => {}
        }
    }
    assert_eq!((commits, certificates, statements), (everybody.len(), everybody.len(), everybody.len() + 1));
    // A policy without somebody allows nothing of his.
    let without: toml::Table = text.parse().unwrap();
    let mut less = without.clone();
    less["actors"].as_table_mut().unwrap().remove(&clones[0].0.id()).unwrap();
    let fewer = auditor.allow(&less.to_string());
    let theirs = (0..bank.size()).map(|index| bank.leaf(index));
    let theirs = theirs.filter(|leaf| leaf["kind"] == "commit" && leaf["actor"] == clones[0].0.id().as_str());
    for leaf in theirs {
        auditor.verify_commit(&fewer, &auditor.bytes(&leaf["object"])).fails();
    }
}
