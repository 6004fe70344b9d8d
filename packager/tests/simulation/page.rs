//! The rules that one playlist must keep by itself.

use super::reader::{Check, Listed, Page, attributes, date, hold, quoted, seconds};

/// What is known of a show beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) is_event: bool,
    pub(crate) is_video: bool,
}

/// Judges a whole playlist.
pub(crate) fn judge(page: &Page<'_>, given: Given) -> Check {
    hold!(page.version == 6, "§8: EXT-X-MAP wants version 6, nothing here wants more: {}", page.version);
    hold!(page.skip.is_none(), "§6.2.5.1: nobody asked to skip");
    hold!(page.is_event == given.is_event, "§6.2.2: EVENT is for playlists that lose nothing");
    hold!(page.target >= 1, "§4.4.3.1: a target duration of {}", page.target);
    control(page)?;
    let end = length(page);
    let mut at = 0;
    let mut former: Option<&Listed<'_>> = None;
    for segment in page.listed() {
        let is_whole = !segment.uri.is_empty();
        one(page, segment, given, is_whole)?;
        let lasts = if is_whole { segment.length } else { segment.parts_length() };
        let is_past = end - (at + lasts) > 3 * page.target * 1_000_000;
        hold!(
            !is_past || segment.parts.is_empty(),
            "§6.2.2: parts of {} are more than three target durations from the end",
            segment.msn
        );
        let is_near = end - at <= 3 * page.target * 1_000_000;
        hold!(
            !is_near || segment.is_gap || !segment.parts.is_empty(),
            "segment {} has no parts",
            segment.msn
        );
        follows(former, segment)?;
        at += lasts;
        former = Some(segment);
    }
    hold!(page.listed().next().is_some(), "a playlist that lists nothing");
    if page.has_ended {
        hold!(page.part_hint.is_none() && page.map_hint.is_none(), "§4.4.5.3: a hint beside EXT-X-ENDLIST");
        hold!(page.open.is_none(), "§4.4.3.4: parts of a segment that never comes");
    } else {
        hold!(page.part_hint.is_some(), "App. B.1: the next part is hinted");
    }
    ranges(page)
}

/// How long it is, open parts included.
pub(crate) fn length(page: &Page<'_>) -> i64 {
    let whole: i64 = page.segments.iter().map(|segment| segment.length).sum();
    whole + page.open.as_ref().map_or(0, Listed::parts_length)
}

/// §4.4.3.7, §4.4.3.8, AS 14.3.
fn control(page: &Page<'_>) -> Check {
    let (mut skip, mut hold_back, mut part_back, mut blocks, mut ranges) = (0, 0, 0, false, false);
    attributes(page.control, |name, value| {
        match name {
            "CAN-SKIP-UNTIL" => skip = seconds(value)?,
            "HOLD-BACK" => hold_back = seconds(value)?,
            "PART-HOLD-BACK" => part_back = seconds(value)?,
            "CAN-BLOCK-RELOAD" => blocks = value == "YES",
            "CAN-SKIP-DATERANGES" => ranges = value == "YES",
            _ => return Err(format!("unknown: {name}")),
        }
        Ok(())
    })?;
    let target = page.target * 1_000_000;
    hold!(blocks && ranges, "§4.4.3.8: blocking and skipping of date ranges are promised");
    hold!(skip >= 6 * target, "§4.4.3.8: a skip boundary of {skip}");
    hold!(hold_back >= 3 * target, "§4.4.3.8: a hold back of {hold_back}");
    hold!(part_back >= 3 * page.part_target, "AS 14.3: a part hold back of {part_back}");
    hold!(page.part_target > 0, "§4.4.3.7: no part target");
    Ok(())
}

