//! Time in grains: a unit in which a tick of each timescale here, and a millisecond, is a whole number.

/// 2^10 · 3^2 · 5^4 · 7^2 grains are a second.
pub(crate) const SECOND: i64 = 282_240_000;
pub(crate) const MILLI: i64 = SECOND / 1000;

/// Ticks of a timescale that divides a second of grains.
pub(crate) fn grains(ticks: i64, scale: u32) -> i64 {
    assert_eq!(SECOND % i64::from(scale), 0, "{scale} Hz");
    ticks * (SECOND / i64::from(scale))
}

/// To the nearest microsecond.
pub(crate) fn micros(grains: i64) -> i64 {
    ((2 * i128::from(grains) * 1_000_000 + i128::from(SECOND)).div_euclid(2 * i128::from(SECOND))) as i64
}
