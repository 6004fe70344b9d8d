//! Fuzz bodies: plain functions that assert what must hold for any bytes. `fuzz/` runs them under a fuzzer, the
//! tests run them over their corpus.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::Error;
use crate::export;
use crate::import::{Contents, Place, Playlist, Resource, Segment, Shot, Standing, Strip, Wanted, lay};
use crate::live::{Chunk, Event, Header, Splitter, mux};
use crate::manifest::Manifest;
use crate::mp4::{Finder, Movie, Step};
use crate::playlist::{media_playlist, multivariant_playlist};
use crate::presentation::{Presentation, Rendition, name_tracks};
use crate::range::ByteRange;
use crate::segment::{Assembler, Need, Plan, init_segment};
use crate::time::{MediaTime, Msn};
use crate::track::Track;

/// Reads bytes that lie in memory as an MP4 object.
///
/// # Errors
/// Those of [`Finder::step`].
pub fn read(object: &[u8]) -> Result<Movie, Error> {
    find(Finder::new(object.len() as u64), object)
}

fn find(mut finder: Finder, object: &[u8]) -> Result<Movie, Error> {
    loop {
        match finder.step()? {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => {
                let start = usize::try_from(range.start()).unwrap_or(usize::MAX);
                let end = usize::try_from(range.end()).unwrap_or(usize::MAX);
                let bytes = object.get(start..end).unwrap_or_default();
                finder.feed(range.start(), Bytes::copy_from_slice(bytes));
            }
        }
    }
}

/// An MP4 object: whatever it claims, planning and assembling all of it keeps to the lengths that were promised.
pub fn finder(data: &[u8]) {
    let Ok(movie) = read(data) else { return };
    for track in &movie.tracks {
        assert_eq!(Track::from_index(&track.to_index()).as_ref(), Ok(track), "an index reads back");
    }
    let tracks = movie.tracks.into_iter().map(|t| (0, [0; 32], t)).collect();
    let Ok(sources) = name_tracks(tracks) else { return };
    let Ok((presentation, _)) = Presentation::plan(sources, MediaTime::from_millis(6000)) else { return };
    assert!(multivariant_playlist(&presentation, "").starts_with("#EXTM3U\n"), "a playlist is one");
    for rendition in presentation.renditions() {
        assert!(
            media_playlist(&presentation, rendition).ends_with("#EXT-X-ENDLIST\n"),
            "a playlist has an end"
        );
        assert!(init_segment(rendition).is_ok(), "what was read can be written");
        let count = rendition.segment_count();
        for number in (0..count).take(50) {
            let Ok(Some(plan)) = Plan::segment(rendition, Msn(number)) else { continue };
            assert_eq!(plan.len(), rendition.segment_bytes(Msn(number)), "the length is known before");
            assemble(plan, data);
        }
        let samples: u32 =
            (0..count).filter_map(|n| rendition.samples(Msn(n))).map(|r| r.end - r.start).sum();
        assert!(samples <= rendition.track().samples().len(), "no sample is served twice");
    }
    let renditions: Vec<&Rendition> = presentation.renditions().iter().map(Arc::as_ref).collect();
    let all = export::whole(&renditions);
    let half = MediaTime::new(all.end.ticks() / 2, all.end.timescale());
    for range in [all.clone(), half..all.end, all.start..half] {
        exported(&renditions, &range, data);
    }
}

/// Any range of what a file presents can be exported, to the length that was promised.
fn exported(renditions: &[&Rendition], range: &Range<MediaTime>, object: &[u8]) {
    let Ok(Some(plan)) = export::Plan::of(renditions, range) else { return };
    if plan.len() > 4 << 20 {
        return;
    }
    let promised = plan.len();
    let mut given = 0;
    let mut assembler = export::Assembler::whole(plan);
    loop {
        match assembler.next() {
            export::Need::Done => break,
            export::Need::Piece(piece) => given += piece.len() as u64,
            export::Need::Media(media) => {
                let Some(bytes) = slice(object, media.range) else { return };
                assembler.feed(bytes);
            }
        }
    }
    assert_eq!(given, promised, "all that was promised is given");
}

fn slice(object: &[u8], range: ByteRange) -> Option<Bytes> {
    let (start, end) = (usize::try_from(range.start()).ok()?, usize::try_from(range.end()).ok()?);
    object.get(start..end).map(Bytes::copy_from_slice)
}

fn assemble(plan: Plan, object: &[u8]) {
    // A few bytes of object may be claimed by gigabytes of samples; those are not walked here.
    if plan.len() > 4 << 20 {
        return;
    }
    let promised = plan.len();
    let mut given = 0;
    let mut assembler = Assembler::whole(plan);
    loop {
        match assembler.next() {
            Need::Done => break,
            Need::Piece(piece) => given += piece.len() as u64,
            Need::Media(range) => {
                let Some(bytes) = slice(object, range) else { return };
                assembler.feed(bytes);
            }
        }
    }
    assert_eq!(given, promised, "all that was promised is given");
}

