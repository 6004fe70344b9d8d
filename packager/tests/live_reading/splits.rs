//! How a stream is cut into pieces does not matter, and its media is not copied where it need not be.

use bytes::Bytes;
use forebay_packager::Error;
use forebay_packager::live::{Event, Splitter};
use proptest::prelude::*;

use super::rig::{events, fed, fixture, samples, streams};

#[test]
fn a_stream_in_single_bytes_and_in_pieces_of_every_size_is_the_same() {
    for (name, stream) in streams() {
        let whole = events(&stream);
        assert_eq!(whole.1, Ok(()), "{name}");
        for size in [1, 2, 3, 7, 8, 15, 16, 188, 511, 512, 513, 1400, 16_384] {
            let pieces = stream.chunks(size).map(Bytes::copy_from_slice);
            assert!(fed(Splitter::new(), pieces) == whole, "{name} in pieces of {size}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_split_gives_the_same_events(
        stream in 0usize..14,
        cuts in prop::collection::vec(1usize..3000, 1..200),
        cut_off in prop::option::of(0usize..12_000),
    ) {
        let (_, mut stream) = streams().swap_remove(stream);
        stream.truncate(cut_off.unwrap_or(stream.len()));
        let whole = events(&stream);
        let (mut rest, mut pieces) = (Bytes::from(stream), Vec::new());
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() { break; }
            pieces.push(rest.split_to(cut.min(rest.len())));
        }
        prop_assert!(fed(Splitter::new(), pieces) == whole);
    }
}

#[test]
fn an_end_inside_a_box_is_told_from_one_between_chunks() {
    let stream = fixture("live/packager-video.mp4");
    let mut ends = Vec::new();
    for len in 0..=stream.len() {
        match events(&stream[..len]).1 {
            Ok(()) => ends.push(len),
            Err(Error::Truncated { needed, size }) => {
                assert!(needed.end() > size && size == len as u64, "at {len}")
            }
            // Between moof and mdat: no box is cut, but a fragment is.
            Err(Error::Malformed { path, .. }) => {
                assert_eq!((path.as_str(), &stream[len + 4..len + 8]), ("stream/moof", b"mdat".as_slice()))
            }
            Err(error) => panic!("at {len}: {error}"),
        }
    }
    // Nothing, ftyp, moov, and for each fragment its sidx and its mdat.
    assert_eq!(ends.len(), 3 + 2 * 3);
}

#[test]
fn media_shares_the_memory_it_came_in() {
    for (name, stream) in streams() {
        let bytes = Bytes::from(stream);
        let (start, end) = (bytes.as_ptr(), bytes.as_ptr().wrapping_add(bytes.len()));
        let (events, _) = fed(Splitter::new(), [bytes.clone()]);
        let chunks: Vec<_> =
            events.into_iter().filter_map(|e| if let Event::Chunk(c) = e { Some(c) } else { None }).collect();
        for sample in samples(&chunks) {
            assert!((start..end).contains(&sample.data.as_ptr()), "{name}: a sample was copied");
        }
    }
}

#[test]
fn only_what_lies_across_two_pieces_is_joined() {
    let bytes = Bytes::from(fixture("live/packager-video.mp4"));
    let cut = 2000;
    let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
    let (events, _) = fed(Splitter::new(), pieces);
    let shared = bytes.as_ptr()..bytes.as_ptr().wrapping_add(bytes.len());
    let copied: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Chunk(chunk) = event { Some(chunk) } else { None })
        .flat_map(|chunk| &chunk.samples)
        .filter(|sample| !shared.contains(&sample.data.as_ptr()))
        .collect();
    assert_eq!(copied.len(), 1);
    assert!(bytes.windows(copied[0].data.len()).any(|w| w == copied[0].data));
}

#[test]
fn who_resumes_needs_no_header() {
    let stream = fixture("live/cmaf-video.mp4");
    let (all, _) = events(&stream);
    let Event::Header(header) = &all[0] else { panic!("a header comes first") };
    let media = stream.windows(4).position(|w| w == b"moof").unwrap() - 4;
    let splitter = Splitter::resume(header.clone());
    assert_eq!(splitter.header(), Some(header));
    let (resumed, end) = fed(splitter, [Bytes::copy_from_slice(&stream[media..])]);
    assert_eq!((resumed.as_slice(), end), (&all[1..], Ok(())));
    // Without one it cannot be read.
    let error = events(&stream[media..]).1.unwrap_err().to_string();
    assert_eq!(error, "stream/moof at byte 0: expected a moov box before it, found none");
}

#[test]
fn a_header_may_come_again_and_say_something_else() {
    let (video, audio) = (fixture("live/cmaf-video.mp4"), fixture("live/dash-audio.mp4"));
    let (both, end) = events(&[video.clone(), audio.clone(), audio.clone()].concat());
    let (one, two) = (events(&video).0, events(&audio).0);
    assert_eq!((both, end), ([one, two.clone(), two].concat(), Ok(())));
}
