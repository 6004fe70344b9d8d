//! The index: a track's samples in a few bits each, and its stored form, the `.idx` object.
//!
//! ```text
//! "fbix" version:u16 kind:u8
//!   video: width:u16 height:u16 pixel aspect:u32,u32     audio: channels:u16 rate:u32
//! timescale:u32 language:3 bytes skip:u32 matrix:9 x i32
//! codec:(u16, bytes) sample entry:(u32, bytes)
//! start:u64 count:u32
//! durations:column sizes:column
//! offsets: 0 | 1 bias:i32 step:u32 column
//! syncs:   0 | 1 n:u32 n x u32 (each the distance from the one before)
//! extents: n:u32 n x (first sample's distance:u32, offset:u64)
//! column:  for each 128 values (least:u32 width:u8), then words:u32, then the 64-bit words
//! first 16 bytes of the SHA-256 of all before
//! ```
//!
//! Numbers are little-endian. About 70 KB for ten minutes of one track.

mod pack;
mod samples;
mod stored;

pub(crate) use samples::TableBuilder;
#[cfg(test)]
pub(crate) use samples::tests;
pub use samples::{LIMIT, Sample, SampleTable};
