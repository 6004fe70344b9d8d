//! Which renditions a source deserves.
//!
//! A rung is named and chosen by the *short side* of the picture, so a portrait video gets the same rungs as the
//! landscape one that it is when turned. All rungs share one constant frame rate and one grid of keyframes.

mod rate;
mod rung;
mod settings;

use std::collections::BTreeSet;

use packager::asset::RenditionName;
use packager::time::{Bitrate, MediaTime};

use crate::Error;
use crate::source::{AudioSource, Source};

pub use rate::FrameRate;
pub use settings::{Preset, Settings};

/// What is made from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Video renditions, the tallest first; at least one.
    pub rungs: Vec<Rung>,
    /// Audio renditions, one per language, in the source's order; none where the source has no sound.
    pub audio: Vec<AudioRung>,
    /// The frame rate of all rungs.
    pub frame_rate: FrameRate,
    /// How many frames each rung has; at least one.
    pub frames: u64,
    /// Frames from one keyframe to the next, on all rungs.
    pub gop: u64,
    /// The segment duration that the packager aims at.
    pub segment_target: MediaTime,
    /// How much work the encoder puts into each frame.
    pub preset: Preset,
}

/// One video rendition: H.264, square pixels, 4:2:0 in 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// `video-720`, after the short side.
    pub name: RenditionName,
    /// Pixels; even.
    pub width: u32,
    /// Pixels; even.
    pub height: u32,
    /// The constant rate factor that it aims at below its ceiling, 0 to 51; lower is better.
    pub crf: u8,
    /// Its ceiling, held over one second.
    pub max_rate: Bitrate,
}

/// One audio rendition: AAC-LC, stereo, 48 kHz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioRung {
    /// `audio-eng`, after the language; `audio-und` where it is not known.
    pub name: RenditionName,
    /// The input's stream that it is made from.
    pub stream: u32,
    /// ISO 639-2/T; `None` where it is not known.
    pub language: Option<String>,
    /// Its constant rate.
    pub rate: Bitrate,
}

/// Samples per second of every audio rendition.
pub const AUDIO_RATE: u32 = 48_000;

impl Ladder {
    /// The ladder for a source. Never larger than the source in either direction.
    ///
    /// # Errors
    /// A setting out of its range, or a picture smaller than 2 by 2 pixels.
    pub fn fit(source: &Source, settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        let video = &source.video;
        let frame_rate = FrameRate::fit(video.frame_rate, video.base_rate);
        let rungs = rung::rungs(video.width, video.height, frame_rate, settings)?;
        if rungs.is_empty() {
            let what = format!(
                "expected a picture of at least 2 by 2 pixels, found {} by {}",
                video.width, video.height
            );
            return Err(Error::input(&source.path, what));
        }
        Ok(Self {
            rungs,
            audio: audio(&source.audio)?,
            frame_rate,
            frames: frame_rate.frames(source.duration),
            gop: frame_rate.frames(settings.gop),
            segment_target: settings.segment_target,
            preset: settings.preset,
        })
    }

    /// How long every rendition is, to the frame.
    pub fn duration(&self) -> MediaTime {
        self.frame_rate.at(self.frames)
    }
}

