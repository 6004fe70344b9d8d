//! Durations and dates as playlists write them, to the nanosecond: what is a fault of a millisecond must not drown in
//! floating point.

use std::time::Duration;

/// A decimal-floating-point of §4.2: digits, at most one point, no sign and no exponent. Digits behind the ninth are cut.
#[must_use]
pub fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || text.ends_with('.') || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let nanos = format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// Time since 1970 of a date with milliseconds and a time zone (ISO 8601: `2026-01-31T12:00:00.000Z`, `…+01:00`).
#[must_use]
pub fn date(text: &str) -> Option<Duration> {
    let (day, time) = text.split_once('T')?;
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let mut day = day.split('-');
    let (year, month, date) = (number(day.next()?, 4)?, number(day.next()?, 2)?, number(day.next()?, 2)?);
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, parts.next()?);
    let (whole, fraction) = second.split_once('.')?;
    let legal = (1..=12).contains(&month) && (1..=31).contains(&date) && hour < 24 && minute < 60;
    if day.next().is_some() || !legal || fraction.len() < 3 || number(whole, 2)? > 60 {
        return None;
    }
    let minutes = hour * 60 + minute - offset(zone)?;
    let whole = days(year, month, date) * 86_400 + minutes * 60;
    Some(Duration::from_secs(u64::try_from(whole).ok()?) + seconds(second)?)
}

/// Minutes east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, digits) = zone.split_at(1);
    let digits = digits.replace(':', "");
    let minutes = number(digits.get(..2)?, 2)? * 60 + number(digits.get(2..)?, 2)?;
    Some(if sign == "-" { -minutes } else { minutes })
}

/// Days from 1970-01-01 of a date in the Gregorian calendar: years that begin in March have their leap day last.
fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_TO_1970
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// From the first of March of the year 0 to the first of January 1970.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(seconds("0.333333"), Some(Duration::from_nanos(333_333_000)));
        assert_eq!(seconds("12"), Some(Duration::from_secs(12)));
        for wrong in ["", ".5", "1.", "-1", "1e3", "1.5s", "+2"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_read_in_any_zone() {
        let at = |seconds: u64, millis: u64| Some(Duration::from_millis(seconds * 1000 + millis));
        assert_eq!(date("1970-01-01T00:00:00.000Z"), at(0, 0));
        assert_eq!(date("2026-11-22T21:38:03.250Z"), at(1_795_383_483, 250));
        assert_eq!(date("2024-02-29T23:59:59.999Z"), at(1_709_251_199, 999));
        assert_eq!(date("2024-03-01T01:30:00.000+02:00"), at(1_709_249_400, 0));
        assert_eq!(date("2024-02-29T20:30:00.000-0300"), at(1_709_249_400, 0));
        for wrong in
            ["2026-11-22T21:38:03Z", "2026-11-22T21:38:03.250", "2026-11-22", "2026-13-01T00:00:00.000Z"]
        {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
