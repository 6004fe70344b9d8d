//! One fill for any number of look-ups.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::oneshot;

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
    open: Arc<Mutex<HashMap<K, Landing<V, E>>>>,
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

    /// Waits for the fill of `key`; starts it where none is under way. `fill` must make its result findable before
    /// it ends, so that no look-up falls between the end of the flight and the tier.
    ///
    /// Cancel-safe: the fill goes on without those who wait for it.
    pub(super) async fn board<F>(&self, key: K, fill: impl FnOnce() -> F) -> (Result<V, E>, Boarded)
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (take_off, landing) = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match open.get(&key) {
                Some(landing) => (None, landing.clone()),
                None => {
                    let (landed, arrival) = oneshot::channel();
                    let arrival = async move { arrival.await.unwrap_or_else(|_| Err(Lost.into())) };
                    let landing = arrival.boxed().shared();
                    open.insert(key.clone(), landing.clone());
                    (Some(landed), landing)
                }
            }
        };
        let boarded = if take_off.is_some() { Boarded::Started } else { Boarded::Joined };
        if let Some(landed) = take_off {
            // Made before the fill and its task: should either not come to be, the board is cleared all the same. And
            // outside of the lock: a runtime that shuts down drops a new task on the spot, and the guard locks.
            let guard = Guard { open: Arc::clone(&self.open), key };
            let fill = fill();
            tokio::spawn(async move {
                let _guard = guard;
                // Nobody may wait any more.
                let _ = landed.send(fill.await);
            });
        }
        (landing.await, boarded)
    }
}

/// Takes the flight off the board when its fill is over, however it ended.
struct Guard<K: Hash + Eq, V, E> {
    open: Arc<Mutex<HashMap<K, Landing<V, E>>>>,
    key: K,
}

impl<K: Hash + Eq, V, E> Drop for Guard<K, V, E> {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    type Board = Flight<u32, u32, Lost>;

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
                    board.board(1, fill).await.0
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
                board.board(1, fill).await.0
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
            let look_up = || board.board(1, || async { Ok(1) }).now_or_never().map(|(found, _)| found);
            done.send((look_up(), look_up())).unwrap();
        });
        let lost = Some(Err(Lost));
        assert_eq!(result.recv_timeout(std::time::Duration::from_secs(20)), Ok((lost, lost)));
    }

    #[tokio::test]
    async fn a_fill_that_panics_is_an_error_and_the_next_look_up_starts_anew() {
        let board = Board::new();
        let (lost, _) = board.board(1, || async { panic!("on purpose") }).await;
        assert_eq!(lost, Err(Lost));
        let (found, boarded) = board.board(1, || async { Ok(2) }).await;
        assert_eq!((found, boarded), (Ok(2), Boarded::Started));
    }
}
