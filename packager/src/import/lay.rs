//! Laying renditions on one timeline.
//!
//! ```text
//! source   video  |10.0 … 14.0|14.0 … 18.0|  discontinuity  |0.0 … 4.0|       tfdt of the segments
//!          sound  |9.98 … 14.0|14.0 … 18.02|                |-0.02 … 4.0|
//! asset    video  |0.0  …  4.0| 4.0 …  8.0 (held to 8.02)|8.02 … 12.02|
//!          sound  |-0.02 … 4.0| 4.0 …  8.02|8.02 …        12.02|
//! ```
//!
//! Between two discontinuities all renditions share a timeline, whatever it counts from. Each such period starts on the
//! asset's timeline where all of the one before have ended, so nothing is lost and nothing moves against another.

use std::collections::BTreeMap;

use super::join::{Placed, join};
use super::shot::{Shot, Strip};
use super::{MAX_REMARKS, Place, Remark};
use crate::presentation::{Source, name_tracks};
use crate::time::{MediaTime, Rounding, Timescale};
use crate::track::{Track, TrackKind};

/// Renditions on one timeline.
#[derive(Debug)]
pub struct Laid {
    /// Each track, in the order of the strips. Its bytes lie in the strip's object; its identity is for the caller to
    /// fill in.
    pub sources: Vec<Source>,
    /// Where the segments of the tallest video start; without video, those of the first sound.
    pub grid: Vec<MediaTime>,
    /// What was strange.
    pub notes: Vec<Remark>,
}

/// Lays `strips` on one timeline.
///
/// # Errors
/// Everything that keeps them from it.
pub fn lay(strips: &[Strip]) -> Result<Laid, Vec<Remark>> {
    let threads: Vec<Thread<'_>> =
        strips.iter().flat_map(|strip| strip.kinds().iter().map(|kind| Thread::of(strip, *kind))).collect();
    let (mut notes, mut faults) = (Vec::new(), Vec::new());
    threads.iter().for_each(|thread| thread.check(&mut notes, &mut faults));
    if !faults.is_empty() {
        faults.truncate(MAX_REMARKS);
        return Err(faults);
    }
    notes.truncate(MAX_REMARKS);
    let periods = periods(&threads);
    let (mut tracks, mut grid, mut tallest) = (Vec::new(), Vec::new(), None);
    for thread in &threads {
        let fault = |what: &str| vec![Remark::new(&thread.strip.playlist, Place::Whole, what)];
        let joined = join(&thread.placed(&periods), thread.language()).map_err(fault)?;
        let height = joined.track.kind().display_size().map_or(0, |(_, height)| height + 1);
        if tallest.is_none_or(|tallest| height > tallest) {
            tallest = Some(height);
            grid = joined.firsts.iter().map(|first| joined.track.presented_at(*first)).collect();
        }
        tracks.push((thread.strip.object, [0; 32], joined.track));
    }
    let named = name_tracks(tracks);
    let sources = named.map_err(|error| vec![Remark::new("all", Place::Whole, error.to_string())])?;
    Ok(Laid { sources, grid, notes })
}

/// One track of a strip.
struct Thread<'a> {
    strip: &'a Strip,
    is_video: bool,
    /// The segments that have samples of it, each with the number of its period.
    shots: Vec<(usize, &'a Shot, &'a Track)>,
}

/// A stretch of the source between two discontinuities.
#[derive(Debug, Clone, Copy)]
struct Period {
    /// Where the source's timeline counts from.
    origin: MediaTime,
    /// Where that is on the asset's.
    place: MediaTime,
}

impl<'a> Thread<'a> {
    fn of(strip: &'a Strip, is_video: bool) -> Self {
        let mut period = 0;
        let numbered = strip.shots.iter().map(|shot| {
            period += shot.breaks;
            (period, shot)
        });
        let shots = numbered.filter_map(|(n, shot)| Some((n, shot, shot.track(is_video)?))).collect();
        Self { strip, is_video, shots }
    }

    fn language(&self) -> Option<crate::track::Language> {
        self.strip.language.filter(|_| !self.is_video)
    }

    /// Whether its segments can be one track, and are all there.
    fn check(&self, notes: &mut Vec<Remark>, faults: &mut Vec<Remark>) {
        let Some((_, _, first)) = self.shots.first() else {
            let what =
                if self.is_video { "expected pictures, found none" } else { "expected sound, found none" };
            return faults.push(Remark::new(&self.strip.playlist, Place::Whole, what));
        };
        let mut before: Option<(usize, MediaTime)> = None;
        let mut is_told = false;
        for (period, shot, track) in &self.shots {
            if let Err(what) = same_decoder(first, track) {
                return faults.push(self.strip.remark(shot, what));
            }
            let (start, end) = (earliest(track), track.end());
            if let Some((_, before)) = before.filter(|(known, _)| known == period) {
                let hole = start.since(before);
                let jitter = MediaTime::from_millis(JITTER_MS);
                if before.since(start) > jitter {
                    let what = format!(
                        "expected EXT-X-DISCONTINUITY, or times that go on at {before} s, found them at {start} s"
                    );
                    return faults.push(self.strip.remark(shot, what));
                } else if hole > shot.duration.max(jitter) {
                    let what = format!(
                        "expected times that go on at {before} s, found them at {start} s: media is missing"
                    );
                    return faults.push(self.strip.remark(shot, what));
                } else if hole > jitter {
                    notes.push(self.strip.remark(shot, format!("a hole of {hole} s before it is bridged")));
                }
            }
            let length = end.since(start);
            let apart = if length > shot.duration {
                length.since(shot.duration)
            } else {
                shot.duration.since(length)
            };
            if apart > MediaTime::from_millis(1000) && !is_told {
                is_told = true;
                let what = format!("it lasts {length} s, and {} s by its EXTINF", shot.duration);
                notes.push(self.strip.remark(shot, what));
            }
            before =
                Some((*period, before.filter(|(known, _)| known == period).map_or(end, |(_, b)| b.max(end))));
        }
    }

