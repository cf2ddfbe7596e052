//! `mledger hook NAME`: what the shims in a repository's hooks folder call.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use mledger::git::Repository;
use mledger::git::repository::verify_hashes_on_read;
use mledger::hook::clone_setup::Options;
use mledger::hook::install::Earlier;
use mledger::hook::new_clone::{self, NewClone};
use mledger::hook::post_commit::Feedback;
use mledger::hook::pre_push::Outlook;
use mledger::hook::prepare_commit_msg::repository;
use mledger::hook::pusher::{Environment, LoginSource};
use mledger::hook::{
    commit_msg, install, post_applypatch, post_commit, post_receive, pre_push, pre_receive, prepare_commit_msg,
};
use mledger::ledger::follow::Followed;
use mledger::name::Oid;
use mledger::policy::facts::{ManifestTrailer, Signature};

use super::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{first_line, tame};
use crate::refusal;

/// The hooks that Git gives an input.
const WITH_INPUT: [&str; 4] = ["post-receive", "post-rewrite", "pre-push", "pre-receive"];

/// The longest input of a hook, in bytes: a push of 100,000 refs.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// Run a Git hook; the scripts that `mledger init` installs call this
#[derive(clap::Args, Debug)]
#[command(hide = true, after_help = "Example:\n  mledger hook pre-push origin https://git.bank.example/models")]
pub struct Args {
    /// Where core.hooksPath is set: run the hook in its folder first
    #[arg(long)]
    pub hooks_path: bool,
    /// The hook
    pub name: String,
    /// What Git gives it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// Runs the hook that was there before, and then ours.
pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let dir = std::env::current_dir()?;
    let name = args.name.as_str();
    let input = if WITH_INPUT.contains(&name) { read_input()? } else { Vec::new() };
    match earlier(&dir, args)?.run(&args.arguments, &input)? {
        0 => ours(context, &dir, args, &input),
        // It has said why itself.
        _ => Ok(End::Wrong),
    }
}

fn earlier(dir: &Path, args: &Args) -> Result<Earlier, Failure> {
    let (repository, name) = (repository(dir)?, args.name.as_str());
    if install::SERVER.contains(&name) {
        return Ok(Earlier::beside(&install::folder(&repository)?, name));
    }
    let earlier = if args.hooks_path {
        Earlier::elsewhere(dir, repository.git_dir(), name)?
    } else {
        Earlier::beside(&repository.git_dir().join("hooks"), name)
    };
    Ok(earlier.with_git_lfs(&repository, name)?)
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut input)?;
    if input.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::new(format!("the hook's input is longer than the {INPUT_BYTES_MAX} bytes allowed")));
    }
    Ok(input)
}

fn ours(context: &Context, dir: &Path, args: &Args, input: &[u8]) -> Result<End, Failure> {
    // Git itself computed the names of these objects a moment ago, in a clone as it wrote them and on a server as it
    // received them, and the ledger has hashes of its own: SHA-1 once more would help nobody.
    verify_hashes_on_read(false);
    match args.name.as_str() {
        "prepare-commit-msg" => Ok(forgive(context, prepare_commit_msg::run(dir, &file(args)?))),
        "commit-msg" => Ok(forgive(context, commit_msg::run(dir, &file(args)?))),
        "post-commit" => Ok(tell(context, post_commit::run(dir))),
        "post-applypatch" => Ok(tell(context, post_applypatch::run(dir))),
        "pre-push" => pre_push(context, dir, args),
        install::NEW_CLONE => new_clone(context, dir),
        "pre-receive" => pre_receive(context, dir, input),
        "post-receive" => Ok(post_receive(context, dir)),
        name => Err(Failure::usage(format!("there is no hook called `{name}`"))),
    }
}

fn file(args: &Args) -> Result<PathBuf, Failure> {
    let first = args.arguments.first().ok_or_else(|| Failure::usage(format!("`{}` needs a file", args.name)))?;
    Ok(first.into())
}

/// A commit goes on whatever becomes of our trailers: work is not lost, and the gate still judges it.
fn forgive<E: std::error::Error + 'static>(context: &Context, result: Result<(), E>) -> End {
    if let Err(error) = result {
        context.output.fail(&Failure::from(error).of("the commit gets no manifest"));
    }
    End::Fine
}

fn tell<E: std::error::Error + 'static>(context: &Context, result: Result<Option<Feedback>, E>) -> End {
    match result {
        Ok(Some(feedback)) if !(feedback.rebasing && feedback.is_good()) => context.output.say(line(&feedback)),
        Ok(_) => {}
        Err(error) => context.output.fail(&Failure::from(error).of("the commit could not be checked")),
    }
    End::Fine
}

