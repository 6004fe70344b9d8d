//! The live window: what senders of CMAF say, read as it arrives, and Low-Latency HLS out.
//!
//! ```text
//! bytes in any split ─▶ Splitter ─▶ Header ──greet──▶ Show ─▶ Playlist ─▶ answer: Ready | Wait | Malformed | TooFar
//!                                └▶ Chunk ───push───▶  │                  render: the text
//!                                                      └──mux──▶ Media of inits, parts and segments
//! ```
//!
//! Everything is a value of what was pushed: no clock, no waiting. Who waits asks again when something has changed.

mod adopt;
mod ask;
mod cadence;
mod capture;
mod chunk;
mod course;
mod daterange;
mod discontinuity;
mod event;
mod feed;
mod fragment;
mod header;
mod held;
mod kept;
mod making;
mod mux;
mod page;
mod past;
mod plan;
mod playlist;
mod queue;
mod rates;
mod reading;
mod refusal;
mod report;
mod restart;
mod scte35;
mod segment;
mod segments;
mod show;
mod source;
mod splitter;
mod track;
mod utc;
mod view;

pub use adopt::Adopted;
pub use ask::{Answer, DirectiveFault, Directives, Edge, Form, Skip};
pub use cadence::{Beat, Cadence};
pub use capture::Capture;
pub use chunk::{Chunk, Event, Sample};
pub use daterange::{DateRange, MAX_RANGES, RangeFault, SpliceKind};
pub use event::EventMessage;
pub use feed::{Feed, Sender, Taken};
pub use header::{Header, InitId};
pub use kept::Found;
pub use mux::mux;
pub use page::{MAX_PAGE, Page, PageTrack, Pages};
pub use past::{Gait, Past};
pub use plan::{Keeping, Plan};
pub use playlist::{Listing, Playlist};
pub use refusal::Refusal;
pub use segment::{Media, Part, Segment, Settled, Stored};
pub use show::{Shed, Show};
pub use splitter::Splitter;
pub use view::View;

/// What stands before the names of a stream's boxes in errors.
const PATH: &str = "stream";
