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

#[path = "mutate/mod.rs"]
mod mutate;
use mutate::{Random, mutate, places};

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
