//! TOML values with their places. A value of the wrong kind is noted, and reading goes on.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Policy, PolicyError};
use crate::clock::Timestamp;
use crate::name::nearest::nearest;
use crate::policy::glob::Glob;

/// A value and the byte at which it begins.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub at: usize,
    pub value: T,
}

/// One table of the document.
pub(super) struct Table<'t> {
    pub at: usize,
    entries: &'t DeTable<'t>,
    /// What it is, for messages: ``role `engineer` ``.
    what: String,
}

/// Notes what is wrong, and where.
#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<(usize, String)>,
}

impl<'t> Table<'t> {
    pub fn document(entries: &'t DeTable<'t>) -> Self {
        Self::part(entries, 0, "the policy")
    }

    pub fn part(entries: &'t DeTable<'t>, at: usize, what: impl Into<String>) -> Self {
        Self { at, entries, what: what.into() }
    }

    pub fn what(&self) -> &str {
        &self.what
    }

    pub fn has(&self, field: &str) -> bool {
        self.entries.contains_key(field)
    }

    /// Whether a list is left out or empty.
    pub fn lacks(&self, field: &str) -> bool {
        self.entries.get(field).is_none_or(|value| matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()))
    }

    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.entries.keys().map(|key| key.get_ref().as_ref())
    }

    /// Where a field's value begins, or else the table.
    pub fn place(&self, field: &str) -> usize {
        self.entries.get(field).map_or(self.at, |value| value.span().start)
    }

    /// Keys and values in the order of the text.
    pub fn in_order(&self) -> Vec<(At<&'t str>, &'t Spanned<DeValue<'t>>)> {
        let at = |key: &'t Spanned<_>| key.span().start;
        let mut entries: Vec<_> =
            self.entries.iter().map(|(key, value)| (At { at: at(key), value: key_text(key) }, value)).collect();
        entries.sort_by_key(|(key, _)| key.at);
        entries
    }
}

fn key_text<'t>(key: &'t Spanned<std::borrow::Cow<'t, str>>) -> &'t str {
    key.get_ref()
}

impl Reader {
    pub fn refuse(&mut self, at: usize, message: impl Into<String>) {
        self.problems.push((at, message.into()));
    }

    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// What was noted, in the order of the text.
    pub fn errors(mut self, text: &str) -> Vec<PolicyError> {
        self.problems.sort();
        self.problems.dedup();
        self.problems.truncate(Policy::ERRORS_MAX);
        self.problems.into_iter().map(|(at, message)| located(text, at, message)).collect()
    }

