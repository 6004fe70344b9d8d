//! Leases without a database, for tests and for a worker that shares its streams with nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;

use super::{Fence, Lease, Leases, Renewal, WorkerName, check_ttl};
use crate::Error;

/// Counts and remembers for as long as it lives.
pub struct MemoryLeases {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    rows: Mutex<HashMap<StreamName, Row>>,
}

#[derive(Debug, Clone, Default)]
struct Row {
    fence: u64,
    /// `None` where it was released.
    held: Option<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    worker: WorkerName,
    until_ms: i64,
    ttl_ms: i64,
}

impl MemoryLeases {
    /// Knows no stream yet. `now` is its clock: milliseconds since 1970-01-01 UTC.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), rows: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<StreamName, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn take(&self, stream: &StreamName, worker: &WorkerName, ttl: Duration) -> Result<Lease, Error> {
        check_ttl("take a lease", ttl)?;
        let now = (self.now)();
        let mut rows = self.rows();
        let row = rows.entry(stream.clone()).or_default();
        row.fence = row.fence.saturating_add(1);
        let held = row.held.insert(Held::from(worker, now, ttl));
        Ok(held.lease(stream, row.fence))
    }

    async fn claim(
        &self,
        stream: &StreamName,
        worker: &WorkerName,
        ttl: Duration,
    ) -> Result<Option<Lease>, Error> {
        check_ttl("claim a lease", ttl)?;
        let now = (self.now)();
        let mut rows = self.rows();
        let row = rows.entry(stream.clone()).or_default();
        if row.held.as_ref().is_some_and(|held| held.holds(now)) {
            return Ok(None);
        }
        row.fence = row.fence.saturating_add(1);
        let held = row.held.insert(Held::from(worker, now, ttl));
        Ok(Some(held.lease(stream, row.fence)))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error> {
        check_ttl("renew a lease", ttl)?;
        let now = (self.now)();
        let mut rows = self.rows();
        let row = rows.get_mut(&lease.stream).filter(|row| row.fence == lease.fence.0);
        let Some(held) = row.and_then(|row| row.held.as_mut()) else { return Ok(Renewal::Lost) };
        *held = Held::from(&held.worker, now, ttl);
        Ok(Renewal::Renewed(held.lease(&lease.stream, lease.fence.0)))
    }

    async fn release(&self, lease: &Lease) -> Result<bool, Error> {
        let mut rows = self.rows();
        let row = rows.get_mut(&lease.stream).filter(|row| row.fence == lease.fence.0);
        Ok(row.and_then(|row| row.held.take()).is_some())
    }

    async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error> {
        let now = (self.now)();
        let rows = self.rows();
        let row = rows.get(stream);
        let holds = row.and_then(|row| Some((row.held.as_ref().filter(|held| held.holds(now))?, row.fence)));
        Ok(holds.map(|(held, fence)| held.lease(stream, fence)))
    }
}

impl fmt::Debug for MemoryLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLeases").field("rows", &*self.rows()).finish_non_exhaustive()
    }
}

impl Held {
    fn from(worker: &WorkerName, now: i64, ttl: Duration) -> Self {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        Self { worker: worker.clone(), until_ms: now.saturating_add(ttl_ms), ttl_ms }
    }

    /// Whether its time is not over. More than twice its time can only be left where the clock was set back: then
    /// nobody waits for it.
    fn holds(&self, now: i64) -> bool {
        let left = self.until_ms.saturating_sub(now);
        (1..=self.ttl_ms.saturating_mul(2)).contains(&left)
    }

