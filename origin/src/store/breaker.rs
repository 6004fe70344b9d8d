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

/// Whether a store, or whoever else answers, is asked.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    /// Questions in a row that fail before it is left alone.
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// It is, and so many questions in a row have failed.
    Closed(u32),
    /// It is not, but for one question after that moment; the pause is what it is left alone for. Whether that question
    /// has been put.
    Open { until: Instant, pause: Duration, is_tried: bool },
}

impl Default for Breaker {
    /// Five failures in a row.
    fn default() -> Self {
        Self::after(FAILURES)
    }
}

impl Breaker {
    /// One that opens after so many failures in a row.
    pub(crate) fn after(failures: u32) -> Self {
        Self { state: Mutex::new(State::Closed(0)), failures }
    }

    /// Whether a question may be put now. Where the store is left alone, it is a trial each time that this is true.
    pub(crate) fn admits(&self) -> bool {
        let mut state = self.lock();
        match &mut *state {
            State::Closed(_) => true,
            State::Open { until, pause, is_tried } if *until <= Instant::now() => {
                // A trial that never ends is followed by another.
                (*until, *is_tried) = (Instant::now() + *pause, true);
                true
            }
            State::Open { .. } => false,
        }
    }

    /// A question has been answered, or has failed. True where that opens or closes it.
    pub(crate) fn learns(&self, is_answered: bool) -> bool {
        let mut state = self.lock();
        let (next, has_changed) = match (*state, is_answered) {
            (State::Closed(_), true) => (State::Closed(0), false),
            (State::Open { .. }, true) => (State::Closed(0), true),
            (State::Closed(failures), false) if failures + 1 < self.failures => {
                (State::Closed(failures + 1), false)
            }
            (State::Closed(_), false) => (opened(FIRST_PAUSE), true),
            (State::Open { pause, is_tried: true, .. }, false) => {
                (opened((pause * 2).min(LONGEST_PAUSE)), false)
            }
            // Those who were let in before it opened know nothing new.
            (open @ State::Open { .. }, false) => (open, false),
        };
        *state = next;
        has_changed
    }

    /// Whether the store is left alone.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.lock(), State::Open { .. })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(pause: Duration) -> State {
    State::Open { until: Instant::now() + pause, pause, is_tried: false }
}

const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many milliseconds it lets somebody through.
    async fn admits_after(breaker: &Breaker) -> u64 {
        let began = Instant::now();
        while !breaker.admits() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        u64::try_from(began.elapsed().as_millis()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_trials_that_fail_for_longer_each_time() {
        let breaker = Breaker::default();
        for answered in [false, false, false, false, true, false, false, false, false] {
            assert!(breaker.admits() && !breaker.learns(answered));
        }
        assert!(breaker.learns(false), "the fifth in a row");
        for pause in [1_000, 2_000, 4_000, 8_000, 8_000] {
            assert_eq!(admits_after(&breaker).await, pause);
            assert!(!breaker.admits(), "one trial");
            assert!(!breaker.learns(false) && breaker.is_open());
        }
        admits_after(&breaker).await;
        assert!(breaker.learns(true) && !breaker.is_open() && breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_fail_together_open_it_for_no_longer_than_one_does() {
        let breaker = Breaker::default();
        (0..500).for_each(|_| assert!(breaker.admits()));
        (0..500).for_each(|_| _ = breaker.learns(false));
        assert_eq!(admits_after(&breaker).await, 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_never_ends_is_followed_by_another() {
        let breaker = Breaker::default();
        (0..5).for_each(|_| _ = breaker.learns(false));
        assert_eq!(admits_after(&breaker).await, 1_000);
        assert_eq!(admits_after(&breaker).await, 1_000);
    }
}
