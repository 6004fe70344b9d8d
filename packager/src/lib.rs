//! Just-in-time packaging: MP4 in, or CMAF as it is sent; CMAF segments and HLS playlists out.
//!
//! Everything here is a value or a function. Bytes and time are arguments; what is missing is asked for, and the
//! shell around it fetches it:
//!
//! ```text
//! Finder::step ──Need(range)──▶ shell ──feed──▶ … ──▶ Movie { Track }       what a file holds
//! Presentation::plan(sources, target)                                        one timeline for all renditions
//! Plan::segment(rendition, msn)                                              length and tag before a byte is read
//! Assembler::next ──Media(range)──▶ shell ──feed──▶ … ──Piece──▶ … ──▶ Done  bytes that share the source's memory
//! ```
//!
//! # What it refuses to do
//! - No I/O, no clock, no randomness, no logging, no async.
//! - No floats: time is integer ticks, durations are differences of absolute positions.
//! - No expanded sample table: hours of video take a few hundred kilobytes.
//! - No guess about hostile input: counts are bounded by the bytes that are there, depth by the format, and what does
//!   not fit is an error that names the box and its offset.
//!
//! # Map
//! | module | |
//! |--------|-|
//! | [`time`], [`range`] | ticks, timescales, segment numbers, bit rates, byte ranges |
//! | [`asset`], [`manifest`] | names, and where the objects of a revision lie |
//! | [`mp4`] | reading: which bytes are needed to know a file |
//! | [`track`], [`index`] | what a track is; its samples in a few bits each, and their stored form |
//! | [`presentation`] | one set of boundaries for all renditions |
//! | [`fmp4`] | the boxes before a segment's media, and how long they are |
//! | [`live`] | CMAF as it is sent, in any split of its bytes: parts, segments and Low-Latency HLS playlists |
//! | [`recorded`] | assets whose media is the archive of a live show |
//! | [`segment`] | init segments, plans, assembling |
//! | [`export`] | a presentation, or a piece of it, as one progressive file |
//! | [`playlist`] | the multivariant and the media playlist |
//! | [`import`] | HLS that others made, brought in: its playlists, its segments, one timeline |
//!
//! # Example
//! A file in memory, packaged into a folder's worth of bytes.
//!
//! ```
//! use forebay_packager::mp4::{Finder, Step};
//! use forebay_packager::playlist::{media_playlist, multivariant_playlist};
//! use forebay_packager::presentation::{Presentation, name_tracks};
//! use forebay_packager::segment::{Assembler, Need, Plan, init_segment};
//! use forebay_packager::time::{MediaTime, Msn};
//!
//! # fn main() -> Result<(), forebay_packager::Error> {
//! let object: &[u8] = include_bytes!("../tests/fixtures/moov-first.mp4");
//! let slice = |range: forebay_packager::range::ByteRange| {
//!     bytes::Bytes::from_static(&object[range.start() as usize..range.end() as usize])
//! };
//!
//! let mut finder = Finder::new(object.len() as u64);
//! let movie = loop {
//!     match finder.step()? {
//!         Step::Need(range) => finder.feed(range.start(), slice(range)),
//!         Step::Found(movie) => break movie,
//!     }
//! };
//!
//! let tracks = movie.tracks.into_iter().map(|track| (0, [0; 32], track)).collect();
//! let (presentation, _anomalies) = Presentation::plan(name_tracks(tracks)?, MediaTime::from_millis(2000))?;
//! assert!(multivariant_playlist(&presentation, "").contains("RESOLUTION=128x72"));
//!
//! let video = presentation.rendition("video-72").expect("the file has video");
//! assert!(media_playlist(&presentation, video).contains("#EXTINF:2.000000,\n0.m4s\n"));
//! let mut whole = init_segment(video)?;
//!
//! let plan = Plan::segment(video, Msn(0))?.expect("the first segment");
//! let promised = whole.len() as u64 + plan.len();
//! let mut assembler = Assembler::whole(plan);
//! loop {
//!     match assembler.next() {
//!         Need::Media(range) => assembler.feed(slice(range)),
//!         Need::Piece(piece) => whole.extend_from_slice(&piece),
//!         Need::Done => break,
//!     }
//! }
//! assert_eq!(whole.len() as u64, promised);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests count small things"))]

pub mod asset;
mod error;
pub mod export;
pub mod fmp4;
#[doc(hidden)]
pub mod fuzzing;
pub mod import;
pub mod index;
pub mod live;
pub mod manifest;
pub mod mp4;
pub mod playlist;
pub mod presentation;
pub mod range;
pub mod recorded;
pub mod segment;
pub mod time;
pub mod track;

pub use error::Error;
