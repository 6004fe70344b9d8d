//! Segments that are read by themselves, behind their init segment.

use bytes::Bytes;
use forebay_packager::Error;
use forebay_packager::mp4::{Finder, Movie, Step};

use super::rig::fixture;

/// Any whole stream is an init segment with a segment.
fn stream() -> Vec<u8> {
    fixture("live/dash-video.mp4")
}

fn read(bytes: &[u8]) -> Result<Movie, Error> {
    let mut finder = Finder::of_segment(bytes.len() as u64);
    loop {
        match finder.step()? {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => {
                let (start, end) = (range.start() as usize, range.end() as usize);
                finder.feed(range.start(), Bytes::copy_from_slice(&bytes[start..end]));
            }
        }
    }
}

/// The stream with every box of one type renamed or changed.
fn changed(kind: &[u8; 4], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = stream();
    let places: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, name)| name == kind).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| change(&mut bytes[at..]));
    bytes
}

#[test]
fn a_segment_behind_its_init_segment_stands_alone() {
    assert_eq!(read(&stream()).unwrap().tracks[0].samples().len(), 75);
    let refusal = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    let untimed = changed(b"tfdt", |name| name[..4].copy_from_slice(b"free"));
    assert!(refusal(&untimed).contains("expected a tfdt box, found none"));
    let encrypted = changed(b"tfdt", |name| name[..4].copy_from_slice(b"senc"));
    assert!(refusal(&encrypted).contains("found encrypted ones"));
    // `base-data-offset-present`: what comes next is taken for it.
    let placed = changed(b"tfhd", |name| name[7] |= 1);
    assert!(refusal(&placed).contains("tfhd"), "{}", refusal(&placed));
}

#[test]
fn a_segment_that_is_cut_anywhere_is_truncated() {
    let stream = stream();
    // Where a box ends nothing is seen to be missing.
    let whole = |len: usize| read(&stream[..len]).is_ok_and(|movie| !movie.tracks.is_empty());
    let ends = (0..stream.len()).filter(|len| whole(*len)).count();
    let fragments = stream.windows(4).filter(|name| name == b"moof").count();
    // Behind each mdat, and behind each box between two fragments.
    assert!((1..=3 * fragments).contains(&ends), "{ends} of {fragments}");
}
