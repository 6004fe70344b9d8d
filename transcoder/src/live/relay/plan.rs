//! What is made of a publisher's stream.

use std::path::Path;

use packager::time::{Bitrate, MediaTime};

use super::Settings;
use super::command::suits;
use super::feed::{self, Feed};
use super::ring::Placed;
use super::slate::Silent;
use super::timeline::Role;
use crate::ingest::flv::{Video, VideoCodec};
use crate::ingest::{Tag, TagKind};
use crate::ladder::{self, FrameRate, Ladder, Rung};
use crate::source::{Scan, Source, Transfer};
use crate::{Cancel, Error, Tools};

/// The first second or so of a stream, looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub(super) source: Source,
    pub(super) silent: Option<Silent>,
    /// From the first keyframe to the second, where both were there.
    gop_ms: Option<i64>,
    /// Of the pictures.
    rate: Bitrate,
    /// Whether the pictures are H.264.
    is_h264: bool,
}

/// What is made. Names and frame rate stay for the whole show.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) source: Source,
    pub(super) rate: FrameRate,
    /// The tallest first; at least one.
    pub(super) rungs: Vec<Rung>,
    /// Whether the tallest is the publisher's own.
    pub(super) is_passed: bool,
    pub(super) has_sound: bool,
}

/// Looks at what a publisher sends. `folder` is for temporary files, which are gone afterwards.
///
/// # Errors
/// [`Error::Input`] where it cannot be decoded, [`Error::Scratch`], [`Error::Tool`].
pub(super) async fn look(
    heads: &[Tag],
    tags: &[Placed],
    tools: &Tools,
    folder: &Path,
    cancel: &Cancel,
) -> Result<Look, Error> {
    let scratch = |error: std::io::Error| Error::scratch(folder, &error);
    let folder = tempfile::Builder::new().prefix("live-").tempdir_in(folder).map_err(scratch)?;
    let file = folder.path().join("publication").with_extension(feed::format(heads));
    let sound = heads.iter().find(|head| head.kind == TagKind::Audio);
    let codecs = || Error::input(&file, "expected codecs that can be fed to ffmpeg, found others");
    tokio::fs::write(&file, recording(heads, tags).ok_or_else(codecs)?).await.map_err(scratch)?;
    let source = Source::probe(&file, tools, cancel).await?;
    let silent = match sound {
        Some(head) => Silent::make(head, tools, folder.path(), cancel).await?,
        None => None,
    };
    let mut keys = tags.iter().filter(|placed| placed.role == Role::Key);
    let gop_ms = keys.next().zip(keys.next()).map(|(first, second)| second.shown_ms - first.shown_ms);
    let pictures = heads.iter().find(|head| head.kind == TagKind::Video);
    let is_h264 = pictures
        .is_some_and(|head| Video::read(&head.data).is_ok_and(|video| video.codec == VideoCodec::H264));
    Ok(Look { source, silent, gop_ms, rate: rate(tags), is_h264 })
}

/// The tags as a file.
fn recording(heads: &[Tag], tags: &[Placed]) -> Option<Vec<u8>> {
    let first_ms = tags.iter().map(|placed| placed.at_ms).min().unwrap_or(0);
    let (mut feed, mut pieces) = Feed::begin(heads, 0)?;
    for placed in tags {
        pieces.extend(feed.pieces(&placed.tag, placed.at_ms.saturating_sub(first_ms)));
    }
    Some(pieces.concat())
}

/// The bit rate of the pictures.
fn rate(tags: &[Placed]) -> Bitrate {
    let pictures = || tags.iter().filter(|placed| placed.role != Role::Sound);
    let (Some(first), Some(last)) = (pictures().next(), pictures().last()) else { return Bitrate(0) };
    // The last one belongs to the time after it.
    let bytes: usize = pictures().map(|placed| placed.tag.data.len()).sum::<usize>() - last.tag.data.len();
    Bitrate::of(bytes as u64, MediaTime::from_millis(last.at_ms.saturating_sub(first.at_ms)))
}

impl Plan {
    /// What is made of a stream when a show begins.
    ///
    /// # Errors
    /// [`Error::Input`], [`Error::Setting`].
    pub(super) fn new(look: &Look, settings: &Settings) -> Result<Self, Error> {
        let wanted = ladder::Settings {
            preset: settings.preset,
            max_height: settings.max_height,
            ..ladder::Settings::default()
        };
        let Ladder { mut rungs, frame_rate, .. } = Ladder::fit(&look.source, &wanted)?;
        rungs.truncate(settings.rungs.max(1));
        let whole = FrameRate::new(frame_rate.num().div_ceil(frame_rate.den()), 1);
        let rate = if suits(frame_rate) { frame_rate } else { whole.unwrap_or(frame_rate) };
        let has_sound = !look.source.audio.is_empty();
        let mut plan = Self { source: look.source.clone(), rate, rungs, is_passed: false, has_sound };
        plan.is_passed = plan.conforms(look, settings);
        Ok(plan)
    }

    /// The same tracks when the publisher's stream has become another one: each rung keeps its name and its short side,
    /// and gets the shape of the new picture. One that is now larger than the source is scaled up all the same:
    /// a track that ended in mid-show would leave its viewers behind.
    pub(super) fn again(&self, look: &Look, settings: &Settings) -> Self {
        let video = &look.source.video;
        let rungs = self.rungs.iter().map(|rung| reshaped(rung, video.width, video.height)).collect();
        let has_sound = self.has_sound || !look.source.audio.is_empty();
        let mut plan = Self { source: look.source.clone(), rungs, has_sound, ..*self };
        plan.is_passed = plan.conforms(look, settings);
        plan
    }

