//! Asking the index for questions, with something to look at while it is filled.

use mledger::ledger::read::Log;
use mledger::query::{self, Question, Selection};

use crate::context::{Context, Source};

/// The entries that a question may mean.
pub fn ask(context: &Context, source: &Source, log: &Log<'_>, question: Question<'_>) -> Selection {
    let mut bar = None;
    let answer = query::ask(&source.file(query::FILE), log, question, &mut |done| {
        let bar = bar.get_or_insert_with(|| context.output.progress(log.size(), "indexing"));
        bar.set_position(done);
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if let Some(trouble) = answer.trouble {
        let why = crate::error::Failure::from(trouble).words().join(": ");
        context.output.say(format_args!("note: without an index to ask, entries are read one by one: {why}"));
    }
    answer.selection
}
