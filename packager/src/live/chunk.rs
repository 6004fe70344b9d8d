//! What a sender's bytes hold, once their boxes are read.

use std::sync::Arc;

use bytes::Bytes;

use super::{Capture, EventMessage, Header};

/// What comes next in a stream of CMAF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the chunks after it are chunks of. It may come again, and say something else.
    Header(Arc<Header>),
    /// Media.
    Chunk(Chunk),
}

/// One access unit with its media: a picture, or a frame of sound.
///
/// Times are ticks of the [`Header`](super::Header)'s timescale. What the sender's edit list says is already part
/// of them (see there): they lie on the presentation timeline, and there is nothing left to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decode time. Below zero only for pictures that a sender's timeline places there; sound starts at zero.
    pub decode: i64,
    /// Ticks until the next sample is decoded.
    pub duration: u32,
    /// Presentation time minus decode time; below zero where pictures are presented before others that were
    /// decoded first and the sender took the delay of reordering out.
    pub offset: i32,
    /// Whether decoding can start here. With sound it always can.
    pub sync: bool,
    /// The media. Shares the memory of what was fed where it came in one piece.
    pub data: Bytes,
}

impl Sample {
    /// When it is presented, in ticks.
    pub fn presented(&self) -> i64 {
        self.decode.saturating_add(i64::from(self.offset))
    }

    /// When the next one is decoded, in ticks.
    pub fn decode_end(&self) -> i64 {
        self.decode.saturating_add(i64::from(self.duration))
    }
}

/// A CMAF chunk (ISO/IEC 23000-19 §7.3.2.3): one `moof` with its `mdat`, and what was said before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Its samples in decode order. A fragment without any gives no chunk, unless its segment is the sender's last.
    pub samples: Vec<Sample>,
    /// It belongs to a segment that the sender filled because its input was lost (brand `slat` of the last `styp`;
    /// DASH-IF Live Media Ingest).
    pub slate: bool,
    /// It belongs to the sender's last segment (brand `lmsg` of the last `styp`; ISO/IEC 23009-1 §7.3.1). Only the first
    /// chunk of a segment need have a `styp`, so more chunks of the last segment may follow.
    pub last: bool,
    /// Events that were announced before it, at most 64.
    pub events: Vec<EventMessage>,
    /// When the sender captured or made it, where it says so.
    pub captured: Option<Capture>,
}

impl Chunk {
    /// How many samples it has.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.samples.len()).unwrap_or(u32::MAX)
    }
}
