//! Points in time, as tokens carry them.

use std::fmt;
use std::time::Duration;

/// Whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX.1 "seconds since the epoch").
///
/// Every `u64` is a valid value; what a token may say is bounded by [`UnixSeconds::LAST`]. Arithmetic
/// saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// 9999-12-31T23:59:59Z, the last second a token may name. Later ones are faults of a unit
    /// (milliseconds).
    pub const LAST: UnixSeconds = UnixSeconds(253_402_300_799);

    /// The point `span` later; fractions of a second are dropped.
    #[must_use]
    pub fn plus(self, span: Duration) -> UnixSeconds {
        UnixSeconds(self.0.saturating_add(span.as_secs()))
    }

    /// The time from here until `later`, zero when that has passed.
    #[must_use]
    pub fn until(self, later: UnixSeconds) -> Duration {
        Duration::from_secs(later.0.saturating_sub(self.0))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(UnixSeconds(u64::MAX).plus(Duration::from_secs(1)), UnixSeconds(u64::MAX));
        assert_eq!(UnixSeconds(9).until(UnixSeconds(5)), Duration::ZERO);
        assert_eq!(UnixSeconds(5).until(UnixSeconds(9)), Duration::from_secs(4));
        assert_eq!(UnixSeconds(5).plus(Duration::from_millis(1999)), UnixSeconds(6));
    }
}
