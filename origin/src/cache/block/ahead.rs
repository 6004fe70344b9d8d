//! What comes next for who walks through an object, fetched before it is asked for.
//!
//! ```text
//! asked for:  7   8          9                 8 after 7 is a walk; 42 after 7 is a jump
//! fetched:        8   9      │   10            ahead, while 8 is being sent
//!                     └──────┘ here already
//! ```
//!
//! Once for each segment, however many walk, and only as much at once as the budget allows: an origin that is busy fetches what is
//! asked for.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use packager::range::ByteRange;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::run::Source;
use super::{Blocks, ObjectRef, blocks_in};

/// Who is where, and how much may be fetched ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Steps that somebody has taken lately, as hashes.
    steps: Cache<u64, ()>,
    hasher: RandomState,
    room: Arc<Semaphore>,
}

impl Ahead {
    /// With so many bytes on their way at once; none turns it off.
    pub(super) fn new(budget: u64, block: u64) -> Self {
        let steps = Cache::builder().max_capacity(STEPS).time_to_live(LATELY).build();
        Self { steps, hasher: RandomState::new(), room: Arc::new(Semaphore::new(blocks_in(budget, block))) }
    }

    /// Takes the step `number` of a walk; whether it is one, and the first that gets there.
    fn step(&self, walk: &impl Hash, number: u64) -> bool {
        let hash = |number: u64| self.hasher.hash_one((HashOf(walk), number));
        let (here, before) = (hash(number), number.checked_sub(1).map(hash));
        if self.steps.contains_key(&here) {
            return false;
        }
        self.steps.insert(here, ());
        before.is_some_and(|before| self.steps.contains_key(&before))
    }

    /// Room for as much of `wanted` blocks as there is.
    fn room(&self, wanted: u64) -> Option<(u64, OwnedSemaphorePermit)> {
        let count = wanted.min(u64::try_from(self.room.available_permits()).unwrap_or(0));
        let permits = u32::try_from(count).ok().filter(|count| *count > 0)?;
        Some((count, Arc::clone(&self.room).try_acquire_many_owned(permits).ok()?))
    }
}

struct HashOf<'a, T>(&'a T);

impl<T: Hash> Hash for HashOf<'_, T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Blocks {
    /// Somebody was given the step `number` of `walk`: a segment of a rendition. Where the one before it was given lately, what
    /// comes `next` is fetched. Does not wait.
    pub(crate) fn step(
        self: &Arc<Self>,
        walk: &impl Hash,
        number: u64,
        next: impl FnOnce() -> Option<(Arc<ObjectRef>, ByteRange)>,
    ) {
        let is_on = self.ahead.room.available_permits() > 0;
        if is_on
            && self.ahead.step(walk, number)
            && let Some((object, range)) = next()
        {
            self.fetch_ahead(&object, range);
        }
    }

    /// Begins a run of the first blocks of `range` that are neither here nor on their way, nor on the disk.
    fn fetch_ahead(self: &Arc<Self>, object: &Arc<ObjectRef>, range: ByteRange) {
        let end = range.end().min(object.size);
        let numbers = range.start() / self.block..end.div_ceil(self.block);
        let on_disk = |number: &u64| self.disk.as_ref().is_some_and(|disk| disk.has(object, *number));
        let mut board = self.board();
        let is_lacking = |number: &u64| !self.is_coming(&board, object, *number) && !on_disk(number);
        let Some(first) = numbers.clone().find(is_lacking) else { return };
        let wanted = self.missing(&board, object, first, end);
        // Not from the last half of the room: that is for what is asked for.
        let is_busy = self.room.available_permits() < self.rooms / 2;
        let Some((count, ahead)) = self.ahead.room(wanted).filter(|_| !is_busy) else { return };
        let Some(room) = self.take(count) else { return };
        let peer = self.owner(object, first);
        let source = if peer.is_some() { Source::Peer } else { Source::Own };
        let run = self.enter(&mut board, object, first, count, source);
        drop(board);
        self.set_off(object, (run, peer), room, Some(ahead));
    }
}

/// Steps that are remembered, and for how long.
const STEPS: u64 = 100_000;
const LATELY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_two_steps_and_each_is_taken_once() {
        let ahead = Ahead::new(1 << 20, 4_096);
        for (walk, number, is_walk) in [
            ("a", 7, false),
            ("a", 8, true),
            ("a", 8, false),
            ("a", 42, false),
            ("b", 9, false),
            ("a", 9, true),
            ("a", 0, false),
            ("a", 1, true),
        ] {
            assert_eq!(ahead.step(&walk, number), is_walk, "{walk} {number}");
        }
    }

    #[test]
    fn there_is_room_for_the_budget_and_no_more() {
        let ahead = Ahead::new(10 * 4_096, 4_096);
        let (count, most) = ahead.room(8).unwrap();
        assert_eq!(count, 8);
        let (count, _rest) = ahead.room(8).unwrap();
        assert_eq!(count, 2);
        assert!(ahead.room(1).is_none());
        drop(most);
        assert_eq!(ahead.room(3).unwrap().0, 3);
    }
}
