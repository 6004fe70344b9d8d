//! One set of boundaries for all renditions, and where each rendition is cut at them.

use std::collections::HashSet;

use super::{Source, order};
use crate::Error;
use crate::mp4::Anomalies;
use crate::time::{MediaTime, Rounding};
use crate::track::Track;

/// A segment this many times longer than the target is a reason to leave a rendition out that forces it.
const STRETCH: i64 = 3;
/// Nine days of six-second segments.
const MAX_SEGMENTS: usize = 1 << 17;

/// Orders sources, and leaves out those that cannot share a timeline with the best one.
pub(super) fn align(mut sources: Vec<Source>, target: MediaTime, anomalies: &mut Anomalies) -> Vec<Source> {
    sources.sort_by(order);
    let mut kept: Vec<Source> = Vec::with_capacity(sources.len());
    let mut languages = HashSet::new();
    // Where all videos that are kept have a keyframe.
    let mut common = Vec::new();
    for source in sources {
        let name = source.name.clone();
        if source.track.kind().is_video() {
            if source.track.keyframes().next().is_none() {
                anomalies.note(format!("{name} left out: it has no keyframe"));
                continue;
            }
            match kept.first() {
                None => common = shared(&[&source]),
                Some(best) => match aligned(best, &source, &common, target) {
                    Ok(both) => common = both,
                    Err(why) => {
                        anomalies.note(format!("{name} left out: {why}"));
                        continue;
                    }
                },
            }
        } else if !languages.insert(source.track.language().map(str::to_owned)) {
            anomalies.note(format!("{name} left out: there is audio of this language already"));
            continue;
        }
        kept.push(source);
    }
    kept
}

/// The common keyframes of the videos that are kept, `before`, and of `source`; or why it cannot stand beside them.
fn aligned(
    best: &Source,
    source: &Source,
    before: &[MediaTime],
    target: MediaTime,
) -> Result<Vec<MediaTime>, String> {
    let half = target.since(MediaTime::zero(target.timescale())).ticks() / 2;
    let apart =
        source.track.end().since(best.track.end()).rescale(target.timescale(), Rounding::Nearest).ticks();
    if apart.abs() > half.max(1) {
        return Err(format!("it ends at {} s, {} at {} s", source.track.end(), best.name, best.track.end()));
    }
    // Without a common beginning there is no first boundary.
    let begins = |s: &Source| s.track.keyframes().next().unwrap_or(s.track.start());
    let slack = tolerance(&best.track).max(tolerance(&source.track));
    if !near(Some(&begins(source)), begins(best), slack) {
        return Err(format!("it begins at {} s, {} at {} s", begins(source), best.name, begins(best)));
    }
    let keyframes = before.split_last().map_or(before, |(_, keyframes)| keyframes);
    let mut both = keyframes.to_vec();
    keep_common(&mut both, &best.track, &source.track);
    both.push(best.track.end());
    let limit = MediaTime::new(target.ticks().saturating_mul(STRETCH), target.timescale());
    match longest(&both) {
        after if after > limit && after > longest(before) => {
            Err(format!("its keyframes are not those of {}", best.name))
        }
        _ => Ok(both),
    }
}

fn longest(times: &[MediaTime]) -> MediaTime {
    let gaps = times.windows(2).map(|w| match w {
        [a, b] => b.since(*a),
        _ => MediaTime::from_millis(0),
    });
    gaps.max().unwrap_or(MediaTime::from_millis(0))
}

/// Times at which every video has a sync sample, and the end of the first; empty without video.
fn shared(sources: &[&Source]) -> Vec<MediaTime> {
    let mut videos = sources.iter().filter(|s| s.track.kind().is_video());
    let Some(reference) = videos.next() else { return Vec::new() };
    let mut times: Vec<MediaTime> = reference.track.keyframes().collect();
    for other in videos {
        keep_common(&mut times, &reference.track, &other.track);
    }
    times.push(reference.track.end());
    times
}

/// Keeps those `times` of `reference` at which `other` has a keyframe too.
fn keep_common(times: &mut Vec<MediaTime>, reference: &Track, other: &Track) {
    let slack = tolerance(reference).max(tolerance(other));
    let theirs: Vec<MediaTime> = other.keyframes().collect();
    times.retain(|t| nearest(&theirs, *t).is_some_and(|i| near(theirs.get(i), *t, slack)));
}

