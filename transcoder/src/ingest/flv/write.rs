//! Tags as an FLV file (annex E.2 to E.4), for a pipe: nothing is patched afterwards.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Audio, AudioCodec, Packet, Video, VideoCodec};
use crate::ingest::{Tag, TagKind};

/// Bytes of [`header`].
pub const HEADER_LEN: usize = 13;

/// The head of a file, with the length of the tag before the first, which is none.
///
/// A reader waits for what is announced: say only what is sent.
pub const fn header(has_video: bool, has_audio: bool) -> [u8; HEADER_LEN] {
    let streams = if has_video { 1 } else { 0 } | if has_audio { 4 } else { 0 };
    [b'F', b'L', b'V', 1, streams, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag of the file: its head, its body as it is, and the length of both. `at_ms` is the time in the file, which the
/// caller counts from where the file begins.
pub fn tag(tag: &Tag, at_ms: u32) -> [Bytes; 3] {
    let kind = match tag.kind {
        TagKind::Audio => 8,
        TagKind::Video => 9,
        TagKind::Script => 18,
    };
    let length = u32::try_from(tag.data.len()).unwrap_or(u32::MAX);
    let mut head = BytesMut::with_capacity(TAG_HEAD_LEN);
    head.put_u8(kind);
    head.put_uint(u64::from(length & 0xff_ffff), 3);
    head.put_uint(u64::from(at_ms & 0xff_ffff), 3);
    head.put_uint(u64::from(at_ms >> 24), 1);
    head.put_uint(0, 3);
    let whole = length.saturating_add(11).to_be_bytes();
    [head.freeze(), tag.data.clone(), Bytes::copy_from_slice(&whole)]
}

/// A tag in the form that every reader of FLV knows: itself, or H.264 and AAC without their enhanced head. `None` where
/// there is no such form: other codecs, and heads that cannot be read.
pub fn to_legacy(tag: &Tag) -> Option<Tag> {
    let data = match tag.kind {
        TagKind::Script => tag.data.clone(),
        TagKind::Video => {
            let video = Video::read(&tag.data).ok().filter(|video| video.codec == VideoCodec::H264)?;
            if tag.data.first()? & 0x80 == 0 { tag.data.clone() } else { old_video(tag, &video)? }
        }
        TagKind::Audio => {
            let audio = Audio::read(&tag.data).ok().filter(|audio| audio.codec == AudioCodec::Aac)?;
            if tag.data.first()? >> 4 == 10 { tag.data.clone() } else { old_audio(&audio)? }
        }
    };
    Some(Tag { kind: tag.kind, at_ms: tag.at_ms, data })
}

/// The body is copied, since the heads differ in length.
fn old_video(tag: &Tag, video: &Video) -> Option<Bytes> {
    let packet = match video.packet {
        Packet::SequenceHeader => 0,
        Packet::Frames => 1,
        Packet::End => 2,
        Packet::Other => return None,
    };
    let mut old = BytesMut::with_capacity(5 + video.body.len());
    old.put_u8(tag.data.first()? & 0x70 | 7);
    old.put_u8(packet);
    old.put_int(i64::from(video.composition_ms), 3);
    old.put_slice(&video.body);
    Some(old.freeze())
}

fn old_audio(audio: &Audio) -> Option<Bytes> {
    let packet = match audio.packet {
        Packet::SequenceHeader => 0,
        Packet::Frames => 1,
        Packet::End | Packet::Other => return None,
    };
    let mut old = BytesMut::with_capacity(2 + audio.body.len());
    // §E.4.2.1: for AAC, rate, size and channels are always said to be 44 kHz, 16 bits and stereo.
    old.put_u8(0xaf);
    old.put_u8(packet);
    old.put_slice(&audio.body);
    Some(old.freeze())
}

const TAG_HEAD_LEN: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn video(data: &[u8]) -> Tag {
        Tag { kind: TagKind::Video, at_ms: 7, data: Bytes::copy_from_slice(data) }
    }

    #[test]
    fn a_tag_has_its_time_in_two_places_and_its_length_in_two() {
        let pieces = tag(&video(&[0x17, 1, 2]), 0x0102_0304);
        let expected = [9, 0, 0, 3, 2, 3, 4, 1, 0, 0, 0, 0x17, 1, 2, 0, 0, 0, 14];
        assert_eq!(pieces.concat(), expected);
        assert_eq!(header(true, false)[..5], *b"FLV\x01\x01");
    }

    #[test]
    fn h264_and_aac_lose_their_enhanced_head_and_nothing_else() {
        let new = video(&[&[0x91][..], b"avc1", &[0xff, 0xff, 0xfe, 9, 8]].concat());
        let old = to_legacy(&new).unwrap();
        assert_eq!((old.at_ms, &old.data[..]), (7, &[0x17, 1, 0xff, 0xff, 0xfe, 9, 8][..]));
        assert_eq!(Video::read(&old.data), Video::read(&new.data));
        assert_eq!(to_legacy(&old), Some(old));
        let sound = [&[0x90][..], b"mp4a", &[0x11, 0x90]].concat();
        let sound = Tag { kind: TagKind::Audio, at_ms: 0, data: sound.into() };
        assert_eq!(to_legacy(&sound).unwrap().data, [0xaf, 0, 0x11, 0x90][..]);
    }

    #[test]
    fn what_has_no_old_form_has_none() {
        assert_eq!(to_legacy(&video(&[&[0x91][..], b"hvc1", &[0, 0, 0, 9]].concat())), None);
        assert_eq!(to_legacy(&video(&[&[0x94][..], b"avc1", &[0]].concat())), None);
        assert_eq!(to_legacy(&video(&[0x17])), None);
    }
}
