//! What has come behind a header and does not tell yet how long its samples are.

use std::collections::BTreeMap;

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

    /// How long samples of a header are; `None` where more of them must be seen. The length of sound is that of its first
    /// two frames: the first may be cut off where the presentation starts.
    pub(super) fn frame(&self, header: &Header) -> Option<Frame> {
        let runs = self.runs();
        match header.kind().is_video() {
            true => runs.iter().find_map(|run| Frame::of(run, header.timescale())),
            false => match runs.concat().as_slice() {
                [first, second, ..] => Some(Frame::exactly(*first.max(second))),
                _ => None,
            },
        }
    }

    /// The same where nothing follows: no less than they may be, so that nothing is cut by it.
    pub(super) fn last_frame(&self, header: &Header) -> Option<Frame> {
        Frame::at_most(&self.runs().concat(), header.timescale())
    }

    /// The lengths of samples that follow each other: some may have been lost, others may have come twice.
    fn runs(&self) -> Vec<Vec<u32>> {
        let samples = self.0.iter().flat_map(|(chunk, _)| &chunk.samples).take(MOST);
        let lengths: BTreeMap<i64, u32> = samples.map(|sample| (sample.decode, sample.duration)).collect();
        let mut runs: Vec<Vec<u32>> = Vec::new();
        let mut end = None;
        for (decode, duration) in lengths {
            match runs.last_mut().filter(|_| end == Some(decode)) {
                Some(run) => run.push(duration),
                None => runs.push(vec![duration]),
            }
            end = Some(decode.saturating_add(i64::from(duration)));
        }
        runs
    }
}

/// Samples that are looked at; far fewer tell a rate.
const MOST: usize = 1000;