/// Half a frame: two encodings of one picture may differ by the rounding of their timescales.
fn tolerance(track: &Track) -> MediaTime {
    let frames = i64::from(track.samples().len().max(1));
    let ticks = i64::try_from(track.samples().duration()).unwrap_or(i64::MAX) / frames / 2;
    MediaTime::new(ticks, track.timescale())
}

fn near(time: Option<&MediaTime>, wanted: MediaTime, slack: MediaTime) -> bool {
    time.is_some_and(|time| {
        let apart = if *time > wanted { time.since(wanted) } else { wanted.since(*time) };
        apart <= slack
    })
}

/// The index of the time nearest to `wanted` in an ascending list.
fn nearest(times: &[MediaTime], wanted: MediaTime) -> Option<usize> {
    let after = times.partition_point(|t| *t < wanted);
    let gap = |i: usize| {
        let time = *times.get(i)?;
        Some(if time > wanted { time.since(wanted) } else { wanted.since(time) })
    };
    match (after.checked_sub(1), gap(after)) {
        (None, None) => None,
        (None, Some(_)) => Some(after),
        (Some(before), None) => Some(before),
        (Some(before), Some(later)) => {
            Some(if gap(before).is_some_and(|earlier| earlier <= later) { before } else { after })
        }
    }
}

/// The timeline's boundaries, the end included.
pub(super) fn boundaries(sources: &[Source], target: MediaTime) -> Result<Vec<MediaTime>, Error> {
    let keyframes = shared(&sources.iter().collect::<Vec<_>>());
    let end = sources.iter().map(|s| s.track.end()).max();
    let start = keyframes.first().copied().or_else(|| sources.first().map(|s| s.track.start()));
    let (Some(end), Some(start)) = (end, start) else { return Ok(Vec::new()) };
    let start = start.max(MediaTime::zero(start.timescale()));
    let mut chosen = vec![start];
    let mut open = start;
    let mut candidates = keyframes.into_iter().filter(|t| *t > start).peekable();
    while let Some(time) = candidates.next() {
        if candidates.peek().is_none_or(|next| closes(time.since(open), next.since(open), target)) {
            chosen.push(time);
            open = time;
        }
    }
    extend(&mut chosen, end, target, sources)?;
    Ok(chosen)
}

/// The timeline's boundaries, the end included: those times of `grid` at which all videos have a keyframe. Where that
/// stretches a segment far beyond the target, the grid is none for these sources.
pub(super) fn on_grid(
    sources: &[Source],
    target: MediaTime,
    grid: &[MediaTime],
) -> Result<Vec<MediaTime>, Error> {
    let own = boundaries(sources, target)?;
    let Some(start) = own.first().copied() else { return Ok(own) };
    let common = shared(&sources.iter().collect::<Vec<_>>());
    let slack = sources.first().map_or(MediaTime::from_millis(0), |best| tolerance(&best.track));
    let mut chosen = vec![start];
    for point in grid {
        let time = match common.split_last() {
            None => Some(*point),
            Some((_, keyframes)) => {
                let found = nearest(keyframes, *point).and_then(|i| keyframes.get(i));
                found.filter(|time| near(Some(time), *point, slack)).copied()
            }
        };
        if let Some(time) = time.filter(|time| chosen.last().is_some_and(|last| time > last)) {
            chosen.push(time);
        }
    }
    chosen.extend(common.last().filter(|end| chosen.last().is_some_and(|last| *end > last)));
    let limit = MediaTime::new(target.ticks().saturating_mul(STRETCH), target.timescale());
    if longest(&chosen) > limit.max(longest(&own)) {
        return Ok(own);
    }
    let end = sources.iter().map(|s| s.track.end()).max();
    extend(&mut chosen, end.unwrap_or(start), target, sources)?;
    Ok(chosen)
}

/// Whether a segment of length `here` is nearer to the target than it would be with one more GOP, `there`.
fn closes(here: MediaTime, there: MediaTime, target: MediaTime) -> bool {
    let long_enough = here.plus(here) >= target;
    here >= target || (long_enough && there.since(target) > target.since(here))
}

