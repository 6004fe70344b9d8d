//! An asset, or a piece of it, as one progressive MP4 with its boxes first.
//!
//! ```text
//! ftyp moov mdat[ video 1 s | audio 1 s | video 1 s | … ]
//!      │              ▲           ▲
//!      │              └───────────┴── ranges of the renditions' objects
//!      └ trak: tables of the samples that are taken, and an edit list that trims them
//!
//! source   ──K──────────K──────────K──        K: keyframe
//! range               [=======)
//! taken      K──────────K──────               from the keyframe before it
//! edit list          [========)               presented: from the picture on screen at its start, to the tick
//! ```
//!
//! A [`Plan`] knows the exact length before a byte of media is read; an [`Assembler`] gives any window of it. Nothing
//! is copied. The boxes are written by the crate `mp4`, which is never given anything to read (ADR 19).

mod assembler;
mod boxes;
mod excerpt;
mod tables;
mod weave;

use std::ops::Range;

pub use assembler::{Assembler, Need};

use crate::Error;
use crate::presentation::Rendition;
use crate::range::ByteRange;
use crate::segment;
use crate::time::{MediaTime, Timescale};
use excerpt::Excerpt;

/// A progressive file, planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The file as one of the segments' kind: a head, then ranges of media.
    body: segment::Plan,
    /// Of which rendition each of the ranges is.
    owners: Vec<usize>,
    range: Range<MediaTime>,
}

/// Media of an export: bytes of the object of one rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The rendition, by its place among those that the export was planned of.
    pub rendition: usize,
    /// Where in its object.
    pub range: ByteRange,
}

impl Plan {
    /// Plans what `renditions` present in `range` of their timeline; `None` where that is nothing. A rendition that has
    /// nothing there is left out.
    ///
    /// Where `range` begins while a picture is on the screen, the file begins with all of that picture, and its sound at the same
    /// time: ffmpeg drops a picture of which an edit list shows a part, and shows the next one too early.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for tables of more than 256 MiB.
    pub fn of(renditions: &[&Rendition], range: &Range<MediaTime>) -> Result<Option<Self>, Error> {
        let end = range.end.min(whole(renditions).end);
        if range.start >= end {
            return Ok(None);
        }
        let video =
            renditions.iter().map(|rendition| rendition.track()).find(|track| track.kind().is_video());
        let start = video.and_then(|track| excerpt::on_screen(track, range.start)).unwrap_or(range.start);
        let range = start..end;
        let parts: Vec<(usize, Excerpt<'_>)> = (0..)
            .zip(renditions)
            .filter_map(|(number, rendition)| Some((number, Excerpt::of(rendition.track(), &range)?)))
            .collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let chunks = weave::chunks(&parts);
        let head = boxes::head(&parts, &chunks)?;
        let (mut media, mut owners): (Vec<ByteRange>, Vec<usize>) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            let Some((rendition, excerpt)) = parts.get(chunk.part) else { continue };
            for range in excerpt.track.samples().byte_ranges(chunk.samples.clone()) {
                match (media.last_mut(), owners.last()) {
                    // What lies together in the object is one read.
                    (Some(last), Some(owner)) if owner == rendition && last.end() == range.start() => {
                        *last = ByteRange::new(last.start(), range.end());
                    }
                    _ => {
                        media.push(range);
                        owners.push(*rendition);
                    }
                }
            }
        }
        let bytes: u64 = chunks.iter().map(|chunk| chunk.bytes).sum();
        Ok(Some(Self { body: segment::Plan::new(head, media, bytes), owners, range }))
    }

    /// What of the timeline the file presents.
    pub fn range(&self) -> &Range<MediaTime> {
        &self.range
    }

    /// Exact bytes of the file.
    #[expect(clippy::len_without_is_empty, reason = "a file is never empty")]
    pub fn len(&self) -> u64 {
        self.body.len()
    }

    /// The media that lies in `window` of the file, or partly in it, in order.
    pub fn media(&self, window: ByteRange) -> impl Iterator<Item = Media> + '_ {
        let ranges = self.body.media();
        let placed = ranges.iter().zip(&self.owners).scan(self.body.head_len(), |at, (range, owner)| {
            let here = ByteRange::at(*at, range.len());
            *at = here.end();
            Some((here, Media { rendition: *owner, range: *range }))
        });
        placed
            .skip_while(move |(here, _)| here.end() <= window.start())
            .take_while(move |(here, _)| here.start() < window.end())
            .map(|(_, media)| media)
    }
}

/// The whole of what `renditions` present: from 0 to the end of the last of them.
pub fn whole(renditions: &[&Rendition]) -> Range<MediaTime> {
    let start = MediaTime::zero(Timescale::MICROS);
    let end = renditions.iter().map(|rendition| rendition.track().end()).max();
    start..end.unwrap_or(start)
}

#[cfg(test)]
mod tests;
