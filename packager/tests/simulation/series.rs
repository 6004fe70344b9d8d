//! The playlists of one track, one after another: what may change between them (RFC 8216bis §6.2.1, §6.2.2), and whether
//! what they list is what was sent.

use std::sync::Arc;

use forebay_packager::live::Media;

use super::page;
use super::reader::{Check, Listed, Page, hold};
use super::time::micros;
use super::truth::{Took, Truth};

/// All that was ever listed of a track.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// Number of the first.
    pub(crate) base: u64,
    pub(crate) known: Vec<Known>,
    /// The last playlist's head, and what it hinted.
    head: Option<Head>,
    /// Samples that are listed.
    pub(crate) cursor: usize,
    /// Where segments have come and gone between two playlists, from which place in `known` on times are not known to
    /// better than a millisecond.
    blurred: Option<usize>,
}

#[derive(Debug, PartialEq, Eq, Clone)]
struct Head {
    target: i64,
    control: String,
    part_target: i64,
    sequence: u64,
    discontinuities: u64,
    has_ended: bool,
    length: i64,
}

/// A segment that is or was listed. Times are microseconds of the track's timeline.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) msn: u64,
    pub(crate) start: i64,
    pub(crate) length: i64,
    pub(crate) is_whole: bool,
    pub(crate) is_gap: bool,
    pub(crate) is_discontinuous: bool,
    /// Its discontinuity sequence number.
    pub(crate) number: u64,
    pub(crate) map: String,
    pub(crate) date: i64,
    pub(crate) parts: Vec<KnownPart>,
    pub(crate) media: Option<Arc<Media>>,
    /// When it was listed first, and the length of the longest playlist that listed it.
    pub(crate) since_ms: i64,
    pub(crate) longest: i64,
    /// When it, and when its parts, were listed last.
    pub(crate) until_ms: i64,
    pub(crate) parts_until_ms: i64,
    /// It went when memory was short.
    pub(crate) was_shed: bool,
    /// No playlist that anyone saw has listed it.
    pub(crate) is_unseen: bool,
    /// Its samples, by their place among those of use.
    pub(crate) samples: std::ops::Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct KnownPart {
    pub(crate) start: i64,
    pub(crate) length: i64,
    pub(crate) is_gap: bool,
    pub(crate) is_independent: bool,
    pub(crate) media: Option<Arc<Media>>,
    /// Its samples, by their place among those of use.
    pub(crate) samples: std::ops::Range<usize>,
}

/// What is new in a playlist.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Places in `known`.
    pub(crate) closed: Vec<usize>,
    /// Segment and part.
    pub(crate) parts: Vec<(usize, usize)>,
}

/// What a playlist is held against.
pub(crate) struct Facts<'a> {
    pub(crate) truth: &'a Truth,
    pub(crate) anchor_ms: i64,
    pub(crate) now_ms: i64,
    /// The window that is wished for, in microseconds.
    pub(crate) window: Option<i64>,
    /// Half a frame, and a frame, in microseconds.
    pub(crate) slack: i64,
    pub(crate) frame: i64,
    pub(crate) part_target: i64,
    /// What times may be off by where ticks change on the way, in microseconds.
    pub(crate) rounding: i64,
}

impl Series {
    /// Where the listed media ends.
    pub(crate) fn end(&self) -> i64 {
        self.known.last().map_or(
            0,
            |last| {
                if last.is_whole { last.start + last.length } else { last.parts_end() }
            },
        )
    }

    /// Where the last whole segment ends.
    pub(crate) fn whole_end(&self) -> i64 {
        self.known.iter().rev().find(|known| known.is_whole).map_or(0, |known| known.start + known.length)
    }

    pub(crate) fn get(&self, msn: u64) -> Option<&Known> {
        self.known.get(usize::try_from(msn.checked_sub(self.base)?).ok()?)
    }

