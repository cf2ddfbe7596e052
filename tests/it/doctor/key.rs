//! The key that Git signs with.

use std::fs;
use std::process::Command;

use super::{Ward, diagnosis, finding};
use crate::bank::Bank;
use crate::world::write_script;

fn alice(bank: &Bank) -> Ward {
    Ward::new(&bank.alice, &bank.clone_of(&bank.alice))
}

#[test]
fn the_key_is_there_and_whole_and_counts() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let (private, public) = (ward.person.key_file(), ward.person.key_file().with_extension("pub"));
    ward.heals("key-unset", || drop(ward.git(&["config", "--unset", "user.signingKey"])));
    ward.heals("key-missing", || drop(ward.git(&["config", "user.signingKey", "/nowhere/key"])));
    let dsa = "key::ssh-dss AAAAB3NzaC1kc3M=";
    ward.heals("key-kind", || drop(ward.git(&["config", "user.signingKey", dsa])));
    ward.heals("key-halves", || {
        fs::copy(bank.bob.key_file().with_extension("pub"), &public).unwrap();
    });
    // Git also takes the name of the public half.
    ward.git(&["config", "user.signingKey", public.to_str().unwrap()]);
    ward.is_well();
    ward.git(&["config", "user.signingKey", "~/.ssh/id_ed25519"]);
    ward.is_well();
    let kept = fs::read(&private).unwrap();
    ward.ails("key-unreadable", || {
        fs::remove_file(&private).unwrap();
        fs::create_dir(&private).unwrap();
    });
    ward.is_left_alone("key-unreadable");
    fs::remove_dir(&private).unwrap();
    fs::write(&private, kept).unwrap();
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_kept_from_them() {
    use std::os::unix::fs::PermissionsExt;
    let bank = Bank::open();
    let ward = alice(&bank);
    let open = || fs::set_permissions(ward.person.key_file(), fs::Permissions::from_mode(0o644)).unwrap();
    ward.heals_and_is_fixed("key-open", open);
    let mode = fs::metadata(ward.person.key_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_with_a_passphrase_wants_an_agent() {
    let bank = Bank::open();
    let ward = alice(&bank);
    write_script(bank.world.root(), "askpass", "#!/bin/sh\necho secret\n");
    let askpass = bank.world.path("askpass").display().to_string();
    let ward = ward.with("SSH_ASKPASS", &askpass).with("SSH_ASKPASS_REQUIRE", "force");
    let lock =
        ["-q", "-p", "-P", "", "-N", "secret", "-f", ward.person.key_file().to_str().unwrap()].map(str::to_owned);
    let found = ward.ails("key-locked", || drop(ward.person.run(Command::new("ssh-keygen").args(lock), None).ok()));
    assert_eq!(found["level"], "look");
    let line = ward.command(&found);
    let said = diagnosis(
        &ward.shell(&format!("{{ {line}; }} >/dev/null 2>&1; mledger --json doctor; ssh-agent -k >/dev/null")),
    );
    assert_eq!(said["ok"], true);
    assert!(finding(&said, "key-locked").is_none(), "{said:#}");
    // With an agent that has nothing yet, less is to be typed.
    let said =
        diagnosis(&ward.shell("eval \"$(ssh-agent -s)\" >/dev/null; mledger --json doctor; ssh-agent -k >/dev/null"));
    let line = finding(&said, "key-locked").unwrap()["try"].as_str().unwrap().to_owned();
    assert!(line.starts_with("ssh-add "), "{line}");
}

#[test]
fn an_old_key_with_a_passphrase_shows_no_public_half() {
    let bank = Bank::open();
    let ward = alice(&bank);
    write_script(bank.world.root(), "askpass", "#!/bin/sh\necho secret\n");
    let askpass = bank.world.path("askpass").display().to_string();
    let ward = ward.with("SSH_ASKPASS", &askpass).with("SSH_ASKPASS_REQUIRE", "force");
    let key = bank.world.path("old");
    let make = ["-q", "-t", "ecdsa", "-m", "PEM", "-N", "secret", "-f", key.to_str().unwrap()].map(str::to_owned);
    ward.person.run(Command::new("ssh-keygen").args(make), None).ok();
    fs::remove_file(key.with_extension("pub")).unwrap();
    let set = || drop(ward.git(&["config", "user.signingKey", key.to_str().unwrap()]));
    let line = ward.command(&ward.ails("key-public-missing", set));
    ward.shell(&line).ok();
    let said = ward.diagnosis(&[]);
    assert!(finding(&said, "key-public-missing").is_none() && finding(&said, "key-locked").is_some(), "{said:#}");
}

#[test]
fn a_key_that_only_an_agent_can_have_must_be_in_it() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let literal = format!("key::{}", ward.person.public_key());
    let found = ward.ails("agent-unreachable", || drop(ward.git(&["config", "user.signingKey", &literal])));
    let line = ward.command(&found);
    let end = "mledger --json doctor; code=$?; ssh-agent -k >/dev/null; exit $code";
    assert_eq!(diagnosis(&ward.shell(&format!("{{ {line}; }} >/dev/null 2>&1; {end}")))["ok"], true);
    let said = diagnosis(&ward.shell(&format!("eval \"$(ssh-agent -s)\" >/dev/null; {end}")));
    let line = finding(&said, "key-not-in-agent").unwrap()["try"].as_str().unwrap().to_owned();
    let mended = format!("eval \"$(ssh-agent -s)\" >/dev/null; {line} 2>/dev/null; {end}");
    assert_eq!(diagnosis(&ward.shell(&mended))["ok"], true);
    // The public half lies there alone: the private one is in the agent, or nowhere.
    ward.git(&["config", "user.signingKey", ward.person.key_file().to_str().unwrap()]);
    let aside = bank.world.path("aside");
    fs::rename(ward.person.key_file(), &aside).unwrap();
    assert!(ward.finding("agent-unreachable").is_some());
    let add = format!("eval \"$(ssh-agent -s)\" >/dev/null; ssh-add '{}' 2>/dev/null; {end}", aside.display());
    assert_eq!(diagnosis(&ward.shell(&add))["ok"], true);
}
