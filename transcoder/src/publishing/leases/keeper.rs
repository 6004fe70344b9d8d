//! A worker's end of a lease.

use std::sync::Arc;
use std::time::Duration;

use packager::asset::StreamName;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Lease, Leases, Renewal, WorkerName};
use crate::Error;

/// Keeps a lease, and says how it stands. A task of its own renews it three times within its time to live.
///
/// ```text
///         ┌── renewed ──┐
///         ▼             │
///       Held ─ its time is over, and the database has not answered ─▶ Doubtful
///         │                                                              │
///         └──────────── somebody has a higher fence ──▶ Lost ◀───────────┘
/// ```
///
/// When it is dropped, the renewing ends, and the lease with its time; [`Self::release`] frees the stream at once.
#[derive(Debug)]
pub struct Keeper {
    leases: Arc<dyn Leases>,
    lease: Lease,
    hold: watch::Receiver<Hold>,
    renewing: JoinSet<()>,
}

/// How a lease stands, as far as its worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Nobody else can have claimed it.
    Held,
    /// Somebody may have claimed it: the database has not answered for its whole time to live. What only one may do,
    /// such as filling the silence of a publisher, had better wait; a publisher that goes on sending goes on being
    /// served, since nobody is helped if a show ends with its database.
    Doubtful,
    /// Somebody else has the stream, or had it. That stays so.
    Lost,
}

impl Keeper {
    /// Takes a stream, as [`Leases::take`], and keeps it. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of [`Leases::take`].
    pub async fn take(
        leases: Arc<dyn Leases>,
        stream: &StreamName,
        worker: &WorkerName,
        ttl: Duration,
    ) -> Result<Self, Error> {
        let asked = Instant::now();
        let lease = leases.take(stream, worker, ttl).await?;
        Ok(Self::new(leases, lease, asked, ttl))
    }

    /// Claims a stream, as [`Leases::claim`], and keeps it; `None` where somebody has it. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of [`Leases::claim`].
    pub async fn claim(
        leases: Arc<dyn Leases>,
        stream: &StreamName,
        worker: &WorkerName,
        ttl: Duration,
    ) -> Result<Option<Self>, Error> {
        let asked = Instant::now();
        let lease = leases.claim(stream, worker, ttl).await?;
        Ok(lease.map(|lease| Self::new(leases, lease, asked, ttl)))
    }

    /// `asked` is when the lease was asked for: it was given no earlier, so its time is not over before `asked + ttl`,
    /// whatever the database's clock does.
    fn new(leases: Arc<dyn Leases>, lease: Lease, asked: Instant, ttl: Duration) -> Self {
        let (tell, hold) = watch::channel(Hold::Held);
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(Arc::clone(&leases), lease.clone(), asked, ttl, tell));
        Self { leases, lease, hold, renewing }
    }

    /// The lease as it was given.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// How it stands.
    pub fn hold(&self) -> Hold {
        *self.hold.borrow()
    }

    /// Waits until it stands so; for ever where it is lost and will never stand so again. Cancel-safe.
    pub async fn until(&self, hold: Hold) {
        let mut told = self.hold.clone();
        if told.wait_for(|now| *now == hold).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the stream up, as [`Leases::release`].
    ///
    /// # Errors
    /// Those of [`Leases::release`].
    pub async fn release(mut self) -> Result<bool, Error> {
        // What is renewed after the release is found to be lost, and that would be told.
        self.renewing.shutdown().await;
        self.leases.release(&self.lease).await
    }
}

/// Renews a lease until it is lost.
async fn renew(
    leases: Arc<dyn Leases>,
    lease: Lease,
    asked: Instant,
    ttl: Duration,
    tell: watch::Sender<Hold>,
) {
    let mut end = asked + ttl;
    let mut next = asked + ttl / ROUNDS;
    loop {
        doubt_after(end, sleep_until(next), &tell).await;
        let asked = Instant::now();
        match doubt_after(end, leases.renew(&lease, ttl), &tell).await {
            Ok(Renewal::Renewed(_)) => {
                end = asked + ttl;
                next = asked + ttl / ROUNDS;
                if tell.send_replace(Hold::Held) == Hold::Doubtful {
                    tracing::info!(stream = %lease.stream, fence = %lease.fence, "the lease is kept after all");
                }
            }
            Ok(Renewal::Lost) => {
                tracing::info!(stream = %lease.stream, fence = %lease.fence, "the lease is lost");
                tell.send_replace(Hold::Lost);
                return;
            }
            Err(error) => {
                tracing::warn!(stream = %lease.stream, fence = %lease.fence, %error, "the lease is not renewed");
                next = Instant::now() + ttl / HASTY_ROUNDS;
            }
        }
    }
}

/// Waits for something, and says that the lease is in doubt when its time ends meanwhile.
async fn doubt_after<T>(end: Instant, work: impl Future<Output = T>, tell: &watch::Sender<Hold>) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = sleep_until(end) => {}
    }
    tell.send_if_modified(|hold| std::mem::replace(hold, Hold::Doubtful) != Hold::Doubtful);
    work.await
}

