//! What was purged, and when: a purge takes a moment, whatever it reaches.
//!
//! ```text
//! a fill begins ──▶ it, and what it brings, is of this epoch
//!                                  │
//! purge: the next epoch ──▶ mark   ▼
//!                             └──▶ look-up: was the place marked after its epoch? ──▶ Gone, or Stale
//! ```
//!
//! Nothing is searched for: what was purged is found out when it is looked up, in every tier alike, and so is what was on its
//! way at the time. Where too many marks come together, the older half becomes one that is for everything.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

pub(crate) use crate::metrics::PurgeKind as Force;

/// Which point between purges: a fill is of the one at which it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Epoch(pub(super) u64);

/// An epoch that moves on as what it is of is looked at.
#[derive(Debug, Default)]
pub(super) struct Stamp(AtomicU64);

/// What is purged, as places. A place is a path such as `/vod/show/7/video-720/`; what it stands for is said where the
/// things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Everything.
    All,
    /// A place that ends with a slash, and all that begin with it.
    Below(String),
    /// One place, and none below it.
    At(String),
    /// All places that begin with these characters.
    Beginning(String),
}

/// What a purge means for one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fresh,
    Stale,
    Gone,
}

/// All purges, as far as they can matter.
#[derive(Debug)]
pub(crate) struct Ledger {
    now: AtomicU64,
    marks: RwLock<Marks>,
    /// The epochs before purges of the last minute.
    lately: Mutex<VecDeque<(Instant, u64)>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Marks {
    all: Mark,
    below: HashMap<String, Mark>,
    at: HashMap<String, Mark>,
    beginning: HashMap<String, Mark>,
}

/// The last purge of each force.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    hard: u64,
    soft: u64,
}

impl Stamp {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self(AtomicU64::new(epoch.0))
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.0.load(Ordering::Acquire))
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Ledger {
    fn with_limit(limit: usize) -> Self {
        Self { now: AtomicU64::new(0), marks: RwLock::default(), lately: Mutex::default(), limit }
    }

    /// The epoch of what begins now.
    pub(super) fn now(&self) -> Epoch {
        Epoch(self.now.load(Ordering::Acquire))
    }

    /// Purges these places, from now on; gives the epoch that begins with it.
    pub(crate) fn purge(&self, scopes: &[Scope], force: Force) -> Epoch {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        let before = self.now.load(Ordering::Acquire);
        let epoch = before.saturating_add(1);
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = lately.len() >= LATELY;
        let now = Instant::now();
        match lately.back_mut().filter(|_| is_full) {
            // It stands for those that come after it.
            Some((when, _)) => *when = now,
            None => lately.push_back((now, before)),
        }
        scopes.iter().for_each(|scope| marks.add(scope, force, epoch));
        marks.shrink(self.limit);
        // After the marks: whoever sees the epoch finds them.
        self.now.store(epoch, Ordering::Release);
        Epoch(epoch)
    }

    /// Purges that a former process made, and the newest epoch it had.
    pub(super) fn adopt(&self, purges: impl IntoIterator<Item = (Epoch, Scope)>, newest: Epoch) {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        let mut latest = newest.0;
        for (epoch, scope) in purges {
            marks.add(&scope, Force::Hard, epoch.0);
            latest = latest.max(epoch.0);
        }
        marks.shrink(self.limit);
        self.now.fetch_max(latest, Ordering::AcqRel);
    }

    /// All hard purges that are known, in no order.
    pub(super) fn hard(&self) -> Vec<(Epoch, Scope)> {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        let below = marks.below.iter().map(|(place, mark)| (mark, Scope::Below(place.clone())));
        let at = marks.at.iter().map(|(place, mark)| (mark, Scope::At(place.clone())));
        let beginning = marks.beginning.iter().map(|(place, mark)| (mark, Scope::Beginning(place.clone())));
        let all = std::iter::once((&marks.all, Scope::All));
        let known = all.chain(below).chain(at).chain(beginning).filter(|(mark, _)| mark.hard > 0);
        known.map(|(mark, scope)| (Epoch(mark.hard), scope)).collect()
    }

    /// What the purges mean for something at `place` that is of the epoch `since`.
    pub(super) fn verdict(&self, place: &str, since: Epoch) -> Verdict {
        // Most of the time nothing was purged since.
        match since >= self.now() {
            true => Verdict::Fresh,
            false => self.marks.read().unwrap_or_else(PoisonError::into_inner).verdict(place, since),
        }
    }

    /// Whether `place` was purged in the last minute: other nodes may not have heard of it yet.
    pub(crate) fn was_purged_lately(&self, place: &str) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        while lately.front().is_some_and(|(when, _)| when.elapsed() > MINUTE) {
            lately.pop_front();
        }
        let before = lately.front().map(|(_, before)| *before);
        drop(lately);
        before.is_some_and(|before| self.verdict(place, Epoch(before)) == Verdict::Gone)
    }

    /// The same for something that has a stamp, which moves on: it is looked up once for each purge at most.
    pub(super) fn judge(&self, place: impl FnOnce() -> String, stamp: &Stamp) -> Verdict {
        let (since, now) = (stamp.epoch(), self.now());
        if since >= now {
            return Verdict::Fresh;
        }
        let verdict = self.verdict(&place(), since);
        if verdict == Verdict::Fresh {
            stamp.0.fetch_max(now.0, Ordering::AcqRel);
        }
        verdict
    }
}

