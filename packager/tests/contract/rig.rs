//! What the tests stand on: fixtures, readers of every temper, and whole segments.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use forebay_packager::Error;
use forebay_packager::fuzzing::read;
use forebay_packager::mp4::{Finder, Movie, Step};
use forebay_packager::presentation::{Presentation, Rendition, name_tracks};
use forebay_packager::range::ByteRange;
use forebay_packager::segment::{Assembler, Need, Plan};
use forebay_packager::time::{MediaTime, Msn};

pub(crate) const FIXTURES: [&str; 5] =
    ["moov-last.mp4", "moov-first.mp4", "fragmented.mp4", "late-audio.mp4", "audio.mp4"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder("fixtures").join(name)).unwrap()
}

/// Lays all tracks of an object on one timeline.
pub(crate) fn present(object: &[u8], target_ms: i64) -> Presentation {
    let tracks = read(object).unwrap().tracks.into_iter().map(|t| (0, [7; 32], t)).collect();
    Presentation::plan(name_tracks(tracks).unwrap(), MediaTime::from_millis(target_ms)).unwrap().0
}

/// Reads `object` with a store that gives what `give` makes of each range that is asked for.
pub(crate) fn read_with(object: &[u8], mut give: impl FnMut(ByteRange) -> ByteRange) -> Result<Movie, Error> {
    let mut finder = Finder::new(object.len() as u64);
    // A reader that makes no progress would ask for ever.
    for _ in 0..object.len() * 2 + 1000 {
        match finder.step()? {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => {
                let given = give(range);
                assert!(range.covers(given) || given.is_empty());
                let bytes = &object[given.start() as usize..given.end() as usize];
                finder.feed(range.start(), Bytes::copy_from_slice(bytes));
            }
        }
    }
    panic!("the finder does not come to an end");
}

/// A whole segment; `None` for a gap.
pub(crate) fn segment(object: &[u8], rendition: &Rendition, msn: u64) -> Option<Vec<u8>> {
    let mut assembler = Assembler::whole(Plan::segment(rendition, Msn(msn)).unwrap()?);
    let mut out = Vec::new();
    loop {
        match assembler.next() {
            Need::Done => return Some(out),
            Need::Piece(piece) => out.extend_from_slice(&piece),
            Need::Media(range) => {
                assembler.feed(Bytes::copy_from_slice(&object[range.start() as usize..range.end() as usize]));
            }
        }
    }
}
