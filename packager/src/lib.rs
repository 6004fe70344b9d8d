//! Just-in-time packaging.
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests count small things"))]

pub mod asset;
mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod index;
pub mod manifest;
pub mod mp4;
pub mod playlist;
pub mod presentation;
pub mod range;
pub mod segment;
pub mod time;
pub mod track;

pub use error::Error;
