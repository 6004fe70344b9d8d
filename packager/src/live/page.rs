//! Pages of an archive: which segments a minute of a show has, where their bytes are, and what was announced.
//!
//! A page is written once, when all its segments are whole, and never changes. One page after another is the show.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use super::past::{Gait, Past};
use super::segment::{Segment, Stored};
use super::{DateRange, Header, InitId};
use crate::Error;
use crate::asset::RenditionName;
use crate::segment::ETag;
use crate::time::{MediaTime, Msn, Timescale};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// The largest page that is read, in bytes: a minute of 128 tracks in segments of half a second has three quarters of that.
pub const MAX_PAGE: u64 = 4 * 1024 * 1024;

/// A minute of a show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    format: u32,
    /// Its number: segment numbers divided by how many a page has.
    pub page: u64,
    /// The date of media time zero, in milliseconds since 1970-01-01 UTC; zero where media time is that date.
    pub anchor_ms: i64,
    segment_ms: NonZeroU32,
    parts: NonZeroU32,
    /// The tracks that have segments in it, by name.
    pub tracks: BTreeMap<RenditionName, PageTrack>,
    /// Date ranges that were known when it was written, and since which date each is told, in milliseconds since 1970.
    pub ranges: Vec<(i64, DateRange)>,
}

/// The segments of a track in one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageTrack {
    /// How its samples are gathered.
    pub gait: Gait,
    runs: Vec<Run>,
}

/// Segments that follow each other and are decoded alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// Eight hexadecimal digits: [`InitId`].
    init: String,
    timescale: u32,
    first: u64,
    start: i64,
    segments: Vec<Entry>,
}

/// A segment: ticks, whether a discontinuity stands before it, and what is kept of it: bytes, fence, entity tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry(i64, bool, Option<(u64, u64, String)>);

impl Page {
    /// A page of a show that is cut and dated so, without segments.
    pub fn new(page: u64, cadence: Cadence, anchor_ms: i64) -> Self {
        let (segment_ms, parts) = cadence.numbers();
        let (tracks, ranges) = (BTreeMap::new(), Vec::new());
        Self { format: FORMAT, page, anchor_ms, segment_ms, parts, tracks, ranges }
    }

    /// How its show is cut.
    pub fn cadence(&self) -> Cadence {
        Cadence::new(self.segment_ms, self.parts)
    }

    /// Adds the segments of a track. What is kept on one machine alone, or nowhere, is missing.
    pub fn add<'a>(
        &mut self,
        name: &RenditionName,
        gait: Gait,
        segments: impl Iterator<Item = &'a Arc<Segment>>,
    ) {
        let mut runs: Vec<Run> = Vec::new();
        let mut end = None;
        for segment in segments {
            let follows = |run: &&mut Run| {
                run.init == segment.init.to_string()
                    && run.timescale == segment.end.timescale().ticks_per_second()
                    && end == Some((segment.msn.0, segment.start))
            };
            let start = segment.start.rescale(segment.end.timescale(), crate::time::Rounding::Nearest);
            let ticks = segment.end.ticks().saturating_sub(start.ticks());
            let kept = segment.stored.and_then(|s| {
                Some((s.len, s.fence?, ETag::from(s.tag).as_str().trim_matches('"').to_owned()))
            });
            let entry = Entry(ticks, segment.discontinuity, kept);
            match runs.last_mut().filter(follows) {
                Some(run) => run.segments.push(entry),
                None => runs.push(Run {
                    init: segment.init.to_string(),
                    timescale: segment.end.timescale().ticks_per_second(),
                    first: segment.msn.0,
                    start: start.ticks(),
                    segments: vec![entry],
                }),
            }
            end = Some((segment.msn.0.saturating_add(1), segment.end));
        }
        if !runs.is_empty() {
            self.tracks.insert(name.clone(), PageTrack { gait, runs });
        }
    }

    /// The object's bytes. Equal pages give equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // Nothing in it fails to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Error::Stored`] for anything that no version writes.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let page: Self = serde_json::from_slice(text)
            .map_err(|error| fault("a page of an archive", &error.to_string()))?;
        if page.format != FORMAT {
            return Err(fault("format 1", &page.format.to_string()));
        }
        page.tracks.values().try_for_each(|track| track.segments().map(drop))?;
        Ok(page)
    }
}

