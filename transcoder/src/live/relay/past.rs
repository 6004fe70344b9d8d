//! What a worker that is gone has made of a show, and what is put between its end and the publisher's return.
//!
//! ```text
//! made by another        the publisher's first picture, again and again      the publisher
//! ─────────────────────┤ key  key  key  key  key  key  key  key  key  key  ├ key ───────────▶
//!                     end                                                   first
//! ```
//!
//! Players that have parts of a segment wait for the rest of it; where that is said to be lost, hls.js waits for good. So the
//! segment in which a worker died is made whole, and no part of it is missing. A publisher that is away for longer than can be
//! filled leaves a gap of whole segments behind that one.
//!
//! ```text
//! ─────────────────────┤ key  key  key ┆        gap        ├ key ─────▶
//!                     end         a boundary             first
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use packager::asset::RenditionName;
use packager::time::{MediaTime, Rounding, Timescale};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Origin;
use super::begins::{SETTLE, millis};
use super::command::{AAC_FRAME, SOUND_RATE};
use super::line::track_end;
use super::ring::Placed;
use super::slate::{LEAST_MS, Silent, tenth_from};
use super::timeline::boundary_from;
use crate::live::SOUND;

/// How far a running show had come when its worker was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Up to when whole segments are known to be published, in milliseconds of Unix time.
    noted_ms: Option<i64>,
    /// Where each track ends; more than one place where origins differ.
    ends: BTreeMap<RenditionName, BTreeSet<MediaTime>>,
}

/// What is put before the first tag of a publisher.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) tags: Vec<Placed>,
    /// Up to where it reaches, in milliseconds of Unix time: to the publisher's first picture, or not.
    pub(super) until_ms: i64,
    pub(super) from_ms: i64,
}

impl Past {
    /// Asks all origins where these tracks end. Who does not answer within a second is not waited for. `noted_ms` is up to
    /// when whole segments were published for certain: where no origin knows the tracks, the show goes on behind that and
    /// behind now, since parts of what was not whole may have been published up to now.
    pub async fn ask(origins: &[Origin], tracks: &[RenditionName], noted_ms: Option<i64>) -> Self {
        let mut asked = JoinSet::new();
        for (origin, track) in
            origins.iter().flat_map(|origin| tracks.iter().map(move |track| (origin, track)))
        {
            let (targets, track) = (origin.targets.clone(), track.clone());
            asked.spawn(async move {
                let target = targets.of(&track).ok()?;
                let end = timeout(PATIENCE, track_end(&target)).await.ok()?.ok()??;
                Some((track, end))
            });
        }
        let mut ends: BTreeMap<RenditionName, BTreeSet<MediaTime>> = BTreeMap::new();
        while let Some(told) = asked.join_next().await {
            if let Ok(Some((track, end))) = told {
                ends.entry(track).or_default().insert(end);
            }
        }
        Self { noted_ms, ends }.newest()
    }

    /// Without the ends that lie far behind the last one: of a track that was given up, or of an origin that lacks more
    /// than anyone sends it again.
    fn newest(mut self) -> Self {
        if let Some(last) = self.ends.values().flatten().max().copied() {
            for ends in self.ends.values_mut() {
                ends.retain(|end| last.since(*end) <= MediaTime::from_millis(FAR_MS));
            }
            self.ends.retain(|_, ends| !ends.is_empty());
        }
        self
    }

    /// Up to when something may have been published, in milliseconds of Unix time.
    pub(super) fn end_ms(&self, now_ms: i64) -> i64 {
        match self.ends.values().flatten().max() {
            Some(last) => last.rescale(Timescale::MILLIS, Rounding::Up).ticks(),
            None => self.noted_ms.map_or(now_ms, |noted| noted.max(now_ms)),
        }
    }

    /// Where a track goes on: where it ends on the origin that has least of it.
    pub(super) fn end(&self, track: &RenditionName) -> Option<MediaTime> {
        self.ends.get(track)?.first().copied()
    }

    /// Where a track ends, on each origin.
    pub(super) fn ends(&self, track: &RenditionName) -> impl Iterator<Item = MediaTime> {
        self.ends.get(track).into_iter().flatten().copied()
    }