    /// Refuses a name that is not defined.
    pub fn unknown<'n>(&mut self, what: &str, wrong: At<&str>, names: impl IntoIterator<Item = &'n str> + Clone) {
        // Nobody sees more hints than errors; looking for more only costs time.
        let few = self.problems.len() < Policy::ERRORS_MAX;
        let hint = match nearest(wrong.value, names.clone()).filter(|_| few) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => listed(what, names),
        };
        self.refuse(wrong.at, format!("unknown {what} `{}`{hint}", shortened(wrong.value)));
    }

    /// Refuses fields beyond these.
    pub fn known(&mut self, table: &Table<'_>, fields: &[&str]) {
        for (key, _) in table.in_order() {
            if !fields.contains(&key.value) {
                let hint = match nearest(key.value, fields.iter().copied()) {
                    Some(name) => format!("; did you mean `{name}`?"),
                    None => format!("; the fields are {}", fields.join(", ")),
                };
                self.refuse(key.at, format!("unknown field `{}` in {}{hint}", shortened(key.value), table.what));
            }
        }
    }

    pub fn table<'t>(&mut self, table: &Table<'t>, field: &str) -> Option<Table<'t>> {
        let value = table.entries.get(field)?;
        self.table_of(value, &format!("`{field}`"))
    }

    pub fn table_of<'t>(&mut self, value: &'t Spanned<DeValue<'t>>, what: &str) -> Option<Table<'t>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table::part(entries, value.span().start, what)),
            other => self.mismatch(value, what, "a table", other),
        }
    }

    pub fn array<'t>(&mut self, table: &Table<'t>, field: &str) -> Vec<&'t Spanned<DeValue<'t>>> {
        let Some(value) = table.entries.get(field) else { return vec![] };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            other => self.mismatch(value, &format!("`{field}`"), "a list", other).unwrap_or_default(),
        }
    }

    pub fn text<'t>(&mut self, table: &Table<'t>, field: &str) -> Option<At<&'t str>> {
        let value = table.entries.get(field)?;
        self.text_of(value, &format!("`{field}`"))
    }

    pub fn text_of<'t>(&mut self, value: &'t Spanned<DeValue<'t>>, what: &str) -> Option<At<&'t str>> {
        match value.get_ref() {
            DeValue::String(text) => Some(At { at: value.span().start, value: text.as_ref() }),
            other => self.mismatch(value, what, "text", other),
        }
    }

    /// A list of texts; none where the field is left out.
    pub fn texts<'t>(&mut self, table: &Table<'t>, field: &str) -> Option<Vec<At<&'t str>>> {
        let items = self.array(table, field);
        let texts =
            items.into_iter().filter_map(|item| self.text_of(item, &format!("an entry of `{field}`"))).collect();
        table.has(field).then_some(texts)
    }

    /// A text for people: 1 to 200 bytes without control characters. Characters beyond U+FFFF are refused, since the
    /// order of JSON keys would depend on their encoding.
    pub fn label(&mut self, table: &Table<'_>, field: &str) -> Option<String> {
        let text = self.text(table, field)?;
        let plain = text.value.chars().all(|each| !each.is_control() && u32::from(each) <= 0xffff);
        if !plain || !(1..=200).contains(&text.value.len()) {
            self.refuse(text.at, format!("`{field}` is not 1 to 200 bytes of plain text"));
            return None;
        }
        Some(text.value.to_owned())
    }

    pub fn flag(&mut self, table: &Table<'_>, field: &str) -> Option<bool> {
        let value = table.entries.get(field)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => self.mismatch(value, &format!("`{field}`"), "true or false", other),
        }
    }

    pub fn count(&mut self, table: &Table<'_>, field: &str, range: RangeInclusive<u64>) -> Option<At<u64>> {
        let value = table.entries.get(field)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.mismatch(value, &format!("`{field}`"), "a whole number", value.get_ref());
        };
        let at = value.span().start;
        let count = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let count = count.filter(|count| range.contains(count)).map(|value| At { at, value });
        if count.is_none() {
            self.refuse(at, format!("`{field}` is not a whole number from {} to {}", range.start(), range.end()));
        }
        count
    }

    /// A date (its first moment) or a date and time, UTC.
    pub fn moment(&mut self, table: &Table<'_>, field: &str) -> Option<At<Timestamp>> {
        let value = table.entries.get(field)?;
        let DeValue::Datetime(moment) = value.get_ref() else {
            return self.mismatch(
                value,
                &format!("`{field}`"),
                "a date like 2026-01-31, without quotes",
                value.get_ref(),
            );
        };
        let at = value.span().start;
        let Some(value) = timestamp(moment) else {
            let message = format!("`{field}` is not a date like 2026-01-31 or a UTC time like 2026-01-31T09:30:00Z");
            self.refuse(at, message);
            return None;
        };
        Some(At { at, value })
    }

    /// A list of patterns; none where the field is left out.
    pub fn globs(&mut self, table: &Table<'_>, field: &str) -> Option<Vec<At<Glob>>> {
        let texts = self.texts(table, field)?;
        if table.lacks(field) {
            self.refuse(table.place(field), format!("`{field}` is empty and matches nothing; leave it out for all"));
        }
        let mut globs = vec![];
        for text in texts {
            match Glob::parse(text.value) {
                Ok(value) => globs.push(At { at: text.at, value }),
                Err(error) => self.refuse(text.at, format!("bad pattern in `{field}`: {error}")),
            }
        }
        Some(globs)
    }

    fn mismatch<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        what: &str,
        expected: &str,
        found: &DeValue<'_>,
    ) -> Option<T> {
        let found = match found.type_str() {
            "string" => "text",
            "array" => "a list",
            "table" => "a table",
            "boolean" => "true or false",
            "datetime" => "a date",
            "integer" => "a whole number",
            _ => "a number",
        };
        self.refuse(value.span().start, format!("{what} is {found}; expected {expected}"));
        None
    }
}

/// Names for a message, if they are few enough to be read.
fn listed<'n>(what: &str, names: impl IntoIterator<Item = &'n str> + Clone) -> String {
    const NAMES_MAX: usize = 10;
    let some: Vec<_> = names.clone().into_iter().take(NAMES_MAX + 1).collect();
    match some.len() {
        0 => format!("; no {what} is defined"),
        1..=NAMES_MAX => format!("; the {what}s are {}", some.join(", ")),
        _ => format!("; {} {what}s are defined", names.into_iter().count()),
    }
}

/// Enough of a text to recognise it, without line breaks and colours.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}

fn timestamp(moment: &toml::value::Datetime) -> Option<Timestamp> {
    let date = moment.date?;
    let (hour, minute, second, nanosecond) = match (moment.time, moment.offset) {
        (None, None) => (0, 0, 0, 0),
        (Some(time), Some(offset)) if is_utc(offset) => {
            (time.hour, time.minute, time.second.unwrap_or_default(), time.nanosecond.unwrap_or_default())
        }
        _ => return None,
    };
    let (year, month, day, millis) = (date.year, date.month, date.day, nanosecond / 1_000_000);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    Timestamp::parse(&text).ok()
}

fn is_utc(offset: toml::value::Offset) -> bool {
    matches!(offset, toml::value::Offset::Z | toml::value::Offset::Custom { minutes: 0 })
}

fn located(text: &str, at: usize, message: String) -> PolicyError {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or(text);
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.chars().rev().take_while(|each| *each != '\n').count();
    PolicyError { line, column, message }
}
