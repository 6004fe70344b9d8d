//! What the tests stand on: fixtures, and streams fed in pieces.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::Error;
use forebay_packager::live::{Chunk, Event, Header, Sample, Splitter};

/// Video and audio of each sender.
pub(crate) const SENDERS: [&str; 7] = ["cmaf", "epoch", "dash", "packager", "shaka", "shaka-ll", "gst"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder("fixtures").join(name)).unwrap()
}

/// All live fixtures, with their names.
pub(crate) fn streams() -> Vec<(String, Vec<u8>)> {
    let names =
        SENDERS.iter().flat_map(|sender| [format!("{sender}-video.mp4"), format!("{sender}-audio.mp4")]);
    names.map(|name| (name.clone(), fixture(&format!("live/{name}")))).collect()
}

/// What a splitter makes of some pieces: its events, then its fault if there was one.
pub(crate) fn fed(
    mut splitter: Splitter,
    pieces: impl IntoIterator<Item = Bytes>,
) -> (Vec<Event>, Result<(), Error>) {
    let mut events = Vec::new();
    for piece in pieces {
        splitter.feed(piece);
        loop {
            match splitter.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(splitter.next(), Err(error.clone()), "a fault stays");
                    assert_eq!(splitter.finish(), Err(error.clone()));
                    return (events, Err(error));
                }
            }
        }
    }
    (events, splitter.finish())
}

/// The events of a stream in one piece.
pub(crate) fn events(stream: &[u8]) -> (Vec<Event>, Result<(), Error>) {
    fed(Splitter::new(), [Bytes::copy_from_slice(stream)])
}

/// The header and the chunks of a sound stream.
pub(crate) fn read(stream: &[u8]) -> (Arc<Header>, Vec<Chunk>) {
    let (events, end) = events(stream);
    assert_eq!(end, Ok(()));
    let mut events = events.into_iter();
    let Some(Event::Header(header)) = events.next() else { panic!("a header comes first") };
    let chunk = |event| match event {
        Event::Chunk(chunk) => chunk,
        Event::Header(_) => panic!("one header"),
    };
    (header, events.map(chunk).collect())
}

/// The samples of all chunks.
pub(crate) fn samples(chunks: &[Chunk]) -> Vec<Sample> {
    chunks.iter().flat_map(|chunk| chunk.samples.clone()).collect()
}
