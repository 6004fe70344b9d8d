//! What is known of a track from before it was here: what an archive tells of a show.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::segment::Segment;
use super::{Header, InitId};
use crate::time::{MediaTime, Msn};

/// The segments of a track that are kept elsewhere, and how it was read.
#[derive(Debug, Clone)]
pub struct Past {
    /// The header of the last of them.
    pub header: Arc<Header>,
    /// How its samples were gathered.
    pub gait: Gait,
    /// The init segments of all of them.
    pub inits: Vec<(InitId, Bytes)>,
    /// The segments, oldest first; their numbers follow each other.
    pub segments: VecDeque<Arc<Segment>>,
}

/// How the samples of a track are gathered into parts: what a playlist says of it, and where the next segments begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gait {
    /// So many ticks are as long as [`Self::frames`] samples.
    pub ticks: u64,
    /// Samples.
    pub frames: u64,
    /// Samples of a whole part.
    pub count: u32,
    /// `PART-TARGET`, in microseconds.
    pub part_target: u64,
}

impl Past {
    /// The number of the segment behind the last, and when that begins.
    pub(super) fn end(&self) -> (Msn, MediaTime) {
        self.segments
            .back()
            .map_or((Msn(0), MediaTime::from_millis(0)), |last| (Msn(last.msn.0.saturating_add(1)), last.end))
    }
}
