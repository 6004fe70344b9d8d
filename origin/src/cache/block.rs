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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::disk::Disk;
use super::flight::{Boarded, Lost};
use super::ledger::{Epoch, Ledger, Scope, Verdict};
use super::object::ObjectRef;
use super::peers::{Peer, Peers};
use super::run::{Run, Source};
use super::tier::looked_up;
use crate::metrics::{CacheResult, Metrics, Tier};
use crate::store::{Store, StoreError};
use ahead::Ahead;
use landing::Landing;
use memory::Memory;
pub(crate) use reader::BlockReader;

mod ahead;
mod landing;
mod memory;
mod reader;

/// The most that one read of the store brings in. Nodes that share the store divide objects into stretches of as much.
pub(super) const RUN: u64 = 8 * 1024 * 1024;

/// How long who needs the store waits for room: whatever is on its way is there, or given up, in about as long.
const WAIT: Duration = Duration::from_secs(10);

/// Why a block could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum BlockError {
    /// The store said so.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// For a long time as much was on its way as there is room for.
    #[error("expected room for what comes from the store, found it taken")]
    Busy,
    /// The fill was lost.
    #[error(transparent)]
    Lost(#[from] Lost),
}

type Key = (Arc<ObjectRef>, u64);

/// The runs under way, by each of their blocks.
type Board = Arc<Mutex<Runs>>;

type Runs = HashMap<Key, Arc<Run>>;

/// Where blocks come from, and what is told of them.
pub(crate) struct Supply {
    pub(crate) store: Store,
    /// Blocks on a disk of this machine, which are looked for before anybody is asked.
    pub(crate) disk: Option<Disk>,
    /// Other nodes, which are asked before the store is.
    pub(crate) peers: Option<Arc<Peers>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Somebody on this node.
    Here,
    /// Another node.
    #[cfg_attr(not(feature = "peers"), expect(dead_code, reason = "there is no other node"))]
    Peer,
}

/// The blocks in memory.
pub(crate) struct Blocks {
    memory: Memory,
    board: Board,
    /// Blocks that may be on their way: how many more, and in all.
    room: Arc<Semaphore>,
    rooms: usize,
    ahead: Ahead,
    disk: Option<Disk>,
    peers: Option<Arc<Peers>>,
    store: Store,
    block: u64,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
}

impl Blocks {
    /// Blocks of `block` bytes, `budget` bytes of them, and `ahead` bytes that are fetched before they are asked for.
    pub(crate) fn new(block: u64, budget: u64, ahead: u64, supply: Supply) -> Self {
        let Supply { store, disk, peers, ledger, metrics } = supply;
        let block = block.max(4096);
        let memory = Memory::new(budget, Arc::clone(&ledger), Arc::clone(&metrics));
        let rooms = blocks_in((budget / 4).max(2 * RUN), block);
        let (room, ahead) = (Arc::new(Semaphore::new(rooms)), Ahead::new(ahead, block));
        let board = Board::default();
        Self { memory, board, room, rooms, ahead, disk, peers, store, block, ledger, metrics }
    }

    /// A reader of `object` that will be asked for ascending ranges up to `until`.
    pub(crate) fn reader(self: &Arc<Self>, object: Arc<ObjectRef>, until: u64) -> BlockReader {
        BlockReader::new(Arc::clone(self), Asker::Here, object, until)
    }

    /// A reader for another node. What is not here comes from the store, and never from a peer: it might wait for this one.
    #[cfg(feature = "peers")]
    pub(super) fn reader_for_peer(self: &Arc<Self>, object: Arc<ObjectRef>, until: u64) -> BlockReader {
        BlockReader::new(Arc::clone(self), Asker::Peer, object, until)
    }

    /// What was purged is on the disk too, where there is one; false where that could not be written.
    pub(crate) async fn remember(&self, epoch: Epoch, scopes: &[Scope]) -> bool {
        match &self.disk {
            Some(disk) => disk.remember(epoch, scopes).await,
            None => true,
        }
    }

    /// Lets go of what was purged, in memory. Blocks for as long as that takes.
    pub(crate) fn sweep(&self) -> u64 {
        self.memory.sweep()
    }

