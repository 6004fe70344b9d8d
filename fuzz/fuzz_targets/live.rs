//! Any bytes as a sender's stream of CMAF: split in two ways, and written as parts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_packager::fuzzing::live(data));
