//! Tags of video.

use bytes::{Buf, Bytes};

use super::{Packet, enhanced, fault};
use crate::ingest::Fault;

/// What a video tag holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// The codec.
    pub codec: VideoCodec,
    /// What the body is.
    pub packet: Packet,
    /// Whether decoding can begin here: the publisher says so, nothing is decoded to find out.
    pub is_keyframe: bool,
    /// Presentation time less decoding time, in milliseconds, 24 bits with a sign. Zero where the codec has none.
    pub composition_ms: i32,
    /// The body, shared with the tag.
    pub body: Bytes,
}

/// A codec of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264, in the old form or as `avc1`.
    H264,
    /// HEVC, `hvc1`.
    Hevc,
    /// AV1, `av01`.
    Av1,
    /// VP9, `vp09`.
    Vp9,
    /// Another FourCC, or the four bits of the old form as the last of four bytes.
    Other([u8; 4]),
}

impl Video {
    /// Reads the body of a video tag.
    ///
    /// # Errors
    /// [`Fault::Message`] where it is shorter than its head.
    pub fn read(data: &Bytes) -> Result<Self, Fault> {
        let head = *data.first().ok_or(fault("video tag", "a head"))?;
        let frame = head >> 4 & 0x07;
        let is_keyframe = frame == KEY || frame == GENERATED_KEY;
        let mut video = if head & IS_ENHANCED != 0 {
            let read = enhanced::read(data, MULTITRACK).ok_or(fault("video tag", "a whole head"))?;
            let codec = VideoCodec::of(read.codec);
            let packet = match read.packet {
                0 => Packet::SequenceHeader,
                1 | 3 => Packet::Frames,
                2 => Packet::End,
                _ => Packet::Other,
            };
            let mut video = Self { codec, packet, is_keyframe, composition_ms: 0, body: read.body };
            if read.packet == CODED_FRAMES && matches!(codec, VideoCodec::H264 | VideoCodec::Hevc) {
                video.take_composition()?;
            }
            video
        } else {
            let codec = head & 0x0f;
            let mut video = Self {
                codec: VideoCodec::Other([0, 0, 0, codec]),
                packet: Packet::Frames,
                is_keyframe,
                composition_ms: 0,
                body: data.slice(1..),
            };
            if codec == AVC && frame != COMMAND {
                video.codec = VideoCodec::H264;
                video.packet = match video.body.try_get_u8() {
                    Ok(0) => Packet::SequenceHeader,
                    Ok(1) => Packet::Frames,
                    Ok(2) => Packet::End,
                    Ok(_) => Packet::Other,
                    Err(_) => return Err(fault("video tag", "a packet type")),
                };
                video.take_composition()?;
            }
            video
        };
        if frame == COMMAND {
            video.packet = Packet::Other;
        }
        video.is_keyframe &= video.packet == Packet::Frames;
        Ok(video)
    }

    fn take_composition(&mut self) -> Result<(), Fault> {
        let bytes = self.body.first_chunk::<3>().ok_or(fault("video tag", "a composition time"))?;
        let [high, middle, low] = *bytes;
        // The sign is that of the highest of the three.
        self.composition_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
        self.body.advance(3);
        Ok(())
    }
}

impl VideoCodec {
    fn of(code: [u8; 4]) -> Self {
        match &code {
            b"avc1" => Self::H264,
            b"hvc1" => Self::Hevc,
            b"av01" => Self::Av1,
            b"vp09" => Self::Vp9,
            _ => Self::Other(code),
        }
    }
}

/// See [`enhanced::one_track`].
pub(crate) fn one_track(data: Bytes) -> Option<Bytes> {
    if data.first()? & IS_ENHANCED == 0 { Some(data) } else { enhanced::one_track(data, MULTITRACK) }
}

const IS_ENHANCED: u8 = 0x80;
/// Frame types.
const KEY: u8 = 1;
const GENERATED_KEY: u8 = 4;
const COMMAND: u8 = 5;
/// The codec of the old form.
const AVC: u8 = 7;
/// Packet types of the new form.
const CODED_FRAMES: u8 = 1;
const MULTITRACK: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8]) -> Video {
        Video::read(&Bytes::copy_from_slice(data)).unwrap()
    }

    #[test]
    fn h264_is_read_in_both_forms() {
        let old = read(&[0x17, 0, 0, 0, 0, 1, 100]);
        assert_eq!(
            (old.codec, old.packet, old.is_keyframe),
            (VideoCodec::H264, Packet::SequenceHeader, false)
        );
        assert_eq!(old.body, [1, 100][..]);
        let new = read(&[&[0x90][..], b"avc1", &[1, 100]].concat());
        assert_eq!(new, old);
        let old = read(&[0x17, 1, 0, 0, 80, 9]);
        assert_eq!((old.packet, old.is_keyframe, old.composition_ms), (Packet::Frames, true, 80));
        assert_eq!(read(&[&[0x91][..], b"avc1", &[0, 0, 80, 9]].concat()), old);
        assert_eq!(read(&[0x27, 1, 0xff, 0xff, 0xfe, 9]).composition_ms, -2);
        assert_eq!(read(&[0x27, 1, 0x80, 0, 0]).composition_ms, -0x80_0000);
    }

    #[test]
    fn composition_times_are_where_the_codec_has_them() {
        let hevc = read(&[&[0xa1][..], b"hvc1", &[0, 0, 40, 9]].concat());
        assert_eq!((hevc.codec, hevc.composition_ms, &hevc.body[..]), (VideoCodec::Hevc, 40, &[9][..]));
        let without = read(&[&[0xa3][..], b"hvc1", &[0, 0, 40, 9]].concat());
        assert_eq!((without.composition_ms, without.body.len()), (0, 4));
        let av1 = read(&[&[0x91][..], b"av01", &[0x12, 0]].concat());
        assert_eq!((av1.codec, av1.is_keyframe, &av1.body[..]), (VideoCodec::Av1, true, &[0x12, 0][..]));
    }

    #[test]
    fn what_is_neither_header_nor_frame_is_no_keyframe() {
        assert_eq!(read(&[&[0x94][..], b"hvc1", &[2]].concat()).packet, Packet::Other);
        assert_eq!(read(&[&[0x92][..], b"hvc1"].concat()).packet, Packet::End);
        let command = read(&[0x57, 0]);
        assert_eq!((command.packet, command.is_keyframe), (Packet::Other, false));
        let other = read(&[0x14, 1]);
        assert_eq!((other.codec, other.is_keyframe), (VideoCodec::Other([0, 0, 0, 4]), true));
    }

    #[test]
    fn what_is_cut_off_is_a_fault() {
        for data in
            [&[][..], &[0x17], &[0x17, 1, 0, 0], &[0x91, b'h'], &[&[0x91][..], b"hvc1", &[0]].concat()]
        {
            assert!(Video::read(&Bytes::copy_from_slice(data)).is_err(), "{data:?}");
        }
    }
}
