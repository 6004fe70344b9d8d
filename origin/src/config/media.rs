//! Sections of media: `[segments]`, `[transcode]`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Span;
use super::read::Section;

/// `[segments]`: how media is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// How long a segment should be; real ones end on the key frame that fits best.
    pub target: Span,
}

/// `[transcode]`: how renditions are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcode {
    /// How much CPU a bit may cost.
    pub preset: Preset,
    /// The height of the tallest rendition, in lines. A source is never enlarged.
    pub max_height: u64,
    /// The height of the smallest rendition that is made beside a taller one, in lines.
    pub min_height: u64,
    /// The distance of key frames; `segments.target` is a multiple of it.
    pub gop: Span,
    /// Where renditions lie until they are complete; the system's folder for temporary files if not set.
    pub work: Option<PathBuf>,
}

/// The presets of x264, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are x264's and say what they are")]
pub enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
    Slower,
    Veryslow,
}

impl Default for Segments {
    fn default() -> Self {
        Self { target: Span::seconds(6) }
    }
}

impl Default for Transcode {
    fn default() -> Self {
        Self { preset: Preset::Veryfast, max_height: 1080, min_height: 240, gop: Span::seconds(2), work: None }
    }
}

impl Segments {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let target = section.span("target", Span::seconds(1)..=Span::seconds(30));
        Self { target: target.unwrap_or(Self::default().target) }
    }
}

impl Transcode {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path, segments: &Segments) -> Self {
        let default = Self::default();
        let work = |text: &str| match text.is_empty() {
            true => Err("expected the path of a folder, found \"\""),
            false => Ok(base.join(text)),
        };
        let transcode = Self {
            preset: section.text("preset", str::parse).unwrap_or(default.preset),
            max_height: section.number("max_height", 144..4321).unwrap_or(default.max_height),
            min_height: section.number("min_height", 144..4321).unwrap_or(default.min_height),
            gop: section.span("gop", Span::millis(500)..=Span::seconds(10)).unwrap_or(default.gop),
            work: section.text("work", work),
        };
        if transcode.min_height > transcode.max_height {
            section.fault(
                "min_height",
                format!("expected at most max_height = {}, found {}", transcode.max_height, transcode.min_height),
            );
        }
        if !segments.target.as_millis().is_multiple_of(transcode.gop.as_millis()) {
            section.fault(
                "gop",
                format!("expected a divisor of segments.target = {}, found {}", segments.target, transcode.gop),
            );
        }
        transcode
    }
}

impl Preset {
    /// Every preset, fastest first.
    pub const ALL: [Self; 9] = [
        Self::Ultrafast,
        Self::Superfast,
        Self::Veryfast,
        Self::Faster,
        Self::Fast,
        Self::Medium,
        Self::Slow,
        Self::Slower,
        Self::Veryslow,
    ];

    /// As x264 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
            Self::Slower => "slower",
            Self::Veryslow => "veryslow",
        }
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|preset| preset.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}, found {text:?}", names()))
    }
}
