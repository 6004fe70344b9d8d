//! Where the tracks of a run begin, so that each goes on where it ended.

use packager::time::{MediaTime, Rounding, Timescale};

use super::command::{AAC_FRAME, SOUND_RATE};
use super::plan::Plan;
use super::ring::Placed;

/// Where a run begins.
pub(super) struct Begins<'a> {
    /// The first tag that it is fed.
    pub(super) key: Placed,
    pub(super) plan: &'a Plan,
    /// Whether tracks go on where they ended, rather than after a gap.
    pub(super) bridges: bool,
}

impl Begins<'_> {
    /// The first frame of a rung that ended at `end`, since 1970.
    pub(super) fn frame(&self, end: Option<MediaTime>) -> u64 {
        let first = self.plan.rate.frames(MediaTime::from_millis(self.key.shown_ms));
        match end {
            Some(end) if self.reaches(end) => self.plan.rate.frames(end),
            Some(end) => first.max(self.plan.rate.frames(end)),
            None => first,
        }
    }

    /// The first sample of the first frame of the sound that ended at `end`, since 1970, where sound is fed from
    /// `heard_ms` on. The encoder needs some frames to settle; what they repeat is dropped.
    pub(super) fn sample(&self, end: Option<MediaTime>, heard_ms: Option<i64>) -> u64 {
        let first = frame_from(self.key.shown_ms);
        let Some(end) = end else { return first };
        let samples =
            Timescale::new(sound_hertz()).map_or(0, |scale| end.rescale(scale, Rounding::Nearest).ticks());
        let samples = u64::try_from(samples).unwrap_or(0);
        match (self.reaches(end), heard_ms) {
            (true, Some(heard_ms)) => {
                frame_from(heard_ms).max(samples.saturating_sub(SETTLE * AAC_FRAME)).min(samples)
            }
            (true, None) => samples,
            (false, _) => first.max(samples),
        }
    }

    /// Whether a track that ended at `end` goes on there: what little is missing is the first picture, or silence.
    fn reaches(&self, end: MediaTime) -> bool {
        self.bridges && self.key.shown_ms.saturating_sub(millis(end)) <= LONGEST_BRIDGE_MS
    }
}

/// The first sample of the first frame of sound that does not begin before a moment.
fn frame_from(at_ms: i64) -> u64 {
    let samples = u64::try_from(at_ms).unwrap_or(0).saturating_mul(SOUND_RATE / 1_000);
    samples.div_ceil(AAC_FRAME).saturating_mul(AAC_FRAME)
}

fn sound_hertz() -> u32 {
    u32::try_from(SOUND_RATE).unwrap_or(u32::MAX)
}

/// Whole milliseconds, towards the past.
pub(super) fn millis(time: MediaTime) -> i64 {
    time.rescale(Timescale::MILLIS, Rounding::Down).ticks()
}

/// Frames of sound that are made again when a run goes on.
pub(super) const SETTLE: u64 = 6;
/// What is bridged where an encoder begins later than the one before it ended, in milliseconds.
pub(super) const LONGEST_BRIDGE_MS: i64 = 2_000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::{Tag, TagKind};
    use crate::ladder::FrameRate;
    use crate::live::relay::timeline::Role;
    use crate::source::tests::picture;

    const NOW: i64 = 1_800_000_000_000;

    fn plan(num: u32, den: u32) -> Plan {
        let rate = FrameRate::new(num, den).unwrap();
        Plan { source: picture(640, 360), rate, rungs: Vec::new(), is_passed: false, has_sound: true }
    }

    fn begins(plan: &Plan, key_ms: i64, bridges: bool) -> Begins<'_> {
        let tag = Tag { kind: TagKind::Video, at_ms: 0, data: Bytes::new() };
        Begins { key: Placed { tag, role: Role::Key, at_ms: key_ms, shown_ms: key_ms }, plan, bridges }
    }

    /// The end of so many frames of sound after a moment.
    fn sound_end(frames: u64) -> (u64, MediaTime) {
        let samples = frame_from(NOW) + frames * AAC_FRAME;
        (samples, MediaTime::new(samples.cast_signed(), Timescale::new(48_000).unwrap()))
    }

    #[test]
    fn a_first_run_begins_with_its_keyframe() {
        let plan = plan(30, 1);
        let begins = begins(&plan, NOW + 2_000, true);
        assert_eq!(begins.frame(None), 1_800_000_002 * 30);
        let sample = begins.sample(None, None);
        assert!(sample.is_multiple_of(AAC_FRAME));
        assert!((0..AAC_FRAME).contains(&(sample - 1_800_000_002 * 48_000)));
    }

    #[test]
    fn what_was_missed_for_long_is_a_gap_and_so_is_a_pause() {
        let plan = plan(30, 1);
        let end = Some(MediaTime::from_millis(NOW));
        assert_eq!(begins(&plan, NOW + 1_000, true).frame(end), 1_800_000_000 * 30);
        assert_eq!(begins(&plan, NOW + 1_000, false).frame(end), 1_800_000_001 * 30);
        assert_eq!(begins(&plan, NOW + 3_000, true).frame(end), 1_800_000_003 * 30);
        let (_, end) = sound_end(0);
        assert_eq!(begins(&plan, NOW + 3_000, true).sample(Some(end), None), frame_from(NOW + 3_000));
    }

    proptest! {
        #[test]
        fn a_track_goes_on_at_the_frame_at_which_it_ended(
            rate in prop::sample::select(vec![(30, 1), (30_000, 1_001), (24_000, 1_001), (25, 1), (60_000, 1_001)]),
            frames in 0_u64..1_000, back_ms in 0_i64..20_000,
        ) {
            let plan = plan(rate.0, rate.1);
            let first = plan.rate.frames(MediaTime::from_millis(NOW));
            let end = plan.rate.at(first + frames);
            let begins = begins(&plan, millis(end) - back_ms, true);
            prop_assert_eq!(begins.frame(Some(end)), first + frames);
        }

        #[test]
        fn sound_begins_early_enough_to_settle_and_never_after_its_end(
            frames in 0_u64..800, key_ms in -4_000_i64..1_000, heard_ms in prop::option::of(-4_000_i64..4_000),
        ) {
            let plan = plan(30, 1);
            let (samples, end) = sound_end(frames);
            let at = |ms| millis(end) + ms;
            let sample = begins(&plan, at(key_ms), true).sample(Some(end), heard_ms.map(at));
            prop_assert!(sample <= samples && sample + SETTLE * AAC_FRAME >= samples);
            prop_assert!(sample.is_multiple_of(AAC_FRAME));
            if let Some(heard) = heard_ms.filter(|heard| *heard < 0) {
                prop_assert!(sample + AAC_FRAME >= u64::try_from(at(heard)).unwrap() * 48 || sample == samples);
            }
        }
    }
}