/// The best track of each language: the one marked as default, then the one with the most channels, then the first.
fn audio(tracks: &[AudioSource]) -> Result<Vec<AudioRung>, Error> {
    let mut seen = BTreeSet::new();
    let mut rungs = Vec::new();
    for track in tracks {
        if !seen.insert(track.language.as_deref()) {
            continue;
        }
        let best = tracks
            .iter()
            .filter(|other| other.language == track.language)
            .min_by_key(|other| (!other.default, std::cmp::Reverse(other.channels), other.index))
            .unwrap_or(track);
        let language = best.language.as_deref().unwrap_or("und");
        rungs.push(AudioRung {
            name: rung::name("audio", language)?,
            stream: best.index,
            language: best.language.clone(),
            rate: Bitrate(128_000),
        });
    }
    Ok(rungs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::{audio_track, picture};
    use proptest::prelude::*;

    fn fit(source: &Source) -> Ladder {
        Ladder::fit(source, &Settings::default()).unwrap()
    }

    fn sizes(source: &Source) -> Vec<(u32, u32)> {
        fit(source).rungs.iter().map(|rung| (rung.width, rung.height)).collect()
    }

    #[test]
    fn a_full_hd_source_gets_all_default_rungs() {
        let sizes = sizes(&picture(1920, 1080));
        assert_eq!(sizes, [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]);
        assert_eq!(fit(&picture(1920, 1080)).rungs[1].name.as_str(), "video-720");
    }

    #[test]
    fn a_larger_source_is_brought_down_to_the_top_rung() {
        assert_eq!(sizes(&picture(3840, 2160))[0], (1920, 1080));
    }

    #[test]
    fn a_height_between_rungs_gets_its_own_top_rung_unless_the_next_is_near() {
        assert_eq!(sizes(&picture(1600, 900))[..2], [(1600, 900), (1280, 720)]);
        assert_eq!(sizes(&picture(1334, 750))[0], (1280, 720));
        assert_eq!(sizes(&picture(853, 479)), [(852, 478), (642, 360), (428, 240)]);
    }

    #[test]
    fn a_portrait_video_is_fitted_by_its_short_side() {
        let source = picture(1080, 1920);
        assert_eq!(sizes(&source)[..2], [(1080, 1920), (720, 1280)]);
        assert_eq!(fit(&source).rungs[0].name.as_str(), "video-1080");
    }

    #[test]
    fn a_tiny_source_keeps_its_size() {
        assert_eq!(sizes(&picture(161, 121)), [(160, 120)]);
        assert!(Ladder::fit(&picture(640, 1), &Settings::default()).is_err());
    }

    #[test]
    fn rates_above_30_frames_get_half_as_much_again() {
        let mut fast = picture(1920, 1080);
        fast.video.frame_rate = FrameRate::new(60, 1);
        fast.video.base_rate = fast.video.frame_rate;
        let (slow, fast) = (fit(&picture(1920, 1080)), fit(&fast));
        assert_eq!(fast.rungs[0].max_rate.0 * 2, slow.rungs[0].max_rate.0 * 3);
        assert_eq!((slow.gop, fast.gop), (60, 120));
    }

    #[test]
    fn each_language_is_made_once_from_its_best_track() {
        let mut source = picture(640, 360);
        source.audio = vec![
            audio_track(1, Some("eng"), 2),
            audio_track(2, Some("deu"), 2),
            audio_track(3, Some("eng"), 6),
            AudioSource { default: true, ..audio_track(4, Some("deu"), 1) },
            audio_track(5, None, 2),
        ];
        let made: Vec<_> =
            fit(&source).audio.into_iter().map(|rung| (rung.name.to_string(), rung.stream)).collect();
        assert_eq!(made, [("audio-eng".into(), 3), ("audio-deu".into(), 4), ("audio-und".into(), 5)]);
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let settings = Settings { segment_target: MediaTime::from_millis(5_000), ..Settings::default() };
        let error = Ladder::fit(&picture(640, 360), &settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "segment target: expected a whole number of GOPs, found 5.000000 s of 2.000000 s"
        );
    }

    proptest! {
        #[test]
        fn no_rung_is_larger_than_its_source_and_all_are_even(
            width in 2u32..8000, height in 2u32..8000, max in 2u32..5000,
        ) {
            let settings = Settings { max_height: max, ..Settings::default() };
            let ladder = Ladder::fit(&picture(width, height), &settings).unwrap();
            prop_assert!(!ladder.rungs.is_empty());
            for rung in &ladder.rungs {
                prop_assert!(rung.width <= width && rung.height <= height, "{rung:?}");
                prop_assert!(rung.width.min(rung.height) <= max.max(2), "{rung:?}");
                prop_assert!(rung.width >= 2 && rung.height >= 2 && rung.width % 2 == 0 && rung.height % 2 == 0);
                prop_assert!(rung.max_rate.0 > 0);
            }
            let names: BTreeSet<_> = ladder.rungs.iter().map(|rung| rung.name.as_str()).collect();
            prop_assert_eq!(names.len(), ladder.rungs.len());
            prop_assert!(ladder.rungs.is_sorted_by(|a, b| a.width * a.height > b.width * b.height));
        }

        #[test]
        fn audio_names_are_unique(languages in prop::collection::vec(prop::option::of("[a-z]{3}"), 0..12)) {
            let mut source = picture(640, 360);
            source.audio = (1..).zip(&languages).map(|(index, language)| audio_track(index, language.as_deref(), 2)).collect();
            let ladder = fit(&source);
            let names: BTreeSet<_> = ladder.audio.iter().map(|rung| rung.name.clone()).collect();
            prop_assert_eq!(names.len(), ladder.audio.len());
        }
    }
}
