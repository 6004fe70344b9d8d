//! A thousand mutations of each fixture: no panic, no hang, and no more memory than eight times the input and 64 MB.
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

use forebay_packager::fuzzing::finder;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Mutations of each fixture.
const COUNT: u64 = 1000;
/// A mutation takes milliseconds; a machine that is busy may need longer, one that hangs needs for ever.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_thousand_mutations_of_each_file_cost_little() {
    for name in ["moov-last.mp4", "moov-first.mp4", "fragmented.mp4", "late-audio.mp4", "audio.mp4"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let sound = std::fs::read(file).unwrap();
        let places = places(&sound);
        for seed in 0..COUNT {
            let mutated = mutate(&sound, &places, Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
            let allowed = 8 * mutated.len() + 64 * 1024 * 1024;
            MEMORY.reset_peak_usage();
            let (before, began) = (MEMORY.current_usage(), Instant::now());
            finder(&mutated);
            let (used, took) = (MEMORY.peak_usage() - before, began.elapsed());
            assert!(used <= allowed, "{name}, seed {seed}: {used} bytes of memory for {}", mutated.len());
            assert!(took < PATIENCE, "{name}, seed {seed}: took {took:?}");
        }
    }
}

/// Where the boxes lie that say something: all that is not media.
fn places(file: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at + 8 <= file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let end = if &file[at + 4..at + 8] == b"mdat" { at + 8 } else { at + size };
        places.extend(at..end.min(file.len()));
        at += size.max(8);
    }
    places
}

/// One to four changes of the kinds that break readers.
fn mutate(sound: &[u8], places: &[usize], mut random: Random) -> Vec<u8> {
    let mut file = sound.to_vec();
    for _ in 0..=random.below(4) {
        let at = places[random.below(places.len())].min(file.len().saturating_sub(1));
        let word = at..(at + 4).min(file.len());
        match random.below(8) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => file[word].fill(0xff),
            3 => file[word].fill(0),
            4 => file[word].rotate_left(1),
            5 => file.truncate(at.max(1)),
            6 => drop(file.drain(at..(at + random.below(64)).min(file.len()))),
            _ => {
                let piece = file[at..(at + random.below(200)).min(file.len())].to_vec();
                file.splice(at..at, piece);
            }
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

/// Marsaglia's xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
