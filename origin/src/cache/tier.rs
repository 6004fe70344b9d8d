//! A tier: values by key, bounded, filled by flights.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::flight::{Boarded, Flight, Lost};
use crate::metrics::{CacheResult, Metrics, Outcome, Tier};

/// What an entry weighs beside its value: key, hash table and policy of the cache.
const ENTRY: usize = 200;

/// Values by key. Clones share them.
pub(crate) struct Tiered<K, V, E> {
    cache: Cache<K, V>,
    flight: Arc<Flight<K, V, E>>,
    kind: Tier,
    metrics: Arc<Metrics>,
}

impl<K, V, E> std::fmt::Debug for Tiered<K, V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tiered").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<K, V, E> Tiered<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    pub(super) fn weighed(kind: Tier, budget: u64, metrics: Arc<Metrics>, weigh: fn(&V) -> usize) -> Self {
        let weigher =
            move |_: &K, value: &V| u32::try_from(weigh(value).saturating_add(ENTRY)).unwrap_or(u32::MAX);
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
        Self { cache, flight: Arc::new(Flight::new()), kind, metrics }
    }

    pub(super) fn aging(kind: Tier, entries: u64, age: Duration, metrics: Arc<Metrics>) -> Self {
        let cache = Cache::builder().max_capacity(entries).time_to_live(age).build();
        Self { cache, flight: Arc::new(Flight::new()), kind, metrics }
    }

    /// The value, if it is here.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let found = self.cache.get(key);
        if found.is_some() {
            self.metrics.looked_up(self.kind, CacheResult::Hit);
        }
        found
    }

    /// The value; filled by one task for all who ask meanwhile. Failures are not kept. Cancel-safe.
    pub(crate) async fn get_or_fill<F>(
        &self,
        key: &K,
        outcome: fn(&E) -> Outcome,
        fill: impl FnOnce() -> F,
    ) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let start = || {
            let (cache, filled, key, kind) =
                (self.cache.clone(), Arc::clone(&self.metrics), key.clone(), self.kind);
            let fill = fill();
            async move {
                let value = fill.await;
                filled.filled(kind, value.as_ref().map_or_else(outcome, |_| Outcome::Ok));
                if let Ok(value) = &value {
                    cache.insert(key, value.clone());
                    filled.cached(kind, cache.weighted_size(), cache.entry_count());
                }
                value
            }
        };
        let (value, boarded) = self.flight.board(key.clone(), start).await;
        self.metrics.looked_up(self.kind, looked_up(boarded));
        value
    }
}

/// What boarding a flight means for the look-up that did it.
pub(super) fn looked_up(boarded: Boarded) -> CacheResult {
    match boarded {
        Boarded::Started => CacheResult::Miss,
        Boarded::Joined => CacheResult::Joined,
    }
}
