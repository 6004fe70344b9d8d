//! One sender's way through a track, and what became of what it sent.

use std::sync::Arc;

use super::{Header, Refusal};
use crate::time::MediaTime;

/// Who sends: one connection, or one object of a sender that opens a connection for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u64);

/// One sender's way through a track: a connection, or one object of those that send an object at a time.
#[derive(Debug, Clone)]
pub struct Feed {
    sender: Sender,
    /// Where what it sent ends.
    end: Option<MediaTime>,
    header: Option<Arc<Header>>,
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Parts that are listed now.
    pub parts: u32,
    /// Segments that are whole now.
    pub segments: u32,
    /// Samples of times that are here already, whoever sends them again and whatever they are decoded with: nothing is
    /// missing without them. They are to be expected where a sender comes back, or several send the same.
    pub duplicates: u32,
    /// Samples that could not be used, because nothing that they depend on is here or because their track has ended: their
    /// time is missing, unless something else of it comes.
    pub dropped: u32,
    /// Holes in the timeline that were bridged.
    pub holes: u32,
    /// Whether the playlists of other tracks have changed too.
    pub others: bool,
}

impl Feed {
    /// A sender that has sent nothing yet.
    pub fn new(sender: Sender) -> Self {
        Self { sender, end: None, header: None }
    }

    /// What its chunks are decoded with from here on; the track's own header where nothing is said.
    pub fn read_with(&mut self, header: Arc<Header>) {
        self.header = Some(header);
    }

    /// Who it is.
    pub(super) fn sender(&self) -> Sender {
        self.sender
    }

    /// What its chunks are decoded with, where it has said so.
    pub(super) fn header(&self) -> Option<&Arc<Header>> {
        self.header.as_ref()
    }

    /// Whether a chunk follows the one before it.
    ///
    /// # Errors
    /// [`Refusal::Backwards`].
    pub(super) fn check(&self, time: MediaTime) -> Result<(), Refusal> {
        let by_ms = self.end.map_or(0, |end| end.as_micros().saturating_sub(time.as_micros()) / 1000);
        // Timestamps that were rounded on the way may be a little off.
        if by_ms > SLACK_MS { Err(Refusal::Backwards { by_ms }) } else { Ok(()) }
    }

    /// A chunk has been accepted that ends there.
    pub(super) fn came_to(&mut self, end: MediaTime) {
        self.end = Some(end);
    }
}

/// How far apart two times may be and still be the same, where a sender rounds.
const SLACK_MS: i64 = 50;
