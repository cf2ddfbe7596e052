//! `mledger demo`: the whole story in a temporary folder, on real Git pushes.

mod stage;

use std::path::PathBuf;

use mledger::digest::to_hex;
use mledger::git::{Kind, Repository};
use mledger::ledger;

use self::stage::{Expect, Person, Stage};
use super::End;
use crate::context::Context;
use crate::error::Failure;

/// Play the whole story on real Git pushes, in a temporary folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mledger demo\n  mledger demo --keep /tmp/demo")]
pub struct Args {
    /// Play it in DIR, which must be empty or new, and leave everything there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The ledger's name in the story.
const ORIGIN: &str = "git.bank.example/models";

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let mut stage = Stage::new(context, args.keep.clone())?;
    let carol = stage.person("carol")?;
    let alice = stage.person("alice")?;
    let bob = stage.person("bob")?;
    let mallory = stage.person("mallory")?;

    set_up_server(&mut stage, &carol, &alice, &bob)?;
    engineer(&mut stage, &alice)?;
    refusals(&mut stage, &alice, &mallory)?;
    maintainer(&mut stage, &bob)?;
    audit(&mut stage, &carol)?;
    tamperings(&mut stage, &alice, &carol)?;
    stage.finish()
}

fn set_up_server(stage: &mut Stage<'_>, carol: &Person, alice: &Person, bob: &Person) -> Result<(), Failure> {
    stage.chapter("Carol puts a gate into the repository that everybody pushes to.");
    let policy = format!(
        "mledger = 1\nname = \"credit models\"\n\n[admin]\nactors = [\"carol@bank.example\"]\nthreshold = 1\n\n\
         {}{}{}\
         [roles.engineer]\nallow = [\n  {{ actions = [\"commit\"], paths = [\"models/**\", \"configs/**\"] }},\n  \
         {{ actions = [\"create\", \"update\", \"rewrite\", \"delete\"], refs = [\"refs/heads/dev/**\"] }},\n]\n\n\
         [roles.maintainer]\ninherits = [\"engineer\"]\n\
         allow = [{{ actions = [\"create\", \"update\"], refs = [\"refs/heads/main\"] }}]\n\n\
         [[rules]]\nname = \"main is signed all through\"\nrefs = [\"refs/heads/main\"]\nmanifest = true\nsigned-push = true\n",
        carol.policy_lines("maintainer"),
        alice.policy_lines("engineer"),
        bob.policy_lines("maintainer"),
    );
    stage.write("policy.toml", &policy)?;
    stage.run(carol, "", &["git", "init", "--quiet", "--bare", "models.git"], Expect::Fine)?;
    let init = ["mledger", "-C", "models.git", "init", "--policy", "../policy.toml", "--origin", ORIGIN];
    // `-C` comes first, as with git: the policy's path is relative to the repository.
    stage.run(carol, "", &init, Expect::Fine)?;
    Ok(())
}

fn engineer(stage: &mut Stage<'_>, alice: &Person) -> Result<(), Failure> {
    stage.chapter("Alice, an engineer, sets up her clone once. Then she works with plain Git.");
    stage.run(alice, "", &["git", "clone", "--quiet", "models.git", "alice"], Expect::Fine)?;
    stage.run(alice, "alice", &["mledger", "init"], Expect::Fine)?;
    stage.write("alice/models/credit/model.bin", "weights, version 1\n")?;
    stage.write("alice/configs/train.toml", "learning-rate = 1e-4\n")?;
    stage.run(alice, "alice", &["git", "add", "."], Expect::Fine)?;
    stage.run(alice, "alice", &["git", "commit", "--quiet", "-m", "Train the credit model"], Expect::Fine)?;
    stage.run(alice, "alice", &["git", "log", "-1", "--format=%B"], Expect::Fine)?;
    stage.run(alice, "alice", &["git", "push", "origin", "HEAD:refs/heads/dev/alice"], Expect::Fine)?;
    Ok(())
}

fn refusals(stage: &mut Stage<'_>, alice: &Person, mallory: &Person) -> Result<(), Failure> {
    stage.chapter("Alice is no maintainer: main is not hers to move.");
    stage.run(alice, "alice", &["git", "push", "origin", "HEAD:refs/heads/main"], Expect::Refused("not-granted"))?;

    stage.chapter("A commit without a signature gets nowhere.");
    stage.write("alice/models/credit/model.bin", "weights, version 2\n")?;
    let unsigned = ["git", "commit", "--quiet", "--no-gpg-sign", "--all", "-m", "Tune it quickly"];
    stage.run(alice, "alice", &unsigned, Expect::Fine)?;
    stage.run(
        alice,
        "alice",
        &["git", "push", "origin", "HEAD:refs/heads/dev/alice"],
        Expect::Refused("commit-unsigned"),
    )?;
    stage.run(alice, "alice", &["git", "commit", "--quiet", "--amend", "--no-edit", "-S"], Expect::Fine)?;
    stage.run(alice, "alice", &["git", "push", "origin", "HEAD:refs/heads/dev/alice"], Expect::Fine)?;

    stage.chapter("Mallory has a key of her own, but nobody enrolled it.");
    stage.run(
        mallory,
        "",
        &["git", "clone", "--quiet", "--branch", "dev/alice", "models.git", "mallory"],
        Expect::Fine,
    )?;
    stage.run(mallory, "mallory", &["mledger", "--quiet", "init"], Expect::Quiet)?;
    stage.write("mallory/models/credit/model.bin", "weights, with a back door\n")?;
    stage.run(mallory, "mallory", &["git", "commit", "--quiet", "--all", "-m", "Improve it"], Expect::Fine)?;
    stage.run(
        mallory,
        "mallory",
        &["git", "push", "origin", "HEAD:refs/heads/dev/alice"],
        Expect::Refused("key-unknown"),
    )?;
    Ok(())
}

