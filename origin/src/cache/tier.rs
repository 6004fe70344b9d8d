//! A tier: values by key, bounded, filled by flights.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::flight::{Boarded, Flight, Lost};
use super::ledger::{Ledger, Stamp, Verdict};
use crate::metrics::{CacheResult, Metrics, Outcome, Tier};

/// What an entry weighs beside its value: key, hash table and policy of the cache.
const ENTRY: usize = 200;

/// What a value is kept by.
pub(crate) trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    /// Where it is served, for purges; see [`crate::vod::places`].
    fn place(&self) -> String;
}

/// Values by key.
pub(crate) struct Tiered<K, V, E> {
    cache: Cache<K, Kept<V>>,
    flight: Arc<Flight<K, V, E>>,
    kind: Tier,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
}

#[derive(Clone)]
struct Kept<V> {
    value: V,
    stamp: Arc<Stamp>,
}

impl<K, V, E> std::fmt::Debug for Tiered<K, V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tiered").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<K, V, E> Tiered<K, V, E>
where
    K: Key,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    pub(super) fn weighed(
        kind: Tier,
        budget: u64,
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
        weigh: fn(&V) -> usize,
    ) -> Self {
        let weigher = move |_: &K, kept: &Kept<V>| {
            u32::try_from(weigh(&kept.value).saturating_add(ENTRY)).unwrap_or(u32::MAX)
        };
        let counted = Arc::clone(&metrics);
        let cache = Cache::builder()
            .max_capacity(budget)
            // What took work to make is always let in; the policy for blocks would turn newcomers away.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(weigher)
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    counted.evicted(kind);
                }
            })
            .build();
        Self { cache, flight: Arc::new(Flight::new()), kind, ledger, metrics }
    }

    pub(super) fn aging(
        kind: Tier,
        entries: u64,
        age: Duration,
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let cache = Cache::builder().max_capacity(entries).time_to_live(age).build();
        Self { cache, flight: Arc::new(Flight::new()), kind, ledger, metrics }
    }

    /// The value, if it is here and nobody has asked for a newer one.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        match self.look(key) {
            Some((value, Verdict::Fresh)) => {
                self.metrics.looked_up(self.kind, CacheResult::Hit);
                Some(value)
            }
            _ => None,
        }
    }

    /// The value; filled by one task for all who ask meanwhile. After a soft purge the former one, while the next is on its way.
    /// Failures are not kept. Cancel-safe.
    pub(crate) async fn get_or_fill<F>(
        &self,
        key: &K,
        outcome: fn(&E) -> Outcome,
        fill: impl FnOnce() -> F,
    ) -> (Result<V, E>, CacheResult)
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let found = self.look(key);
        if let Some((value, Verdict::Fresh)) = found {
            self.metrics.looked_up(self.kind, CacheResult::Hit);
            return (Ok(value), CacheResult::Hit);
        }
        let now = self.ledger.now();
        let start = || {
            let (cache, filled, ledger) =
                (self.cache.clone(), Arc::clone(&self.metrics), Arc::clone(&self.ledger));
            let (key, kind, fill) = (key.clone(), self.kind, fill());
            async move {
                let value = fill.await;
                filled.filled(kind, value.as_ref().map_or_else(outcome, |_| Outcome::Ok));
                if let Ok(value) = &value
                    // It may have been purged on its way.
                    && ledger.verdict(&key.place(), now) != Verdict::Gone
                {
                    cache.insert(key, Kept { value: value.clone(), stamp: Arc::new(Stamp::new(now)) });
                    filled.cached(kind, cache.weighted_size(), cache.entry_count());
                }
                value
            }
        };
        let good = |epoch| self.ledger.verdict(&key.place(), epoch) == Verdict::Fresh;
        if let Some((value, _)) = found {
            // It lands in the tier whether or not anybody waits for it.
            let _landing = self.flight.start(key.clone(), now, good, start);
            self.metrics.looked_up(self.kind, CacheResult::Stale);
            return (Ok(value), CacheResult::Stale);
        }
        let (value, boarded) = self.flight.board(key.clone(), now, good, start).await;
        self.metrics.looked_up(self.kind, looked_up(boarded));
        (value, looked_up(boarded))
    }

    /// Lets go of what was purged; gives how much there was. Looks at everything: blocks for as long as that takes.
    pub(crate) fn sweep(&self) -> u64 {
        let gone = self.cache.iter().filter(|(key, kept)| self.judge(key, kept) == Verdict::Gone);
        let gone = gone.map(|(key, _)| self.cache.invalidate(key.as_ref())).count() as u64;
        self.metrics.cached(self.kind, self.cache.weighted_size(), self.cache.entry_count());
        gone
    }

    fn look(&self, key: &K) -> Option<(V, Verdict)> {
        let kept = self.cache.get(key)?;
        match self.judge(key, &kept) {
            Verdict::Gone => {
                self.cache.invalidate(key);
                None
            }
            verdict => Some((kept.value, verdict)),
        }
    }

    fn judge(&self, key: &K, kept: &Kept<V>) -> Verdict {
        self.ledger.judge(|| key.place(), &kept.stamp)
    }
}

