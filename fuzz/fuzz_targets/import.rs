//! Any bytes as what an import reads: a playlist, or an init segment and a segment.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_packager::fuzzing::import(data));
