//! A show whose segments are kept outside of the window too: what is known of them, and what need not stay here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::DateRange;
use super::super::kept::Kept;
use super::super::past::Past;
use super::super::segment::Stored;
use super::Show;
use crate::asset::RenditionName;
use crate::time::Msn;

/// What is left of a show that let go of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// The bytes that are held.
    pub held: u64,
    /// How many segments were kept nowhere else.
    pub lost: u64,
}

impl Show {
    /// Notes where else the bytes of a segment are kept, so that they need not stay here. Whether that is news.
    pub fn keep(&mut self, name: &RenditionName, msn: Msn, stored: Stored) -> bool {
        let Self { tracks, plan, .. } = self;
        tracks.get_mut(name).is_some_and(|kept| kept.keep(plan, msn, stored))
    }

    /// Notes that the segments before one are told elsewhere, as in the pages of an archive: those that are older than need be known
    /// are forgotten from now on.
    pub fn told(&mut self, until: Msn) {
        if let Some(keeping) = &mut self.plan.keeping {
            keeping.told = keeping.told.max(until);
        }
        let Self { tracks, plan, .. } = self;
        tracks.values_mut().for_each(|kept| kept.let_go(plan));
    }

    /// What was kept on this machine alone is not any more: where the bytes are not here, the segment is missing. Whether that is
    /// news.
    pub fn lose(&mut self, name: &RenditionName, msn: Msn) -> bool {
        self.tracks.get_mut(name).is_some_and(|kept| kept.lose(msn))
    }

    /// What is kept elsewhere of a track, for a show that goes on with it on another day or another origin. `None` where its
    /// samples have not told yet how they are gathered.
    pub fn past(&self, name: &RenditionName) -> Option<Past> {
        let kept = self.tracks.get(name)?;
        Some(Past {
            header: Arc::clone(kept.track().header()),
            gait: kept.gait()?,
            inits: kept.inits().to_vec(),
            segments: kept.track().segments().closed().iter().cloned().collect(),
        })
    }

    /// Learns only now, while it runs, of what is kept elsewhere of it: what the plan should have known as its past. Those who watch
    /// it from its start see all of it from then on; its window stays as it is.
    pub fn recall(&mut self, past: BTreeMap<RenditionName, Arc<Past>>, ranges: Vec<(i64, DateRange)>) {
        let Self { tracks, plan, .. } = self;
        for (name, past) in &past {
            if let Some(kept) = tracks.get_mut(name) {
                kept.recall(plan, past);
            }
        }
        for (since_ms, range) in &ranges {
            // What could be listed once can be again.
            let _ = Arc::make_mut(&mut self.ranges).add(range.clone(), *since_ms, Vec::new());
        }
        let oldest = past.values().filter_map(|past| Some(past.segments.front()?.start)).min();
        self.first = [self.first, oldest].into_iter().flatten().min();
        (self.plan.past, self.plan.ranges) = (past, ranges);
    }

    /// Lets go of the oldest media until no more than `goal` bytes are held, or nothing is left that may go: each playlist
    /// keeps three target durations and six segments, one of type EVENT all (RFC 8216bis §6.2.2), and what is to be kept elsewhere
    /// stays until it is. Gives the bytes that are held then.
    pub fn shed(&mut self, goal: u64) -> u64 {
        self.shed_by(goal, false).held
    }

    /// The same, where that was not enough and those who send and watch cannot wait for whatever keeps segments elsewhere: the
    /// oldest that it did not take is lost (`EXT-X-GAP`).
    pub fn lose_for(&mut self, goal: u64) -> Shed {
        self.shed_by(goal, self.plan.keeping.is_some())
    }

    fn shed_by(&mut self, goal: u64, may_lose: bool) -> Shed {
        let mut shed = Shed { held: self.bytes(), lost: 0 };
        while shed.held > goal {
            let Some(msn) = self.tracks.values().filter_map(Kept::oldest).min() else { break };
            // Tracks begin with the same segment.
            let mut old =
                self.tracks.values_mut().filter(|kept| kept.oldest() == Some(msn)).collect::<Vec<_>>();
            if !old.iter().all(|kept| kept.may_go(&self.plan, may_lose)) {
                break;
            }
            for kept in &mut old {
                let (bytes, is_lost) = kept.shed(&self.plan);
                shed.held = shed.held.saturating_sub(bytes);
                shed.lost += u64::from(is_lost);
            }
        }
        shed
    }
}
