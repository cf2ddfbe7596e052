//! `mledger hook NAME`: what the shims in a repository's hooks folder call.

mod intent;
mod key_watch;

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use mledger::git::repository::verify_hashes_on_read;
use mledger::git::{Kind, Repository};
use mledger::hook::check::Checked;
use mledger::hook::clone_setup::Options;
use mledger::hook::forecast::{self, Forecast, Weather};
use mledger::hook::install::Earlier;
use mledger::hook::new_clone::{self, NewClone};
use mledger::hook::post_commit::{Feedback, News};
use mledger::hook::pre_push::Outlook;
use mledger::hook::prepare_commit_msg::repository;
use mledger::hook::pusher::{Environment, LoginSource};
use mledger::hook::{
    commit_msg, forge, install, post_applypatch, post_commit, post_merge, post_receive, post_rewrite, pre_push,
    pre_receive, prepare_commit_msg,
};
use mledger::ledger::follow::Followed;
use mledger::name::Oid;
use mledger::policy::facts::{ManifestTrailer, Signature};

use super::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{counted, first_line, tame};
use crate::refusal;

/// The longest input of a hook, in bytes: a push of 100,000 refs.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// What mends commits in which something is amiss.
const MEND: &str = "mledger resign";

/// The hooks that Git tells something on their standard input.
const WITH_INPUT: [&str; 4] = ["pre-push", "post-rewrite", "pre-receive", "post-receive"];

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

/// Runs the hook that was there before, and then ours. Whatever goes wrong in the gate denies, and is said plainly: a
/// pusher sees nothing else of the server.
pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let done = both(context, args);
    if args.name != "pre-receive" {
        return done;
    }
    let denied = |error: Failure| error.of("mledger: push refused: the gate could not decide, so nothing was moved");
    match done.map_err(denied) {
        Err(failure) if std::env::current_dir().is_ok_and(|dir| is_behind_gitlab(&dir)) => {
            context.output.say(refusal::for_gitlab(&failure.to_string()).trim_end());
            Ok(End::Wrong)
        }
        done => done,
    }
}

fn both(context: &Context, args: &Args) -> Result<End, Failure> {
    let dir =
        std::env::current_dir().map_err(|error| Failure::from(error).of("could not find the folder of the hook"))?;
    let name = args.name.as_str();
    let input = if WITH_INPUT.contains(&name) { read_input()? } else { Vec::new() };
    let repository = repository(&dir)?;
    match earlier(&dir, &repository, args)?.run(&args.arguments, &input)? {
        0 => ours(context, &dir, repository, args, &input),
        // It has said why itself.
        _ => Ok(End::Wrong),
    }
}

fn earlier(dir: &Path, repository: &Repository, args: &Args) -> Result<Earlier, Failure> {
    let name = args.name.as_str();
    if install::SERVER.contains(&name) {
        return Ok(Earlier::beside(&install::folder(repository)?, name));
    }
    let earlier = if args.hooks_path {
        Earlier::elsewhere(dir, repository.git_dir(), name)?
    } else {
        Earlier::beside(&repository.git_dir().join("hooks"), name)
    };
    Ok(earlier.with_git_lfs(repository, name)?)
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut input)?;
    if input.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::new(format!("the hook's input is longer than the {INPUT_BYTES_MAX} bytes allowed")));
    }
    Ok(input)
}

