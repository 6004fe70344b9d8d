//! Which blocks are on the disk, and which go when there is no room.
//!
//! ```text
//!                 ┌───────── asked for since? ──▶ main ──┐ asked for since? again
//! new ──▶ small ──┤                                ▲     └───────────────────────▶ gone
//!                 └─ no ──▶ gone, remembered       │
//!                              └── comes again ────┘
//! ```
//!
//! A crawl through media that nobody asks for twice fills the small queue, a tenth of the room, and passes; what is asked for
//! stays in the other (S3-FIFO, Yang et al., SOSP 2023).

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::super::ledger::{Epoch, Ledger, Verdict};
use super::super::object::{ObjectId, ObjectRef};
use super::log::{Kept, Log, Place};
use super::pool::Pool;
use super::record::Head;

/// What can be looked up while somebody writes.
#[derive(Debug, Default)]
pub(super) struct Index(RwLock<HashMap<Key, Entry>>);

type Key = (ObjectId, u64);

#[derive(Debug)]
struct Entry {
    place: Place,
    /// How often it was asked for since it was put where it is; three is often.
    asked: AtomicU8,
}

/// Both queues. One writes.
#[derive(Debug)]
pub(super) struct Shelves {
    index: Arc<Index>,
    small: Log,
    main: Log,
    gone: Ghosts,
    pool: Arc<Pool>,
}

/// What went from the small queue lately, as hashes.
#[derive(Debug, Default)]
struct Ghosts {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    hasher: RandomState,
}

impl Index {
    /// Where a block is. It counts as asked for.
    pub(super) fn find(&self, object: ObjectId, number: u64) -> Option<Place> {
        let entries = self.read();
        let entry = entries.get(&(object, number))?;
        let more = |asked: u8| (asked < OFTEN).then_some(asked + 1);
        let _often = entry.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        Some(entry.place.clone())
    }

    /// Whether a block is there; does not count.
    pub(super) fn has(&self, object: ObjectId, number: u64) -> bool {
        self.read().contains_key(&(object, number))
    }

    /// Forgets a block that is not what was written, if it is still the one that is meant.
    pub(super) fn forget(&self, object: ObjectId, number: u64, place: &Place) {
        let mut entries = self.write();
        if entries.get(&(object, number)).is_some_and(|entry| entry.is_at(place)) {
            entries.remove(&(object, number));
        }
    }

    /// Whether a block is there that was not purged; one that was is forgotten. Does not count.
    pub(super) fn is_fresh(&self, ledger: &Ledger, object: &ObjectRef, number: u64) -> bool {
        let key = (object.id(), number);
        let Some(epoch) = self.read().get(&key).map(|entry| entry.place.epoch) else { return false };
        let is_gone = ledger.verdict(&object.place, epoch) == Verdict::Gone;
        if is_gone {
            let mut entries = self.write();
            if entries.get(&key).is_some_and(|entry| entry.place.epoch == epoch) {
                entries.remove(&key);
            }
        }
        !is_gone
    }

    /// The newest epoch of all.
    pub(super) fn newest(&self) -> Epoch {
        self.read().values().map(|entry| entry.place.epoch).max().unwrap_or_default()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.write().clear();
    }

    fn insert(&self, key: Key, place: Place) {
        self.write().insert(key, Entry { place, asked: AtomicU8::new(0) });
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, Entry>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Entry>> {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Entry {
    fn is_at(&self, place: &Place) -> bool {
        Arc::ptr_eq(&self.place.volume, &place.volume) && self.place.offset == place.offset
    }
}

impl Shelves {
    /// What is in a folder, with room for `limit` bytes.
    pub(super) fn open(folder: &Path, limit: u64, index: Arc<Index>) -> io::Result<Self> {
        index.clear();
        let mut found = |object, number, place| index.insert((object, number), place);
        let small = Log::open(folder, "small", limit / 10, &mut found)?;
        let main = Log::open(folder, "main", limit - limit / 10, &mut found)?;
        Ok(Self { index, small, main, gone: Ghosts::default(), pool: Arc::default() })
    }

    /// Puts a block in, and lets others go for it; gives how many went.
    pub(super) fn put(
        &mut self,
        object: ObjectId,
        number: u64,
        epoch: Epoch,
        bytes: &[u8],
    ) -> io::Result<u64> {
        let head = Head::new(object, number, epoch, bytes);
        let Some(head) = head.filter(|_| !self.index.has(object, number)) else {
            return Ok(0);
        };
        let log = if self.gone.take(&(object, number)) { &mut self.main } else { &mut self.small };
        let place = log.append(head, bytes)?;
        self.index.insert((object, number), place);
        self.make_room()
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.small.bytes().saturating_add(self.main.bytes())
    }

    /// Lets the oldest files go until there is room.
    fn make_room(&mut self) -> io::Result<u64> {
        let mut gone = 0;
        while self.small.is_over() {
            let Some(kept) = self.small.evict()? else { break };
            gone += self.sift(&kept, true)?;
        }
        while self.main.is_over() {
            let Some(kept) = self.main.evict()? else { break };
            gone += self.sift(&kept, false)?;
        }
        Ok(gone)
    }

    /// What is asked for goes on, into the main queue; gives how many do not. At most half of a file goes on from the main
    /// queue: else a disk on which all is asked for would be written for ever.
    fn sift(&mut self, kept: &Kept, is_small: bool) -> io::Result<u64> {
        let (mut gone, mut stayed) = (0, 0);
        for key in &kept.blocks {
            let known = self.index.read().get(key).map(|entry| {
                let is_here = Arc::ptr_eq(&entry.place.volume, &kept.volume);
                (is_here, entry.asked.load(Ordering::Relaxed), entry.place.clone())
            });
            // It may have been put in again elsewhere.
            let Some((true, asked, place)) = known else { continue };
            let may_stay = is_small || stayed < kept.blocks.len() / 2;
            let bytes =
                (asked > 0 && may_stay).then(|| kept.volume.read(&place, &self.pool)).and_then(Result::ok);
            let head = bytes.as_deref().and_then(|bytes| Head::new(key.0, key.1, place.epoch, bytes));
            match (bytes, head) {
                (Some(bytes), Some(head)) => {
                    let place = self.main.append(head, &bytes)?;
                    self.index.insert(*key, place);
                    stayed += 1;
                }
                _ => {
                    self.index.forget(key.0, key.1, &place);
                    if is_small {
                        self.gone.add(key);
                    }
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }
}

impl Ghosts {
    fn add(&mut self, key: &Key) {
        let hash = self.hasher.hash_one(key);
        if self.known.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > GHOSTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether it is one; then it is none any more.
    fn take(&mut self, key: &Key) -> bool {
        // What stays in the order is taken for a newer one at worst.
        self.known.remove(&self.hasher.hash_one(key))
    }
}

/// Above that it does not matter how often.
const OFTEN: u8 = 3;
/// Blocks that are remembered when they are gone: of 256 KiB, 50 GiB.
const GHOSTS: usize = 200_000;