impl Marks {
    fn add(&mut self, scope: &Scope, force: Force, epoch: u64) {
        let mark = match scope {
            Scope::All => &mut self.all,
            Scope::Below(place) => self.below.entry(place.clone()).or_default(),
            Scope::At(place) => self.at.entry(place.clone()).or_default(),
            Scope::Beginning(place) => self.beginning.entry(place.clone()).or_default(),
        };
        let last = match force {
            Force::Hard => &mut mark.hard,
            Force::Soft => &mut mark.soft,
        };
        *last = epoch.max(*last);
    }

    /// What all scopes that hold `place` say of it.
    fn verdict(&self, place: &str, since: Epoch) -> Verdict {
        let folders = place.match_indices('/').filter_map(|(at, _)| place.get(..=at));
        let below = folders.filter_map(|folder| self.below.get(folder));
        let at = self.at.get(place);
        let beginning = self.beginning.iter().filter(|(text, _)| place.starts_with(text.as_str()));
        let beginning = beginning.map(|(_, mark)| mark);
        let marks = std::iter::once(&self.all).chain(below).chain(at).chain(beginning);
        marks.fold(Verdict::Fresh, |verdict, mark| match verdict {
            _ if mark.hard > since.0 => Verdict::Gone,
            Verdict::Fresh if mark.soft > since.0 => Verdict::Stale,
            verdict => verdict,
        })
    }

    /// Where there are more marks than `limit`, or more beginnings than can be tried one after the other, the older half of them
    /// becomes one for everything: more is fetched anew than was asked for, never less.
    fn shrink(&mut self, limit: usize) {
        let maps = [&mut self.below, &mut self.at];
        let count: usize = maps.iter().map(|map| map.len()).sum();
        let mut floor = 0;
        if count > limit {
            floor = median(maps.iter().flat_map(|map| map.values()));
        }
        if self.beginning.len() > BEGINNINGS {
            floor = floor.max(median(self.beginning.values()));
        }
        if floor > 0 {
            self.all.hard = self.all.hard.max(floor);
            for map in [&mut self.below, &mut self.at, &mut self.beginning] {
                map.retain(|_, mark| mark.latest() > floor);
            }
        }
    }
}

impl Mark {
    fn latest(&self) -> u64 {
        self.hard.max(self.soft)
    }
}

