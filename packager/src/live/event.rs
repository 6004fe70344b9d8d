//! Event messages (`emsg`, ISO/IEC 23009-1 §5.10.3.3): what a sender announces beside its media.

use bytes::Bytes;

use crate::time::MediaTime;

/// An event on the presentation timeline, such as an ad break of SCTE 35.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMessage {
    /// The scheme that says what it means: `urn:scte:scte35:2013:bin`.
    pub scheme: String,
    /// The scheme's value.
    pub value: String,
    /// The same in each repetition of one event.
    pub id: u32,
    /// When it starts on the presentation timeline, in the box's own timescale.
    pub start: MediaTime,
    /// How long it lasts; `None` where the sender does not know yet.
    pub duration: Option<MediaTime>,
    /// The message, as its scheme writes it.
    pub payload: Bytes,
    /// The box as it is passed on, with its header. One of version 0, whose time counts from a chunk that is cut
    /// anew here, is written again as version 1.
    pub raw: Bytes,
}
