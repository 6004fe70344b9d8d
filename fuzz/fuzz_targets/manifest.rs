//! Any bytes as an `asset.json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_packager::fuzzing::manifest(data));
