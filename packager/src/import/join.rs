//! The segments of a track, joined into one.

use crate::index::{Sample, SampleTable, TableBuilder};
use crate::time::{MediaTime, Rounding, Timescale};
use crate::track::{Language, Track};

/// A segment's track, where it is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) track: &'a Track,
    /// When its first sample is presented.
    pub(super) start: MediaTime,
    /// Where the segment lies in the rendition's bytes, …
    pub(super) at: u64,
    /// … and where it lay in what the track was read from.
    pub(super) media_at: u64,
}

/// A whole track.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) track: Track,
    /// The first sample of each segment.
    pub(super) firsts: Vec<u32>,
}

/// Joins segments that have the same decoder configuration. Presentation times are exactly those that are asked for;
/// where two segments leave a hole or overlap, the last sample of the first one is lengthened or shortened. Frames of
/// sound that would be heard while the segment before still is, as an encoder's priming, are dropped.
pub(super) fn join(shots: &[Placed<'_>], language: Option<Language>) -> Result<Joined, &'static str> {
    let first = shots.first().ok_or("expected a segment, found none")?;
    let scale = first.track.timescale();
    let begin = first.start.rescale(scale, Rounding::Nearest).ticks();
    let mut joint = Joint { scale, skip: begin.min(0).saturating_neg(), ..Joint::default() };
    let skip = u32::try_from(joint.skip)
        .map_err(|_| "expected sound that starts near the pictures, found it earlier")?;
    let mut firsts = Vec::with_capacity(shots.len());
    for shot in shots {
        firsts.push(joint.builder.len());
        joint.append(shot)?;
    }
    let start = joint.builder.start();
    let samples = joint.builder.finish(start, 0).ok_or("expected samples, found none")?;
    let Track { kind, decoding, language: own, .. } = first.track.clone();
    let language = language.unwrap_or(own);
    Ok(Joined { track: Track { kind, timescale: scale, language, decoding, skip, samples }, firsts })
}

/// A track that is being joined. Times are ticks of `scale`, `skip` later than they are presented.
struct Joint {
    scale: Timescale,
    skip: i64,
    builder: TableBuilder,
    /// When the last sample is decoded, and when the next one would be.
    last: i64,
    end: i64,
}

impl Default for Joint {
    fn default() -> Self {
        Self { scale: Timescale::MPEG, skip: 0, builder: TableBuilder::default(), last: 0, end: 0 }
    }
}

impl Joint {
    fn append(&mut self, shot: &Placed<'_>) -> Result<(), &'static str> {
        let table = shot.track.samples();
        let is_video = shot.track.kind().is_video();
        let from = shot.track.timescale();
        let begin = shot.start.rescale(self.scale, Rounding::Nearest).ticks().saturating_add(self.skip);
        let place = |ticks: i64| {
            let since = ticks.saturating_sub(i64::try_from(table.start()).unwrap_or(i64::MAX));
            begin.saturating_add(MediaTime::new(since, from).rescale(self.scale, Rounding::Nearest).ticks())
        };
        let is_first = self.builder.len() == 0;
        // How much later samples are decoded than the segment says, so that none is before the last one.
        let mut late = None;
        for (sample, at) in located(table) {
            let decode = i64::try_from(sample.decode).unwrap_or(i64::MAX);
            let presented = place(decode.saturating_add(i64::from(sample.offset)));
            let next = place(decode.saturating_add(i64::from(sample.duration)));
            let mut decode = place(decode);
            let duration = next.saturating_sub(decode);
            if late.is_none() {
                if !is_first && !is_video && decode < self.end.saturating_sub(duration / 2) {
                    continue;
                }
                let floor = if is_first { decode } else { self.last };
                late = Some(floor.saturating_sub(decode).max(0));
                self.builder.seek(u64::try_from(decode.max(floor)).unwrap_or(0));
            }
            decode = decode.saturating_add(late.unwrap_or(0));
            let offset = presented.saturating_sub(decode);
            let sample = Sample {
                decode: 0,
                duration: u32::try_from(duration)
                    .map_err(|_| "expected samples of 32 bits of time, found longer ones")?,
                offset: i32::try_from(offset)
                    .map_err(|_| "expected composition offsets of 32 bits, found larger ones")?,
                size: sample.size,
                // A frame of sound needs no other; some packagers leave its flags at what video has.
                sync: sample.sync || !is_video,
            };
            let at = at.saturating_sub(shot.media_at).saturating_add(shot.at);
            self.builder.push(sample, at).map_err(|_| "expected at most 16,777,216 samples, found more")?;
            (self.last, self.end) = (decode, decode.saturating_add(duration));
        }
        Ok(())
    }
}

/// Each sample and where its bytes lie.
fn located(table: &SampleTable) -> impl Iterator<Item = (Sample, u64)> + '_ {
    let mut ranges = table.byte_ranges(0..table.len()).into_iter();
    let mut open = ranges.next().unwrap_or_default();
    table.samples(0..table.len()).map(move |sample| {
        if open.is_empty() && sample.size > 0 {
            open = ranges.next().unwrap_or_default();
        }
        let at = open.start();
        // Ranges are made of whole samples.
        open = crate::range::ByteRange::new(at.saturating_add(u64::from(sample.size)), open.end());
        (sample, at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::{rows, table};
    use crate::track::{Decoding, TrackKind};
    use proptest::prelude::*;

    const SOUND: TrackKind = TrackKind::Audio { channels: 2, sample_rate: 48_000 };
    const PICTURES: TrackKind = TrackKind::Video { width: 2, height: 2, pixel_aspect: (1, 1) };

    fn track(kind: TrackKind, scale: u32, samples: SampleTable) -> Track {
        let decoding = Decoding { codec: "x".into(), entry: bytes::Bytes::new(), matrix: [0; 9] };
        let (timescale, language) = (Timescale::new(scale).unwrap(), Language::UNDETERMINED);
        Track { kind, timescale, language, decoding, skip: 0, samples }
    }

    fn even(kind: TrackKind, scale: u32, count: u32, duration: u32) -> Track {
        let mut builder = TableBuilder::default();
        builder.seek(5_000);
        for n in 0..count {
            let sample = Sample { decode: 0, duration, offset: 0, size: 10, sync: n == 0 };
            builder.push(sample, 100 + u64::from(n) * 10).unwrap();
        }
        track(kind, scale, builder.finish(5_000, 0).unwrap())
    }

    fn placed(track: &Track, ticks: i64, at: u64) -> Placed<'_> {
        Placed { track, start: MediaTime::new(ticks, track.timescale()), at, media_at: 100 }
    }

    fn times(joined: &Joined) -> Vec<i64> {
        (0..joined.track.samples().len()).map(|i| joined.track.presented_at(i).ticks()).collect()
    }

    #[test]
    fn priming_is_skipped_at_the_start_and_dropped_later() {
        let sound = even(SOUND, 48_000, 3, 1024);
        let joined = join(&[placed(&sound, -1024, 0), placed(&sound, 1024, 30)], None).unwrap();
        assert_eq!(joined.track.skip(), 1024);
        assert_eq!(times(&joined), [-1024, 0, 1024, 2048, 3072]);
        assert_eq!(joined.firsts, [0, 3]);
        let ranges = joined.track.samples().byte_ranges(0..5);
        assert_eq!(ranges, [crate::range::ByteRange::new(0, 30), crate::range::ByteRange::new(40, 60)]);
        assert!(joined.track.samples().all_sync());
    }

    #[test]
    fn a_hole_lengthens_the_last_sample_and_another_timescale_is_rescaled() {
        let (first, second) = (even(PICTURES, 1000, 2, 40), even(PICTURES, 90_000, 2, 3600));
        let joined = join(&[placed(&first, 0, 0), placed(&second, 9000, 20)], None).unwrap();
        assert_eq!(times(&joined), [0, 40, 100, 140]);
        assert_eq!(joined.track.samples().duration(), 180);
    }

    #[test]
    fn pictures_that_overlap_keep_their_presentation_times() {
        let first = even(PICTURES, 1000, 3, 40);
        let joined = join(&[placed(&first, 0, 0), placed(&first, 60, 30)], None).unwrap();
        assert_eq!(times(&joined), [0, 40, 80, 60, 100, 140]);
    }

    proptest! {
        #[test]
        fn a_track_that_is_cut_and_joined_is_itself(rows in rows(), at in 1u32..300) {
            let (whole, _) = table(&rows);
            prop_assume!(whole.len() > 1);
            let at = at % (whole.len() - 1) + 1;
            let cut = |range: std::ops::Range<u32>| {
                let mut builder = TableBuilder::default();
                builder.seek(whole.decode_time(range.start));
                for (i, sample) in range.clone().zip(whole.samples(range.clone())) {
                    let place = whole.byte_ranges(i..i + 1).first().map_or(0, |r| r.start());
                    builder.push(sample, place).unwrap();
                }
                let start = builder.start();
                track(PICTURES, 1000, builder.finish(start, 0).unwrap())
            };
            let parts = [cut(0..at), cut(at..whole.len())];
            let start = |t: &Track| MediaTime::new(i64::try_from(t.samples().start()).unwrap(), t.timescale());
            let shots: Vec<_> =
                parts.iter().map(|t| Placed { track: t, start: start(t), at: 0, media_at: 0 }).collect();
            let joined = join(&shots, None).unwrap();
            let times = |t: &SampleTable| t.samples(0..t.len()).map(|s| (s.decode, s.duration, s.offset, s.size)).collect::<Vec<_>>();
            prop_assert_eq!(times(joined.track.samples()), times(&whole));
            prop_assert_eq!(joined.track.samples().byte_ranges(0..whole.len()), whole.byte_ranges(0..whole.len()));
            prop_assert_eq!(joined.firsts, [0, at]);
        }
    }
}
