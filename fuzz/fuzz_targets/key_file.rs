//! Any bytes as a key file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_authz::fuzzing::key_file(data));