/// How often a lease is renewed within its time to live: one answer may fail, and another be late.
const ROUNDS: u32 = 3;
/// How often where the database does not answer.
const HASTY_ROUNDS: u32 = 12;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::time::sleep;

    use super::super::MemoryLeases;
    use super::*;

    const TTL: Duration = Duration::from_secs(3);

    /// A database that can be taken away.
    #[derive(Debug)]
    struct Shaky(MemoryLeases, Mutex<Way>);

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Way {
        Answering,
        Failing,
        /// Answers nobody for so long, then fails.
        Hanging(Duration),
    }

    impl Shaky {
        /// Its clock is tokio's, which the tests set.
        fn new() -> Arc<Self> {
            let began = Instant::now();
            let now = move || i64::try_from(began.elapsed().as_millis()).unwrap();
            Arc::new(Self(MemoryLeases::new(now), Mutex::new(Way::Answering)))
        }

        fn goes(&self, way: Way) {
            *self.1.lock().unwrap() = way;
        }
    }

    #[async_trait]
    impl Leases for Shaky {
        async fn take(
            &self,
            stream: &StreamName,
            worker: &WorkerName,
            ttl: Duration,
        ) -> Result<Lease, Error> {
            self.0.take(stream, worker, ttl).await
        }

        async fn claim(
            &self,
            stream: &StreamName,
            worker: &WorkerName,
            ttl: Duration,
        ) -> Result<Option<Lease>, Error> {
            self.0.claim(stream, worker, ttl).await
        }

        async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error> {
            let way = *self.1.lock().unwrap();
            match way {
                Way::Answering => return self.0.renew(lease, ttl).await,
                Way::Failing => {}
                Way::Hanging(time) => sleep(time).await,
            }
            Err(Error::catalogue("renew a lease", "expected an answer, found none"))
        }

        async fn release(&self, lease: &Lease) -> Result<bool, Error> {
            self.0.release(lease).await
        }

        async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error> {
            self.0.holder(stream).await
        }
    }

    fn show() -> StreamName {
        "show".parse().unwrap()
    }

    fn worker(name: &str) -> WorkerName {
        name.parse().unwrap()
    }

    async fn kept(leases: &Arc<Shaky>) -> Keeper {
        Keeper::take(Arc::clone(leases) as _, &show(), &worker("ours"), TTL).await.unwrap()
    }

    async fn claimed(leases: &Arc<Shaky>) -> Option<Keeper> {
        Keeper::claim(Arc::clone(leases) as _, &show(), &worker("theirs"), TTL).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_kept_until_it_is_released() {
        let leases = Shaky::new();
        let keeper = kept(&leases).await;
        for _ in 0..20 {
            sleep(TTL * 7 / 8).await;
            assert_eq!(keeper.hold(), Hold::Held);
            assert!(claimed(&leases).await.is_none());
        }
        assert!(keeper.release().await.unwrap());
        let theirs = claimed(&leases).await.unwrap();
        assert_eq!((theirs.lease().worker.as_str(), theirs.hold()), ("theirs", Hold::Held));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_kept_ends_with_its_time() {
        let leases = Shaky::new();
        drop(kept(&leases).await);
        sleep(TTL - Duration::from_millis(1)).await;
        assert!(claimed(&leases).await.is_none());
        sleep(Duration::from_millis(1)).await;
        assert!(claimed(&leases).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_somebody_took_is_lost_within_a_third_of_its_time() {
        let leases = Shaky::new();
        let ours = kept(&leases).await;
        sleep(TTL * 5).await;
        let taken = Instant::now();
        let theirs = kept(&leases).await;
        ours.until(Hold::Lost).await;
        assert!(taken.elapsed() <= TTL / 3, "{:?}", taken.elapsed());
        assert!(!ours.release().await.unwrap());
        sleep(TTL * 5).await;
        assert_eq!(theirs.hold(), Hold::Held);
        assert_eq!(leases.holder(&show()).await.unwrap().unwrap().fence, theirs.lease().fence);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_in_doubt_when_its_time_is_over_and_not_before() {
        for way in
            [Way::Failing, Way::Hanging(Duration::from_secs(5)), Way::Hanging(Duration::from_millis(70))]
        {
            let leases = Shaky::new();
            let keeper = kept(&leases).await;
            sleep(TTL * 4 + TTL / 6).await;
            leases.goes(way);
            // The last answer was asked for a sixth of its time ago.
            let silent = Instant::now();
            keeper.until(Hold::Doubtful).await;
            assert_eq!(silent.elapsed().as_millis(), (TTL * 5 / 6).as_millis(), "{way:?}");
            assert_eq!(leases.holder(&show()).await.unwrap(), None, "{way:?}");
            // Nobody claimed it.
            leases.goes(Way::Answering);
            keeper.until(Hold::Held).await;
            assert_eq!(leases.holder(&show()).await.unwrap().unwrap().fence, keeper.lease().fence);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_in_doubt_that_somebody_claimed_is_lost() {
        let leases = Shaky::new();
        let ours = kept(&leases).await;
        leases.goes(Way::Failing);
        ours.until(Hold::Doubtful).await;
        let theirs = claimed(&leases).await.unwrap();
        leases.goes(Way::Answering);
        ours.until(Hold::Lost).await;
        assert_eq!(ours.hold(), Hold::Lost);
        let again = tokio::time::timeout(TTL * 10, ours.until(Hold::Held)).await;
        assert!(again.is_err(), "a lost lease came back");
        assert_eq!(theirs.hold(), Hold::Held);
    }
}
