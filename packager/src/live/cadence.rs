//! The beat of a show: where its segments begin, and how long parts are.
//!
//! ```text
//! media time   0        D        2D       3D        n = floor(time / D) is the media sequence number
//! video        |--------|--------|--------|         a segment begins at a sync sample
//! audio        ·|--------|--------|--------|        … or at the first frame at or after n D
//!              |··|··|··|·                          parts: m samples each, the last one what is left
//! ```
//!
//! Everything is a function of media time alone, so that two encoders, two origins and a restart agree.

use std::num::NonZeroU32;

use crate::time::{MediaTime, Msn, Rounding, Timescale};
use crate::track::FrameRate;

/// How a show is cut: the same for all its tracks, and for as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    millis: NonZeroU32,
    parts: NonZeroU32,
}

/// How one track's samples are gathered into parts. Frozen at its first chunk, since a playlist's part target never
/// changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    sample: u32,
    /// Ticks of a whole part.
    part: u32,
    scale: Timescale,
}

impl Cadence {
    /// Segments of `millis` milliseconds, in about `parts` parts each.
    pub const fn new(millis: NonZeroU32, parts: NonZeroU32) -> Self {
        Self { millis, parts }
    }

    /// The length of a segment.
    pub fn segment(self) -> MediaTime {
        MediaTime::from_millis(i64::from(self.millis.get()))
    }

    /// `EXT-X-TARGETDURATION` of every playlist, in seconds: no segment, rounded to whole seconds, is longer
    /// (RFC 8216bis §4.4.3.1). Audio is cut up to a frame late; 64 ms is the longest frame of AAC.
    pub fn target_duration(self) -> u32 {
        (self.millis.get().saturating_add(64 + 500) / 1000).max(1)
    }

    /// The number of the segment that holds a time. Times before zero belong to the first.
    pub fn number(self, time: MediaTime) -> Msn {
        let millis = i128::from(self.millis.get());
        let scale = i128::from(time.timescale().ticks_per_second());
        let number = (i128::from(time.ticks()) * 1000).div_euclid(millis * scale);
        Msn(u64::try_from(number.max(0)).unwrap_or(u64::MAX))
    }

    /// When a segment begins, in ticks of `scale`: the first tick at or after n D.
    pub fn start(self, msn: Msn, scale: Timescale) -> MediaTime {
        let millis = i128::from(msn.0) * i128::from(self.millis.get());
        let ticks = (millis * i128::from(scale.ticks_per_second()) + 999).div_euclid(1000);
        MediaTime::new(i64::try_from(ticks).unwrap_or(i64::MAX), scale)
    }

    /// The wished length of a part: D / parts, in microseconds, rounded up.
    fn part_micros(self) -> u64 {
        (u64::from(self.millis.get()) * 1000).div_ceil(u64::from(self.parts.get()))
    }

    /// The longest part target that any track of the show can have, in milliseconds.
    pub fn longest_part_millis(self) -> u64 {
        (self.part_micros() * 11).div_ceil(10 * 1000)
    }

    /// How a track with samples of this length is gathered: as many samples as come nearest to the wished part, and no
    /// part more than a tenth longer. `None` where a single sample is longer than that.
    pub fn beat(self, sample: u32, scale: Timescale) -> Option<Beat> {
        // Millionths of a tick.
        let length = exact(sample.max(1), scale);
        let wished = u128::from(self.part_micros()) * u128::from(scale.ticks_per_second());
        let longest = wished * 11 / 10;
        if length > longest {
            return None;
        }
        let nearest = ((2 * wished + length) / (2 * length)).max(1);
        let count = if nearest * length > longest { nearest - 1 } else { nearest }.max(1);
        let part = u32::try_from((count * length).div_ceil(1_000_000)).ok()?;
        Some(Beat { sample: sample.max(1), part, scale })
    }
}

impl Beat {
    /// How samples of another length are gathered under a part target that is fixed, in microseconds. `None` where a
    /// single sample is longer.
    pub fn within(target: u64, sample: u32, scale: Timescale) -> Option<Self> {
        let whole = u128::from(target) * u128::from(scale.ticks_per_second()) / 1_000_000;
        let count = u32::try_from(whole / u128::from(sample.max(1))).ok().filter(|count| *count > 0)?;
        Some(Self { sample: sample.max(1), part: sample.max(1).checked_mul(count)?, scale })
    }

    /// The nominal length of a sample, in ticks.
    pub fn sample(self) -> i64 {
        i64::from(self.sample)
    }

    /// Half a sample, in ticks: what two times may differ in and still be the same.
    pub fn slack(self) -> i64 {
        i64::from(self.sample / 2)
    }

    /// `PART-TARGET`: the length of a whole part.
    pub fn target(self) -> MediaTime {
        MediaTime::new(i64::from(self.part), self.scale)
    }

    /// `PART-TARGET` in microseconds, rounded up: no part may be longer (RFC 8216bis §4.4.3.7).
    pub fn target_micros(self) -> u64 {
        let micros = self.target().rescale(Timescale::MICROS, Rounding::Up).ticks();
        u64::try_from(micros).unwrap_or(0)
    }

    /// How many parts a segment of this length has.
    pub fn parts_in(self, length: MediaTime) -> u64 {
        let length = length.rescale(self.scale, Rounding::Nearest).ticks().max(1).unsigned_abs();
        let whole = self.target().ticks().max(1).unsigned_abs();
        // Less than half a sample is no part of its own.
        length.saturating_sub(u64::from(self.sample / 2)).div_ceil(whole).max(1)
    }

