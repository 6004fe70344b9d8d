//! Parts and segments: what a live window is made of.

use std::sync::Arc;

use bytes::Bytes;

use super::InitId;
use crate::segment::{ETag, TagBits};
use crate::time::{MediaTime, Msn};

/// Bytes that can be sent: pieces that share the sender's memory, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    pieces: Vec<Bytes>,
    len: u64,
    tag: ETag,
    settled: Settled,
}

/// A segment whose bytes are kept outside of the window, and stay what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// How many bytes it is.
    pub len: u64,
    /// Its entity tag.
    pub tag: TagBits,
    /// Who wrote it; `None` where it is kept on this machine alone.
    pub fence: Option<u64>,
}

/// Whether whoever gets the same samples makes the same bytes of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// They do: it may be kept for ever.
    Yes,
    /// Something was lost here, or ended early; another origin may have more of it.
    No,
}

impl Media {
    /// The bytes of `pieces`, one after another.
    pub fn new(pieces: Vec<Bytes>, settled: Settled) -> Self {
        let tag = ETag::of_pieces(&pieces);
        Self { len: pieces.iter().map(|p| p.len() as u64).sum(), pieces, tag, settled }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// How many bytes they are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it may be kept for ever.
    pub fn settled(&self) -> Settled {
        self.settled
    }

    /// A strong entity tag: the same for the same bytes, on any node.
    pub fn tag(&self) -> &ETag {
        &self.tag
    }
}

/// A partial segment (RFC 8216bis §4.4.4.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// When it begins.
    pub start: MediaTime,
    /// When it ends, and the next one begins.
    pub end: MediaTime,
    /// Whether it has a frame that can be decoded alone.
    pub independent: bool,
    /// Its bytes; none where it is missing (`GAP=YES`).
    pub media: Option<Arc<Media>>,
}

/// A segment that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub msn: Msn,
    /// When it begins.
    pub start: MediaTime,
    /// When it ends, and the next one begins.
    pub end: MediaTime,
    /// Its parts. A segment that is missing as a whole (`EXT-X-GAP`) may have none.
    pub parts: Vec<Arc<Part>>,
    /// The bytes of all its parts, one after another, where they are here.
    pub media: Option<Arc<Media>>,
    /// Where else its bytes are kept. A segment that is neither here nor there is missing as a whole (`EXT-X-GAP`).
    pub stored: Option<Stored>,
    /// What it is decoded with.
    pub init: InitId,
    /// Whether something other than the timeline goes on here: `EXT-X-DISCONTINUITY`.
    pub discontinuity: bool,
}

impl Segment {
    /// Gathers the bytes of its parts.
    pub(super) fn gathered(mut self) -> Self {
        let parts: Vec<&Arc<Media>> = self.parts.iter().filter_map(|part| part.media.as_ref()).collect();
        let pieces: Vec<Bytes> = parts.iter().flat_map(|media| media.pieces.iter().cloned()).collect();
        let len = parts.iter().map(|media| media.len).sum();
        // Hashed already, part by part.
        let tags: Vec<Bytes> =
            parts.iter().map(|m| Bytes::copy_from_slice(m.tag.as_str().as_bytes())).collect();
        let sound =
            parts.len() == self.parts.len() && parts.iter().all(|media| media.settled == Settled::Yes);
        let settled = if sound { Settled::Yes } else { Settled::No };
        self.media = (len > 0).then(|| Arc::new(Media { pieces, len, tag: ETag::of_pieces(&tags), settled }));
        self
    }

    /// Bytes of media that it holds.
    pub fn bytes(&self) -> u64 {
        self.media.as_ref().map_or(0, |media| media.len)
    }

    /// How many bytes it is, here or there; `None` for one that is missing.
    pub fn size(&self) -> Option<u64> {
        let stored = || self.stored.map(|stored| stored.len);
        self.media.as_ref().map(|media| media.len).or_else(stored)
    }

    /// Whether it is neither here nor there.
    pub fn is_missing(&self) -> bool {
        self.media.is_none() && self.stored.is_none()
    }

    /// The same, with its bytes only where they are kept; what its parts were is forgotten.
    pub(super) fn released(&self) -> Self {
        Self { parts: Vec::new(), media: None, ..self.clone() }
    }

    /// How long it is.
    pub fn length(&self) -> MediaTime {
        self.end.since(self.start)
    }
}
