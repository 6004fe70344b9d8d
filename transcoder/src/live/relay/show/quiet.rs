//! What a show does while its publisher is silent.

use super::super::past::SETTLE_MS;
use super::super::ring::Placed;
use super::super::timeline::Role;
use super::super::{Event, Silence, tell};
use super::{Phase, Show};

/// What is done about a publisher that is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiet {
    /// It is not.
    No,
    /// Its last picture is shown, this many milliseconds behind the clock.
    Slate(i64),
    /// A gap.
    Paused,
}

impl Show<'_> {
    /// Where the publisher's sound has stopped and its pictures go on, the sound goes on too: players wait for both.
    pub(super) fn stand_in_for_sound(&mut self) {
        let (Some(shown), Some(heard)) = (self.timeline.last_shown(), self.timeline.last(Role::Sound)) else {
            return;
        };
        if shown.saturating_sub(heard) > i64::from(2 * SILENT_MS) {
            let until_ms = shown.saturating_sub(i64::from(SILENT_MS));
            for placed in self.slate.silence_up_to(until_ms, &mut self.timeline) {
                self.ring.push(placed);
            }
        }
    }

    /// The publisher is silent.
    pub(super) fn be_quiet(&mut self, now_ms: i64) {
        match self.phase {
            // No more will come of it for now.
            Phase::Gathering(from) => return self.gather(from, true),
            Phase::Waiting | Phase::Looking(_) => return,
            Phase::Running => {}
        }
        match (self.relay.settings.silence, self.quiet) {
            (Silence::Slate, Quiet::No) => {
                let Some(last) = self.timeline.last_shown() else { return };
                tell(&self.events, Event::SlateOn);
                self.quiet = Quiet::Slate(self.heard_ms.saturating_sub(last));
            }
            (Silence::Gap, Quiet::No) => {
                tell(&self.events, Event::Paused);
                self.quiet = Quiet::Paused;
                let boundary_ms = self.make_segment_whole().unwrap_or(now_ms);
                if !self.making.rest_at(self.ring.end(), boundary_ms) {
                    self.ring.clear();
                    self.phase = Phase::Waiting;
                }
                return;
            }
            (_, Quiet::Slate(_) | Quiet::Paused) => {}
        }
        if let Quiet::Slate(behind_ms) = self.quiet {
            self.show_last_until(now_ms.saturating_sub(behind_ms));
        }
    }

    /// Shows the last picture up to the end of the segment that was begun, before a gap: players that have parts of a segment
    /// wait for the rest of it, and hls.js does so for good where that is said to be missing. Gives when the segment ends.
    fn make_segment_whole(&mut self) -> Option<i64> {
        let boundary = self.timeline.boundary_from(self.timeline.last_shown()?.saturating_add(1));
        let before = self.making.frame_before(boundary)?;
        self.show_last_until(before.saturating_sub(1));
        // The encoder ends with the frame that it has, so this one must be the last of the segment.
        if let Some((tag, offset_ms)) = self.slate.key.clone()
            && self.timeline.last_shown().is_some_and(|last| last < before)
        {
            let at_ms = before.saturating_sub(offset_ms);
            self.timeline.fill(Role::Key, at_ms, offset_ms);
            self.ring.push(Placed { tag, role: Role::Key, at_ms, shown_ms: before });
        }
        // The last frame of sound that begins in the segment is made too, and nothing of what is fed for it behind it.
        for placed in self.slate.silence_up_to(boundary.saturating_add(SETTLE_MS), &mut self.timeline) {
            self.ring.push(placed);
        }
        Some(boundary)
    }

    fn show_last_until(&mut self, until_ms: i64) {
        for placed in self.slate.up_to(until_ms, &mut self.timeline) {
            if placed.role == Role::Key {
                self.making.check_grid(true, placed.shown_ms);
            }
            self.ring.push(placed);
        }
    }
}

/// How long a publisher may send nothing that is of use, in milliseconds.
pub(super) const SILENT_MS: u32 = 700;
