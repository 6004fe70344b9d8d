//! Aligned blocks of source objects: what video, audio and every container share.
//!
//! ```text
//! object   |--0--|--1--|--2--|--3--|--4--|       blocks of 256 KiB
//! wanted            [===========]
//! missing              2     3                  one read for both, kept as two blocks
//! ```
//!
//! Who asks for a block that is on its way, in whichever run, waits for that one. A run is a task of its own: it goes on when
//! those who wait for it are gone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use moka::sync::Cache;
use packager::range::ByteRange;

use super::disk::Disk;
use super::flight::{Boarded, Lost};
use super::run::Run;
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

/// The runs under way, by each of their blocks.
type Board = Arc<Mutex<HashMap<Key, Arc<Run>>>>;

/// The blocks in memory.
pub(crate) struct Blocks {
    cache: Cache<Key, Bytes>,
    board: Board,
    disk: Option<Disk>,
    store: Store,
    block: u64,
    metrics: Arc<Metrics>,
}

impl Blocks {
    /// Blocks of `block` bytes, `budget` bytes of them; those on a disk, if there is one, are looked for before the store is
    /// asked.
    pub(crate) fn new(
        store: Store,
        block: u64,
        budget: u64,
        disk: Option<Disk>,
        metrics: Arc<Metrics>,
    ) -> Self {
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
        Self { cache, board: Board::default(), disk, store, block: block.max(4096), metrics }
    }

    /// A reader of `object` that will be asked for ascending ranges up to `until`.
    pub(crate) fn reader(self: &Arc<Self>, object: Arc<ObjectRef>, until: u64) -> BlockReader {
        let until = until.min(object.size);
        BlockReader { blocks: Arc::clone(self), object, until, run: None, result: None }
    }

    /// The block `number`, or the run that it comes with: one that is under way, or a new one of what is missing up to `until`.
    fn find(self: &Arc<Self>, object: &Arc<ObjectRef>, number: u64, until: u64) -> Found {
        let key = (Arc::clone(object), number);
        if let Some(bytes) = self.cache.get(&key) {
            self.metrics.looked_up(Tier::Block, CacheResult::Hit);
            return Found::Block(bytes);
        }
        let (run, boarded) = {
            let mut board = self.board();
            match board.get(&key) {
                Some(run) => (Arc::clone(run), Boarded::Joined),
                None => {
                    let run = Arc::new(Run::new(number, self.missing(&board, object, number, until)));
                    board.extend(run.numbers().map(|n| ((Arc::clone(object), n), Arc::clone(&run))));
                    (run, Boarded::Started)
                }
            }
        };
        if boarded == Boarded::Started {
            // Made before its task, and outside of the lock: a runtime that shuts down drops the task on the spot.
            let landing =
                Landing { blocks: Arc::clone(self), object: Arc::clone(object), run: Arc::clone(&run) };
            tokio::spawn(async move { landing.fill().await });
        }
        self.metrics.looked_up(Tier::Block, looked_up(boarded));
        Found::Run(run, looked_up(boarded))
    }

    /// How many blocks from `first` on are neither here nor on their way; at least one.
    fn missing(
        &self,
        board: &HashMap<Key, Arc<Run>>,
        object: &Arc<ObjectRef>,
        first: u64,
        until: u64,
    ) -> u64 {
        let start = first.saturating_mul(self.block);
        let limit = until.min(start.saturating_add(RUN)).max(start.saturating_add(1));
        let wanted = limit.div_ceil(self.block).saturating_sub(first);
        let is_missing = |n: &u64| {
            let key = (Arc::clone(object), first + n);
            !self.cache.contains_key(&key) && !board.contains_key(&key)
        };
        1 + (1..wanted).take_while(is_missing).count() as u64
    }

    fn board(&self) -> MutexGuard<'_, HashMap<Key, Arc<Run>>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is being read. However it ends, those who wait learn of it, and the board is cleared.
struct Landing {
    blocks: Arc<Blocks>,
    object: Arc<ObjectRef>,
    run: Arc<Run>,
}

impl Landing {
    async fn fill(self) {
        let ended = self.read().await;
        let outcome = ended.as_ref().map_or_else(|error| error.fault().into(), |()| Outcome::Ok);
        self.blocks.metrics.filled(Tier::Block, outcome);
        let cache = &self.blocks.cache;
        self.blocks.metrics.cached(Tier::Block, cache.weighted_size(), cache.entry_count());
        self.run.end(ended.err().map(|error| BlockError::Store(Arc::new(error))));
    }

