//! A second question where the first takes longer than nearly all before it: object stores answer most in milliseconds and
//! some, on a machine that is in trouble, in seconds.
//!
//! ```text
//! asked ────────────────────────────────── … ──▶ answer, too late
//!        95 % are answered by now │
//!                                 └ asked again ──▶ answer
//! ```

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep};

use super::budget::Budget;

/// When a question is put a second time, and how often that may be.
#[derive(Debug)]
pub(super) struct Hedge {
    known: Mutex<Known>,
    budget: Budget,
}

/// How long the last answers took.
#[derive(Debug, Default)]
struct Known {
    times: Vec<Duration>,
    next: usize,
    /// What 95 % of them took at most.
    usual: Option<Duration>,
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was put once.
    Once,
    /// It was put twice.
    Twice,
}

impl Hedge {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), budget: Budget::per_cent(5) }
    }

    /// Asks, and asks again if that takes unusually long. The first good answer counts; a bad one where both are.
    pub(super) async fn ask<T, E, F>(&self, question: impl Fn() -> F) -> (Result<T, E>, Asked)
    where
        F: Future<Output = Result<T, E>>,
    {
        let began = Instant::now();
        let first = std::pin::pin!(question());
        let first = match self.patience() {
            None => Err(first),
            Some(patience) => match select(first, std::pin::pin!(sleep(patience))).await {
                Either::Left((answer, _)) => Ok(answer),
                Either::Right(((), first)) => Err(first),
            },
        };
        let first = match first {
            Ok(answer) => return (self.learn(began, answer), Asked::Once),
            Err(first) if self.patience().is_none() || !self.budget.spend() => {
                return (self.learn(began, first.await), Asked::Once);
            }
            Err(first) => first,
        };
        let second = std::pin::pin!(question());
        let answer = match select(first, second).await {
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
            Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
        };
        (self.learn(began, answer), Asked::Twice)
    }

    /// After how long an answer is late; `None` as long as too few are known.
    pub(super) fn patience(&self) -> Option<Duration> {
        Some(self.known.lock().unwrap_or_else(PoisonError::into_inner).usual?.max(SHORTEST))
    }

    fn learn<T, E>(&self, began: Instant, answer: Result<T, E>) -> Result<T, E> {
        if answer.is_ok() {
            self.budget.earn();
            self.known.lock().unwrap_or_else(PoisonError::into_inner).add(began.elapsed());
        }
        answer
    }
}

impl Known {
    fn add(&mut self, took: Duration) {
        match self.times.get_mut(self.next) {
            Some(oldest) => *oldest = took,
            None => self.times.push(took),
        }
        self.next = (self.next + 1) % REMEMBERED;
        // Not after each: it is a sort.
        if self.next.is_multiple_of(REMEMBERED / 8) {
            let mut sorted = self.times.clone();
            sorted.sort_unstable();
            self.usual = sorted.get(sorted.len() * 95 / 100).copied();
        }
    }
}

/// Answers that are remembered.
const REMEMBERED: usize = 128;
/// Below that a second question costs more than it saves.
const SHORTEST: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Answers after each of these times in turn; tells how often it was asked.
    struct Store(Vec<u64>, AtomicU32);

    impl Store {
        async fn answer(&self) -> Result<u32, u32> {
            let number = self.1.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(self.0[number as usize % self.0.len()])).await;
            Ok(number)
        }
    }

    async fn learnt() -> Hedge {
        let hedge = Hedge::new();
        let usual = Store(vec![25], AtomicU32::new(0));
        for _ in 0..16 {
            hedge.ask(|| usual.answer()).await.0.unwrap();
        }
        assert_eq!(hedge.patience(), Some(Duration::from_millis(25)));
        hedge
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_unusually_long_is_asked_again() {
        let hedge = learnt().await;
        let (store, began) = (Store(vec![5_000, 30], AtomicU32::new(0)), Instant::now());
        assert_eq!(hedge.ask(|| store.answer()).await, (Ok(1), Asked::Twice));
        assert_eq!(began.elapsed(), Duration::from_millis(25 + 30));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_counts_where_it_comes_after_all() {
        let hedge = learnt().await;
        let store = Store(vec![40, 900], AtomicU32::new(0));
        assert_eq!(hedge.ask(|| store.answer()).await, (Ok(0), Asked::Twice));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_slow_altogether_is_asked_a_little_more_and_no_twice() {
        let hedge = learnt().await;
        let store = Store(vec![24, 400], AtomicU32::new(0));
        for _ in 0..400 {
            hedge.ask(|| store.answer()).await.0.unwrap();
        }
        let extra = store.1.load(Ordering::SeqCst) - 400;
        assert!((10..=40).contains(&extra), "{extra}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_waits_for_the_other_answer() {
        let hedge = learnt().await;
        let asked = AtomicU32::new(0);
        let question = || async {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(if number == 0 { 50 } else { 100 })).await;
            if number == 0 { Err(7) } else { Ok(8) }
        };
        assert_eq!(hedge.ask(question).await, (Ok(8), Asked::Twice));
    }
}
