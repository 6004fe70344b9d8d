//! A presentation: renditions that share one timeline, cut into the same segments.
//!
//! ```text
//! boundaries    b0        b1        b2   …   bn          times of common sync samples, about a target apart
//! video-720     |--0------|--1------|…                   starts at the sync sample presented at b
//! video-360     |--0------|--1------|…
//! audio-eng     |--0--------|--1------|…                 starts at the first frame presented at or after b
//! ```

mod cuts;
mod names;

use std::sync::Arc;

pub use names::name_tracks;

use crate::Error;
use crate::asset::RenditionName;
use crate::fmp4::Layout;
use crate::mp4::{Anomalies, Anomaly};
use crate::time::{Bitrate, MediaTime, Msn, Timescale};
use crate::track::{Track, TrackKind};

/// A track that wants to be a rendition.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in URLs.
    pub name: RenditionName,
    /// Which of the caller's objects holds its bytes.
    pub object: usize,
    /// What makes its bytes what they are: the SHA-256 of the object, or of its name, size and entity tag.
    pub identity: [u8; 32],
    /// Its samples.
    pub track: Track,
}

/// One rendition of a presentation.
#[derive(Debug)]
pub struct Rendition {
    name: RenditionName,
    object: usize,
    identity: [u8; 32],
    track: Track,
    layout: Layout,
    /// First sample of each segment, and the number of samples: one more than segments.
    cuts: Vec<u32>,
    /// When each segment starts, and when the last one ends.
    starts: Vec<MediaTime>,
}

/// Renditions on one timeline.
#[derive(Debug)]
pub struct Presentation {
    timescale: Timescale,
    boundaries: Vec<MediaTime>,
    target: u32,
    renditions: Vec<Arc<Rendition>>,
}

impl Presentation {
    /// Lays `sources` on one timeline whose segments are about `target` long.
    ///
    /// Video that has no boundaries in common with the best rendition is left out with an anomaly, as is a second
    /// audio track of the same language.
    ///
    /// # Errors
    /// [`Error::NoTrack`] without a source, [`Error::TooLarge`] for a timeline of more than 131,072 segments, or
    /// 1,048,576 of all renditions.
    pub fn plan(sources: Vec<Source>, target: MediaTime) -> Result<(Self, Vec<Anomaly>), Error> {
        let mut anomalies = Anomalies::default();
        let sources = cuts::align(sources, target, &mut anomalies);
        let boundaries = cuts::boundaries(&sources, target)?;
        let this = Self::with_boundaries(sources, boundaries)?;
        Ok((this, anomalies.into_vec()))
    }

    /// As [`Self::plan`], but with segments that start at the times of `grid` wherever all videos have a keyframe there.
    /// Where that would make segments much longer than `target`, those of [`Self::plan`] are taken.
    ///
    /// # Errors
    /// Those of [`Self::plan`].
    pub fn plan_on(
        sources: Vec<Source>,
        target: MediaTime,
        grid: &[MediaTime],
    ) -> Result<(Self, Vec<Anomaly>), Error> {
        let mut anomalies = Anomalies::default();
        let sources = cuts::align(sources, target, &mut anomalies);
        let boundaries = cuts::on_grid(&sources, target, grid)?;
        let this = Self::with_boundaries(sources, boundaries)?;
        Ok((this, anomalies.into_vec()))
    }

    /// Lays `sources` on the timeline that was stored with them.
    ///
    /// # Errors
    /// [`Error::NoTrack`] without a source, [`Error::Misaligned`] where a video has no sync sample at a boundary,
    /// [`Error::TooLarge`] for more than 1,048,576 segments of all renditions.
    pub fn with_boundaries(sources: Vec<Source>, boundaries: Vec<MediaTime>) -> Result<Self, Error> {
        let reference = sources.first().ok_or_else(|| Error::NoTrack { found: "no track".to_owned() })?;
        let timescale = reference.track.timescale();
        let cells = sources.len().saturating_mul(boundaries.len());
        if cells > MAX_CELLS {
            let (limit, found) = (MAX_CELLS as u64, cells as u64);
            return Err(Error::TooLarge {
                path: "timeline",
                limit,
                unit: "segments of all renditions",
                found,
            });
        }
        let mut renditions = Vec::with_capacity(sources.len());
        for source in sources {
            let (cuts, starts) = cuts::cut(&source, &boundaries)?;
            let layout = Layout::of(&source.track);
            let Source { name, object, identity, track } = source;
            renditions.push(Arc::new(Rendition { name, object, identity, track, layout, cuts, starts }));
        }
        // RFC 8216bis §4.4.3.1: no EXTINF, rounded to the nearest second, exceeds the target duration.
        let longest = renditions.iter().flat_map(|r: &Arc<Rendition>| r.printed_lengths()).max();
        let seconds = longest.unwrap_or(0).saturating_add(500_000) / 1_000_000;
        let target = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
        Ok(Self { timescale, boundaries, target, renditions })
    }

    /// Ticks a second of the boundaries.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Where segments start, ascending; the last is the end of the timeline.
    pub fn boundaries(&self) -> &[MediaTime] {
        &self.boundaries
    }

    /// `EXT-X-TARGETDURATION`, the same for all renditions, in seconds.
    pub fn target_duration(&self) -> u32 {
        self.target
    }

    /// All renditions: video from tall to small, then audio.
    pub fn renditions(&self) -> &[Arc<Rendition>] {
        &self.renditions
    }

    /// The rendition of this name.
    pub fn rendition(&self, name: &str) -> Option<&Arc<Rendition>> {
        self.renditions.iter().find(|r| r.name.as_str() == name)
    }

