//! Any bytes as a request that may carry a token somewhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_authz::fuzzing::carrier(data));
