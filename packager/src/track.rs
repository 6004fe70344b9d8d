//! One elementary stream of an asset: what it is, how it is decoded, and its samples.

use std::fmt;

use bytes::Bytes;
use mp4_atom::{Codec, Colr, Decode as _};

use crate::index::SampleTable;
use crate::time::{MediaTime, Rounding, Timescale};

/// What a track shows or sounds like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// H.264 or HEVC pictures.
    Video {
        /// Coded width, in pixels.
        width: u16,
        /// Coded height, in pixels.
        height: u16,
        /// Width over height of a pixel (`pasp`, ISO/IEC 14496-12 §12.1.4); 1:1 where none is given.
        pixel_aspect: (u32, u32),
    },
    /// AAC sound.
    Audio {
        /// Channels, as the decoder's configuration gives them.
        channels: u16,
        /// Samples a second.
        sample_rate: u32,
    },
}

impl TrackKind {
    /// Whether it is video.
    pub fn is_video(self) -> bool {
        matches!(self, Self::Video { .. })
    }

    /// Width and height on a screen of square pixels; `None` for audio.
    pub fn display_size(self) -> Option<(u32, u32)> {
        let Self::Video { width, height, pixel_aspect: (h, v) } = self else { return None };
        let (width, height) = (u32::from(width), u32::from(height));
        let wide = u64::from(width) * u64::from(h) / u64::from(v.max(1));
        Some((u32::try_from(wide).unwrap_or(width), height))
    }
}

/// Three letters of ISO 639-2/T, as `mdhd` carries them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language([u8; 3]);

impl Language {
    /// The code for "undetermined", which every writer uses that knows no better.
    pub const UNDETERMINED: Self = Self(*b"und");

    /// A language of three lower-case letters; anything else is undetermined.
    pub fn of(text: &str) -> Self {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_lowercase) => Self(letters),
            _ => Self::UNDETERMINED,
        }
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("und")
    }

    /// The three letters, as bytes.
    pub(crate) fn letters(self) -> [u8; 3] {
        self.0
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a track is decoded: the sample entry and what players are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    /// The `CODECS` value of RFC 6381: `avc1.64001f`, `hvc1.1.6.L93.90`, `mp4a.40.2`.
    pub codec: String,
    /// The sample entry box as it goes into `stsd`.
    pub entry: Bytes,
    /// The `tkhd` transformation matrix: phones turn their pictures with it.
    pub matrix: [i32; 9],
}

impl Decoding {
    /// How light its pictures may get, as the `colr` box of the sample entry says (ISO/IEC 14496-12 §12.1.5). Without one
    /// they are [`VideoRange::Sdr`]; what only the stream itself says is not looked at.
    pub fn video_range(&self) -> VideoRange {
        let colr = match Codec::decode(&mut self.entry.as_ref()) {
            Ok(Codec::Avc1(avc1)) => avc1.colr,
            Ok(Codec::Avc3(avc3)) => avc3.colr,
            Ok(Codec::Hvc1(hvc1)) => hvc1.colr,
            Ok(Codec::Hev1(hev1)) => hev1.colr,
            _ => None,
        };
        // ISO/IEC 23091-2 table 3.
        match colr {
            Some(Colr::Nclx { transfer_characteristics: 16, .. }) => VideoRange::Pq,
            Some(Colr::Nclx { transfer_characteristics: 18, .. }) => VideoRange::Hlg,
            _ => VideoRange::Sdr,
        }
    }
}

/// `VIDEO-RANGE` (RFC 8216bis §4.4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoRange {
    /// As light as a screen ever was. Playlists need not say so.
    Sdr,
    /// Hybrid log-gamma (ITU-R BT.2100).
    Hlg,
    /// Perceptual quantization (ITU-R BT.2100), as HDR10 has it.
    Pq,
}

/// `SDR`, `HLG` or `PQ`.
impl fmt::Display for VideoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sdr => "SDR",
            Self::Hlg => "HLG",
            Self::Pq => "PQ",
        })
    }
}

/// One elementary stream.
///
/// Its samples are normalised, so that nobody has to think of edit lists again:
///
/// ```text
/// presentation time = decode time + offset - skip
/// offset of the first sample = 0          B-frame delay is taken out of the offsets
/// decode time of the first sample >= 0    an initial delay is part of it
/// skip                                    ticks at the start that are decoded, but not presented (AAC priming)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub(crate) kind: TrackKind,
    pub(crate) timescale: Timescale,
    pub(crate) language: Language,
    pub(crate) decoding: Decoding,
    pub(crate) skip: u32,
    pub(crate) samples: SampleTable,
}

impl Track {
    /// What the track is.
    pub fn kind(&self) -> TrackKind {
        self.kind
    }

    /// Ticks a second of all its times.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// ISO 639-2/T code, or `None` where the file does not know.
    pub fn language(&self) -> Option<&str> {
        (self.language != Language::UNDETERMINED).then_some(self.language.as_str())
    }

    /// How it is decoded.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// Ticks at the start that are decoded but not presented.
    pub fn skip(&self) -> u32 {
        self.skip
    }

    /// Its samples.
    pub fn samples(&self) -> &SampleTable {
        &self.samples
    }

    /// When sample `i` is presented.
    pub fn presented_at(&self, i: u32) -> MediaTime {
        self.time(self.samples.presentation_time(i))
    }

    /// When the first sample is presented; before zero where the start is skipped.
    pub fn start(&self) -> MediaTime {
        self.presented_at(0)
    }

    /// The end of the last sample on the presentation timeline.
    pub fn end(&self) -> MediaTime {
        self.time(self.samples.presentation_end())
    }

    /// Presentation times of the samples where decoding can start, ascending.
    pub fn keyframes(&self) -> impl Iterator<Item = MediaTime> + '_ {
        self.samples.sync_samples().map(|i| self.presented_at(i))
    }

    /// The first sample presented at or after `time`, of a track whose samples are presented in decode order.
    pub fn first_at_or_after(&self, time: MediaTime) -> u32 {
        let skip = i64::from(self.skip);
        let wanted = time.rescale(self.timescale, Rounding::Up).ticks().saturating_add(skip);
        self.samples.first_decoded_at_or_after(u64::try_from(wanted).unwrap_or(0))
    }

    /// Frames a second over the whole track, as (frames, seconds in ticks); `None` for audio.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        let per = self.samples.duration();
        (self.kind.is_video() && per > 0).then(|| FrameRate {
            frames: u64::from(self.samples.len()) * u64::from(self.timescale.ticks_per_second()),
            seconds: per,
        })
    }

    /// Bytes this takes in memory, for caches that weigh it.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.samples.weight() + self.decoding.entry.len() + self.decoding.codec.len()
    }

    fn time(&self, ticks: i64) -> MediaTime {
        MediaTime::new(ticks.saturating_sub(i64::from(self.skip)), self.timescale)
    }
}

/// Frames a second, as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    frames: u64,
    seconds: u64,
}

impl FrameRate {
    /// So many frames in so many seconds.
    pub(crate) fn new(frames: u64, seconds: u64) -> Self {
        Self { frames, seconds }
    }
}

/// Three decimals, as `FRAME-RATE` wants them (RFC 8216bis §4.4.6.2): `29.970`.
impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = u128::from(self.seconds.max(1));
        let millis = (u128::from(self.frames) * 1000 + seconds / 2) / seconds;
        write!(f, "{}.{:03}", millis / 1000, millis % 1000)
    }
}