fn ours(context: &Context, dir: &Path, repository: Repository, args: &Args, input: &[u8]) -> Result<End, Failure> {
    // Git itself computed the names of these objects a moment ago, in a clone as it wrote them and on a server as it
    // received them, and the ledger has hashes of its own: SHA-1 once more would help nobody.
    verify_hashes_on_read(false);
    match args.name.as_str() {
        "prepare-commit-msg" => {
            forgive(context, prepare_commit_msg::run(dir, &file(args)?, &word(args, 1)));
            let end = intent::prepare(context, dir, &file(args)?, args.arguments.get(1));
            key_watch::warn(context, dir);
            Ok(end)
        }
        "commit-msg" => match forgive(context, commit_msg::run(dir, &file(args)?)) {
            End::Fine => Ok(intent::check(context, dir, &file(args)?)),
            end => Ok(end),
        },
        "post-commit" => Ok(tell(context, post_commit::run(dir))),
        "post-applypatch" => Ok(tell(context, post_applypatch::run(dir).map(one))),
        "post-merge" => Ok(tell(context, post_merge::run(dir, word(args, 0) == "1").map(one))),
        "post-rewrite" => Ok(tell(context, post_rewrite::run(dir, &word(args, 0), input))),
        "pre-push" => pre_push(context, dir, args, input),
        install::NEW_CLONE => new_clone(context, dir),
        "pre-receive" => pre_receive(context, dir, repository, input),
        "post-receive" => Ok(post_receive(context, repository)),
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

/// An argument; empty where Git gave none.
fn word(args: &Args, index: usize) -> String {
    args.arguments.get(index).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
}

fn one(feedback: Option<Feedback>) -> Option<News> {
    feedback.map(News::One)
}

/// Says what is amiss; of a single commit also that all is well.
fn tell<E: std::error::Error + 'static>(context: &Context, result: Result<Option<News>, E>) -> End {
    match result {
        Ok(Some(News::One(feedback))) if !(feedback.rebasing && feedback.is_good()) => {
            context.output.say(line(&feedback));
        }
        Ok(Some(News::Many { amiss, commits })) if amiss > 0 => context.output.say(format_args!(
            "mledger: {amiss} of {} not signed, or bound to other contents; mend with `{MEND}`",
            counted(commits, "commit is", "commits are")
        )),
        Ok(_) => {}
        Err(error) => context.output.fail(&Failure::from(error).of("what was made could not be checked")),
    }
    End::Fine
}

fn line(feedback: &Feedback) -> String {
    let commit = feedback.commit.short();
    let wrong = match (&feedback.signature, feedback.manifest) {
        (Signature::Valid { key }, ManifestTrailer::Matches) => return format!("mledger: {commit} signed by {key}"),
        (Signature::Missing, _) => "is not signed".to_owned(),
        (Signature::Invalid { why }, _) => format!("has a signature that does not count: {why}"),
        (Signature::Valid { .. }, ManifestTrailer::Missing) => "is signed, and binds no content".to_owned(),
        (Signature::Valid { .. }, ManifestTrailer::Mismatch) => "is signed for another content".to_owned(),
    };
    // While Git has more to do, nothing else may move the branch.
    let when = if feedback.rebasing { ", once Git is through" } else { "" };
    format!("mledger: {commit} {wrong}; mend it with `{MEND}`{when}")
}

fn pre_push(context: &Context, dir: &Path, args: &Args, input: &[u8]) -> Result<End, Failure> {
    let [remote, url, ..] = args.arguments.as_slice() else {
        return Err(Failure::usage("`pre-push` needs a remote and its address"));
    };
    let contradicted =
        |error| Failure::from(error).of("nothing was pushed: the ledger is not what this clone saw of it");
    let outlook = pre_push::run(dir, &remote.to_string_lossy(), &url.to_string_lossy(), input);
    match outlook.map_err(contradicted)? {
        Outlook::NotFollowed => {}
        Outlook::Extends(followed, weather) => {
            if followed.vkey_on_trust {
                context.output.say(format_args!(
                    "mledger: the ledger {} is followed from now on; compare its key with your administrator's:\n  {}",
                    followed.new.origin(),
                    followed.vkey
                ));
            }
            forewarn(context, &weather);
        }
        Outlook::Unseen(error) => {
            let why = first_line(&error.to_string());
            context.output.say(format_args!("mledger: the ledger was not looked at: {why}"));
        }
    }
    Ok(End::Fine)
}

/// Says what the gate will say. Its own answer comes right after, so this is shorter, and says nothing where all is well.
fn forewarn(context: &Context, weather: &Weather) {
    for odd in &weather.elsewhere {
        let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
        context.output.say(format_args!(
            "mledger: {} stands at {} on the server, and the ledger put it at {}",
            tame(odd.refname.as_str()),
            at(odd.server),
            at(odd.ledger)
        ));
    }
    match &weather.forecast {
        Forecast::Quiet => {}
        Forecast::Against(checked) => context.output.say(warning(checked).trim_end()),
        Forecast::Late => context.output.say(format_args!(
            "mledger: the gate's answer is not foretold: that takes more than {} seconds",
            forecast::TIME_MAX.as_secs()
        )),
        Forecast::Unknown(why) => {
            context.output.say(format_args!("mledger: the gate's answer is not foretold: {}", first_line(why)));
        }
    }
}

fn warning(checked: &Checked) -> String {
    let reasons = refusal::forewarning(&checked.decision, &checked.policy);
    if checked.tolerated {
        return format!("mledger: once the policy is enforced, the gate will refuse this push:\n{reasons}");
    }
    format!("mledger: the gate will refuse this push (Ctrl-C stops it):\n{reasons}")
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

/// The gate.
fn pre_receive(context: &Context, dir: &Path, main: Repository, input: &[u8]) -> Result<End, Failure> {
    let answer = pre_receive::pre_receive(main, input, &Environment::read())?;
    let origin = answer.checkpoint.as_ref().map(|checkpoint| checkpoint.origin().to_string()).unwrap_or_default();
    let is_forges = |commit: &Oid| {
        let raw = Repository::open_from_env().and_then(|pushed| pushed.read(commit, Kind::Commit));
        raw.is_ok_and(|raw| forge::is_forges(&raw))
    };
    let mut text = refusal::text(&answer, &origin, &is_forges);
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
fn post_receive(context: &Context, main: Repository) -> End {
    if let Err(error) = post_receive::post_receive(main) {
        context.output.fail(&Failure::from(error).of("the push landed, but the ledger does not say so yet"));
    }
    End::Fine
}
