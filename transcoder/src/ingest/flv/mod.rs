//! What is in a tag, and how tags become a file that ffmpeg reads from a pipe.
//!
//! ```text
//! video  frame type 4 bits, codec 4 bits │ packet │ composition time, 3 bytes │ body       H.264 as ever
//!        1, frame type 3 bits, packet 4 bits │ FourCC │ [composition time] │ body          Enhanced RTMP
//! audio  format 4 bits, … 4 bits │ packet │ body                                           AAC as ever
//!        9, packet 4 bits │ FourCC │ body                                                  Enhanced RTMP
//! ```
//!
//! Readers are total: whatever the bytes, there is an answer or a [`Fault`], never a panic. Where a tag holds several
//! tracks (Enhanced RTMP v2, Multitrack), track 0 is taken and the others are left out: encoders send the programme as
//! track 0 and put beside it what other services make use of. That is done before a tag leaves [`super`].
//!
//! Sources: Adobe's Flash Video File Format 10.1, annex E; Enhanced RTMP v2.

mod audio;
mod enhanced;
mod video;
mod write;

use super::Fault;

pub(crate) use audio::one_track as one_audio_track;
pub use audio::{Audio, AudioCodec};
pub(crate) use video::one_track as one_video_track;
pub use video::{Video, VideoCodec};
pub use write::{HEADER_LEN, header, tag, to_legacy};

/// What the body of a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packet {
    /// What a decoder needs before the first frame: `avcC`, `hvcC`, `av1C`, `vpcC`, an AudioSpecificConfig or an
    /// `OpusHead`, as the codec has it in MP4 or, for Opus, in Ogg.
    SequenceHeader,
    /// Coded frames: length-prefixed NAL units, AV1 OBUs, one access unit of sound.
    Frames,
    /// The sequence ends; no body.
    End,
    /// Anything else: colour metadata, seek commands, channel maps.
    Other,
}

fn fault(what: &'static str, expected: &'static str) -> Fault {
    Fault::Message { what, expected }
}
