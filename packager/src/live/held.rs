//! What has come behind a header and does not tell yet how long its samples are.

use super::cadence::Frame;
use super::feed::Sender;
use super::{Chunk, Header};

/// Chunks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<(Chunk, Sender)>);

impl Held {
    /// Keeps a chunk.
    pub(super) fn push(&mut self, chunk: Chunk, sender: Sender) {
        self.0.push((chunk, sender));
    }

    /// Gives all that is held.
    pub(super) fn take(&mut self) -> Vec<(Chunk, Sender)> {
        std::mem::take(&mut self.0)
    }

    /// Lets go of all; gives how many samples those were.
    pub(super) fn clear(&mut self) -> u32 {
        self.take().iter().map(|(chunk, _)| chunk.count()).sum()
    }

    /// How long samples of a header are; `None` where more of them must be seen. The length of sound is that of its first
    /// two frames: the first may be cut off where the presentation starts.
    pub(super) fn frame(&self, header: &Header) -> Option<Frame> {
        let durations = self.durations();
        match (header.kind().is_video(), durations.as_slice()) {
            (true, durations) => Frame::of(durations, header.timescale()),
            (false, [first, second, ..]) => Some(Frame::exactly(*first.max(second))),
            (false, _) => None,
        }
    }

    /// The same where nothing follows: as long as the longest, so nothing is cut by it.
    pub(super) fn last_frame(&self) -> Option<Frame> {
        self.durations().into_iter().max().map(Frame::exactly)
    }

    fn durations(&self) -> Vec<u32> {
        let samples = self.0.iter().flat_map(|(chunk, _)| &chunk.samples);
        samples.map(|sample| sample.duration).take(MOST).collect()
    }
}

/// Samples that tell the rate of all; of a rate that is in use, far fewer do.
const MOST: usize = 1000;
