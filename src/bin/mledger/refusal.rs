//! What a pusher reads after a decision: who, what, which rule, and what to do next.

use mledger::hook::gate::Answer;
use mledger::name::{ActorId, Oid};
use mledger::object::intent::Name;
use mledger::policy::reason::Decision;
use mledger::policy::role::Action;
use mledger::policy::{Code, Policy, Reason};

use crate::output::{counted, cut, tame};

/// The most bytes of an answer: a client that stops reading must not hold up the server, and a pipe holds 64 KiB.
const BYTES_MAX: usize = 15 * 1024;

/// How much of a note is said: a policy may have a thousand mistakes.
const NOTE_BYTES_MAX: usize = 4 * 1024;

/// How much of a line is said, in characters: a path may have 16,000.
const LINE_CHARS_MAX: usize = 1000;

/// How many reasons a warning before the push names.
const FOREWARNED_MAX: usize = 3;

/// How much is kept free for the line that ends an answer too long.
const LAST_BYTES_MAX: usize = 80;

/// What mends one's own commits.
const RESIGN: [&str; 2] =
    ["mledger resign", "then push again; in a clone that is not set up, mledger init comes first"];

/// What to do where a forge's button or bot made the commit: its hook-less commits carry no trailer, and no key of an
/// actor.
const BY_FORGE: [&str; 2] = [
    "merge or squash in a clone instead of the forge, and push that: no one can sign for its button",
    "or make its commits yours, in your clone: mledger resign --others, then push again",
];

/// The answer as text, a line each, ending in a line end. A commit that `is_forges` nobody can sign again.
pub fn text(answer: &Answer, origin: &str, is_forges: &dyn Fn(&Oid) -> bool) -> String {
    let mut text = String::new();
    let place = answer.entry.map_or_else(|| origin.to_owned(), |entry| format!("entry {entry} of {origin}"));
    if answer.accepted {
        let word = if answer.tolerated { "let through, because the policy only observes" } else { "accepted" };
        line(&mut text, &format!("mledger: {word}, {place}"));
        if let Some(checkpoint) = &answer.checkpoint {
            line(&mut text, &format!("mledger: receipt: size {} root {}", checkpoint.size(), checkpoint.root()));
        }
    } else {
        line(&mut text, &format!("mledger: push refused, {place}"));
    }
    if let Some(note) = &answer.note {
        line(
            &mut text,
            &format!("mledger: {}", note.get(..note.floor_char_boundary(NOTE_BYTES_MAX)).unwrap_or_default()),
        );
    }
    if answer.tolerated {
        line(&mut text, "mledger: once the policy is enforced, this push will be refused:");
    }
    if let Some(decision) = answer.decision.as_ref().filter(|decision| !decision.accepted) {
        let bytes_max = BYTES_MAX.saturating_sub(text.len());
        text.push_str(&reasons_within(bytes_max, decision, answer.policy.as_deref(), is_forges));
    }
    text
}

/// Everything that stands against a push, each with the next step.
pub fn reasons(decision: &Decision, policy: Option<&Policy>, is_forges: &dyn Fn(&Oid) -> bool) -> String {
    reasons_within(BYTES_MAX, decision, policy, is_forges)
}

fn reasons_within(
    bytes_max: usize,
    decision: &Decision,
    policy: Option<&Policy>,
    is_forges: &dyn Fn(&Oid) -> bool,
) -> String {
    let (mut text, mut said) = (String::new(), Vec::new());
    for reason in decision.reasons.iter().filter(|reason| reason.code.denies()) {
        let block = block(reason, policy, is_forges, &mut said);
        if text.len() + block.len() + LAST_BYTES_MAX > bytes_max {
            line(&mut text, "\n  … and more reasons, which the ledger holds in part");
            break;
        }
        text.push_str(&block);
    }
    text
}

/// What stands against a push that is about to be made, in few lines: the answer that follows says what to try.
pub fn forewarning(decision: &Decision, policy: &Policy) -> String {
    let against: Vec<&Reason> = decision.reasons.iter().filter(|reason| reason.code.denies()).collect();
    let mut text: String = against.iter().take(FOREWARNED_MAX).map(|reason| what(reason, Some(policy))).collect();
    if let Some(more) = against.len().checked_sub(FOREWARNED_MAX).filter(|more| *more > 0) {
        line(&mut text, &format!("  … and {}", counted(more, "more reason", "more reasons")));
    }
    text
}

/// The same lines for GitLab, which shows its users only those with this mark.
pub fn for_gitlab(text: &str) -> String {
    text.lines().map(|line| format!("GL-HOOK-ERR: {line}\n")).collect()
}

