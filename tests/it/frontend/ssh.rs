//! A real sshd, started for each connection by the client's `ProxyCommand`: no port, nothing to stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{VARIABLES, fingerprint, lands, login, push, server_program};
use crate::bank::Bank;
use crate::world::{Person, write, write_script};

/// Ends what a forced command does: nothing but Git.
const GIT_SHELL: &str = "exec git-shell -c \"$SSH_ORIGINAL_COMMAND\"";

/// An sshd of its own, for the user who runs the tests.
pub struct Sshd {
    folder: PathBuf,
}

impl Sshd {
    /// Prepares one in `folder`, with more lines of configuration. Everybody who comes in runs `command`, a shell script
    /// whose first argument is the person's name.
    pub fn new(folder: &Path, config: &str, people: &[&Person], command: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let keygen = ["-q", "-t", "ed25519", "-N", "", "-f", &path("host_key")];
        people[0].run(Command::new("ssh-keygen").args(keygen), None).ok();
        let host = fs::read_to_string(path("host_key.pub")).unwrap();
        write(folder, "known_hosts", &format!("git.bank.example {host}"));
        let lines = people.iter().map(|person| {
            let enter = path("enter");
            format!("restrict,command=\"'{enter}' {}\" {}\n", person.name, person.public_key())
        });
        write(folder, "authorized_keys", &lines.collect::<String>());
        // sshd gives a PATH and a HOME of the machine, not of the test.
        let search = std::env::var("PATH").unwrap();
        let home = &people[0].home.display();
        let set = format!("export PATH='{search}' GIT_CONFIG_GLOBAL='{home}/.gitconfig' GIT_CONFIG_NOSYSTEM=1");
        write_script(folder, "enter", &format!("#!/bin/sh\n{set}\n{command}\n"));
        let text = format!(
            "HostKey \"{}\"\nAuthorizedKeysFile \"{}\"\nPidFile none\nUsePAM no\nStrictModes no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n{config}\n",
            path("host_key"),
            path("authorized_keys"),
        );
        write(folder, "sshd_config", &text);
        Self { folder: folder.to_owned() }
    }

    /// The person, whose Git reaches this sshd as `git.bank.example`, with more options of `ssh`.
    pub fn lets_in(&self, person: &Person, options: &str) -> Person {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let sshd = server_program("sshd").display().to_string();
        let proxy = format!("{sshd} -i -f '{}' -E '{}'", path("sshd_config"), path("log"));
        let user = person.run(Command::new("id").arg("-un"), None).ok();
        let text = format!(
            "User {user}\nIdentityFile \"{}\"\nIdentitiesOnly yes\nIdentityAgent none\nBatchMode yes\n\
             UserKnownHostsFile \"{}\"\nStrictHostKeyChecking yes\nProxyCommand {proxy}\n{options}\n",
            person.key_file().display(),
            path("known_hosts"),
        );
        let name = format!("{}_ssh_config", person.name);
        write(&self.folder, &name, &text);
        person.with("GIT_SSH_COMMAND", &format!("ssh -F '{}'", path(&name)))
    }
}

/// A bank behind sshd, and a clone of Alice's with one commit, which pushes over SSH.
fn bank_behind_sshd(source: &str, config: &str, command: &str) -> (Bank, Sshd, PathBuf) {
    let more = super::people(source)
        + "[[rules]]\nname = \"signed\"\nrefs = [\"refs/heads/dev/signed\"]\nsigned-push = true\n";
    let bank = Bank::open_with(&more, &["--login", source]);
    let people = [&bank.carol, &bank.bob, &bank.alice, &bank.mallory];
    let sshd = Sshd::new(&bank.world.path("sshd"), config, &people, command);
    let dir = bank.clone_of(&bank.alice);
    let url = format!("git.bank.example:{}", bank.server.display());
    bank.alice.git(&dir, &["remote", "set-url", "origin", &url]).ok();
    bank.alice.commit(&dir, "models/a", "one");
    (bank, sshd, dir)
}

