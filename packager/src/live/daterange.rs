//! Date ranges: what happens at a date, told in the playlist (RFC 8216bis §4.4.5.1).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::utc::push_date;
use crate::asset::RenditionName;
use crate::playlist::attributes::{Attributes, push_seconds};

/// One `EXT-X-DATERANGE` tag.
///
/// A second tag with the same id may add what was not known before; it must not change what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateRange {
    /// `ID`: unique in the show, never used for another range.
    pub id: String,
    /// `CLASS`: whose attributes these are.
    pub class: Option<String>,
    /// `START-DATE`, in milliseconds since 1970-01-01 UTC.
    pub start_ms: i64,
    /// `DURATION`, in milliseconds, once it is known.
    pub duration_ms: Option<u64>,
    /// `PLANNED-DURATION`, in milliseconds.
    pub planned_ms: Option<u64>,
    /// `SCTE35-CMD`, `SCTE35-OUT` or `SCTE35-IN`, and the whole `splice_info_section`.
    pub splice: Option<(SpliceKind, Vec<u8>)>,
    /// Further attributes: names that begin with `X-`, and quoted strings.
    pub attributes: Vec<(String, String)>,
}

/// Which attribute a splice stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpliceKind {
    /// Neither the beginning nor the end of a break.
    Command,
    /// The network's feed is left: a break begins.
    Out,
    /// Back to the network's feed.
    In,
}

