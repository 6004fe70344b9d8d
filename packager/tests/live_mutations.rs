//! A thousand mutations of each live stream, and streams that claim much: no panic, no hang, and memory within bounds.
//!
//! All of it is one test, alone in its binary: the allocator counts for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test reads its files and its clock"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_packager::Error;
use forebay_packager::fuzzing::live;
use forebay_packager::live::{Event, Splitter};
use peak_alloc::PeakAlloc;

#[path = "mutate/mod.rs"]
mod mutate;
use mutate::{Random, mutate, places};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Mutations of each fixture.
const COUNT: u64 = 1000;
/// A mutation takes milliseconds; a machine that is busy may need longer, one that hangs needs for ever.
const PATIENCE: Duration = Duration::from_secs(10);
const MIB: usize = 1 << 20;

#[test]
fn a_thousand_mutations_of_each_stream_cost_little() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
    for name in ["cmaf-video", "cmaf-audio", "dash-video", "shaka-video", "shaka-ll-video", "gst-audio"] {
        let sound = std::fs::read(folder.join(format!("{name}.mp4"))).unwrap();
        let places = places(&sound);
        for seed in 0..COUNT {
            let mutated = mutate(&sound, &places, Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
            let began = Instant::now();
            let used = peak(|| live(&mutated));
            let allowed = 8 * mutated.len() + 16 * MIB;
            assert!(used <= allowed, "{name}, seed {seed}: {used} bytes of memory for {}", mutated.len());
            assert!(began.elapsed() < PATIENCE, "{name}, seed {seed}: took {:?}", began.elapsed());
        }
    }
    let sound = std::fs::read(folder.join("cmaf-video.mp4")).unwrap();
    let media = sound.windows(4).position(|w| w == b"moof").unwrap() - 4;
    let header = &sound[..media];
    boxes_that_pass_by_cost_nothing(header);
    media_in_single_bytes_costs_little_more_than_itself(header);
    what_is_refused_is_not_kept(header);
}

fn boxes_that_pass_by_cost_nothing(header: &[u8]) {
    let mut splitter = started(header);
    let head = [(32 * MIB as u32).to_be_bytes(), *b"free"].concat();
    let piece = Bytes::from(vec![0; 64 * 1024]);
    let used = peak(|| {
        for _ in 0..20 {
            splitter.feed(Bytes::copy_from_slice(&head));
            splitter.feed(piece.slice(8..));
            for _ in 1..32 * MIB / piece.len() {
                splitter.feed(piece.clone());
                assert_eq!(splitter.next(), Ok(None));
            }
        }
    });
    assert_eq!(splitter.finish(), Ok(()), "640 MiB have passed");
    assert!(used < 64 * 1024, "{used} bytes of memory");
}

fn media_in_single_bytes_costs_little_more_than_itself(header: &[u8]) {
    let mut splitter = started(header);
    let size = 4 * MIB;
    let whole = one_sample(size);
    let used = peak(|| {
        for byte in 0..whole.len() {
            splitter.feed(whole.slice(byte..=byte));
            match splitter.next() {
                Ok(Some(Event::Chunk(chunk))) => {
                    assert_eq!(chunk.samples[0].data, whole[whole.len() - size..])
                }
                other => assert_eq!(other, Ok(None)),
            }
        }
    });
    assert_eq!(splitter.finish(), Ok(()));
    // The pieces gathered, and the sample joined of them.
    assert!(used < 3 * size, "{used} bytes of memory for {size}");
}

fn what_is_refused_is_not_kept(header: &[u8]) {
    let mut splitter = started(header);
    splitter.feed(Bytes::copy_from_slice(&[255, 255, 255, 255, b'm', b'd', b'a', b't']));
    assert!(matches!(splitter.next(), Err(Error::Malformed { .. } | Error::TooLarge { .. })));
    let used = peak(|| (0..100).for_each(|_| splitter.feed(vec![0; MIB].into())));
    assert!(used < 2 * MIB, "{used} bytes of memory");
}

/// A splitter that has read this header.
fn started(header: &[u8]) -> Splitter {
    let mut splitter = Splitter::new();
    splitter.feed(Bytes::copy_from_slice(header));
    assert!(matches!(splitter.next(), Ok(Some(Event::Header(_)))));
    assert_eq!(splitter.next(), Ok(None));
    splitter
}

/// A chunk of one picture.
fn one_sample(size: usize) -> Bytes {
    let atom = |kind: &[u8; 4], body: &[u8]| {
        [&(body.len() as u32 + 8).to_be_bytes(), kind.as_slice(), body].concat()
    };
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    let traf = |offset| {
        let tfhd = atom(b"tfhd", &words(&[0x02_0000, 1]));
        let tfdt = atom(b"tfdt", &words(&[0, 0]));
        let trun = atom(b"trun", &words(&[0x201, 1, offset, size as u32]));
        atom(b"moof", &atom(b"traf", &[tfhd, tfdt, trun].concat()))
    };
    let media: Vec<u8> = (0..size).map(|n| (n * 7) as u8).collect();
    [traf(traf(0).len() as u32 + 8), atom(b"mdat", &media)].concat().into()
}

/// The most memory that was in use at any time during `work`, beyond what was in use before.
fn peak(work: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}
