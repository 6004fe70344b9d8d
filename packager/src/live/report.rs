//! Rendition reports: where the other playlists of a show end (RFC 8216bis §4.4.5.4).
//!
//! A report is computed from the end of the playlist it stands in and the cadence of the other track, not from what
//! has arrived of that one: so two origins write the same. It never promises more than the cadence does; a client that
//! comes before its part waits for it as it would for any other.

use super::cadence::{Beat, Cadence};
use crate::asset::RenditionName;
use crate::time::{MediaTime, Msn, Rounding};

/// One `EXT-X-RENDITION-REPORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) name: RenditionName,
    pub(super) msn: Msn,
    pub(super) part: u64,
}

/// What must be known of a track to tell where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) beat: Beat,
    /// Where a segment of it begins, for the phase of its samples.
    pub(super) sample_at: i64,
    /// How far behind the grid its segments begin, in its ticks: keyframes need not be on it. Zero for sound.
    pub(super) late: i64,
    pub(super) is_video: bool,
    /// The first segment that it has.
    pub(super) first: Msn,
}

impl Pace {
    /// The last segment and part of the track that end no later than `end`; `None` before its first.
    pub(super) fn last(&self, cadence: Cadence, end: MediaTime) -> Option<(Msn, u64)> {
        let scale = self.beat.target().timescale();
        // Half a sample of grace: the ends of two tracks need not fall on the same tick.
        let end = end.rescale(scale, Rounding::Down).ticks().saturating_add(self.beat.slack());
        let mut msn = cadence.number(MediaTime::new(end, scale));
        if self.start(cadence, msn) > end && msn.0 > 0 {
            msn = Msn(msn.0 - 1);
        }
        let target = self.beat.target().ticks().max(1);
        let made = end.saturating_sub(self.start(cadence, msn)).max(0) / target;
        let (msn, parts) = match made {
            0 => {
                let former = Msn(msn.0.checked_sub(1)?);
                (former, self.parts(cadence, former))
            }
            made => (msn, made.unsigned_abs().min(self.parts(cadence, msn))),
        };
        (msn >= self.first).then_some((msn, parts.saturating_sub(1)))
    }

    /// Where a segment begins, in ticks.
    fn start(&self, cadence: Cadence, msn: Msn) -> i64 {
        let grid = cadence.start(msn, self.beat.target().timescale()).ticks();
        if self.is_video {
            return grid.saturating_add(self.late);
        }
        let sample = self.beat.sample();
        // The first frame at or after the boundary.
        grid.saturating_add((self.sample_at.saturating_sub(grid)).rem_euclid(sample))
    }

    fn parts(&self, cadence: Cadence, msn: Msn) -> u64 {
        let scale = self.beat.target().timescale();
        let length =
            self.start(cadence, Msn(msn.0.saturating_add(1))).saturating_sub(self.start(cadence, msn));
        self.beat.parts_in(MediaTime::new(length, scale))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::time::Timescale;

    fn cadence() -> Cadence {
        Cadence::new(NonZeroU32::new(2000).unwrap(), NonZeroU32::new(6).unwrap())
    }

    fn video() -> Pace {
        let beat = cadence().beat(512, Timescale::new(15_360).unwrap()).unwrap();
        Pace { beat, sample_at: 0, late: 0, is_video: true, first: Msn(5) }
    }

    fn sound() -> Pace {
        let beat = cadence().beat(1024, Timescale::new(48_000).unwrap()).unwrap();
        Pace { beat, sample_at: 0, late: 0, is_video: false, first: Msn(5) }
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
}
