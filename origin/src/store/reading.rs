//! Bytes of one object, handed on as they come.
//!
//! ```text
//! get(range) ─▶ body ─▶ piece ─▶ piece ─▶ … ─▶ all of them
//!    ▲                    └ broken off, or short: the rest is asked for ┐
//!    └──────────────────────── of the same version, or not at all ──────┘
//! ```

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange};
use packager::range::ByteRange;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Store, StoreError, Version, described, error};
use crate::metrics::{Outcome, StoreOperation};

/// A read under way. Dropping it ends it.
pub struct Reading {
    store: Store,
    path: Path,
    /// What is read: what was asked for, or what was found first.
    version: Option<Version>,
    range: ByteRange,
    /// Where the next byte is.
    at: u64,
    body: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    tries: u32,
    began: Instant,
    is_over: bool,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("path", &self.path)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Reading {
    pub(super) fn new(store: Store, path: Path, range: ByteRange, version: Option<Version>) -> Self {
        let (at, tries) = (range.start(), store.patience.tries);
        let began = Instant::now();
        let is_over = range.is_empty();
        Self { store, path, version, range, at, body: None, tries, began, is_over }
    }

    /// The next bytes, never none; `None` behind the last. The first are there within the store's deadline, and so is each of
    /// the others after the one before it. Cancel-safe: what is not handed out now is with the next call.
    ///
    /// # Errors
    /// [`StoreError`]; nothing more comes then. What was handed out before is what the object has.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let by = Instant::now() + self.store.patience.deadline;
        loop {
            let fault = match timeout_at(by, self.piece()).await {
                Ok(Ok(bytes)) => {
                    self.at = self.at.saturating_add(bytes.len() as u64);
                    if self.at >= self.range.end() {
                        self.end(Outcome::Ok);
                    }
                    return Ok(Some(bytes));
                }
                Ok(Err(fault)) => fault,
                Err(_) => {
                    let patience = self.store.patience.deadline;
                    return Err(self.fail(StoreError::timeout(READ, self.path.as_ref(), patience)));
                }
            };
            // The body is of no use any more; the rest is asked for.
            self.body = None;
            let error = StoreError::of(READ, self.path.as_ref(), fault);
            self.tries = self.tries.saturating_sub(1);
            if !error.is_transient() || self.tries == 0 || !self.store.may_retry() {
                return Err(self.fail(error));
            }
            let pause = self.store.pause(self.store.patience.tries.saturating_sub(self.tries));
            if timeout_at(by, tokio::time::sleep(pause)).await.is_err() {
                return Err(self.fail(error));
            }
        }
    }

    /// All bytes that are left, in one piece, within the store's deadline.
    ///
    /// # Errors
    /// Those of [`Self::next`].
    pub async fn all(mut self) -> Result<Bytes, StoreError> {
        let patience = self.store.patience.deadline;
        let path = self.path.clone();
        let all = async {
            let mut rope = Vec::new();
            while let Some(bytes) = self.next().await? {
                rope.push(bytes);
            }
            match <[Bytes; 1]>::try_from(rope) {
                Ok([whole]) => Ok(whole),
                // Copied: stores hand on what the network gave them, mostly less than a block.
                Err(rope) => Ok(rope.concat().into()),
            }
        };
        match timeout(patience, all).await {
            Ok(all) => all,
            Err(_) => Err(StoreError::timeout(READ, path.as_ref(), patience)),
        }
    }

    async fn piece(&mut self) -> object_store::Result<Bytes> {
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None => {
                    let body = self.open().await?;
                    self.body.insert(body)
                }
            };
            let left = self.range.end().saturating_sub(self.at);
            match body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) if bytes.len() as u64 > left => {
                    return Err(error::generic(format!("expected {left} bytes, found more")));
                }
                Some(Ok(bytes)) => return Ok(bytes),
                Some(Err(fault)) => return Err(fault),
                None => return Err(error::short(left)),
            }
        }
    }

    /// Asks for what is left.
    async fn open(&mut self) -> object_store::Result<BoxStream<'static, object_store::Result<Bytes>>> {
        let asked = GetRange::Bounded(self.at..self.range.end());
        let options = GetOptions { range: Some(asked), ..GetOptions::default() };
        let (objects, path) = (&self.store.reading, &self.path);
        let question = || objects.get_opts(path, options.clone());
        let found = self.store.hedged(question).await?;
        let version = described(&found.meta).version;
        if let Some(expected) = self.version.as_ref().filter(|expected| **expected != version) {
            return Err(error::changed(path.as_ref(), expected, &version));
        }
        if found.range != (self.at..self.range.end()) {
            let (range, size) = (self.range, found.meta.size);
            return Err(error::generic(format!("expected bytes {range:?}, found an object of {size} bytes")));
        }
        self.version = Some(version);
        Ok(found.into_stream())
    }

    fn end(&mut self, outcome: Outcome) {
        self.is_over = true;
        self.body = None;
        let read = self.at.saturating_sub(self.range.start());
        self.store.answered(READ, outcome, self.began.elapsed(), read);
    }

    fn fail(&mut self, error: StoreError) -> StoreError {
        self.end(error.fault().into());
        self.store.learns(&Err(&error));
        error
    }
}

const READ: StoreOperation = StoreOperation::Read;
