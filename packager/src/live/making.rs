//! The part that is being made.

use bytes::Bytes;

use super::segment::{Media, Settled};
use super::{Header, Sample, mux};

/// Samples that are not listed yet, and the events beside them.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// In ticks of the header in force.
    start: i64,
    samples: Vec<Sample>,
    events: Vec<Bytes>,
    bytes: u64,
}

impl Making {
    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Bytes of media in it.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether decoding can start in it.
    pub(super) fn is_independent(&self) -> bool {
        self.samples.iter().any(|sample| sample.sync)
    }

    /// How long it is if it ends at a position; nothing where nothing is in it.
    pub(super) fn until(&self, end: i64) -> i64 {
        if self.is_empty() { 0 } else { end.saturating_sub(self.start) }
    }

    /// Takes a sample; it begins where the last one ended.
    pub(super) fn add(&mut self, sample: Sample, start: i64) {
        if self.is_empty() {
            self.start = start;
        }
        self.bytes += sample.data.len() as u64;
        self.samples.push(sample);
    }

    /// Takes event boxes, as they are passed on.
    pub(super) fn announce(&mut self, events: &mut Vec<Bytes>) {
        self.events.append(events);
    }

    /// What is sent of it.
    pub(super) fn media(&self, header: &Header, sequence: u32, settled: Settled) -> Media {
        Media::new(mux(header, sequence, &self.events, &self.samples), settled)
    }
}
