//! ffmpeg and GStreamer as viewers of a running show: they read it for a while, and what they decoded is counted.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::rig::command::signal;
use crate::rig::deadline::within;
use crate::rig::tool::{self, tool};

/// What a reader decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Pictures.
    pub pictures: u64,
    /// Sound at 48,000 Hz, as the time that it lasts.
    pub sound: Duration,
    /// Errors, as the reader worded them.
    pub complaints: String,
    /// How long it read.
    pub took: Duration,
}

/// ffmpeg's HLS demuxer reads `media` of a show, from three segments before the live edge on.
///
/// # Panics
/// When it cannot be run or takes more than a minute longer than the media lasts.
#[must_use]
pub fn ffmpeg(url: &str, media: Duration) -> Heard {
    let start = Instant::now();
    let mut ffmpeg = tool("timeout");
    let (limit, seconds) = (media.as_secs() + 60, media.as_secs_f64().to_string());
    ffmpeg.arg(limit.to_string()).args(["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-t", &seconds]);
    ffmpeg.args(["-map", "0:v:0", "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "framemd5", "-"]);
    let (text, complaints) = tool::text_and_complaints(&mut ffmpeg);
    let (mut pictures, mut samples) = (0, 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        match fields[0] {
            "0" => pictures += 1,
            // Two bytes a sample.
            _ => samples += fields[4].parse::<u64>().unwrap() / 2,
        }
    }
    Heard { pictures, sound: lasts(samples), complaints, took: start.elapsed() }
}

/// GStreamer's adaptive HLS demuxer (`hlsdemux2`) reads a show for `time`.
///
/// # Panics
/// When it cannot be run or does not end.
#[must_use]
pub fn gstreamer(url: &str, time: Duration) -> Heard {
    let (uri, source) = (format!("uri={url}"), ["uridecodebin3", "name=show"]);
    pipeline(
        &[
            &source[..],
            &[&uri, "show.", "!"],
            PICTURES,
            &["show.", "!", "audioconvert", "!", "audioresample", "!"],
            SOUND,
        ]
        .concat(),
        time,
    )
}

/// GStreamer's older HLS demuxer (`hlsdemux`) reads one media playlist with a picture for `time`.
///
/// # Panics
/// As [`gstreamer`].
#[must_use]
pub fn older_gstreamer(url: &str, time: Duration) -> Heard {
    let location = format!("location={url}");
    let demuxers = ["!", "hlsdemux", "!", "qtdemux", "!", "h264parse", "!", "avdec_h264", "!"];
    pipeline(&[&["souphttpsrc", &location][..], &demuxers, PICTURES].concat(), time)
}

/// Each picture shrunk to 256 bytes.
const PICTURES: &[&str] = &[
    "videoconvert",
    "!",
    "videoscale",
    "!",
    "video/x-raw,format=GRAY8,width=16,height=16",
    "!",
    "queue",
    "!",
    "filesink",
    "location=pictures",
];
const SOUND: &[&str] =
    &["audio/x-raw,format=S16LE,channels=1,rate=48000", "!", "queue", "!", "filesink", "location=sound"];

fn pipeline(elements: &[&str], time: Duration) -> Heard {
    let (start, dir) = (Instant::now(), tempfile::tempdir().unwrap());
    let complaints = dir.path().join("complaints");
    let file = fs::File::create(&complaints).unwrap();
    let mut gst = Command::new("gst-launch-1.0");
    gst.arg("-q").args(elements).current_dir(dir.path());
    gst.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    let mut child = gst.spawn().expect("gst-launch-1.0 is missing: run `make setup`");
    let ended = within(time, || child.try_wait().unwrap());
    if ended.is_none() {
        signal(child.id(), "INT");
        within(Duration::from_secs(20), || child.try_wait().unwrap()).expect("GStreamer does not end");
    }
    let length = |name: &str| fs::metadata(dir.path().join(name)).map_or(0, |file| file.len());
    let told = fs::read_to_string(&complaints).unwrap();
    let is_grave =
        |line: &&str| line.contains("ERROR") || line.contains("WARNING") || line.contains("CRITICAL");
    let complaints: Vec<&str> = told.lines().filter(is_grave).collect();
    Heard {
        pictures: length("pictures") / 256,
        sound: lasts(length("sound") / 2),
        complaints: complaints.join("\n"),
        took: start.elapsed(),
    }
}

fn lasts(samples: u64) -> Duration {
    Duration::from_micros(samples * 1_000 / 48)
}
