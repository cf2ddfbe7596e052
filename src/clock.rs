//! Time: the one type for it, and the only reader of the clock.
//!
//! ```text
//! 2026-11-23T09:30:00.000Z     RFC 3339, UTC, always three decimals
//! ```

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Why a text is not a [`Timestamp`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a UTC time like `2026-11-23T09:30:00.000Z`")]
pub struct TimestampError(String);

impl Timestamp {
    /// Reads the system's clock; the only place that does.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis())
    }

    /// Makes a time of milliseconds since the epoch; `None` beyond the year 9999 or before 1970.
    pub fn from_millis(millis: i64) -> Option<Self> {
        const MILLIS_MAX: i64 = 253_402_300_799_999;
        (0..=MILLIS_MAX).contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Parses exactly the form that [`Timestamp`] prints.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let refused = || TimestampError(text.chars().take(40).collect());
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| refused())?;
        let parsed = Self::from_millis(moment.timestamp_millis()).ok_or_else(refused)?;
        if parsed.to_string() == text { Ok(parsed) } else { Err(refused()) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_its_own_form() {
        let text = "2026-11-23T09:30:00.120Z";
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        for bad in
            ["", "2026-11-23", "2026-11-23T09:30:00Z", "2026-11-23T09:30:00.120+00:00", "2026-11-23t09:30:00.120Z"]
        {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }
}