/// Why a date range cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeFault {
    /// An id, class or value that no quoted string can hold, or that is empty or too long.
    #[error("{0}: expected 1 to 1024 characters without quotes and line breaks")]
    Text(&'static str),
    /// An attribute that is not the client's own.
    #[error("{0:?}: expected a name of X- and A-Z 0-9 -, once")]
    Name(String),
    /// The same id says something else.
    #[error("{0}: expected what was said of this id before")]
    Changed(&'static str),
    /// The id is one of a range that is over, and has left a playlist: it must not come back (RFC 8216bis §6.2.1).
    #[error("expected a new id, found one of a date range that is over")]
    Over,
    /// There are too many.
    #[error("expected at most {MAX_RANGES} date ranges at a time")]
    TooMany,
}

/// A break that is never said to end is forgotten after a day.
const DAY_MS: i64 = 86_400_000;
/// So many ids that were used are remembered: a day of one every second.
const MAX_USED: usize = 86_400;

/// What stands for a track; the sixty-fourth and those behind it share one.
fn bit(track: u32) -> u64 {
    1 << track.min(63)
}

/// FNV-1a: what is remembered of an id that was used.
fn hash(id: &str) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// How many date ranges a show lists at a time.
pub const MAX_RANGES: usize = 256;

impl DateRange {
    /// Checks what can be checked of it alone.
    ///
    /// # Errors
    /// [`RangeFault`].
    pub fn check(&self) -> Result<(), RangeFault> {
        let text = |name, text: &str| {
            let fine = (1..=1024).contains(&text.len()) && !text.chars().any(|c| c == '"' || c.is_control());
            if fine { Ok(()) } else { Err(RangeFault::Text(name)) }
        };
        text("ID", &self.id)?;
        self.class.iter().try_for_each(|class| text("CLASS", class))?;
        if self.attributes.len() > 32 {
            return Err(RangeFault::Text("attributes"));
        }
        for (index, (name, value)) in self.attributes.iter().enumerate() {
            let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
            // A name stands once in a list (§4.2).
            let is_again = self.attributes.iter().take(index).any(|(before, _)| before == name);
            if is_again || !name.starts_with("X-") || name.len() > 64 || !name.bytes().all(plain) {
                return Err(RangeFault::Name(name.chars().take(64).collect()));
            }
            text("X-", value)?;
        }
        Ok(())
    }

    /// Whether another tag of the same id may stand beside this one: it may add attributes, not change them.
    fn agrees(&self, other: &Self) -> Result<(), RangeFault> {
        let differs = |a: Option<u64>, b: Option<u64>| a.is_some() && b.is_some() && a != b;
        let splice = |kind| move |range: &&Self| range.splice.as_ref().is_some_and(|(own, _)| *own == kind);
        let same_splice = |kind| match (Some(self).filter(splice(kind)), Some(other).filter(splice(kind))) {
            (Some(one), Some(other)) => one.splice == other.splice,
            _ => true,
        };
        let of = |range: &Self, name: &str| {
            range.attributes.iter().find(|(own, _)| own == name).map(|(_, v)| v.clone())
        };
        let changed = [
            ("START-DATE", self.start_ms != other.start_ms),
            ("CLASS", self.class != other.class),
            ("DURATION", differs(self.duration_ms, other.duration_ms)),
            ("PLANNED-DURATION", differs(self.planned_ms, other.planned_ms)),
            ("SCTE35-CMD", !same_splice(SpliceKind::Command)),
            ("SCTE35-OUT", !same_splice(SpliceKind::Out)),
            ("SCTE35-IN", !same_splice(SpliceKind::In)),
            (
                "X-",
                self.attributes
                    .iter()
                    .any(|(name, value)| of(other, name).is_some_and(|said| said != *value)),
            ),
        ];
        match changed.iter().find(|(_, has_changed)| *has_changed) {
            Some((name, _)) => Err(RangeFault::Changed(name)),
            None => Ok(()),
        }
    }

    /// When it is over, as far as this tag knows; a break whose end is not known goes on.
    fn end_ms(&self) -> Option<i64> {
        let length = self.duration_ms.or(self.planned_ms);
        let length = length.map(|length| i64::try_from(length).unwrap_or(i64::MAX));
        match (&self.splice, length) {
            (_, Some(length)) => Some(self.start_ms.saturating_add(length)),
            (Some((SpliceKind::Out, _)), None) => None,
            _ => Some(self.start_ms),
        }
    }

    fn write(&self, out: &mut String) {
        let mut date = String::with_capacity(24);
        push_date(&mut date, self.start_ms);
        let mut tag = Attributes::of(out, "EXT-X-DATERANGE").quoted("ID", &self.id);
        if let Some(class) = &self.class {
            tag = tag.quoted("CLASS", class);
        }
        tag = tag.quoted("START-DATE", &date);
        let seconds = |millis: u64| {
            let mut text = String::new();
            push_seconds(&mut text, millis.saturating_mul(1000));
            text
        };
        if let Some(length) = self.duration_ms {
            tag = tag.bare("DURATION", seconds(length));
        }
        if let Some(length) = self.planned_ms {
            tag = tag.bare("PLANNED-DURATION", seconds(length));
        }
        if let Some((kind, section)) = &self.splice {
            let name = match kind {
                SpliceKind::Command => "SCTE35-CMD",
                SpliceKind::Out => "SCTE35-OUT",
                SpliceKind::In => "SCTE35-IN",
            };
            let digits: String = section.iter().flat_map(|b| [b >> 4, b & 15]).map(hexadecimal).collect();
            tag = tag.bare(name, format_args!("0x{digits}"));
        }
        for (name, value) in &self.attributes {
            tag = tag.quoted(name, value);
        }
        tag.end();
    }
}

fn hexadecimal(digit: u8) -> char {
    char::from(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 })
}

/// A date range in a show.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    range: DateRange,
    text: String,
    /// When it is over, by all that is known of its id.
    end_ms: Option<i64>,
    /// The date that a playlist must have come to for it to be listed: where it was told. Playlists of all tracks, on all
    /// origins, have it from there on.
    since_ms: i64,
    /// How far any playlist had come when something of its id was told last.
    told_ms: i64,
    /// Tracks whose playlists had come further when it was told, and how far.
    ahead: Vec<(RenditionName, i64)>,
    /// Whose playlists have listed it, one bit each.
    listed_by: u64,
    /// It is over, and has left a playlist that had listed it.
    has_left: bool,
}

/// What of the date ranges one playlist lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) track: &'a RenditionName,
    /// What ended before this date is no longer listed; what ended before the other was not when the oldest playlist was
    /// new that an update may be merged into.
    pub(super) first_ms: i64,
    pub(super) former_first_ms: i64,
    /// How far the playlist has come, and the oldest that an update may be merged into.
    pub(super) end_ms: i64,
    pub(super) former_end_ms: i64,
}

