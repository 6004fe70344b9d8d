//! Tags of audio.

use bytes::{Buf, Bytes};

use super::{Packet, enhanced, fault};
use crate::ingest::Fault;

/// What an audio tag holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// The codec.
    pub codec: AudioCodec,
    /// What the body is.
    pub packet: Packet,
    /// The body, shared with the tag.
    pub body: Bytes,
}

/// A codec of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC, in the old form or as `mp4a`.
    Aac,
    /// Opus, `Opus`.
    Opus,
    /// Another FourCC, or the four bits of the old form as the last of four bytes.
    Other([u8; 4]),
}

impl Audio {
    /// Reads the body of an audio tag.
    ///
    /// # Errors
    /// [`Fault::Message`] where it is shorter than its head.
    pub fn read(data: &Bytes) -> Result<Self, Fault> {
        let format = data.first().ok_or(fault("audio tag", "a head"))? >> 4;
        if format == ENHANCED {
            let read = enhanced::read(data, MULTITRACK).ok_or(fault("audio tag", "a whole head"))?;
            let packet = match read.packet {
                0 => Packet::SequenceHeader,
                1 => Packet::Frames,
                2 => Packet::End,
                _ => Packet::Other,
            };
            return Ok(Self { codec: AudioCodec::of(read.codec), packet, body: read.body });
        }
        let mut body = data.slice(1..);
        if format != AAC {
            let codec = AudioCodec::Other([0, 0, 0, format]);
            return Ok(Self { codec, packet: Packet::Frames, body });
        }
        let packet = match body.try_get_u8() {
            Ok(0) => Packet::SequenceHeader,
            Ok(1) => Packet::Frames,
            Ok(_) => Packet::Other,
            Err(_) => return Err(fault("audio tag", "a packet type")),
        };
        Ok(Self { codec: AudioCodec::Aac, packet, body })
    }
}

impl AudioCodec {
    fn of(code: [u8; 4]) -> Self {
        match &code {
            b"mp4a" => Self::Aac,
            b"Opus" => Self::Opus,
            _ => Self::Other(code),
        }
    }
}

/// See [`enhanced::one_track`].
pub(crate) fn one_track(data: Bytes) -> Option<Bytes> {
    if data.first()? >> 4 == ENHANCED { enhanced::one_track(data, MULTITRACK) } else { Some(data) }
}

/// Formats.
const ENHANCED: u8 = 9;
const AAC: u8 = 10;
/// The packet type of several tracks.
const MULTITRACK: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8]) -> Audio {
        Audio::read(&Bytes::copy_from_slice(data)).unwrap()
    }

    #[test]
    fn aac_is_read_in_both_forms() {
        let old = read(&[0xaf, 0, 0x11, 0x90]);
        assert_eq!(
            (old.codec, old.packet, &old.body[..]),
            (AudioCodec::Aac, Packet::SequenceHeader, &[0x11, 0x90][..])
        );
        assert_eq!(read(&[&[0x90][..], b"mp4a", &[0x11, 0x90]].concat()), old);
        assert_eq!(read(&[&[0x91][..], b"mp4a", &[7]].concat()), read(&[0xaf, 1, 7]));
    }

    #[test]
    fn other_codecs_have_their_names() {
        let opus = read(&[&[0x91][..], b"Opus", &[7]].concat());
        assert_eq!((opus.codec, opus.packet), (AudioCodec::Opus, Packet::Frames));
        assert_eq!(read(&[0x2f, 7]).codec, AudioCodec::Other([0, 0, 0, 2]));
        assert_eq!(read(&[&[0x94][..], b"ec-3"].concat()).packet, Packet::Other);
    }

    #[test]
    fn what_is_cut_off_is_a_fault() {
        for data in [&[][..], &[0xaf], &[0x91, b'O']] {
            assert!(Audio::read(&Bytes::copy_from_slice(data)).is_err(), "{data:?}");
        }
    }
}
