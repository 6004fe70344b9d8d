//! What of a track is kept elsewhere: how it goes on behind that, and what is let go of.

use std::sync::Arc;

use super::super::Header;
use super::super::cadence::Cadence;
use super::super::past::{Gait, Past};
use super::super::reading::Reading;
use super::super::segment::Stored;
use super::{Start, Track};
use crate::time::Msn;

impl Track {
    /// A track that goes on behind what is known of it.
    pub(in crate::live) fn after(cadence: Cadence, header: Arc<Header>, past: &Arc<Past>) -> Self {
        let reading = Reading::after(header, past.gait);
        Self {
            reading,
            past: Some(Arc::clone(past)),
            ..Self::new(cadence, Arc::clone(&past.header), Start::AtSegment(None))
        }
    }

    /// A track that has ended, of which all that was is known.
    pub(in crate::live) fn recorded(cadence: Cadence, past: &Past, changes: &Arc<Vec<Msn>>) -> Self {
        let mut this = Self::new(cadence, Arc::clone(&past.header), Start::Begun);
        this.reading.resume(past.gait);
        let (next, end) = past.end();
        this.next = end.ticks();
        this.learn(changes);
        this.segments.begin(next, end, this.header().id());
        this.segments.recall(cadence, &past.segments);
        this.finished = true;
        this
    }

    /// Learns of its past only now; gives how many segments have come before those that are here.
    pub(in crate::live) fn recall(&mut self, past: &Arc<Past>) -> usize {
        match self.has_begun() {
            true => self.segments.recall_late(self.cadence, &past.segments),
            false => {
                self.past = Some(Arc::clone(past));
                0
            }
        }
    }

    /// How its samples are gathered, for those who go on with it.
    pub(in crate::live) fn gait(&self) -> Option<Gait> {
        self.reading.gait()
    }

    /// Notes where else the bytes of a whole segment are kept, by its place among them.
    pub(in crate::live) fn keep(&mut self, place: usize, stored: Option<Stored>) {
        self.segments.keep(place, stored);
    }

    /// Lets go of the bytes of a segment that are kept elsewhere; gives how many.
    pub(in crate::live) fn release(&mut self, place: usize) -> u64 {
        self.segments.release(place)
    }
}
