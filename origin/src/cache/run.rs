//! Neighbouring blocks that are read together, and handed out one by one as they come.
//!
//! ```text
//! store ──▶ |--7--|--8--|--9--|--10-|        one read
//!              ▲     ▲
//!              │     └ somebody who came later, for what is not here yet
//!              └ who started it, and those who are behind
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::block::BlockError;
use super::flight::Lost;
use super::ledger::Epoch;

/// Who is asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The disk and the store.
    Own,
    /// Another node, which may be asking this one.
    Peer,
}

/// A run of blocks, whole or on its way.
#[derive(Debug)]
pub(super) struct Run {
    first: u64,
    count: u64,
    epoch: Epoch,
    source: Source,
    state: Mutex<State>,
    /// How many blocks there are; told with each, and at the end.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    blocks: Vec<Bytes>,
    /// Why nothing follows.
    ended: Option<Option<BlockError>>,
}

impl Run {
    /// A run without blocks, that is to have `count` of them from the one of number `first` on, and begins now.
    pub(super) fn new(first: u64, count: u64, source: Source, epoch: Epoch) -> Self {
        Self { first, count, epoch, source, state: Mutex::default(), news: watch::Sender::new(0) }
    }

    /// Who is asked for it.
    pub(super) fn source(&self) -> Source {
        self.source
    }

    /// When it began, among purges.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The numbers of its blocks.
    pub(super) fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }

    /// The block of this number, if it is here already.
    pub(super) fn get(&self, number: u64) -> Option<Bytes> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lock().blocks.get(index).cloned()
    }

    /// The block of this number, as soon as it is here. Cancel-safe.
    ///
    /// # Errors
    /// What ended the run before it.
    pub(super) async fn block(&self, number: u64) -> Result<Bytes, BlockError> {
        let mut news = self.news.subscribe();
        loop {
            // Seen before it is looked: what comes in between is not missed.
            news.mark_unchanged();
            if let Some(block) = self.get(number) {
                return Ok(block);
            }
            if let Some(why) = &self.lock().ended {
                return Err(why.clone().unwrap_or(BlockError::Lost(Lost)));
            }
            if news.changed().await.is_err() {
                return Err(Lost.into());
            }
        }
    }

    /// The next block has come.
    pub(super) fn push(&self, block: Bytes) {
        self.lock().blocks.push(block);
        self.news.send_modify(|count| *count += 1);
    }

    /// Nothing follows, since all is here or something went wrong. What was said first stands.
    pub(super) fn end(&self, why: Option<BlockError>) {
        self.lock().ended.get_or_insert(why);
        self.news.send_modify(|_| ());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
