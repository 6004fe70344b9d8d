//! What an operator may choose.

use std::fmt;
use std::str::FromStr;

use packager::time::MediaTime;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The choices that shape a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The segment duration that the packager aims at: 1 to 30 s, a whole number of GOPs. 6 s by default.
    pub segment_target: MediaTime,
    /// From one keyframe to the next: 0.2 to 10 s. 2 s by default.
    pub gop: MediaTime,
    /// How much work the encoder puts into each frame.
    pub preset: Preset,
    /// The short side of the tallest rung, in pixels; at least 2. 1080 by default.
    pub max_height: u32,
    /// The constant rate factor below the ceilings, 0 to 51; lower is better. 22 by default.
    pub crf: u8,
}

/// How much work the encoder puts into each frame: x264's own names. Each step costs about half as much again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// For tests.
    Ultrafast,
    /// For a demonstration, and for live.
    Superfast,
    /// For jobs.
    #[default]
    Veryfast,
    /// For jobs that may take their time.
    Faster,
    /// For jobs that may take their time.
    Fast,
    /// x264's own default.
    Medium,
    /// For archives.
    Slow,
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let millis = MediaTime::from_millis;
        let (gop, segment) = (self.gop, self.segment_target);
        let fault = if gop < millis(200) || gop > millis(10_000) {
            Some(("gop", "0.2 to 10 s", format!("{gop} s")))
        } else if segment < millis(1_000) || segment > millis(30_000) {
            Some(("segment target", "1 to 30 s", format!("{segment} s")))
        } else if segment.as_micros() % gop.as_micros() != 0 {
            Some(("segment target", "a whole number of GOPs", format!("{segment} s of {gop} s")))
        } else if self.max_height < 2 {
            Some(("max height", "2 pixels or more", self.max_height.to_string()))
        } else if self.crf > 51 {
            Some(("crf", "0 to 51", self.crf.to_string()))
        } else {
            None
        };
        match fault {
            Some((name, expected, found)) => Err(Error::Setting { name, expected, found }),
            None => Ok(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_target: MediaTime::from_millis(6_000),
            gop: MediaTime::from_millis(2_000),
            preset: Preset::default(),
            max_height: 1080,
            crf: 22,
        }
    }
}

impl Preset {
    /// x264's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        ALL.into_iter().find(|preset| preset.as_str() == text).ok_or_else(|| Error::Setting {
            name: "preset",
            expected: "ultrafast, superfast, veryfast, faster, fast, medium or slow",
            found: text.chars().take(40).collect(),
        })
    }
}

const ALL: [Preset; 7] = [
    Preset::Ultrafast,
    Preset::Superfast,
    Preset::Veryfast,
    Preset::Faster,
    Preset::Fast,
    Preset::Medium,
    Preset::Slow,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn every_preset_is_read_back() {
        for preset in ALL {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
        let text = "placebo".parse::<Preset>().unwrap_err().to_string();
        assert!(text.starts_with("preset: expected ultrafast") && text.ends_with("found placebo"), "{text}");
    }
}
