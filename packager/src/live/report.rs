//! Rendition reports: where the other playlists of a show end (RFC 8216bis §4.4.5.4).
//!
//! A report is computed from the end of the playlist it stands in and the cadence of the other track, not from what
//! has arrived of that one: so two origins write the same. It never promises more than the cadence does; a client that
//! comes before its part waits for it as it would for any other.

use super::cadence::{Beat, Cadence};
use crate::asset::RenditionName;
use crate::time::{MediaTime, Msn, Rounding, Timescale};

/// One `EXT-X-RENDITION-REPORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) name: RenditionName,
    pub(super) msn: Msn,
    pub(super) part: u64,
}

/// What must be known of a track to tell where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) beat: Beat,
    pub(super) is_video: bool,
    /// The first segment that it had, and where that began.
    pub(super) first: Msn,
    pub(super) start: MediaTime,
    /// Where a sample of it begins.
    pub(super) sample: MediaTime,
    /// How far behind the grid its segments begin: keyframes need not be on it. `None` until a segment has begun behind
    /// another: the first may begin at any keyframe.
    pub(super) late: Option<MediaTime>,
}

impl Pace {
    /// The last segment and part of the track that end no later than `end`; `None` before its first.
    pub(super) fn last(&self, cadence: Cadence, end: MediaTime) -> Option<(Msn, u64)> {
        let scale = self.scale();
        // Half a sample of grace: the ends of two tracks need not fall on the same tick.
        let mut end = end.rescale(scale, Rounding::Down).ticks().saturating_add(self.beat.slack());
        let mut msn = cadence.number(MediaTime::new(end, scale)).max(self.first);
        if self.late.is_none() {
            // The first segment may end where the next number begins, or later; its first part is over all the same.
            let begun = self.begin(cadence, self.first);
            let earliest = cadence.start(self.after(self.first), scale).ticks();
            end = end.min(earliest.max(begun.saturating_add(self.beat.target().ticks())));
            msn = self.first;
        }
        if self.begin(cadence, msn) > end {
            msn = Msn(msn.0.checked_sub(1)?);
        }
        let made = self.beat.parts_of(end.saturating_sub(self.begin(cadence, msn)));
        let (msn, parts) = match made.min(self.parts(cadence, msn)) {
            0 => {
                let former = Msn(msn.0.checked_sub(1)?);
                (former, self.parts(cadence, former))
            }
            made => (msn, made),
        };
        (msn >= self.first).then_some((msn, parts.saturating_sub(1)))
    }

    fn scale(&self) -> Timescale {
        self.beat.target().timescale()
    }

    fn after(&self, msn: Msn) -> Msn {
        Msn(msn.0.saturating_add(1))
    }

    /// Where a segment begins, in ticks: video with the frame at its place, or else the first behind it or nearly half a frame
    /// before it, sound with the first behind it.
    fn begin(&self, cadence: Cadence, msn: Msn) -> i64 {
        let ticks = |time: MediaTime| time.rescale(self.scale(), Rounding::Nearest).ticks();
        if msn == self.first {
            return ticks(self.start);
        }
        let grid = cadence.start(msn, self.scale()).ticks().saturating_add(self.late.map_or(0, ticks));
        let sample = ticks(self.sample);
        // Where all are equally late, it is known to a tick.
        let tenths = match self.is_video {
            true if self.beat.divides(cadence.segment()) => 5,
            true => 4,
            false => 0,
        };
        sample.saturating_add(self.beat.whole_frames(grid.saturating_sub(sample), tenths))
    }

    fn parts(&self, cadence: Cadence, msn: Msn) -> u64 {
        let length = self.begin(cadence, self.after(msn)).saturating_sub(self.begin(cadence, msn));
        // Where a boundary falls between two frames, a segment may have one less.
        let is_exact = !self.is_video || self.beat.divides(cadence.segment());
        let length = if is_exact { length } else { length.saturating_sub(self.beat.sample()) };
        self.beat.parts_in(MediaTime::new(length, self.scale()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn cadence() -> Cadence {
        Cadence::new(NonZeroU32::new(2000).unwrap(), NonZeroU32::new(6).unwrap())
    }

    fn video() -> Pace {
        let beat = cadence().beat(512, Timescale::new(15_360).unwrap()).unwrap();
        let (start, sample, late) =
            (MediaTime::from_millis(10_000), MediaTime::from_millis(0), Some(MediaTime::from_millis(0)));
        Pace { beat, is_video: true, first: Msn(5), start, sample, late }
    }

    fn sound() -> Pace {
        let beat = cadence().beat(1024, Timescale::new(48_000).unwrap()).unwrap();
        // The first frame behind 10 s.
        Pace {
            beat,
            is_video: false,
            start: MediaTime::new(469 * 1024, Timescale::new(48_000).unwrap()),
            ..video()
        }
    }

    #[test]
    fn a_report_names_the_last_part_that_is_over() {
        for (pace, end_ms, wanted) in [
            (video(), 12_000, Some((Msn(5), 5))),
            (video(), 12_334, Some((Msn(6), 0))),
            (video(), 12_300, Some((Msn(5), 5))),
            (video(), 13_999, Some((Msn(6), 5))),
            (video(), 10_334, Some((Msn(5), 0))),
            (video(), 10_000, None),
            // Segment 6 of the sound begins at 12.010667 s, and a part of it is 0.341333 s.
            (sound(), 12_000, Some((Msn(5), 5))),
            (sound(), 12_300, Some((Msn(5), 5))),
            (sound(), 12_352, Some((Msn(6), 0))),
            (sound(), 12_341, Some((Msn(5), 5))),
        ] {
            let found = pace.last(cadence(), MediaTime::from_millis(end_ms));
            assert_eq!(found, wanted, "{end_ms} {}", pace.is_video);
        }
    }

    #[test]
    fn what_begins_in_the_middle_of_a_segment_promises_nothing_behind_its_end() {
        let unknown = Pace { start: MediaTime::from_millis(11_000), late: None, ..video() };
        let known = Pace { late: Some(MediaTime::from_millis(1000)), ..unknown };
        let on_grid = Pace { late: Some(MediaTime::from_millis(0)), ..unknown };
        for (end_ms, wanted) in [
            (11_000, [None; 3]),
            (11_700, [Some((5, 1)); 3]),
            (12_400, [Some((5, 2)), Some((5, 3)), Some((6, 0))]),
            (13_400, [Some((5, 2)), Some((6, 0)), Some((6, 3))]),
        ] {
            let told = |pace: &Pace| {
                pace.last(cadence(), MediaTime::from_millis(end_ms)).map(|(msn, part)| (msn.0, part))
            };
            assert_eq!([&unknown, &known, &on_grid].map(told), wanted, "{end_ms}");
        }
    }
}
