//! The newest tags of a publisher, so that an encoder that is started again begins before the point where the former one
//! ended.
//!
//! ```text
//!            oldest keyframe                  a keyframe             newest
//! ───────────┼──────────────────────────────────┼──────────────────────┤
//! first ─────┘   at most 30 s and 48 MiB        │                      └─ last
//!                              published up to ─┴──▶ a new run is fed from this keyframe on
//! ```
//!
//! Tags have numbers that only grow; whoever feeds an encoder keeps the number of the tag that comes next. What precedes
//! the pictures (sequence headers) belongs to a run and is not in here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::timeline::Role;
use crate::ingest::Tag;

/// A tag that has its place on the timeline of the show.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) tag: Tag,
    pub(super) role: Role,
    /// When it is decoded, in milliseconds of Unix time.
    pub(super) at_ms: i64,
    /// When it is shown.
    pub(super) shown_ms: i64,
}

/// Shared by those who put in and those who feed.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    kept: Arc<Mutex<Kept>>,
    /// The number of the tag that comes next.
    next: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Kept {
    tags: VecDeque<Placed>,
    /// The number of the first of them.
    first: u64,
    bytes: usize,
}

/// What is there for a number.
#[derive(Debug)]
pub(super) enum Found {
    /// The tag.
    Tag(Placed),
    /// It comes next.
    Wait,
    /// It was here, and is no more.
    Gone,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { kept: Arc::default(), next: Arc::new(watch::Sender::new(0)) }
    }

    /// Puts a tag in. Where the oldest must go, they go up to the next keyframe.
    pub(super) fn push(&self, placed: Placed) {
        let next = {
            let mut kept = self.lock();
            let newest_ms = placed.at_ms;
            kept.bytes = kept.bytes.saturating_add(placed.tag.data.len());
            kept.tags.push_back(placed);
            while kept.is_over(newest_ms) && kept.drop_group(newest_ms) {}
            kept.next()
        };
        self.next.send_replace(next);
    }

    /// Puts tags before the one of this number; the first of them has its number then. Gives the one that it has itself.
    /// For a time when nobody reads, since what follows has other numbers too.
    pub(super) fn put_before(&self, number: u64, tags: Vec<Placed>) -> u64 {
        let count = tags.len() as u64;
        let next = {
            let mut kept = self.lock();
            let index = usize::try_from(number.saturating_sub(kept.first)).unwrap_or(usize::MAX);
            let index = index.min(kept.tags.len());
            let rest = kept.tags.split_off(index);
            kept.bytes =
                tags.iter().fold(kept.bytes, |sum, placed| sum.saturating_add(placed.tag.data.len()));
            kept.tags.extend(tags);
            kept.tags.extend(rest);
            kept.next()
        };
        self.next.send_replace(next);
        number.saturating_add(count)
    }

    /// Forgets all that is in it: what follows has nothing to do with it.
    pub(super) fn clear(&self) {
        let mut kept = self.lock();
        kept.first = kept.next();
        kept.tags.clear();
        kept.bytes = 0;
    }

    /// The number of the tag that comes next.
    pub(super) fn end(&self) -> u64 {
        self.lock().next()
    }

    /// When the newest tag is decoded, in milliseconds of Unix time; zero where there is none.
    pub(super) fn newest_ms(&self) -> i64 {
        self.lock().tags.back().map_or(0, |placed| placed.at_ms)
    }

    /// The tag of this number.
    pub(super) fn at(&self, number: u64) -> Found {
        let kept = self.lock();
        match number.checked_sub(kept.first).and_then(|index| usize::try_from(index).ok()) {
            None => Found::Gone,
            Some(index) => kept.tags.get(index).cloned().map_or(Found::Wait, Found::Tag),
        }
    }

    /// The same, where it is here.
    pub(super) fn tag(&self, number: u64) -> Option<Placed> {
        match self.at(number) {
            Found::Tag(placed) => Some(placed),
            Found::Wait | Found::Gone => None,
        }
    }

    /// Tells when a tag has come.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// The newest keyframe that is not shown after `shown_ms`, else the oldest, and its number; `None` where there is none.
    pub(super) fn keyframe_before(&self, shown_ms: i64) -> Option<(u64, Placed)> {
        let kept = self.lock();
        let keys = || (kept.first..).zip(&kept.tags).filter(|(_, placed)| placed.role == Role::Key);
        let newest = keys().filter(|(_, placed)| placed.shown_ms <= shown_ms).last();
        newest.or_else(|| keys().next()).map(|(number, placed)| (number, placed.clone()))
    }

    /// The number of the first keyframe from a number on.
    pub(super) fn keyframe_from(&self, number: u64) -> Option<u64> {
        let kept = self.lock();
        let mut all = (kept.first..).zip(&kept.tags);
        all.find(|(at, placed)| *at >= number && placed.role == Role::Key).map(|(at, _)| at)
    }

    /// The first tag of sound from a number on.
    pub(super) fn sound_from(&self, number: u64) -> Option<Placed> {
        self.from(number).into_iter().find(|placed| placed.role == Role::Sound)
    }

    /// The tags from a number on that are here.
    pub(super) fn from(&self, number: u64) -> Vec<Placed> {
        let kept = self.lock();
        let skipped = usize::try_from(number.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        kept.tags.iter().skip(skipped).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn next(&self) -> u64 {
        self.first.saturating_add(self.tags.len() as u64)
    }

    fn is_over(&self, newest_ms: i64) -> bool {
        let oldest = self.tags.front().map_or(newest_ms, |placed| placed.at_ms);
        newest_ms.saturating_sub(oldest) > LONGEST_MS || self.bytes > MOST_BYTES
    }

    /// Drops what is before the second keyframe. A GOP that is too long alone goes as well, but for its last second: it is of
    /// no use for another run, yet the one that goes on may not have read it. False where nothing more may go.
    fn drop_group(&mut self, newest_ms: i64) -> bool {
        let second = self.tags.iter().skip(1).position(|placed| placed.role == Role::Key);
        let unread = newest_ms.saturating_sub(UNREAD_MS);
        let count = match second {
            Some(before) => before + 1,
            None => self.tags.iter().take_while(|placed| placed.at_ms < unread).count(),
        };
        for placed in self.tags.drain(..count) {
            self.bytes = self.bytes.saturating_sub(placed.tag.data.len());
            self.first = self.first.saturating_add(1);
        }
        count > 0
    }
}

/// The most that is kept, in milliseconds: two GOPs of what encoders make that nobody told how often a keyframe is wanted (250
/// frames).
const LONGEST_MS: i64 = 30_000;
/// The most that is kept, in bytes: half a minute at 13 Mbit/s.
const MOST_BYTES: usize = 48 << 20;
/// How far behind whoever feeds an encoder may be where there is no keyframe, in milliseconds.
const UNREAD_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::TagKind;

    fn tag(role: Role, at_ms: i64, size: usize) -> Placed {
        let kind = if role == Role::Sound { TagKind::Audio } else { TagKind::Video };
        let data = Bytes::from(vec![0; size]);
        Placed { tag: Tag { kind, at_ms, data }, role, at_ms, shown_ms: at_ms + 40 }
    }

    #[test]
    fn a_new_run_begins_at_the_keyframe_before_what_is_published() {
        let ring = Ring::new();
        assert!(ring.keyframe_before(0).is_none());
        for frame in 0..200 {
            let role = if frame % 50 == 0 { Role::Key } else { Role::Picture };
            ring.push(tag(role, frame * 40, 100));
        }
        for (published, expected) in [(-100, 0), (2_039, 0), (2_040, 50), (5_000, 100), (99_000, 150)] {
            assert_eq!(ring.keyframe_before(published).unwrap().0, expected, "{published}");
        }
        assert_eq!(
            (ring.keyframe_from(50), ring.keyframe_from(51), ring.keyframe_from(151)),
            (Some(50), Some(100), None)
        );
    }

    #[test]
    fn what_is_put_before_a_tag_has_its_number() {
        let ring = Ring::new();
        for at in 0..6 {
            ring.push(tag(if at == 2 { Role::Key } else { Role::Picture }, at * 40, 100));
        }
        let fill = vec![tag(Role::Key, 50, 7), tag(Role::Key, 60, 7)];
        assert_eq!(ring.put_before(2, fill), 4);
        let times: Vec<i64> = ring.from(0).iter().map(|placed| placed.at_ms).collect();
        assert_eq!(times, [0, 40, 50, 60, 80, 120, 160, 200]);
        assert_eq!((ring.tag(2).unwrap().at_ms, ring.tag(4).unwrap().at_ms, ring.end()), (50, 80, 8));
        assert_eq!(ring.lock().bytes, 614);
    }

    #[test]
    fn a_group_that_is_too_long_is_no_use_and_goes_but_for_its_end() {
        let ring = Ring::new();
        ring.push(tag(Role::Key, 0, 10));
        for at in 1..=301 {
            ring.push(tag(Role::Picture, at * 100, 10));
        }
        assert!(ring.keyframe_before(99_999).is_none());
        assert!(matches!(ring.at(290), Found::Gone) && matches!(ring.at(291), Found::Tag(_)));
        assert!(matches!(ring.at(302), Found::Wait));
        ring.push(tag(Role::Key, 30_300, 10));
        assert_eq!(ring.keyframe_before(0).unwrap().0, 302);
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_what_is_in_it_is_the_newest(
            tags in prop::collection::vec((0_u8..20, 0_i64..400, 0_usize..1 << 20), 1..300),
        ) {
            let ring = Ring::new();
            let mut at = 0;
            for (number, (what, step, size)) in (0_u64..).zip(tags) {
                at += step;
                let role = match what { 0 => Role::Key, 1..10 => Role::Picture, _ => Role::Sound };
                ring.push(tag(role, at, size));
                prop_assert_eq!(ring.end(), number + 1);
                let kept = ring.lock();
                let unread = kept.tags.iter().all(|placed| at - placed.at_ms <= UNREAD_MS);
                prop_assert!(kept.bytes <= MOST_BYTES || unread);
                prop_assert_eq!(kept.bytes, kept.tags.iter().map(|placed| placed.tag.data.len()).sum::<usize>());
                let front = kept.tags.front().unwrap();
                prop_assert!(at - front.at_ms <= LONGEST_MS);
            }
        }
    }
}
