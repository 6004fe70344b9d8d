//! One segment as it was read, and a rendition's segments in a row.

use super::{Place, Remark};
use crate::mp4::Movie;
use crate::time::MediaTime;
use crate::track::{Language, Track};

/// The samples of one segment.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Which segment it is.
    pub(super) place: Place,
    /// How many times the timeline changes between the shot before and this one.
    pub(super) breaks: usize,
    /// What its playlist says it lasts.
    pub(super) duration: MediaTime,
    /// Its tracks, in the order of the init segment.
    pub(super) tracks: Vec<Track>,
    /// Where the init segment ended in what was read.
    pub(super) media_at: u64,
    /// Where the segment lies in the rendition's bytes.
    pub(super) at: u64,
}

/// Which tracks of a rendition are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its pictures.
    Video,
    /// Its sound.
    Audio,
    /// Both, from the same segments.
    Both,
}

/// A rendition's segments, in order.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Its playlist, for remarks.
    pub playlist: String,
    /// Which of the caller's objects its bytes are.
    pub object: usize,
    /// What is taken of it.
    pub wanted: Wanted,
    /// The language of its sound, where the playlist says it; else that of the media is taken.
    pub language: Option<Language>,
    /// Its shots.
    pub shots: Vec<Shot>,
}

/// Where a segment stands among those of its rendition.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Which one it is.
    pub place: Place,
    /// How many times the timeline changes between the one before and this one.
    pub breaks: usize,
    /// How long it is said to be.
    pub duration: MediaTime,
    /// Where its bytes lie in all bytes of the rendition's segments.
    pub at: u64,
}

impl Standing {
    /// A segment of a playlist, whose bytes lie at `at`.
    pub fn of(segment: &super::Segment, at: u64) -> Self {
        let breaks = usize::from(segment.is_discontinuous);
        Self { place: segment.place, breaks, duration: segment.duration, at }
    }
}

impl Shot {
    /// What [`Finder::of_segment`](crate::mp4::Finder::of_segment) found in the init segment of `init` bytes and a segment
    /// behind it.
    ///
    /// # Errors
    /// What was expected and found, where a sample lies in the init segment.
    pub fn of(standing: Standing, init: u64, movie: Movie) -> Result<Self, String> {
        let lies_before = |track: &Track| {
            let ranges = track.samples().byte_ranges(0..track.samples().len());
            ranges.iter().any(|range| range.start() < init)
        };
        match movie.tracks.iter().any(lies_before) {
            true => Err("expected samples within the segment, found one before it".to_owned()),
            false => {
                let Standing { place, breaks, duration, at } = standing;
                Ok(Self { place, breaks, duration, tracks: movie.tracks, media_at: init, at })
            }
        }
    }

    /// Its first track of a kind.
    pub(super) fn track(&self, is_video: bool) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind().is_video() == is_video)
    }
}

impl Strip {
    /// The kinds of tracks to take, as whether each is video.
    pub(super) fn kinds(&self) -> &'static [bool] {
        match self.wanted {
            Wanted::Video => &[true],
            Wanted::Audio => &[false],
            Wanted::Both => &[true, false],
        }
    }

    /// A remark on one of its shots.
    pub(super) fn remark(&self, shot: &Shot, what: impl Into<String>) -> Remark {
        Remark::new(&self.playlist, shot.place, what)
    }
}