    /// What is on the disk comes from there, and what lies between from the store, each in one read.
    async fn read(&self) -> Result<(), StoreError> {
        let mut numbers = self.run.numbers();
        while !numbers.is_empty() {
            let Some(disk) = &self.blocks.disk else {
                return self.fetch(numbers).await;
            };
            if let Some(block) = disk.get(&self.object, numbers.start).await {
                self.hand_on(numbers.start, block);
                numbers.start += 1;
                continue;
            }
            let is_there = |number: &u64| disk.has(&self.object, *number);
            let end = numbers.clone().skip(1).find(is_there).unwrap_or(numbers.end);
            self.fetch(numbers.start..end).await?;
            numbers.start = end;
        }
        Ok(())
    }

    /// Reads neighbouring blocks from the store, and hands each on as soon as it is whole.
    async fn fetch(&self, numbers: Range<u64>) -> Result<(), StoreError> {
        let Self { blocks, object, .. } = self;
        let start = numbers.start.saturating_mul(blocks.block);
        let end = numbers.end.saturating_mul(blocks.block).min(object.size);
        let mut reading =
            blocks.store.stream(&object.path, ByteRange::new(start, end), object.version.clone())?;
        let step = usize::try_from(blocks.block).unwrap_or(usize::MAX);
        let (mut number, mut block) = (numbers.start, BytesMut::new());
        while let Some(mut piece) = reading.next().await? {
            // A copy, once a fill: a block that shared its memory with its neighbours would keep them all from being freed.
            while !piece.is_empty() {
                if block.is_empty() {
                    let size = end.saturating_sub(number.saturating_mul(blocks.block)).min(blocks.block);
                    block.reserve(usize::try_from(size).unwrap_or(step));
                }
                let taken = piece.split_to(piece.len().min(step.saturating_sub(block.len())));
                block.extend_from_slice(&taken);
                if block.len() == step {
                    self.keep(number, std::mem::take(&mut block));
                    number += 1;
                }
            }
        }
        if !block.is_empty() {
            self.keep(number, block);
        }
        Ok(())
    }

    /// A block has come from the store.
    fn keep(&self, number: u64, block: BytesMut) {
        let block = block.freeze();
        if let Some(disk) = &self.blocks.disk {
            disk.put(&self.object, number, &block);
        }
        self.hand_on(number, block);
    }

    fn hand_on(&self, number: u64, block: Bytes) {
        self.blocks.cache.insert((Arc::clone(&self.object), number), block.clone());
        self.run.push(block);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Of a fill that panicked, or whose runtime is gone.
        self.run.end(Some(Lost.into()));
        let mut board = self.blocks.board();
        for number in self.run.numbers() {
            board.remove(&(Arc::clone(&self.object), number));
        }
    }
}

enum Found {
    Block(Bytes),
    Run(Arc<Run>, CacheResult),
}

/// Reads one object from front to back.
pub(crate) struct BlockReader {
    blocks: Arc<Blocks>,
    object: Arc<ObjectRef>,
    until: u64,
    /// What was read for this reader: the cache may refuse to keep what it saw once.
    run: Option<Arc<Run>>,
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
        let block = self.block(range.start() / size).await?;
        let skip = usize::try_from(range.start() % size).unwrap_or(usize::MAX).min(block.len());
        let len = usize::try_from(range.len()).unwrap_or(usize::MAX).min(block.len() - skip);
        Ok(block.slice(skip..skip + len))
    }

    async fn block(&mut self, number: u64) -> Result<Bytes, BlockError> {
        let run = match self.run.take().filter(|run| run.numbers().contains(&number)) {
            Some(run) => run,
            None => match self.blocks.find(&self.object, number, self.until) {
                Found::Block(bytes) => {
                    self.result.get_or_insert(CacheResult::Hit);
                    return Ok(bytes);
                }
                Found::Run(run, result) => {
                    self.result.get_or_insert(result);
                    run
                }
            },
        };
        let block = run.block(number).await;
        self.run = Some(run).filter(|_| block.is_ok());
        block
    }
}

#[cfg(test)]
mod tests;
