//! Answering another node: from memory, from the disk or from the store, and from nobody else.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use packager::range::ByteRange;

use super::super::block::{BlockError, BlockReader, Blocks};
use super::Peers;
use super::question::Question;
use crate::metrics::{Metrics, PeerAnswer};
use crate::store::StoreFault;

/// What answers other nodes.
pub(crate) struct Answering {
    blocks: Arc<Blocks>,
    peers: Arc<Peers>,
}

/// Why a question is not answered with blocks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It has no seal, a wrong one, or an old one.
    #[error("expected a question under a seal that is good, and new")]
    Sealed,
    /// It comes from who calls itself what this node calls itself.
    #[error("expected a question of another node, found one of this one")]
    Looped,
    /// It is not for blocks of media.
    #[error("expected a question for blocks of media, found another")]
    Malformed,
    /// The first block could not be had.
    #[error(transparent)]
    Blocks(#[from] BlockError),
}

/// The bytes of an answer: each block with its sum in front, in pieces that share the memory of the cache.
pub(crate) struct Pieces {
    reader: BlockReader,
    /// What was not read yet.
    left: ByteRange,
    block: u64,
    ready: VecDeque<Bytes>,
    length: u64,
    metrics: Arc<Metrics>,
}

impl Answering {
    pub(crate) fn new(blocks: Arc<Blocks>, peers: Arc<Peers>) -> Self {
        Self { blocks, peers }
    }

    /// Answers a question by its target and its headers. The first block is there when this returns.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn answer(&self, target: &str, headers: &HeaderMap) -> Result<Pieces, Refusal> {
        let answer = self.pieces(target, headers).await;
        let counted = answer.as_ref().map_or_else(Refusal::counted, |_| PeerAnswer::Ok);
        self.peers.metrics.peers().answered(counted);
        if let Err(Refusal::Looped) = &answer {
            let here = self.peers.here.to_str().unwrap_or_default();
            tracing::warn!(
                here,
                "asked by itself, or by another node of the same name: is peers.here right?"
            );
        }
        answer
    }

    async fn pieces(&self, target: &str, headers: &HeaderMap) -> Result<Pieces, Refusal> {
        let Peers { seal, here, clock, metrics, .. } = self.peers.as_ref();
        let node = seal.open(headers, clock.now(), target).ok_or(Refusal::Sealed)?;
        if node == here.as_bytes() {
            return Err(Refusal::Looped);
        }
        let question = Question::parse(target).ok_or(Refusal::Malformed)?;
        let length = question.length();
        let Question { object, range, block } = question;
        let reader = self.blocks.reader_for_peer(Arc::new(object), range.end());
        let (ready, metrics) = (VecDeque::new(), Arc::clone(metrics));
        let mut pieces = Pieces { reader, left: range, block, ready, length, metrics };
        pieces.read().await?;
        Ok(pieces)
    }
}

impl Pieces {
    /// How many bytes there are, all in all.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next piece; `None` at the end. Not cancel-safe: a cancelled call may lose a piece, as the answer is lost anyway.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, BlockError>> {
        if self.ready.is_empty() {
            if self.left.is_empty() {
                return None;
            }
            if let Err(error) = self.read().await {
                return Some(Err(error));
            }
        }
        let piece = self.ready.pop_front()?;
        self.metrics.peers().sent(piece.len() as u64);
        Some(Ok(piece))
    }

    /// Reads the next block of who asks, which may be several of this node's.
    async fn read(&mut self) -> Result<(), BlockError> {
        let block = ByteRange::at(self.left.start(), self.block.min(self.left.len()));
        let (mut at, mut sum, mut read) = (block.start(), crc32fast::Hasher::new(), Vec::new());
        while at < block.end() {
            let piece = self.reader.read(ByteRange::new(at, block.end())).await?;
            if piece.is_empty() {
                return Err(BlockError::Lost(super::super::Lost));
            }
            sum.update(&piece);
            at += piece.len() as u64;
            read.push(piece);
        }
        self.ready.push_back(Bytes::copy_from_slice(&sum.finalize().to_le_bytes()));
        self.ready.extend(read);
        self.left = ByteRange::new(at, self.left.end());
        Ok(())
    }
}

impl Refusal {
    /// How it is counted.
    pub(crate) fn counted(&self) -> PeerAnswer {
        match self {
            Self::Sealed => PeerAnswer::Denied,
            Self::Looped => PeerAnswer::Looped,
            Self::Malformed => PeerAnswer::Malformed,
            Self::Blocks(BlockError::Store(error)) => match error.fault() {
                StoreFault::NotFound => PeerAnswer::NotFound,
                StoreFault::Changed => PeerAnswer::Changed,
                _ => PeerAnswer::Unavailable,
            },
            Self::Blocks(BlockError::Busy | BlockError::Lost(_)) => PeerAnswer::Unavailable,
        }
    }
}