/// An `.idx` object.
pub fn index(data: &[u8]) {
    if let Ok(track) = Track::from_index(data) {
        assert_eq!(track.to_index(), data, "one track has one index");
    }
}

/// An `asset.json` object.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::from_json(data) {
        assert_eq!(Manifest::from_json(manifest.to_json().as_bytes()), Ok(manifest), "a manifest reads back");
    }
}

/// What an import reads: a playlist; else an init segment with a segment behind it, which comes twice.
pub fn import(data: &[u8]) {
    if let Ok(Playlist::Media(media)) = Playlist::read("playlist", data) {
        assert!(!media.segments.is_empty(), "a rendition has segments");
        assert!(media.segments.iter().all(|s| s.map < media.maps.len()), "each has its init segment");
        assert!(media.duration() >= MediaTime::from_millis(0), "time goes on");
    }
    let _ = Contents::read(data);
    let Ok(movie) = find(Finder::of_segment(data.len() as u64), data) else { return };
    let segment = |number: u32| Segment {
        media: Resource { uri: String::new(), range: None },
        map: 0,
        is_discontinuous: number > 0,
        duration: MediaTime::from_millis(1000),
        place: Place::Segment(number, 0),
    };
    let size = data.len() as u64;
    let shots = (0..2)
        .filter_map(|n| Shot::of(Standing::of(&segment(n), u64::from(n) * size), 0, movie.clone()).ok());
    let shots: Vec<Shot> = shots.collect();
    let strip =
        |wanted| Strip { playlist: "x".into(), object: 0, wanted, language: None, shots: shots.clone() };
    for wanted in [Wanted::Video, Wanted::Audio, Wanted::Both] {
        let Ok(laid) = lay(&[strip(wanted)]) else { continue };
        let Ok((presentation, _)) =
            Presentation::plan_on(laid.sources, MediaTime::from_millis(6000), &laid.grid)
        else {
            continue;
        };
        let ends = presentation.boundaries().iter().zip(presentation.boundaries().iter().skip(1));
        assert!(ends.into_iter().all(|(a, b)| a <= b), "boundaries ascend");
        for rendition in presentation.renditions() {
            let ranges = rendition.track().samples().byte_ranges(0..rendition.track().samples().len());
            assert!(ranges.iter().all(|range| range.end() <= 2 * size), "samples lie in the segments");
        }
    }
}

/// A sender's stream of CMAF: however it is cut, the same events come of it, and a part that is made of what was read
/// reads as the same again.
pub fn live(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let (events, end) = split(Splitter::new(), std::iter::once(bytes.clone()));
    let mut turn = data.len();
    let mut at = 0;
    let pieces = std::iter::from_fn(|| {
        turn = turn.wrapping_mul(25) % 977;
        let piece = bytes.slice(at..(at + 1 + turn).min(data.len()));
        at += piece.len();
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(split(Splitter::new(), pieces), (events.clone(), end), "a split changes nothing");
    let mut header = None;
    for event in &events {
        match event {
            Event::Header(new) => {
                let again = Header::read(&new.init());
                assert_eq!(
                    again.as_ref().map(|h| h.id()),
                    Ok(new.id()),
                    "our own init segment reads as the same"
                );
                header = again.ok();
            }
            Event::Chunk(chunk) => {
                if let Some(header) = &header {
                    part(header, chunk);
                }
            }
        }
    }
}

/// All events of some pieces, and what ended them.
fn split(mut splitter: Splitter, pieces: impl Iterator<Item = Bytes>) -> (Vec<Event>, Result<(), Error>) {
    let mut events = Vec::new();
    for piece in pieces {
        splitter.feed(piece);
        loop {
            match splitter.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, splitter.finish())
}

fn part(header: &std::sync::Arc<Header>, chunk: &Chunk) {
    let samples = &chunk.samples;
    let events: Vec<Bytes> = chunk.events.iter().map(|event| event.raw.clone()).collect();
    let pieces = mux(header, 7, &events, samples);
    let (given, end) = split(Splitter::resume(header.clone()), pieces.into_iter());
    // A part can say neither that pictures are decoded before zero, nor backwards, nor after a hole of 2^32 ticks.
    let steps = samples.iter().zip(samples.iter().skip(1)).map(|(a, b)| b.decode.saturating_sub(a.decode));
    let sayable = steps.into_iter().all(|step| u32::try_from(step).is_ok());
    if samples.is_empty() || !sayable || samples.iter().any(|s| s.decode < 0) {
        return;
    }
    assert_eq!(end, Ok(()), "a part is sound");
    let [Event::Chunk(given)] = given.as_slice() else {
        assert!(given.is_empty(), "a part is one chunk");
        return;
    };
    let seen = |chunk: &Chunk| {
        let sample = |s: &crate::live::Sample| (s.decode, s.offset, s.sync, s.data.clone());
        chunk.samples.iter().map(sample).collect::<Vec<_>>()
    };
    assert_eq!(seen(given), seen(chunk), "a part has the samples it was made of");
    assert_eq!(given.events, chunk.events, "and the events");
}
