//! Playlist Delta Updates: what a client makes of one (RFC 8216bis §6.2.5.1, §6.3.7), and what may be left out.

use super::reader::{Check, Page, attributes, hold, quoted};

/// A playlist in pieces: the lines of its head, its date ranges, its segments, and what stands behind them.
#[derive(Debug, Default)]
struct Pieces<'a> {
    head: Vec<&'a str>,
    ranges: Vec<&'a str>,
    segments: Vec<Vec<&'a str>>,
    tail: Vec<&'a str>,
}

/// The tags that are applied to segments.
const OF_SEGMENTS: [&str; 7] = [
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-MAP:",
    "#EXT-X-PROGRAM-DATE-TIME:",
    "#EXT-X-GAP",
    "#EXT-X-PART:",
    "#EXTINF:",
    "#EXT-X-KEY:",
];

fn pieces(text: &str) -> Pieces<'_> {
    let mut pieces = Pieces::default();
    let mut segment = Vec::new();
    for line in text.lines() {
        let is_sequence = line.starts_with("#EXT-X-DISCONTINUITY-SEQUENCE");
        if line.starts_with("#EXT-X-DATERANGE:") {
            pieces.ranges.push(line);
        } else if !line.starts_with('#') {
            segment.push(line);
            pieces.segments.push(std::mem::take(&mut segment));
        } else if !is_sequence && OF_SEGMENTS.iter().any(|tag| line.starts_with(tag)) {
            segment.push(line);
        } else if pieces.segments.is_empty() && segment.is_empty() && !is_behind(line) {
            pieces.head.push(line);
        } else {
            pieces.tail.push(line);
        }
    }
    // Parts of the open segment stand before the hints.
    segment.append(&mut pieces.tail);
    pieces.tail = segment;
    pieces
}

fn is_behind(line: &str) -> bool {
    ["#EXT-X-PRELOAD-HINT", "#EXT-X-RENDITION-REPORT", "#EXT-X-ENDLIST"]
        .iter()
        .any(|tag| line.starts_with(tag))
}

/// What a client that has `former` makes of `update`; `None` where it lacks what was skipped and must ask for all.
pub(crate) fn merge(former: &str, update: &str) -> Check<Option<String>> {
    let (old, new) = (Page::read(former)?, Page::read(update)?);
    let Some(skip) = new.skip else { return Ok(Some(whole(update))) };
    if new.sequence < old.sequence || new.first() > old.next() {
        return Ok(None);
    }
    let (had, mut got) = (pieces(former), pieces(update));
    got.head.retain(|line| !line.starts_with("#EXT-X-SKIP:"));
    got.head.iter_mut().filter(|line| line.starts_with("#EXT-X-VERSION:")).for_each(|line| {
        *line = had.head.iter().find(|line| line.starts_with("#EXT-X-VERSION:")).unwrap_or(&"");
    });
    if let Some(removed) = skip.removed {
        let removed: Vec<&str> = removed.split('\t').collect();
        for range in had.ranges {
            if !removed.contains(&id(range)?) && !got.ranges.contains(&range) {
                got.ranges.push(range);
            }
        }
    }
    let from = (new.sequence - old.sequence) as usize;
    let mut segments: Vec<Vec<&str>> = had.segments[from..from + skip.segments as usize].to_vec();
    for segment in &mut segments {
        // So far from the end there are no parts.
        segment.retain(|line| !line.starts_with("#EXT-X-PART:"));
    }
    // The init segment of the first may have been named before it.
    let map = |segment: &[&str]| segment.iter().any(|line| line.starts_with("#EXT-X-MAP:"));
    let in_force = format!("#EXT-X-MAP:URI=\"{}\"", old.segments[from].map.unwrap_or(""));
    if segments.first().is_some_and(|first| !map(first)) {
        let first = &mut segments[0];
        let place = usize::from(first[0] == "#EXT-X-DISCONTINUITY");
        first.insert(place, &in_force);
    }
    segments.append(&mut got.segments);
    got.ranges.sort_unstable();
    let lines = [got.head, got.ranges, segments.concat(), got.tail].concat();
    Ok(Some(lines.join("\n") + "\n"))
}

/// A playlist as [`merge`] writes it: its date ranges in one place, sorted.
pub(crate) fn whole(text: &str) -> String {
    let mut pieces = pieces(text);
    pieces.ranges.sort_unstable();
    let lines = [pieces.head, pieces.ranges, pieces.segments.concat(), pieces.tail].concat();
    lines.join("\n") + "\n"
}

fn id(range: &str) -> Check<&str> {
    let mut id = "";
    attributes(range.strip_prefix("#EXT-X-DATERANGE:").unwrap_or(range), |name, value| {
        if name == "ID" {
            id = quoted(value)?;
        }
        Ok(())
    })?;
    Ok(id)
}

/// How many segments an update leaves out: those that are further from the end of the last whole one than the boundary.
pub(crate) fn skippable(page: &Page<'_>) -> u64 {
    if page.has_ended {
        return 0;
    }
    let boundary = 6 * page.target * 1_000_000;
    let (mut from_end, mut count) = (0, 0);
    for segment in page.segments.iter().rev() {
        count += u64::from(from_end > boundary);
        from_end += segment.length;
    }
    count
}

/// Judges an update against the whole playlist.
pub(crate) fn judge(update: &str, page: &Page<'_>, with_ranges: bool) -> Check {
    let new = Page::read(update)?;
    let wanted = skippable(page);
    let Some(skip) = new.skip else {
        hold!(wanted == 0, "§6.2.5.1: nothing is skipped, {wanted} segments could be");
        return Ok(());
    };
    hold!(
        skip.segments == wanted && wanted > 0,
        "§6.2.5.1: {} segments are skipped, not {wanted}",
        skip.segments
    );
    hold!(skip.removed.is_some() == with_ranges, "§4.4.5.2: RECENTLY-REMOVED-DATERANGES is for v2");
    let versions = if with_ranges { 9..=10 } else { 9..=9 };
    hold!(versions.contains(&new.version), "§8: version {}", new.version);
    hold!(
        new.discontinuities == page.discontinuities && new.sequence == page.sequence,
        "§4.4.5.2: skipping changes no sequence"
    );
    Ok(())
}