    pub(crate) fn first_listed(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.sequence)
    }

    /// Judges the next playlist against those before it.
    pub(crate) fn next(&mut self, page: &Page<'_>, facts: &Facts<'_>) -> Check<News> {
        let head = Head {
            target: page.target,
            control: page.control.to_owned(),
            part_target: page.part_target,
            sequence: page.sequence,
            discontinuities: page.discontinuities,
            has_ended: page.has_ended,
            length: page::length(page),
        };
        if let Some(former) = self.head.take() {
            self.succeeds(&former, &head)?;
        } else {
            self.base = page.first();
        }
        if let (Some(window), false) = (facts.window, page.segments.is_empty()) {
            // What is older than the window has left.
            let wanted = window.max(3 * head.target * 1_000_000);
            hold!(
                head.length - page.segments[0].length <= wanted,
                "§6.2.2: {} µs are listed, {wanted} wanted",
                head.length
            );
        }
        let mut news = News::default();
        let mut number = page.discontinuities;
        for segment in page.listed() {
            number += u64::from(segment.is_discontinuous);
            self.segment(segment, number, facts, &mut news)?;
        }
        let first = (page.sequence - self.base) as usize;
        hold!(first <= self.known.len(), "§6.2.2: the media sequence is ahead of what is listed");
        for known in &mut self.known[first..] {
            known.longest = known.longest.max(head.length);
            known.until_ms = facts.now_ms;
        }
        hold!(
            self.known.len() == first + page.listed().count(),
            "§6.2.1: segments that were listed are not: {} to {}, known to {}",
            page.sequence,
            page.next(),
            self.base + self.known.len() as u64
        );
        self.head = Some(head);
        Ok(news)
    }

    fn succeeds(&self, former: &Head, head: &Head) -> Check {
        hold!(former.target == head.target, "§6.2.1: the target duration changes");
        hold!(former.control == head.control, "the server control changes: {former:?} {head:?}");
        hold!(former.part_target == head.part_target, "the part target changes: {former:?} {head:?}");
        hold!(former.sequence <= head.sequence, "§6.2.2: the media sequence decreases");
        hold!(former.discontinuities <= head.discontinuities, "§6.2.2: the discontinuity sequence decreases");
        let is_removed = former.sequence < head.sequence;
        // Memory may run short all the same.
        hold!(!former.has_ended || is_removed, "§4.4.3.4: a playlist changes after its end");
        hold!(
            !is_removed || head.has_ended || head.length >= 3 * head.target * 1_000_000,
            "§6.2.2: {} µs are left, three target durations are {} s",
            head.length,
            3 * head.target
        );
        Ok(())
    }

    fn segment(&mut self, segment: &Listed<'_>, number: u64, facts: &Facts<'_>, news: &mut News) -> Check {
        let msn = segment.msn;
        let index = usize::try_from(msn - self.base).unwrap();
        let is_lost = index == self.known.len()
            && match self.known.last() {
                Some(last) => !last.is_whole,
                None => facts.truth.taken.first().is_some_and(|first| first.msn < msn),
            };
        if index > self.known.len() || is_lost {
            self.leap(msn, number - u64::from(segment.is_discontinuous), segment.date.unwrap_or(0), facts)?;
        }
        if index == self.known.len() {
            self.begin(segment, number, facts)?;
        }
        self.sharpen(segment, index, facts);
        let known = &mut self.known[index];
        let date = segment.date.unwrap_or(0);
        let same = known.map == segment.map.unwrap_or("")
            && known.number == number
            && known.is_discontinuous == segment.is_discontinuous
            && known.date == date;
        hold!(
            same,
            "§6.2.1: segment {msn} changes, discontinuity number {number}: {known:?} now {segment:?}"
        );
        if known.is_whole {
            let same = known.length == segment.length && known.is_gap == segment.is_gap;
            hold!(
                same && !segment.uri.is_empty(),
                "§6.2.1: segment {msn} changes: {known:?} now {segment:?}"
            );
            hold!(
                segment.parts.is_empty() || segment.parts.len() == known.parts.len(),
                "parts of {msn} come and go"
            );
        }
        hold!(
            segment.parts.len() >= known.parts.len() || (segment.parts.is_empty() && !segment.uri.is_empty()),
            "§6.2.1: parts of {msn} have gone"
        );
        if !segment.parts.is_empty() {
            known.parts_until_ms = facts.now_ms;
        }
        for (place, part) in segment.parts.iter().enumerate() {
            match known.parts.get(place) {
                Some(former) => {
                    let same = former.length == part.length
                        && former.is_gap == part.is_gap
                        && former.is_independent == part.is_independent;
                    hold!(same, "§6.2.1: part {} changes", part.uri);
                }
                None => {
                    let start = known.parts_end();
                    let mut new = KnownPart {
                        start,
                        length: part.length,
                        is_gap: part.is_gap,
                        is_independent: part.is_independent,
                        media: None,
                        samples: self.cursor..self.cursor,
                    };
                    let next = segment.parts.get(place + 1).map(|next| next.is_gap);
                    let is_blurred = self.blurred.is_some();
                    self.cursor = place_part(&new, msn, self.cursor, next, is_blurred, facts)
                        .map_err(|fault| format!("part {}: {fault}", part.uri))?;
                    new.samples.end = self.cursor;
                    known.parts.push(new);
                    news.parts.push((index, place));
                }
            }
        }
        if !segment.uri.is_empty() && !known.is_whole {
            hold!(segment.uri == format!("{msn}.m4s"), "a segment's name is its number: {}", segment.uri);
            (known.is_whole, known.length, known.is_gap) = (true, segment.length, segment.is_gap);
            let end = known.start + known.length;
            if segment.parts.is_empty() && !segment.is_gap {
                // It is so far from the end that its last parts were never listed.
                let more = facts.truth.taken[self.cursor..].iter().take_while(|took| took.msn == msn).count();
                self.cursor += more;
            } else if segment.is_gap && known.parts.is_empty() {
                missing(known.start, end, self.cursor, self.blurred.is_some(), facts)
                    .map_err(|fault| format!("segment {msn}: {fault}"))?;
            } else {
                let sum = known.parts_end() - known.start;
                hold!(sum == known.length, "§3.2: parts of {msn} last {sum} µs, it {}", known.length);
            }
            known.samples.end = self.cursor;
            let left = facts.truth.taken[self.cursor..].first();
            hold!(left.is_none_or(|took| took.msn > msn), "§3.2: samples of {msn} are not in it: {left:?}");
            let last = facts.truth.taken[..self.cursor].last();
            let grace = if self.blurred.is_some() { 1001 } else { 2 };
            hold!(
                last.is_none_or(|took| micros(took.end) <= end + grace),
                "§3.2: {msn} ends at {end} µs, before {last:?} does"
            );
            hold!(
                known.samples.is_empty() == known.is_gap,
                "§6.2.1: {msn} is a gap with samples, or none without"
            );
            news.closed.push(index);
        }
        Ok(())
    }

    fn begin(&mut self, segment: &Listed<'_>, number: u64, facts: &Facts<'_>) -> Check {
        let start = match self.known.last() {
            _ if self.blurred == Some(self.known.len()) => {
                (segment.date.unwrap_or(0) - facts.anchor_ms) * 1000
            }
            Some(last) => {
                hold!(last.is_whole, "§6.2.1: segment {} begins before {} ends", segment.msn, last.msn);
                last.start + last.length
            }
            None => facts.truth.taken.first().map_or(0, |first| micros(first.at)),
        };
        let date = segment.date.unwrap_or(0);
        let wanted = facts.anchor_ms * 1000 + start;
        let off = wanted - date * 1000;
        hold!(
            (-1..=1000).contains(&off) || (self.blurred.is_some() && off.abs() <= 1001),
            "§4.4.4.6: segment {} is dated {date}, it is of {wanted} µs",
            segment.msn
        );
        self.known.push(Known {
            msn: segment.msn,
            start,
            is_discontinuous: segment.is_discontinuous,
            number,
            map: segment.map.unwrap_or("").to_owned(),
            date,
            since_ms: facts.now_ms,
            samples: self.cursor..self.cursor,
            ..Known::default()
        });
        Ok(())
    }

    /// Segments up to `msn` have come and gone between two playlists: a hole was longer than the window.
    fn leap(&mut self, msn: u64, number: u64, date: i64, facts: &Facts<'_>) -> Check {
        // What came just before a hole may have come and gone with it.
        let waiting = &facts.truth.taken[self.cursor..];
        let before = waiting.iter().take_while(|took| took.msn < msn).count();
        let next = waiting.get(before);
        hold!(next.is_some_and(|took| took.is_after_hole), "§6.2.2: segments before {msn} were never listed");
        self.cursor += before;
        let start = (date - facts.anchor_ms) * 1000;
        if let Some(last) = self.known.last_mut() {
            // It has been closed, and slid out too.
            last.was_shed |= !last.is_whole;
            last.is_whole = true;
        }
        while self.base + (self.known.len() as u64) < msn {
            let msn = self.base + self.known.len() as u64;
            let (is_gap, is_whole, is_unseen, was_shed) = (true, true, true, true);
            let samples = self.cursor..self.cursor;
            self.known.push(Known {
                msn,
                start,
                number,
                is_gap,
                is_whole,
                is_unseen,
                was_shed,
                samples,
                ..Known::default()
            });
        }
        self.blurred = Some(self.known.len());
        Ok(())
    }

    /// Times that came from a date are known once a sample tells that is decoded as the one before it; where ticks change,
    /// times do.
    fn sharpen(&mut self, segment: &Listed<'_>, index: usize, facts: &Facts<'_>) {
        let Some(from) = self.blurred else { return };
        let known = &self.known[index];
        let is_next_sent = segment.parts.get(known.parts.len()).is_some_and(|part| !part.is_gap);
        let next =
            facts.truth.taken.get(self.cursor).filter(|_| is_next_sent && is_alike(self.cursor, facts));
        let sharp = next.map(|next| micros(next.at) - known.parts_end());
        if let Some(sharp) = sharp.filter(|sharp| sharp.abs() <= 1001) {
            for known in &mut self.known[from..] {
                known.start += sharp;
                known.parts.iter_mut().for_each(|part| part.start += sharp);
            }
            self.blurred = None;
        }
    }
}

