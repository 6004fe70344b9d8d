//! A publisher's tags as a stream that ffmpeg reads from a pipe: FLV where that is enough, Matroska for the codecs that ffmpeg
//! before 6.1 does not know in FLV.

use bytes::Bytes;

use crate::ingest::flv::{self, Audio, AudioCodec, Video, VideoCodec};
use crate::ingest::{Matroska, Tag, TagKind};

/// A stream in the making.
#[derive(Debug)]
pub(super) enum Feed {
    /// H.264 and AAC.
    Flv,
    /// Everything else that is taken.
    Matroska(Matroska),
}

/// ffmpeg's name of the format in which media is fed that these sequence headers precede.
pub(super) fn format(heads: &[Tag]) -> &'static str {
    let is_old = |head: &Tag| match head.kind {
        TagKind::Video => Video::read(&head.data).is_ok_and(|video| video.codec == VideoCodec::H264),
        TagKind::Audio => Audio::read(&head.data).is_ok_and(|audio| audio.codec == AudioCodec::Aac),
        TagKind::Script => true,
    };
    if heads.iter().all(is_old) { "flv" } else { "matroska" }
}

impl Feed {
    /// A stream for media that these sequence headers precede, and its beginning; `at_ms` is the time of the first tag.
    /// `None` for what neither format carries.
    pub(super) fn begin(heads: &[Tag], at_ms: i64) -> Option<(Self, Vec<Bytes>)> {
        let of = |kind| heads.iter().find(|head| head.kind == kind);
        if format(heads) == "flv" {
            let mut feed = Self::Flv;
            let head = flv::header(of(TagKind::Video).is_some(), of(TagKind::Audio).is_some());
            let mut pieces = vec![Bytes::copy_from_slice(&head)];
            heads.iter().for_each(|head| pieces.extend(feed.pieces(head, at_ms)));
            return Some((feed, pieces));
        }
        let video = of(TagKind::Video).and_then(|head| Video::read(&head.data).ok());
        let audio = of(TagKind::Audio).and_then(|head| Audio::read(&head.data).ok());
        let (matroska, head) = Matroska::begin(video.as_ref(), audio.as_ref()).ok()?;
        Some((Self::Matroska(matroska), vec![head]))
    }

    /// A tag, at `at_ms` of the stream. Nothing where it is of another codec than what was announced.
    pub(super) fn pieces(&mut self, tag: &Tag, at_ms: i64) -> Vec<Bytes> {
        match self {
            Self::Flv => flv::tag(tag, u32::try_from(at_ms).unwrap_or(0)).into(),
            Self::Matroska(matroska) => matroska.block(tag, at_ms).map(Into::into).unwrap_or_default(),
        }
    }
}
