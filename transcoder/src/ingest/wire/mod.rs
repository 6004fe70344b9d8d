//! What RTMP is on the wire: handshake, chunks, AMF0. Bytes in, values out; nothing here waits or knows a clock.
//!
//! Sources: Adobe's RTMP specification 1.0 (2012), the AMF 0 file format specification (2007), Enhanced RTMP v2.

pub(super) mod amf;
pub(super) mod chunk;
pub(super) mod handshake;

/// The message types that matter here (RTMP §5.4, §7.1).
pub(super) mod kind {
    pub(in crate::ingest) const SET_CHUNK_SIZE: u8 = 1;
    pub(in crate::ingest) const ABORT: u8 = 2;
    pub(in crate::ingest) const ACKNOWLEDGEMENT: u8 = 3;
    pub(in crate::ingest) const USER_CONTROL: u8 = 4;
    pub(in crate::ingest) const WINDOW_SIZE: u8 = 5;
    pub(in crate::ingest) const PEER_BANDWIDTH: u8 = 6;
    pub(in crate::ingest) const AUDIO: u8 = 8;
    pub(in crate::ingest) const VIDEO: u8 = 9;
    pub(in crate::ingest) const DATA_AMF3: u8 = 15;
    pub(in crate::ingest) const COMMAND_AMF3: u8 = 17;
    pub(in crate::ingest) const DATA: u8 = 18;
    pub(in crate::ingest) const COMMAND: u8 = 20;
    pub(in crate::ingest) const AGGREGATE: u8 = 22;
}
