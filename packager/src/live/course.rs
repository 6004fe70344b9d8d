//! How a track goes on, learnt from its first segments: where the next ones begin, for those who tell where it ends.

use super::cadence::Beat;
use super::report::Pace;
use crate::time::{MediaTime, Msn, Rounding};

/// What a track has shown so far of where its segments begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    first: Msn,
    start: MediaTime,
    /// Where a sample begins.
    sample: MediaTime,
    late: Option<MediaTime>,
    /// An encoder has begun: where the next segment begins is where all will.
    is_new: bool,
}

impl Course {
    /// A track begins with a segment that is so far behind the grid. Where others of it are is not known then, unless it
    /// is as near to the grid as it can be.
    pub(super) fn new(first: Msn, start: MediaTime, late: MediaTime, is_near: bool) -> Self {
        Self { first, start, sample: start, late: is_near.then_some(late), is_new: !is_near }
    }

    /// Where the track began.
    pub(super) fn start(&self) -> MediaTime {
        self.start
    }

    /// Another encoder goes on.
    pub(super) fn renew(&mut self, is_video: bool) {
        self.is_new = is_video;
    }

    /// A segment has begun where the one before it ended, so far behind the grid.
    pub(super) fn enter(&mut self, msn: Msn, late: MediaTime) {
        if self.is_new && self.first < msn {
            (self.late, self.is_new) = (Some(late), false);
        }
    }

    /// Learns where samples begin, where they do not follow each other as they did.
    pub(super) fn steer(&mut self, at: MediaTime, beat: Beat) {
        let known = self.sample.rescale(at.timescale(), Rounding::Nearest).ticks();
        let off = at.ticks().saturating_sub(known);
        // Frames are rounded to ticks.
        if beat.whole_frames(off, 5).abs_diff(off) > 1 {
            self.sample = at;
        }
    }

    /// What others need to tell where the track ends.
    pub(super) fn pace(&self, beat: Beat, is_video: bool) -> Pace {
        let Self { first, start, sample, late, .. } = *self;
        Pace { beat, is_video, first, start, sample, late }
    }
}
