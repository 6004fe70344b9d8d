//! A segment that was stored and is in no page yet: what a page would have said of it, read from its bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::cadence::{Cadence, Frame};
use super::past::Gait;
use super::segment::{Segment, Stored};
use super::{Event, Header, Sample, Splitter};
use crate::Error;
use crate::segment::ETag;
use crate::time::{MediaTime, Msn};

/// What is known of a stored segment besides its bytes.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// Its number.
    pub msn: Msn,
    /// What it is decoded with.
    pub header: Arc<Header>,
    /// Who wrote it; `None` where it is kept on this machine alone.
    pub fence: Option<u64>,
    /// When the one before it ended, if that is known.
    pub after: Option<MediaTime>,
}

impl Adopted {
    /// The segment that these bytes are, and how its samples are gathered in a show that is cut so.
    ///
    /// # Errors
    /// [`Error`] for bytes that are no segment of that header.
    pub fn read(self, bytes: &Bytes, cadence: Cadence) -> Result<(Segment, Gait), Error> {
        let Self { msn, header, fence, after } = self;
        let samples = samples(bytes, &header)?;
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Err(fault("samples", "none"));
        };
        let scale = header.timescale();
        let durations: Vec<u32> = samples.iter().map(|sample| sample.duration).collect();
        let frame = match header.kind().is_video() {
            true => Frame::of(&durations, scale).or_else(|| Frame::at_most(&durations, scale)),
            false => durations.iter().max().map(|longest| Frame::exactly(*longest)),
        };
        let beat = frame.and_then(|frame| cadence.gather(frame, scale));
        let beat = beat.ok_or_else(|| fault("samples no longer than a part", "longer ones"))?;
        let lead = if header.kind().is_video() { i64::from(first.offset) } else { 0 };
        let at = |ticks: i64| MediaTime::new(ticks.saturating_add(lead), scale);
        let start = at(first.decode);
        // Where the one before it ended it begins, though its first sample may stand half a frame beside.
        let slack = MediaTime::new(beat.slack(), scale);
        let is_near = |end: &MediaTime| end.since(start) <= slack && start.since(*end) <= slack;
        let stored = Stored { len: bytes.len() as u64, tag: tag_of(bytes)?, fence };
        let segment = Segment {
            msn,
            start: after.filter(is_near).unwrap_or(start),
            end: at(last.decode_end()),
            parts: Vec::new(),
            media: None,
            stored: Some(stored),
            init: header.id(),
            discontinuity: false,
        };
        Ok((segment, beat.gait(beat.target_micros())))
    }
}

fn samples(bytes: &Bytes, header: &Arc<Header>) -> Result<Vec<Sample>, Error> {
    let mut splitter = Splitter::resume(Arc::clone(header));
    splitter.feed(bytes.clone());
    let mut samples = Vec::new();
    while let Some(event) = splitter.next()? {
        if let Event::Chunk(chunk) = event {
            samples.extend(chunk.samples);
        }
    }
    splitter.finish()?;
    Ok(samples)
}

/// The tag that the segment had when it was made: that of its parts' tags. Its parts are its fragments, and the events in
/// front of them.
fn tag_of(bytes: &Bytes) -> Result<crate::segment::TagBits, Error> {
    let mut tags = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for part in crate::mp4::walk(bytes, 0, "segment") {
        let part = part?;
        // Boxes of ours have a head of eight bytes.
        let end = usize::try_from(part.offset).unwrap_or(usize::MAX).saturating_add(8 + part.body.len());
        at = end.min(bytes.len());
        if &part.kind == b"mdat" {
            let tag = ETag::of_pieces(&[bytes.slice(begin..at)]);
            tags.push(Bytes::copy_from_slice(tag.as_str().as_bytes()));
            begin = at;
        }
    }
    if begin != at || begin == 0 {
        return Err(fault("fragments", "something else"));
    }
    ETag::of_pieces(&tags).bits().ok_or_else(|| fault("an entity tag", "none"))
}

fn fault(expected: &'static str, found: &str) -> Error {
    Error::Stored { what: "segment", expected, found: found.to_owned() }
}
