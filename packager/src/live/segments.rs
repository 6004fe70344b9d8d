//! The segments of a track: those that are whole, and the parts of that which is being made.

use std::collections::VecDeque;
use std::sync::Arc;

use super::InitId;
use super::cadence::Cadence;
use super::discontinuity::Discontinuities;
use super::segment::{Media, Part, Segment, Stored};
use crate::time::{MediaTime, Msn};

/// All that is here of a track's segments. Numbers follow each other without a gap, unless the timeline leaps.
#[derive(Debug)]
pub(super) struct Segments {
    closed: Arc<VecDeque<Arc<Segment>>>,
    open: Open,
    /// What is decoded with the header in force.
    init: InitId,
    discontinuities: Discontinuities,
    /// Bytes of media in segments and parts.
    bytes: u64,
}

/// The segment that is being made.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) msn: Msn,
    pub(super) start: MediaTime,
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) discontinuity: bool,
}

impl Segments {
    /// None yet of a track that is decoded with `init`.
    pub(super) fn new(init: InitId) -> Self {
        Self {
            closed: Arc::default(),
            open: Open::at(Msn(0), MediaTime::from_millis(0)),
            init,
            discontinuities: Discontinuities::default(),
            bytes: 0,
        }
    }

    /// Those that are whole, oldest first.
    pub(super) fn closed(&self) -> &Arc<VecDeque<Arc<Segment>>> {
        &self.closed
    }

    /// The one that is being made.
    pub(super) fn open(&self) -> &Open {
        &self.open
    }

    /// Whether there is something to list.
    pub(super) fn has_any(&self) -> bool {
        !self.closed.is_empty() || !self.open.parts.is_empty()
    }

    /// Whether nothing that was sent is in the open segment.
    pub(super) fn is_fresh(&self) -> bool {
        self.open.parts.iter().all(|part| part.media.is_none())
    }

    /// Bytes of media.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the listed media ends.
    pub(super) fn end(&self) -> MediaTime {
        match (self.open.parts.last(), self.closed.back()) {
            (Some(part), _) => part.end,
            (None, Some(segment)) => segment.end,
            (None, None) => self.open.start,
        }
    }

    /// What is known of the show's discontinuities.
    pub(super) fn changes(&self) -> &Arc<Vec<Msn>> {
        self.discontinuities.changes()
    }

    /// Learns of discontinuities: the open segment shows one that is due if nothing of it is listed. Where nothing is listed
    /// at all, those before it have been.
    pub(super) fn learn(&mut self, changes: &Arc<Vec<Msn>>, has_begun: bool) {
        self.discontinuities.learn(changes);
        if has_begun && !self.has_any() {
            self.discontinuities.begin(self.open.msn);
            self.open.discontinuity = false;
        } else if has_begun && self.open.parts.is_empty() && !self.open.discontinuity {
            self.open.discontinuity = self.discontinuities.enter(self.open.msn);
        }
    }

    /// The discontinuity sequence number of the first segment that is here.
    pub(super) fn first_number(&self) -> u64 {
        let shown = self.closed.iter().filter(|segment| segment.discontinuity).count() as u64;
        self.discontinuities.number().saturating_sub(shown + u64::from(self.open.discontinuity))
    }

    /// The first segment begins, decoded with `init`.
    pub(super) fn begin(&mut self, msn: Msn, start: MediaTime, init: InitId) {
        (self.open, self.init) = (Open::at(msn, start), init);
        self.discontinuities.begin(msn);
    }

    /// What follows is decoded otherwise than what is before the open segment.
    pub(super) fn change(&mut self, init: InitId) {
        self.discontinuities.change(self.open.msn, self.open.discontinuity);
        self.open.discontinuity = true;
        self.init = init;
    }

