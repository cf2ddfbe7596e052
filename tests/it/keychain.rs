//! A person's keys wherever Git finds them, what is wrong with them in words, and what `mledger key` says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bank::Bank;
use crate::formats::{fits, schema};
use crate::world::{Person, Run, World, write, write_script};

/// An SSH agent of somebody's, which ends with the test.
struct Agent {
    person: Person,
    pid: String,
}

impl Agent {
    fn start(person: &Person, socket: &Path) -> Self {
        let said = person.run(Command::new("ssh-agent").arg("-a").arg(socket), None).ok();
        let (_, after) = said.split_once("SSH_AGENT_PID=").unwrap();
        let pid = after.split(';').next().unwrap().to_owned();
        Self { person: person.with("SSH_AUTH_SOCK", socket.to_str().unwrap()), pid }
    }

    fn add(&self, file: &Path) {
        self.person.run(Command::new("ssh-add").arg("-q").arg(file), None).ok();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !self.pid.is_empty() {
            let _ = Command::new("ssh-agent").arg("-k").env("SSH_AGENT_PID", &self.pid).output();
        }
    }
}

/// Alice with a repository at `model`.
fn desk() -> (World, Person, PathBuf) {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    (world, alice, dir)
}

fn keygen(person: &Person, file: &Path, words: &[&str]) -> String {
    person.run(Command::new("ssh-keygen").args(["-q", "-f"]).arg(file).args(words), None).ok();
    line(&file.with_added_extension("pub"))
}

