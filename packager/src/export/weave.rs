//! The order of media in an export: chunks of about a second, of all tracks in turn.

use std::ops::Range;

use super::excerpt::Excerpt;
use crate::time::{MediaTime, Rounding, Timescale};

/// Samples of one track that lie together in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The track, by its place in the export.
    pub(super) part: usize,
    pub(super) samples: Range<u32>,
    pub(super) bytes: u64,
    /// When the first is decoded, on the presentation's timeline.
    at: MediaTime,
}

/// All chunks of an export, in file order.
pub(super) fn chunks(parts: &[(usize, Excerpt<'_>)]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> =
        (0..).zip(parts).flat_map(|(part, (_, excerpt))| of_track(part, excerpt)).collect();
    // Those of one track keep their order: they are in it, and the sort is stable.
    chunks.sort_by_key(|chunk| chunk.at);
    chunks
}

fn of_track(part: usize, excerpt: &Excerpt<'_>) -> Vec<Chunk> {
    let (track, table) = (excerpt.track, excerpt.track.samples());
    let second = LENGTH.rescale(track.timescale(), Rounding::Up).ticks().unsigned_abs().max(1);
    let mut chunks = Vec::new();
    let mut first = excerpt.samples.start;
    while first < excerpt.samples.end {
        let start = table.decode_time(first);
        let next = table.first_decoded_at_or_after(start.saturating_add(second));
        let samples = first..next.clamp(first + 1, excerpt.samples.end);
        let decode = i64::try_from(start).unwrap_or(i64::MAX);
        let at = MediaTime::new(decode.saturating_sub(i64::from(track.skip())), track.timescale());
        first = samples.end;
        chunks.push(Chunk { part, bytes: table.bytes(samples.clone()), samples, at });
    }
    chunks
}

/// How long a chunk is: a player that reads from the front has to keep no more of one track while it waits for another.
const LENGTH: MediaTime = MediaTime::new(
    1,
    match Timescale::new(1) {
        Some(second) => second,
        None => Timescale::MILLIS,
    },
);
