//! One object, read from front to back.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use packager::range::ByteRange;

use super::super::run::Run;
use super::{Asker, BlockError, Blocks, Found, ObjectRef};
use crate::metrics::CacheResult;

/// Reads one object from front to back.
///
/// Between two reads it holds nothing: a client that takes its time costs what it is being sent.
pub(crate) struct BlockReader {
    blocks: Arc<Blocks>,
    asker: Asker,
    object: Arc<ObjectRef>,
    until: u64,
    /// The run that brings what comes next, as long as it is on its way.
    run: Weak<Run>,
    /// Up to which block runs were begun for this reader. What they brought, and the memory let go before it was read, is read
    /// again in small pieces: the client is slower than the store, and will be.
    fetched: u64,
    result: Option<CacheResult>,
}

impl BlockReader {
    pub(super) fn new(blocks: Arc<Blocks>, asker: Asker, object: Arc<ObjectRef>, until: u64) -> Self {
        let until = until.min(object.size);
        Self { blocks, asker, object, until, run: Weak::new(), fetched: 0, result: None }
    }

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
        if let Some(run) = self.run.upgrade().filter(|run| run.numbers().contains(&number)) {
            return run.block(number).await;
        }
        let mut kept = None;
        let found = loop {
            let (object, reach) = (&self.object, self.reach(number));
            match self.blocks.find(self.asker, object, number, reach, kept.take()) {
                Some(found) => break found,
                None => kept = Some(self.blocks.wait_for_room().await?),
            }
        };
        match found {
            Found::Block(bytes) => {
                self.result.get_or_insert(CacheResult::Hit);
                Ok(bytes)
            }
            Found::Run(run, result) => {
                self.result.get_or_insert(result);
                if result == CacheResult::Miss {
                    self.fetched = self.fetched.max(run.numbers().end);
                }
                self.run = Arc::downgrade(&run);
                run.block(number).await
            }
        }
    }

    #[cfg(test)]
    pub(super) fn holds_a_run(&self) -> bool {
        self.run.strong_count() > 0
    }

    /// How far a run may go that begins at this block.
    fn reach(&self, number: u64) -> u64 {
        let soon = number.saturating_add(AGAIN).saturating_mul(self.blocks.block);
        if number < self.fetched { self.until.min(soon) } else { self.until }
    }
}

/// Blocks that are read again at once.
const AGAIN: u64 = 2;