/// A public key's line without comment.
fn line(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Types a line into a shell.
fn type_in(person: &Person, dir: &Path, line: &str) -> Run {
    person.run(Command::new("bash").args(["-c", line]).current_dir(dir), None)
}

#[allow(clippy::needless_pass_by_value, reason = "it stands around a run, which ends there")]
fn json(run: Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no JSON: {run:#?}"))
}

/// The fingerprint of the key that signed HEAD, as `ssh-keygen` tells it.
fn signer_of_head(person: &Person, dir: &Path) -> String {
    let raw = person.git(dir, &["cat-file", "commit", "HEAD"]).ok();
    let armour: String = raw
        .lines()
        .skip_while(|line| !line.starts_with("gpgsig "))
        .map(|line| line.trim_start_matches("gpgsig ").trim_start_matches(' ').to_owned() + "\n")
        .take_while(|line| !line.trim().is_empty())
        .collect();
    let end = armour.find("-----END SSH SIGNATURE-----").unwrap() + "-----END SSH SIGNATURE-----\n".len();
    mledger::identity::sshsig::SshSig::parse(&armour.as_bytes()[..end], "git").unwrap().key().id().to_string()
}

fn fingerprint(line: &str) -> String {
    mledger::identity::key::PublicKey::parse(line).unwrap().id().to_string()
}

#[test]
fn every_form_that_git_takes_names_the_key_that_signs() {
    let (world, alice, dir) = desk();
    let file = alice.home.join("keys/mine");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mine = keygen(&alice, &file, &["-t", "ed25519", "-N", ""]);
    fs::copy(&file, dir.join("inside")).unwrap();
    let agent = Agent::start(&alice, &world.path("agent"));
    agent.add(&file);
    let server = world.path("server.git");
    alice.git(world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    alice.git(&server, &["config", "receive.certNonceSeed", "seed"]).ok();
    let literal = format!("key::{mine}");
    let (private, public) = (file.display().to_string(), format!("{}.pub", file.display()));
    let forms = [private.as_str(), &public, "~/keys/mine", "~/keys/mine.pub", "inside", &literal, &mine];
    for form in forms {
        alice.git(&dir, &["config", "gpg.format", "ssh"]).ok();
        alice.git(&dir, &["config", "user.signingKey", form]).ok();
        let person = if form.contains("ssh-ed25519 ") { &agent.person } else { &alice };
        let shown = json(person.mledger(&dir, &["--json", "key", "--try"]));
        assert_eq!((&shown["public"], &shown["signs"]), (&Value::from(mine.as_str()), &Value::Bool(true)), "{form}");
        person.mledger(&dir, &["init"]).ok();
        let expanded = form.replace('~', &alice.home.display().to_string());
        assert_eq!(person.git(&dir, &["config", "user.signingKey"]).ok(), expanded);
        person.git(&dir, &["commit", "-q", "--allow-empty", "-m", form]).ok();
        assert_eq!(signer_of_head(person, &dir), fingerprint(&mine), "{form}");
        person.git(&dir, &["push", "-q", "--signed", server.to_str().unwrap(), "HEAD:main"]).ok();
        alice.mledger(&dir, &["init", "--undo"]).ok();
    }

    // No key is set, but a command that names one.
    alice.git(&dir, &["config", "--unset", "user.signingKey"]).ok();
    alice.git(&dir, &["config", "gpg.ssh.defaultKeyCommand", "sh -c 'ssh-add -L | head -1'"]).ok();
    let shown = json(agent.person.mledger(&dir, &["--json", "key", "--try"]));
    assert_eq!((&shown["by"], &shown["custody"]), (&"gpg.ssh.defaultKeyCommand".into(), &"agent".into()), "{shown}");
    assert_eq!(json(agent.person.mledger(&dir, &["--json", "init"]))["key"]["public"], mine);
    assert!(agent.person.git(&dir, &["config", "user.signingKey"]).ok().starts_with(&literal), "pinned for good");
    alice.mledger(&dir, &["init", "--undo"]).ok();
    let said = alice.mledger(&dir, &["key"]).fails();
    assert!(said.contains("gives no key") && said.contains("Could not open a connection"), "{said}");
    let report = json(alice.mledger(&dir, &["--json", "init"]));
    assert_eq!(report["key"]["found"], "home");
}

#[test]
fn a_public_key_that_git_takes_for_a_file_is_told() {
    let (world, alice, dir) = desk();
    let file = alice.home.join("ecdsa");
    let ecdsa = keygen(&alice, &file, &["-t", "ecdsa", "-N", ""]);
    let agent = Agent::start(&alice, &world.path("agent"));
    agent.add(&file);
    alice.git(&dir, &["config", "gpg.format", "ssh"]).ok();
    alice.git(&dir, &["config", "user.signingKey", &ecdsa]).ok();
    let said = agent.person.mledger(&dir, &["key"]).fails();
    assert!(said.contains("Git takes `ecdsa-sha2-nistp256` for a file"), "{said}");
    let (_, mend) = said.split_once("try: ").unwrap();
    type_in(&agent.person, &dir, mend.trim()).ok();
    let shown = json(agent.person.mledger(&dir, &["--json", "key", "--try"]));
    assert_eq!((&shown["signs"], &shown["public"]), (&Value::Bool(true), &ecdsa.as_str().into()));
}

#[test]
fn another_program_that_signs_is_used_as_git_uses_it() {
    let (world, alice, dir) = desk();
    let file = alice.home.join("vault/key");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mine = keygen(&alice, &file, &["-t", "ed25519", "-N", ""]);
    // Such programs get the public key as a literal, and find the private half themselves.
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\n[ \"$7\" = -U ] || exit 9\nexec ssh-keygen -Y sign -n \"$4\" -f '{}' \"$last\"\n",
        file.display()
    );
    write_script(world.root(), "op sign", &script);
    alice.git(&dir, &["config", "gpg.ssh.program", world.path("op sign").to_str().unwrap()]).ok();
    alice.git(&dir, &["config", "user.signingKey", &mine]).ok();
    let report = json(alice.mledger(&dir, &["--json", "init"]));
    assert_eq!((&report["key"]["found"], &report["key"]["custody"]), (&"configured".into(), &"program".into()));
    let shown = json(alice.mledger(&dir, &["--json", "key", "--try"]));
    assert_eq!((&shown["signs"], &shown["public"]), (&Value::Bool(true), &mine.as_str().into()));
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    assert_eq!(signer_of_head(&alice, &dir), fingerprint(&mine));
    write_script(world.root(), "op sign", "#!/bin/sh\necho the vault is locked >&2\nexit 1\n");
    let said = alice.mledger(&dir, &["key", "--try"]).fails();
    assert!(said.contains("op sign does not sign: the vault is locked"), "{said}");
}

#[test]
fn a_passphrase_without_an_agent_is_told_before_it_hurts() {
    let (world, alice, dir) = desk();
    let file = alice.key_file();
    let change = ["-p", "-P", "", "-N", "correct horse", "-f"];
    alice.run(Command::new("ssh-keygen").arg("-q").args(change).arg(&file), None).ok();
    let said = alice.mledger(&dir, &["init"]).ok();
    assert!(said.contains("where nobody can type it, fails or hangs"), "{said}");
    assert!(said.contains("eval \"$(ssh-agent)\"") && said.contains("ssh-add ~/.ssh/id_ed25519"), "{said}");
    assert_eq!(json(alice.mledger(&dir, &["--json", "key"]))["custody"], "passphrase");
    alice.mledger(&dir, &["key", "--try"]).fails();

    // An agent runs and does not hold it; then the command that is named is typed, the passphrase comes from a helper.
    let agent = Agent::start(&alice, &world.path("agent"));
    let said = agent.person.mledger(&dir, &["key"]).ok();
    assert!(said.contains("ssh-add ~/.ssh/id_ed25519") && !said.contains("ssh-agent)"), "{said}");
    write_script(world.root(), "ask", "#!/bin/sh\necho 'correct horse'\n");
    let asked = agent.person.with("SSH_ASKPASS", world.path("ask").to_str().unwrap());
    type_in(&asked.with("SSH_ASKPASS_REQUIRE", "force"), &dir, "ssh-add ~/.ssh/id_ed25519").ok();
    let shown = json(agent.person.mledger(&dir, &["--json", "key", "--try"]));
    assert_eq!((&shown["custody"], &shown["signs"]), (&"agent".into(), &Value::Bool(true)), "{shown}");
    let said = agent.person.mledger(&dir, &["init"]).ok();
    assert!(!said.contains("passphrase"), "{said}");
}

#[test]
fn a_commit_that_nobody_can_type_a_passphrase_for_says_so() {
    let (world, alice, dir) = desk();
    let change = ["-p", "-P", "", "-N", "correct horse", "-f"];
    alice.run(Command::new("ssh-keygen").arg("-q").args(change).arg(alice.key_file()), None).ok();
    alice.mledger(&dir, &["init"]).ok();
    // As an editor runs it: without a terminal.
    let commit = |person: &Person| {
        let mut perl = Command::new("perl");
        perl.args(["-MPOSIX", "-e", "POSIX::setsid(); exec @ARGV", "git", "commit", "-q", "--allow-empty", "-m", "x"]);
        person.run(perl.current_dir(&dir), None)
    };
    let said = commit(&alice).fails();
    assert!(
        said.contains("mledger: this commit cannot be signed") && said.contains("ssh-add ~/.ssh/id_ed25519"),
        "{said}"
    );
    let agent = Agent::start(&alice, &world.path("agent"));
    assert!(commit(&agent.person).fails().contains("this commit cannot be signed"));
    write_script(world.root(), "ask", "#!/bin/sh\necho 'correct horse'\n");
    let asked = alice.with("SSH_ASKPASS", world.path("ask").to_str().unwrap()).with("SSH_ASKPASS_REQUIRE", "force");
    let run = commit(&asked);
    assert!(run.code == Some(0) && !run.err.contains("cannot be signed"), "{run:#?}");
    let adding =
        Agent { person: asked.with("SSH_AUTH_SOCK", world.path("agent").to_str().unwrap()), pid: String::new() };
    adding.add(&alice.key_file());
    let run = commit(&agent.person);
    assert!(run.code == Some(0) && !run.err.contains("cannot be signed"), "{run:#?}");

    // What became wrong with the file is told, too; an agent that holds the key does not mind.
    fs::set_permissions(alice.key_file(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(commit(&agent.person).code == Some(0));
    let said = commit(&alice).fails();
    assert!(said.contains("others can read the private key") && said.contains("chmod 600"), "{said}");
}

#[test]
fn the_line_that_makes_an_agent_last_does() {
    let (_world, alice, dir) = desk();
    let change = ["-p", "-P", "", "-N", "secret", "-f"];
    alice.run(Command::new("ssh-keygen").arg("-q").args(change).arg(alice.key_file()), None).ok();
    let said = alice.mledger(&dir, &["init"]).ok();
    let keep = said.lines().find(|line| line.contains(">> ~/.profile")).unwrap().trim();
    type_in(&alice, &dir, keep).ok();
    let shell = "unset SSH_AUTH_SOCK; . ~/.profile; ssh-add -l; echo $SSH_AUTH_SOCK $SSH_AGENT_PID";
    let first = type_in(&alice, &dir, shell);
    let second = type_in(&alice, &dir, shell);
    let pid = first.out.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let _ended = Agent { person: alice.clone(), pid };
    assert!(first.out.contains("no identities") && second.out.contains("no identities"), "{first:#?} {second:#?}");
    assert!(second.out.trim_end().ends_with(".ssh/agent"), "the second shell starts no other: {second:#?}");
}

#[test]
fn what_is_wrong_with_a_key_comes_with_the_command_that_mends_it() {
    let (world, alice, dir) = desk();
    let mend = |said: &str| {
        let (_, after) = said.split_once("try: ").unwrap_or_else(|| panic!("nothing to try in\n{said}"));
        let line = after.lines().next().unwrap().trim().to_owned();
        type_in(&alice, &dir, &line).ok();
    };
    // Others can read it.
    let file = alice.key_file();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = alice.mledger(&dir, &["init"]).fails();
    assert!(said.contains("others can read the private key"), "{said}");
    assert!(!dir.join(".git/hooks/prepare-commit-msg").exists(), "nothing was set up");
    mend(&said);
    assert_eq!(json(alice.mledger(&dir, &["--json", "init"]))["key"]["public"], alice.public_key());

    // The public half beside it is another's.
    let mallory = world.person("mallory");
    let public = file.with_added_extension("pub");
    let (right, wrong) = (alice.public_key(), mallory.public_key());
    fs::write(&public, wrong + " m\n").unwrap();
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "x"]).fails();
    for words in [&["init"][..], &["key"]] {
        let run = alice.mledger(&dir, words);
        assert!(run.err.contains("is not the public half of"), "{run:#?}");
    }
    mend(&alice.mledger(&dir, &["init"]).fails());
    assert_eq!(line(&public), right);
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "x"]).ok();

    // Its file is gone.
    let away = world.path("away");
    fs::rename(&file, &away).unwrap();
    let run = alice.mledger(&dir, &["key"]);
    assert_eq!(run.code, Some(1));
    assert!(run.out.contains("nobody can sign with it now") && run.out.contains("mledger key lost"), "{run:#?}");
    fs::rename(&public, world.path("away.pub")).unwrap();
    let said = alice.mledger(&dir, &["key"]).fails();
    assert!(said.contains("could not read the key") && said.contains("mledger key new"), "{said}");
    let report = json(alice.mledger(&dir, &["--json", "init"]));
    assert_eq!(
        (&report["key"]["found"], &report["key"]["passed-over"][0]["place"]),
        (&"made".into(), &"user.signingKey".into())
    );
}

#[test]
fn odd_files_are_no_keys_and_no_panic() {
    let (world, alice, dir) = desk();
    let folder = world.path("folder");
    fs::create_dir(&folder).unwrap();
    write(world.root(), "huge", &"x".repeat(1 << 20));
    write(world.root(), "empty", "");
    write(world.root(), "cut", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n");
    fs::write(world.path("binary"), [0xff, 0xfe, 0x00]).unwrap();
    fs::set_permissions(world.path("cut"), fs::Permissions::from_mode(0o600)).unwrap();
    let ca = world.path("ca");
    keygen(&alice, &ca, &["-t", "ed25519", "-N", ""]);
    let sign = ["-q", "-s", ca.to_str().unwrap(), "-I", "a", "-n", "a"];
    alice.run(Command::new("ssh-keygen").args(sign).arg(alice.key_file()), None).ok();
    let certificate = alice.home.join(".ssh/id_ed25519-cert.pub");
    for (file, words) in [
        (folder.as_path(), "could not read the key"),
        (&world.path("huge"), "bytes"),
        (&world.path("empty"), "not a public key line"),
        (&world.path("cut"), "`ssh-keygen` failed"),
        (&world.path("binary"), "could not read the key"),
        (&world.path("gone"), "could not read the key"),
        (&certificate, "is an SSH certificate, and those are refused"),
    ] {
        let said = alice.mledger(&dir, &["init", "--key", file.to_str().unwrap()]).fails();
        assert!(said.contains(words) && said.contains("try: "), "{said}");
        alice.git(&dir, &["config", "gpg.format", "ssh"]).ok();
        alice.git(&dir, &["config", "user.signingKey", file.to_str().unwrap()]).ok();
        assert!(alice.mledger(&dir, &["key"]).fails().contains(words));
    }
    let said = alice.mledger(&dir, &["key"]).fails();
    assert!(said.contains("try: mledger init --key ~/.ssh/id_ed25519"), "{said}");
}

#[test]
fn who_signs_with_openpgp_elsewhere_is_told_what_changes_here() {
    let (_world, alice, dir) = desk();
    alice.git(&dir, &["config", "--global", "user.signingKey", "0xDEADBEEF"]).ok();
    for format in ["openpgp", "x509"] {
        alice.git(&dir, &["config", "--global", "gpg.format", format]).ok();
        let said = alice.mledger(&dir, &["key"]).fails();
        assert!(said.contains("only SSH signatures count") && said.contains("try: mledger init"), "{said}");
        let said = alice.mledger(&dir, &["init"]).ok();
        assert!(said.contains("user.signingKey: Git signs with"), "{said}");
        assert!(said.contains("in this clone alone; everywhere else Git signs as before"), "{said}");
        assert_eq!(alice.git(&dir, &["config", "--global", "gpg.format"]).ok(), format);
        alice.mledger(&dir, &["init", "--undo"]).ok();
    }
}

#[test]
fn three_keys_and_two_agents_are_told_apart() {
    let (world, alice, dir) = desk();
    let [one, two] = ["one", "two"].map(|name| {
        let file = alice.home.join(name);
        keygen(&alice, &file, &["-t", "ed25519", "-N", ""]);
        file
    });
    let first = Agent::start(&alice, &world.path("first"));
    let second = Agent::start(&alice, &world.path("second"));
    first.add(&one);
    second.add(&two);
    let literal = format!("key::{}", line(&two.with_added_extension("pub")));
    alice.git(&dir, &["config", "gpg.format", "ssh"]).ok();
    alice.git(&dir, &["config", "user.signingKey", &literal]).ok();
    assert_eq!(json(second.person.mledger(&dir, &["--json", "key", "--try"]))["signs"], true);
    for (person, words) in [(&first.person, "your SSH agent does not hold it"), (&alice, "no SSH agent answers")] {
        let run = person.mledger(&dir, &["key"]);
        assert_eq!(run.code, Some(1));
        assert!(run.out.contains(words) && run.out.contains("ssh-add FILE"), "{run:#?}");
        // What the person chose stays chosen: the agent may be in another terminal.
        let report = json(person.mledger(&dir, &["--json", "init"]));
        assert_eq!(
            (&report["key"]["configured"], &report["key"]["custody"]),
            (&literal.as_str().into(), &"missing".into())
        );
    }
}

#[test]
fn a_key_is_made_beside_others_never_over_them() {
    let (_world, alice, dir) = desk();
    alice.mledger(&dir, &["init"]).ok();
    let before = fs::read(alice.key_file()).unwrap();
    let made = json(alice.mledger(&dir, &["--json", "key", "new"]));
    let file = alice.home.join(".ssh/mledger_ed25519");
    assert_eq!(made["made"], file.display().to_string());
    assert_eq!(made["public"], line(&file.with_added_extension("pub")));
    fits(&schema("key"), &made);
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "x"]).ok();
    assert_eq!(signer_of_head(&alice, &dir), made["fingerprint"].as_str().unwrap());
    // A dangling link is somebody's, too.
    std::os::unix::fs::symlink("nowhere", alice.home.join(".ssh/mledger_ed25519_2")).unwrap();
    let again = json(alice.mledger(&dir, &["--json", "key", "new"]));
    assert!(again["made"].as_str().unwrap().ends_with("mledger_ed25519_3"), "{again}");
    let said = alice.mledger(&dir, &["key", "new", "--file", alice.key_file().to_str().unwrap()]).fails();
    assert!(said.contains("keys are never overwritten"), "{said}");
    assert_eq!(fs::read(alice.key_file()).unwrap(), before);
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_ne!(alice.git(&dir, &["config", "--local", "user.signingKey"]).code, Some(0));
}

