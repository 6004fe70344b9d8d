//! What the origin promises to whoever asks it, in process: no socket, no file, a clock that is set by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test counts small things"
)]

mod answers;
mod failing;
mod folders;
mod limits;
mod live;
mod live_answers;
mod live_given_up;
mod purge;
mod ranges;
mod revisions;
mod rig;
mod tokens;
