//! What a change is for, as its author signs it: plain trailers of Git, of these names and forms.
//!
//! ```text
//! Change-Kind: retrain                          one of KINDS, once
//! Ticket: RISK-12                               any text on one line
//! Training-Run: https://runs.bank.example/81    any text on one line
//! Dataset: credit-q3@sha256:<64 hex>            a name and a digest; each name once
//! Base-Model: org/base@sha256:<64 hex>          the same
//! Metric: auc=0.91                              a name and a finite number; each name once
//! ```
//!
//! The forms are for those who write; the gate asks only whether a trailer that a rule demands is there.

mod place;

use std::fmt;

use super::message::trailers;
use crate::digest::Digest;
use crate::name::nearest::nearest;

pub use place::{is_only_intent, place, place_template};

/// The kinds of change.
pub const KINDS: [&str; 12] = [
    "train", "retrain", "finetune", "quantize", "config", "prompt", "data", "card", "deploy", "rollback", "fix",
    "other",
];

/// A trailer that says what a change is for. Invariant: its value has the form of its name, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    name: Name,
    value: String,
}

/// The names of such trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// What was done.
    ChangeKind,
    /// Why, in another system.
    Ticket,
    /// Where it was trained.
    TrainingRun,
    /// What it was trained with.
    Dataset,
    /// What it was made of.
    BaseModel,
    /// How good it is.
    Metric,
}

/// Why a value is not one of its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntentError {
    /// A kind that does not exist.
    #[error("`{kind}` is no kind of change{}; the kinds are {}", meant(near.as_deref()), KINDS.join(", "))]
    Kind {
        /// What was written.
        kind: String,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// Nothing.
    #[error("there is no value")]
    Empty,
    /// Longer than [`Intent::VALUE_BYTES_MAX`].
    #[error("it has {0} bytes, more than the {max} allowed", max = Intent::VALUE_BYTES_MAX)]
    TooLong(usize),
    /// A character that no line shows.
    #[error("it holds a line's end or another control character")]
    Control,
    /// No digest behind a name.
    #[error("`{0}` is not NAME@sha256:<64 hex>")]
    Content(String),
    /// A digest of another length or form.
    #[error("the digest behind `{name}@` has {digits} hexadecimal digits behind `sha256:`; it takes 64, in lower case")]
    Digest {
        /// The name before it.
        name: String,
        /// How many stand there.
        digits: usize,
    },
    /// A name that would have to be quoted.
    #[error("`{0}` is not a name: it takes letters, digits and . _ - + / : % #, and no blanks or quotes")]
    Label(String),
    /// No number behind a name.
    #[error("`{0}` is not NAME=NUMBER, such as auc=0.91")]
    Metric(String),
    /// Not finite, or no number.
    #[error("`{0}` is not a finite number, such as 0.91 or 1e-4")]
    Number(String),
    /// Two of a kind that contradict each other.
    #[error("{0} stands twice, and only one can be true")]
    Twice(String),
}

/// A trailer of a message that is none of its name's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The trailer as it stands.
    pub line: String,
    /// What is wrong.
    pub error: IntentError,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ChangeKind, Self::Ticket, Self::TrainingRun, Self::Dataset, Self::BaseModel, Self::Metric];

    /// The trailer's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChangeKind => "Change-Kind",
            Self::Ticket => "Ticket",
            Self::TrainingRun => "Training-Run",
            Self::Dataset => "Dataset",
            Self::BaseModel => "Base-Model",
            Self::Metric => "Metric",
        }
    }

    /// The name in a trailer; Git ignores case.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str().eq_ignore_ascii_case(text))
    }

    /// What a value looks like, for people who have to write one.
    pub fn form(self) -> &'static str {
        match self {
            Self::ChangeKind | Self::Ticket | Self::TrainingRun => "",
            Self::Dataset | Self::BaseModel => "NAME@sha256:<64 hex>",
            Self::Metric => "NAME=NUMBER",
        }
    }
}

impl Intent {
    /// The longest value, in bytes: an address with room to spare, and a line that people still read.
    pub const VALUE_BYTES_MAX: usize = 500;

    /// Takes a value of that name.
    pub fn parse(name: Name, value: &str) -> Result<Self, IntentError> {
        let value = value.trim();
        if value.is_empty() {
            return Err(IntentError::Empty);
        }
        if value.len() > Self::VALUE_BYTES_MAX {
            return Err(IntentError::TooLong(value.len()));
        }
        if value.chars().any(char::is_control) {
            return Err(IntentError::Control);
        }
        match name {
            Name::ChangeKind => check_kind(value)?,
            Name::Ticket | Name::TrainingRun => {}
            Name::Dataset | Name::BaseModel => check_content(value)?,
            Name::Metric => check_metric(value)?,
        }
        Ok(Self { name, value: value.to_owned() })
    }

