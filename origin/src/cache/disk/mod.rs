//! Blocks on a disk of this machine, under those in memory.
//!
//! ```text
//! fill ──▶ queue, bounded ──▶ one thread ──▶ files      what does not fit into the queue is not kept
//! look-up ──▶ index in memory ──▶ read, summed          what is not what was written is not there
//! ```
//!
//! A block is found once all of it is written, and each is checked when it is read: a process that dies in the middle of a write
//! loses that block. A disk that is full or gone is left alone, and tried again from time to time; media goes on from the
//! store.

mod book;
mod log;
mod pool;
mod record;
mod shelves;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::ledger::{Epoch, Force, Ledger, Scope, Verdict};
use super::object::ObjectRef;
use crate::metrics::{CacheResult, Metrics, Tier};
use book::Book;
use log::Place;
use pool::Pool;
use shelves::{Index, Shelves};

/// The disk. Dropping it ends its thread, when that has written what it has.
#[derive(Debug)]
pub(crate) struct Disk {
    index: Arc<Index>,
    is_off: Arc<AtomicBool>,
    orders: SyncSender<Order>,
    ledger: Arc<Ledger>,
    pool: Arc<Pool>,
    metrics: Arc<Metrics>,
}

/// What is to be written.
#[derive(Debug)]
enum Order {
    Block(Block),
    /// Purges; it is said when they are on the disk.
    Purges(Vec<(Epoch, Scope)>, oneshot::Sender<()>),
}

#[derive(Debug)]
struct Block {
    object: Arc<ObjectRef>,
    number: u64,
    epoch: Epoch,
    bytes: Bytes,
}

/// What is written to.
struct Open {
    shelves: Shelves,
    book: Book,
    _lock: File,
}

/// Who writes.
struct Writer {
    folder: PathBuf,
    limit: u64,
    /// How often a disk is tried that could not be used.
    retry: Duration,
    index: Arc<Index>,
    is_off: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
}

impl Disk {
    /// The blocks in a folder, at most `limit` bytes of them. The folder is made if it is not there; what a former process left
    /// in it is found again, and what that one purged goes into `ledger`. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub(crate) fn open(
        folder: &Path,
        limit: u64,
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        Self::open_and_retry(folder, limit, RETRY, ledger, metrics)
    }

    fn open_and_retry(
        folder: &Path,
        limit: u64,
        retry: Duration,
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (index, is_off) = (Arc::<Index>::default(), Arc::<AtomicBool>::default());
        let writer = Writer {
            folder: folder.to_owned(),
            limit,
            retry,
            index: Arc::clone(&index),
            is_off: Arc::clone(&is_off),
            ledger: Arc::clone(&ledger),
            metrics: Arc::clone(&metrics),
        };
        let open = writer.open()?;
        let (orders, queue) = sync_channel(QUEUE);
        thread::Builder::new().name("forebay-disk".to_owned()).spawn(move || writer.run(open, &queue))?;
        Ok(Self { index, is_off, orders, ledger, pool: Arc::default(), metrics })
    }

    /// Whether a block is there, as far as is known without a look at the disk.
    pub(super) fn has(&self, object: &ObjectRef, number: u64) -> bool {
        self.index.is_fresh(&self.ledger, object, number)
    }

    /// Writes down what was purged; whether it is on the disk. Else it may come back when the process begins anew.
    pub(super) async fn remember(&self, epoch: Epoch, scopes: &[Scope]) -> bool {
        let (said, written) = oneshot::channel();
        let purges = scopes.iter().map(|scope| (epoch, scope.clone())).collect();
        let (orders, order) = (self.orders.clone(), Order::Purges(purges, said));
        // Behind the blocks that wait to be written, however many.
        let sent = tokio::task::spawn_blocking(move || orders.send(order).is_ok());
        sent.await.is_ok_and(|sent| sent) && written.await.is_ok()
    }

    /// A block, if it is there and whole. Cancel-safe.
    pub(super) async fn get(&self, object: &ObjectRef, number: u64) -> Option<Bytes> {
        let read = match self.find(object, number) {
            Some(place) => {
                let (of_task, pool) = (place.clone(), Arc::clone(&self.pool));
                let read = tokio::task::spawn_blocking(move || of_task.volume.read(&of_task, &pool));
                Some((read.await.ok()?, place))
            }
            None => None,
        };
        let is_hit = matches!(read, Some((Ok(_), _)));
        self.metrics.looked_up(Tier::Disk, if is_hit { CacheResult::Hit } else { CacheResult::Miss });
        match read? {
            (Ok(bytes), _) => Some(bytes),
            (Err(error), place) => {
                tracing::warn!(object = object.path, number, %error, "a block on the disk is of no use");
                self.index.forget(object.id(), number, &place);
                None
            }
        }
    }

    /// Where a block is that was not purged; one that was is forgotten.
    fn find(&self, object: &ObjectRef, number: u64) -> Option<Place> {
        let place = self.index.find(object.id(), number)?;
        if self.ledger.verdict(&object.place, place.epoch) == Verdict::Gone {
            self.index.forget(object.id(), number, &place);
            return None;
        }
        Some(place)
    }

    /// Keeps a block, if the disk is not behind. Does not wait.
    pub(super) fn put(&self, object: &Arc<ObjectRef>, number: u64, epoch: Epoch, bytes: &Bytes) {
        if self.is_off.load(Ordering::Relaxed) {
            return;
        }
        let block = Block { object: Arc::clone(object), number, epoch, bytes: bytes.clone() };
        if self.orders.try_send(Order::Block(block)).is_err() {
            self.metrics.disk_behind();
        }
    }
}