    /// Of each period that it has: when its first sample is presented, and when its last one ends.
    fn spans(&self) -> BTreeMap<usize, (MediaTime, MediaTime)> {
        let mut spans = BTreeMap::new();
        for (period, _, track) in &self.shots {
            let span = spans.entry(*period).or_insert((track.start(), track.end()));
            span.1 = span.1.max(track.end());
        }
        spans
    }

    fn placed(&self, periods: &[Period]) -> Vec<Placed<'a>> {
        let scale = self.shots.first().map_or(Timescale::MPEG, |(.., first)| first.timescale());
        let place = |(period, shot, track): &(usize, &'a Shot, &'a Track)| {
            let Period { origin, place } = periods.get(*period)?;
            let start = place.rescale(scale, Rounding::Nearest).plus(track.start().since(*origin));
            Some(Placed { track, start, at: shot.at, media_at: shot.media_at })
        };
        self.shots.iter().filter_map(place).collect()
    }
}

/// Where each period counts from, and where it begins.
fn periods(threads: &[Thread<'_>]) -> Vec<Period> {
    let spans: Vec<_> = threads.iter().map(|thread| (thread.is_video, thread.spans())).collect();
    let last = spans.iter().filter_map(|(_, spans)| spans.keys().last()).max();
    let reference = threads.iter().find(|thread| thread.is_video).or(threads.first());
    let scale = reference.and_then(|thread| thread.shots.first()).map(|(.., track)| track.timescale());
    let mut place = MediaTime::zero(scale.unwrap_or(Timescale::MPEG));
    let mut periods = Vec::new();
    for period in 0..=last.copied().unwrap_or(0) {
        let first = |video: bool| {
            let spans = spans.iter().filter(|(is_video, _)| *is_video == video);
            spans.filter_map(|(_, spans)| spans.get(&period)).map(|(start, _)| *start).min()
        };
        // What sound starts with a little before the pictures is an encoder's priming.
        let jitter = MediaTime::from_millis(JITTER_MS);
        let origin = match (first(true), first(false)) {
            (Some(video), Some(sound)) if video.since(sound) > jitter => sound,
            (Some(first), _) | (None, Some(first)) => first,
            (None, None) => MediaTime::zero(place.timescale()),
        };
        periods.push(Period { origin, place });
        let end = spans.iter().filter_map(|(_, spans)| spans.get(&period)).map(|(_, end)| *end).max();
        // Up, so that no sound ends after the next picture began.
        let length = end.unwrap_or(origin).since(origin).rescale(place.timescale(), Rounding::Up);
        place = place.plus(length.max(MediaTime::zero(place.timescale())));
    }
    periods
}

/// When the first picture of a segment is presented; those of an open GOP come before its keyframe.
fn earliest(track: &Track) -> MediaTime {
    let head = 0..track.samples().len().min(32);
    head.map(|i| track.presented_at(i)).min().unwrap_or_else(|| track.start())
}

/// Whether one decoder, configured once, decodes both.
fn same_decoder(a: &Track, b: &Track) -> Result<(), String> {
    let (one, other) = (a.decoding(), b.decoding());
    if a.kind() != b.kind() {
        return Err(format!("expected {} as before, found {}", said(a.kind()), said(b.kind())));
    }
    if one.codec != other.codec {
        return Err(format!("expected codec {} as before, found {}", one.codec, other.codec));
    }
    match one.matrix == other.matrix && configuration(&one.entry) == configuration(&other.entry) {
        true => Ok(()),
        false => Err("expected the decoder configuration that was before, found another".to_owned()),
    }
}

/// What a decoder is configured with. The rest of a sample entry, such as bit rates, is for people.
fn configuration(entry: &bytes::Bytes) -> Option<Vec<u8>> {
    use mp4_atom::{Codec, Decode as _, Encode as _};
    let mut codec = Codec::decode(&mut entry.as_ref()).ok()?;
    match &mut codec {
        Codec::Avc1(avc1) => {
            avc1.btrt = None;
            avc1.visual.compressor = "".into();
        }
        Codec::Avc3(avc3) => {
            avc3.btrt = None;
            avc3.visual.compressor = "".into();
        }
        Codec::Hvc1(hvc1) => {
            hvc1.btrt = None;
            hvc1.visual.compressor = "".into();
        }
        Codec::Hev1(hev1) => {
            hev1.btrt = None;
            hev1.visual.compressor = "".into();
        }
        Codec::Mp4a(mp4a) => {
            mp4a.btrt = None;
            let config = &mut mp4a.esds.es_desc.dec_config;
            (config.max_bitrate, config.avg_bitrate) = (0, 0);
            config.buffer_size_db = [0; 3].into();
        }
        _ => {}
    }
    let mut bytes = Vec::new();
    codec.encode(&mut bytes).ok()?;
    Some(bytes)
}

fn said(kind: TrackKind) -> String {
    match kind {
        TrackKind::Video { width, height, .. } => format!("pictures of {width} x {height}"),
        TrackKind::Audio { channels, sample_rate } => format!("{channels} channels at {sample_rate} Hz"),
    }
}

/// How far times of segments may be apart without a remark: two frames of sound as HE-AAC has them, or a few pictures.
const JITTER_MS: i64 = 100;

#[cfg(test)]
mod tests;
