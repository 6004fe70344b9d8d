//! What a show does while its publisher is silent.

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
                if !self.making.end_at(self.ring.end(), None) {
                    self.ring.clear();
                    self.phase = Phase::Waiting;
                }
                return;
            }
            (_, Quiet::Slate(_) | Quiet::Paused) => {}
        }
        if let Quiet::Slate(behind_ms) = self.quiet {
            let made = self.slate.up_to(now_ms.saturating_sub(behind_ms), &mut self.timeline);
            for placed in made {
                if placed.role == Role::Key {
                    self.making.check_grid(true, placed.shown_ms);
                }
                self.ring.push(placed);
            }
        }
    }
}

/// How long a publisher may send nothing that is of use, in milliseconds.
pub(super) const SILENT_MS: u32 = 700;
