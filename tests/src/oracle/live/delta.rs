//! Playlist Delta Updates (RFC 8216bis §6.2.5.1): merging one into what its reader has, and what it may leave out.

use std::time::Duration;

use super::playlist::{Playlist, Segment};
use super::{Fault, Faults, ROUNDING};

/// The whole playlist that `update` stands for, to a reader who has `previous` (§6.3.7). A playlist that skips nothing is
/// whole already.
///
/// # Errors
/// When the update skips what the reader does not have.
pub fn merge(previous: &Playlist, update: &Playlist) -> Result<Playlist, Fault> {
    let Some(skip) = &update.skip else { return Ok(update.clone()) };
    let mut whole =
        Playlist { skip: None, version: previous.version, segments: Vec::new(), ..update.clone() };
    for msn in update.sequence..update.first() {
        let Some(segment) = previous.segment(msn) else {
            let found = format!(
                "segment {msn} is skipped, the playlist before had {}..{}",
                previous.first(),
                previous.next()
            );
            return Err(Fault { rule: "§6.2.5.1: an update skips what the playlist before had", found });
        };
        // Parts that old have left the whole playlist too.
        whole.segments.push(Segment { parts: Vec::new(), ..segment.clone() });
    }
    let (mut map, mut dates) = (None, previous.dates().into_iter());
    if let Some(first) = whole.segments.first_mut() {
        // Its date may stand before a segment that has left the window.
        first.date =
            first.date.or_else(|| dates.find(|(msn, _)| *msn == update.sequence).map(|(_, date)| date));
        map = whole.segments.last().and_then(|last| last.map.clone());
    }
    let in_force =
        |segment: &Segment| Segment { map: segment.map.clone().or_else(|| map.clone()), ..segment.clone() };
    whole.segments.extend(update.segments.iter().map(in_force));
    whole.open = update.open.as_ref().map(in_force);
    if let Some(removed) = &skip.removed {
        let mut ranges = previous.ranges.clone();
        ranges.retain(|id, _| !removed.contains(id));
        for (id, range) in &update.ranges {
            ranges.entry(id.clone()).or_default().extend(range.clone());
        }
        whole.ranges = ranges;
    }
    Ok(whole)
}

/// Where two playlists first say different things; the version does not count.
#[must_use]
pub fn difference(one: &Playlist, other: &Playlist) -> Option<String> {
    macro_rules! same {
        ($($field:ident),*) => {
            $(if one.$field != other.$field {
                return Some(format!("{}: {:?} and {:?}", stringify!($field), one.$field, other.$field));
            })*
        };
    }
    same!(
        target,
        part_target,
        control,
        sequence,
        discontinuity_sequence,
        kind,
        is_ended,
        hints,
        reports,
        ranges
    );
    let undated = |segment: &Segment| Segment { date: None, ..segment.clone() };
    let (ours, theirs): (Vec<_>, Vec<_>) = (one.all().collect(), other.all().collect());
    if ours.len() != theirs.len() {
        return Some(format!("{} segments and {}", ours.len(), theirs.len()));
    }
    for ((msn, ours), (_, theirs)) in ours.into_iter().zip(theirs) {
        let (ours, theirs) = (undated(ours), undated(theirs));
        if ours != theirs {
            return Some(format!("segment {msn}: {ours:?} and {theirs:?}"));
        }
    }
    // Where dates are written may differ, what they say may not.
    let dates = one.dates().into_iter().zip(other.dates());
    let off = dates
        .into_iter()
        .find(|(ours, theirs)| ours.0 != theirs.0 || ours.1.abs_diff(theirs.1) > ROUNDING * 2);
    off.map(|off| format!("dates: {off:?}"))
}

/// Judges what was left out of `answer` for `asked`, the value of `_HLS_skip`; `whole` is what it stands for.
#[must_use]
pub fn judge(asked: Option<&str>, answer: &Playlist, whole: &Playlist) -> Vec<Fault> {
    let mut faults = Faults::default();
    let boundary = whole.control("CAN-SKIP-UNTIL").filter(|_| !whole.is_ended);
    let may_skip = matches!(asked, Some("YES" | "v2")) && boundary.is_some();
    let skipped = answer.skip.as_ref().map_or(0, |skip| skip.segments);
    faults.keep(
        "§6.2.5.1: nothing is skipped unasked, nor without CAN-SKIP-UNTIL, nor behind the end",
        may_skip || answer.skip.is_none(),
        || format!("_HLS_skip {asked:?}, CAN-SKIP-UNTIL {boundary:?}, {skipped} segments skipped"),
    );
    if let Some(boundary) = boundary.filter(|_| may_skip) {
        let (least, most) = beyond(whole, boundary);
        // "The end of the last segment" is that of the last whole one or of the open one.
        faults.keep(
            "§6.2.5.1: segments beyond the skip boundary are skipped, no others",
            (least..=most).contains(&skipped),
            || format!("{skipped} skipped, {least} to {most} lie beyond {boundary:?}"),
        );
        let is_listed = answer.skip.as_ref().is_none_or(|skip| skip.removed.is_some());
        faults.keep(
            "§4.4.5.2: an update that skips date ranges lists those removed",
            asked != Some("v2")
                || is_listed
                || whole.control.as_ref().is_none_or(|c| c.find("CAN-SKIP-DATERANGES").is_none()),
            String::new,
        );
    }
    if let Some(skip) = &answer.skip {
        faults.keep("§4.4.5.2: EXT-X-SKIP replaces segments", skip.segments > 0, String::new);
    }
    faults.0
}

/// How many segments must be skipped and how many may be: those that end farther than `boundary` from the end of the last
/// whole segment, and those that end as far from the end of the open one.
fn beyond(whole: &Playlist, boundary: Duration) -> (u64, u64) {
    let count = |mut from_end: Duration, is_beyond: &dyn Fn(Duration) -> bool| {
        let mut beyond = 0;
        for segment in whole.segments.iter().rev() {
            beyond += u64::from(is_beyond(from_end));
            from_end += segment.duration;
        }
        beyond
    };
    let open = whole.open.as_ref().map_or(Duration::ZERO, Segment::in_parts);
    (
        count(Duration::ZERO, &|from_end| from_end > boundary + FRAMES),
        count(open, &|from_end| from_end + FRAMES >= boundary),
    )
}

/// Segments of sound are a frame longer or shorter than those of the picture; nobody skips a part of a segment.
const FRAMES: Duration = Duration::from_millis(64);