/// All date ranges of a show, in the order of their dates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges {
    known: Vec<Known>,
    /// Hashes of ids that were used, oldest first.
    used: VecDeque<u64>,
}

impl Ranges {
    /// Adds one that was told at a date, when tracks had come to those dates; saying the same again changes nothing. Tells
    /// whether something changed.
    pub(super) fn add(
        &mut self,
        range: DateRange,
        since_ms: i64,
        mut ahead: Vec<(RenditionName, i64)>,
    ) -> Result<bool, RangeFault> {
        range.check()?;
        let furthest_ms = ahead.iter().map(|(_, end_ms)| *end_ms).max().unwrap_or(i64::MIN);
        if let Some(known) = self.known.iter_mut().find(|known| known.range == range) {
            return Ok(known.hold_from(since_ms, ahead));
        }
        for known in self.known.iter().filter(|k| k.range.id == range.id) {
            known.range.agrees(&range)?;
            if known.has_left {
                return Err(RangeFault::Over);
            }
        }
        if self.used.contains(&hash(&range.id)) {
            return Err(RangeFault::Over);
        }
        if self.known.len() >= MAX_RANGES {
            return Err(RangeFault::TooMany);
        }
        let mut text = String::new();
        range.write(&mut text);
        let key = |known: &Known| {
            let is_end = matches!(known.range.splice, Some((SpliceKind::In, _)));
            (known.range.start_ms, known.range.id.clone(), is_end, known.text.clone())
        };
        ahead.retain(|(_, end_ms)| *end_ms > since_ms);
        let id = range.id.clone();
        let told_ms = since_ms.max(furthest_ms);
        // What nobody listed that had come so far was over when it was told; if it is not any more, it is new with what is
        // told now.
        let was_over = |known: &&mut Known| known.listed_by == 0 && known.since_ms <= furthest_ms;
        for known in self.known.iter_mut().filter(|known| known.range.id == id).filter(was_over) {
            known.since_ms = known.since_ms.max(since_ms);
            known.ahead.clone_from(&ahead);
        }
        let (listed_by, has_left) = (0, false);
        let known = Known { range, text, end_ms: None, since_ms, told_ms, ahead, listed_by, has_left };
        let place = self.known.partition_point(|other| key(other) < key(&known));
        self.known.insert(place, known);
        let end_ms = self.end_of(&id);
        for known in self.known.iter_mut().filter(|known| known.range.id == id) {
            (known.end_ms, known.told_ms) = (end_ms, known.told_ms.max(told_ms));
        }
        Ok(true)
    }

    /// All of them, by date, and since when each is told.
    pub(super) fn told(&self) -> impl Iterator<Item = (i64, &DateRange)> {
        self.known.iter().map(|known| (known.since_ms, &known.range))
    }

    /// All of them, by date.
    pub(super) fn iter(&self) -> impl Iterator<Item = &DateRange> {
        self.known.iter().map(|known| &known.range)
    }

    /// Whether the same has been said, of no later date.
    pub(super) fn knows(&self, range: &DateRange, since_ms: i64) -> bool {
        self.known.iter().any(|known| known.range == *range && known.since_ms <= since_ms)
    }

