//! The tracks of a live show: short CMAF files that a sender plays round and round.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::rig::fixture::kept;
use crate::rig::publisher;
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
    static TRACKS: OnceLock<Vec<(&'static str, Arc<Reel>)>> = OnceLock::new();
    TRACKS.get_or_init(|| tracks(&LADDER)).clone()
}

/// The file of a track of [`ladder`].
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn file(track: &str) -> PathBuf {
    folder(&LADDER).join(format!("{track}.mp4"))
}

/// Tracks as those of [`ladder`], with rounds of [`CLOCK`] whose picture tells its time within the round in blocks that
/// `tests/pages/clock.mjs` reads.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn ladder_with_clock() -> Vec<(&'static str, Arc<Reel>)> {
    tracks(&Recipe { name: "live-clock", round: CLOCK, has_clock: true, ..LADDER })
}

/// A round of [`ladder_with_clock`]: 64 s, less than the 2^16 ms that its clock can tell.
pub const CLOCK: Duration = Duration::from_secs(64);

/// The samples of [`ladder`] in chunks of a whole group of pictures, two seconds.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn ladder_in_long_chunks() -> Vec<(&'static str, Arc<Reel>)> {
    tracks(&Recipe { name: "live-2000", chunk: Duration::from_secs(2), ..LADDER })
}

/// `video-360` and `audio` of [`ladder`], with pictures of HEVC.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn hevc() -> Vec<(&'static str, Arc<Reel>)> {
    let source = file("video-360");
    let make = |folder: &Path| {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(&source);
        ffmpeg.args(["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"]);
        ffmpeg.args([
            "keyint=60:min-keyint=60:scenecut=0:open-gop=0:bframes=0:pools=1:frame-threads=1:log-level=error",
        ]);
        bytes(ffmpeg.args(FRAGMENTED).args(["-frag_duration", "200000"]).arg(folder.join("video-360.mp4")));
    };
    let folder = kept("live-hevc", &format!("1 {}", source.display()), make);
    let sound = ladder().into_iter().filter(|(name, _)| *name == "audio");
    let picture = ("video-360", Arc::new(Reel::read(&folder.join("video-360.mp4"))));
    std::iter::once(picture).chain(sound).collect()
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

/// How the tracks of a show are made.
struct Recipe {
    name: &'static str,
    chunk: Duration,
    /// Whole frames of sound: a multiple of eight seconds.
    round: Duration,
    has_clock: bool,
}

const LADDER: Recipe = Recipe {
    name: "live-200",
    chunk: Duration::from_millis(200),
    round: Duration::from_secs(8),
    has_clock: false,
};

fn folder(recipe: &Recipe) -> PathBuf {
    let Recipe { name, chunk, round, has_clock } = recipe;
    kept(name, &format!("2 {chunk:?} {round:?} {has_clock}"), |folder| encode(folder, recipe))
}

fn tracks(recipe: &Recipe) -> Vec<(&'static str, Arc<Reel>)> {
    let folder = folder(recipe);
    TRACKS.iter().map(|track| (*track, Arc::new(Reel::read(&folder.join(format!("{track}.mp4")))))).collect()
}

fn encode(folder: &Path, recipe: &Recipe) {
    let (chunk, round) = (recipe.chunk.as_micros().to_string(), recipe.round.as_secs());
    let clock = if recipe.has_clock {
        publisher::blocks(640, 360).join(",")
    } else {
        "drawtext=text='%{pts\\:hms}':x=w/20:y=h/20:fontsize=h/8:fontcolor=white:box=1:boxcolor=black"
            .to_owned()
    };
    let pictures = format!("[0:v]{clock},split[large][b];[b]scale=320:180[small]");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi"]);
    ffmpeg.args(["-i", &format!("testsrc2=size=640x360:rate=30:duration={round}"), "-f", "lavfi"]);
    ffmpeg
        .args(["-i", &format!("sine=frequency=440:beep_factor=4:sample_rate=48000:duration={}", round + 1)]);
    ffmpeg.args(["-filter_complex", &pictures]);
    for (label, rate, peak, file) in
        [("[large]", "700k", "750k", "video-360.mp4"), ("[small]", "250k", "270k", "video-180.mp4")]
    {
        ffmpeg.args(["-map", label, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"]);
        ffmpeg.args(["-bf", "0", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-threads", "1"]);
        ffmpeg.args(["-b:v", rate, "-maxrate", peak, "-bufsize", rate, "-pix_fmt", "yuv420p"]);
        ffmpeg.args(FRAGMENTED).args(["-frag_duration", &chunk]).arg(folder.join(file));
    }
    // The encoder's priming would stand before zero; numbered anew, 375 frames fill eight seconds exactly.
    let numbered = "setts=pts=N*1024:dts=N*1024:duration=1024";
    ffmpeg.args(["-map", "1:a", "-c:a", "aac", "-b:a", "96k", "-ac", "2", "-bsf:a", numbered]);
    ffmpeg.args(["-frames:a", &(round / 8 * 375).to_string()]);
    ffmpeg.args(FRAGMENTED).args(["-use_editlist", "0", "-frag_duration", &chunk]);
    bytes(ffmpeg.arg(folder.join("audio.mp4")));
}

const TRACKS: [&str; 3] = ["video-360", "video-180", "audio"];
const FRAGMENTED: [&str; 4] = ["-f", "mp4", "-movflags", "+cmaf+delay_moov+frag_keyframe+skip_trailer"];
