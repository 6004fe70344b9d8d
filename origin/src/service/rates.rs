//! How often a client may ask: so many requests per second in the average, and ten seconds' worth of them at once.
//!
//! ```text
//!               now                       now + 10 s
//! ───────────────┼──────────────────────────┼───▶       each request moves the client's mark by 1/rate
//!   mark: free   │   mark: still within     │ beyond: 429, and the mark stays
//! ```
//!
//! A client is one number (the generic cell rate algorithm). A mark that lies behind us says nothing, so who has not asked
//! for ten seconds is forgotten, and there are two generations of marks: one that is ten seconds old or full makes way.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use authz::LogId;
use http::HeaderMap;
use tokio::time::Instant;
use transcoder::ingest::Host;

use super::Failure;
use super::client::client;
use crate::config::{Limits, Network};
use crate::metrics::{Metrics, Whose};

/// What is counted of clients.
#[derive(Debug)]
pub(crate) struct Rates {
    addresses: Option<Marks>,
    tokens: Option<Marks>,
    proxies: Vec<Network>,
    metrics: Arc<Metrics>,
}

impl Rates {
    pub(crate) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            addresses: Marks::at(limits.requests_per_address),
            tokens: Marks::at(limits.requests_per_token),
            proxies: limits.proxies.clone(),
            metrics,
        }
    }

    /// Counts a request for its address, where that is known.
    pub(crate) fn ask(&self, from: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Failure> {
        let (Some(marks), Some(from)) = (&self.addresses, from) else { return Ok(()) };
        let Some(host) = client(from, headers, &self.proxies) else { return Ok(()) };
        self.judged(Whose::Address, marks.take::<Host>(&host))
    }

    /// Counts a request for the token that the gate let in, which is known by its hash.
    pub(crate) fn enter(&self, token: Option<LogId>) -> Result<(), Failure> {
        let (Some(marks), Some(token)) = (&self.tokens, token) else { return Ok(()) };
        self.judged(Whose::Token, marks.take(&token))
    }

    fn judged(&self, whose: Whose, taken: Result<(), Duration>) -> Result<(), Failure> {
        taken.map_err(|wait| {
            self.metrics.limits().limited(whose);
            Failure::TooOften(wait)
        })
    }
}

/// The marks of all clients of one kind, by a hash that nobody outside can foresee.
#[derive(Debug)]
struct Marks {
    /// Between two requests, in microseconds.
    each: u64,
    born: Instant,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// Marks are microseconds since the beginning.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
    turned: u64,
}

impl Marks {
    /// For so many requests per second; none where nobody counts.
    fn at(rate: u64) -> Option<Self> {
        let each = 1_000_000_u64.checked_div(rate)?.max(1);
        Some(Self { each, born: Instant::now(), hasher: RandomState::new(), shards: Default::default() })
    }

    /// One request more; or how long until there may be one.
    fn take<K: Hash>(&self, key: &K) -> Result<(), Duration> {
        let now = u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX);
        let hash = self.hasher.hash_one(key);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(at) else { return Ok(()) };
        shard.lock().unwrap_or_else(PoisonError::into_inner).take(hash, self.each, now)
    }
}

impl Shard {
    fn take(&mut self, key: u64, each: u64, now: u64) -> Result<(), Duration> {
        if now.saturating_sub(self.turned) >= BURST || self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let mark = self.young.get(&key).or_else(|| self.old.get(&key)).copied().unwrap_or(0);
        let next = mark.max(now).saturating_add(each);
        match next.saturating_sub(now).saturating_sub(BURST.max(each)) {
            0 => {
                self.young.insert(key, next);
                Ok(())
            }
            wait => {
                // Not forgotten with its generation for as long as it is asked for.
                self.young.insert(key, mark);
                Err(Duration::from_micros(wait))
            }
        }
    }
}

/// How much may be asked at once, in microseconds at the rate.
const BURST: u64 = 10_000_000;
const SHARDS: usize = 16;
/// Marks of a shard and a generation: 262,144 in all, in at most 9 MB.
const MOST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_seconds_worth_may_come_at_once_and_then_so_many_a_second() {
        let marks = Marks::at(5).unwrap();
        let taken = || (0..1000).take_while(|_| marks.take(&"a").is_ok()).count();
        assert_eq!(taken(), 50);
        assert_eq!(marks.take(&"a"), Err(Duration::from_millis(200)));
        assert_eq!(marks.take(&"b"), Ok(()), "others are not asked to wait");
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(), 5);
        advance(Duration::from_secs(7)).await;
        assert_eq!(taken(), 35, "through the change of generations");
        advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(), 50, "no more is saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn one_a_second_is_ten_at_once_and_a_refusal_costs_nothing() {
        let marks = Marks::at(1).unwrap();
        for _ in 0..10 {
            assert_eq!(marks.take(&7), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(marks.take(&7), Err(Duration::from_secs(1)));
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(marks.take(&7), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_clients_takes_bounded_memory_and_who_keeps_asking_is_not_forgotten() {
        let marks = Marks::at(1).unwrap();
        let mut passed = 0;
        for n in 0..1_000_000_u32 {
            let _ = marks.take(&("one of many", n));
            passed += u32::from(n % 1000 == 0 && marks.take(&"often").is_ok());
        }
        assert_eq!(passed, 10);
        let held: usize = marks
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap())
            .map(|shard| shard.young.len() + shard.old.len())
            .sum();
        assert!(held <= 2 * SHARDS * MOST, "{held}");
        assert!(Marks::at(0).is_none());
    }
}
