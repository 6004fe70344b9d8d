//! The live window: what senders of CMAF say, read as it arrives.
//!
//! ```text
//! bytes in any split ──▶ Splitter ──▶ Header, Chunk{ samples } ──▶ … ──▶ mux(header, samples) ──▶ moof, mdat
//! ```

mod capture;
mod chunk;
mod event;
mod fragment;
mod header;
mod mux;
mod queue;
mod splitter;

pub use capture::Capture;
pub use chunk::{Chunk, Event, Sample};
pub use event::EventMessage;
pub use header::{Header, InitId};
pub use mux::mux;
pub use splitter::Splitter;

/// What stands before the names of a stream's boxes in errors.
const PATH: &str = "stream";
