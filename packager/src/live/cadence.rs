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
use std::ops::Range;

use super::past::Gait;
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
    frame: Frame,
    count: u32,
    scale: Timescale,
}

/// How long a sample is: so many of them last so many ticks. A frame rate that no whole number of ticks expresses has
/// senders round each frame, now up and now down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    ticks: u64,
    frames: u64,
}

impl Cadence {
    /// Segments of `millis` milliseconds, in about `parts` parts each.
    pub const fn new(millis: NonZeroU32, parts: NonZeroU32) -> Self {
        Self { millis, parts }
    }

    /// Milliseconds of a segment, and parts in it.
    pub fn numbers(self) -> (NonZeroU32, NonZeroU32) {
        (self.millis, self.parts)
    }

    /// The page of an archive that a segment is listed in: a page has about a minute.
    pub fn page(self, msn: Msn) -> u64 {
        msn.0 / self.page_segments()
    }

    /// The segments of a page of an archive.
    pub fn page_range(self, page: u64) -> Range<u64> {
        let count = self.page_segments();
        let first = page.saturating_mul(count);
        first..first.saturating_add(count)
    }

    fn page_segments(self) -> u64 {
        (60_000 / u64::from(self.millis.get())).max(1)
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
        self.gather(Frame::exactly(sample), scale)
    }

    pub(super) fn gather(self, frame: Frame, scale: Timescale) -> Option<Beat> {
        let length = u128::from(frame.ticks) * 1_000_000;
        let hz = u128::from(scale.ticks_per_second()) * u128::from(frame.frames);
        let wished = u128::from(self.part_micros()) * hz;
        let longest = wished * 11 / 10;
        if length > longest {
            return None;
        }
        let nearest = ((2 * wished + length) / (2 * length)).max(1);
        let count = if nearest * length > longest { nearest - 1 } else { nearest };
        Some(Beat { frame, count: u32::try_from(count).unwrap_or(u32::MAX).max(1), scale })
    }
}

impl Gait {
    /// How samples are gathered in ticks of `scale`; `None` for numbers that no track has.
    pub(super) fn beat(self, scale: Timescale) -> Option<Beat> {
        let Self { ticks, frames, count, .. } = self;
        let is_sound = ticks > 0 && frames > 0 && count > 0;
        is_sound.then_some(Beat { frame: Frame { ticks, frames }, count, scale })
    }
}

impl Frame {
    pub(super) fn exactly(ticks: u32) -> Self {
        Self { ticks: u64::from(ticks.max(1)), frames: 1 }
    }

    /// The frame of pictures, by how long a sender says that the first of them are, one after another; `None` where more of
    /// them must be seen. It depends on as few of them as possible, so that whoever begins elsewhere finds the same.
    pub(super) fn of(durations: &[u32], scale: Timescale) -> Option<Self> {
        let first = *durations.first()?;
        let mut likely = Self::all(scale);
        let mut sum = 0;
        for (seen, duration) in (1..).zip(durations).take(ENOUGH) {
            sum += u64::from(*duration);
            // Frames begin and end less than a tick from where they should.
            let fits = |rate: &Self| (rate.ticks * seen).abs_diff(sum * rate.frames) < rate.frames;
            let fit = |alike: &Vec<Self>| alike.iter().any(fits);
            if seen == 1 || likely.iter().any(fit) {
                likely.retain(fit);
            }
            match likely.as_slice() {
                [] => return Some(Self::exactly(first)),
                [alike] => return alike.first().copied(),
                _ => {}
            }
        }
        // They fit no rate.
        likely.first().filter(|_| durations.len() >= ENOUGH)?.first().copied()
    }

    /// The same where no more will be seen: the longest of those that it may be, so that nothing is cut by it.
    pub(super) fn at_most(durations: &[u32], scale: Timescale) -> Option<Self> {
        let longest = durations.iter().copied().max()?;
        let fits = |rate: &Self| rate.ticks.abs_diff(u64::from(longest) * rate.frames) < rate.frames;
        let likely = Self::all(scale).into_iter().find(|alike| alike.iter().any(fits));
        likely.map_or(Some(Self::exactly(longest)), |alike| alike.first().copied())
    }

