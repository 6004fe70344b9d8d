//! The segments, parts, dates and date ranges of one playlist.

use std::collections::BTreeMap;
use std::time::Duration;

use super::playlist::{Playlist, Segment};
use super::time::{date, seconds};
use super::{Faults, ROUNDING};

pub(super) fn judge(playlist: &Playlist, faults: &mut Faults) {
    for (msn, segment) in playlist.all() {
        whole(playlist, msn, segment, faults);
        parts(playlist, msn, segment, faults);
    }
    dates(playlist, faults);
    for (id, range) in &playlist.ranges {
        date_range(playlist, id, range, faults);
    }
}

fn whole(playlist: &Playlist, msn: u64, segment: &Segment, faults: &mut Faults) {
    if segment.uri.is_empty() {
        return;
    }
    let rounded = (segment.duration + Duration::from_millis(500)).as_secs();
    faults.keep(
        "§4.4.3.1: a segment, rounded, is no longer than the target duration",
        rounded <= playlist.target,
        || format!("segment {msn} of {:?}", segment.duration),
    );
    faults.keep("§4.4.4.1: a segment lasts", !segment.duration.is_zero(), || format!("segment {msn}"));
    // A delta update may leave the map to the copy that its reader has (§4.4.5.2).
    let has_map = segment.map.is_some() || playlist.skip.is_some() || !is_fragmented(&segment.uri);
    faults
        .keep("§3.1.2: a segment of fragmented MP4 has an EXT-X-MAP", has_map, || format!("segment {msn}"));
    let off = segment.in_parts().abs_diff(segment.duration);
    faults.keep(
        "§3.2: the parts of a segment hold just its samples",
        segment.parts.is_empty() || off <= ROUNDING,
        || format!("segment {msn} of {:?}, its parts {:?}", segment.duration, segment.in_parts()),
    );
    let is_lost = !segment.parts.is_empty() && segment.parts.iter().all(|part| part.is_gap);
    faults.keep("§6.2.1: a segment of absent media has EXT-X-GAP", !is_lost || segment.is_gap, || {
        format!("segment {msn}")
    });
}

fn parts(playlist: &Playlist, msn: u64, segment: &Segment, faults: &mut Faults) {
    let Some(target) = playlist.part_target else { return };
    let is_open = segment.uri.is_empty();
    for (index, part) in segment.parts.iter().enumerate() {
        let name = || format!("part {index} of segment {msn}, {:?}", part.duration);
        faults.keep("§4.4.4.9: a part is no longer than the part target", part.duration <= target, name);
        // The last part of an open segment may be its final one: nobody knows yet.
        let is_final = index + 1 == segment.parts.len();
        let is_excused = part.is_independent || part.is_gap || is_final || segment.parts[index + 1].is_gap;
        let least = target * 85 / 100;
        faults.keep(
            "§4.4.4.9: a part lasts 85 % of the part target or more",
            is_excused || part.duration >= least,
            name,
        );
    }
    let from_end = playlist
        .all()
        .skip_while(|(other, _)| *other <= msn)
        .map(|(_, later)| if later.uri.is_empty() { later.in_parts() } else { later.duration });
    let from_end: Duration = from_end.sum();
    let is_near = from_end <= playlist.targets(3);
    faults.keep(
        "§6.2.2: parts over three target durations from the end are removed",
        is_open || segment.parts.is_empty() || is_near,
        || format!("parts of segment {msn}, which ends {from_end:?} before the end"),
    );
    let has_start = segment.parts.iter().any(|part| part.is_independent);
    let is_absent = segment.parts.iter().any(|part| part.is_gap);
    faults.keep(
        "App. B.1: each segment has a part with an independent frame, and says so",
        segment.parts.is_empty() || has_start || is_absent,
        || format!("segment {msn}"),
    );
}

fn dates(playlist: &Playlist, faults: &mut Faults) {
    let dates = playlist.dates();
    let listed = playlist.all().filter(|(_, segment)| !segment.uri.is_empty()).count();
    let is_dated = dates.first().is_some_and(|(msn, _)| *msn == playlist.first());
    // The first listed segment of a delta update may have its date in the part that is skipped.
    let is_excused = listed == 0 || playlist.skip.is_some();
    faults.keep(
        "AS 8.4, App. B.1: a live playlist has EXT-X-PROGRAM-DATE-TIME from its first segment on",
        is_dated || is_excused,
        String::new,
    );
    let mut expected: Option<Duration> = None;
    for (msn, segment) in playlist.all() {
        if segment.is_discontinuous {
            faults.keep(
                "§6.2.1: a discontinuity has its own date",
                segment.date.is_some() || dates.is_empty(),
                || format!("segment {msn}"),
            );
            expected = None;
        }
        if let (Some(date), Some(expected)) = (segment.date, expected) {
            let off = date.abs_diff(expected);
            faults.keep("§6.2.1: dates and durations agree within a frame (AS 8.1)", off <= FRAME, || {
                format!("segment {msn} is dated {off:?} off the end of the one before")
            });
        }
        expected = segment.date.or(expected).map(|date| date + segment.duration);
    }
}

/// §4.4.5.1.
fn date_range(playlist: &Playlist, id: &str, range: &BTreeMap<String, String>, faults: &mut Faults) {
    let has = |name: &str| range.contains_key(name);
    let name = || format!("{id}: {range:?}");
    faults.keep(
        "§4.4.5.1: date ranges need EXT-X-PROGRAM-DATE-TIME",
        !playlist.dates().is_empty() || playlist.skip.is_some(),
        name,
    );
    let start = range.get("START-DATE").and_then(|text| date(text));
    faults.keep("§4.4.5.1: a date range has a START-DATE", start.is_some() || playlist.skip.is_some(), name);
    if let Some(end) = range.get("END-DATE") {
        let end = date(end);
        faults.keep(
            "§4.4.5.1: END-DATE is a date not before START-DATE",
            end.is_some() && end >= start,
            name,
        );
    }
    for length in ["DURATION", "PLANNED-DURATION"] {
        let is_number = range.get(length).is_none_or(|text| seconds(text).is_some());
        faults.keep("§4.4.5.1: durations of date ranges are decimal seconds", is_number, name);
    }
    if has("END-ON-NEXT") {
        let is_sound = has("CLASS") && !has("DURATION") && !has("END-DATE") && range["END-ON-NEXT"] == "YES";
        faults.keep(
            "§4.4.5.1: END-ON-NEXT=YES wants CLASS and neither DURATION nor END-DATE",
            is_sound,
            name,
        );
    }
    let cue = range.get("CUE").map_or("", String::as_str);
    faults.keep(
        "§4.4.5.1: CUE is not both PRE and POST",
        !(cue.contains("PRE") && cue.contains("POST")),
        name,
    );
    for command in ["SCTE35-CMD", "SCTE35-OUT", "SCTE35-IN"] {
        let is_hex = |text: &String| {
            text.strip_prefix("0x").is_some_and(|hex| {
                !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
            })
        };
        faults.keep(
            "§4.2: hexadecimal sequences begin with 0x and have capital digits",
            range.get(command).is_none_or(is_hex),
            name,
        );
    }
}

fn is_fragmented(uri: &str) -> bool {
    let path = uri.split('?').next().unwrap_or_default();
    [".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa"].iter().any(|extension| path.ends_with(extension))
}

/// A frame of AAC at 32,000 Hz, the longest of any that is served.
const FRAME: Duration = Duration::from_millis(32);
