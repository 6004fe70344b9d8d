//! The end-to-end tests of forebay: a rig that runs the real binary, inputs made by others, oracles written by others, and
//! the walls between the rooms.
//!
//! Nothing here knows how forebay works inside: the stories in `tests/stories` use its commands, its config file and what
//! HTTP shows, so they hold through any rewrite. Each story makes its own folders and takes its own ports; an oracle that
//! is not installed fails the story that needs it, with a word about `make setup`.

// This is test code: a fault in it must stop the story at once, with a backtrace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "this crate is test code"
)]

pub mod inputs;
pub mod layering;
pub mod oracle;
pub mod rig;
