//! The newest minute of a track, for those who send it to origins.
//!
//! ```text
//!      ┌─ chunk ─ chunk ─ chunk ─ chunk ─ chunk ─┐◀─ push: the encoder never waits
//! 60 s │            ▲               ▲            │
//!      └────────────┼───────────────┼────────────┘
//!              a slow origin    an origin          each has a place of its own
//! ```
//!
//! Whoever is so far behind that its place is gone goes on at the oldest chunk that can be decoded alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use packager::time::MediaTime;
use tokio::sync::watch;

/// A chunk of a track: one `moof` with its `mdat`, and what was said before them.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// What it is decoded with: `ftyp` and `moov`.
    pub(super) header: Bytes,
    pub(super) bytes: Bytes,
    /// When its first sample is decoded, since 1970.
    pub(super) start: MediaTime,
    /// When its last sample ends.
    pub(super) end: MediaTime,
    /// Whether its first sample can be decoded alone.
    pub(super) is_key: bool,
}

/// A track's newest chunks. Shared by the one who makes them and those who send them.
#[derive(Debug, Clone)]
pub(super) struct Reel {
    kept: Arc<Mutex<Kept>>,
    /// The number of the chunk that comes next, and whether none does.
    next: Arc<watch::Sender<(u64, bool)>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Where what others made of the track ends.
    former_end: Option<MediaTime>,
    /// Where a gap begins.
    rests_at: Option<MediaTime>,
    chunks: VecDeque<Chunk>,
    /// The number of the first of them.
    first: u64,
    bytes: usize,
    has_ended: bool,
    is_over: bool,
}

/// What is there for a number.
#[derive(Debug)]
pub(super) enum Found {
    /// The chunk.
    Chunk(Chunk),
    /// It comes next.
    Wait,
    /// It is gone; go on with this number.
    Gone(u64),
    /// The track has ended.
    Ended,
}

impl Reel {
    /// The reel of a track that others have made up to `former_end`.
    pub(super) fn after(former_end: Option<MediaTime>) -> Self {
        let kept = Kept { former_end, ..Kept::default() };
        Self { kept: Arc::new(Mutex::new(kept)), next: Arc::new(watch::Sender::new((0, false))) }
    }

    /// Adds a chunk. Old ones go.
    pub(super) fn push(&self, chunk: Chunk) {
        let next = {
            let mut kept = self.lock();
            if kept.has_ended {
                return;
            }
            let newest = chunk.end;
            kept.bytes = kept.bytes.saturating_add(chunk.bytes.len());
            kept.chunks.push_back(chunk);
            while kept.chunks.len() > 1 && kept.is_over(newest) {
                if let Some(oldest) = kept.chunks.pop_front() {
                    kept.bytes = kept.bytes.saturating_sub(oldest.bytes.len());
                    kept.first = kept.first.saturating_add(1);
                }
            }
            kept.next()
        };
        self.next.send_replace((next, false));
    }

    /// What begins at this moment or later is not taken: a gap begins. Where it is `None`, the gap is over.
    pub(super) fn rest_at(&self, at: Option<MediaTime>) {
        self.lock().rests_at = at;
    }

    /// Whether what begins then would be in a gap.
    pub(super) fn is_beyond(&self, start: MediaTime) -> bool {
        self.lock().rests_at.is_some_and(|at| start >= at)
    }

    /// Nothing follows here: since the track is over, or since somebody else goes on with it.
    pub(super) fn finish(&self, is_over: bool) {
        let next = {
            let mut kept = self.lock();
            kept.has_ended = true;
            kept.is_over |= is_over;
            kept.next()
        };
        self.next.send_replace((next, true));
    }

    /// The chunk of this number.
    pub(super) fn at(&self, number: u64) -> Found {
        let kept = self.lock();
        let index = number.checked_sub(kept.first).and_then(|index| usize::try_from(index).ok());
        match index {
            None => Found::Gone(kept.first_key()),
            Some(index) => match kept.chunks.get(index) {
                Some(chunk) => Found::Chunk(chunk.clone()),
                None if kept.has_ended => Found::Ended,
                None => Found::Wait,
            },
        }
    }