    /// The sequence number of the next part's fragment: unique in a track for as long as 2^32 of them are.
    pub(super) fn sequence(&self) -> u32 {
        let sequence = self.open.msn.0.wrapping_mul(64).wrapping_add(self.open.parts.len() as u64);
        u32::try_from(sequence & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// Lists a part that follows what is listed.
    pub(super) fn add(&mut self, end: MediaTime, independent: bool, media: Media) {
        self.bytes += media.len();
        let part = Part { start: self.parts_end(), end, independent, media: Some(Arc::new(media)) };
        self.open.parts.push(Arc::new(part));
    }

    /// Lists missing parts of the open segment from the end of what is here up to `end`, none longer than so many ticks.
    pub(super) fn fill(&mut self, from: MediaTime, end: MediaTime, longest: i64) {
        let mut at = from.ticks();
        while at < end.ticks() {
            at = at.saturating_add(longest.max(1)).min(end.ticks());
            let end = MediaTime::new(at, end.timescale());
            let part = Part { start: self.parts_end(), end, independent: false, media: None };
            self.open.parts.push(Arc::new(part));
        }
    }

    /// Ends the open segment and opens the one of that number; numbers between are gaps of no length, where keyframes
    /// come a little slower than the grid.
    pub(super) fn close(&mut self, number: Msn, at: MediaTime) {
        let former = self.open.msn;
        self.reopen(Open::at(number, at), at);
        for missing in former.0.saturating_add(1)..number.0 {
            let gap = Segment {
                msn: Msn(missing),
                start: at,
                end: at,
                parts: Vec::new(),
                media: None,
                stored: None,
                init: self.init,
                discontinuity: self.discontinuities.enter(Msn(missing)),
            };
            Arc::make_mut(&mut self.closed).push_back(Arc::new(gap));
        }
        self.open.discontinuity = self.discontinuities.enter(number);
    }

    /// Ends the open segment at `end`, and opens one that does not follow it.
    pub(super) fn leap(&mut self, end: MediaTime, number: Msn, start: MediaTime) {
        self.reopen(Open::at(number, start), end);
        self.open.discontinuity = self.discontinuities.enter(number);
    }

    /// Notes where else the bytes of a whole segment are kept, by its place in [`Self::closed`]. One that is missing here is
    /// missing no longer.
    pub(super) fn keep(&mut self, place: usize, stored: Option<Stored>) {
        if let Some(segment) = Arc::make_mut(&mut self.closed).get_mut(place) {
            *segment = Arc::new(Segment { stored, ..Segment::clone(segment) });
        }
    }

    /// Lets go of the bytes of a segment that are kept elsewhere; gives how many.
    pub(super) fn release(&mut self, place: usize) -> u64 {
        let Some(segment) = Arc::make_mut(&mut self.closed).get_mut(place) else { return 0 };
        let bytes = segment.bytes();
        *segment = Arc::new(segment.released());
        self.bytes = self.bytes.saturating_sub(bytes);
        bytes
    }

    /// A track goes on with a segment behind those that are kept elsewhere: they are listed before it, and what is missing
    /// between.
    pub(super) fn recall(&mut self, cadence: Cadence, past: &VecDeque<Arc<Segment>>) {
        self.closed = Arc::new(up_to(self.open.msn, self.open.start, cadence, past));
    }

    /// A track that goes on already turns out to have segments that are kept elsewhere: those that are older than what is here are
    /// listed before it, and what is missing between. Gives how many those are.
    pub(super) fn recall_late(&mut self, cadence: Cadence, past: &VecDeque<Arc<Segment>>) -> usize {
        let first = self.closed.front().map(|first| (first.msn, first.start));
        let (next, start) = first.unwrap_or((self.open.msn, self.open.start));
        let mut closed = up_to(next, start, cadence, past);
        let count = closed.len();
        closed.extend(self.closed.iter().cloned());
        self.closed = Arc::new(closed);
        count
    }

    /// Lets go of the oldest that is whole.
    pub(super) fn drop_front(&mut self) -> Option<Arc<Segment>> {
        let segment = Arc::make_mut(&mut self.closed).pop_front()?;
        self.bytes = self.bytes.saturating_sub(segment.bytes());
        Some(segment)
    }

    fn reopen(&mut self, next: Open, end: MediaTime) {
        let Open { msn, start, parts, discontinuity } = std::mem::replace(&mut self.open, next);
        let (init, stored) = (self.init, None);
        let segment = Segment { msn, start, end, parts, media: None, stored, init, discontinuity };
        Arc::make_mut(&mut self.closed).push_back(Arc::new(segment.gathered()));
    }

    /// Where the parts of the open segment end.
    fn parts_end(&self) -> MediaTime {
        self.open.parts.last().map_or(self.open.start, |part| part.end)
    }
}

/// The segments of `past` before that of number `next`, which begins at `start`, and what is missing between.
fn up_to(
    next: Msn,
    start: MediaTime,
    cadence: Cadence,
    past: &VecDeque<Arc<Segment>>,
) -> VecDeque<Arc<Segment>> {
    let mut closed: VecDeque<Arc<Segment>> = past.iter().take_while(|s| s.msn < next).cloned().collect();
    let Some(last) = closed.back().cloned() else { return closed };
    let on_grid = |number: u64| {
        let grid = cadence.start(Msn(number), start.timescale());
        grid.clamp(last.end.min(start), start)
    };
    for number in last.msn.0.saturating_add(1)..next.0 {
        closed.push_back(Arc::new(Segment {
            msn: Msn(number),
            start: if number == last.msn.0.saturating_add(1) { last.end } else { on_grid(number) },
            end: on_grid(number.saturating_add(1)),
            parts: Vec::new(),
            media: None,
            stored: None,
            init: last.init,
            discontinuity: false,
        }));
    }
    closed
}

impl Open {
    fn at(msn: Msn, start: MediaTime) -> Self {
        Self { msn, start, parts: Vec::new(), discontinuity: false }
    }
}