/// One segment and its parts.
fn one(page: &Page<'_>, segment: &Listed<'_>, given: Given, is_whole: bool) -> Check {
    let msn = segment.msn;
    hold!(segment.map.is_some(), "§4.4.4.5: segment {msn} has no init segment");
    if is_whole {
        let rounded = (segment.length + 500_000) / 1_000_000;
        hold!(rounded <= page.target, "§4.4.3.1: segment {msn} lasts {} µs", segment.length);
        hold!(segment.length <= page.target * 1_000_000 + 500_000, "AS 7.7: segment {msn}");
        let sum = segment.parts_length();
        hold!(
            segment.parts.is_empty() || sum == segment.length,
            "§3.2: the parts of {msn} last {sum} µs, the segment {} µs",
            segment.length
        );
    }
    let is_missing = segment.parts.iter().all(|part| part.is_gap);
    hold!(
        segment.parts.is_empty() || !is_whole || segment.is_gap == is_missing,
        "§4.4.4.7: segment {msn} is a gap where all its parts are"
    );
    for (index, part) in segment.parts.iter().enumerate() {
        let (target, next) = (page.part_target, segment.parts.get(index + 1));
        let place = || format!("part {msn}.{index} of {} µs, target {target} µs", part.length);
        hold!(part.length <= target, "§4.4.4.9: too long: {}", place());
        let is_last = next.is_none() && is_whole;
        let is_before_gap = next.is_some_and(|next| next.is_gap);
        // The last part of an open segment may turn out to be its last.
        let may_be_last = next.is_none() && !is_whole;
        let is_free = part.is_independent || part.is_gap || is_before_gap || is_last || may_be_last;
        hold!(is_free || part.length * 100 >= target * 85, "§4.4.4.9: too short: {}", place());
        hold!(part.uri == format!("{msn}.{index}.m4s"), "a part's name is its place: {}", part.uri);
        hold!(!(part.is_gap && part.is_independent), "a gap has no frame: {}", place());
        hold!(part.length > 0, "an empty part: {}", place());
    }
    let first = segment.parts.iter().find(|part| !part.is_gap);
    hold!(
        !given.is_video || first.is_none_or(|part| part.is_independent),
        "App. B.1: segment {msn} does not begin with an independent frame"
    );
    hold!(
        given.is_video || segment.parts.iter().all(|part| part.is_independent || part.is_gap),
        "§4.4.4.9: each frame of sound is independent"
    );
    Ok(())
}

/// Dates and init segments from one segment to the next.
fn follows(former: Option<&Listed<'_>>, segment: &Listed<'_>) -> Check {
    let msn = segment.msn;
    let date = segment.date.ok_or_else(|| format!("AS 8.4, App. B.1: segment {msn} has no date"))?;
    let Some(former) = former else { return Ok(()) };
    let planned = former.date.unwrap_or(0) * 1000 + former.length;
    // Each date is cut off to milliseconds.
    hold!(
        (date * 1000 - planned).abs() <= 1001,
        "§6.2.1: segment {msn} begins {} µs off the end of the one before it",
        date * 1000 - planned
    );
    hold!(
        former.map == segment.map || segment.is_discontinuous,
        "§4.4.4.3: segment {msn} is decoded otherwise, without a discontinuity"
    );
    Ok(())
}

/// §4.4.5.1.
fn ranges(page: &Page<'_>) -> Check {
    for tag in &page.ranges {
        let mut seen = (false, None, None);
        attributes(tag.strip_prefix("#EXT-X-DATERANGE:").unwrap_or(tag), |name, value| {
            match name {
                "ID" => seen.0 = !quoted(value)?.is_empty(),
                "CLASS" => drop(quoted(value)?),
                "START-DATE" => seen.1 = Some(date(quoted(value)?)?),
                "DURATION" | "PLANNED-DURATION" => seen.2 = Some(seconds(value)?),
                "SCTE35-OUT" | "SCTE35-IN" | "SCTE35-CMD" => {
                    let upper = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
                    let digits = value.strip_prefix("0x").unwrap_or("-");
                    hold!(digits.bytes().all(upper), "§4.2: {value} is no hexadecimal sequence");
                }
                name if name.starts_with("X-") => drop(quoted(value)?),
                name => return Err(format!("unknown: {name}")),
            }
            Ok(())
        })?;
        hold!(seen.0 && seen.1.is_some(), "§4.4.5.1: {tag} lacks ID or START-DATE");
    }
    for (index, tag) in page.ranges.iter().enumerate() {
        for other in &page.ranges[..index] {
            hold!(tag != other, "the same date range twice: {tag}");
            agree(tag, other)?;
        }
    }
    Ok(())
}

/// §4.4.5.1: two tags with the same id say nothing different.
fn agree(one: &str, other: &str) -> Check {
    let list = |tag: &str| tag.strip_prefix("#EXT-X-DATERANGE:").unwrap_or(tag).to_owned();
    let (one, other) = (list(one), list(other));
    let mut known: Vec<(&str, &str)> = Vec::new();
    attributes(&one, |name, value| {
        known.push((name, value));
        Ok(())
    })?;
    let id =
        |known: &[(&str, &str)]| known.iter().find(|(name, _)| *name == "ID").map(|(_, id)| id.to_string());
    let mut theirs: Vec<(&str, &str)> = Vec::new();
    attributes(&other, |name, value| {
        theirs.push((name, value));
        Ok(())
    })?;
    if id(&known) != id(&theirs) {
        return Ok(());
    }
    for (name, value) in &theirs {
        let same = known.iter().all(|(known, said)| known != name || said == value);
        hold!(same, "§4.4.5.1: {name} of a date range changes: {one} and {other}");
    }
    Ok(())
}