impl PageTrack {
    /// Its segments, oldest first.
    ///
    /// # Errors
    /// [`Error::Stored`].
    pub fn segments(&self) -> Result<Vec<Arc<Segment>>, Error> {
        let mut segments = Vec::new();
        for run in &self.runs {
            let init: InitId = run.init.parse()?;
            let scale = Timescale::new(run.timescale).ok_or_else(|| fault("a timescale", "0"))?;
            let mut start = MediaTime::new(run.start, scale);
            for (number, Entry(ticks, discontinuity, kept)) in (run.first..).zip(&run.segments) {
                if *ticks < 0 {
                    return Err(fault("segments of some length", &ticks.to_string()));
                }
                let end = MediaTime::new(start.ticks().saturating_add(*ticks), scale);
                let stored = kept.as_ref().map(|(len, fence, tag)| {
                    let bits = ETag::of_digits(tag).ok_or_else(|| fault("an entity tag", tag))?;
                    Ok::<_, Error>(Stored { len: *len, tag: bits, fence: Some(*fence) })
                });
                segments.push(Arc::new(Segment {
                    msn: Msn(number),
                    start,
                    end,
                    parts: Vec::new(),
                    media: None,
                    stored: stored.transpose()?,
                    init,
                    discontinuity: *discontinuity,
                }));
                start = end;
            }
        }
        Ok(segments)
    }

    /// The init segments that its segments are decoded with.
    ///
    /// # Errors
    /// [`Error::Stored`].
    pub fn inits(&self) -> Result<Vec<InitId>, Error> {
        self.runs.iter().map(|run| run.init.parse()).collect()
    }
}

/// What pages tell of a show, one after another.
#[derive(Debug, Default)]
pub struct Pages {
    tracks: BTreeMap<RenditionName, (Gait, Vec<Arc<Segment>>)>,
    ranges: Vec<(i64, DateRange)>,
}

impl Pages {
    /// Adds the next page. Where numbers of a track leap, what was before is no longer listed.
    ///
    /// # Errors
    /// [`Error::Stored`].
    pub fn add(&mut self, page: &Page) -> Result<(), Error> {
        for (name, track) in &page.tracks {
            self.follow(name, track.gait, track.segments()?);
        }
        for range in &page.ranges {
            if !self.ranges.contains(range) {
                self.ranges.push(range.clone());
            }
        }
        Ok(())
    }

    /// Adds segments that no page tells of yet.
    pub fn follow(&mut self, name: &RenditionName, gait: Gait, segments: Vec<Arc<Segment>>) {
        let (known, all) = self.tracks.entry(name.clone()).or_insert_with(|| (gait, Vec::new()));
        *known = gait;
        for segment in segments {
            let next = all.last().map(|last| last.msn.0.saturating_add(1));
            if next.is_some_and(|next| segment.msn.0 != next) {
                all.clear();
            }
            all.push(segment);
        }
    }

    /// The tracks, with the init segments that they need.
    pub fn inits(&self) -> Vec<(RenditionName, InitId)> {
        let mut inits: Vec<_> = self
            .tracks
            .iter()
            .flat_map(|(name, (_, all))| all.iter().map(|s| (name.clone(), s.init)))
            .collect();
        inits.dedup();
        inits.sort();
        inits.dedup();
        inits
    }

    /// The last segment of a track, and how that is read.
    pub fn last(&self, name: &RenditionName) -> Option<(Gait, &Arc<Segment>)> {
        let (gait, all) = self.tracks.get(name)?;
        Some((*gait, all.last()?))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The date ranges.
    pub fn ranges(&self) -> &[(i64, DateRange)] {
        &self.ranges
    }

    /// What a show goes on with; `headers` are those of [`Self::inits`].
    pub fn past(
        &self,
        headers: &BTreeMap<(RenditionName, InitId), Arc<Header>>,
    ) -> BTreeMap<RenditionName, Arc<Past>> {
        let mut tracks = BTreeMap::new();
        for (name, (gait, all)) in &self.tracks {
            let Some(last) = all.last() else { continue };
            let Some(header) = headers.get(&(name.clone(), last.init)) else { continue };
            let own = headers.iter().filter(|((track, _), _)| track == name);
            let inits = own.map(|((_, id), header)| (*id, header.init())).collect();
            let segments = all.iter().cloned().collect();
            let past = Past { header: Arc::clone(header), gait: *gait, inits, segments };
            tracks.insert(name.clone(), Arc::new(past));
        }
        tracks
    }
}

fn fault(expected: &'static str, found: &str) -> Error {
    Error::Stored { what: "page", expected, found: found.chars().take(200).collect() }
}
