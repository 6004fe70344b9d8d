//! Any bytes as a publisher's: split in two ways, within their bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    forebay_transcoder::fuzzing::rtmp(data);
});
