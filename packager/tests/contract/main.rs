//! What the packager promises, read from the specifications and held against files: the fixtures, files that are
//! written here box by box, and files that no writer would make.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a test reads its files and counts small things"
)]

mod clip;
mod corpus;
mod edits;
mod export;
mod hostile;
mod names;
mod playlists;
mod reading;
mod rig;
mod round_trip;
mod segments;
mod tables;