    fn lease(&self, stream: &StreamName, fence: u64) -> Lease {
        Lease {
            stream: stream.clone(),
            worker: self.worker.clone(),
            fence: Fence(fence),
            until_ms: self.until_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::conformance::{self, Stage};
    use super::*;

    /// Leases that `made` made on a clock that is set by hand.
    fn stage<L: Leases + 'static>(made: impl Fn(MemoryLeases) -> L) -> Stage {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let hand = Arc::clone(&clock);
        let leases: Arc<dyn Leases> =
            Arc::new(made(MemoryLeases::new(move || clock.load(Ordering::Relaxed))));
        let step = move |by| {
            hand.fetch_add(by, Ordering::Relaxed);
            Box::pin(std::future::ready(())) as _
        };
        Stage { both: [Arc::clone(&leases), leases], step: Box::new(step) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_conforms() {
        conformance::run(async || stage(|leases| leases)).await.unwrap();
    }

    #[tokio::test]
    async fn a_lease_ends_when_its_clock_says() {
        let clock = Arc::new(AtomicI64::new(5_000));
        let hand = Arc::clone(&clock);
        let leases = MemoryLeases::new(move || hand.load(Ordering::Relaxed));
        let (stream, worker) = ("show".parse().unwrap(), "w".parse().unwrap());
        let lease = leases.take(&stream, &worker, Duration::from_secs(3)).await.unwrap();
        assert_eq!(lease.until_ms, 8_000);
        for (now, holder) in [(7_999, Some(lease)), (8_000, None)] {
            clock.store(now, Ordering::Relaxed);
            assert_eq!(leases.holder(&stream).await.unwrap(), holder, "{now}");
        }
    }

    /// A mistake that an implementation could make.
    #[derive(Debug, Clone, Copy)]
    enum Mistake {
        /// Forgets its count with a release.
        Forgetful,
        /// Does not count where the same worker takes it again.
        Familiar,
        /// Claims what others have.
        Grabbing,
        /// Claims what the same worker has.
        Selfish,
        /// Never lets a lease end.
        Timeless,
        /// Renews for whoever asks.
        Trusting,
        /// Does not renew what is over, though nobody took it.
        Strict,
        /// Releases for whoever asks.
        Careless,
        /// Waits for a lease for as long as the clock was set back.
        Patient,
    }

    #[derive(Debug)]
    struct Broken(MemoryLeases, Mistake);

    impl Broken {
        fn change(&self, stream: &StreamName, change: impl FnOnce(&mut Row)) {
            self.0.rows().get_mut(stream).map(change);
        }

        /// The lease as if it were the newest.
        fn newest(&self, lease: &Lease) -> Lease {
            let fence = self.0.rows().get(&lease.stream).map_or(lease.fence, |row| Fence(row.fence));
            Lease { fence, ..lease.clone() }
        }
    }

    #[async_trait]
    impl Leases for Broken {
        async fn take(
            &self,
            stream: &StreamName,
            worker: &WorkerName,
            ttl: Duration,
        ) -> Result<Lease, Error> {
            if let Mistake::Familiar = self.1 {
                self.change(stream, |row| {
                    row.fence -= u64::from(row.held.as_ref().is_some_and(|held| held.worker == *worker));
                });
            }
            self.0.take(stream, worker, ttl).await
        }

        async fn claim(
            &self,
            stream: &StreamName,
            worker: &WorkerName,
            ttl: Duration,
        ) -> Result<Option<Lease>, Error> {
            let now = (self.0.now)();
            self.change(stream, |row| match (self.1, &mut row.held) {
                (Mistake::Grabbing, held) => *held = None,
                (Mistake::Selfish, held) => _ = held.take_if(|held| held.worker == *worker),
                (Mistake::Timeless, Some(held)) => held.until_ms = held.until_ms.max(now + 1),
                (Mistake::Patient, Some(held)) => held.ttl_ms = i64::MAX,
                _ => {}
            });
            self.0.claim(stream, worker, ttl).await
        }

        async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error> {
            match self.1 {
                Mistake::Trusting => self.0.renew(&self.newest(lease), ttl).await,
                Mistake::Strict if self.0.holder(&lease.stream).await?.is_none() => Ok(Renewal::Lost),
                _ => self.0.renew(lease, ttl).await,
            }
        }

        async fn release(&self, lease: &Lease) -> Result<bool, Error> {
            if let Mistake::Careless = self.1 {
                return self.0.release(&self.newest(lease)).await;
            }
            let released = self.0.release(lease).await?;
            if let (Mistake::Forgetful, true) = (self.1, released) {
                self.0.rows().remove(&lease.stream);
            }
            Ok(released)
        }

        async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error> {
            self.0.holder(stream).await
        }
    }

    #[tokio::test]
    async fn the_suite_finds_the_mistakes() {
        for (mistake, rule) in [
            (Mistake::Forgetful, "fences_go_up_for_ever: "),
            (Mistake::Familiar, "fences_go_up_for_ever: "),
            (Mistake::Grabbing, "what_somebody_has_is_not_claimed: "),
            (Mistake::Selfish, "what_somebody_has_is_not_claimed: "),
            (Mistake::Timeless, "what_is_over_is_claimed: "),
            (Mistake::Trusting, "a_lease_that_was_taken_is_lost: "),
            (Mistake::Strict, "what_is_over_is_renewed_where_nobody_took_it: "),
            (Mistake::Careless, "a_stale_release_changes_nothing: "),
            (Mistake::Patient, "a_clock_that_is_set_back_keeps_nobody_waiting: "),
        ] {
            let found = conformance::run(async || stage(|leases| Broken(leases, mistake))).await.unwrap_err();
            assert!(found.starts_with(rule), "{mistake:?}: {found}");
        }
    }
}