    /// Reads one from a line like `Ticket: RISK-12`; none where it is another trailer, or of another form.
    pub fn parse_line(line: &str) -> Option<Self> {
        let (name, value) = line.split_once(':')?;
        Self::parse(Name::of(name.trim_end())?, value).ok()
    }

    /// A dataset or base model of this content.
    pub fn content(name: Name, label: &str, digest: &Digest) -> Result<Self, IntentError> {
        check_label(label)?;
        Self::parse(name, &format!("{label}@{digest}"))
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.name
    }

    /// Whether one takes the other's place when it is given anew: of a name with labels, that of the same label.
    pub fn supersedes(&self, other: &Self) -> bool {
        self.name == other.name && self.label() == other.label()
    }

    /// Whether both cannot be true.
    fn contradicts(&self, other: &Self) -> bool {
        let many = matches!(self.name, Name::Ticket | Name::TrainingRun);
        !many && self.supersedes(other)
    }

    fn label(&self) -> Option<&str> {
        match self.name {
            Name::Dataset | Name::BaseModel => self.value.rsplit_once('@').map(|(label, _)| label),
            Name::Metric => self.value.split_once('=').map(|(label, _)| label),
            _ => None,
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.as_str(), self.value)
    }
}

/// What is wrong with the trailers of a message whose comments are gone.
pub fn flaws(message: &str) -> Vec<Flaw> {
    let mut seen: Vec<Intent> = Vec::new();
    let mut flaws = Vec::new();
    for (name, value) in trailers(message) {
        let Some(known) = Name::of(&name) else { continue };
        let line = format!("{name}: {value}").chars().take(200).collect();
        match Intent::parse(known, &value).and_then(|intent| check_alone(&seen, intent)) {
            Ok(intent) => seen.push(intent),
            // Where a rule demands it, it counts as missing; elsewhere nobody is hurt.
            Err(IntentError::Empty) => {}
            Err(error) => flaws.push(Flaw { line, error }),
        }
    }
    flaws
}

/// Takes one more intent, unless it contradicts those before it.
pub fn check_alone(before: &[Intent], more: Intent) -> Result<Intent, IntentError> {
    if !before.iter().any(|seen| more.contradicts(seen)) {
        return Ok(more);
    }
    let name = more.name.as_str();
    Err(IntentError::Twice(more.label().map_or_else(|| format!("`{name}`"), |label| format!("`{name}` of `{label}`"))))
}

/// The trailers that are wanted and that a message, whose comments are gone, does not carry with a value, as the gate
/// reads it.
pub fn missing<'a>(message: &str, wanted: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let carried = trailers(message);
    let is_carried =
        |wanted: &str| carried.iter().any(|(name, value)| !value.is_empty() && name.eq_ignore_ascii_case(wanted));
    let mut missing: Vec<&str> = Vec::new();
    for name in wanted {
        if !is_carried(name) && !missing.iter().any(|seen| seen.eq_ignore_ascii_case(name)) {
            missing.push(name);
        }
    }
    missing
}

fn check_kind(kind: &str) -> Result<(), IntentError> {
    if KINDS.contains(&kind) {
        return Ok(());
    }
    let near = nearest(&kind.to_lowercase(), KINDS);
    Err(IntentError::Kind { kind: shortened(kind), near })
}

fn check_content(value: &str) -> Result<(), IntentError> {
    let (label, digest) = value.rsplit_once('@').ok_or_else(|| IntentError::Content(shortened(value)))?;
    let hex = digest.strip_prefix("sha256:").ok_or_else(|| IntentError::Content(shortened(value)))?;
    check_label(label)?;
    let digits = hex.chars().take_while(char::is_ascii_hexdigit).count();
    Digest::parse(digest).map(|_| ()).map_err(|_| IntentError::Digest { name: shortened(label), digits })
}

fn check_metric(value: &str) -> Result<(), IntentError> {
    let (label, number) = value.split_once('=').ok_or_else(|| IntentError::Metric(shortened(value)))?;
    check_label(label)?;
    // Rust also reads `inf` and `nan`.
    let written = number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let finite = number.parse().is_ok_and(f64::is_finite);
    if written && finite { Ok(()) } else { Err(IntentError::Number(shortened(number))) }
}

fn check_label(label: &str) -> Result<(), IntentError> {
    let fits = |char: char| char.is_alphanumeric() || "._-+/:%#".contains(char);
    if !label.is_empty() && label.chars().all(fits) { Ok(()) } else { Err(IntentError::Label(shortened(label))) }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