    /// Whether the source can be the tallest rung as it is.
    fn conforms(&self, look: &Look, settings: &Settings) -> bool {
        let (Some(cap), Some(top)) = (settings.pass_through, self.rungs.first()) else { return false };
        let video = &look.source.video;
        let is_plain = look.is_h264
            && video.pixel_format == "yuv420p"
            && video.scan == Scan::Progressive
            && video.transfer == Transfer::Standard
            && video.rotation == 0;
        let divides = look.gop_ms.is_some_and(|gop| divides(gop, i64::from(settings.segment_ms)));
        is_plain && divides && look.rate <= cap && (video.width, video.height) == (top.width, top.height)
    }
}

/// Whether so many GOPs make a segment, to the rounding of FLV's milliseconds.
fn divides(gop_ms: i64, segment_ms: i64) -> bool {
    if gop_ms <= 0 {
        return false;
    }
    let count = (segment_ms + gop_ms / 2) / gop_ms;
    count > 0 && (count * gop_ms).abs_diff(segment_ms) <= count.unsigned_abs()
}

fn reshaped(rung: &Rung, width: u32, height: u32) -> Rung {
    let side = rung.width.min(rung.height);
    let (short, long) = (u64::from(width.min(height)).max(1), u64::from(width.max(height)));
    // To the nearest even number.
    let other = (u64::from(side) * long + short) / (2 * short) * 2;
    let other = u32::try_from(other).unwrap_or(side).max(side);
    let (width, height) = if width < height { (side, other) } else { (other, side) };
    Rung { width, height, ..rung.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::{audio_track, picture};

    fn seen(width: u32, height: u32) -> Look {
        let mut source = picture(width, height);
        source.audio = vec![audio_track(1, None, 2)];
        Look { source, silent: None, gop_ms: Some(2_000), rate: Bitrate(2_500_000), is_h264: true }
    }

    fn settings() -> Settings {
        Settings { pass_through: Some(Bitrate(6_000_000)), ..Settings::default() }
    }

    fn sizes(plan: &Plan) -> Vec<(String, u32, u32)> {
        plan.rungs.iter().map(|rung| (rung.name.to_string(), rung.width, rung.height)).collect()
    }

    #[test]
    fn a_conforming_source_is_passed_through_and_others_are_not() {
        let good = seen(1280, 720);
        assert!(Plan::new(&good, &settings()).unwrap().is_passed);
        assert!(!Plan::new(&good, &Settings::default()).unwrap().is_passed, "only where it is wanted");
        let mut bad: Vec<Look> = vec![seen(1920, 1080), seen(1281, 720)];
        bad.push(Look { gop_ms: Some(2_002), ..good.clone() });
        bad.push(Look { gop_ms: None, ..good.clone() });
        bad.push(Look { is_h264: false, ..good.clone() });
        bad.push(Look { rate: Bitrate(6_000_001), ..good.clone() });
        let mut woven = good.clone();
        woven.source.video.scan = Scan::Interlaced;
        bad.push(woven);
        let mut deep = good;
        deep.source.video.pixel_format = "yuv420p10le".into();
        bad.push(deep);
        for look in bad {
            assert!(!Plan::new(&look, &settings()).unwrap().is_passed, "{look:?}");
        }
    }

    #[test]
    fn gops_divide_a_segment_to_the_rounding_of_milliseconds() {
        for (gop, segment, expected) in [
            (2_000, 2_000, true),
            (1_000, 2_000, true),
            (500, 2_000, true),
            (667, 2_000, true),
            (2_001, 2_000, true),
            (2_002, 2_000, false),
            (4_000, 2_000, false),
            (1_500, 2_000, false),
            (0, 2_000, false),
        ] {
            assert_eq!(divides(gop, segment), expected, "{gop} {segment}");
        }
    }

    #[test]
    fn a_show_has_at_most_so_many_rungs_below_the_largest_allowed() {
        let plan = Plan::new(&seen(1920, 1080), &Settings::default()).unwrap();
        let names: Vec<_> = plan.rungs.iter().map(|rung| rung.name.as_str()).collect();
        assert_eq!(names, ["video-720", "video-480", "video-360"]);
    }

    #[test]
    fn a_frame_rate_that_no_base_suits_becomes_a_whole_one() {
        let mut odd = seen(640, 360);
        odd.source.video.frame_rate = FrameRate::new(50, 3);
        odd.source.video.base_rate = FrameRate::new(50, 3);
        assert_eq!(Plan::new(&odd, &Settings::default()).unwrap().rate, FrameRate::new(17, 1).unwrap());
    }

    #[test]
    fn tracks_keep_their_names_and_sides_when_the_picture_becomes_another() {
        let plan = Plan::new(&seen(1280, 720), &settings()).unwrap();
        let small = plan.again(&seen(640, 360), &settings());
        assert_eq!(sizes(&small), sizes(&plan), "the same shape");
        assert!(!small.is_passed);
        let upright = plan.again(&seen(720, 1280), &settings());
        assert_eq!(sizes(&upright)[0], ("video-720".into(), 720, 1280));
        assert!(upright.is_passed);
        assert_eq!(plan.again(&seen(640, 480), &settings()).rungs[0].width, 960);
    }
}