    /// Whether there is one to forget, as [`Self::forget`] has it.
    pub(super) fn has_over(&self, before_ms: i64, until_ms: i64) -> bool {
        self.known.iter().any(|known| known.is_over(before_ms, until_ms))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether there is something to note of a track's playlist, as [`Self::note`] has it.
    pub(super) fn has_new(&self, track: u32, first_ms: i64, end_ms: i64) -> bool {
        let bit = bit(track);
        self.known.iter().any(|known| match known.listed_by & bit != 0 {
            true => !known.has_left && !known.is_within(first_ms, end_ms),
            false => known.is_within(first_ms, end_ms),
        })
    }

    /// Remembers what a track's playlist lists, and what has left it. Tracks have numbers.
    pub(super) fn note(&mut self, track: u32, first_ms: i64, end_ms: i64) {
        for known in &mut self.known {
            match known.is_within(first_ms, end_ms) {
                true => known.listed_by |= bit(track),
                false => known.has_left |= known.listed_by & bit(track) != 0,
            }
        }
    }

    /// Forgets those that ended before `before_ms`, where nobody lists anything any more; nor has a playlist that had come
    /// no further than `until_ms`, for it was told then that they are over.
    pub(super) fn forget(&mut self, before_ms: i64, until_ms: i64) {
        let used = &mut self.used;
        self.known.retain(|known| {
            let is_over = known.is_over(before_ms, until_ms);
            if is_over && used.back() != Some(&hash(&known.range.id)) {
                used.push_back(hash(&known.range.id));
            }
            !is_over
        });
        while self.used.len() > MAX_USED {
            self.used.pop_front();
        }
    }

    /// When a range is over, by all that is known of its id.
    fn end_of(&self, id: &str) -> Option<i64> {
        let all = || self.known.iter().filter(|known| known.range.id == id).map(|known| &known.range);
        // The tag that ends a break knows when it was over.
        let ended = all().filter(|r| r.duration_ms.is_some()).filter_map(DateRange::end_ms).max();
        let is_in = |r: &DateRange| matches!(r.splice, Some((SpliceKind::In, _)));
        match ended {
            Some(end) => Some(end),
            None if all().any(is_in) => all().filter_map(DateRange::end_ms).max(),
            None => all().map(DateRange::end_ms).collect::<Option<Vec<_>>>()?.into_iter().max(),
        }
    }

    /// Writes those that a playlist lists; with `skip_ms`, none that was added longer than that before its end.
    pub(super) fn write(&self, out: &mut String, span: Span<'_>, skip_ms: Option<i64>) {
        for known in &self.known {
            let ahead = known.ahead.iter().find(|(track, _)| track == span.track);
            let added_ms = ahead.map_or(known.since_ms, |(_, end_ms)| *end_ms);
            let is_old = skip_ms.is_some_and(|skip| added_ms < span.end_ms.saturating_sub(skip));
            if !is_old && known.is_within(span.first_ms, span.end_ms) {
                out.push_str(&known.text);
            }
        }
    }

    /// The ids that an older playlist may have had and this one has not. One after another, separated by tabs.
    pub(super) fn removed(&self, span: Span<'_>) -> String {
        let mut ids: Vec<&str> = Vec::new();
        for known in &self.known {
            // It was listed if it ended later, or may have been if it was told since that it ended earlier.
            let was_listed = |end| end >= span.former_first_ms || known.told_ms >= span.former_end_ms;
            let has_left = known.end_ms.is_some_and(|end| end < span.first_ms && was_listed(end));
            // All that is said of an id is of one date, and stands together.
            if has_left && ids.last() != Some(&known.range.id.as_str()) {
                ids.push(&known.range.id);
            }
        }
        ids.join("\t")
    }
}

impl Known {
    /// Several senders tell of it: it holds from where the first of them does. Tells whether something changed.
    fn hold_from(&mut self, since_ms: i64, ahead: Vec<(RenditionName, i64)>) -> bool {
        if since_ms >= self.since_ms {
            return false;
        }
        let (known, between) = (&mut self.ahead, since_ms.saturating_add(1)..self.since_ms);
        for (track, end_ms) in ahead.into_iter().filter(|(_, end_ms)| between.contains(end_ms)) {
            if known.iter().all(|(other, _)| *other != track) {
                known.push((track, end_ms));
            }
        }
        self.since_ms = since_ms;
        true
    }

    /// Whether it ended before `before_ms`, or began a day before it and never ended; and that was told before `until_ms`.
    fn is_over(&self, before_ms: i64, until_ms: i64) -> bool {
        let end_ms = self.end_ms.unwrap_or(self.range.start_ms.saturating_add(DAY_MS));
        end_ms < before_ms && self.told_ms < until_ms
    }

    /// Whether a playlist lists it that has come to `end_ms`, and begins where what ended before `first_ms` is over.
    fn is_within(&self, first_ms: i64, end_ms: i64) -> bool {
        self.end_ms.is_none_or(|end| end >= first_ms) && self.since_ms <= end_ms
    }
}