/// Whether a sample is decoded as the one before it.
fn is_alike(cursor: usize, facts: &Facts<'_>) -> bool {
    let kind = |index: usize| facts.truth.taken.get(index).map(|took| took.kind);
    cursor == 0 || kind(cursor - 1) == kind(cursor)
}

impl Known {
    pub(crate) fn parts_end(&self) -> i64 {
        self.parts.last().map_or(self.start, |part| part.start + part.length)
    }
}

/// Finds the samples of a part that is new: those from `cursor` on. Gives where they end.
fn place_part(
    part: &KnownPart,
    msn: u64,
    cursor: usize,
    is_next_gap: Option<bool>,
    is_blurred: bool,
    facts: &Facts<'_>,
) -> Check<usize> {
    let end = part.start + part.length;
    if part.is_gap {
        return missing(part.start, end, cursor, is_blurred, facts).map(|()| cursor);
    }
    let taken = &facts.truth.taken;
    let mut next = cursor;
    // A part ends where a sample does.
    while taken.get(next).is_some_and(|took| micros(took.end) <= end + facts.slack / 2) {
        let took = &taken[next];
        hold!(took.msn == msn, "§3: a sample of segment {} is in it: {took:?}", took.msn);
        hold!(next == cursor || !took.is_after_hole, "§4.4.4.9: a hole before {took:?} is in it");
        next += 1;
    }
    hold!(next > cursor, "no sample is in it; the next is {:?}, the part ends at {end}", taken.get(cursor));
    let (first, last) = (&taken[cursor], &taken[next - 1]);
    let starts = if is_smooth(taken, cursor) { micros(first.at) } else { part.start };
    // Where ticks change, so do times, by less than a tick.
    let is_other = !is_alike(cursor, facts);
    let grace = if is_blurred {
        1001
    } else if is_other {
        100
    } else {
        2
    };
    hold!(
        (part.start - starts).abs() <= grace,
        "AS 8.1: begins at {} µs, its samples at {starts}",
        part.start
    );
    hold!(
        (part.start - micros(first.at)).abs() <= facts.slack + grace,
        "AS 8.1: begins at {} µs, its samples at {}",
        part.start,
        micros(first.at)
    );
    hold!(
        (end - micros(last.end)).abs() <= grace,
        "AS 8.1: ends at {end} µs, its samples at {}",
        micros(last.end)
    );
    let follows = taken.get(next).filter(|took| took.msn == msn && !took.is_after_hole);
    // As many frames as fit are in a part that is followed by another of the same segment.
    hold!(
        is_next_gap != Some(false)
            || follows.is_none()
            || part.length + facts.frame > facts.part_target - facts.rounding,
        "a part of {} µs that could be longer",
        part.length
    );
    Ok(next)
}

/// Whether a sample begins exactly where the one before it ends, or after a hole.
fn is_smooth(taken: &[Took], index: usize) -> bool {
    let Some(former) = index.checked_sub(1).map(|i| &taken[i]) else { return true };
    taken[index].is_after_hole || former.end == taken[index].at
}

/// A gap stands where samples are missing: all of it lies between the last sample and the next.
fn missing(start: i64, end: i64, cursor: usize, is_blurred: bool, facts: &Facts<'_>) -> Check {
    let taken = &facts.truth.taken;
    let is_other = !is_alike(cursor, facts);
    // Where ticks change, so do times, by less than a tick.
    let grace = if is_blurred {
        1001
    } else if is_other {
        100
    } else {
        2
    };
    let from = cursor.checked_sub(1).map_or(i64::MIN, |last| micros(taken[last].end));
    let next = taken.get(cursor).ok_or("§6.2.1: a gap behind the last sample")?;
    hold!(
        start >= from - grace && end <= micros(next.at) + grace,
        "§6.2.1: a gap from {start} to {end} µs, samples are missing from {from} to {}",
        micros(next.at)
    );
    hold!(next.is_after_hole, "§6.2.1: a gap where nothing is missing, before {next:?}");
    Ok(())
}
