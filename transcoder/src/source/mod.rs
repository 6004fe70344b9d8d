//! What an input file holds, found out before anything is made from it.
//!
//! Two passes of ffprobe: one reads what the file says of itself, one reads every packet and finds out whether that
//! is true. A truncated file is refused here and not after an hour of encoding.

pub(crate) mod language;
mod probe;
mod survey;

use std::path::{Path, PathBuf};

use packager::time::{MediaTime, Timescale};

use crate::ladder::FrameRate;
use crate::{Cancel, Error, Tools};

/// An input that can be transcoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// From the earliest time stamp to the end of the last packet of video or audio.
    pub duration: MediaTime,
    /// The picture: the default track, or else the largest.
    pub video: VideoSource,
    /// The audio tracks, in the file's order.
    pub audio: Vec<AudioSource>,
}

/// The video track of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoSource {
    /// Its number among the file's streams.
    pub index: u32,
    /// Pixels as shown: upright, and with square pixels.
    pub width: u32,
    /// Pixels as shown: upright, and with square pixels.
    pub height: u32,
    /// By how many degrees the decoder turns the picture: 0, 90, 180 or 270, counter-clockwise.
    pub rotation: u16,
    /// Frames per second on the average.
    pub frame_rate: Option<FrameRate>,
    /// The lowest rate in which all its time stamps can be expressed. Unlike the average where the rate varies.
    pub base_rate: Option<FrameRate>,
    /// ffmpeg's name of the pixel format: `yuv420p10le`.
    pub pixel_format: String,
    /// How brightness is coded.
    pub transfer: Transfer,
    /// Whether a frame is one picture or two fields.
    pub scan: Scan,
    /// When its last picture ends, from the start of the file.
    pub end: MediaTime,
}

/// An audio track of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSource {
    /// Its number among the file's streams.
    pub index: u32,
    /// ISO 639-2/T; `None` where the file does not say or says nonsense.
    pub language: Option<String>,
    /// How many channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// What the file calls it.
    pub title: Option<String>,
    /// Whether the file marks it as the default.
    pub default: bool,
}

/// How brightness is coded (ITU-T H.273 §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// One of the curves of standard dynamic range, or not said.
    Standard,
    /// Perceptual quantisation, SMPTE ST 2084: HDR10 and Dolby Vision.
    Pq,
    /// Hybrid log-gamma, ARIB STD-B67.
    Hlg,
}

/// Whether a frame is one picture or two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scan {
    /// One picture, or not said.
    Progressive,
    /// Two fields, taken at different times.
    Interlaced,
}

impl Source {
    /// Probes a file. It is only ever opened as a local file of a known container format: nothing in it can make the
    /// tools open another file or the network.
    ///
    /// # Errors
    /// One line naming the file: it is not there, not media, truncated, or has no video track.
    pub async fn probe(path: &Path, tools: &Tools, cancel: &Cancel) -> Result<Self, Error> {
        readable(path).await?;
        let said = probe::probe(path, tools, cancel).await?;
        let found = survey::survey(path, tools, cancel).await?;
        found.check(path, &said)?;
        let used = std::iter::once(said.video.index).chain(said.audio.iter().map(|track| track.index));
        let end = used.filter_map(|index| found.end(index)).max();
        let (Some(end), Some(video_end)) = (end, found.end(said.video.index)) else {
            return Err(Error::input(path, "expected pictures in the video track, found none"));
        };
        let video = VideoSource { end: micros(video_end - said.start), ..said.video };
        Ok(Self { path: path.to_owned(), duration: micros(end - said.start), video, audio: said.audio })
    }
}

fn micros(ticks: i64) -> MediaTime {
    MediaTime::new(ticks, Timescale::MICROS)
}

async fn readable(path: &Path) -> Result<(), Error> {
    let what = match tokio::fs::metadata(path).await {
        Ok(metadata) if metadata.is_dir() => "expected a file, found a folder".to_owned(),
        // A pipe or a device cannot be read twice.
        Ok(metadata) if !metadata.is_file() => "expected a regular file, found something else".to_owned(),
        Ok(metadata) if metadata.len() == 0 => "expected a media file, found an empty one".to_owned(),
        Ok(_) => match tokio::fs::File::open(path).await {
            Ok(_) => return Ok(()),
            Err(error) => format!("expected to be allowed to read it, found {error}"),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "expected a file, found nothing: no such file".to_owned()
        }
        Err(error) => format!("expected a file, found {error}"),
    };
    Err(Error::input(path, what))
}

/// The arguments that keep a tool at the one local file it is given, the file's own last.
pub(crate) fn guarded(path: &Path) -> [std::ffi::OsString; 5] {
    [
        "-protocol_whitelist".into(),
        "file,pipe".into(),
        "-format_whitelist".into(),
        CONTAINERS.into(),
        location(path),
    ]
}

/// A path that can be taken neither for an option nor for a URL.
pub(crate) fn location(path: &Path) -> std::ffi::OsString {
    let mut location = std::ffi::OsString::from("file:");
    location.push(path);
    location
}

/// The demuxers that may see an input. Those that read further files named inside (HLS, DASH, concat, SDP, image
/// sequences) are not among them, nor those that take any text for a picture.
const CONTAINERS: &str = "mov,matroska,webm,mpegts,mpeg,mpegvideo,avi,flv,mxf,gxf,asf,ogg,nut,wtv,dv,rm,ivf,\
                          yuv4mpegpipe,wav,mp3,aac,flac";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A progressive source of six seconds at 30 frames a second, without sound.
    pub(crate) fn picture(width: u32, height: u32) -> Source {
        Source {
            path: "clip.mp4".into(),
            duration: MediaTime::from_millis(6_000),
            video: VideoSource {
                index: 0,
                width,
                height,
                rotation: 0,
                frame_rate: FrameRate::new(30, 1),
                base_rate: FrameRate::new(30, 1),
                pixel_format: "yuv420p".into(),
                transfer: Transfer::Standard,
                scan: Scan::Progressive,
                end: MediaTime::from_millis(6_000),
            },
            audio: Vec::new(),
        }
    }

    pub(crate) fn audio_track(index: u32, language: Option<&str>, channels: u32) -> AudioSource {
        let language = language.map(str::to_owned);
        AudioSource { index, language, channels, sample_rate: 48_000, title: None, default: false }
    }

    #[tokio::test]
    async fn what_is_not_a_file_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.mp4");
        std::fs::write(&empty, b"").unwrap();
        for (path, expected) in [
            (folder.path().join("gone.mp4"), "gone.mp4: expected a file, found nothing: no such file"),
            (empty, "empty.mp4: expected a media file, found an empty one"),
            ("/dev".into(), "dev: expected a file, found a folder"),
            ("/dev/null".into(), "null: expected a regular file, found something else"),
        ] {
            let error = Source::probe(&path, &Tools::default(), &Cancel::new()).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.kind(), crate::Kind::Input);
        }
    }

    #[test]
    fn a_path_is_never_an_option_or_a_url() {
        assert_eq!(location(Path::new("-y")), "file:-y");
        assert_eq!(location(Path::new("http://host/x")), "file:http://host/x");
    }
}