    /// The block `number`, or the run that it comes with: one that is under way, or a new one of what is missing up to `until`.
    /// Where there is no room for a new one, and none was kept for it, nothing.
    fn find(
        self: &Arc<Self>,
        asker: Asker,
        object: &Arc<ObjectRef>,
        number: u64,
        until: u64,
        kept: Option<OwnedSemaphorePermit>,
    ) -> Option<Found> {
        let key = (Arc::clone(object), number);
        if let Some(bytes) = self.memory.get(&key) {
            self.metrics.looked_up(Tier::Block, CacheResult::Hit);
            return Some(Found::Block(bytes));
        }
        let peer = self.owner(object, number).filter(|_| asker == Asker::Here);
        let source = if peer.is_some() { Source::Peer } else { Source::Own };
        let (run, room) = {
            let mut board = self.board();
            // Two nodes that take each other for the owner must not wait for each other.
            let is_good = |run: &&Arc<Run>| {
                self.is_fresh(object, run) && (asker == Asker::Here || run.source() == Source::Own)
            };
            match board.get(&key).filter(is_good) {
                Some(run) => (Arc::clone(run), None),
                None => {
                    let wanted = self.missing(&board, object, number, until);
                    // For less, where there is not so much room.
                    let mut sizes = [wanted, wanted / 4, 1].into_iter().filter(|count| *count > 0);
                    let room = sizes.find_map(|count| Some((count, self.take(count)?)));
                    let (count, room) = room.or_else(|| Some((1, kept?)))?;
                    (self.enter(&mut board, object, number, count, source), Some(room))
                }
            }
        };
        let boarded = if room.is_some() { Boarded::Started } else { Boarded::Joined };
        if let Some(room) = room {
            self.set_off(object, (Arc::clone(&run), peer), room, None);
        }
        self.metrics.looked_up(Tier::Block, looked_up(boarded));
        Some(Found::Run(run, looked_up(boarded)))
    }

    /// Waits for room for one block: what is on its way makes it. Cancel-safe.
    async fn wait_for_room(&self) -> Result<OwnedSemaphorePermit, BlockError> {
        let room = timeout(WAIT, Arc::clone(&self.room).acquire_owned()).await;
        room.ok().and_then(Result::ok).ok_or(BlockError::Busy)
    }

    /// Room for so many blocks to be on their way.
    fn take(&self, count: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(count).ok()?).ok()
    }

    /// A run of so many blocks from `first` on, in place of what the board says of them.
    fn enter(
        &self,
        board: &mut Runs,
        object: &Arc<ObjectRef>,
        first: u64,
        count: u64,
        source: Source,
    ) -> Arc<Run> {
        let run = Arc::new(Run::new(first, count, source, self.ledger.now()));
        board.extend(run.numbers().map(|n| ((Arc::clone(object), n), Arc::clone(&run))));
        run
    }

    /// Lets a run be read. Not under the lock of the board: a runtime that shuts down drops the task on the spot.
    fn set_off(
        self: &Arc<Self>,
        object: &Arc<ObjectRef>,
        (run, peer): (Arc<Run>, Option<Arc<Peer>>),
        room: OwnedSemaphorePermit,
        ahead: Option<OwnedSemaphorePermit>,
    ) {
        // Made before its task.
        let landing =
            Landing { blocks: Arc::clone(self), object: Arc::clone(object), run, peer, _room: room, ahead };
        tokio::spawn(async move { landing.fill().await });
    }

    /// How many blocks from `first` on are neither here nor on their way; at least one.
    fn missing(&self, board: &Runs, object: &Arc<ObjectRef>, first: u64, until: u64) -> u64 {
        let start = first.saturating_mul(self.block);
        // What belongs to one node is had from one node.
        let into_stretch = if self.peers.is_some() { start % RUN } else { 0 };
        let limit = until.min(start.saturating_add(RUN - into_stretch)).max(start.saturating_add(1));
        let wanted = limit.div_ceil(self.block).saturating_sub(first);
        let is_missing = |n: &u64| !self.is_coming(board, object, first + n);
        1 + (1..wanted).take_while(is_missing).count() as u64
    }

    /// Whether a block is here, or on its way.
    fn is_coming(&self, board: &Runs, object: &Arc<ObjectRef>, number: u64) -> bool {
        let key = (Arc::clone(object), number);
        self.memory.has(&key) || board.get(&key).is_some_and(|run| self.is_fresh(object, run))
    }

    /// The other node whose a block is, where it may be asked.
    fn owner(&self, object: &ObjectRef, number: u64) -> Option<Arc<Peer>> {
        let peers = self.peers.as_ref()?;
        // It may not have heard yet of a purge that this node has heard of.
        match self.ledger.was_purged_lately(&object.place) {
            true => None,
            false => peers.owner(object, number.saturating_mul(self.block)),
        }
    }

    #[cfg(all(test, feature = "peers"))]
    pub(super) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// What is on its way since before a purge is not what is asked for after it.
    fn is_fresh(&self, object: &ObjectRef, run: &Run) -> bool {
        self.ledger.verdict(&object.place, run.epoch()) != Verdict::Gone
    }

    fn board(&self) -> MutexGuard<'_, Runs> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn blocks_in(bytes: u64, block: u64) -> usize {
    usize::try_from(bytes / block).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

/// Where a block comes from.
enum Found {
    Block(Bytes),
    Run(Arc<Run>, CacheResult),
}

#[cfg(test)]
mod tests;
