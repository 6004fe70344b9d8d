//! Frame rates, and the grid that all rungs share.

use std::fmt;

use packager::time::{MediaTime, Timescale};

/// A constant frame rate, in lowest terms: 30000/1001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    num: u32,
    den: u32,
}

impl FrameRate {
    /// `num / den` frames per second; `None` where either is zero.
    pub const fn new(num: u32, den: u32) -> Option<Self> {
        if num == 0 || den == 0 {
            return None;
        }
        let divisor = gcd(num, den);
        Some(Self { num: num / divisor, den: den / divisor })
    }

    /// Frames in [`Self::den`] seconds.
    pub const fn num(self) -> u32 {
        self.num
    }

    /// The seconds in which there are [`Self::num`] frames.
    pub const fn den(self) -> u32 {
        self.den
    }

    /// Whether it is above `frames` per second.
    pub const fn above(self, frames: u32) -> bool {
        self.num as u64 > frames as u64 * self.den as u64
    }

    /// When the frame with this number is shown, counted from zero. Saturates.
    pub fn at(self, frame: u64) -> MediaTime {
        let ticks = i64::try_from(frame).unwrap_or(i64::MAX).saturating_mul(i64::from(self.den));
        MediaTime::new(ticks, self.scale())
    }

    /// How many frames lie nearest to a span; never none.
    pub fn frames(self, span: MediaTime) -> u64 {
        let micros = u128::try_from(span.as_micros()).unwrap_or(0);
        let scaled = micros * u128::from(self.num);
        let unit = u128::from(self.den) * 1_000_000;
        u64::try_from((2 * scaled + unit) / (2 * unit)).unwrap_or(u64::MAX).max(1)
    }

    /// The mp4 timescale for it: the frame rate's numerator, doubled until it is fine enough for players that count
    /// in it. One frame is then a whole number of ticks.
    pub(crate) fn mp4_timescale(self) -> u32 {
        let mut scale = self.num;
        while scale < FINE_ENOUGH {
            scale *= 2;
        }
        scale
    }

    fn scale(self) -> Timescale {
        Timescale::new(self.num).unwrap_or(Timescale::MICROS)
    }

    /// The rate to encode at, given what a source says of itself: the average over the file, and the rate in which
    /// all its time stamps can be expressed. At most 60.
    pub(crate) fn fit(average: Option<Self>, base: Option<Self>) -> Self {
        let source = match (average, base) {
            (Some(average), _) if STANDARD.contains(&average) => average,
            // A phone's variable rate averages a little below the rate that it aims at.
            (Some(average), Some(base)) if base.within(average, 50) => base,
            (Some(rate), _) | (None, Some(rate)) => rate,
            (None, None) => DEFAULT,
        };
        let mut rate = source;
        if rate.above(MOST) {
            // Halved, or divided by three: every frame that stays is a frame of the source.
            let by = rate.num.div_ceil(rate.den.saturating_mul(MOST));
            rate = Self::new(rate.num, rate.den.saturating_mul(by)).unwrap_or(DEFAULT);
        }
        let constant = average == base;
        let near = STANDARD
            .iter()
            .copied()
            .filter(|standard| standard.within(rate, 3))
            // NTSC rates lie 0.1 % beside their whole neighbours: the nearer one wins.
            .min_by_key(|standard| standard.millionths_from(rate));
        let above = STANDARD.iter().copied().find(|standard| !standard.below(rate));
        match near {
            Some(standard) => standard,
            // An unusual, but simple and constant rate stays what it is.
            None if constant && rate.num <= 240 && !rate.below(SLOWEST) => rate,
            None => above.unwrap_or(FASTEST),
        }
    }

    /// Whether two rates differ by at most so many thousandths of `other`.
    fn within(self, other: Self, thousandths: u128) -> bool {
        let (a, b) = (self.cross(other), other.cross(self));
        a.abs_diff(b) * 1000 <= b * thousandths
    }

    /// How far `self` is from `other`, in millionths of `other`.
    fn millionths_from(self, other: Self) -> u128 {
        let (a, b) = (self.cross(other), other.cross(self));
        a.abs_diff(b) * 1_000_000 / b
    }

    fn below(self, other: Self) -> bool {
        self.cross(other) < other.cross(self)
    }

    fn cross(self, other: Self) -> u128 {
        u128::from(self.num) * u128::from(other.den)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const fn of(num: u32, den: u32) -> FrameRate {
    FrameRate { num, den }
}

const MOST: u32 = 60;
const FINE_ENOUGH: u32 = 10_000;
const SLOWEST: FrameRate = of(5, 1);
const FASTEST: FrameRate = of(60, 1);
const DEFAULT: FrameRate = of(25, 1);
/// In ascending order.
const STANDARD: [FrameRate; 13] = [
    of(5, 1),
    of(10, 1),
    of(12, 1),
    of(15, 1),
    of(20, 1),
    of(24_000, 1001),
    of(24, 1),
    of(25, 1),
    of(30_000, 1001),
    of(30, 1),
    of(50, 1),
    of(60_000, 1001),
    FASTEST,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(num: u32, den: u32) -> Option<FrameRate> {
        FrameRate::new(num, den)
    }

    #[test]
    fn a_constant_rate_stays_and_a_near_one_becomes_its_standard() {
        for (source, expected) in [
            ((30, 1), (30, 1)),
            ((30_000, 1001), (30_000, 1001)),
            ((2997, 100), (30_000, 1001)),
            ((23_976, 1000), (24_000, 1001)),
            ((18, 1), (18, 1)),
            ((120, 1), (60, 1)),
            ((120_000, 1001), (60_000, 1001)),
            ((144, 1), (48, 1)),
            ((1, 1), (5, 1)),
        ] {
            let source = rate(source.0, source.1);
            assert_eq!(Some(FrameRate::fit(source, source)), rate(expected.0, expected.1), "{source:?}");
        }
    }

    #[test]
    fn a_variable_rate_becomes_the_constant_one_that_loses_no_frame() {
        // A phone that aims at 30, a screen recording whose stamps are milliseconds, one that says nothing.
        assert_eq!(Some(FrameRate::fit(rate(5371, 180), rate(30, 1))), rate(30, 1));
        assert_eq!(Some(FrameRate::fit(rate(223, 10), rate(1000, 1))), rate(24_000, 1001));
        assert_eq!(Some(FrameRate::fit(rate(25, 1), rate(50, 1))), rate(25, 1));
        assert_eq!(Some(FrameRate::fit(rate(30_000, 1001), rate(30, 1))), rate(30_000, 1001));
        assert_eq!(Some(FrameRate::fit(None, None)), rate(25, 1));
    }

    #[test]
    fn a_frame_is_a_whole_number_of_ticks() {
        for (num, den, scale) in
            [(30, 1, 15_360), (30_000, 1001, 30_000), (25, 1, 12_800), (24_000, 1001, 24_000)]
        {
            assert_eq!(rate(num, den).unwrap().mp4_timescale(), scale);
        }
    }

    proptest! {
        #[test]
        fn the_rate_is_between_5_and_60(a in 1u32.., b in 1u32.., c in 1u32.., d in 1u32..) {
            let fitted = FrameRate::fit(rate(a, b), rate(c, d));
            prop_assert!(!fitted.above(60) && !fitted.below(SLOWEST), "{fitted}");
            prop_assert!(fitted.mp4_timescale() >= 10_000);
        }

        #[test]
        fn the_frames_of_a_frames_time_are_that_frame(frame in 1u64..10_000_000) {
            for standard in STANDARD {
                prop_assert_eq!(standard.frames(standard.at(frame)), frame);
            }
        }
    }
}