#[test]
fn the_key_that_signed_in_names_the_pusher() {
    let (bank, sshd, dir) = bank_behind_sshd("ssh-user-auth", "ExposeAuthInfo yes", GIT_SHELL);
    let alice = sshd.lets_in(&bank.alice, "");
    let hers = login(&format!("ssh-user-auth:{}", fingerprint(&alice)));
    lands(&bank, "alice@bank.example", &hers, || push(&alice, &dir));
    // Mallory may come in, and is nobody to the policy.
    let mallory = sshd.lets_in(&bank.mallory, "");
    alice.commit(&dir, "models/a", "two");
    let said = bank.refused("key-unknown", "no actor of the policy has this key", || push(&mallory, &dir));
    assert!(said.contains(&fingerprint(&mallory)), "{said}");
    assert!(said.contains("mledger init     (prints the lines that enrol you)"), "{said}");
    // Alice's certificate names Alice, whoever carries it.
    let key = json!({ "how": "certificate", "key": fingerprint(&alice) });
    lands(&bank, "alice@bank.example", &key, || mallory.push(&dir, &["HEAD:refs/heads/dev/signed"]));
    alice.commit(&dir, "models/a", "three");
    let said = bank.refused("signed-push-missing", "this push must be signed", || {
        alice.push(&dir, &["--no-signed", "HEAD:refs/heads/dev/signed"])
    });
    assert!(said.contains("git push --signed=if-asked"), "{said}");
    // No shell, no environment of one's own.
    bank.stopped("unrecognized command", || {
        let receive = "--receive-pack=env SSH_USER_AUTH=/tmp/x MLEDGER_LOGIN=victim git-receive-pack";
        mallory.push(&dir, &["--no-signed", receive, "HEAD:refs/heads/dev/b"])
    });
}

/// The login is the key's, so the policy of the day says whose it is. Decisions of another day stay as they were.
#[test]
fn a_revoked_key_names_nobody_any_more() {
    let (bank, sshd, dir) = bank_behind_sshd("ssh-user-auth", "ExposeAuthInfo yes", GIT_SHELL);
    let alice = sshd.lets_in(&bank.alice, "");
    let hers = login(&format!("ssh-user-auth:{}", fingerprint(&alice)));
    lands(&bank, "alice@bank.example", &hers, || push(&alice, &dir));
    let carols = bank.clone_of(&bank.carol);
    let policy = bank.carol.mledger(&carols, &["policy", "show"]).ok();
    let key = format!("\"{}\"", bank.alice.public_key());
    let revoked = format!("{{ key = {key}, revoked = 2026-01-01 }}");
    write(&carols, "new.toml", &policy.replace(&key, &revoked));
    bank.carol.mledger(&carols, &["policy", "apply", "new.toml"]).ok();
    alice.commit(&dir, "models/a", "two");
    let said = bank.refused("key-revoked", "the key of alice@bank.example is revoked", || push(&alice, &dir));
    assert!(said.contains(&fingerprint(&alice)), "{said}");
}

#[test]
fn without_expose_auth_info_nobody_is_known() {
    let (bank, sshd, dir) = bank_behind_sshd("ssh-user-auth", "", GIT_SHELL);
    let alice = sshd.lets_in(&bank.alice, "");
    let said = bank.refused("pusher-unknown", "nobody can tell who is pushing", || push(&alice, &dir));
    assert!(said.contains("mledger init     (in your clone: it signs your pushes)"), "{said}");
}

