//! Keys other than Ed25519, through real Git and a real gate: commits, push certificates, `init`, `policy check`.

mod openssh;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mledger::digest::{sha256, sha512};
use mledger::identity::ed25519::SecretKey;
use serde_json::{Value, json};

use crate::bank::{Bank, ORIGIN, report};
use crate::world::{Person, Run, World, write};

/// Somebody whose only key is of that kind, at `~/.ssh/<file>`.
fn person(world: &World, name: &str, file: &str, kind: &str, bits: &str) -> Person {
    let person = world.person_without_key(name);
    fs::create_dir_all(person.home.join(".ssh")).unwrap();
    keygen(&person, &["-t", kind, "-b", bits, "-N", "", "-C", name, "-f", at_home(&person, file).to_str().unwrap()]);
    person
}

fn keygen(person: &Person, words: &[&str]) -> String {
    person.run(Command::new("ssh-keygen").arg("-q").args(words), None).ok()
}

fn at_home(person: &Person, file: &str) -> PathBuf {
    person.home.join(".ssh").join(file)
}

/// What `mledger init` reports in a clone.
#[track_caller]
fn init(person: &Person, dir: &Path) -> Value {
    serde_json::from_str(&person.mledger(dir, &["--json", "init"]).ok()).unwrap()
}

/// A gate whose policy has, beside the usual people, those with the lines that `mledger init` prints for them. Their
/// clones come with it.
fn enrolled(people: impl Fn(&World) -> Vec<Person>, more: &str) -> (Bank, Vec<(Person, PathBuf)>) {
    let bank = Bank::closed();
    bank.seed();
    let mut lines = more.to_owned();
    let mut clones = vec![];
    for person in people(&bank.world) {
        let dir = bank.bare_clone_of(&person, &person.name);
        lines += init(&person, &dir)["enrolment"].as_str().unwrap();
        clones.push((person, dir));
    }
    bank.gate(&lines, &[]).ok();
    (bank, clones)
}

#[test]
fn actors_with_any_kind_of_key_commit_and_push() {
    let kinds = [
        ("id_ecdsa", "ecdsa", "256"),
        ("id_ecdsa", "ecdsa", "384"),
        ("id_ecdsa", "ecdsa", "521"),
        ("id_rsa", "rsa", "3072"),
        ("id_rsa", "rsa", "4096"),
    ];
    let (bank, clones) = enrolled(
        |world| kinds.map(|(file, kind, bits)| person(world, &format!("{kind}{bits}"), file, kind, bits)).to_vec(),
        "",
    );
    for (person, dir) in &clones {
        let report = init(person, dir);
        assert_eq!((&report["key"]["found"], &report["key"]["passed-over"]), (&json!("configured"), &json!([])));
        assert_eq!(report["ledger"]["enrolled"], person.id());
        let branch = format!("refs/heads/dev/{}", person.name);
        let tip = person.commit(dir, "models/a", &person.name);
        let said = person.push(dir, &[&format!("HEAD:{branch}")]);
        assert!(said.err.contains("mledger: accepted, entry"), "{said:#?}");
        assert_eq!(bank.tip(&branch), tip);
        let push = bank.newest_push();
        let leaf = bank.leaf(push["index"].as_u64().unwrap());
        assert_eq!(leaf["pusher"], json!({ "how": "certificate", "key": report["key"]["fingerprint"] }));
        assert_eq!(leaf["actor"], person.id());
    }
    // Everybody's work in one branch, by a pusher with a key of yet another kind.
    let dir = bank.clone_of(&bank.alice);
    for (person, _) in &clones {
        let from = format!("origin/dev/{}", person.name);
        bank.alice.git(&dir, &["merge", "-q", "-s", "ours", "-m", "Merge", &from]).ok();
    }
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/all"]).ok();
    let report = bank.holds();
    // A commit and a certificate of each, as many merges, and the certificate that brought them.
    assert_eq!(report["signatures"], 3 * clones.len() + 1);
    // A byte of somebody's signature does not hold any more.
    let wrong = bank.clone_of(&bank.mallory);
    let raw = bank.mallory.git(&wrong, &["cat-file", "commit", "origin/dev/rsa3072"]).ok() + "\n";
    let changed = raw.replacen("\n\nChange", "\n\nchange", 1);
    assert_ne!(raw, changed);
    let forged = bank.mallory.write_object(&wrong, "commit", changed.as_bytes());
    bank.refused("key-unknown", "no actor of the policy has this key", || {
        bank.mallory.push(&wrong, &[&format!("{forged}:refs/heads/dev/forged")])
    });
    bank.alice.write_object(&dir, "commit", changed.as_bytes());
    bank.refused("commit-signature-invalid", "it does not fit the signed bytes", || {
        bank.alice.push(&dir, &[&format!("{forged}:refs/heads/dev/forged")])
    });
}