    /// What is put before a publisher's first picture, where segments of `segment_ms` have frames of `frame_ms`; `None` where
    /// nothing is missing before it.
    pub(super) fn bridge(
        &self,
        first: &Placed,
        silent: Option<&Silent>,
        segment_ms: i64,
        frame_ms: i64,
    ) -> Option<Bridge> {
        let is_sound = |track: &RenditionName| track.as_str() == SOUND;
        let ends = |sound: bool| self.ends.iter().filter(move |(track, _)| is_sound(track) == sound);
        let pictures: BTreeSet<i64> = ends(false).flat_map(|(_, ends)| ends).copied().map(nearest).collect();
        let (from_ms, last_ms) = (*pictures.first()?, *pictures.last()?);
        let is_short = first.shown_ms.saturating_sub(from_ms) <= longest(first.tag.data.len());
        let until_ms = if is_short { first.shown_ms } else { boundary_from(last_ms, segment_ms) };
        let mut tags: Vec<Placed> = times(&pictures, until_ms, segment_ms)
            .chain((!is_short).then(|| until_ms.saturating_sub(frame_ms)).filter(|at| *at > last_ms))
            .map(|shown_ms| again(first, shown_ms))
            .collect();
        if tags.is_empty() {
            return None;
        }
        // Where they are cut short, the last picture stands for the frame before the boundary, and may come too late.
        tags.sort_by_key(|placed| placed.at_ms);
        tags.dedup_by_key(|placed| placed.at_ms);
        if let Some(silent) = silent {
            let heard = ends(true).flat_map(|(_, ends)| ends).min().map_or(from_ms, |end| millis(*end));
            let begins = heard.saturating_sub(SETTLE_MS);
            let until_ms = if is_short { until_ms } else { until_ms.saturating_add(SETTLE_MS) };
            let frames = (0..).map(|number| silent.frame(begins, number));
            tags.extend(frames.take_while(|frame| frame.at_ms < until_ms));
            tags.sort_by_key(|placed| placed.at_ms);
        }
        Some(Bridge { tags, until_ms, from_ms })
    }
}

/// When the pictures of a bridge are shown: at each end, then at whole tenths of a second and at boundaries.
fn times(ends: &BTreeSet<i64>, until_ms: i64, segment_ms: i64) -> impl Iterator<Item = i64> {
    let next = move |at: i64| {
        let after = at.saturating_add(LEAST_MS);
        let regular = tenth_from(after).min(boundary_from(after, segment_ms));
        ends.range(at.saturating_add(1)..regular).next().copied().unwrap_or(regular)
    };
    std::iter::successors(ends.first().copied(), move |at| Some(next(*at)))
        .take_while(move |at| *at < until_ms)
}

/// A picture, shown at another time.
fn again(first: &Placed, shown_ms: i64) -> Placed {
    let offset_ms = first.shown_ms.saturating_sub(first.at_ms);
    Placed { at_ms: shown_ms.saturating_sub(offset_ms), shown_ms, ..first.clone() }
}

/// The most milliseconds that are filled with a picture of so many bytes.
fn longest(bytes: usize) -> i64 {
    let pictures = MOST_BYTES / bytes.max(1);
    i64::try_from(pictures).unwrap_or(i64::MAX).saturating_mul(super::slate::STEP_MS).min(LONGEST_MS)
}

fn nearest(time: MediaTime) -> i64 {
    time.rescale(Timescale::MILLIS, Rounding::Nearest).ticks()
}