    /// The Advance Part Limit (RFC 8216bis §6.2.5.2): how many parts ahead a client may ask.
    pub fn advance_limit(self) -> u64 {
        match self.target_micros() {
            0 => 3,
            target if target < 1_000_000 => 3_000_000u64.div_ceil(target),
            _ => 3,
        }
    }

    /// Frames a second.
    pub(super) fn frame_rate(self) -> FrameRate {
        let millionths = u64::try_from(exact(self.sample, self.scale)).unwrap_or(u64::MAX).max(1);
        FrameRate::new(u64::from(self.scale.ticks_per_second()) * 1_000_000, millionths)
    }
}

/// How long a sample is, in millionths of a tick. A clock that is too coarse for its frames, as milliseconds are for most,
/// gives them lengths that differ by a tick; then it is the length of the usual rate that is within a tick. So the first
/// samples that happen to come do not decide.
fn exact(sample: u32, scale: Timescale) -> u128 {
    let given = u128::from(sample) * 1_000_000;
    let of_rate = |(frames, seconds): &(u128, u128)| {
        u128::from(scale.ticks_per_second()) * 1_000_000 * seconds / frames
    };
    let near = |length: &u128| length.abs_diff(given) < 1_000_000;
    let is_coarse = (500..10_000).contains(&scale.ticks_per_second());
    if is_coarse { RATES.iter().map(of_rate).find(near).unwrap_or(given) } else { given }
}

/// Frames in so many seconds; where two are within a tick of each other, the more usual first.
const RATES: [(u128, u128); 12] = [
    (25, 1),
    (30, 1),
    (24, 1),
    (50, 1),
    (60, 1),
    (30_000, 1001),
    (24_000, 1001),
    (60_000, 1001),
    (48, 1),
    (15, 1),
    (12, 1),
    (120, 1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cadence(millis: u32, parts: u32) -> Cadence {
        Cadence::new(NonZeroU32::new(millis).unwrap(), NonZeroU32::new(parts).unwrap())
    }

    fn scale(hz: u32) -> Timescale {
        Timescale::new(hz).unwrap()
    }

    #[test]
    fn usual_tracks_have_whole_parts() {
        let beat = |sample, hz| cadence(2000, 6).beat(sample, scale(hz)).unwrap();
        assert_eq!(beat(512, 15_360).target(), MediaTime::new(10, scale(30)));
        assert_eq!(beat(512, 15_360).target_micros(), 333_334);
        assert_eq!(beat(1024, 48_000).target(), MediaTime::new(16 * 1024, scale(48_000)));
        assert_eq!(beat(1, 25).target(), MediaTime::new(8, scale(25)));
        assert_eq!(beat(1001, 30_000).target(), MediaTime::new(10 * 1001, scale(30_000)));
        assert_eq!(beat(1001, 30_000).frame_rate().to_string(), "29.970");
        assert_eq!(beat(512, 15_360).parts_in(MediaTime::from_millis(2000)), 6);
        assert_eq!(beat(1024, 48_000).parts_in(MediaTime::new(94 * 1024, scale(48_000))), 6);
        assert_eq!(beat(512, 15_360).advance_limit(), 9);
    }

    #[test]
    fn a_coarse_clock_has_the_part_of_its_rate_whichever_frame_comes_first() {
        for (hz, lengths, frames, rate) in [(1000, [33, 34], 334, "30.000"), (1000, [16, 17], 334, "60.000")]
        {
            for length in lengths {
                let beat = cadence(2000, 6).beat(length, scale(hz)).unwrap();
                assert_eq!(
                    (beat.target().ticks(), beat.frame_rate().to_string().as_str()),
                    (frames, rate),
                    "{length}/{hz}"
                );
            }
        }
    }

    #[test]
    fn a_track_with_too_few_frames_has_no_beat() {
        assert_eq!(cadence(2000, 6).beat(1, scale(2)), None);
        assert_eq!(cadence(2000, 6).beat(0, scale(1000)).unwrap().sample(), 1);
    }

    #[test]
    fn target_durations_hold_the_longest_segment_of_sound() {
        for (millis, target) in [(2000, 2), (500, 1), (2002, 2), (2450, 3), (1920, 2), (6000, 6)] {
            assert_eq!(cadence(millis, 6).target_duration(), target, "{millis}");
        }
    }

    proptest! {
        #[test]
        fn a_segment_begins_where_its_number_does(msn in 0u64..1_000_000_000, millis in 500u32..10_000, hz in 1000u32..96_000) {
            let cadence = cadence(millis, 6);
            let start = cadence.start(Msn(msn), scale(hz));
            prop_assert_eq!(cadence.number(start), Msn(msn));
            let before = MediaTime::new(start.ticks() - 1, scale(hz));
            prop_assert!(msn == 0 || cadence.number(before) < Msn(msn));
        }

        #[test]
        fn no_part_target_is_longer_than_the_longest(sample in 1u32..100_000, hz in 1000u32..96_000, millis in 500u32..10_000, parts in 1u32..20) {
            let cadence = cadence(millis, parts);
            if let Some(beat) = cadence.beat(sample, scale(hz)) {
                prop_assert!(beat.target_micros() <= cadence.longest_part_millis() * 1000 + 1);
            }
        }
    }
}
