//! RTMP: where encoders send to.
//!
//! ```text
//!  TcpListener ─▶ Connection { Session } ─▶ Publishers::admit ─▶ desk ─▶ Publication ─▶ Tag, Tag, Tag …
//!                 crowd      wire            penalties           one per stream          flv, matroska
//! ```
//!
//! [`Ingest`] accepts connections, [`Publishers`] says whose key opens which stream ([`KeyedPublishers`] by the catalogue), and each publisher that is let in
//! comes out of [`Publications`] as a [`Publication`]: its tags, and why it ended. [`flv`] reads what is in a tag and
//! writes tags as a file; [`Matroska`] writes those that an older ffmpeg does not read from FLV.
//!
//! What goes on: H.264 and AAC as encoders have sent them for twenty years, and HEVC, AV1, VP9 and Opus as in Enhanced
//! RTMP v2. What does not: playing, recording, shared objects, the encrypted handshake (RTMPE), RTMPT. RTMPS is TLS in
//! front: [`Ingest::serve_through`].
//!
//! Everything a peer can make us do or hold is bounded by [`Limits`].

#[doc(hidden)]
pub mod conformance;
mod connection;
mod crowd;
mod desk;
mod fault;
pub mod flv;
mod host;
mod keyed;
mod limits;
mod listener;
mod matroska;
mod penalty;
mod publication;
mod publishers;
pub(crate) mod session;
mod tag;
mod tally;
mod wire;

pub use fault::Fault;
pub use host::Host;
pub use keyed::KeyedPublishers;
pub use limits::Limits;
pub use listener::{Ingest, Publications};
pub use matroska::Matroska;
pub use publication::{Ending, Publication};
pub use publishers::{MemoryPublishers, Permit, Publishers, Query, Refusal, Request, Secret, ShowPolicy};
pub use tag::{Tag, TagKind};
pub use tally::Counts;

#[cfg(test)]
mod tests;