/// How long origins may take to tell. The show waits for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Two segments of the usual length: tracks of a show end together, but for a part.
const FAR_MS: i64 = 4_000;
/// What is filled at most, in milliseconds. The encoder makes it many times faster than it plays, and nobody sees
/// anything new meanwhile.
const LONGEST_MS: i64 = 12_000;
/// The most bytes of the bridge, of what a [`Ring`](super::ring::Ring) holds.
const MOST_BYTES: usize = 24 << 20;
/// What the encoder of sound is fed before what is kept of it, and behind it, in milliseconds.
pub(super) const SETTLE_MS: i64 = (SETTLE * AAC_FRAME * 1_000).div_ceil(SOUND_RATE).cast_signed();

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ingest::{Tag, TagKind};
    use crate::live::relay::timeline::Role;

    const NOW: i64 = 1_800_000_000_000;

    fn past(ends: &[(&str, &[i64])]) -> Past {
        let ends = ends.iter().map(|(track, ends)| {
            (track.parse().unwrap(), ends.iter().map(|at| MediaTime::from_millis(NOW + at)).collect())
        });
        Past { noted_ms: None, ends: ends.collect() }.newest()
    }

    fn key(shown_ms: i64, offset_ms: i64, bytes: usize) -> Placed {
        let tag = Tag { kind: TagKind::Video, at_ms: 0, data: Bytes::from(vec![0; bytes]) };
        Placed { tag, role: Role::Key, at_ms: NOW + shown_ms - offset_ms, shown_ms: NOW + shown_ms }
    }

    fn shown(bridge: &Bridge) -> Vec<i64> {
        let pictures = bridge.tags.iter().filter(|placed| placed.role == Role::Key);
        pictures.map(|placed| placed.shown_ms - NOW).collect()
    }

    #[test]
    fn what_is_missing_is_filled_from_every_end_on_up_to_the_publisher() {
        let past = past(&[("video-360", &[333, 500]), ("video-720", &[333]), ("audio", &[341])]);
        let bridge = past.bridge(&key(1_000, 67, 100), None, 2_000, 33).unwrap();
        assert_eq!((bridge.from_ms, bridge.until_ms), (NOW + 333, NOW + 1_000));
        assert_eq!(shown(&bridge), [333, 400, 500, 600, 700, 800, 900]);
        assert!(bridge.tags.iter().all(|placed| placed.shown_ms - placed.at_ms == 67));
        let name = "video-360".parse().unwrap();
        assert_eq!(past.end(&name), Some(MediaTime::from_millis(NOW + 333)));
        assert_eq!(past.ends(&name).count(), 2);
        assert_eq!(past.end_ms(0), NOW + 500);
    }

    #[test]
    fn a_boundary_has_a_picture_too() {
        let past = past(&[("video-360", &[1_950])]);
        let bridge = past.bridge(&key(4_000, 0, 100), None, 1_920, 33).unwrap();
        assert_eq!(NOW % 1_920, 0);
        assert_eq!(shown(&bridge)[..2], [1_950, 2_000]);
        assert!(shown(&bridge).contains(&3_840));
    }

    #[test]
    fn what_is_too_long_is_filled_up_to_a_boundary() {
        let past = past(&[("video-360", &[333]), ("audio", &[341])]);
        let bridge = past.bridge(&key(30_000, 0, 100), None, 2_000, 33).unwrap();
        assert_eq!(bridge.until_ms, NOW + 2_000);
        assert_eq!(shown(&bridge).last(), Some(&1_967), "the last frame of the segment");
        let heavy = past.bridge(&key(4_000, 0, 1 << 20), None, 2_000, 33).unwrap();
        assert_eq!(heavy.until_ms, NOW + 2_000, "24 pictures of a megabyte are too few");
        let bound = past.bridge(&key(12_333, 0, 100), None, 2_000, 33).unwrap();
        assert_eq!(bound.until_ms, NOW + 12_333);
    }

    #[test]
    fn nothing_is_filled_where_nothing_is_missing_or_nothing_is_known() {
        let at_boundary = past(&[("video-360", &[2_000])]);
        assert!(at_boundary.bridge(&key(2_000, 0, 100), None, 2_000, 33).is_none());
        assert!(
            at_boundary.bridge(&key(60_000, 0, 100), None, 2_000, 33).is_none(),
            "a gap of whole segments"
        );
        let unknown = Past { noted_ms: Some(NOW + 2_000), ..Past::default() };
        assert!(unknown.bridge(&key(4_000, 0, 100), None, 2_000, 33).is_none());
        assert_eq!((unknown.end_ms(NOW), unknown.end_ms(NOW + 2_100)), (NOW + 2_000, NOW + 2_100));
    }

    #[test]
    fn a_track_that_was_given_up_long_ago_holds_back_nobody() {
        let past = past(&[("video-720", &[0]), ("video-360", &[9_000]), ("audio", &[9_010])]);
        assert_eq!(past.end(&"video-720".parse().unwrap()), None);
        assert_eq!(past.bridge(&key(10_000, 0, 9), None, 2_000, 33).unwrap().from_ms, NOW + 9_000);
    }
}