fn line(text: &mut String, words: &str) {
    let shown: Vec<String> = words.split('\n').map(|line| cut(&tame(line), LINE_CHARS_MAX)).collect();
    text.push_str(&shown.join("\n"));
    text.push('\n');
}

/// One reason: a headline, and the facts in a column.
fn what(reason: &Reason, policy: Option<&Policy>) -> String {
    let mut text = String::new();
    let place = reason.refname.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    line(&mut text, &format!("  {place}{}", headline(reason)));
    for (name, value) in facts(reason, policy) {
        line(&mut text, &format!("    {name:<8}{value}"));
    }
    text
}

/// The same with the next step, unless that was `said` before.
fn block(
    reason: &Reason,
    policy: Option<&Policy>,
    is_forges: &dyn Fn(&Oid) -> bool,
    said: &mut Vec<Vec<String>>,
) -> String {
    let mut text = format!("\n{}", what(reason, policy));
    let steps = next_step(reason, policy, is_forges);
    if !said.contains(&steps) {
        for (at, step) in steps.iter().enumerate() {
            line(&mut text, &format!("    {:<8}{step}", if at == 0 { "try" } else { "" }));
        }
        said.push(steps);
    }
    text
}

fn actor(reason: &Reason) -> &str {
    reason.actor.as_ref().map_or("the pusher", |actor| actor.as_str())
}

fn headline(reason: &Reason) -> String {
    let who = actor(reason);
    let action = reason.action.map_or("do this", |action| action.as_str());
    match reason.code {
        Code::PathCollision => "two paths would be one where file names fold case or accents".to_owned(),
        Code::PusherUnknown => "nobody can tell who is pushing".to_owned(),
        Code::PusherRefused => "what names the pusher does not hold".to_owned(),
        Code::KeyUnknown => "no actor of the policy has this key".to_owned(),
        Code::KeyExpired => format!("the key of {who} has expired"),
        Code::KeyNotYetValid => format!("the key of {who} is not valid yet"),
        Code::KeyRevoked => format!("the key of {who} is revoked"),
        Code::ActorExpired => format!("{who} is no actor any more"),
        Code::LoginUnknown => "no actor of the policy has this login".to_owned(),
        Code::NotGranted => format!("{who} may not {action} this ref"),
        Code::CommitUnsigned => "a commit is not signed".to_owned(),
        Code::CommitSignatureInvalid => "a commit's signature does not count".to_owned(),
        Code::CommitNotGranted => format!("{who} may not commit here"),
        Code::LinkNotGranted => format!("{who} may not commit symbolic links or submodules here"),
        Code::ManifestMissing => "a commit has no Mledger-Manifest trailer".to_owned(),
        Code::ManifestMismatch => "a commit's Mledger-Manifest trailer names other contents than it has".to_owned(),
        Code::LogFork => "a commit's author saw another ledger under this name".to_owned(),
        Code::LogMissing => "a commit has no Mledger-Log trailer".to_owned(),
        Code::TrailerMissing => "a commit lacks trailers".to_owned(),
        Code::SignedPushMissing => "this push must be signed".to_owned(),
        Code::ApprovalsMissing => "approvals are missing".to_owned(),
        Code::FileTooLarge => "a file is too large for Git".to_owned(),
        Code::TooManyCommits => "too many commits in one push".to_owned(),
        Code::TooManyRefs => "too many refs in one push".to_owned(),
        Code::TooManyChanges => "a commit changes too many files".to_owned(),
        Code::RefForbidden => "only branches and tags may be pushed".to_owned(),
        Code::FactsIncomplete => "the server could not read all it needs to decide".to_owned(),
        Code::UpdateProblem => "this ref cannot be moved".to_owned(),
        Code::TagUnsigned => "an annotated tag is not signed".to_owned(),
        Code::TagSignatureInvalid => "the tag's signature does not count".to_owned(),
        Code::Granted | Code::RuleMet | Code::Vouched => reason.code.to_string(),
    }
}

fn facts(reason: &Reason, policy: Option<&Policy>) -> Vec<(&'static str, String)> {
    let more = if reason.more > 0 { format!(" and {} more", reason.more) } else { String::new() };
    let mut facts = Vec::new();
    if let Some(rule) = &reason.rule {
        facts.push(("rule", format!("\"{rule}\"")));
    } else if let (Code::NotGranted | Code::CommitNotGranted, Some(roles)) = (reason.code, roles(reason, policy)) {
        facts.push(("rule", format!("deny by default: no grant of {} ({roles}) covers it", actor(reason))));
    }
    match (&reason.path, &reason.commit) {
        (Some(path), commit) => {
            facts.push(("path", format!("{path}{more}")));
            facts.extend(commit.iter().map(|commit| ("commit", commit.to_string())));
        }
        (None, Some(commit)) => facts.push(("commit", format!("{commit}{more}"))),
        (None, None) => {}
    }
    facts.extend(reason.key.iter().map(|key| ("key", key.to_string())));
    facts.extend(reason.detail.iter().map(|detail| ("why", detail.clone())));
    facts
}

