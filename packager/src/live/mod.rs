//! The live window: what senders of CMAF say, read as it arrives.

mod chunk;
mod event;
mod header;

pub use chunk::{Capture, Chunk, Event, Sample};
pub use event::EventMessage;
pub use header::{Header, InitId};
