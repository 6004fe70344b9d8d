//! ffprobe and ffmpeg as readers: packets and decoded frames.

use std::ffi::OsStr;

use serde_json::Value;

use crate::rig::tool::{self, tool};

/// A packet as ffprobe reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Presentation time in seconds.
    pub pts: f64,
    /// Duration in seconds.
    pub duration: f64,
    /// Whether a decoder can start here.
    pub key: bool,
    /// Whether it is only there to prepare the decoder (an edit list hides it).
    pub discarded: bool,
    /// A digest of its bytes.
    pub digest: String,
}

/// All packets of the stream that `select` (`v:0`, `a:0`) names in `input`, a file or a URL, in decoding order.
///
/// # Panics
/// When ffprobe refuses the input.
pub fn packets(input: impl AsRef<OsStr>, select: &str) -> Vec<Packet> {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", select, "-show_packets", "-show_data_hash", "sha256"]);
    let read: Value =
        serde_json::from_slice(&tool::bytes(ffprobe.args(["-of", "json"]).arg(input.as_ref()))).unwrap();
    let seconds =
        |packet: &Value, name: &str| packet[name].as_str().map_or(0.0, |text| text.parse().unwrap());
    let packet = |packet: &Value| {
        let flags = packet["flags"].as_str().unwrap();
        Packet {
            pts: seconds(packet, "pts_time"),
            duration: seconds(packet, "duration_time"),
            key: flags.contains('K'),
            discarded: flags.contains('D'),
            digest: packet["data_hash"].as_str().unwrap().to_owned(),
        }
    };
    read["packets"].as_array().unwrap().iter().map(packet).collect()
}

/// A decoded picture: when it is shown and a digest of its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Presentation time in microseconds.
    pub micros: i64,
    /// MD5 of the decoded picture or samples.
    pub digest: String,
}

/// Decodes the stream `select` of `input` and gives each frame.
///
/// # Panics
/// When ffmpeg reports any error in the stream.
pub fn frames(input: impl AsRef<OsStr>, select: &str) -> Vec<Frame> {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-err_detect", "explode", "-i"]).arg(input.as_ref());
    // A time base of a microsecond for all makes times comparable; `-copyts` keeps where the presentation starts.
    ffmpeg.args(["-map", &format!("0:{select}"), "-fps_mode", "passthrough", "-copyts"]);
    ffmpeg.args(["-enc_time_base", "1:1000000", "-f", "framemd5", "-"]);
    let (text, complaints) = tool::text_and_complaints(&mut ffmpeg);
    assert!(complaints.is_empty(), "ffmpeg on {}: {complaints}", input.as_ref().display());
    let frame = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        Frame { micros: fields[2].parse().unwrap(), digest: fields[5].to_owned() }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(frame).collect()
}

/// Whether ffprobe finds a stream of this kind (`v` or `a`).
///
/// # Panics
/// When ffprobe refuses the input.
pub fn has(input: impl AsRef<OsStr>, kind: &str) -> bool {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", kind, "-show_entries", "stream=index", "-of", "csv=p=0"]);
    !tool::text(ffprobe.arg(input.as_ref())).trim().is_empty()
}
