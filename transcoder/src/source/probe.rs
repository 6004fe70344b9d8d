//! What a file says of itself: ffprobe's JSON, parsed into our types at this door.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::{AudioSource, Scan, Transfer, VideoSource, guarded, language, micros};
use crate::ladder::FrameRate;
use crate::process::Running;
use crate::{Cancel, Error, Tools};

/// What the file says; the survey finds out whether it is so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The earliest time stamp, in microseconds.
    pub(super) start: i64,
    /// Microseconds, where the container states its duration rather than leaving it to be guessed.
    pub(super) duration: Option<i64>,
    pub(super) video: VideoSource,
    pub(super) audio: Vec<AudioSource>,
}

pub(super) async fn probe(path: &Path, tools: &Tools, cancel: &Cancel) -> Result<Said, Error> {
    let json = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&json);
    let on_line = Box::new(move |line: &str| {
        let mut json = sink.lock().unwrap_or_else(PoisonError::into_inner);
        if json.len() + line.len() <= MOST_JSON {
            json.push_str(line);
        }
    });
    let mut arguments: Vec<_> =
        ["-hide_banner", "-loglevel", "level+error", "-of", "json", "-show_format", "-show_streams"]
            .map(Into::into)
            .into();
    arguments.extend(guarded(path));
    let ended = Running::start(tools, &tools.ffprobe, arguments, on_line)?.end(cancel).await?;
    if !ended.success() {
        return Err(Error::input(path, refusal(&ended.complaint())));
    }
    let json = json.lock().unwrap_or_else(PoisonError::into_inner);
    let probed: Probed = serde_json::from_str(&json).map_err(|error| {
        Error::tool(&tools.ffprobe, format!("expected a description in JSON, found {error}"))
    })?;
    probed.said(path)
}

/// Why ffprobe did not take the file, in our words.
fn refusal(complaint: &str) -> String {
    if complaint.contains("moov atom not found") {
        return "expected a moov box in the MP4 file, found none: the file is truncated or is no MP4 file"
            .to_owned();
    }
    let foreign =
        ["not on whitelist", "Invalid data found", "Invalid argument", "could not find codec parameters"];
    match foreign.iter().any(|text| complaint.contains(text)) {
        true => "expected a media file, found something else".to_owned(),
        false => format!("expected a media file, found {complaint}"),
    }
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    pix_fmt: Option<String>,
    color_transfer: Option<String>,
    field_order: Option<String>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    #[serde(default)]
    disposition: BTreeMap<String, i64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<BTreeMap<String, Value>>,
}

impl Probed {
    fn said(&self, path: &Path) -> Result<Said, Error> {
        let pictures: Vec<&Stream> = self.streams.iter().filter(|stream| stream.is("video")).collect();
        let video = pictures
            .iter()
            .filter(|stream| !stream.has("attached_pic") && !stream.has("still_image"))
            .max_by_key(|stream| (stream.has("default"), stream.area(), std::cmp::Reverse(stream.index)));
        let Some(video) = video else {
            let found = match (pictures.is_empty(), self.streams.is_empty()) {
                (_, true) => "no track at all",
                (true, false) if self.streams.iter().any(|stream| stream.is("audio")) => "only audio",
                (true, false) => "none",
                (false, false) => "only a cover picture",
            };
            return Err(Error::input(path, format!("expected a video track, found {found}")));
        };
        let stated = STATED.iter().any(|name| self.format.format_name.split(',').any(|found| found == *name));
        Ok(Said {
            start: self.format.start_time.as_deref().and_then(parse_micros).unwrap_or(0),
            duration: self.format.duration.as_deref().and_then(parse_micros).filter(|_| stated),
            video: video.video(path)?,
            audio: self.streams.iter().filter_map(Stream::audio).collect(),
        })
    }
}

impl Stream {
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    fn has(&self, disposition: &str) -> bool {
        self.disposition.get(disposition).is_some_and(|set| *set != 0)
    }

    fn area(&self) -> u64 {
        u64::from(self.width.unwrap_or(0)) * u64::from(self.height.unwrap_or(0))
    }

    /// The codec's name, where ffmpeg knows it.
    fn codec(&self) -> Option<&str> {
        self.codec_name.as_deref().filter(|name| !matches!(*name, "unknown" | "none"))
    }

    fn video(&self, path: &Path) -> Result<VideoSource, Error> {
        let (Some(_), Some(width), Some(height)) = (self.codec(), self.width, self.height) else {
            return Err(Error::input(
                path,
                "expected a video codec that ffmpeg decodes, found an unknown one",
            ));
        };
        let rotation = self.rotation();
        let width = match self.sample_aspect_ratio.as_deref().and_then(|ratio| ratio_of(ratio, ':')) {
            Some((num, den)) => scale(width, num, den),
            None => width,
        };
        let (width, height) = if rotation % 180 == 90 { (height, width) } else { (width, height) };
        if width == 0 || height == 0 || width > LARGEST || height > LARGEST {
            let what =
                format!("expected a picture of at most {LARGEST} pixels a side, found {width} by {height}");
            return Err(Error::input(path, what));
        }
        let rate = |text: &Option<String>| {
            let (num, den) = ratio_of(text.as_deref()?, '/')?;
            FrameRate::new(num, den)
        };
        Ok(VideoSource {
            index: self.index,
            width,
            height,
            rotation,
            frame_rate: rate(&self.avg_frame_rate),
            base_rate: rate(&self.r_frame_rate),
            pixel_format: self.pix_fmt.clone().unwrap_or_default(),
            transfer: match self.color_transfer.as_deref() {
                Some("smpte2084") => Transfer::Pq,
                Some("arib-std-b67") => Transfer::Hlg,
                _ => Transfer::Standard,
            },
            scan: match self.field_order.as_deref() {
                Some("tt" | "bb" | "tb" | "bt") => Scan::Interlaced,
                _ => Scan::Progressive,
            },
            end: micros(0),
        })
    }