#[test]
fn small_rsa_keys_are_passed_over_and_refused() {
    let world = World::new();
    let dan = person(&world, "dan", "id_rsa", "rsa", "2048");
    dan.git(world.root(), &["init", "-q", "w"]).ok();
    let said = dan.mledger(&world.path("w"), &["init"]).ok();
    let line =
        format!("not {}: an RSA key of 2048 bits is too small: it takes 3072 bits", at_home(&dan, "id_rsa").display());
    assert!(said.contains(&line) && said.contains("(made now,"), "{said}");

    let bank = Bank::open();
    let key = keygen_small(&bank.alice);
    let dir = bank.clone_of(&bank.alice);
    bank.alice.git(&dir, &["config", "user.signingKey", key.to_str().unwrap()]).ok();
    bank.alice.commit(&dir, "models/a", "one");
    bank.refused("pusher-refused", "an RSA key of 2048 bits is too small", || {
        bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"])
    });
    bank.alice.git(&dir, &["config", "user.signingKey", bank.alice.key_file().to_str().unwrap()]).ok();
    bank.refused("commit-signature-invalid", "an RSA key of 2048 bits is too small", || {
        bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"])
    });
}

fn keygen_small(person: &Person) -> PathBuf {
    let key = at_home(person, "small");
    keygen(person, &["-t", "rsa", "-b", "2048", "-N", "", "-f", key.to_str().unwrap()]);
    key
}