fn roles(reason: &Reason, policy: Option<&Policy>) -> Option<String> {
    let actor = policy?.actor(reason.actor.as_ref()?)?;
    Some(if actor.roles.is_empty() { "no role".to_owned() } else { actor.roles.join(", ") })
}

/// The people who can change the policy.
pub fn admins(policy: Option<&Policy>) -> String {
    let names: Vec<&str> =
        policy.map(|policy| policy.admin().actors.iter().map(ActorId::as_str).collect()).unwrap_or_default();
    if names.is_empty() { "an admin".to_owned() } else { names.join(", ") }
}

/// What to do about a reason: commands to type, and whom to ask.
pub fn next_step(reason: &Reason, policy: Option<&Policy>, is_forges: &dyn Fn(&Oid) -> bool) -> Vec<String> {
    let admins = admins(policy);
    let by_forge = reason.commit.as_ref().is_some_and(is_forges);
    let lines: Vec<String> = match reason.code {
        Code::PusherUnknown => {
            ["mledger init     (in your clone: it signs your pushes), then push again".to_owned()].to_vec()
        }
        Code::PusherRefused => {
            ["git push --signed=if-asked     (a new certificate names you by your key)".to_owned()].to_vec()
        }
        Code::LoginUnknown => [
            "mledger init     (in your clone: it signs your pushes, which needs no login)".to_owned(),
            format!("or ask {admins} to add this login to your `logins` in the policy"),
        ]
        .to_vec(),
        Code::KeyUnknown => [
            "mledger init     (prints the lines that enrol you)".to_owned(),
            format!("then send them to {admins}, who runs `mledger policy apply`"),
        ]
        .to_vec(),
        Code::KeyExpired | Code::KeyNotYetValid | Code::KeyRevoked | Code::ActorExpired => {
            [format!("ask {admins} for a valid key in the policy")].to_vec()
        }
        Code::NotGranted => not_granted_steps(reason, policy, &admins),
        Code::CommitNotGranted | Code::LinkNotGranted => {
            [format!("leave these paths out, or {}", ask_for_role(reason, policy, &admins))].to_vec()
        }
        Code::CommitUnsigned
        | Code::CommitSignatureInvalid
        | Code::ManifestMissing
        | Code::ManifestMismatch
        | Code::LogMissing
            if by_forge =>
        {
            BY_FORGE.map(str::to_owned).to_vec()
        }
        Code::CommitUnsigned | Code::CommitSignatureInvalid => {
            let others = format!("for commits of others, {admins} can vouch: mledger import");
            RESIGN.map(str::to_owned).into_iter().chain([others]).collect()
        }
        Code::ManifestMissing | Code::ManifestMismatch | Code::LogMissing => RESIGN.map(str::to_owned).to_vec(),
        Code::LogFork => [
            format!("tell {admins} before anything else: somebody was shown a different ledger"),
            "mledger verify     (shows what your clone holds)".to_owned(),
        ]
        .to_vec(),
        Code::TrailerMissing => {
            let older = reword(reason).into_iter().map(|line| format!("for an older commit: {line}"));
            add_trailers(reason).into_iter().chain(older).collect()
        }
        Code::SignedPushMissing => ["git push --signed=if-asked     (or mledger init, once)".to_owned()].to_vec(),
        Code::FileTooLarge => {
            let path = reason.path.as_ref().map_or_else(|| "PATH".to_owned(), ToString::to_string);
            [format!("git lfs migrate import --include='{path}'     (then push again)")].to_vec()
        }
        Code::TagUnsigned | Code::TagSignatureInvalid => {
            let name = reason.refname.as_ref().map_or("NAME", |name| name.short());
            [format!("git tag -s -f {name} {name}^{{}}     (then push it again)")].to_vec()
        }
        Code::TooManyCommits | Code::TooManyRefs => ["push them in smaller parts".to_owned()].to_vec(),
        Code::PathCollision => {
            let path = reason.path.as_ref().map_or_else(|| "PATH".to_owned(), ToString::to_string);
            [
                "give one of the two another name, in the commit that adds it:".to_owned(),
                format!("git mv '{path}' NAME && git commit --amend --no-edit -S"),
            ]
            .to_vec()
        }
        Code::RefForbidden => ["git push origin HEAD:refs/heads/BRANCH".to_owned()].to_vec(),
        _ => Vec::new(),
    };
    lines
}