#[test]
fn a_passphrase_is_asked_for_at_the_terminal() {
    let (world, alice, dir) = desk();
    write_script(world.root(), "ask", "#!/bin/sh\necho 'correct horse'\n");
    let asked = alice.with("SSH_ASKPASS", world.path("ask").to_str().unwrap()).with("SSH_ASKPASS_REQUIRE", "force");
    let made = json(asked.mledger(&dir, &["--json", "key", "new", "--passphrase"]));
    assert_eq!((&made["custody"], &made["signs"]), (&"passphrase".into(), &Value::Null), "{made}");
    assert_eq!(json(asked.mledger(&dir, &["--json", "key", "--try"]))["signs"], true);
    alice.mledger(&dir, &["key", "--try"]).fails();
}

/// What Alice's lines are in a policy.
fn enrolled_by(bank: &Bank, lines: &str) {
    let clone = bank.world.path("carol");
    let dir = if clone.exists() { clone } else { bank.clone_of(&bank.carol) };
    let policy = bank.carol.mledger(&dir, &["policy", "show"]).ok() + "\n";
    // As an administrator does: the new lines go where the old `keys` were.
    let (head, keys) = lines.trim().split_once('\n').unwrap();
    let (before, after) = policy.split_once(&format!("{head}\n")).unwrap();
    let end =
        if after.starts_with("keys = [\n") { after.find("\n]\n").unwrap() + 3 } else { after.find('\n').unwrap() + 1 };
    write(&dir, "policy.toml", &format!("{before}{head}\n{keys}\n{}", &after[end..]));
    bank.carol.mledger(&dir, &["policy", "apply", "policy.toml"]).ok();
}

