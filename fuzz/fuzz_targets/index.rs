//! Any bytes as a stored index of a track.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_packager::fuzzing::index(data));
