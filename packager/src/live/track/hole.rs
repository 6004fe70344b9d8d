//! What is listed where something is missing.
//!
//! ```text
//! here ─┤ GAP parts │ EXT-X-GAP │ EXT-X-GAP │ GAP part ├─ the next sample
//!       └ the rest of the segment that was begun       └ nothing where it is the first of its segment
//! ```

use super::super::cadence::Beat;
use super::super::feed::Taken;
use super::super::segment::Settled;
use super::Track;
use crate::time::Msn;

impl Track {
    /// Bridges a hole up to `position`, where the next sample is.
    pub(super) fn bridge(&mut self, position: i64, taken: &mut Taken) {
        taken.holes += 1;
        self.flush(Settled::No, taken);
        let number = self.number(position);
        if number.0.saturating_sub(self.segments.open().msn.0) > LONGEST_HOLE {
            // Nobody who saw what was before is still waiting. It leaves the playlist at once.
            self.leap = Some(number);
            self.segments.leap(self.at(self.next), number, self.at(position));
            self.next = position;
            return;
        }
        while self.segments.open().msn < number {
            let open = self.segments.open();
            let next = Msn(open.msn.0.saturating_add(1));
            let grid = self.expected_end().max(self.next).min(position);
            // A segment of sound begins with its first frame, after a hole as anywhere: what is before that is no part of it.
            let is_first = next == number && !self.is_video() && position.saturating_sub(grid) < self.frame();
            let boundary = if is_first { position } else { grid };
            if !open.parts.is_empty() {
                self.fill(boundary);
            }
            self.next = boundary;
            self.close(next, boundary, taken);
        }
        self.fill(position);
    }

    /// How long a sample is, in ticks; zero as long as that is not known.
    fn frame(&self) -> i64 {
        self.beat().map_or(0, Beat::sample)
    }

    /// Lists missing parts up to `position` in the open segment.
    fn fill(&mut self, position: i64) {
        let longest = self.beat().map_or(1, |beat| beat.target().ticks());
        self.segments.fill(self.at(self.next), self.at(position), longest);
        self.next = position;
    }
}

/// Segments: twelve hours of two seconds. A hole that is longer starts the window anew.
const LONGEST_HOLE: u64 = 21_600;
