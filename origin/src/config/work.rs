//! The section `[work]`.

use std::path::{Path, PathBuf};

use toml::de::DeValue;
use transcoder::Tools;
use transcoder::ladder::Preset;
use transcoder::publishing::WorkerName;

use super::OriginUrl;
use super::read::{Section, expected, string};

/// `[work]`: how live streams are worked on, and where they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// What this worker is called among those that share the database; the name of the machine if not set.
    pub name: Option<WorkerName>,
    /// The origins that are sent every stream. If there are none, the one that this file configures.
    pub origins: Vec<OriginUrl>,
    /// How much work the encoder puts into each frame. It must keep up with the clock.
    pub preset: Preset,
    /// The short side of the tallest rendition that is encoded, in pixels. A source is never enlarged.
    pub max_height: u64,
    /// How many renditions of the picture are made at most, the tallest first.
    pub rungs: u64,
    /// Whether a source that can be served as it is becomes the top rendition, unchanged.
    pub pass: bool,
    /// What viewers get while a publisher is silent.
    pub filler: Filler,
    /// ffmpeg: a path, or a name that is looked for where the system looks for programs.
    pub ffmpeg: PathBuf,
}

/// What stands where a publisher sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filler {
    /// A still picture without sound: players go on.
    #[default]
    Slate,
    /// Nothing, said to be nothing (`EXT-X-GAP`): players wait, or play another rendition.
    Gap,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            name: None,
            origins: Vec::new(),
            preset: Preset::Superfast,
            max_height: 720,
            rungs: 3,
            pass: true,
            filler: Filler::Slate,
            ffmpeg: Tools::default().ffmpeg,
        }
    }
}

impl Work {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Self {
        let default = Self::default();
        let ffmpeg = |text: &str| match text {
            "" => Err("expected a program, found \"\"".to_owned()),
            path if path.contains('/') => Ok(base.join(path)),
            name => Ok(name.into()),
        };
        let filler = |text: &str| match text {
            "slate" => Ok(Filler::Slate),
            "gap" => Ok(Filler::Gap),
            other => Err(format!("expected \"slate\" or \"gap\", found {other:?}")),
        };
        Self {
            name: section.text("name", str::parse),
            origins: section.take("origins", origins).unwrap_or(default.origins),
            preset: section.text("preset", str::parse).unwrap_or(default.preset),
            max_height: section.number("max_height", 144..2161).unwrap_or(default.max_height),
            rungs: section.number("rungs", 1..7).unwrap_or(default.rungs),
            pass: section.switch("pass").unwrap_or(default.pass),
            filler: section.text("filler", filler).unwrap_or(default.filler),
            ffmpeg: section.text("ffmpeg", ffmpeg).unwrap_or(default.ffmpeg),
        }
    }

    /// The tools that streams are worked on with.
    pub fn tools(&self) -> Tools {
        Tools { ffmpeg: self.ffmpeg.clone(), ..Tools::default() }
    }
}

/// The origins in an array, each once.
fn origins(value: &DeValue<'_>) -> Result<Vec<OriginUrl>, String> {
    let array = value.as_array().ok_or_else(|| expected("an array of URLs", value))?;
    let mut origins = Vec::new();
    for value in array {
        let origin = OriginUrl::parse(string(value.get_ref())?).map_err(|fault| fault.to_string())?;
        if origins.contains(&origin) {
            return Err(format!("expected each origin once, found {origin} twice"));
        }
        origins.push(origin);
    }
    match origins.len() {
        1..=MOST_ORIGINS => Ok(origins),
        0 => Err("expected at least one origin, found none".to_owned()),
        count => Err(format!("expected at most {MOST_ORIGINS} origins, found {count}")),
    }
}

/// Each is sent everything.
const MOST_ORIGINS: usize = 64;
