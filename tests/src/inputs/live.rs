//! The tracks of a live show: short CMAF files that a sender plays round and round.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::rig::fixture::kept;
use crate::rig::reel::Reel;
use crate::rig::tool::{bytes, tool};

/// The tracks that most stories send: `video-360`, `video-180` (30 frames per second, a key frame every two seconds, no
/// B-frames) and `audio` (AAC, 48,000 Hz, stereo), in chunks of 200 ms.
///
/// A round lasts eight seconds: that is four times two seconds and 375 frames of sound, so that each round is like the
/// first in every track. The picture shows its time within the round.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn ladder() -> Vec<(&'static str, Arc<Reel>)> {
    static LADDER: OnceLock<Vec<(&'static str, Arc<Reel>)>> = OnceLock::new();
    LADDER.get_or_init(|| tracks("live-200", "200000")).clone()
}

/// The file of a track of [`ladder`].
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn file(track: &str) -> PathBuf {
    folder("live-200", "200000").join(format!("{track}.mp4"))
}

/// The samples of [`ladder`] in chunks of a whole group of pictures, two seconds.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn ladder_in_long_chunks() -> Vec<(&'static str, Arc<Reel>)> {
    tracks("live-2000", "2000000")
}

/// A track of a codec that nobody asked for: MPEG-4 Part 2.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn old_codec() -> Arc<Reel> {
    let make = |folder: &Path| {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args([
            "-nostdin",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=30:duration=2",
        ]);
        ffmpeg.args(["-c:v", "mpeg4", "-g", "60"]).args(FRAGMENTED).args(["-frag_duration", "200000"]);
        bytes(ffmpeg.arg(folder.join("video.mp4")));
    };
    Arc::new(Reel::read(&kept("live-old-codec", "1", make).join("video.mp4")))
}

fn folder(name: &str, microseconds: &str) -> PathBuf {
    kept(name, &format!("1 {microseconds}"), |folder| encode(folder, microseconds))
}

fn tracks(name: &str, microseconds: &str) -> Vec<(&'static str, Arc<Reel>)> {
    let folder = folder(name, microseconds);
    TRACKS.iter().map(|track| (*track, Arc::new(Reel::read(&folder.join(format!("{track}.mp4")))))).collect()
}

fn encode(folder: &Path, microseconds: &str) {
    let clock =
        "drawtext=text='%{pts\\:hms}':x=w/20:y=h/20:fontsize=h/8:fontcolor=white:box=1:boxcolor=black";
    let pictures = format!("[0:v]{clock},split[large][b];[b]scale=320:180[small]");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=8"]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000:duration=9"]);
    ffmpeg.args(["-filter_complex", &pictures]);
    for (label, rate, peak, file) in
        [("[large]", "700k", "750k", "video-360.mp4"), ("[small]", "250k", "270k", "video-180.mp4")]
    {
        ffmpeg.args(["-map", label, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"]);
        ffmpeg.args(["-bf", "0", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-threads", "1"]);
        ffmpeg.args(["-b:v", rate, "-maxrate", peak, "-bufsize", rate, "-pix_fmt", "yuv420p"]);
        ffmpeg.args(FRAGMENTED).args(["-frag_duration", microseconds]).arg(folder.join(file));
    }
    // The encoder's priming would stand before zero; numbered anew, 375 frames fill a round exactly.
    let numbered = "setts=pts=N*1024:dts=N*1024:duration=1024";
    ffmpeg.args([
        "-map",
        "1:a",
        "-c:a",
        "aac",
        "-b:a",
        "96k",
        "-ac",
        "2",
        "-bsf:a",
        numbered,
        "-frames:a",
        "375",
    ]);
    ffmpeg.args(FRAGMENTED).args(["-use_editlist", "0", "-frag_duration", microseconds]);
    bytes(ffmpeg.arg(folder.join("audio.mp4")));
}

const TRACKS: [&str; 3] = ["video-360", "video-180", "audio"];
const FRAGMENTED: [&str; 4] = ["-f", "mp4", "-movflags", "+cmaf+delay_moov+frag_keyframe+skip_trailer"];