/// Adds boundaries for what other renditions have beyond the video's end, or for all of it without video.
fn extend(
    chosen: &mut Vec<MediaTime>,
    end: MediaTime,
    target: MediaTime,
    sources: &[Source],
) -> Result<(), Error> {
    let has_video = sources.iter().any(|s| s.track.kind().is_video());
    // Sound that outlasts the picture by less than this belongs to the last segment.
    let sliver = MediaTime::from_millis(if has_video { 500 } else { 0 });
    let half_more = target.plus(MediaTime::new(target.ticks() / 2, target.timescale()));
    while let Some(open) = chosen.last_mut() {
        let rest = end.since(*open);
        if rest <= sliver {
            *open = end.max(*open);
            break;
        }
        let next = if rest < half_more { end } else { open.plus(target) };
        chosen.push(next);
        if chosen.len() > MAX_SEGMENTS {
            let found = u64::try_from(end.as_micros()).unwrap_or(0)
                / u64::try_from(target.as_micros().max(1)).unwrap_or(1);
            return Err(Error::TooLarge {
                path: "timeline",
                limit: MAX_SEGMENTS as u64,
                unit: "segments",
                found,
            });
        }
    }
    // A track of no duration still has one segment.
    if let [only] = chosen.as_slice() {
        let only = *only;
        chosen.push(only);
    }
    Ok(())
}

/// First sample of each segment and the number of samples; when each segment starts and the last one ends.
pub(super) fn cut(source: &Source, boundaries: &[MediaTime]) -> Result<(Vec<u32>, Vec<MediaTime>), Error> {
    let track = &source.track;
    let count = track.samples().len();
    let begins = boundaries.split_last().map_or(boundaries, |(_, begins)| begins);
    let mut cuts: Vec<u32> = match track.kind().is_video() {
        true => video_cuts(source, begins)?,
        // Frames before the first boundary (priming) are decoded with the first segment.
        false => begins
            .iter()
            .enumerate()
            .map(|(n, b)| if n == 0 { 0 } else { track.first_at_or_after(*b) })
            .collect(),
    };
    cuts.push(count);
    // Segments behind the rendition's own end don't exist.
    while cuts.len() >= 2 && cuts.get(cuts.len() - 2) == Some(&count) {
        cuts.pop();
    }
    if !cuts.is_sorted() {
        return Err(misaligned_error(
            source,
            "expected keyframes in the order of the boundaries, found another",
        ));
    }
    let first = cuts.first().copied().unwrap_or(0);
    let mut starts: Vec<MediaTime> = cuts
        .iter()
        .zip(begins)
        .enumerate()
        .map(|(n, (at, begin))| match (n, track.kind().is_video()) {
            // Sound that is heard before the first picture is part of the first segment.
            (0, false) => track.presented_at(*at).max(MediaTime::zero(track.timescale())).min(*begin),
            (0, true) => *begin,
            // Until the first sample comes, the timeline's own boundaries count.
            _ if *at == first => *begin,
            _ => track.presented_at(*at),
        })
        .collect();
    starts.truncate(cuts.len() - 1);
    // An edit list may trim a track beyond its end: nothing of it is shown, and no time runs backwards.
    let last = starts.last().copied().unwrap_or_else(|| track.end());
    starts.push(track.end().max(last));
    Ok((cuts, starts))
}

fn video_cuts(source: &Source, starts: &[MediaTime]) -> Result<Vec<u32>, Error> {
    let track = &source.track;
    let samples: Vec<u32> = track.samples().sync_samples().collect();
    let times: Vec<MediaTime> = track.keyframes().collect();
    let end = track.end();
    let slack = tolerance(track);
    let mut cuts = Vec::with_capacity(starts.len() + 1);
    for (number, start) in starts.iter().enumerate() {
        // What an edit list trims as a whole still has its one segment, as sound has.
        if *start >= end && number > 0 {
            cuts.push(track.samples().len());
            continue;
        }
        // The timeline may start between two keyframes, where an edit list cuts the media: what is shown there is
        // decoded from the keyframe before it.
        let found = match number {
            0 => Some(times.partition_point(|t| *t <= start.plus(slack)).saturating_sub(1)),
            _ => nearest(&times, *start),
        };
        let at = found.and_then(|i| samples.get(i)).copied();
        match at {
            Some(at) if number == 0 || near(found.and_then(|i| times.get(i)), *start, slack) => cuts.push(at),
            _ => {
                let what = format!("expected a keyframe at {start} s, found none");
                return Err(misaligned_error(source, &what));
            }
        }
    }
    Ok(cuts)
}

fn misaligned_error(source: &Source, what: &str) -> Error {
    Error::Misaligned { a: "timeline".to_owned(), b: source.name.to_string(), what: what.to_owned() }
}
