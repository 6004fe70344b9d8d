//! A store that does not answer is left alone for a moment, so that whoever asks learns it at once and the store has time to
//! recover.
//!
//! ```text
//! closed ──five questions in a row fail──▶ open for 1 s ──▶ one question is let through
//!    ▲                                         ▲                  │        │
//!    └──────────────── answered ───────────────┼──────────────────┘        │
//!                                              └── fails: open for 2, 4, 8 s
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whether a store is asked.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// It is, and so many questions in a row have failed.
    Closed(u32),
    /// It is not, but for one question after that moment; the pause is what it is left alone for.
    Open { until: Instant, pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(0)
    }
}

impl Breaker {
    /// Whether a question may be put now. Where the store is left alone, it is a trial each time that this is true.
    pub(super) fn admits(&self) -> bool {
        let mut state = self.lock();
        match &mut *state {
            State::Closed(_) => true,
            State::Open { until, pause } if *until <= Instant::now() => {
                // A trial that never ends is followed by another.
                *until = Instant::now() + *pause;
                true
            }
            State::Open { .. } => false,
        }
    }

    /// A question has been answered, or has failed. True where that opens or closes it.
    pub(super) fn learns(&self, is_answered: bool) -> bool {
        let mut state = self.lock();
        let (next, has_changed) = match (*state, is_answered) {
            (State::Closed(_), true) => (State::Closed(0), false),
            (State::Open { .. }, true) => (State::Closed(0), true),
            (State::Closed(failures), false) if failures + 1 < FAILURES => {
                (State::Closed(failures + 1), false)
            }
            (State::Closed(_), false) => (opened(FIRST_PAUSE), true),
            // Those who were let in before it opened know nothing new.
            (State::Open { until, pause }, false) if until.duration_since(Instant::now()) < pause / 2 => {
                (State::Open { until, pause }, false)
            }
            (State::Open { pause, .. }, false) => (opened((pause * 2).min(LONGEST_PAUSE)), false),
        };
        *state = next;
        has_changed
    }

    /// Whether the store is left alone.
    pub(super) fn is_open(&self) -> bool {
        matches!(*self.lock(), State::Open { .. })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(pause: Duration) -> State {
    State::Open { until: Instant::now() + pause, pause }
}

/// Questions in a row that fail before the store is left alone.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
