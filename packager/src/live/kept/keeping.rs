//! A track whose segments are kept outside of the window too: what goes on behind them here, and what need not stay.

use std::sync::Arc;

use super::super::Header;
use super::super::past::Past;
use super::super::plan::Plan;
use super::super::playlist::Listing;
use super::super::segment::{Media, Segment, Stored};
use super::super::track::Track;
use super::{Kept, Shown};
use crate::time::{MediaTime, Msn};

impl Kept {
    /// A track that goes on here behind what is kept elsewhere of it.
    pub(in crate::live) fn after(
        number: u32,
        plan: &Plan,
        past: &Arc<Past>,
        header: &Arc<Header>,
        announced: Option<MediaTime>,
    ) -> Self {
        let track = Track::after(plan.cadence, Arc::clone(header), past);
        Self { inits: past.inits.clone(), ..Self::new(number, track, header, announced) }
    }

    /// A track that has ended, of which all is kept elsewhere.
    pub(in crate::live) fn recorded(number: u32, plan: &Plan, past: &Past, changes: &Arc<Vec<Msn>>) -> Self {
        let track = Track::recorded(plan.cadence, past, changes);
        let mut this = Self::new(number, track, &past.header, None);
        (this.inits, this.has_begun, this.is_heard, this.is_greeted) =
            (past.inits.clone(), true, true, false);
        this.discontinuities = this.track.segments().first_number();
        this.settle(plan, i64::MIN);
        this
    }

    /// Learns only now of what is kept elsewhere of it. What is listed begins where it did, but for an EVENT.
    pub(in crate::live) fn recall(&mut self, plan: &Plan, past: &Arc<Past>) {
        if past.header.kind().is_video() != self.track.is_video() {
            return;
        }
        let older = self.track.recall(past);
        let known: Vec<_> =
            past.inits.iter().filter(|(id, _)| self.inits.iter().all(|(known, _)| known != id)).collect();
        self.inits.splice(0..0, known.into_iter().cloned());
        self.released += older;
        let shown = self.shown.front().map_or(i64::MIN, |shown| shown.since_ms);
        (0..older).for_each(|_| self.shown.push_front(Shown { since_ms: shown, until_ms: Some(shown) }));
        match plan.listing {
            Listing::Sliding(_) => self.listed += older,
            Listing::Event | Listing::Start => self.discontinuities = self.track.segments().first_number(),
        }
        // What is here may be kept there, too.
        for segment in &past.segments {
            if let Some(stored) = segment.stored.filter(|stored| stored.fence.is_some()) {
                self.keep(plan, segment.msn, stored);
            }
        }
        self.let_go(plan);
    }

    /// Notes where else the bytes of a segment are kept. Whether that is news.
    pub(in crate::live) fn keep(&mut self, plan: &Plan, msn: Msn, stored: Stored) -> bool {
        let Some((place, segment)) = self.place(msn).and_then(|at| Some((at, self.closed().get(at)?))) else {
            return false;
        };
        // What others can read is not given up for what lies on this machine.
        let is_known = segment.stored.is_some_and(|known| known.fence.is_some() && stored.fence.is_none());
        if is_known || segment.stored == Some(stored) {
            return false;
        }
        // Of what another origin had more of, or less, all serve what is kept.
        let differs = |media: &Arc<Media>| media.tag().bits() != Some(stored.tag);
        let is_other = stored.fence.is_some() && segment.media.as_ref().is_some_and(differs);
        self.track.keep(place, Some(stored));
        if is_other {
            self.track.release(place);
        }
        self.let_go(plan);
        true
    }

    /// What was kept on this machine is not any more; what others can read stays. Whether that is news.
    pub(in crate::live) fn lose(&mut self, msn: Msn) -> bool {
        let Some(place) = self.place(msn) else { return false };
        let was_kept =
            self.closed().get(place).is_some_and(|s| s.stored.is_some_and(|at| at.fence.is_none()));
        if was_kept {
            self.track.keep(place, None);
        }
        was_kept
    }

    /// Lets go of bytes that are kept elsewhere and lie far enough behind, and of what is so old that nobody asks for it.
    pub(in crate::live) fn let_go(&mut self, plan: &Plan) {
        let Some(keeping) = plan.keeping else { return };
        let behind = |span: MediaTime| self.end().saturating_sub(span.as_micros());
        let (bytes, known) = (behind(keeping.bytes), behind(keeping.known));
        let is_kept =
            |s: &&Arc<Segment>| s.end.as_micros() <= bytes && (s.stored.is_some() || s.is_missing());
        while let Some(segment) = self.closed().get(self.released).filter(is_kept) {
            if segment.media.is_some() {
                self.track.release(self.released);
            }
            self.released += 1;
        }
        let is_old = |s: &Arc<Segment>| s.end.as_micros() <= known && s.msn < keeping.told;
        while self.listed > 0 && self.released > 0 && self.closed().front().is_some_and(is_old) {
            self.drop_front();
        }
    }
}