#[test]
fn a_second_laptop_gets_a_key_of_its_own_and_both_count() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let shown = json(bank.alice.mledger(&dir, &["--json", "key"]));
    fits(&schema("key"), &shown);
    assert_eq!((&shown["policy"]["actor"], &shown["enrolment"]), (&bank.alice.id().into(), &Value::Null));

    let laptop = Person { home: bank.world.path("laptop"), ..bank.alice.clone() };
    fs::create_dir(&laptop.home).unwrap();
    fs::copy(bank.alice.home.join(".gitconfig"), laptop.home.join(".gitconfig")).unwrap();
    let second = bank.bare_clone_of(&laptop, "second");
    laptop.mledger(&second, &["init"]).ok();
    let advice = json(laptop.mledger(&second, &["--json", "key", "second-laptop"]));
    let lines = advice["steps"][0]["lines"].as_str().unwrap();
    assert!(advice["steps"][0]["text"].as_str().unwrap().contains("carol@bank.example"), "{advice:#}");
    assert_eq!(json(laptop.mledger(&second, &["--json", "key"]))["enrolment"], lines);
    laptop.commit(&second, "models/a", "1\n");
    laptop.push(&second, &["HEAD:refs/heads/dev/a"]).fails();
    enrolled_by(&bank, lines);
    laptop.push(&second, &["HEAD:refs/heads/dev/a"]).ok();
    bank.alice.commit(&dir, "models/b", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/b"]).ok();
    let shown = json(laptop.mledger(&second, &["--json", "key"]));
    assert_eq!(shown["others"][0]["fingerprint"], fingerprint(&bank.alice.public_key()), "{shown:#}");
    let said = laptop.mledger(&second, &["key", "second-laptop"]).ok();
    assert!(said.contains("you can work here already"), "{said}");

    // The first laptop is given away.
    let advice = json(laptop.mledger(&second, &["--json", "key", "new-laptop"]));
    let ended = advice["steps"].as_array().unwrap().iter().find_map(|step| step["lines"].as_str()).unwrap();
    enrolled_by(&bank, ended);
    bank.alice.commit(&dir, "models/b", "2\n");
    bank.refused("key-expired", "has expired", || bank.alice.push(&dir, &["HEAD:refs/heads/dev/b"]));
    laptop.commit(&second, "models/a", "2\n");
    laptop.push(&second, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
}

#[test]
fn who_lost_a_key_is_told_whom_to_call_and_what_they_change() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let advice = json(bank.alice.mledger(&dir, &["--json", "key", "lost"]));
    let first = &advice["steps"][0];
    assert!(first["text"].as_str().unwrap().contains("Tell carol@bank.example at once"), "{advice:#}");
    let today = bank.alice.run(Command::new("date").args(["-u", "+%F"]), None).ok();
    let lines = first["lines"].as_str().unwrap();
    assert!(lines.contains(&format!("revoked = {today} }}")), "{lines}");
    enrolled_by(&bank, lines);
    bank.alice.commit(&dir, "models/a", "2\n");
    bank.refused("key-revoked", "is revoked", || bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
    bank.holds();
    let said = bank.alice.mledger(&dir, &["key"]).ok();
    assert!(said.contains("does not count") && said.contains("mledger key new"), "{said}");
    let made = json(bank.alice.mledger(&dir, &["--json", "key", "new"]));
    assert!(made["enrolment"].as_str().unwrap().contains("revoked = "), "{made:#}");
    enrolled_by(&bank, made["enrolment"].as_str().unwrap());
    bank.alice.git(&dir, &["commit", "-q", "--amend", "--no-edit"]).ok();
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();

    // With two keys the person says which; a stranger's key is not theirs to revoke.
    let said = bank.alice.mledger(&dir, &["key", "lost", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]).fails();
    assert!(said.contains("has no key SHA256:47DEQ"), "{said}");
}

#[test]
fn without_a_ledger_the_advice_still_helps() {
    let (_world, alice, dir) = desk();
    alice.mledger(&dir, &["init"]).ok();
    for words in ["lost", "new-laptop", "second-laptop"] {
        let said = alice.mledger(&dir, &["key", words]).ok();
        assert!(said.contains("the administrator of the policy"), "{said}");
    }
    let shown = alice.mledger(&dir, &["key"]).ok();
    assert!(
        shown.contains("no ledger is followed here") && shown.contains("[actors.\"alice@bank.example\"]"),
        "{shown}"
    );
}
