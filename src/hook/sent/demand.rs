//! What a verified ledger must show of the pushes that were made here.

use super::{Note, Receipt, Sent};
use crate::digest::leaf_hash;
use crate::entry::leaf::Leaf;
use crate::ledger::place::Place;
use crate::ledger::read::{Log, ReadError};
use crate::ledger::verify::Problem;
use crate::name::Oid;

/// What of it the ledger does not show.
pub fn problems(log: &Log<'_>, sent: &Sent, place: &Place) -> Vec<Problem> {
    let receipts = sent.receipts.iter().filter_map(|receipt| broken(log, receipt));
    let notes = sent.notes.iter().flat_map(|note| unshown(log, note));
    let file = place.file(super::FILE);
    let unreadable = sent.unreadable.iter().map(|line| {
        let line: String = line.chars().take(80).collect();
        let message = format!("`{}` holds a line that nobody wrote there by a push: `{line}`", file.display());
        Problem::whole("receipt", message)
    });
    receipts.chain(notes).chain(unreadable).collect()
}

fn broken(log: &Log<'_>, receipt: &Receipt) -> Option<Problem> {
    let (index, refname) = (receipt.index, &receipt.refname);
    let accepted = format!("it accepted {refname} at {}, by a receipt kept here", at(receipt.new));
    let why = match log.leaf_bytes(index) {
        Ok(bytes) if leaf_hash(&bytes) != receipt.hash => format!("{accepted}, and is another entry now"),
        Ok(bytes) if !accepts(log, &bytes, receipt) => format!("{accepted}, and says something else"),
        Ok(_) => return None,
        Err(ReadError::NoEntry { size, .. }) => format!("{accepted}, and the ledger has {size} entries now"),
        Err(error) => format!("{accepted}, and cannot be read: {error}"),
    };
    Some(Problem { code: "receipt", index: Some(index), message: why, refname: Some(refname.to_string()) })
}

fn accepts(log: &Log<'_>, bytes: &[u8], receipt: &Receipt) -> bool {
    let Ok(Leaf::Push(push)) = Leaf::parse(bytes) else { return false };
    let Ok(push) = push.whole::<ReadError>(|name| log.blob(name)) else { return false };
    let is = |update: &crate::entry::leaf::Update| update.refname == receipt.refname && update.new == receipt.new;
    push.decision.lets_through() && push.updates.iter().any(is)
}

/// A push that the server took, and the ledger hides; or one noted when the ledger was longer than it is.
fn unshown(log: &Log<'_>, note: &Note) -> Vec<Problem> {
    let mut problems = Vec::new();
    if note.size > log.size() {
        let (had, has) = (note.size, log.size());
        let message = format!("the ledger has {has} entries, and had {had} when a push was made here at {}", note.time);
        problems.push(Problem::whole("rollback", message));
    }
    let hidden = note.updates.iter().filter(|update| update.taken).map(|update| Problem {
        code: "unrecorded",
        index: None,
        message: format!(
            "the server took a push of {} to it, made here at {}, and no entry says so",
            at(update.new),
            note.time
        ),
        refname: Some(update.refname.to_string()),
    });
    problems.extend(hidden);
    problems
}

fn at(tip: Option<Oid>) -> String {
    tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short())
}
