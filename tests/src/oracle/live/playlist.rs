//! A live media playlist as it stands on the page (RFC 8216bis §4): what it lists, and what is wrong with how it lists it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::time::seconds;
use super::{Fault, reader};
use crate::oracle::tags::Attributes;

/// A media playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Playlist {
    /// EXT-X-VERSION.
    pub version: Option<u64>,
    /// EXT-X-TARGETDURATION in seconds; 0 where it is missing.
    pub target: u64,
    /// PART-TARGET.
    pub part_target: Option<Duration>,
    /// EXT-X-SERVER-CONTROL.
    pub control: Option<Attributes>,
    /// EXT-X-MEDIA-SEQUENCE, of the first segment even where that is skipped.
    pub sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE, where it is written.
    pub discontinuity_sequence: Option<u64>,
    /// EXT-X-PLAYLIST-TYPE.
    pub kind: Option<String>,
    /// EXT-X-SKIP.
    pub skip: Option<Skip>,
    /// The segments in order, behind those that are skipped.
    pub segments: Vec<Segment>,
    /// What is known of the segment behind them, which has no URI yet: its parts and the tags before them.
    pub open: Option<Segment>,
    /// EXT-X-PRELOAD-HINT: type and URI.
    pub hints: Vec<(String, String)>,
    /// EXT-X-RENDITION-REPORT.
    pub reports: Vec<Attributes>,
    /// EXT-X-DATERANGE by ID, the tags of one ID taken together.
    pub ranges: BTreeMap<String, BTreeMap<String, String>>,
    /// EXT-X-ENDLIST.
    pub is_ended: bool,
    /// Other tags, as they stand.
    pub others: Vec<String>,
}

/// What a delta update leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skip {
    /// SKIPPED-SEGMENTS.
    pub segments: u64,
    /// RECENTLY-REMOVED-DATERANGES, where it is written: date ranges are left out too.
    pub removed: Option<Vec<String>>,
}

/// A media segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its URI; empty for the open one.
    pub uri: String,
    /// EXTINF; zero for the open one.
    pub duration: Duration,
    /// The URI of the EXT-X-MAP that is in force.
    pub map: Option<String>,
    /// EXT-X-PROGRAM-DATE-TIME, where it is written, as time since 1970.
    pub date: Option<Duration>,
    /// EXT-X-DISCONTINUITY.
    pub is_discontinuous: bool,
    /// EXT-X-GAP.
    pub is_gap: bool,
    /// EXT-X-PART.
    pub parts: Vec<Part>,
}

/// A partial segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its URI, with its byte range where there is one.
    pub uri: String,
    /// DURATION.
    pub duration: Duration,
    /// INDEPENDENT=YES.
    pub is_independent: bool,
    /// GAP=YES.
    pub is_gap: bool,
}

impl Playlist {
    /// Reads a playlist, and notes what cannot be read.
    #[must_use]
    pub fn read(text: &str) -> (Self, Vec<Fault>) {
        reader::read(text)
    }

    /// Reads a playlist in which nothing must be wrong.
    ///
    /// # Panics
    /// When something is.
    #[must_use]
    #[track_caller]
    pub fn of(text: &str) -> Self {
        let (playlist, faults) = Self::read(text);
        assert!(faults.is_empty(), "{faults:?} in:\n{text}");
        playlist
    }

    /// The media sequence number of the first segment that is listed, and so not skipped.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.sequence + self.skip.as_ref().map_or(0, |skip| skip.segments)
    }

    /// The media sequence number behind the last whole segment: that of the open one.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first() + self.segments.len() as u64
    }

    /// Where the playlist ends: the media sequence number of the open segment and how many parts it has.
    #[must_use]
    pub fn end(&self) -> (u64, usize) {
        (self.next(), self.open.as_ref().map_or(0, |open| open.parts.len()))
    }

    /// The segment with this media sequence number, if it is listed.
    #[must_use]
    pub fn segment(&self, msn: u64) -> Option<&Segment> {
        self.segments.get(usize::try_from(msn.checked_sub(self.first())?).ok()?)
    }

    /// Segments and the open one, each with its media sequence number.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Segment)> {
        (self.first()..).zip(self.segments.iter().chain(&self.open))
    }

    /// All parts that are listed.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.all().flat_map(|(_, segment)| &segment.parts)
    }

    /// A duration among the attributes of EXT-X-SERVER-CONTROL.
    #[must_use]
    pub fn control(&self, name: &str) -> Option<Duration> {
        self.control.as_ref()?.find(name).and_then(seconds)
    }

    /// EXT-X-TARGETDURATION, so many times.
    #[must_use]
    pub fn targets(&self, times: u32) -> Duration {
        Duration::from_secs(self.target) * times
    }

    /// When each segment and the open one begin by the program's clock, as far as dates are written before them.
    #[must_use]
    pub fn dates(&self) -> Vec<(u64, Duration)> {
        let mut clock = None;
        let mut dates = Vec::new();
        for (msn, segment) in self.all() {
            clock = segment.date.or(clock);
            dates.extend(clock.map(|date| (msn, date)));
            clock = clock.map(|date| date + segment.duration);
        }
        dates
    }
}

impl Segment {
    /// The durations of its parts together.
    #[must_use]
    pub fn in_parts(&self) -> Duration {
        self.parts.iter().map(|part| part.duration).sum()
    }
}
