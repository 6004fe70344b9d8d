//! Which segments of a show an asset is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::asset::RenditionName;
use crate::import::{Place, Standing};
use crate::live::{InitId, Past, Segment};
use crate::time::{MediaTime, Msn};

/// What an asset is made of.
#[derive(Debug, Clone)]
pub struct Picked {
    /// The tracks, by name.
    pub tracks: Vec<PickedTrack>,
    /// The numbers of the first and the last of their segments.
    pub numbers: (Msn, Msn),
    /// When the first begins and the last ends, on the show's timeline.
    pub range: Range<MediaTime>,
    /// What is left out, and why.
    pub notes: Vec<String>,
}

/// The segments of one track.
#[derive(Debug, Clone)]
pub struct PickedTrack {
    /// Its name in the show.
    pub name: RenditionName,
    /// Whether it shows pictures.
    pub is_video: bool,
    /// The init segment of all of them.
    pub init: Bytes,
    /// Each segment, and where it stands.
    pub segments: Vec<(Arc<Segment>, Standing)>,
}

/// Picks the segments of a show that present `range` of its timeline, snapped to whole segments outwards.
///
/// A track is decoded in one way all along: of one that changed, what was decoded in the way that it was for longest is taken.
/// Where a track has nothing, the timeline of all of them breaks, and closes up where none has anything. `None` where nothing
/// that is stored presents anything of it.
pub fn pick(past: &BTreeMap<RenditionName, Arc<Past>>, range: &Range<MediaTime>) -> Option<Picked> {
    let is_within = |segment: &&Arc<Segment>| segment.end > range.start && segment.start < range.end;
    let mut notes = Vec::new();
    let mut tracks: Vec<Line<'_>> = Vec::new();
    // The first pictures say where segments begin and end; sound is cut at frames, a little beside.
    let mut by_rank: Vec<_> = past.iter().collect();
    by_rank.sort_by_key(|(_, past)| !past.header.kind().is_video());
    let reference = by_rank.iter().find_map(|(_, past)| {
        let mut inside = past.segments.iter().filter(|s| is_stored(s)).filter(is_within);
        let first = inside.next()?;
        Some((first.msn, inside.next_back().unwrap_or(first).msn))
    })?;
    for (name, past) in by_rank {
        let all =
            past.segments.iter().filter(|s| is_stored(s) && (reference.0..=reference.1).contains(&s.msn));
        let Some((init, kept)) = decoded_alike(all, name, &mut notes) else {
            notes.push(format!("{name}: left out, it has nothing there"));
            continue;
        };
        let Some((_, bytes)) = past.inits.iter().find(|(id, _)| *id == init) else {
            notes.push(format!("{name}: left out, its init segment is not known"));
            continue;
        };
        tracks.push(Line { name, is_video: past.header.kind().is_video(), init: bytes, segments: kept });
    }
    let breaks = breaks(&tracks);
    let starts = tracks.iter().filter_map(|line| line.segments.first().map(|s| s.start));
    let ends = tracks.iter().filter_map(|line| line.segments.last().map(|s| s.end));
    let range = starts.min()?..ends.max()?;
    let numbers = tracks.iter().flat_map(|line| &line.segments).map(|s| s.msn);
    let numbers = (numbers.clone().min()?, numbers.max()?);
    Some(Picked {
        tracks: tracks.into_iter().map(|line| line.placed(&breaks, numbers.0)).collect(),
        numbers,
        range,
        notes,
    })
}

struct Line<'a> {
    name: &'a RenditionName,
    is_video: bool,
    init: &'a Bytes,
    segments: Vec<&'a Arc<Segment>>,
}

impl Line<'_> {
    fn placed(self, breaks: &BTreeSet<Msn>, first: Msn) -> PickedTrack {
        let (mut segments, mut at, mut before) = (Vec::with_capacity(self.segments.len()), 0u64, first);
        for (number, segment) in (0..).zip(&self.segments) {
            // What changed since the segment before, that one not included.
            let passed = breaks.range((Excluded(before), Included(segment.msn))).count();
            let standing = Standing {
                place: Place::Segment(number, 0),
                breaks: passed,
                duration: segment.end.since(segment.start),
                at,
            };
            at = at.saturating_add(segment.stored.map_or(0, |stored| stored.len));
            before = segment.msn;
            segments.push((Arc::clone(segment), standing));
        }
        PickedTrack { name: self.name.clone(), is_video: self.is_video, init: self.init.clone(), segments }
    }
}

/// The segments of a track that share the init segment most of them have.
fn decoded_alike<'a>(
    all: impl Iterator<Item = &'a Arc<Segment>>,
    name: &RenditionName,
    notes: &mut Vec<String>,
) -> Option<(InitId, Vec<&'a Arc<Segment>>)> {
    let mut ways: BTreeMap<InitId, Vec<&Arc<Segment>>> = BTreeMap::new();
    all.for_each(|segment| ways.entry(segment.init).or_default().push(segment));
    let total: usize = ways.values().map(Vec::len).sum();
    let (init, kept) = ways.into_iter().max_by_key(|(_, segments)| segments.len())?;
    if kept.len() < total {
        let left = total - kept.len();
        notes.push(format!(
            "{name}: {left} of {total} segments are left out, they are decoded otherwise than the rest"
        ));
    }
    Some((init, kept))
}

/// The numbers at which the timeline breaks: where any track goes on otherwise, stops, or comes back.
fn breaks(tracks: &[Line<'_>]) -> BTreeSet<Msn> {
    let mut breaks = BTreeSet::new();
    let first = tracks.iter().filter_map(|line| line.segments.first().map(|s| s.msn)).min();
    let last = tracks.iter().filter_map(|line| line.segments.last().map(|s| s.msn)).max();
    for line in tracks {
        let mut before: Option<&Arc<Segment>> = None;
        for segment in &line.segments {
            let next = before.map(|before| Msn(before.msn.0.saturating_add(1)));
            if segment.discontinuity {
                breaks.insert(segment.msn);
            }
            match next {
                Some(next) if next != segment.msn => breaks.extend([next, segment.msn]),
                None if first.is_some_and(|first| first < segment.msn) => {
                    breaks.insert(segment.msn);
                }
                _ => {}
            }
            before = Some(segment);
        }
        if let (Some(end), Some(last)) = (before, last)
            && end.msn < last
        {
            breaks.insert(Msn(end.msn.0.saturating_add(1)));
        }
    }
    // Before the first segment of all there is nothing to break from.
    first.iter().for_each(|first| {
        breaks.remove(first);
    });
    breaks
}

fn is_stored(segment: &Segment) -> bool {
    segment.stored.is_some_and(|stored| stored.fence.is_some())
}

#[cfg(test)]
mod tests;
