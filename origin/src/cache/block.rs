//! Aligned blocks of source objects: what video, audio and every container share.
//!
//! ```text
//! object   |--0--|--1--|--2--|--3--|--4--|       blocks of 256 KiB
//! wanted            [===========]
//! missing              2     3                  one read for both, kept as two blocks
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use moka::sync::Cache;
use packager::range::ByteRange;

use super::flight::{Flight, Lost};
use super::tier::looked_up;
use crate::metrics::{CacheResult, Metrics, Outcome, Tier};
use crate::store::{Store, StoreError, Version};

/// The most that one read of the store brings in.
const RUN: u64 = 8 * 1024 * 1024;

/// A source object of one content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectRef {
    /// Where it lies in the store.
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Which content is meant, where the path alone does not say that.
    pub(crate) version: Option<Version>,
}

/// Why a block could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum BlockError {
    /// The store said so.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The fill was lost.
    #[error(transparent)]
    Lost(#[from] Lost),
}

type Key = (Arc<ObjectRef>, u64);

/// The blocks in memory.
pub(crate) struct Blocks {
    cache: Cache<Key, Bytes>,
    flight: Flight<Key, Arc<[Bytes]>, BlockError>,
    store: Store,
    block: u64,
    metrics: Arc<Metrics>,
}

impl Blocks {
    /// Blocks of `block` bytes, `budget` bytes of them.
    pub(crate) fn new(store: Store, block: u64, budget: u64, metrics: Arc<Metrics>) -> Self {
        let counted = Arc::clone(&metrics);
        let cache = Cache::builder()
            .max_capacity(budget)
            .weigher(|_: &Key, bytes: &Bytes| u32::try_from(bytes.len() + 300).unwrap_or(u32::MAX))
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    counted.evicted(Tier::Block);
                }
            })
            .build();
        Self { cache, flight: Flight::new(), store, block: block.max(4096), metrics }
    }

    /// A reader of `object` that will be asked for ascending ranges up to `until`.
    pub(crate) fn reader(self: &Arc<Self>, object: Arc<ObjectRef>, until: u64) -> BlockReader {
        let until = until.min(object.size);
        BlockReader { blocks: Arc::clone(self), object, until, run: VecDeque::new(), result: None }
    }

    /// The block `number` and, where it had to be read, those after it that were read along.
    async fn blocks(
        self: &Arc<Self>,
        object: &Arc<ObjectRef>,
        number: u64,
        until: u64,
    ) -> Result<Found, BlockError> {
        let key = (Arc::clone(object), number);
        if let Some(bytes) = self.cache.get(&key) {
            self.metrics.looked_up(Tier::Block, CacheResult::Hit);
            return Ok(Found::One(bytes));
        }
        let start = || {
            let (this, object) = (Arc::clone(self), Arc::clone(object));
            async move { this.fill(&object, number, until).await }
        };
        let (run, boarded) = self.flight.board(key, start).await;
        self.metrics.looked_up(Tier::Block, looked_up(boarded));
        run.map(|run| Found::Run(run, looked_up(boarded)))
    }

    async fn fill(
        &self,
        object: &Arc<ObjectRef>,
        first: u64,
        until: u64,
    ) -> Result<Arc<[Bytes]>, BlockError> {
        let start = first.saturating_mul(self.block);
        let limit = until.min(start.saturating_add(RUN)).max(start.saturating_add(1));
        let wanted = limit.div_ceil(self.block).saturating_sub(first);
        let missing = (1..wanted)
            .take_while(|n| !self.cache.contains_key(&(Arc::clone(object), first + n)))
            .count() as u64;
        let end = first.saturating_add(1 + missing).saturating_mul(self.block).min(object.size);
        let range = ByteRange::new(start, end);
        let read = match &object.version {
            Some(version) => self.store.read_version(&object.path, range, version).await,
            None => self.store.read(&object.path, range).await,
        };
        self.metrics.filled(Tier::Block, read.as_ref().map_or_else(|e| e.fault().into(), |_| Outcome::Ok));
        let bytes = read.map_err(|e| BlockError::Store(Arc::new(e)))?;
        let step = usize::try_from(self.block).unwrap_or(usize::MAX);
        // A copy, once a fill: a block that shared its memory with its neighbours would keep them all from being
        // freed.
        let run: Arc<[Bytes]> = bytes.chunks(step).map(Bytes::copy_from_slice).collect();
        for (number, block) in (first..).zip(run.iter()) {
            self.cache.insert((Arc::clone(object), number), block.clone());
        }
        self.metrics.cached(Tier::Block, self.cache.weighted_size(), self.cache.entry_count());
        Ok(run)
    }
}

enum Found {
    One(Bytes),
    Run(Arc<[Bytes]>, CacheResult),
}

/// Reads one object from front to back.
pub(crate) struct BlockReader {
    blocks: Arc<Blocks>,
    object: Arc<ObjectRef>,
    until: u64,
    /// Blocks that were read for this reader and not yet given: the cache may refuse to keep what it saw once.
    run: VecDeque<(u64, Bytes)>,
    result: Option<CacheResult>,
}

impl BlockReader {
    /// What the look-up of the first block came to; `None` before it.
    pub(crate) fn result(&self) -> Option<CacheResult> {
        self.result
    }

    /// The first bytes of `range`: at least one, up to the end of the block they lie in. Shares the block's memory.
    ///
    /// # Errors
    /// [`BlockError`] where the store has no such bytes.
    pub(crate) async fn read(&mut self, range: ByteRange) -> Result<Bytes, BlockError> {
        let size = self.blocks.block;
        let number = range.start() / size;
        while self.run.front().is_some_and(|(n, _)| *n < number) {
            self.run.pop_front();
        }
        let block = match self.run.front() {
            Some((n, bytes)) if *n == number => bytes.clone(),
            _ => match self.blocks.blocks(&self.object, number, self.until).await? {
                Found::One(bytes) => {
                    self.result.get_or_insert(CacheResult::Hit);
                    bytes
                }
                Found::Run(run, result) => {
                    self.result.get_or_insert(result);
                    self.run = (number..).zip(run.iter().cloned()).collect();
                    self.run.front().map(|(_, bytes)| bytes.clone()).unwrap_or_default()
                }
            },
        };
        let skip = usize::try_from(range.start() % size).unwrap_or(usize::MAX).min(block.len());
        let len = usize::try_from(range.len()).unwrap_or(usize::MAX).min(block.len() - skip);
        Ok(block.slice(skip..skip + len))
    }
}
