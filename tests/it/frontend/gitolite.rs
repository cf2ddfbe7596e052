//! A real gitolite behind a real sshd, without a system user of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::ssh::Sshd;
use super::{fingerprint, lands, login, push};
use crate::bank::Bank;
use crate::world::{Person, write};

/// What gitolite itself permits: everything but one branch.
const CONFIG: &str = "repo models\n    -   refs/heads/dev/locked = @all\n    RW+ = @all\n";

/// A gitolite whose home is a folder.
struct Gitolite {
    /// Gitolite's scripts do not expect a blank in the path.
    home: tempfile::TempDir,
    person: Person,
}

impl Gitolite {
    /// Takes the bank's repository over, with what is in it.
    fn adopt(bank: &mut Bank) -> Self {
        let home = tempfile::Builder::new().prefix("mledger-gitolite-").tempdir().unwrap();
        let mut person = bank.carol.clone();
        home.path().clone_into(&mut person.home);
        fs::copy(bank.carol.home.join(".gitconfig"), home.path().join(".gitconfig")).unwrap();
        let gitolite = Self { home, person };
        gitolite.run(&["setup", "-a", "carol"]);
        let server = gitolite.home.path().join("repositories/models.git");
        fs::rename(&bank.server, &server).unwrap();
        bank.server = server;
        write(gitolite.home.path(), ".gitolite/conf/gitolite.conf", CONFIG);
        gitolite.run(&["compile"]);
        gitolite.run(&["setup", "--hooks-only"]);
        gitolite
    }

    #[track_caller]
    fn run(&self, words: &[&str]) {
        self.person.run(Command::new("gitolite").args(words).current_dir(&self.home), None).ok();
    }

    /// The end of a forced command: what gitolite writes into `authorized_keys`.
    fn enter(&self) -> String {
        let home = self.home.path().display();
        format!("export HOME='{home}'\nexec \"$(gitolite query-rc GL_BINDIR)/gitolite-shell\" \"$1\"")
    }
}

fn bank_behind_gitolite() -> (Bank, Gitolite, Sshd, PathBuf, Person) {
    let mut bank = Bank::closed();
    bank.seed();
    let gitolite = Gitolite::adopt(&mut bank);
    bank.gate(&super::people("gitolite"), &["--login", "gitolite"]).ok();
    let erin = bank.world.person("erin");
    let people = [&bank.carol, &bank.alice, &bank.mallory, &erin];
    let sshd = Sshd::new(&bank.world.path("sshd"), "", &people, &gitolite.enter());
    let dir = bank.clone_of(&bank.alice);
    bank.alice.git(&dir, &["remote", "set-url", "origin", "git.bank.example:models"]).ok();
    bank.alice.commit(&dir, "models/a", "one");
    (bank, gitolite, sshd, dir, erin)
}

#[test]
fn gitolite_names_the_pusher() {
    let (bank, _gitolite, sshd, dir, erin) = bank_behind_gitolite();
    let (erin, mallory, alice) =
        (sshd.lets_in(&erin, ""), sshd.lets_in(&bank.mallory, ""), sshd.lets_in(&bank.alice, ""));
    lands(&bank, "erin@bank.example", &login("gitolite:erin"), || push(&erin, &dir));
    alice.commit(&dir, "models/a", "two");
    let said = bank.refused("login-unknown", "no actor of the policy has this login", || push(&mallory, &dir));
    assert!(said.contains("gitolite:mallory"), "{said}");
    let hers = json!({ "how": "certificate", "key": fingerprint(&alice) });
    lands(&bank, "alice@bank.example", &hers, || alice.push(&dir, &["-f", "HEAD:refs/heads/dev/a"]));
    // Gitolite takes no command but Git's own.
    bank.stopped("unknown git/gitolite command", || {
        let receive = "--receive-pack=env GL_USER=victim git-receive-pack";
        mallory.push(&dir, &["--no-signed", receive, "HEAD:refs/heads/dev/b"])
    });
}

/// Gitolite's own hook runs after the gate: what it refuses was authorised and does not land.
#[test]
fn what_gitolite_refuses_does_not_land() {
    let (bank, _gitolite, sshd, dir, erin) = bank_behind_gitolite();
    let erin = sshd.lets_in(&erin, "");
    let locked = || erin.push(&dir, &["--no-signed", "HEAD:refs/heads/dev/locked"]);
    for _ in 0..2 {
        let said = locked().fails();
        assert!(said.contains("mledger: accepted") && said.contains("DENIED by refs/heads/dev/locked"), "{said}");
        assert_eq!(bank.tip("refs/heads/dev/locked"), "");
        bank.holds();
    }
    lands(&bank, "erin@bank.example", &login("gitolite:erin"), || push(&erin, &dir));
    let states: Vec<_> = bank.log().into_iter().filter(|row| row["kind"] == "landed").collect();
    assert_eq!(states.len(), 3, "{states:#?}");
}

#[test]
fn whoever_passes_by_gitolite_is_nobody() {
    let (bank, _gitolite, _sshd, dir, _erin) = bank_behind_gitolite();
    let server = bank.server.to_str().unwrap().to_owned();
    let around = |variables: &[(&str, &str)]| {
        let person = variables.iter().fold(bank.mallory.clone(), |person, (name, value)| person.with(name, value));
        person.git(&dir, &["push", "--no-signed", &server, "HEAD:refs/heads/dev/a"])
    };
    for value in ["1", "0", ""] {
        bank.refused("pusher-refused", "GL_BYPASS_ACCESS_CHECKS", || {
            around(&[("GL_USER", "erin"), ("GL_BYPASS_ACCESS_CHECKS", value)])
        });
    }
    assert!(Path::new(&server).join("hooks/update").exists());
}