impl Writer {
    fn open(&self) -> io::Result<Open> {
        fs::create_dir_all(&self.folder)?;
        // Two processes would write into each other's files.
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(self.folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another process uses the folder")
            }
            TryLockError::Error(error) => error,
        })?;
        let told = Book::read(&self.folder)?;
        let shelves = Shelves::open(&self.folder, self.limit, Arc::clone(&self.index))?;
        let newest = self.index.newest();
        self.ledger.adopt(told.purges, newest);
        if told.is_damaged {
            tracing::warn!(folder = %self.folder.display(), "what was purged cannot be read; nothing on the disk is used");
            self.ledger.purge(&[Scope::All], Force::Hard);
        }
        let book = Book::begin(&self.folder, &self.ledger.hard())?;
        self.count(&shelves);
        Ok(Open { shelves, book, _lock: lock })
    }

    /// Writes until nobody has anything to write any more.
    fn run(&self, open: Open, queue: &Receiver<Order>) {
        let mut open = Some(open);
        loop {
            let order = match queue.recv_timeout(self.retry) {
                Ok(order) => order,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if open.is_none() {
                        open = self.try_again();
                    }
                    continue;
                }
            };
            let Some(to) = &mut open else { continue };
            if let Err(error) = self.write(to, order) {
                self.is_off.store(true, Ordering::Relaxed);
                self.metrics.disk_off(true);
                tracing::error!(folder = %self.folder.display(), %error, "the disk of the cache is not used for now");
                open = None;
            }
        }
    }

    fn write(&self, open: &mut Open, order: Order) -> io::Result<()> {
        match order {
            Order::Block(Block { object, number, epoch, bytes }) => {
                // It was purged on its way here, or what is here was.
                if self.ledger.verdict(&object.place, epoch) == Verdict::Gone
                    || self.index.is_fresh(&self.ledger, &object, number)
                {
                    return Ok(());
                }
                let gone = open.shelves.put(object.id(), number, epoch, &bytes)?;
                (0..gone).for_each(|_| self.metrics.evicted(Tier::Disk));
                self.count(&open.shelves);
            }
            Order::Purges(purges, said) => {
                open.book.add(&purges)?;
                if open.book.is_long() {
                    open.book = Book::begin(&self.folder, &self.ledger.hard())?;
                }
                // Who asked may have gone.
                let _ = said.send(());
            }
        }
        Ok(())
    }

    fn try_again(&self) -> Option<Open> {
        // A file that can be written, and room for it.
        let probe = self.folder.join("probe");
        let tried = fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&probe, vec![0; PROBE]))
            .and_then(|()| fs::remove_file(&probe))
            .and_then(|()| self.open());
        match tried {
            Ok(open) => {
                self.is_off.store(false, Ordering::Relaxed);
                self.metrics.disk_off(false);
                tracing::info!(folder = %self.folder.display(), "the disk of the cache is used again");
                Some(open)
            }
            Err(error) => {
                let _nothing_left = fs::remove_file(&probe);
                tracing::debug!(%error, "the disk of the cache cannot be used yet");
                None
            }
        }
    }

    fn count(&self, shelves: &Shelves) {
        self.metrics.cached(Tier::Disk, shelves.bytes(), self.index.len() as u64);
    }
}

/// Blocks that wait to be written: 16 MiB of them, of the usual size.
const QUEUE: usize = 64;
const RETRY: Duration = Duration::from_secs(10);
/// What must fit on a disk that is to be used again.
const PROBE: usize = 1 << 20;

#[cfg(test)]
mod tests;
