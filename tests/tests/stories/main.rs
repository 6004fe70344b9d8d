//! Stories: what people do with forebay, end to end, against the real binary.

// A fault in a story must stop it at once, with a backtrace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    reason = "this is test code"
)]

mod layering;
mod oracles;