    fn audio(&self) -> Option<AudioSource> {
        let channels = self.channels.filter(|channels| *channels > 0)?;
        (self.is("audio") && self.codec().is_some()).then(|| AudioSource {
            index: self.index,
            language: self.tag("language").and_then(language::parse),
            channels,
            sample_rate: self.sample_rate.as_deref().and_then(|rate| rate.parse().ok()).unwrap_or(0),
            title: self.tag("title").map(|title| title.chars().take(200).collect()),
            default: self.has("default"),
        })
    }

    /// Containers differ in the case of their tags.
    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// From the display matrix; quarter turns only, others are shown as they are.
    fn rotation(&self) -> u16 {
        let degrees = self.side_data_list.iter().find_map(|data| data.get("rotation")).map(Value::to_string);
        let degrees =
            degrees.as_deref().and_then(|text| text.split('.').next()).and_then(|text| text.parse().ok());
        match degrees.map(|degrees: i32| degrees.rem_euclid(360)) {
            Some(90) => 90,
            Some(180) => 180,
            Some(270) => 270,
            _ => 0,
        }
    }
}

/// `30000/1001` or `4:3`; `None` where it is not two positive numbers.
fn ratio_of(text: &str, by: char) -> Option<(u32, u32)> {
    let (num, den) = text.split_once(by)?;
    let (num, den) = (num.parse().ok()?, den.parse().ok()?);
    (num > 0 && den > 0).then_some((num, den))
}

fn scale(side: u32, num: u32, den: u32) -> u32 {
    u32::try_from((u64::from(side) * u64::from(num) + u64::from(den) / 2) / u64::from(den))
        .unwrap_or(u32::MAX)
}

/// Seconds with a fraction, as microseconds: `-0.021333`. `None` for `N/A` and for what does not fit.
pub(super) fn parse_micros(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let micros = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)?;
    // A time stamp of more than three years is a broken one; sums of a few that pass cannot overflow.
    (micros < 100_000_000_000_000).then_some(sign * micros)
}

const MOST_JSON: usize = 1 << 20;
/// H.264's largest side, level 6.2, rounded up.
const LARGEST: u32 = 16_384;
/// Containers whose header states how long they are.
const STATED: [&str; 6] = ["mov", "matroska", "avi", "flv", "mxf", "asf"];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(streams: &str) -> Result<Said, Error> {
        let format =
            r#"{"format_name":"mov,mp4,m4a,3gp,3g2,mj2","start_time":"-0.021333","duration":"6.000000"}"#;
        let probed: Probed =
            serde_json::from_str(&format!(r#"{{"streams":[{streams}],"format":{format}}}"#)).unwrap();
        probed.said(Path::new("clip.mp4"))
    }

    const VIDEO: &str = r#""index":0,"codec_type":"video","codec_name":"h264","width":720,"height":576"#;

    #[test]
    fn oblong_pixels_and_a_quarter_turn_are_honoured() {
        let turned = r#""sample_aspect_ratio":"16:11","side_data_list":[{"rotation":-90}]"#;
        let said = said(&format!("{{{VIDEO},{turned}}}")).unwrap();
        assert_eq!((said.video.width, said.video.height, said.video.rotation), (576, 1047, 270));
        assert_eq!((said.start, said.duration), (-21_333, Some(6_000_000)));
    }

    #[test]
    fn hints_of_hdr_and_fields_are_read() {
        let hints =
            r#""color_transfer":"smpte2084","field_order":"tt","avg_frame_rate":"25/1","r_frame_rate":"0/0""#;
        let video = said(&format!("{{{VIDEO},{hints}}}")).unwrap().video;
        assert_eq!((video.transfer, video.scan), (Transfer::Pq, Scan::Interlaced));
        assert_eq!((video.frame_rate, video.base_rate), (FrameRate::new(25, 1), None));
    }

    #[test]
    fn a_cover_picture_is_no_video_track() {
        let cover = format!(r#"{{{VIDEO},"disposition":{{"attached_pic":1}}}}"#);
        let text = said(&cover).unwrap_err().to_string();
        assert_eq!(text, "clip.mp4: expected a video track, found only a cover picture");
    }

    #[test]
    fn the_default_track_wins_over_a_larger_one() {
        let small = r#"{"index":3,"codec_type":"video","codec_name":"vp9","width":64,"height":36,"disposition":{"default":1}}"#;
        assert_eq!(said(&format!("{{{VIDEO}}},{small}")).unwrap().video.index, 3);
    }

    #[test]
    fn audio_is_read_with_its_language() {
        let audio = r#"{"index":1,"codec_type":"audio","codec_name":"aac","sample_rate":"44100","channels":6,
                        "disposition":{"default":1},"tags":{"LANGUAGE":"ger","title":"Kommentar"}}"#;
        let said = said(&format!("{{{VIDEO}}},{audio}")).unwrap();
        let expected = AudioSource {
            index: 1,
            language: Some("deu".into()),
            channels: 6,
            sample_rate: 44_100,
            title: Some("Kommentar".into()),
            default: true,
        };
        assert_eq!(said.audio, [expected]);
    }

    #[test]
    fn seconds_are_read_exactly() {
        for (text, expected) in [
            ("1.066667", Some(1_066_667)),
            ("-0.021333", Some(-21_333)),
            ("7", Some(7_000_000)),
            ("0.1234567", Some(123_456)),
            ("N/A", None),
            ("", None),
            ("1e9", None),
            ("99999999999999999999.0", None),
        ] {
            assert_eq!(parse_micros(text), expected, "{text}");
        }
    }
}