fn maintainer(stage: &mut Stage<'_>, bob: &Person) -> Result<(), Failure> {
    stage.chapter("Bob, a maintainer, reviews Alice's branch and brings it to main.");
    stage.run(bob, "", &["git", "clone", "--quiet", "--branch", "dev/alice", "models.git", "bob"], Expect::Fine)?;
    stage.run(bob, "bob", &["mledger", "--quiet", "init"], Expect::Quiet)?;
    stage.run(bob, "bob", &["git", "push", "origin", "HEAD:refs/heads/main"], Expect::Fine)?;
    Ok(())
}

fn audit(stage: &mut Stage<'_>, carol: &Person) -> Result<(), Failure> {
    stage.chapter("An auditor fetches one ref, and checks everything with one public key.");
    stage.run(carol, "", &["git", "init", "--quiet", "--bare", "audit.git"], Expect::Fine)?;
    let fetch = ["git", "-C", "audit.git", "fetch", "--quiet", "../models.git", "refs/mledger/log:refs/mledger/log"];
    stage.run(carol, "", &fetch, Expect::Fine)?;
    let vkey = stage.read("models.git/mledger/vkey")?;
    stage.run(carol, "", &["mledger", "verify", "audit.git", "--key", vkey.trim()], Expect::Fine)?;
    stage.run(carol, "", &["mledger", "-C", "audit.git", "log"], Expect::Fine)?;
    Ok(())
}

fn tamperings(stage: &mut Stage<'_>, alice: &Person, carol: &Person) -> Result<(), Failure> {
    let verify = ["mledger", "verify", "models.git"];
    stage.chapter("Somebody with access to the server moves main behind the gate.");
    let main = stage.output(carol, "", &["git", "-C", "models.git", "rev-parse", "refs/heads/main"])?;
    stage.run(
        carol,
        "",
        &["git", "-C", "models.git", "update-ref", "refs/heads/main", "refs/heads/main~1"],
        Expect::Fine,
    )?;
    stage.run(carol, "", &verify, Expect::Found("ref"))?;
    stage.run(carol, "", &["git", "-C", "models.git", "update-ref", "refs/heads/main", &main], Expect::Fine)?;

    stage.chapter("Somebody flips one letter of an entry in the ledger.");
    let log = stage.output(carol, "", &["git", "-C", "models.git", "rev-parse", ledger::LOG_REF])?;
    let flipped = flip(stage)?;
    stage.say("(the newest entry's commit is written again with one byte of it changed)");
    stage.run(carol, "", &["git", "-C", "models.git", "update-ref", ledger::LOG_REF, &flipped], Expect::Fine)?;
    stage.run(carol, "", &verify, Expect::Found("root"))?;
    stage.run(carol, "", &["git", "-C", "models.git", "update-ref", ledger::LOG_REF, &log], Expect::Fine)?;

    stage.chapter("Somebody rolls the ledger back, so that Bob's push never happened. Alice's clone remembers.");
    stage.run(alice, "alice", &["mledger", "--quiet", "verify"], Expect::Quiet)?;
    let back = format!("{}~2", ledger::LOG_REF);
    stage.run(carol, "", &["git", "-C", "models.git", "update-ref", ledger::LOG_REF, &back], Expect::Fine)?;
    stage.run(alice, "alice", &["mledger", "verify"], Expect::Found("rollback"))?;
    stage.run(carol, "", &["git", "-C", "models.git", "update-ref", ledger::LOG_REF, &log], Expect::Fine)?;
    stage.run(carol, "", &verify, Expect::Fine)?;
    Ok(())
}

/// Writes the ledger's newest commit again with one byte of its last entry changed, as somebody at the server could.
fn flip(stage: &Stage<'_>) -> Result<String, Failure> {
    let repository = Repository::open(&stage.path("models.git"))?;
    let tip = repository.tip(&ledger::log_ref()?)?.ok_or_else(|| Failure::new("the demo's ledger is gone"))?;
    let mut commit = repository.read(&tip, Kind::Commit)?;
    let word = b"landed\"}";
    let at = commit.windows(word.len()).rposition(|window| window == word);
    let byte =
        at.and_then(|at| commit.get_mut(at)).ok_or_else(|| Failure::new("the demo's ledger ends in another entry"))?;
    *byte ^= 1;
    let written = repository.write(Kind::Commit, &commit)?;
    Ok(to_hex(written.as_bytes()))
}
