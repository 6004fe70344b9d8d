//! Tags as a Matroska stream, for what an older ffmpeg cannot read from FLV: HEVC, AV1, VP9 and Opus (ffmpeg before 6.1
//! takes their enhanced heads for VP6).
//!
//! ```text
//! EBML │ Segment, of unknown size
//!        Info │ Tracks 1 video, 2 audio │ Cluster, of unknown size     │ Cluster …
//!                                         Timestamp │ SimpleBlock …
//! ```
//!
//! A cluster begins with each keyframe, and wherever the time leaves its 16 bits. Blocks have presentation times in
//! milliseconds and stand in decoding order. The picture's size is left out, though Matroska wants it: the publisher does
//! not say it reliably, and ffmpeg finds it in the frames.
//!
//! Sources: RFC 8794 (EBML), RFC 9559 (Matroska), the codec mappings of matroska.org.

use bytes::{BufMut, Bytes, BytesMut};

use super::flv::{Audio, AudioCodec, Packet, Video, VideoCodec};
use super::{Fault, Tag, TagKind};

/// Writes the frames of a show whose codecs are known.
#[derive(Debug, Clone)]
pub struct Matroska {
    video: Option<VideoCodec>,
    audio: Option<AudioCodec>,
    /// The time of the cluster that is being written.
    cluster: Option<i64>,
}

impl Matroska {
    /// A stream for what these sequence headers announce, and its head. Whoever has other sequence headers later needs
    /// another stream.
    ///
    /// # Errors
    /// [`Fault::Unfit`] for a codec that is not written, for what is no sequence header, and without any.
    pub fn begin(video: Option<&Video>, audio: Option<&Audio>) -> Result<(Self, Bytes), Fault> {
        let mut tracks = BytesMut::new();
        if let Some(video) = video {
            element(&mut tracks, TRACK_ENTRY, &video_track(video)?);
        }
        if let Some(audio) = audio {
            element(&mut tracks, TRACK_ENTRY, &audio_track(audio)?);
        }
        if tracks.is_empty() {
            return Err(unfit("a sequence header", "none"));
        }
        let mut head = BytesMut::new();
        element(&mut head, EBML, &ebml());
        unknown(&mut head, SEGMENT);
        let mut info = BytesMut::new();
        unsigned(&mut info, TIMESTAMP_SCALE, 1_000_000);
        element(&mut info, MUXING_APP, b"forebay");
        element(&mut info, WRITING_APP, b"forebay");
        element(&mut head, INFO, &info);
        element(&mut head, TRACKS, &tracks);
        let stream =
            Self { video: video.map(|read| read.codec), audio: audio.map(|read| read.codec), cluster: None };
        Ok((stream, head.freeze()))
    }

    /// A tag as a block: its head, with that of a cluster where one begins, and the frames, shared with the tag. `None`
    /// for what is no frame of the codecs announced. `at_ms` is the tag's time in the stream, which the caller counts from
    /// where the stream begins.
    pub fn block(&mut self, tag: &Tag, at_ms: i64) -> Option<[Bytes; 2]> {
        let (track, time, is_keyframe, body) = match tag.kind {
            TagKind::Video => {
                let video = Video::read(&tag.data).ok()?;
                if video.packet != Packet::Frames || Some(video.codec) != self.video {
                    return None;
                }
                (
                    VIDEO_TRACK,
                    at_ms.saturating_add(i64::from(video.composition_ms)),
                    video.is_keyframe,
                    video.body,
                )
            }
            TagKind::Audio => {
                let audio = Audio::read(&tag.data).ok()?;
                if audio.packet != Packet::Frames || Some(audio.codec) != self.audio {
                    return None;
                }
                (AUDIO_TRACK, at_ms, true, audio.body)
            }
            TagKind::Script => return None,
        };
        let mut head = BytesMut::new();
        let begins = is_keyframe && (track == VIDEO_TRACK || self.video.is_none());
        let relative = match self.within(time) {
            Some(relative) if !begins || relative < LEAST_CLUSTER_MS && track == AUDIO_TRACK => relative,
            _ => {
                // A cluster cannot begin before zero; a block of it can.
                let base = time.max(0);
                self.cluster = Some(base);
                unknown(&mut head, CLUSTER);
                unsigned(&mut head, TIMESTAMP, base.cast_unsigned());
                self.within(time).unwrap_or(0)
            }
        };
        identify(&mut head, SIMPLE_BLOCK);
        size(&mut head, body.len().saturating_add(BLOCK_HEAD));
        head.put_u8(0x80 | track);
        head.put_i16(relative);
        head.put_u8(if is_keyframe { KEYFRAME } else { 0 });
        Some([head.freeze(), body])
    }

    /// A time in the current cluster.
    fn within(&self, time: i64) -> Option<i16> {
        i16::try_from(time.checked_sub(self.cluster?)?).ok()
    }
}

