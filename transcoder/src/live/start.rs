//! Where a run of the tool begins on the timeline of the show.
//!
//! ```text
//!   the former run           │ killed, started again │  the new run
//! ──────────────────┬────────┴───────────────────────┼────────────────▶ Unix time
//!           first ──┘  made at once, as fast as      └── due: from here on at the clock's pace
//!                      the machine can (`late` frames)
//! ```
//!
//! A new run repeats a little, so that each track overlaps with its former end, and begins each picture track anew with
//! a key frame at exactly that end: an origin drops what it has, and goes on there.

use std::time::Duration;

use super::command::FRAME_RATE;

/// Where a run begins, in frames since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    first: u64,
    late: u64,
    /// Where each picture track goes on that has come to an end in between, as a number of frames from the first.
    resumed: Vec<u64>,
}

impl Start {
    /// A run whose frames are due from `time` on, the time since 1970.
    pub(super) fn at(time: Duration) -> Self {
        Self { first: frame_at(time), late: 0, resumed: Vec::new() }
    }

    /// A run that makes what is missing since the tracks ended, in microseconds since 1970, pictures first, the sound
    /// last. Where one has not begun, or all ended too long ago, it is as [`Self::at`].
    pub(super) fn after(time: Duration, ends: &[u64]) -> Self {
        let fresh = Self::at(time);
        let Some((_, pictures)) = ends.split_last() else { return fresh };
        let earliest = ends.iter().min().copied().unwrap_or_default();
        let first = (earliest.saturating_sub(OVERLAP) * FRAME_RATE).div_ceil(MICROS);
        match fresh.first.checked_sub(first) {
            Some(late) if late <= LONGEST * FRAME_RATE => {
                let nearest = |end: &u64| (end * FRAME_RATE + MICROS / 2) / MICROS;
                let resumed = pictures.iter().map(|end| nearest(end).saturating_sub(first)).collect();
                Self { first, late, resumed }
            }
            _ => fresh,
        }
    }

    /// The number of its first frame.
    pub(super) fn frame(&self) -> u64 {
        self.first
    }

    /// How many frames are overdue when it begins.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// The frame of its own, counted from its first, that a picture track goes on with where a former run left it.
    pub(super) fn resumed(&self, track: usize) -> Option<u64> {
        self.resumed.get(track).copied()
    }

    /// The time of its first frame, to the nearest microsecond.
    pub(super) fn micros(&self) -> u64 {
        micros_of(self.first)
    }

    /// The time since 1970 at which it is to begin, in microseconds.
    pub(super) fn due(&self) -> u64 {
        micros_of(self.first.saturating_add(self.late))
    }

    /// The time of the first sound frame: of all frames of 1,024 samples since 1970 the one that is nearest. Each run
    /// goes on in the rhythm of the one before.
    pub(super) fn sound_micros(&self) -> u64 {
        // 1,600 samples of sound go with a picture; 1,024 of them last 64,000 thirds of a microsecond.
        let frame = (self.first.saturating_mul(1_600) + 512) / 1_024;
        (frame.saturating_mul(128_000) + 3) / 6
    }
}

fn frame_at(time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    millis.saturating_mul(FRAME_RATE) / 1000
}

fn micros_of(frame: u64) -> u64 {
    (frame.saturating_mul(2 * MICROS) + FRAME_RATE) / (2 * FRAME_RATE)
}

const MICROS: u64 = 1_000_000;
/// What a new run repeats, in microseconds: the sound's encoder needs some frames to settle.
const OVERLAP: u64 = 150_000;
/// The longest outage that is made up for, in seconds.
const LONGEST: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_run_begins_on_the_frame_that_is_due() {
        for (millis, frames) in [(0, 0), (33, 0), (34, 1), (999, 29), (1000, 30)] {
            let start = Start::at(Duration::from_millis(NOW * 1000 + millis));
            assert_eq!((start.frame(), start.late()), (NOW * 30 + frames, 0));
            assert!(start.micros().abs_diff(NOW * MICROS + millis * 1000) < 34_000);
            assert_eq!(start.due(), start.micros());
        }
        assert_eq!((micros_of(1), micros_of(2)), (33_333, 66_667));
    }

    #[test]
    fn a_run_after_another_overlaps_with_the_track_that_ended_first() {
        let end = |frame: u64| micros_of(NOW * 30 + frame);
        // The one picture track has come five frames further; the sound ended between two frames.
        let ends = [end(25), end(20), end(22) + 11_000];
        let start = Start::after(Duration::from_secs(NOW + 2), &ends);
        assert_eq!((start.frame(), start.late()), (NOW * 30 + 16, 44));
        assert_eq!((start.resumed(0), start.resumed(1), start.resumed(2)), (Some(9), Some(4), None));
        assert_eq!(start.due(), (NOW + 2) * MICROS);
    }

    #[test]
    fn what_cannot_be_made_up_for_is_not() {
        let now = Duration::from_secs(NOW);
        let ago = |seconds: u64| (NOW - seconds) * MICROS;
        for ends in
            [&[][..], &[0, 0, 0], &[ago(1), 0, ago(1)], &[ago(60), ago(1), ago(1)], &[ago(0) + 2 * MICROS; 3]]
        {
            assert_eq!(Start::after(now, ends), Start::at(now), "{ends:?}");
        }
        assert_ne!(Start::after(now, &[ago(9); 3]), Start::at(now));
    }

    proptest::proptest! {
        #[test]
        fn the_sound_of_every_run_has_one_rhythm(millis in 0_u64..3_000_000_000_000) {
            let start = Start::at(Duration::from_millis(millis));
            let micros = start.sound_micros();
            // To the nearest tick of 48 kHz it is a multiple of 1,024.
            let ticks = (u128::from(micros) * 48_000 + 500_000) / 1_000_000;
            proptest::prop_assert_eq!(ticks % 1_024, 0);
            // Half a frame of sound, which lasts 21,333 microseconds.
            proptest::prop_assert!(micros.abs_diff(start.micros()) <= 10_668);
        }
    }
}
