//! Positions on a timeline, as people write them: `12.5`, `1:30`, `1:02:03.250`.

use std::str::FromStr;

use packager::time::{MediaTime, Timescale};

/// Seconds, or hours, minutes and seconds, with up to six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) MediaTime);

/// Why a text is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 12.5, 1:30 or 1:02:03.250, found {0:?}")]
pub(super) struct PositionError(String);

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let micros = micros(text).ok_or_else(|| PositionError(text.chars().take(40).collect()))?;
        Ok(Self(MediaTime::new(micros, Timescale::MICROS)))
    }
}

fn micros(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let parts: Vec<&str> = whole.split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    let mut seconds = 0i64;
    for (place, part) in parts.iter().enumerate() {
        let number = digits(part)?;
        // 90 seconds are 90, but no 0:90.
        if place > 0 && (part.len() != 2 || number > 59) {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(number)?;
    }
    let fraction = match decimals {
        None => 0,
        Some(part) if part.len() <= 6 => {
            let missing = u32::try_from(6 - part.len()).ok()?;
            digits(part)?.checked_mul(10i64.checked_pow(missing)?)?
        }
        Some(_) => return None,
    };
    seconds.checked_mul(1_000_000)?.checked_add(fraction)
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_people_write_it() {
        for (text, micros) in [
            ("0", 0),
            ("12.5", 12_500_000),
            ("90", 90_000_000),
            ("1:30", 90_000_000),
            ("1:02:03.250", 3_723_250_000),
            ("0:00.000001", 1),
            ("100:00:00", 360_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Position(MediaTime::new(micros, Timescale::MICROS))), "{text}");
        }
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "",
            "-1",
            "+1",
            ".5",
            "1.",
            "1:5",
            "1:60",
            "1:2:3",
            "1:00:00:00",
            "1e3",
            "12,5",
            "0.1234567",
            "9999999999999999999",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