fn ebml() -> BytesMut {
    let mut ebml = BytesMut::new();
    for (id, value) in [(0x4286, 1), (0x42f7, 1), (0x42f2, 4), (0x42f3, 8)] {
        unsigned(&mut ebml, id, value);
    }
    element(&mut ebml, 0x4282, b"matroska");
    unsigned(&mut ebml, 0x4287, 4);
    unsigned(&mut ebml, 0x4285, 2);
    ebml
}

fn video_track(video: &Video) -> Result<BytesMut, Fault> {
    let (codec, private) = match video.codec {
        VideoCodec::H264 => ("V_MPEG4/ISO/AVC", &video.body[..]),
        VideoCodec::Hevc => ("V_MPEGH/ISO/HEVC", &video.body[..]),
        VideoCodec::Av1 => ("V_AV1", &video.body[..]),
        // What VP9 has in MP4 is not what it has here, and it can do without.
        VideoCodec::Vp9 => ("V_VP9", &[][..]),
        VideoCodec::Other(_) => return Err(unfit("a codec that Matroska carries", "another one")),
    };
    let mut track = track(VIDEO_TRACK, 1, codec, private, video.packet)?;
    element(&mut track, VIDEO, &[]);
    Ok(track)
}

fn audio_track(audio: &Audio) -> Result<BytesMut, Fault> {
    let mut sound = BytesMut::new();
    let mut delay = None;
    let codec = match (audio.codec, &audio.body[..]) {
        (AudioCodec::Aac, [first, second, ..]) => {
            // ISO/IEC 14496-3 §1.6.2.1: 5 bits of object type, 4 of frequency, 4 of channels.
            let frequency = (first & 0x07) << 1 | second >> 7;
            if let Some(rate) = FREQUENCIES.get(usize::from(frequency)) {
                float(&mut sound, SAMPLING_FREQUENCY, *rate);
            }
            unsigned(&mut sound, CHANNELS, u64::from(second >> 3 & 0x0f).max(1));
            "A_AAC"
        }
        // RFC 7845 §5.1: magic, version, channels, pre-skip.
        (AudioCodec::Opus, [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', _, channels, low, high, ..]) => {
            float(&mut sound, SAMPLING_FREQUENCY, 48_000.0);
            unsigned(&mut sound, CHANNELS, u64::from(*channels));
            // Samples of 48 kHz to nanoseconds.
            delay = Some(u64::from(u16::from_le_bytes([*low, *high])) * 62_500 / 3);
            "A_OPUS"
        }
        (AudioCodec::Aac | AudioCodec::Opus, _) => return Err(unfit("a sequence header", "one cut off")),
        (AudioCodec::Other(_), _) => return Err(unfit("a codec that Matroska carries", "another one")),
    };
    let mut track = track(AUDIO_TRACK, 2, codec, &audio.body, audio.packet)?;
    if let Some(delay) = delay {
        unsigned(&mut track, CODEC_DELAY, delay);
        unsigned(&mut track, SEEK_PRE_ROLL, 80_000_000);
    }
    element(&mut track, AUDIO, &sound);
    Ok(track)
}

fn track(number: u8, kind: u64, codec: &str, private: &[u8], packet: Packet) -> Result<BytesMut, Fault> {
    if packet != Packet::SequenceHeader {
        return Err(unfit("a sequence header", "something else"));
    }
    let mut track = BytesMut::new();
    unsigned(&mut track, TRACK_NUMBER, u64::from(number));
    unsigned(&mut track, TRACK_UID, u64::from(number));
    unsigned(&mut track, TRACK_TYPE, kind);
    unsigned(&mut track, FLAG_LACING, 0);
    element(&mut track, CODEC_ID, codec.as_bytes());
    if !private.is_empty() {
        element(&mut track, CODEC_PRIVATE, private);
    }
    Ok(track)
}

fn unfit(expected: &'static str, found: &'static str) -> Fault {
    Fault::Unfit { expected, found }
}

fn element(out: &mut BytesMut, id: u32, content: &[u8]) {
    identify(out, id);
    size(out, content.len());
    out.put_slice(content);
}

fn unsigned(out: &mut BytesMut, id: u32, value: u64) {
    element(out, id, &value.to_be_bytes());
}

fn float(out: &mut BytesMut, id: u32, value: f64) {
    element(out, id, &value.to_be_bytes());
}

/// An element whose end is where the next of its level begins.
fn unknown(out: &mut BytesMut, id: u32) {
    identify(out, id);
    out.put_u64(0x01ff_ffff_ffff_ffff);
}

/// An identifier carries its length in its first bits: leading zeros are not part of it.
fn identify(out: &mut BytesMut, id: u32) {
    let length = 4 - usize::try_from(id.leading_zeros() / 8).unwrap_or(0);
    out.put_uint(u64::from(id), length);
}

/// A size in eight bytes, of which the first only says so.
fn size(out: &mut BytesMut, size: usize) {
    out.put_u64(1 << 56 | u64::try_from(size).unwrap_or(0));
}

/// RFC 9559, table of elements.
const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_UID: u32 = 0x73c5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9c;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63a2;
const CODEC_DELAY: u32 = 0x56aa;
const SEEK_PRE_ROLL: u32 = 0x56bb;
const VIDEO: u32 = 0xe0;
const AUDIO: u32 = 0xe1;
const SAMPLING_FREQUENCY: u32 = 0xb5;
const CHANNELS: u32 = 0x9f;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;

const VIDEO_TRACK: u8 = 1;
const AUDIO_TRACK: u8 = 2;
/// Track, time and flags.
const BLOCK_HEAD: usize = 4;
const KEYFRAME: u8 = 0x80;
/// Sound alone is all keyframes.
const LEAST_CLUSTER_MS: i16 = 5_000;
/// ISO/IEC 14496-3 table 1.18.
const FREQUENCIES: [f64; 13] = [
    96_000.0, 88_200.0, 64_000.0, 48_000.0, 44_100.0, 32_000.0, 24_000.0, 22_050.0, 16_000.0, 12_000.0,
    11_025.0, 8_000.0, 7_350.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hevc(packet: u8, frame: u8, composition: i16, body: &[u8]) -> Tag {
        let composition = i32::from(composition).to_be_bytes();
        let composition = if packet == 1 { &composition[1..] } else { &[] };
        let data = [&[0x80 | frame << 4 | packet][..], b"hvc1", composition, body].concat();
        Tag { kind: TagKind::Video, at_ms: 0, data: data.into() }
    }

    fn opus(packet: u8, body: &[u8]) -> Tag {
        let data = [&[0x90 | packet][..], b"Opus", body].concat();
        Tag { kind: TagKind::Audio, at_ms: 0, data: data.into() }
    }

    fn begin() -> (Matroska, Bytes) {
        let video = Video::read(&hevc(0, 1, 0, b"hvcC").data).unwrap();
        let audio = Audio::read(&opus(0, b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0").data).unwrap();
        Matroska::begin(Some(&video), Some(&audio)).unwrap()
    }

    #[test]
    fn a_cluster_begins_with_each_keyframe_and_where_the_time_is_too_long() {
        let (mut stream, _) = begin();
        let mut clusters = Vec::new();
        let mut write = |tag: &Tag, at| {
            let [head, _] = stream.block(tag, at).unwrap();
            clusters.push(head.starts_with(&[0x1f, 0x43, 0xb6, 0x75]));
            i16::from_be_bytes([head[head.len() - 3], head[head.len() - 2]])
        };
        let times = [
            write(&hevc(1, 1, 80, b"key"), 0),
            write(&hevc(1, 2, -40, b"inter"), 40),
            write(&opus(1, b"sound"), 46),
            write(&hevc(1, 1, 80, b"key"), 80),
            write(&opus(1, b"sound"), 40_000),
        ];
        assert_eq!(clusters, [true, false, false, true, true]);
        assert_eq!(times, [0, -80, -34, 0, 0]);
    }

    #[test]
    fn sound_alone_has_a_cluster_every_few_seconds() {
        let audio = Audio::read(&Bytes::from_static(&[0xaf, 0, 0x12, 0x10])).unwrap();
        let (mut stream, head) = Matroska::begin(None, Some(&audio)).unwrap();
        assert!(head.windows(5).any(|text| text == b"A_AAC"));
        assert!(head.windows(8).any(|rate| rate == 44_100_f64.to_be_bytes()));
        let tag = Tag { kind: TagKind::Audio, at_ms: 0, data: Bytes::from_static(&[0xaf, 1, 9]) };
        let begins = (0..1_000).filter(|frame| stream.block(&tag, frame * 23).unwrap()[0].len() > 20).count();
        assert_eq!(begins, 5);
    }

    #[test]
    fn what_was_not_announced_is_not_written() {
        let (mut stream, _) = begin();
        assert_eq!(stream.block(&hevc(0, 1, 0, b"hvcC"), 0), None);
        assert_eq!(stream.block(&Tag { data: Bytes::from_static(&[0xaf, 1, 9]), ..opus(1, b"") }, 0), None);
        assert_eq!(stream.block(&Tag { kind: TagKind::Script, ..opus(1, b"") }, 0), None);
        let frame = Video::read(&hevc(1, 1, 0, b"frame").data).unwrap();
        assert!(Matroska::begin(Some(&frame), None).is_err(), "no sequence header");
        let old = Audio::read(&Bytes::from_static(&[0x2f, 1])).unwrap();
        assert!(Matroska::begin(None, Some(&old)).is_err(), "no codec of ours");
        assert!(Matroska::begin(None, None).is_err());
    }

    #[test]
    fn times_out_of_all_bounds_do_no_harm() {
        let (mut stream, _) = begin();
        for at in [i64::MAX, i64::MIN, -1, 0, i64::MIN, i64::MAX] {
            assert!(stream.block(&hevc(1, 1, 80, b"key"), at).is_some());
            assert!(stream.block(&opus(1, b"sound"), at).is_some());
        }
    }
}
