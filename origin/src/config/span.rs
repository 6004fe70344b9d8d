//! Spans of time as people write them: `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time in whole milliseconds. Written as whole numbers with units, each smaller than the one
/// before it: `d`, `h`, `m`, `s`, `ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(u64);

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as \"6s\", \"500ms\" or \"1h30m\", found {0:?}")]
pub struct SpanError(String);

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds. Saturates.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many hours. Saturates.
    pub const fn hours(hours: u64) -> Self {
        Self::seconds(hours.saturating_mul(3600))
    }

    /// In whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// In whole seconds, what is left over dropped.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// As the standard library has it.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.as_duration()
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let fault = || SpanError(text.chars().take(40).collect());
        let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0u64);
        loop {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
            let (number, tail) = rest.split_at_checked(digits).ok_or_else(fault)?;
            let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at_checked(end).ok_or_else(fault)?;
            // The iterator goes on where it stopped: a unit never stands after a smaller one.
            let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(fault)?;
            let number: u64 = number.parse().map_err(|_| fault())?;
            let part = number.checked_mul(*factor).ok_or_else(fault)?;
            total = total.checked_add(part).ok_or_else(fault)?;
            if tail.is_empty() {
                return Ok(Self(total));
            }
            rest = tail;
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (name, factor) in UNITS {
            if left >= factor {
                write!(f, "{}{name}", left / factor)?;
                left %= factor;
            }
        }
        Ok(())
    }
}

/// Largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_as_people_mean_them() {
        for (text, millis) in [
            ("6s", 6000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("1d1ms", 86_400_001),
            ("90m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse::<Span>().unwrap(), Span(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        let texts = [
            "",
            "6",
            "s",
            "1.5s",
            "-1s",
            "1s1h",
            "1s1s",
            "1 s",
            "1w",
            "1h30",
            "213503982335d",
            "1S",
            "é1s",
            "1é",
        ];
        for text in texts {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_span_reads_back(millis in any::<u64>(), shift in 0u32..60) {
            let span = Span(millis >> shift);
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = text.parse::<Span>();
        }
    }
}
