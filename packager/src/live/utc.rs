//! Dates as playlists write them (ISO 8601, with milliseconds).

use crate::time::MediaTime;

/// The date of a media time, in milliseconds since 1970: that of time zero, and what has passed since.
pub(super) fn date(anchor_ms: i64, time: MediaTime) -> i64 {
    anchor_ms.saturating_add(time.as_micros().div_euclid(1000))
}

/// Appends a time, in milliseconds since 1970-01-01 UTC: `2026-11-22T21:15:29.250Z`. Years 0 to 9999; times beyond
/// are those years' ends.
pub(super) fn push_date(out: &mut String, unix_ms: i64) {
    let unix_ms = unix_ms.clamp(FIRST, LAST);
    let (days, of_day) = (unix_ms.div_euclid(DAY), unix_ms.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let digits = |out: &mut String, number: i64, width: u32| {
        for place in (0..width).rev() {
            let digit = number / 10i64.pow(place) % 10;
            out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
        }
    };
    for (number, width, after) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (of_day / 3_600_000, 2, ':'),
        (of_day / 60_000 % 60, 2, ':'),
        (of_day / 1000 % 60, 2, '.'),
        (of_day % 1000, 3, 'Z'),
    ] {
        digits(out, number, width);
        out.push(after);
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the
/// day that some have and some don't is their last.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01.
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let of_era = days.rem_euclid(DAYS_IN_400_YEARS);
    // Every fourth year is a day longer, but for every hundredth.
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Months from March on have 31 30 31 30 31 days, twice, and what is left.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

const DAY: i64 = 86_400_000;
const DAYS_IN_400_YEARS: i64 = 146_097;
/// 0000-01-01T00:00:00.000Z
const FIRST: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_ms, wanted) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_795_382_129_250, "2026-11-22T21:15:29.250Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            let mut out = String::new();
            push_date(&mut out, unix_ms);
            assert_eq!(out, wanted);
        }
    }

    #[test]
    fn days_follow_each_other_for_eight_hundred_years() {
        let mut former = civil(-200_000);
        for day in -199_999..100_000 {
            let (year, month, of_month) = civil(day);
            let follows = (year, month, of_month) == (former.0, former.1, former.2 + 1)
                || of_month == 1
                    && (month == former.1 + 1 && year == former.0 || month == 1 && year == former.0 + 1);
            assert!(follows, "{former:?} then {:?}", (year, month, of_month));
            former = (year, month, of_month);
        }
    }
}
