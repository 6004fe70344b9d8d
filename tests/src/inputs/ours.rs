//! Clips that ffmpeg makes from its test sources.

use std::path::{Path, PathBuf};

use crate::rig::fixture::kept;
use crate::rig::tool::{bytes, tool};

/// A clip to make. Each picture shows its time, so that a screenshot tells where a player stands.
#[derive(Debug, Clone)]
pub struct Clip {
    /// The file's name without extension.
    pub name: &'static str,
    /// Seconds.
    pub seconds: u32,
    /// `WIDTHxHEIGHT`.
    pub size: &'static str,
    /// Frames per second, as ffmpeg takes it (`30000/1001`).
    pub rate: &'static str,
    /// Samples per second of the sound; 0 for a silent film.
    pub sound: u32,
    /// More output options.
    pub options: &'static [&'static str],
}

impl Clip {
    /// Makes it, or finds it made.
    ///
    /// # Panics
    /// When ffmpeg fails.
    #[must_use]
    pub fn make(&self) -> PathBuf {
        let recipe = format!("1 {self:?}");
        let folder = kept(&format!("clip-{}", self.name), &recipe, |folder| self.render(&self.file(folder)));
        self.file(&folder)
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.mp4", self.name))
    }

    fn render(&self, to: &Path) {
        let picture = format!("testsrc2=size={}:rate={}:duration={}", self.size, self.rate, self.seconds);
        let clock =
            "drawtext=text='%{pts\\:hms}':x=w/20:y=h/20:fontsize=h/8:fontcolor=white:box=1:boxcolor=black";
        let tone =
            format!("sine=frequency=440:beep_factor=4:sample_rate={}:duration={}", self.sound, self.seconds);
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture]);
        if self.sound > 0 {
            ffmpeg.args(["-f", "lavfi", "-i", &tone, "-c:a", "aac", "-b:a", "96k", "-ac", "2"]);
        }
        ffmpeg.args([
            "-vf", clock, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1",
        ]);
        bytes(ffmpeg.args(self.options).arg(to));
    }
}

/// The clip of the transcoded asset that most stories play: 720p, so that the ladder has four rungs.
#[must_use]
pub fn show() -> PathBuf {
    let options = &["-g", "60"];
    Clip { name: "show", seconds: 12, size: "1280x720", rate: "30", sound: 48_000, options }.make()
}

/// A small progressive clip with B-frames and sound, `moov` last.
#[must_use]
pub fn moov_last() -> PathBuf {
    let options = &["-g", "50", "-bf", "2"];
    Clip { name: "moov-last", seconds: 8, size: "320x180", rate: "25", sound: 48_000, options }.make()
}

/// The same with `moov` first.
#[must_use]
pub fn moov_first() -> PathBuf {
    let options = &["-g", "50", "-bf", "2", "-movflags", "+faststart"];
    Clip { name: "moov-first", seconds: 8, size: "320x180", rate: "25", sound: 48_000, options }.make()
}

/// The picture of one clip and the sound of the same, `milliseconds` later (or earlier, when negative).
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn sound_off_by(milliseconds: i32) -> PathBuf {
    let source = moov_last();
    let make = |folder: &Path| {
        let offset = format!("{}ms", milliseconds.abs());
        let (picture, sound) = if milliseconds < 0 { (offset.as_str(), "0") } else { ("0", offset.as_str()) };
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-itsoffset", picture, "-i"]).arg(&source);
        ffmpeg
            .args(["-itsoffset", sound, "-i"])
            .arg(&source)
            .args(["-map", "0:v", "-map", "1:a", "-c", "copy"]);
        bytes(ffmpeg.arg(folder.join("film.mp4")));
    };
    kept(&format!("sound-off-by{milliseconds}"), &format!("1 {}", source.display()), make).join("film.mp4")
}
