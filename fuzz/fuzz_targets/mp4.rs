//! Any bytes as an MP4 object: found, planned, packaged.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_packager::fuzzing::finder(data));
