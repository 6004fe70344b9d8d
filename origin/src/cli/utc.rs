//! Points in time as people read them: `2027-01-15T08:00:00Z` (RFC 3339).

use std::fmt;

use authz::UnixSeconds;

/// Prints a point in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Utc(pub(super) UnixSeconds);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The date of a day counted from 1970-01-01 in the Gregorian calendar.
///
/// Years are taken to begin in March, so that the day that comes and goes is the last one; 400 such years
/// have always the same number of days.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01 to 1970-01-01.
    let days = days.saturating_add(719_468);
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have 153 days each.
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next, month, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From GNU date: date -u -d @N +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc(UnixSeconds(seconds)).to_string(), text);
        }
    }

    #[test]
    fn every_day_is_the_one_after_the_day_before() {
        let mut last = civil(0);
        for days in 1..200_000 {
            let today = civil(days);
            let (year, month, day) = last;
            assert!(
                today == (year, month, day + 1) || today == (year, month + 1, 1) || today == (year + 1, 1, 1),
                "{last:?} {today:?}"
            );
            assert!(today.2 <= 31 && today.1 <= 12);
            last = today;
        }
        assert_eq!(last, (2517, 7, 31));
    }
}