/// What boarding a flight means for the look-up that did it.
pub(super) fn looked_up(boarded: Boarded) -> CacheResult {
    match boarded {
        Boarded::Started => CacheResult::Miss,
        Boarded::Joined => CacheResult::Joined,
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tokio::sync::Notify;

    use super::super::ledger::{Force, Scope};
    use super::*;

    type Names = Tiered<String, u32, Lost>;

    impl Key for String {
        fn place(&self) -> String {
            format!("/{self}/")
        }
    }

    fn names() -> Names {
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        Names::weighed(Tier::Index, 1 << 20, Arc::default(), metrics, |_| 4)
    }

    async fn ask(names: &Names, value: u32) -> (Result<u32, Lost>, CacheResult) {
        names.get_or_fill(&"a".to_owned(), |_| Outcome::Failed, || async move { Ok(value) }).await
    }

    fn purge(names: &Names, force: Force) {
        names.ledger.purge(&[Scope::Below("/a/".into())], force);
    }

    #[tokio::test]
    async fn a_hard_purge_is_a_miss_and_a_soft_one_brings_the_next_value_for_the_next_look_up() {
        let names = names();
        assert_eq!(ask(&names, 1).await, (Ok(1), CacheResult::Miss));
        assert_eq!(ask(&names, 2).await, (Ok(1), CacheResult::Hit));
        purge(&names, Force::Hard);
        assert_eq!(names.get(&"a".to_owned()), None);
        assert_eq!(ask(&names, 3).await, (Ok(3), CacheResult::Miss));
        purge(&names, Force::Soft);
        assert_eq!(names.get(&"a".to_owned()), None, "somebody has to fetch it");
        assert_eq!(ask(&names, 4).await, (Ok(3), CacheResult::Stale));
        while names.get(&"a".to_owned()) != Some(4) {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&names, 5).await, (Ok(4), CacheResult::Hit));
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_after_a_soft_purge_is_served_as_it_was() {
        let names = names();
        assert_eq!(ask(&names, 1).await.0, Ok(1));
        purge(&names, Force::Soft);
        for _ in 0..3 {
            let fails = || async { Err(Lost) };
            let found = names.get_or_fill(&"a".to_owned(), |_| Outcome::Failed, fails).await;
            assert_eq!(found, (Ok(1), CacheResult::Stale));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_fill_that_was_overtaken_by_a_purge_is_for_those_who_waited_and_is_not_kept() {
        let (names, gate) = (Arc::new(names()), Arc::new(Notify::new()));
        let early = tokio::spawn({
            let (names, gate) = (Arc::clone(&names), Arc::clone(&gate));
            let fill = move || async move {
                gate.notified().await;
                Ok(1)
            };
            async move { names.get_or_fill(&"a".to_owned(), |_| Outcome::Failed, fill).await.0 }
        });
        tokio::task::yield_now().await;
        purge(&names, Force::Hard);
        gate.notify_one();
        assert_eq!(early.await.unwrap(), Ok(1));
        assert_eq!(ask(&names, 2).await, (Ok(2), CacheResult::Miss));
        purge(&names, Force::Hard);
        assert_eq!(names.sweep(), 1);
    }
}
