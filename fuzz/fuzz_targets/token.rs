//! Any bytes as a native token and its claims.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| forebay_authz::fuzzing::token(data));
