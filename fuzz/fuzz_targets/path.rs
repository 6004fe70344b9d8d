//! Any bytes as a request's path.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_authz::fuzzing::path(data));
