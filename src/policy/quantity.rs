//! Sizes and durations as people write them.
//!
//! ```text
//! 50MB  8kB  2GiB  1000B       decimal units by 1000, binary units by 1024
//! 30d   2w   12h   15m         days, weeks, hours, minutes
//! ```

/// Why a text is no size or duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// Not a size.
    #[error("`{0}` is not a size like `50MB` or `2GiB`")]
    Size(String),
    /// Not a duration.
    #[error("`{0}` is not a duration like `30d`, `12h` or `15m`")]
    Duration(String),
    /// Zero.
    #[error("`{0}` is zero")]
    Zero(String),
    /// Beyond [`SIZE_MAX`] or [`DURATION_MAX_MS`].
    #[error("`{0}` is too much")]
    TooMuch(String),
}

/// The greatest size, in bytes: beyond it JSON numbers lose digits.
pub const SIZE_MAX: u64 = (1 << 53) - 1;

/// The longest duration, in milliseconds: ten years, as long as records are kept.
pub const DURATION_MAX_MS: u64 = 3_653 * 24 * 60 * 60 * 1000;

/// Parses a size; the result is in bytes.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let unit = |unit: &str| match unit {
        "B" => Some(1),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "TB" => Some(1_000_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    parse(text, SIZE_MAX, unit, QuantityError::Size)
}

/// Parses a duration; the result is in milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<u64, QuantityError> {
    let unit = |unit: &str| match unit {
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        "w" => Some(7 * 86_400_000),
        _ => None,
    };
    parse(text, DURATION_MAX_MS, unit, QuantityError::Duration)
}

fn parse(
    text: &str,
    max: u64,
    unit: impl Fn(&str) -> Option<u64>,
    malformed: fn(String) -> QuantityError,
) -> Result<u64, QuantityError> {
    let shortened = || text.chars().take(40).collect::<String>();
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let factor = unit(rest.trim_start_matches(' ')).ok_or_else(|| malformed(shortened()))?;
    if digits.is_empty() {
        return Err(malformed(shortened()));
    }
    let product = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
    match product.filter(|product| *product <= max) {
        Some(0) => Err(QuantityError::Zero(shortened())),
        Some(product) => Ok(product),
        None => Err(QuantityError::TooMuch(shortened())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("50MB", 50_000_000), ("1 GiB", 1 << 30), ("7B", 7), ("8kB", 8_000), ("8KB", 8_000)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, why) in [
            ("50", "not a size"),
            ("MB", "not a size"),
            ("", "not a size"),
            ("5.5MB", "not a size"),
            ("-5MB", "not a size"),
            ("50mb", "not a size"),
            ("0MB", "is zero"),
            ("9007199254740992B", "too much"),
            ("99999999999999999999999B", "too much"),
            ("999999999TiB", "too much"),
        ] {
            let error = parse_size(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, ms) in [("30d", 2_592_000_000), ("2w", 1_209_600_000), ("12h", 43_200_000), ("15m", 900_000)] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["30", "d", "0d", "30 days", "3654d", "1y", "é"] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }
}
