//! The benchmarks of what comes in over RTMP: publishers that know when each picture left, and viewers who know which
//! picture a part ends with.

mod amf;
mod film;
mod listing;
mod publisher;
mod viewer;
mod wire;

pub use film::{Film, GOP, RATE};
pub use listing::{Listing, Part};
pub use publisher::{Publisher, Publishing};
pub use viewer::{Door, Seen, Viewer};
pub use wire::{Kind, Wire};