/// The newest commit lacks trailers.
pub fn add_trailers(reason: &Reason) -> Vec<String> {
    // A detail that was cut ends within a name.
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    let names = reason.detail.as_deref().unwrap_or_default().split(", ").filter(is_name);
    let options: String = names.map(|name| format!(" --trailer '{name}: {}'", trailer_form(name))).collect();
    vec![format!("git commit --amend --no-edit{options}     (fill in KIND and the like)")]
}

/// An older commit lacks trailers.
pub fn reword(reason: &Reason) -> Vec<String> {
    let Some(commit) = &reason.commit else { return Vec::new() };
    vec![format!("git rebase -i {}~1     (write `reword` before it, and add the trailers)", commit.short())]
}

/// What stands for a trailer's value that is to be filled in.
pub fn trailer_form(trailer: &str) -> &'static str {
    match Name::of(trailer) {
        Some(Name::ChangeKind) => "KIND",
        Some(name) if !name.form().is_empty() => name.form(),
        _ => "…",
    }
}

/// A refused move: to whom else one can turn, and where one may push instead.
fn not_granted_steps(reason: &Reason, policy: Option<&Policy>, admins: &str) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(branch) = policy.and_then(|policy| own_branch(reason, policy)) {
        steps.push(format!("git push origin HEAD:refs/heads/{branch}"));
    }
    let who = policy.map(|policy| able(reason, policy)).unwrap_or_default();
    steps.push(if who.is_empty() {
        ask_for_role(reason, policy, admins)
    } else {
        format!("ask {} to push it for you", who.join(" or "))
    });
    steps
}

/// Admins need not ask: they change the policy.
fn ask_for_role(reason: &Reason, policy: Option<&Policy>, admins: &str) -> String {
    let is_admin = |actor: &ActorId| policy.is_some_and(|policy| policy.admin().actors.contains(actor));
    if reason.actor.as_ref().is_some_and(is_admin) {
        "grant it in the policy, if it should be: mledger policy show > policy.toml".to_owned()
    } else {
        format!("ask {admins} for a role that grants it")
    }
}

/// Somewhere this actor may push a new branch: the first granted pattern, with a name in place of its wildcard.
fn own_branch(reason: &Reason, policy: &Policy) -> Option<String> {
    let actor = policy.actor(reason.actor.as_ref()?)?;
    let create = Action::Create;
    let is_branch = reason.refname.as_ref().is_some_and(|name| name.as_str().starts_with("refs/heads/"));
    if !is_branch || reason.action == Some(Action::Delete) {
        return None;
    }
    policy
        .grants_of(actor)
        .into_iter()
        .filter(|held| held.grant.actions.contains(&create))
        .filter_map(|held| held.grant.refs.globs())
        .flatten()
        .find_map(|glob| {
            glob.as_str().strip_prefix("refs/heads/")?.strip_suffix("/**").map(|folder| format!("{folder}/my-change"))
        })
}

/// Who may make this very move, at most three.
fn able(reason: &Reason, policy: &Policy) -> Vec<String> {
    let (Some(action), Some(refname)) = (reason.action, &reason.refname) else { return Vec::new() };
    let may = |actor: &&mledger::policy::actor::Actor| {
        policy.grants_of(actor).iter().any(|held| {
            let path = reason.path.as_ref().is_none_or(|path| held.grant.paths.grants(path));
            held.grant.actions.contains(&action) && held.grant.refs.grants(refname) && path
        })
    };
    policy.actors().filter(may).map(|actor| actor.id.to_string()).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mledger::name::{RefName, RepoPath};
    use mledger::policy::Decision;

    #[test]
    fn an_answer_is_short_and_harmless_whatever_it_is_about() {
        let path = RepoPath::from_bytes(&b"\x1b[2J\xff".repeat(800)).unwrap();
        let reason = |number: usize| Reason {
            path: Some(path.clone()),
            refname: Some(RefName::parse(&format!("refs/heads/\u{202e}{number}")).unwrap()),
            rule: Some(format!("rule \u{9b}{number}")),
            ..Reason::new(Code::FileTooLarge)
        };
        let answer = Answer {
            accepted: false,
            tolerated: false,
            decision: Some(Decision {
                accepted: false,
                pusher: None,
                reasons: (0..64).map(reason).collect(),
                signers: std::collections::BTreeMap::new(),
                vouchers: std::collections::BTreeMap::new(),
            }),
            entry: Some(7),
            checkpoint: None,
            policy: None,
            note: Some("a mistake\u{7}; ".repeat(100_000)),
        };
        let said = text(&answer, "git.bank.example/models", &|_| false);
        assert!(said.len() <= BYTES_MAX, "{}", said.len());
        assert!(
            said.contains("a mistake\u{fffd}") && said.contains("rule \u{fffd}0") && said.contains("and more reasons")
        );
        let wild = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!said.contains(wild), "{said}");
    }
}