#[test]
fn certificates_of_an_authority_are_refused() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let authority = at_home(alice, "ca");
    keygen(alice, &["-t", "ecdsa", "-N", "", "-f", authority.to_str().unwrap()]);
    let public = at_home(alice, "id_ed25519.pub");
    keygen(alice, &["-s", authority.to_str().unwrap(), "-I", "alice", "-n", "alice", public.to_str().unwrap()]);
    let certificate = at_home(alice, "id_ed25519-cert.pub");
    alice.git(&dir, &["config", "user.signingKey", certificate.to_str().unwrap()]).ok();
    alice.commit(&dir, "models/a", "one");
    let words = "`ssh-ed25519-cert-v01@openssh.com` is an SSH certificate, and those are refused";
    bank.refused("pusher-refused", words, || alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
    alice.git(&dir, &["config", "user.signingKey", alice.key_file().to_str().unwrap()]).ok();
    bank.refused("commit-signature-invalid", words, || alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
}

#[test]
fn a_certificate_signed_once_more_is_still_the_same() {
    let (bank, clones) = enrolled(|world| vec![person(world, "dora", "id_ecdsa", "ecdsa", "256")], "");
    let [(dora, dir)] = clones.as_slice() else { panic!("nobody") };
    let tip = dora.commit(dir, "models/a", "one");
    let text = format!(
        "certificate version 0.1\npusher dora 1795436102 +0000\npushee x\nnonce {}-y\n\n{} {tip} refs/heads/dev/a\n",
        mledger::clock::Timestamp::now().millis() / 1000,
        "0".repeat(40)
    );
    let sign = || {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", "git", "-f"]).arg(at_home(dora, "id_ecdsa"));
        text.clone() + &dora.run(&mut command, Some(text.as_bytes())).ok() + "\n"
    };
    let (one, two) = (sign(), sign());
    assert_ne!(one, two);
    let push = |certificate: &str| -> Run {
        let blob = dora.write_object(&bank.server, "blob", certificate.as_bytes());
        let receive = format!("--receive-pack=env GIT_PUSH_CERT={blob} GIT_PUSH_CERT_NONCE_STATUS=OK git-receive-pack");
        dora.git(dir, &["push", "--no-signed", &receive, "origin", "HEAD:refs/heads/dev/a"])
    };
    push(&one).ok();
    dora.push(dir, &[":refs/heads/dev/a"]).ok();
    for again in [&one, &two] {
        bank.refused("pusher-refused", "this push certificate was used before", || push(again));
    }
}

#[test]
fn admins_with_any_kind_of_key_change_the_policy() {
    let bank = Bank::closed();
    bank.seed();
    for (name, file, kind, bits) in [("dora", "id_ecdsa", "ecdsa", "384"), ("rolf", "id_rsa", "rsa", "3072")] {
        let admin = person(&bank.world, name, file, kind, bits);
        let dir = bank.bare_clone_of(&admin, name);
        let lines = init(&admin, &dir)["enrolment"].as_str().unwrap().to_owned();
        let policy = bank.policy().replacen("\"carol@bank.example\"", &format!("\"{}\"", admin.id()), 1) + &lines;
        write(bank.world.root(), "admin.toml", &policy);
        let server = bank.world.path(&format!("{name}.git"));
        admin.git(bank.world.root(), &["init", "-q", "--bare", server.to_str().unwrap()]).ok();
        let file = bank.world.path("admin.toml");
        let words = ["-C", server.to_str().unwrap(), "init", "--origin", ORIGIN, "--policy", file.to_str().unwrap()];
        admin.mledger(bank.world.root(), &words).ok();
        admin.git(&dir, &["remote", "set-url", "origin", server.to_str().unwrap()]).ok();
        init(&admin, &dir);
        write(bank.world.root(), "next.toml", &(policy + "# more\n"));
        admin.mledger(&dir, &["policy", "apply", bank.world.path("next.toml").to_str().unwrap()]).ok();
        assert!(admin.mledger(&server, &["policy", "show"]).ok().ends_with("# more"));
        assert_eq!(report(&admin, &server, &[]).0, 0);
    }
}

/// A signature as a security key makes it, with an Ed25519 key in software. `flags` says whether it was touched.
struct SecurityKey {
    secret: SecretKey,
    application: &'static str,
}

const SK: &str = "sk-ssh-ed25519@openssh.com";

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

impl SecurityKey {
    fn blob(&self) -> Vec<u8> {
        [string(SK.as_bytes()), string(&self.secret.public().to_bytes()), string(self.application.as_bytes())].concat()
    }

    fn line(&self) -> String {
        format!("{SK} {}", base64_simd::STANDARD.encode_to_string(self.blob()))
    }

    fn sign(&self, flags: u8, message: &[u8]) -> String {
        let fields = [string(b"git"), string(b""), string(b"sha512")].concat();
        let data = [b"SSHSIG", fields.as_slice(), &string(&sha512(&[message]))].concat();
        let device = [flags, 0, 0, 0, 9];
        let application = sha256(self.application.as_bytes());
        let signed = [application.as_bytes(), device.as_slice(), sha256(&data).as_bytes()].concat();
        let signature = [string(SK.as_bytes()), string(&self.secret.sign(&signed)), device.to_vec()].concat();
        let blob = [b"SSHSIG\0\0\0\x01", string(&self.blob()).as_slice(), &fields, &string(&signature)].concat();
        let encoded = base64_simd::STANDARD.encode_to_string(blob);
        let lines: Vec<_> = encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}

#[test]
fn security_keys_count_when_somebody_touched_them() {
    let key = SecurityKey { secret: SecretKey::from_seed(&[3; 32]), application: "ssh:" };
    let more = format!("[actors.\"sam@bank.example\"]\nroles = [\"engineer\"]\nkeys = [\"{}\"]\n", key.line());
    let (bank, _) = enrolled(|_| vec![], &more);
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    write(&dir, "models/a", "one");
    alice.git(&dir, &["add", "."]).ok();
    let tree = alice.git(&dir, &["write-tree"]).ok();
    let parent = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    let who = "Sam <sam@bank.example> 1795436102 +0000";
    let head = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n");
    let signed = |flags| {
        let folded = key.sign(flags, format!("{head}\nOne\n").as_bytes()).trim_end().replace('\n', "\n ");
        alice.write_object(&dir, "commit", format!("{head}gpgsig {folded}\n\nOne\n").as_bytes())
    };
    let (untouched, touched) = (signed(0), signed(1));
    bank.refused("commit-signature-invalid", "nobody touched the security key for it", || {
        alice.push(&dir, &[&format!("{untouched}:refs/heads/dev/sam")])
    });
    alice.push(&dir, &[&format!("{touched}:refs/heads/dev/sam")]).ok();
    assert_eq!(bank.tip("refs/heads/dev/sam"), touched);
    let commit = bank.log().into_iter().find(|row| row["commit"] == touched).unwrap();
    assert_eq!(commit["actor"], "sam@bank.example");
    bank.holds();
    // OpenSSH takes the same signature for good.
    write(bank.world.root(), "signers", &format!("sam {}\n", key.line()));
    write(bank.world.root(), "sig", &key.sign(1, b"message"));
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-f", "signers", "-I", "sam", "-n", "git", "-s", "sig"]);
    alice.run(verify.current_dir(bank.world.root()), Some(b"message")).ok();
}

#[test]
fn a_policy_with_keys_that_do_not_count_names_line_and_reason() {
    let world = World::new();
    let dan = person(&world, "dan", "id_rsa", "rsa", "2048");
    keygen(&dan, &["-t", "rsa", "-b", "3072", "-N", "", "-C", "", "-f", at_home(&dan, "good").to_str().unwrap()]);
    let line = |file: &str| fs::read_to_string(at_home(&dan, file)).unwrap().trim_end().to_owned();
    let website = SecurityKey { secret: SecretKey::from_seed(&[3; 32]), application: "bank.example" };
    let rest = "\n[actors.a]\nroles = [\"all\"]\n[roles.all]\nallow = [{ actions = [\"commit\"] }]\n";
    let check = |key: &str| {
        let text = format!(
            "mledger = 1\nname = \"m\"\n[admin]\nactors = [\"d\"]\n[actors.d]\nroles = [\"all\"]\nkeys = [\n  \"{key}\",\n]{rest}"
        );
        write(world.root(), "policy.toml", &text);
        dan.mledger(world.root(), &["policy", "check", "policy.toml"])
    };
    check(&line("good.pub")).ok();
    for (key, words) in [
        (line("id_rsa.pub"), "an RSA key of 2048 bits is too small: it takes 3072 bits"),
        ("ssh-dss AAAAB3NzaC1kc3M= dan".to_owned(), "keys of type `ssh-dss` are not supported; use ssh-ed25519"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA dan".to_owned(), "is an SSH certificate, and those are refused"),
        (website.line(), "the security key's application does not begin with `ssh:`"),
        (line("good.pub").replacen("AAAAB3", "AAAAB4", 1), "bad key"),
    ] {
        let run = check(&key);
        let said = format!("{}{}", run.out, run.err);
        assert_eq!(run.code, Some(1), "{said}");
        assert!(said.contains("policy.toml:8:") && said.contains(words), "{said}");
    }
}

#[test]
fn init_finds_every_kind_of_key_and_says_what_it_passes_over() {
    let world = World::new();
    for (name, file, kind, bits) in [("a", "id_ecdsa", "ecdsa", "521"), ("b", "id_rsa", "rsa", "3072")] {
        let person = person(&world, name, file, kind, bits);
        person.git(world.root(), &["init", "-q", name]).ok();
        let report = init(&person, &world.path(name));
        assert_eq!(report["key"]["found"], "home");
        assert_eq!(report["key"]["configured"], at_home(&person, file).display().to_string());
        let line = fs::read_to_string(at_home(&person, file).with_added_extension("pub")).unwrap();
        assert!(line.starts_with(report["key"]["public"].as_str().unwrap()));
        let lines: toml::Table = report["enrolment"].as_str().unwrap().parse().unwrap();
        assert_eq!(lines["actors"][&person.id()]["keys"][0].as_str(), report["key"]["public"].as_str());
    }

    // A security key's public half is enough to be found.
    let carla = world.person_without_key("carla");
    let key = SecurityKey { secret: SecretKey::from_seed(&[4; 32]), application: "ssh:" };
    write(&carla.home, ".ssh/id_ed25519_sk.pub", &format!("{} carla\n", key.line()));
    carla.git(world.root(), &["init", "-q", "c"]).ok();
    let report = init(&carla, &world.path("c"));
    assert_eq!(report["key"]["found"], "made", "nobody can sign with a public half alone");
    let why = "its private half lies nowhere beside it, and no SSH agent answers";
    assert_eq!(report["key"]["passed-over"][0]["why"], why);
    let file = at_home(&carla, "id_ed25519_sk.pub");
    let chosen = carla.mledger(&world.path("c"), &["init", "--key", file.to_str().unwrap()]).ok();
    assert!(chosen.contains("it wants a touch") && chosen.contains("nobody can sign with it now"), "{chosen}");

    // What cannot be used is named, place by place; a key is made in its stead.
    let dan = person(&world, "dan", "id_rsa", "rsa", "2048");
    keygen(&dan, &["-t", "ecdsa", "-m", "PEM", "-N", "secret", "-f", at_home(&dan, "id_ecdsa").to_str().unwrap()]);
    fs::remove_file(at_home(&dan, "id_ecdsa.pub")).unwrap();
    write(&dan.home, ".ssh/id_dsa.pub", "ssh-dss AAAAB3NzaC1kc3M= dan\n");
    dan.git(world.root(), &["config", "--file", dan.home.join(".gitconfig").to_str().unwrap(), "gpg.format", "ssh"])
        .ok();
    dan.git(
        world.root(),
        &["config", "--file", dan.home.join(".gitconfig").to_str().unwrap(), "user.signingKey", "gone"],
    )
    .ok();
    dan.git(world.root(), &["init", "-q", "d"]).ok();
    let report = init(&dan, &world.path("d"));
    assert_eq!(report["key"]["found"], "made");
    let passed_over = report["key"]["passed-over"].as_array().unwrap();
    let expected = [
        ("user.signingKey", "could not read the key"),
        ("id_ecdsa", "the private key has a passphrase and no public half beside it; try: ssh-keygen -y -f"),
        ("id_rsa", "an RSA key of 2048 bits is too small"),
        ("id_dsa", "keys of type `ssh-dss` are not supported"),
    ];
    assert_eq!(passed_over.len(), expected.len(), "{report:#}");
    for (found, (place, why)) in passed_over.iter().zip(expected) {
        assert!(found["place"].as_str().unwrap().ends_with(place), "{found}");
        assert!(found["why"].as_str().unwrap().starts_with(why), "{found}");
    }
}

#[test]
fn an_agent_s_keys_of_any_kind_are_found() {
    let world = World::new();
    let eve = person(&world, "eve", "other", "ecdsa", "256");
    keygen(&eve, &["-t", "rsa", "-b", "2048", "-N", "", "-f", at_home(&eve, "small").to_str().unwrap()]);
    eve.git(world.root(), &["init", "-q", "e"]).ok();
    let dir = world.path("e");
    let script = format!(
        "ssh-add -q '{}' '{}' && cd '{}' && '{}' --json init && git commit -q --allow-empty -m one",
        at_home(&eve, "small").display(),
        at_home(&eve, "other").display(),
        dir.display(),
        crate::bank::binary(),
    );
    let report = eve.run(Command::new("ssh-agent").args(["sh", "-c", &script]), None).ok();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["key"]["found"], "agent");
    let line = fs::read_to_string(at_home(&eve, "other.pub")).unwrap();
    assert!(line.starts_with(report["key"]["public"].as_str().unwrap()), "{report:#}");
    assert_eq!(report["key"]["passed-over"][0]["place"], "a key of the SSH agent");
    assert!(eve.git(&dir, &["cat-file", "commit", "HEAD"]).ok().contains("BEGIN SSH SIGNATURE"));
}