    /// The rates that are in use, slowest first; those together that a dozen frames do not tell apart.
    fn all(scale: Timescale) -> Vec<Vec<Self>> {
        let hz = u64::from(scale.ticks_per_second());
        let mut all: Vec<Vec<Self>> = Vec::new();
        for (frames, seconds) in RATES {
            let rate = Self { ticks: hz * seconds, frames }.reduced();
            match all.last_mut().filter(|alike| alike.iter().any(|slower| !rate.is_apart(slower))) {
                Some(alike) => alike.push(rate),
                None => all.push(vec![rate]),
            }
        }
        all
    }

    fn reduced(self) -> Self {
        match self.ticks.is_multiple_of(self.frames) {
            true => Self { ticks: self.ticks / self.frames, frames: 1 },
            false => self,
        }
    }

    /// Whether two rates are two ticks apart once enough frames have come, so that any frames of one are none of the other.
    fn is_apart(&self, slower: &Self) -> bool {
        let [fast, slow] = [self, slower].map(|rate| (u128::from(rate.ticks), u128::from(rate.frames)));
        let apart = (slow.0 * fast.1).saturating_sub(fast.0 * slow.1);
        apart * ENOUGH as u128 >= 2 * fast.1 * slow.1
    }

    /// So many frames, in ticks, rounded up.
    fn times(self, count: u32) -> i64 {
        let ticks = (u128::from(self.ticks) * u128::from(count)).div_ceil(u128::from(self.frames));
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

/// So many frames tell their rate, or none do.
const ENOUGH: usize = 12;
/// Frames and seconds of the frame rates that are in use.
const RATES: [(u64, u64); 16] = [
    (10, 1),
    (12, 1),
    (15_000, 1001),
    (15, 1),
    (20, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (120_000, 1001),
    (120, 1),
];

impl Beat {
    /// How samples of another length are gathered under a part target that is fixed, in microseconds. `None` where a
    /// single sample is longer.
    pub fn within(target: u64, sample: u32, scale: Timescale) -> Option<Self> {
        Self::under(target, Frame::exactly(sample), scale)
    }

    pub(super) fn under(target: u64, frame: Frame, scale: Timescale) -> Option<Self> {
        let whole = u128::from(target) * u128::from(scale.ticks_per_second()) / 1_000_000;
        let count = (whole * u128::from(frame.frames)) / u128::from(frame.ticks);
        let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
        Some(Self { frame, count, scale })
    }

    /// What tells it again, of a track whose part target is so many microseconds.
    pub(super) fn gait(self, part_target: u64) -> Gait {
        Gait { ticks: self.frame.ticks, frames: self.frame.frames, count: self.count, part_target }
    }

    /// The nominal length of a sample, in ticks, rounded up.
    pub fn sample(self) -> i64 {
        self.frame.times(1)
    }

    /// Half a sample, in ticks: what two times may differ in and still be the same.
    pub fn slack(self) -> i64 {
        self.sample() / 2
    }

    /// `PART-TARGET`: the length of a whole part.
    pub fn target(self) -> MediaTime {
        MediaTime::new(self.frame.times(self.count), self.scale)
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
        length.saturating_sub(self.slack().unsigned_abs()).div_ceil(whole).max(1)
    }

    /// How many whole parts fit into so many ticks.
    pub(super) fn parts_of(self, ticks: i64) -> u64 {
        let frames = u128::from(ticks.max(0).unsigned_abs()) * u128::from(self.frame.frames);
        let frames = frames / u128::from(self.frame.ticks);
        u64::try_from(frames / u128::from(self.count)).unwrap_or(u64::MAX)
    }

    /// The least whole number of frames that is no less than so many ticks, or by no more than so many tenths of a frame;
    /// as ticks.
    pub(super) fn whole_frames(self, ticks: i64, tenths: i64) -> i64 {
        let (length, count) = (i128::from(self.frame.ticks), i128::from(self.frame.frames));
        let scaled = i128::from(ticks) * count * 10 - i128::from(tenths) * length;
        let whole = -(-scaled).div_euclid(length * 10);
        let ticks = (2 * whole * length + count).div_euclid(2 * count);
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    /// Whether a span is a whole number of frames.
    pub(super) fn divides(self, span: MediaTime) -> bool {
        let hz = u128::from(self.scale.ticks_per_second()) * u128::from(self.frame.frames);
        let span_hz = u128::from(span.timescale().ticks_per_second()) * u128::from(self.frame.ticks);
        (u128::from(span.ticks().unsigned_abs()) * hz).is_multiple_of(span_hz)
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
        FrameRate::new(u64::from(self.scale.ticks_per_second()) * self.frame.frames, self.frame.ticks)
    }
}

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

    #[test]
    fn a_rate_that_ticks_cannot_express_is_known_by_its_first_frames() {
        let frame = |durations: &[u32], hz| Frame::of(durations, scale(hz));
        for (durations, hz, wanted) in [
            // Whole ticks, and no other rate is near.
            (&[512][..], 12_800, Some(Frame::exactly(512))),
            (&[3003], 90_000, Some(Frame::exactly(3003))),
            (&[3600], 90_000, Some(Frame::exactly(3600))),
            // 59.94 a second, rounded down and up.
            (&[1501], 90_000, Some(Frame { ticks: 90_000 * 1001, frames: 60_000 })),
            (&[1502], 90_000, Some(Frame { ticks: 90_000 * 1001, frames: 60_000 })),
            (&[307], 15_360, Some(Frame { ticks: 15_360, frames: 50 })),
            (&[308], 15_360, Some(Frame { ticks: 15_360, frames: 50 })),
            // 30 a second, or 29.97 of which this one is rounded down.
            (&[512], 15_360, None),
            // 30 a second, rounded up, or 29.97.
            (&[427], 12_800, None),
            // Milliseconds tell no such difference.
            (&[33], 1000, Some(Frame { ticks: 1_001_000, frames: 30_000 })),
            (&[20], 1000, None),
            (&[20, 20, 20], 1000, Some(Frame::exactly(20))),
            (&[427, 427, 426], 12_800, Some(Frame { ticks: 12_800, frames: 30 })),
            (&[426], 12_800, Some(Frame { ticks: 12_800, frames: 30 })),
            (&[427, 427, 427], 12_800, Some(Frame { ticks: 12_800 * 1001, frames: 30_000 })),
            // What nobody uses.
            (&[777], 10_000, Some(Frame::exactly(777))),
            (&[], 10_000, None),
        ] {
            assert_eq!(frame(durations, hz), wanted, "{durations:?} at {hz}");
        }
        let beat = cadence(2000, 6).gather(frame(&[1501], 90_000).unwrap(), scale(90_000)).unwrap();
        assert_eq!(beat.frame_rate().to_string(), "59.940");
        assert_eq!(beat.target(), MediaTime::new(20 * 3003 / 2, scale(90_000)));
    }

    proptest! {
        #[test]
        fn no_part_of_rounded_frames_is_longer_than_the_target(rate in 0usize..16, hz in 1000u32..96_000, first in 0u64..1_000_000, parts in 1u32..20) {
            let (frames, seconds) = RATES[rate];
            let at = |n: u64| n * seconds * u64::from(hz) / frames;
            let durations: Vec<u32> = (first..first + 400).map(|n| (at(n + 1) - at(n)) as u32).collect();
            let frame = Frame::of(&durations, scale(hz)).unwrap();
            if let Some(beat) = cadence(2000, parts).gather(frame, scale(hz)) {
                let part: u64 = durations.iter().take(beat.count as usize).map(|d| u64::from(*d)).sum();
                prop_assert!(part <= beat.target().ticks().cast_unsigned(), "{part} {beat:?}");
                prop_assert!(part * 100 >= 99 * beat.target().ticks().cast_unsigned() - 100, "{part} {beat:?}");
            }
        }

        #[test]
        fn whoever_begins_with_another_frame_finds_the_same_rate(rate in 0usize..16, hz in 1000u32..96_000, first in 0u64..1_000_000) {
            let (frames, seconds) = RATES[rate];
            let at = |n: u64| n * seconds * u64::from(hz) / frames;
            let found = |first: u64| {
                let durations: Vec<u32> = (first..first + 12).map(|n| (at(n + 1) - at(n)) as u32).collect();
                Frame::of(&durations, scale(hz)).unwrap()
            };
            prop_assert_eq!(found(first), found(first + 1));
        }

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