    /// Where to go on for somebody who has everything up to `end`; for somebody who has nothing, the oldest chunk that can be
    /// decoded alone. The chunk that holds the end is sent again: where it is not the end of a chunk of ours, its second
    /// half is needed, and else it shows that what follows is the same encode.
    pub(super) fn place_after(&self, end: Option<MediaTime>) -> u64 {
        let kept = self.lock();
        let Some(end) = end else { return kept.first_key() };
        let had = kept.chunks.iter().take_while(|chunk| chunk.end <= end).count() as u64;
        kept.first.saturating_add(had.saturating_sub(1))
    }

    /// Whether the track is over, wherever it is made.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Whether nothing follows here.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().has_ended
    }

    /// The number of the chunk that comes next.
    pub(super) fn next(&self) -> u64 {
        self.lock().next()
    }

    /// Tells when a chunk has come, or the end.
    pub(super) fn watch(&self) -> watch::Receiver<(u64, bool)> {
        self.next.subscribe()
    }

    /// Where the track ends, whoever made it; `None` for one of which there is nothing.
    pub(super) fn end(&self) -> Option<MediaTime> {
        let kept = self.lock();
        kept.chunks.back().map(|chunk| chunk.end).or(kept.former_end)
    }

    /// What its last chunk is decoded with.
    pub(super) fn header(&self) -> Option<Bytes> {
        self.lock().chunks.back().map(|chunk| chunk.header.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn next(&self) -> u64 {
        self.first.saturating_add(self.chunks.len() as u64)
    }

    /// The number of the oldest chunk that can be decoded alone; where none can, of the one that comes next.
    fn first_key(&self) -> u64 {
        let before = self.chunks.iter().take_while(|chunk| !chunk.is_key).count();
        self.first.saturating_add(before as u64)
    }

    fn is_over(&self, newest: MediaTime) -> bool {
        let oldest = self.chunks.front().map_or(newest, |chunk| chunk.start);
        newest.since(oldest) > MediaTime::from_millis(LONGEST_MS) || self.bytes > MOST_BYTES
    }
}

/// What is kept: what an origin that comes back lists.
const LONGEST_MS: i64 = 60_000;
/// The most that is kept of a track: a minute at 8 Mbit/s and a bit.
const MOST_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(number: i64, is_key: bool, size: usize) -> Chunk {
        Chunk {
            header: Bytes::from_static(b"header"),
            bytes: Bytes::from(vec![0; size]),
            start: MediaTime::from_millis(number * 200),
            end: MediaTime::from_millis(number * 200 + 200),
            is_key,
        }
    }

    #[test]
    fn who_has_nothing_begins_at_a_keyframe_and_who_has_something_a_chunk_before_its_end() {
        let reel = Reel::after(None);
        assert!(matches!(reel.at(0), Found::Wait));
        assert_eq!(reel.place_after(None), 0);
        for number in 0..400 {
            reel.push(chunk(number, number % 10 == 0, 10));
        }
        // A minute: 300 chunks are left, the first of them in the middle of a group.
        assert!(matches!(reel.at(99), Found::Gone(100)));
        reel.push(chunk(400, true, 10));
        assert!(matches!(reel.at(100), Found::Gone(110)));
        assert_eq!(reel.place_after(None), 110);
        for (end_ms, expected) in
            [(30_000, 149), (30_100, 149), (30_200, 150), (80_200, 400), (99_000, 400), (0, 101)]
        {
            assert_eq!(reel.place_after(Some(MediaTime::from_millis(end_ms))), expected, "{end_ms}");
        }
        reel.finish(true);
        assert!(matches!(reel.at(401), Found::Ended) && matches!(reel.at(400), Found::Chunk(_)));
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_every_place_leads_on(
            sizes in prop::collection::vec((0_usize..4 << 20, any::<bool>()), 1..120), place in 0_u64..140,
        ) {
            let reel = Reel::after(None);
            for (number, (size, is_key)) in (0..).zip(sizes) {
                reel.push(chunk(number, is_key, size));
            }
            let kept = reel.lock();
            prop_assert!(kept.bytes <= MOST_BYTES);
            let (first, next) = (kept.first, kept.next());
            drop(kept);
            match reel.at(place) {
                Found::Chunk(_) => prop_assert!((first..next).contains(&place)),
                Found::Gone(further) => prop_assert!(place < first && (first..=next).contains(&further)),
                Found::Wait => prop_assert!(place >= next),
                Found::Ended => prop_assert!(false),
            }
        }
    }
}
