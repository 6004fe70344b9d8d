//! What the reader of live streams promises, held against what senders write and against streams that none would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    reason = "a test reads its files and counts small things"
)]

#[path = "../contract/clip.rs"]
#[allow(dead_code, reason = "only its boxes are used here")]
mod clip;
mod corpus;
#[path = "../dump/mod.rs"]
mod dump;
mod foreign;
mod hostile;
mod parts;
mod rig;
mod sender;
mod splits;
mod times;
mod words;
