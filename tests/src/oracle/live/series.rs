//! What may change from one playlist of a rendition to the next (RFC 8216bis §6.2.1, §6.2.2), and how soon it must.

use std::time::Duration;

use super::answers::{self, Directives};
use super::delta;
use super::playlist::{Playlist, Segment};
use super::time::{date, seconds};
use super::{Captured, Fault, Faults, ROUNDING};

/// The playlists of one rendition, one after another.
#[derive(Debug)]
pub struct Series {
    slack: Duration,
    /// The last playlist, whole; when the end that it has was first seen.
    last: Option<(Playlist, Duration)>,
}

impl Series {
    /// The beginning of one. `slack` is how late a part may come.
    #[must_use]
    pub fn new(slack: Duration) -> Self {
        Self { slack, last: None }
    }

    /// Judges the next capture against those before.
    pub fn next(&mut self, capture: &Captured, playlist: &Playlist) -> Vec<Fault> {
        let asked = Directives::of(&capture.url);
        let mut faults = answers::judge(&asked, playlist);
        let whole = match (&self.last, &playlist.skip) {
            (_, None) => playlist.clone(),
            (None, Some(_)) => return faults,
            (Some((last, _)), Some(_)) => match delta::merge(last, playlist) {
                Ok(whole) => whole,
                Err(fault) => {
                    faults.push(fault);
                    return faults;
                }
            },
        };
        faults.extend(delta::judge(asked.skip.as_deref(), playlist, &whole));
        let mut since = capture.at;
        if let Some((last, seen)) = &self.last {
            faults.extend(changes(last, &whole));
            let has_moved = whole.end() != last.end();
            if !has_moved {
                since = *seen;
                faults.extend(alike(last, &whole));
            }
            // A plain request shows late what may have come in time.
            if asked.msn.is_some() || !has_moved {
                faults.extend(self.pace(last, &whole, capture.at.saturating_sub(*seen)));
            }
        }
        self.last = Some((whole, since));
        faults
    }

    fn pace(&self, last: &Playlist, whole: &Playlist, took: Duration) -> Vec<Fault> {
        let mut faults = Faults::default();
        if whole.is_ended {
            return faults.0;
        }
        let limit = last.part_target.unwrap_or_else(|| last.targets(3) / 2);
        faults.keep(
            "§6.2.1: a part follows within a part target, a segment within one and a half target durations",
            took <= limit + self.slack,
            || format!("nothing behind {:?} for {took:?}", last.end()),
        );
        faults.0
    }
}

/// Two playlists with the same end say the same: an update, merged, is the whole.
fn alike(last: &Playlist, next: &Playlist) -> Option<Fault> {
    // The end may come to a playlist that has no more media, and date ranges at any time; the window may slide.
    let timeless = |playlist: &Playlist| Playlist { ranges: last.ranges.clone(), ..playlist.clone() };
    if last.is_ended != next.is_ended || last.sequence != next.sequence {
        return None;
    }
    let parted =
        |playlist: &Playlist| playlist.segments.iter().filter(|segment| !segment.parts.is_empty()).count();
    if parted(last) != parted(next) {
        return None;
    }
    let found = delta::difference(&timeless(last), &timeless(next))?;
    Some(Fault {
        rule: "§6.2.5.1: an update, merged into the playlist before, is the whole playlist", found
    })
}

/// Judges what has changed between two whole playlists.
#[must_use]
pub fn changes(last: &Playlist, next: &Playlist) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.keep("§6.2.1: the target duration never changes", last.target == next.target, || {
        format!("{} s, then {} s", last.target, next.target)
    });
    if !next.is_ended {
        faults.keep("A playlist keeps its part target", last.part_target == next.part_target, || {
            format!("{:?}, then {:?}", last.part_target, next.part_target)
        });
        faults.keep("A playlist keeps its server control", last.control == next.control, || {
            format!("{:?}, then {:?}", last.control, next.control)
        });
    }
    faults.keep("§6.2.1: a playlist keeps its type", last.kind == next.kind, || {
        format!("{:?}, then {:?}", last.kind, next.kind)
    });
    faults.keep("§6.2.2: the media sequence never decreases", last.sequence <= next.sequence, || {
        format!("{}, then {}", last.sequence, next.sequence)
    });
    let sequences = (last.discontinuity_sequence.unwrap_or(0), next.discontinuity_sequence.unwrap_or(0));
    faults.keep("§6.2.2: the discontinuity sequence never decreases", sequences.0 <= sequences.1, || {
        format!("{sequences:?}")
    });
    faults.keep("§6.2.1: a playlist only grows at its end", last.end() <= next.end(), || {
        format!("{:?}, then {:?}", last.end(), next.end())
    });
    faults.keep(
        "§4.4.3.4: nothing comes behind the end",
        !last.is_ended || (next.is_ended && last.next() == next.next()),
        || format!("{:?}, then {:?}", last.end(), next.end()),
    );
    let is_removed = last.sequence < next.sequence;
    faults.keep(
        "§4.4.3.5: an EVENT playlist loses no segment",
        !is_removed || last.kind.as_deref() != Some("EVENT"),
        String::new,
    );
    let lasts: Duration = next.segments.iter().map(|segment| segment.duration).sum();
    faults.keep(
        "§6.2.2: no segment is removed that leaves less than three target durations",
        !is_removed || next.is_ended || lasts >= next.targets(3),
        || format!("{lasts:?} are left"),
    );
    for (msn, segment) in last.all() {
        let Some(now) = next.segment(msn).or(next.open.as_ref().filter(|_| next.next() == msn)) else {
            continue;
        };
        same_segment(msn, segment, now, &mut faults);
        let numbers = (discontinuities(last, msn), discontinuities(next, msn));
        let is_known = !segment.uri.is_empty();
        faults.keep(
            "§6.2.2: a segment keeps its discontinuity sequence number",
            !is_known || numbers.0 == numbers.1,
            || format!("segment {msn}: {numbers:?}"),
        );
    }
    let theirs = next.dates();
    for (msn, date) in last.dates() {
        let now = theirs.iter().find(|(own, _)| *own == msn);
        faults.keep(
            "§6.2.1: a segment keeps its date",
            now.is_none_or(|(_, now)| now.abs_diff(date) <= ROUNDING * 2),
            || format!("segment {msn}: {date:?}, then {now:?}"),
        );
    }
    hinted(last, next, &mut faults);
    ranges(last, next, &mut faults);
    faults.0
}

