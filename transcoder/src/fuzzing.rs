//! What must hold for any input whatever, as plain functions: a fuzzer calls them, and a test runs them over
//! a corpus.
//!
//! Each panics when a promise is broken. They are no part of the API.

use crate::ingest::flv::{self, Audio, Video};
use crate::ingest::session::{Event, Session};
use crate::ingest::{Limits, Matroska, Tag, TagKind};

/// The bytes of an RTMP peer: any split of them does the same, memory stays within its bounds, and tags can be read and
/// written. The first byte says how they are split, and whether the peer may publish. Gives how many tags came of them.
pub fn rtmp(data: &[u8]) -> usize {
    let Some((choice, bytes)) = data.split_first() else { return 0 };
    let may_publish = choice & 0x80 == 0;
    let split = usize::from(choice & 0x7f) + 1;
    // Acknowledgements come with reads, not with bytes: no more is fed than goes without one.
    let bytes = bytes.get(..MOST).unwrap_or(bytes);
    let whole = play(bytes, READ, may_publish);
    assert_eq!(play(bytes, split, may_publish), whole, "any split does the same");
    whole.events.iter().filter(|event| matches!(event, Event::Tag(_))).count()
}

/// What a session did, up to its fault.
#[derive(Debug, PartialEq)]
struct Played {
    events: Vec<Event>,
    fault: Option<String>,
    said: usize,
}

fn play(bytes: &[u8], split: usize, may_publish: bool) -> Played {
    let limits = Limits { command: 4 << 10, message: 16 << 10, chunk_streams: 8, ..Limits::default() };
    let mut session = Session::new(&limits);
    let mut played = Played { events: Vec::new(), fault: None, said: 0 };
    let mut last = i64::MIN;
    for piece in bytes.chunks(split) {
        session.room().extend_from_slice(piece);
        session.arrived(piece.len());
        loop {
            match session.next() {
                Ok(Some(event)) => {
                    match &event {
                        Event::Publish(_) if may_publish => session.accept(),
                        Event::Publish(_) => session.refuse("no"),
                        Event::Tag(tag) => {
                            assert!(
                                last == i64::MIN || last.abs_diff(tag.at_ms) <= 1 << 31,
                                "the nearer time"
                            );
                            last = tag.at_ms;
                            check(tag, &limits);
                        }
                        Event::Unpublished => {}
                    }
                    played.events.push(event);
                }
                Ok(None) => break,
                Err(fault) => {
                    played.fault = Some(fault.to_string());
                    played.said += session.output().len();
                    return played;
                }
            }
            let held = session.held();
            assert!(held <= limits.message + limits.command + SLACK, "holds {held} bytes");
        }
        played.said += session.output().split().len();
    }
    played
}

fn check(tag: &Tag, limits: &Limits) {
    assert!(!tag.data.is_empty() && tag.data.len() <= limits.message, "a tag within its bounds");
    let written = flv::tag(tag, 0).concat();
    assert_eq!(written.len(), 11 + tag.data.len() + 4, "a tag of a file");
    let legacy = flv::to_legacy(tag);
    match tag.kind {
        TagKind::Video => {
            let read = Video::read(&tag.data);
            if let Some((mut stream, _)) =
                read.as_ref().ok().and_then(|read| Matroska::begin(Some(read), None).ok())
            {
                let _either = stream.block(tag, tag.at_ms);
            }
            assert_eq!(flv::one_video_track(tag.data.clone()), Some(tag.data.clone()), "one track");
            if let Some(legacy) = legacy {
                assert_eq!(Video::read(&legacy.data), read, "the same in the old form");
            }
        }
        TagKind::Audio => {
            let read = Audio::read(&tag.data);
            if let Some((mut stream, _)) =
                read.as_ref().ok().and_then(|read| Matroska::begin(None, Some(read)).ok())
            {
                let _either = stream.block(tag, tag.at_ms);
            }
            assert_eq!(flv::one_audio_track(tag.data.clone()), Some(tag.data.clone()), "one track");
            if let Some(legacy) = legacy {
                assert_eq!(Audio::read(&legacy.data), read, "the same in the old form");
            }
        }
        TagKind::Script => assert_eq!(tag.data.first(), Some(&2), "script data begins with a name"),
    }
}

/// As much as a connection reads at a time.
const READ: usize = 4 << 10;
/// What is read and answered beside messages.
const SLACK: usize = 128 << 10;
const MOST: usize = 60 << 10;
