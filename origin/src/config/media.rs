//! Sections of media: `[segments]`, `[transcode]`.

use std::path::{Path, PathBuf};

use packager::time::MediaTime;
use transcoder::ladder::{Preset, Settings};

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
    /// How much work the encoder puts into each frame.
    pub preset: Preset,
    /// The short side of the tallest rendition, in pixels. A source is never enlarged.
    pub max_height: u64,
    /// The distance of key frames; `segments.target` is a multiple of it.
    pub gop: Span,
    /// The constant rate factor of x264, 0 to 51; lower is better and larger.
    pub crf: u64,
    /// Where renditions lie until they are complete; the system's folder for temporary files if not set.
    pub work: Option<PathBuf>,
}

impl Default for Segments {
    fn default() -> Self {
        Self { target: Span::seconds(6) }
    }
}

impl Default for Transcode {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            preset: settings.preset,
            max_height: settings.max_height.into(),
            gop: Span::seconds(2),
            crf: settings.crf.into(),
            work: None,
        }
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
            gop: section.span("gop", Span::millis(200)..=Span::seconds(10)).unwrap_or(default.gop),
            crf: section.number("crf", 0..52).unwrap_or(default.crf),
            work: section.text("work", work),
        };
        if !segments.target.as_millis().is_multiple_of(transcode.gop.as_millis()) {
            section.fault(
                "gop",
                format!(
                    "expected a divisor of segments.target = {}, found {}",
                    segments.target, transcode.gop
                ),
            );
        }
        transcode
    }

    /// The same in the transcoder's words.
    pub fn settings(&self, segments: &Segments) -> Settings {
        let default = Settings::default();
        Settings {
            segment_target: time(segments.target),
            gop: time(self.gop),
            preset: self.preset,
            max_height: u32::try_from(self.max_height).unwrap_or(default.max_height),
            crf: u8::try_from(self.crf).unwrap_or(default.crf),
        }
    }
}

fn time(span: Span) -> MediaTime {
    MediaTime::from_millis(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
