//! A run of blocks that is being read.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use packager::range::ByteRange;
use tokio::sync::OwnedSemaphorePermit;

use super::super::flight::Lost;
use super::super::peers::{Peer, Question};
use super::super::run::Run;
use super::{BlockError, Blocks, ObjectRef};
use crate::metrics::{Outcome, Tier};
use crate::store::StoreError;

/// However a run ends, those who wait learn of it, and the board is cleared.
pub(super) struct Landing {
    pub(super) blocks: Arc<Blocks>,
    pub(super) object: Arc<ObjectRef>,
    pub(super) run: Arc<Run>,
    /// The other node whose they are.
    pub(super) peer: Option<Arc<Peer>>,
    /// Its room among all that are on their way.
    pub(super) _room: OwnedSemaphorePermit,
    /// The same among those that nobody has asked for.
    pub(super) ahead: Option<OwnedSemaphorePermit>,
}

impl Landing {
    pub(super) async fn fill(self) {
        let ended = self.read().await;
        let outcome = ended.as_ref().map_or_else(|error| error.fault().into(), |()| Outcome::Ok);
        self.blocks.metrics.filled(Tier::Block, outcome);
        self.blocks.memory.count();
        self.run.end(ended.err().map(|error| BlockError::Store(Arc::new(error))));
    }

    /// What is on the disk comes from there, and what lies between from a peer or the store, each in one read.
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

    /// Has neighbouring blocks from the node whose they are, and what that does not give from the store.
    async fn fetch(&self, mut numbers: Range<u64>) -> Result<(), StoreError> {
        let Self { blocks, object, .. } = self;
        if let Some(peer) = &self.peer {
            let start = numbers.start.saturating_mul(blocks.block);
            let end = numbers.end.saturating_mul(blocks.block).min(object.size);
            let range = ByteRange::new(start, end);
            let question = Question { object: ObjectRef::clone(object), range, block: blocks.block };
            let take = |block| {
                // Not onto the disk: it is on its owner's, and the disks of all nodes are one cache.
                self.hand_on(numbers.start, block);
                numbers.start += 1;
            };
            peer.ask(&question, blocks.store.usual(), take).await;
        }
        match numbers.is_empty() {
            true => Ok(()),
            false => self.fetch_from_store(numbers).await,
        }
    }

    /// Reads neighbouring blocks from the store, and hands each on as soon as it is whole.
    async fn fetch_from_store(&self, numbers: Range<u64>) -> Result<(), StoreError> {
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
        if self.ahead.is_some() {
            self.blocks.metrics.fetched_ahead(block.len() as u64);
        }
        if let Some(disk) = &self.blocks.disk {
            disk.put(&self.object, number, self.run.epoch(), &block);
        }
        self.hand_on(number, block);
    }

    fn hand_on(&self, number: u64, block: Bytes) {
        self.blocks.memory.insert((Arc::clone(&self.object), number), block.clone(), self.run.epoch());
        self.run.push(block);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Of a fill that panicked, or whose runtime is gone.
        self.run.end(Some(Lost.into()));
        let mut board = self.blocks.board();
        for number in self.run.numbers() {
            let key = (Arc::clone(&self.object), number);
            // After a purge another run may have taken its place.
            if board.get(&key).is_some_and(|run| Arc::ptr_eq(run, &self.run)) {
                board.remove(&key);
            }
        }
    }
}