#[test]
fn variables_that_the_client_sends_change_nothing() {
    let config = "ExposeAuthInfo yes\nAcceptEnv *";
    let command = format!("env >\"$0.seen\"\n{GIT_SHELL}");
    let (bank, sshd, dir) = bank_behind_sshd("ssh-user-auth", config, &command);
    // Carol's key in a file that looks like sshd's; sshd sets the variable last.
    let file = bank.world.path("sshauth");
    write(bank.world.root(), "sshauth", &format!("publickey {}\n", bank.carol.public_key()));
    private(&file);
    let sent = |names: &[(&str, &str)]| {
        let pairs = names.iter().map(|(name, value)| format!("\"{name}={value}\""));
        format!("SetEnv {}", pairs.collect::<Vec<_>>().join(" "))
    };
    let mut forged: Vec<_> = VARIABLES.iter().map(|(_, name)| (*name, "victim")).collect();
    forged.push(("SSH_USER_AUTH", file.to_str().unwrap()));
    let alice = sshd.lets_in(&bank.alice, &sent(&forged));
    let hers = login(&format!("ssh-user-auth:{}", fingerprint(&alice)));
    lands(&bank, "alice@bank.example", &hers, || push(&alice, &dir));
    let seen = fs::read_to_string(bank.world.path("sshd/enter.seen")).unwrap();
    assert!(VARIABLES.iter().all(|(_, name)| seen.contains(&format!("{name}=victim\n"))), "{seen}");
    assert!(!seen.contains(file.to_str().unwrap()), "{seen}");
}

#[test]
fn a_forced_command_names_the_pusher() {
    let command = format!("export MLEDGER_LOGIN=\"$1\"\n{GIT_SHELL}");
    let (bank, sshd, dir) = bank_behind_sshd("env", "AcceptEnv *", &command);
    // Whatever she sends, the forced command speaks last.
    let alice = sshd.lets_in(&bank.alice, "SetEnv MLEDGER_LOGIN=victim GL_USER=victim REMOTE_USER=victim");
    lands(&bank, "alice@bank.example", &login("env:alice"), || push(&alice, &dir));
    let mallory = sshd.lets_in(&bank.mallory, "");
    alice.commit(&dir, "models/a", "two");
    let said = bank.refused("login-unknown", "no actor of the policy has this login", || push(&mallory, &dir));
    assert!(said.contains("env:mallory"), "{said}");
    assert!(said.contains("ask carol@bank.example to add this login to your `logins` in the policy"), "{said}");
}

/// Even with a shell, the variables of the sources that are not configured make nobody anybody.
#[test]
fn with_a_shell_only_the_configured_source_can_be_forged() {
    let (bank, sshd, dir) =
        bank_behind_sshd("ssh-user-auth", "ExposeAuthInfo yes", "exec sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let alice = sshd.lets_in(&bank.alice, "");
    let forge = |env: &str| {
        let receive = format!("--receive-pack=env {env} git-receive-pack");
        alice.push(&dir, &["--no-signed", &receive, "-f", "HEAD:refs/heads/dev/a"])
    };
    let all: Vec<_> = VARIABLES.iter().map(|(_, name)| format!("{name}=victim")).collect();
    let hers = login(&format!("ssh-user-auth:{}", fingerprint(&alice)));
    lands(&bank, "alice@bank.example", &hers, || forge(&all.join(" ")));
    alice.commit(&dir, "models/a", "two");
    // Files that sshd never writes.
    let world = &bank.world;
    write(world.root(), "sshauth", &format!("publickey {}\n", bank.carol.public_key()));
    let file = world.path("sshauth");
    let named = |path: &Path| format!("'SSH_USER_AUTH={}'", path.display());
    let foreign = "not one that sshd wrote for this session";
    bank.refused("pusher-refused", foreign, || forge(&named(&file)));
    private(&file);
    std::os::unix::fs::symlink(&file, world.path("link")).unwrap();
    bank.refused("pusher-refused", "cannot be read", || forge(&named(&world.path("link"))));
    bank.refused("pusher-refused", "cannot be read", || forge(&named(&world.path("missing"))));
    bank.refused("pusher-refused", foreign, || forge(&named(Path::new("/dev/zero"))));
    let both = format!("publickey {}\npublickey {}\n", bank.alice.public_key(), bank.carol.public_key());
    write(world.root(), "sshauth", &both);
    bank.refused("pusher-refused", "with 2 public keys", || forge(&named(&file)));
    bank.refused("pusher-unknown", "nobody can tell who is pushing", || forge("-u SSH_USER_AUTH"));
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
