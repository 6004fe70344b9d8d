//! One fill for any number of look-ups.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::oneshot;

use super::ledger::Epoch;

/// The fill ended without a result: its task panicked, or the runtime is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a fill to end with a result, found it lost")]
pub(crate) struct Lost;

/// Whether a look-up started the fill or found it under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boarded {
    Started,
    Joined,
}

type Landing<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

/// The fills under way.
pub(super) struct Flight<K, V, E> {
    open: Board<K, V, E>,
}

type Board<K, V, E> = Arc<Mutex<HashMap<K, Aloft<V, E>>>>;

/// A fill under way.
struct Aloft<V, E> {
    landing: Landing<V, E>,
    /// When it began, among purges.
    epoch: Epoch,
}

impl<K, V, E> Flight<K, V, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    pub(super) fn new() -> Self {
        Self { open: Arc::default() }
    }

    /// Waits for the fill of `key`; starts it where none is under way, or none that is `good`: after a purge, one that began
    /// before it is not. `fill` must make its result findable before it ends, so that no look-up falls between the end of the
    /// flight and the tier.
    ///
    /// Cancel-safe: the fill goes on without those who wait for it.
    pub(super) async fn board<F>(
        &self,
        key: K,
        now: Epoch,
        good: impl FnOnce(Epoch) -> bool,
        fill: impl FnOnce() -> F,
    ) -> (Result<V, E>, Boarded)
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (landing, boarded) = self.start(key, now, good, fill);
        (landing.await, boarded)
    }

    /// The same without waiting for it.
    pub(super) fn start<F>(
        &self,
        key: K,
        now: Epoch,
        good: impl FnOnce(Epoch) -> bool,
        fill: impl FnOnce() -> F,
    ) -> (Landing<V, E>, Boarded)
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (take_off, landing) = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match open.get(&key).filter(|aloft| good(aloft.epoch)) {
                Some(aloft) => (None, aloft.landing.clone()),
                None => {
                    let (landed, arrival) = oneshot::channel();
                    let arrival = async move { arrival.await.unwrap_or_else(|_| Err(Lost.into())) };
                    let landing = arrival.boxed().shared();
                    open.insert(key.clone(), Aloft { landing: landing.clone(), epoch: now });
                    (Some(landed), landing)
                }
            }
        };
        let Some(landed) = take_off else { return (landing, Boarded::Joined) };
        // Made before the fill and its task: should either not come to be, the board is cleared all the same. And
        // outside of the lock: a runtime that shuts down drops a new task on the spot, and the guard locks.
        let guard = Guard { open: Arc::clone(&self.open), key, epoch: now };
        let fill = fill();
        tokio::spawn(async move {
            let _guard = guard;
            // Nobody may wait any more.
            let _ = landed.send(fill.await);
        });
        (landing, Boarded::Started)
    }
}

/// Takes the flight off the board when its fill is over, however it ended.
struct Guard<K: Hash + Eq, V, E> {
    open: Board<K, V, E>,
    key: K,
    epoch: Epoch,
}

impl<K: Hash + Eq, V, E> Drop for Guard<K, V, E> {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // One of a later epoch may have taken its place.
        if open.get(&self.key).is_some_and(|aloft| aloft.epoch == self.epoch) {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    type Board = Flight<u32, u32, Lost>;

    async fn ask<F>(board: &Board, fill: impl FnOnce() -> F) -> (Result<u32, Lost>, Boarded)
    where
        F: Future<Output = Result<u32, Lost>> + Send + 'static,
    {
        board.board(1, Epoch(0), |_| true, fill).await
    }

    #[tokio::test]
    async fn two_thousand_look_ups_are_one_fill() {
        let board = Arc::new(Board::new());
        let (fills, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let waiting: Vec<_> = (0..2000)
            .map(|_| {
                let (board, fills, gate) = (Arc::clone(&board), Arc::clone(&fills), Arc::clone(&gate));
                tokio::spawn(async move {
                    let fill = || async move {
                        fills.fetch_add(1, Ordering::SeqCst);
                        gate.notified().await;
                        Ok(7)
                    };
                    ask(&board, fill).await.0
                })
            })
            .collect();
        while fills.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // All tasks of this single-threaded runtime have boarded once this one runs again.
        tokio::task::yield_now().await;
        gate.notify_one();
        for task in waiting {
            assert_eq!(task.await.unwrap(), Ok(7));
        }
        assert_eq!(fills.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_fill_outlives_the_one_who_started_it() {
        let board = Arc::new(Board::new());
        let (gate, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let first = {
            let (board, gate, done) = (Arc::clone(&board), Arc::clone(&gate), Arc::clone(&done));
            tokio::spawn(async move {
                let fill = || async move {
                    gate.notified().await;
                    done.notify_one();
                    Ok(1)
                };
                ask(&board, fill).await.0
            })
        };
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.is_err());
        gate.notify_one();
        done.notified().await;
    }

    #[test]
    fn a_look_up_on_a_runtime_that_is_gone_is_lost_and_does_not_hang() {
        let board = Arc::new(Board::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let (board, (done, result)) = (Arc::clone(&board), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            let _inside = handle.enter();
            let look_up = || ask(&board, || async { Ok(1) }).now_or_never().map(|(found, _)| found);
            done.send((look_up(), look_up())).unwrap();
        });
        let lost = Some(Err(Lost));
        assert_eq!(result.recv_timeout(std::time::Duration::from_secs(20)), Ok((lost, lost)));
    }

    #[tokio::test]
    async fn a_fill_that_panics_is_an_error_and_the_next_look_up_starts_anew() {
        let board = Board::new();
        let (lost, _) = ask(&board, || async { panic!("on purpose") }).await;
        assert_eq!(lost, Err(Lost));
        let (found, boarded) = ask(&board, || async { Ok(2) }).await;
        assert_eq!((found, boarded), (Ok(2), Boarded::Started));
    }

    #[tokio::test]
    async fn a_fill_that_began_before_a_purge_is_not_joined_after_it_and_ends_for_those_who_did() {
        let board = Board::new();
        let gate = Arc::new(Notify::new());
        let wait = Arc::clone(&gate);
        let old = || async move {
            wait.notified().await;
            Ok(1)
        };
        let (before, _) = board.start(1, Epoch(0), |_| true, old);
        let after = |epoch: Epoch| epoch >= Epoch(1);
        let (late, boarded) = board.start(1, Epoch(1), after, || async { Ok(2) });
        assert_eq!((late.await, boarded), (Ok(2), Boarded::Started));
        gate.notify_one();
        assert_eq!(before.await, Ok(1));
        let mut joined = board.start(1, Epoch(1), after, std::future::pending).1;
        assert_eq!(joined, Boarded::Started, "both are off the board");
        joined = board.start(1, Epoch(1), after, std::future::pending).1;
        assert_eq!(joined, Boarded::Joined);
    }
}