fn line(feedback: &Feedback) -> String {
    const AGAIN: &str = "git commit --amend --no-edit";
    let commit = feedback.commit.short();
    let wrong = match (&feedback.signature, feedback.manifest) {
        (Signature::Valid { key }, ManifestTrailer::Matches) => return format!("mledger: {commit} signed by {key}"),
        (Signature::Missing, _) => "is not signed".to_owned(),
        (Signature::Invalid { why }, _) => format!("has a signature that does not count: {why}"),
        (Signature::Valid { .. }, ManifestTrailer::Missing) => "is signed, and binds no content".to_owned(),
        (Signature::Valid { .. }, ManifestTrailer::Mismatch) => "is signed for another content".to_owned(),
    };
    format!("mledger: {commit} {wrong}; mend it with `{AGAIN}`")
}

fn pre_push(context: &Context, dir: &Path, args: &Args) -> Result<End, Failure> {
    let [remote, url, ..] = args.arguments.as_slice() else {
        return Err(Failure::usage("`pre-push` needs a remote and its address"));
    };
    let contradicted =
        |error| Failure::from(error).of("nothing was pushed: the ledger is not what this clone saw of it");
    match pre_push::run(dir, &remote.to_string_lossy(), &url.to_string_lossy()).map_err(contradicted)? {
        Outlook::Extends(followed) if followed.vkey_on_trust => context.output.say(format_args!(
            "mledger: the ledger {} is followed from now on; compare its key with your administrator's:\n  {}",
            followed.new.origin(),
            followed.vkey
        )),
        Outlook::NotFollowed | Outlook::Extends(_) => {}
        Outlook::Unseen(error) => {
            let why = first_line(&error.to_string());
            context.output.say(format_args!("mledger: the ledger was not looked at: {why}"));
        }
    }
    Ok(End::Fine)
}

/// Git has made the clone already, and goes on whatever we say.
fn new_clone(context: &Context, dir: &Path) -> Result<End, Failure> {
    let options = Options {
        home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        program: std::env::current_exe()?,
        ..Options::default()
    };
    match new_clone::run(dir, &options) {
        Ok(NewClone::Untouched) => {}
        Ok(NewClone::NoAnswer { remote }) => context.output.say(format_args!(
            "mledger: {} did not say whether it keeps a ledger; if it does, type `mledger init` here",
            tame(&remote)
        )),
        Ok(NewClone::SetUp { enrolled, followed }) => context.output.say(welcome(enrolled.is_some(), &followed)),
        Err(error) => {
            let failure = Failure::from(error).of("mledger: this clone follows a ledger, and is not set up for it");
            context.output.fail(&failure.try_this("mledger init"));
        }
    }
    Ok(End::Fine)
}

fn welcome(enrolled: bool, followed: &Followed) -> String {
    let mut text = format!(
        "mledger: this clone follows the ledger {}; `git commit` here signs what it changes",
        followed.new.origin()
    );
    if followed.vkey_on_trust {
        text += "\nmledger: trusted at first sight; compare its key with your administrator's:\n         ";
        text += &followed.vkey.to_string();
    }
    if !enrolled {
        text += "\nmledger: its policy does not know your key yet; `mledger init` prints what the administrator needs";
    }
    text
}

/// The gate. Whatever goes wrong denies, and is said plainly: a pusher sees nothing else of the server.
fn pre_receive(context: &Context, dir: &Path, input: &[u8]) -> Result<End, Failure> {
    let denied =
        |error| Failure::from(error).of("mledger: push refused: the gate could not decide, so nothing was moved");
    let answer = match pre_receive::pre_receive(dir, input, &Environment::read()).map_err(denied) {
        Err(failure) if is_behind_gitlab(dir) => {
            context.output.say(refusal::for_gitlab(&failure.to_string()).trim_end());
            return Ok(End::Wrong);
        }
        answer => answer?,
    };
    let origin = answer.checkpoint.as_ref().map(|checkpoint| checkpoint.origin().to_string()).unwrap_or_default();
    let is_root = |commit: &Oid| {
        let links = Repository::open_from_env().and_then(|pushed| pushed.links(commit));
        links.is_ok_and(|(_, parents)| parents.is_empty())
    };
    let mut text = refusal::text(&answer, &origin, &is_root);
    if !answer.accepted && is_behind_gitlab(dir) {
        text = refusal::for_gitlab(&text);
    }
    context.output.say(text.trim_end());
    Ok(if answer.accepted { End::Fine } else { End::Denied })
}

fn is_behind_gitlab(dir: &Path) -> bool {
    let word = Repository::open(dir).and_then(|repository| repository.config("mledger.login"));
    word.is_ok_and(|word| word.as_deref() == Some(LoginSource::Gitlab.word()))
}

/// The refs have moved already: what fails here is made up for by the next push.
fn post_receive(context: &Context, dir: &Path) -> End {
    if let Err(error) = post_receive::post_receive(dir) {
        context.output.fail(&Failure::from(error).of("the push landed, but the ledger does not say so yet"));
    }
    End::Fine
}