    /// Bytes this takes in memory, for caches that weigh it.
    pub fn weight(&self) -> usize {
        let own = size_of::<Self>() + self.boundaries.capacity() * size_of::<MediaTime>();
        own + self.renditions.iter().map(|r| r.weight()).sum::<usize>()
    }
}

impl Rendition {
    /// Its name in URLs.
    pub fn name(&self) -> &RenditionName {
        &self.name
    }

    /// Which of the caller's objects holds its bytes.
    pub fn object(&self) -> usize {
        self.object
    }

    /// What makes its bytes what they are.
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// Its track.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// How its segments are laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many segments it has; renditions that end earlier than others have fewer.
    pub fn segment_count(&self) -> u64 {
        self.cuts.len().saturating_sub(1) as u64
    }

    /// The samples of a segment; `None` for a segment that is not there.
    pub fn samples(&self, msn: Msn) -> Option<std::ops::Range<u32>> {
        let number = usize::try_from(msn.0).ok()?;
        Some(*self.cuts.get(number)?..*self.cuts.get(number.checked_add(1)?)?)
    }

    /// When a segment starts. Beyond the last segment: where the rendition ends.
    pub fn starts_at(&self, msn: Msn) -> MediaTime {
        let start = usize::try_from(msn.0).ok().and_then(|n| self.starts.get(n)).or(self.starts.last());
        start.copied().unwrap_or(MediaTime::zero(self.track.timescale()))
    }

    /// When each segment starts, and when the last one ends.
    pub fn starts(&self) -> &[MediaTime] {
        &self.starts
    }

    /// How long a segment is presented: the difference of two absolute positions.
    pub fn duration(&self, msn: Msn) -> MediaTime {
        self.starts_at(Msn(msn.0.saturating_add(1))).since(self.starts_at(msn))
    }

    /// Whether a segment stands on the timeline but has nothing to show, as before sound that starts late.
    pub fn is_gap(&self, msn: Msn) -> bool {
        self.samples(msn).is_some_and(|range| range.is_empty())
    }

    /// Exact bytes of a segment as it is served.
    pub fn segment_bytes(&self, msn: Msn) -> u64 {
        self.samples(msn)
            .filter(|r| !r.is_empty())
            .map_or(0, |range| self.layout.segment_bytes(&self.track, range))
    }

    /// The average rate over all segments, and the peak: the highest rate of any run of segments that lasts
    /// between half and one and a half target durations (RFC 8216bis §4.1).
    pub fn rates(&self, target: u32) -> Rates {
        let segments =
            (0..).zip(self.printed_lengths()).map(|(n, micros)| (self.segment_bytes(Msn(n)), micros));
        Rates::of(&segments.collect::<Vec<_>>(), target)
    }

    /// Each segment's `EXTINF` in microseconds: the difference of two positions that are rounded.
    fn printed_lengths(&self) -> impl Iterator<Item = i64> + '_ {
        let ends = self.starts.iter().skip(1);
        self.starts.iter().zip(ends).map(|(start, end)| end.as_micros().saturating_sub(start.as_micros()))
    }

    /// Whether it is video.
    pub fn is_video(&self) -> bool {
        self.track.kind().is_video()
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.track.weight()
            + self.cuts.capacity() * size_of::<u32>()
            + self.starts.capacity() * size_of::<MediaTime>()
    }
}

/// Bit rates of a rendition, containers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Over the whole rendition.
    pub average: Bitrate,
    /// The peak segment bit rate.
    pub peak: Bitrate,
}

impl Rates {
    /// Of segments of so many bytes and microseconds, under a target duration in seconds: the average over all of them, and
    /// the highest rate of any run that lasts between half and one and a half target durations (RFC 8216bis §4.1).
    pub fn of(segments: &[(u64, i64)], target: u32) -> Self {
        // A hole of days leaves thousands of empty ones; they are in no run that would not be one without them.
        let segments: Vec<(u64, i64)> = segments.iter().copied().filter(|s| *s != (0, 0)).collect();
        let rate = |bytes, micros| Bitrate::of(bytes, MediaTime::new(micros, Timescale::MICROS));
        let total = segments
            .iter()
            .fold((0u64, 0i64), |sum, s| (sum.0.saturating_add(s.0), sum.1.saturating_add(s.1)));
        let target = i64::from(target).saturating_mul(1_000_000);
        let (shortest, longest) = (target / 2, target.saturating_mul(3) / 2);
        let mut peak = Bitrate(0);
        for first in 0..segments.len() {
            let (mut bytes, mut micros) = (0u64, 0i64);
            for (b, m) in segments.iter().skip(first) {
                bytes = bytes.saturating_add(*b);
                micros = micros.saturating_add(*m);
                if micros > longest {
                    break;
                }
                if micros >= shortest {
                    peak = peak.max(rate(bytes, micros));
                }
            }
        }
        let average = rate(total.0, total.1);
        Self { average, peak: peak.max(average) }
    }
}

/// Segments of all renditions together: fifty renditions of a day and a half of six-second segments.
const MAX_CELLS: usize = 1 << 20;

/// Video before audio, tall before small, then by name.
fn order(a: &Source, b: &Source) -> std::cmp::Ordering {
    let rank = |s: &Source| match s.track.kind() {
        TrackKind::Video { width, height, .. } => {
            (0, u32::MAX - u32::from(height), u32::MAX - u32::from(width))
        }
        TrackKind::Audio { .. } => (1, 0, 0),
    };
    rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name))
}