fn same_segment(msn: u64, was: &Segment, is: &Segment, faults: &mut Faults) {
    let found = || format!("segment {msn}: {was:?}, then {is:?}");
    if !was.uri.is_empty() {
        let same = was.uri == is.uri
            && was.duration == is.duration
            && was.map == is.map
            && was.is_discontinuous == is.is_discontinuous
            && was.is_gap == is.is_gap;
        faults.keep("§6.2.1, §6.3.4: a segment that is listed does not change", same, found);
        faults.keep(
            "§6.2.2: parts leave a whole segment together, and none come",
            is.parts.is_empty() || is.parts == was.parts,
            found,
        );
    } else {
        let is_kept = (is.parts.is_empty() && !is.uri.is_empty()) || is.parts.starts_with(&was.parts);
        faults.keep("§6.2.1: parts that are listed do not change", is_kept, found);
        let same = was.parts.is_empty() || (was.map == is.map && was.is_discontinuous == is.is_discontinuous);
        faults.keep("§4.4.4.9: what applies to a segment is known before its first part", same, found);
    }
}

/// The discontinuity sequence number of a segment (§6.2.1).
pub(super) fn discontinuities(playlist: &Playlist, msn: u64) -> u64 {
    let before =
        playlist.all().take_while(|(own, _)| *own <= msn).filter(|(_, segment)| segment.is_discontinuous);
    playlist.discontinuity_sequence.unwrap_or(0) + before.count() as u64
}

/// §4.4.5.3: what was hinted is what came. A hint may be withdrawn where the plan changed (§6.2.6): at a loss, at a
/// discontinuity, and at the end of the first segment, before which nobody knows how the sender cuts.
fn hinted(last: &Playlist, next: &Playlist, faults: &mut Faults) {
    let Some((_, uri)) = last.hints.iter().find(|(kind, _)| kind == "PART") else { return };
    let (msn, known) = last.end();
    let place = |msn: u64| next.segment(msn).or(next.open.as_ref().filter(|_| next.next() == msn));
    let Some(segment) = place(msn).filter(|segment| !segment.parts.is_empty()) else { return };
    let is_full = !segment.uri.is_empty() && segment.parts.len() == known;
    let (segment, index) = if is_full { (place(msn + 1), 0) } else { (Some(segment), known) };
    let Some((segment, part)) = segment.and_then(|segment| Some((segment, segment.parts.get(index)?))) else {
        return;
    };
    let is_unknown = is_full && last.segments.is_empty();
    let is_withdrawn = part.is_gap || (index == 0 && segment.is_discontinuous) || is_unknown;
    faults.keep(
        "§4.4.5.3: the part that comes is the one that was hinted",
        part.uri == *uri || is_withdrawn,
        || format!("{uri} was hinted, {} came", part.uri),
    );
}

/// §4.4.5.1, §6.2.1.
fn ranges(last: &Playlist, next: &Playlist, faults: &mut Faults) {
    for (id, range) in &last.ranges {
        let Some(now) = next.ranges.get(id) else {
            let start = range.get("START-DATE").and_then(|text| date(text)).unwrap_or_default();
            let length = ["DURATION", "PLANNED-DURATION"].iter().find_map(|name| range.get(*name));
            let end = range.get("END-DATE").and_then(|text| date(text));
            let end = end.unwrap_or(start + length.and_then(|text| seconds(text)).unwrap_or_default());
            let is_past = next.dates().first().is_none_or(|(_, first)| end <= *first);
            faults.keep("§6.2.1: a date range stays while a segment of its time is listed", is_past, || {
                format!("{id}: {range:?} has left")
            });
            continue;
        };
        let is_kept = range.iter().all(|(name, value)| now.get(name) == Some(value));
        faults.keep("§4.4.5.1: a date range may gain attributes, not change them", is_kept, || {
            format!("{id}: {range:?}, then {now:?}")
        });
    }
}