fn median<'a>(marks: impl Iterator<Item = &'a Mark>) -> u64 {
    let mut epochs: Vec<u64> = marks.map(Mark::latest).collect();
    let middle = epochs.len() / 2;
    match epochs.is_empty() {
        true => 0,
        false => *epochs.select_nth_unstable(middle).1,
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a purge may take to reach all nodes.
const MINUTE: Duration = Duration::from_secs(60);
/// Purges of that time that are told from each other.
const LATELY: usize = 10_000;
/// Places that are known to be purged; about 15 MB.
const LIMIT: usize = 100_000;
/// Beginnings that are not whole folders; each look-up after a purge tries them all.
const BEGINNINGS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn below(place: &str) -> Scope {
        Scope::Below(place.to_owned())
    }

    #[test]
    fn what_began_before_a_purge_is_gone_and_what_began_after_it_is_not() {
        let ledger = Ledger::default();
        let before = ledger.now();
        ledger.purge(&[below("/vod/show/")], Force::Hard);
        let after = ledger.now();
        for place in ["/vod/show/", "/vod/show/#", "/vod/show/7/video/"] {
            assert_eq!(ledger.verdict(place, before), Verdict::Gone, "{place}");
            assert_eq!(ledger.verdict(place, after), Verdict::Fresh, "{place}");
        }
        for place in ["/vod/shows/", "/vod/", "/live/show/"] {
            assert_eq!(ledger.verdict(place, before), Verdict::Fresh, "{place}");
        }
    }

    #[test]
    fn each_scope_reaches_what_it_says() {
        for (scope, reached, spared) in [
            (Scope::All, &["/a/", "/"][..], &[][..]),
            (below("/a/"), &["/a/", "/a/b", "/a/b/c/"], &["/a", "/ab/", "/"]),
            (Scope::At("/a/".into()), &["/a/"], &["/a/b", "/a/b/"]),
            (Scope::Beginning("/a/b".into()), &["/a/b", "/a/bc/d"], &["/a/", "/a/c"]),
        ] {
            let ledger = Ledger::default();
            ledger.purge(std::slice::from_ref(&scope), Force::Hard);
            for place in reached {
                assert_eq!(ledger.verdict(place, Epoch(0)), Verdict::Gone, "{scope:?} {place}");
            }
            for place in spared {
                assert_eq!(ledger.verdict(place, Epoch(0)), Verdict::Fresh, "{scope:?} {place}");
            }
        }
    }

    #[test]
    fn what_was_purged_lately_is_known() {
        let ledger = Ledger::default();
        assert!(!ledger.was_purged_lately("/a/"));
        ledger.purge(&[below("/a/")], Force::Hard);
        ledger.purge(&[below("/b/")], Force::Soft);
        assert_eq!(
            ["/a/x", "/b/x", "/c/"].map(|place| ledger.was_purged_lately(place)),
            [true, false, false]
        );
        let first = ledger.lately.lock().unwrap()[0];
        let long_ago = first.0.checked_sub(MINUTE * 2).unwrap();
        ledger.lately.lock().unwrap()[0].0 = long_ago;
        assert!(!ledger.was_purged_lately("/a/x"));
    }

    #[test]
    fn a_hard_purge_outweighs_a_soft_one_whichever_came_first() {
        let ledger = Ledger::default();
        ledger.purge(&[below("/a/")], Force::Soft);
        assert_eq!(ledger.verdict("/a/x", Epoch(0)), Verdict::Stale);
        ledger.purge(&[Scope::At("/a/x".into())], Force::Hard);
        ledger.purge(&[Scope::All], Force::Soft);
        assert_eq!(ledger.verdict("/a/x", Epoch(0)), Verdict::Gone);
        assert_eq!(ledger.verdict("/a/x", Epoch(2)), Verdict::Stale);
        assert_eq!(ledger.verdict("/b", Epoch(2)), Verdict::Stale);
    }

    #[test]
    fn what_was_found_fresh_is_not_judged_again_for_the_same_purge() {
        let (ledger, stamp) = (Ledger::default(), Stamp::default());
        ledger.purge(&[below("/b/")], Force::Hard);
        assert_eq!(ledger.judge(|| "/a/".into(), &stamp), Verdict::Fresh);
        assert_eq!(ledger.judge(|| panic!("it was judged"), &stamp), Verdict::Fresh);
        ledger.purge(&[below("/a/")], Force::Hard);
        assert_eq!(ledger.judge(|| "/a/".into(), &stamp), Verdict::Gone);
        assert_eq!(ledger.judge(|| "/a/".into(), &stamp), Verdict::Gone);
    }

    #[test]
    fn of_too_many_purges_none_is_forgotten() {
        let ledger = Ledger::with_limit(10);
        let mut epochs = Vec::new();
        for number in 0..1_000 {
            epochs.push(ledger.now());
            let place = format!("/a/{number}/");
            let scope = match number % 3 {
                0 => Scope::Below(place),
                1 => Scope::At(place),
                _ => Scope::Beginning(place),
            };
            ledger.purge(&[scope], Force::Hard);
        }
        let marks = ledger.marks.read().unwrap();
        assert!(marks.below.len() + marks.at.len() <= 10 && marks.beginning.len() <= BEGINNINGS);
        drop(marks);
        for (number, before) in epochs.into_iter().enumerate() {
            assert_eq!(ledger.verdict(&format!("/a/{number}/"), before), Verdict::Gone, "{number}");
        }
        assert_eq!(ledger.verdict("/b/", ledger.now()), Verdict::Fresh);
    }

    #[test]
    fn a_ledger_that_adopts_what_another_had_says_the_same() {
        let first = Ledger::default();
        first.purge(&[below("/a/")], Force::Hard);
        first.purge(&[Scope::At("/b".into()), Scope::Beginning("/c".into())], Force::Hard);
        first.purge(&[below("/d/")], Force::Soft);
        let second = Ledger::default();
        second.adopt(first.hard(), Epoch(9));
        assert_eq!(second.now(), Epoch(9));
        for place in ["/a/x", "/b", "/cc"] {
            for since in [Epoch(0), Epoch(1), Epoch(2)] {
                assert_eq!(second.verdict(place, since), first.verdict(place, since), "{place} {since}");
            }
        }
        assert_eq!(second.verdict("/d/x", Epoch(0)), Verdict::Fresh, "soft purges are for what is in memory");
    }
}
