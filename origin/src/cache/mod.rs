//! What is kept in memory, and how it gets there.
//!
//! ```text
//! look-up ──hit──▶ value
//!    │ miss
//!    ▼
//! flight ──in the air──▶ wait for it            one fill for any number of look-ups;
//!    │ none                                     it is a task of its own, so it goes on
//!    ▼                                          when those who wait for it are gone
//! fill (a spawned task) ──▶ tier ──▶ all who wait
//! ```
//!
//! Every cached thing of the origin lives in a tier here, so that one budget, one purge and one set of metrics
//! reach all. Tiers: `block` (aligned blocks of source objects), `disk` (the same on a disk of this machine), `index` (presentations), `output` (what costs
//! CPU to make: playlists in both codings), `pointer` (which revision is current). Under memory and disk, and before the store, lie other
//! nodes (`peers`).

#[cfg(not(feature = "peers"))]
#[path = "alone.rs"]
mod peers;

mod block;
mod disk;
mod flight;
mod ledger;
mod object;
#[cfg(feature = "peers")]
mod peers;
mod pointer;
mod run;
mod tier;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use block::{BlockError, BlockReader, Blocks, Supply};
pub(crate) use disk::Disk;
pub(crate) use flight::Lost;
pub(crate) use ledger::{Force, Ledger, Scope};
pub(crate) use object::ObjectRef;
pub(crate) use peers::Peers;
#[cfg(feature = "peers")]
pub(crate) use peers::{Answering, Pieces, Refusal};
pub(crate) use pointer::{Pointers, Rules};
pub(crate) use tier::{Key, Tiered};

use crate::config;
use crate::metrics::{Metrics, Tier};

/// How long a name is trusted to mean the same revision.
const POINTER_AGE: Duration = Duration::from_secs(1);
/// Names whose revision is remembered: each takes about 200 bytes, and any name that is asked for takes one.
const POINTERS: u64 = 100_000;

/// The budget of each tier, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) blocks: u64,
    pub(crate) indexes: u64,
    pub(crate) output: u64,
}

impl Budget {
    /// Divides what the configuration gives.
    pub(crate) fn of(cache: &config::Cache) -> Self {
        let memory = cache.memory.as_u64();
        let share = memory / 100 * cache.index_share.min(45);
        Self { blocks: memory - 2 * share, indexes: share, output: share }
    }
}

/// A tier that is bounded by the weight of what it holds.
pub(crate) fn weighed<K, V, E>(
    kind: Tier,
    budget: u64,
    ledger: &Arc<Ledger>,
    metrics: &Arc<Metrics>,
    weigh: fn(&V) -> usize,
) -> Tiered<K, V, E>
where
    K: Key,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    Tiered::weighed(kind, budget, Arc::clone(ledger), Arc::clone(metrics), weigh)
}

/// The tier of what names mean: small values that are trusted for a second.
pub(crate) fn pointers<K, V, E>(ledger: &Arc<Ledger>, metrics: &Arc<Metrics>) -> Tiered<K, V, E>
where
    K: Key,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    Tiered::aging(Tier::Pointer, POINTERS, POINTER_AGE, Arc::clone(ledger), Arc::clone(metrics))
}

/// The tier of current revisions, whose last answer is served while nobody answers.
pub(crate) fn known_pointers<K, V, E>(
    ledger: &Arc<Ledger>,
    metrics: &Arc<Metrics>,
    rules: Rules<V, E>,
) -> Pointers<K, V, E>
where
    K: Key,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    Pointers::new(POINTERS, POINTER_AGE, ledger, metrics, rules)
}
