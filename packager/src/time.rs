//! Time as the media counts it: integer ticks of a named timescale.
//!
//! Nothing here is a float. A duration is the difference of two absolute positions, never a sum of rounded
//! ones, so that a thousand segments later nothing has drifted.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::Error;

/// Ticks per second of a track or a timeline; never zero (ISO/IEC 14496-12 §8.4.2, `mdhd.timescale`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// The MPEG system clock's 90 kHz.
    pub const MPEG: Self = Self::of(90_000);
    /// Microseconds, the precision in which playlists print durations.
    pub const MICROS: Self = Self::of(1_000_000);
    /// Milliseconds.
    pub const MILLIS: Self = Self::of(1_000);

    /// A timescale, or `None` for zero.
    pub const fn new(ticks_per_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_per_second) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }

    const fn of(ticks_per_second: u32) -> Self {
        match NonZeroU32::new(ticks_per_second) {
            Some(ticks) => Self(ticks),
            None => Self(NonZeroU32::MIN),
        }
    }

    /// Ticks per second.
    pub const fn ticks_per_second(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// Which way a position that falls between two ticks goes when it is rescaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards the past.
    Down,
    /// Towards the future.
    Up,
    /// To the nearer tick; exactly between two, towards the future.
    Nearest,
}

/// A position or a span on a media timeline: ticks of a timescale, exact and signed.
///
/// Two of them compare by value, whatever their timescales: 1/2 s equals 45,000/90,000 s.
#[derive(Clone, Copy)]
pub struct MediaTime {
    ticks: i64,
    scale: Timescale,
}

impl MediaTime {
    /// `ticks` of `scale`.
    pub const fn new(ticks: i64, scale: Timescale) -> Self {
        Self { ticks, scale }
    }

    /// The start of a timeline.
    pub const fn zero(scale: Timescale) -> Self {
        Self::new(0, scale)
    }

    /// Whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self::new(millis, Timescale::MILLIS)
    }

    /// The ticks, in units of [`Self::timescale`].
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// The unit of [`Self::ticks`].
    pub const fn timescale(self) -> Timescale {
        self.scale
    }

    /// The same position in another timescale. Saturates at the ends of `i64`.
    pub fn rescale(self, scale: Timescale, rounding: Rounding) -> Self {
        if scale == self.scale {
            return self;
        }
        let from = i128::from(self.scale.ticks_per_second());
        let scaled = i128::from(self.ticks) * i128::from(scale.ticks_per_second());
        let ticks = match rounding {
            Rounding::Down => scaled.div_euclid(from),
            Rounding::Up => -(-scaled).div_euclid(from),
            Rounding::Nearest => (2 * scaled + from).div_euclid(2 * from),
        };
        Self::new(saturate(ticks), scale)
    }

    /// `self` plus a span, in the timescale of `self`, to the nearest tick. Saturates.
    pub fn plus(self, span: Self) -> Self {
        let span = span.rescale(self.scale, Rounding::Nearest);
        Self::new(self.ticks.saturating_add(span.ticks), self.scale)
    }

    /// The span from `earlier` to `self`, in the timescale of `self`, to the nearest tick. Saturates.
    pub fn since(self, earlier: Self) -> Self {
        let earlier = earlier.rescale(self.scale, Rounding::Nearest);
        Self::new(self.ticks.saturating_sub(earlier.ticks), self.scale)
    }

    /// Whole microseconds, to the nearest. What playlists and humans see.
    pub fn as_micros(self) -> i64 {
        self.rescale(Timescale::MICROS, Rounding::Nearest).ticks
    }
}

impl PartialEq for MediaTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MediaTime {}

impl PartialOrd for MediaTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MediaTime {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = i128::from(self.ticks) * i128::from(other.scale.ticks_per_second());
        let right = i128::from(other.ticks) * i128::from(self.scale.ticks_per_second());
        left.cmp(&right)
    }
}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ticks, self.scale.ticks_per_second())
    }
}

/// Seconds with microseconds: `-0.021333`.
impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Media sequence number: the place of a segment on the timeline (RFC 8216bis §3), from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Msn(pub u64);

/// The one spelling of a number: digits, no sign, no leading zero.
impl FromStr for Msn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        let number = plain.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or_else(|| Error::Name {
            expected: "a number without leading zeros",
            found: text.chars().take(32).collect(),
        })
    }
}

impl fmt::Display for Msn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bitrate(pub u64);

impl Bitrate {
    /// The rate of `bytes` over `span`, rounded up; zero for an empty span.
    pub fn of(bytes: u64, span: MediaTime) -> Self {
        let Ok(ticks) = u128::try_from(span.ticks()) else { return Self(0) };
        if ticks == 0 {
            return Self(0);
        }
        let bits = u128::from(bytes) * 8 * u128::from(span.timescale().ticks_per_second());
        Self(u64::try_from(bits.div_ceil(ticks)).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn saturate(ticks: i128) -> i64 {
    i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(hz: u32) -> Timescale {
        Timescale::new(hz).unwrap()
    }

    #[test]
    fn equal_positions_compare_equal_in_any_timescale() {
        assert_eq!(MediaTime::new(1, scale(2)), MediaTime::new(45_000, Timescale::MPEG));
        assert!(MediaTime::new(1, scale(3)) > MediaTime::new(333, Timescale::MILLIS));
    }

    #[test]
    fn negative_positions_round_by_the_named_mode() {
        let priming = MediaTime::new(-1024, scale(48_000));
        assert_eq!(priming.rescale(Timescale::MILLIS, Rounding::Down).ticks(), -22);
        assert_eq!(priming.rescale(Timescale::MILLIS, Rounding::Up).ticks(), -21);
        assert_eq!(priming.to_string(), "-0.021333");
    }

    #[test]
    fn a_rate_is_rounded_up() {
        assert_eq!(Bitrate::of(1, MediaTime::new(3, scale(1))), Bitrate(3));
        assert_eq!(Bitrate::of(1, MediaTime::new(0, scale(1))), Bitrate(0));
    }

    proptest! {
        #[test]
        fn rescaling_brackets_the_exact_value(ticks in -1_000_000_000_000i64..1_000_000_000_000, a in 1u32.., b in 1u32..) {
            let time = MediaTime::new(ticks, scale(a));
            let down = time.rescale(scale(b), Rounding::Down);
            let up = time.rescale(scale(b), Rounding::Up);
            let nearest = time.rescale(scale(b), Rounding::Nearest);
            prop_assert!(down <= time && time <= up);
            prop_assert!(up.ticks() - down.ticks() <= 1);
            prop_assert!(nearest == down || nearest == up);
        }

        #[test]
        fn a_span_added_and_taken_again_is_where_it_was(a in any::<i32>(), b in any::<i32>()) {
            let start = MediaTime::new(i64::from(a), scale(48_000));
            let span = MediaTime::new(i64::from(b), scale(48_000));
            prop_assert_eq!(start.plus(span).since(span), start);
        }
    }
}
