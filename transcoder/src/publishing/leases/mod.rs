//! The port through which workers agree on who works on a live stream.
//!
//! ```text
//!  take(gala, w1)   ─▶ fence 1          a publisher came to w1
//!  renew(1)         ─▶ Renewed          several times within its time to live
//!  take(gala, w2)   ─▶ fence 2          the publisher came back, to w2: the newest connection wins
//!  renew(1)         ─▶ Lost             w1 lets go
//!  … w2 dies …
//!  claim(gala, w1)  ─▶ None             until the time of fence 2 is over
//!  claim(gala, w1)  ─▶ fence 3
//!  release(3)                           the next claim need not wait
//! ```
//!
//! A fence is never given twice. So whoever compares fences, an origin for instance, knows the newer of two workers
//! whatever their clocks say, and whichever of them is still alive.
//!
//! A lease says nothing of the media. What the next worker needs to go on is in the show's row already
//! ([`Shows`](super::Shows)), and where media time is Unix time ([`Anchor::Epoch`](super::Anchor::Epoch)) it needs no
//! more than its clock.

#[doc(hidden)]
pub mod conformance;
mod keeper;
mod memory;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;

use crate::Error;

pub use keeper::{Hold, Keeper};
pub use memory::MemoryLeases;

/// Where streams are leased. [`conformance::run`] tests an implementation.
///
/// The clock is the database's. It may be set: then a lease holds longer than it should by its own time to live at most,
/// or ends early and can be claimed; what was said of fences holds in any case.
///
/// An error says that the call had no effect and will have none, or that it took full effect; asking again is always
/// right. So it is where a call was dropped before it ended. Every call ends in bounded time.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync {
    /// Takes a stream for a worker, whoever has it: the same worker too gets a new fence, and its former lease is lost.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a time to live that [`check_ttl`] refuses.
    async fn take(&self, stream: &StreamName, worker: &WorkerName, ttl: Duration) -> Result<Lease, Error>;

    /// Takes a stream that nobody has: none ever had it, it was released, or the last one's time is over. `None` where
    /// somebody has it, be it the same worker.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a time to live that [`check_ttl`] refuses.
    async fn claim(
        &self,
        stream: &StreamName,
        worker: &WorkerName,
        ttl: Duration,
    ) -> Result<Option<Lease>, Error>;

    /// Gives a lease `ttl` from now on, as long as nobody has taken or claimed the stream since and it was not released:
    /// also where its time is over already.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a time to live that [`check_ttl`] refuses.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error>;

    /// Gives a stream up. `true` for the one call that did it; `false` where the lease was lost or released before, and
    /// nothing changes.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn release(&self, lease: &Lease) -> Result<bool, Error>;

    /// The lease that holds now; `None` where the stream could be claimed.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error>;
}

/// The right to work on a stream, until its time is over or somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which stream.
    pub stream: StreamName,
    /// Whose right.
    pub worker: WorkerName,
    /// Which of all the leases of the stream: higher is newer.
    pub fence: Fence,
    /// When its time is over, by the database's clock, in milliseconds since 1970-01-01 UTC. A worker counts its time
    /// to live on a steady clock of its own, from before it asked: then it never believes in a lease for too long.
    pub until_ms: i64,
}

/// The number of a lease among those of its stream, from 1. It only ever goes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

/// What became of a lease that was to be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// It holds, until then.
    Renewed(Lease),
    /// Somebody else has the stream, or had it since, or the lease was released. It will never hold again.
    Lost,
}

/// What a worker is called: 1 to 64 of A-Z a-z 0-9 . _ - . Two workers at the same time have different names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerName(String);

/// Whether a time to live is within [`MIN_TTL`] and [`MAX_TTL`]. Implementations ask before they look at anything else.
///
/// # Errors
/// [`Error::Catalogue`].
pub fn check_ttl(action: &'static str, ttl: Duration) -> Result<(), Error> {
    match (MIN_TTL..=MAX_TTL).contains(&ttl) {
        true => Ok(()),
        false => {
            let found = format!("expected a time to live of {MIN_TTL:?} to {MAX_TTL:?}, found {ttl:?}");
            Err(Error::catalogue(action, found))
        }
    }
}

impl WorkerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WorkerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
            true => Ok(Self(text.to_owned())),
            false => {
                let found: String = text.chars().take(64).collect();
                Err(format!("expected a worker's name, 1 to 64 of A-Z a-z 0-9 . _ -, found {found:?}"))
            }
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The shortest time to live.
pub const MIN_TTL: Duration = Duration::from_millis(1);
/// The longest time to live: an hour is longer than anybody waits for a dead worker.
pub const MAX_TTL: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_host_is_one_of_a_worker() {
        for good in ["a", "node-7.example.com", "W_1", &"a".repeat(64)] {
            assert_eq!(good.parse::<WorkerName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", "a:1", &"a".repeat(65)] {
            assert!(bad.parse::<WorkerName>().is_err(), "{bad:?}");
        }
    }
}
