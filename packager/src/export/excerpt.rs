//! What of a track an export takes, and what of that it presents.

use std::ops::Range;

use crate::time::{MediaTime, Rounding};
use crate::track::Track;

/// Samples of a track, and the edit that trims them. Times are ticks of the track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt<'a> {
    pub(super) track: &'a Track,
    /// In decode order: from what the first that is presented needs, to the last that is presented.
    pub(super) samples: Range<u32>,
    /// How long nothing of the track is presented at the beginning.
    pub(super) delay: u64,
    /// The composition time in the export at which it begins to be presented.
    pub(super) media_time: u64,
    /// How long it is presented.
    pub(super) shown: u64,
    /// What is added to each composition offset, so that no presentation begins before zero.
    pub(super) lift: i64,
}

impl<'a> Excerpt<'a> {
    /// What `track` presents in `range`; `None` where that is nothing.
    pub(super) fn of(track: &'a Track, range: &Range<MediaTime>) -> Option<Self> {
        let table = track.samples();
        let (from, to) = (ticks(track, range.start), ticks(track, range.end));
        let first = match track.kind().is_video() || !table.all_sync() {
            true => keyframe(track, from),
            false => frame(track, from),
        };
        let until = until(track, first, to)?;
        let begin = from.max(table.presentation_time(first));
        let end = to.min(table.presentation_end());
        let decode = i64::try_from(table.decode_time(first)).ok()?;
        let placed = begin.saturating_sub(decode);
        Some(Self {
            track,
            samples: first..until,
            delay: u64::try_from(begin.saturating_sub(from)).ok()?,
            media_time: u64::try_from(placed.max(0)).ok()?,
            shown: u64::try_from(end.saturating_sub(begin)).ok().filter(|shown| *shown > 0)?,
            lift: placed.min(0).saturating_neg(),
        })
    }

    /// How long the export of the track is, with the nothing before it.
    pub(super) fn length(&self) -> MediaTime {
        self.span(self.delay.saturating_add(self.shown))
    }

    /// Ticks of the track as a span.
    pub(super) fn span(&self, ticks: u64) -> MediaTime {
        MediaTime::new(i64::try_from(ticks).unwrap_or(i64::MAX), self.track.timescale())
    }
}

/// When the picture that is on the screen at `time` came there; `None` before the first that can be decoded, and after the last.
pub(super) fn on_screen(track: &Track, time: MediaTime) -> Option<MediaTime> {
    let (table, at) = (track.samples(), ticks(track, time));
    if at >= table.presentation_end() {
        return None;
    }
    let first = keyframe(track, at);
    let last = until(track, first, at.saturating_add(1))?;
    let shown = (first..last).map(|i| table.presentation_time(i)).filter(|shown| *shown <= at).max()?;
    // What is skipped before zero is never on the screen.
    let shown = shown.max(i64::from(track.skip())).saturating_sub(i64::from(track.skip()));
    Some(MediaTime::new(shown, track.timescale()))
}

/// A time in ticks as the table counts them: what is skipped lies before zero of the timeline.
fn ticks(track: &Track, time: MediaTime) -> i64 {
    let time = time.rescale(track.timescale(), Rounding::Nearest).ticks();
    time.saturating_add(i64::from(track.skip()))
}

/// The keyframe that is presented at `from` or last before it, else the first there is.
fn keyframe(track: &Track, from: i64) -> u32 {
    let table = track.samples();
    let before = table.sync_samples().filter(|i| table.presentation_time(*i) <= from).last();
    before.or_else(|| table.sync_samples().next()).unwrap_or(0)
}

/// The frame of sound that is heard at `from`, with those before it that its decoder needs to say it right.
fn frame(track: &Track, from: i64) -> u32 {
    let past = track.samples().first_decoded_at_or_after(u64::try_from(from.saturating_add(1)).unwrap_or(0));
    let needed = match track.decoding().codec.as_str() {
        // The bands that are replicated are described anew about twice a second (ISO/IEC 14496-3 §4.6.18.3).
        "mp4a.40.5" | "mp4a.40.29" => 12,
        // Neighbouring windows overlap.
        _ => 1,
    };
    past.saturating_sub(1 + needed)
}

/// Behind the last sample, from `first` on, that is presented before `to`.
fn until(track: &Track, first: u32, to: i64) -> Option<u32> {
    let table = track.samples();
    let decoded = table.first_decoded_at_or_after(u64::try_from(to).unwrap_or(0));
    // No picture is decoded more than the 16 frames of a picture buffer after it was due (H.264 A.3.1, H.265 A.4.2).
    let reach = decoded.saturating_add(32).min(table.len());
    (first..reach).rev().find(|i| table.presentation_time(*i) < to).map(|last| last + 1)
}
