//! Date ranges: what happens at a date, told in the playlist (RFC 8216bis §4.4.5.1).

use super::utc::push_date;
use crate::playlist::attributes::{Attributes, push_seconds};

/// One `EXT-X-DATERANGE` tag.
///
/// A second tag with the same id may add what was not known before; it must not change what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    #[error("{0:?}: expected a name of X- and A-Z 0-9 -")]
    Name(String),
    /// The same id says something else.
    #[error("{0}: expected what was said of this id before")]
    Changed(&'static str),
    /// There are too many.
    #[error("expected at most {MAX_RANGES} date ranges at a time")]
    TooMany,
}

/// A break that is never said to end is forgotten after a day.
const DAY_MS: i64 = 86_400_000;
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
        for (name, value) in &self.attributes {
            let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
            if !name.starts_with("X-") || name.len() > 64 || !name.bytes().all(plain) {
                return Err(RangeFault::Name(name.chars().take(64).collect()));
            }
            text("X-", value)?;
        }
        Ok(())
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
    /// When it was added, in milliseconds since 1970: the date at the end of the playlist that first has it.
    added_ms: i64,
}

/// All date ranges of a show, in the order of their dates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges(Vec<Known>);

impl Ranges {
    /// Adds one; saying the same again changes nothing. Tells whether something changed.
    pub(super) fn add(&mut self, range: DateRange, added_ms: i64) -> Result<bool, RangeFault> {
        range.check()?;
        for known in self.0.iter().filter(|k| k.range.id == range.id) {
            if known.range == range {
                return Ok(false);
            }
            let differs = |a: Option<u64>, b: Option<u64>| a.is_some() && b.is_some() && a != b;
            if known.range.start_ms != range.start_ms {
                return Err(RangeFault::Changed("START-DATE"));
            }
            if known.range.class != range.class {
                return Err(RangeFault::Changed("CLASS"));
            }
            if differs(known.range.duration_ms, range.duration_ms) {
                return Err(RangeFault::Changed("DURATION"));
            }
            if differs(known.range.planned_ms, range.planned_ms) {
                return Err(RangeFault::Changed("PLANNED-DURATION"));
            }
            let other = |(name, value): &(String, String)| {
                known.range.attributes.iter().any(|(known, was)| known == name && was != value)
            };
            if range.attributes.iter().any(other) {
                return Err(RangeFault::Changed("X-"));
            }
        }
        if self.0.len() >= MAX_RANGES {
            return Err(RangeFault::TooMany);
        }
        let mut text = String::new();
        range.write(&mut text);
        let key = |known: &Known| (known.range.start_ms, known.range.id.clone(), known.text.clone());
        let known = Known { range, text, added_ms };
        let place = self.0.partition_point(|other| key(other) < key(&known));
        self.0.insert(place, known);
        Ok(true)
    }

    /// All of them, by date.
    pub(super) fn iter(&self) -> impl Iterator<Item = &DateRange> {
        self.0.iter().map(|known| &known.range)
    }

    /// Whether the same has been said.
    pub(super) fn knows(&self, range: &DateRange) -> bool {
        self.0.iter().any(|known| known.range == *range)
    }

    /// Whether one ended before `before_ms`, or began a day before it and never ended.
    pub(super) fn has_over(&self, before_ms: i64) -> bool {
        self.0.iter().any(|known| self.is_over(&known.range, before_ms))
    }

    fn is_over(&self, range: &DateRange, before_ms: i64) -> bool {
        let end = self.end_of(range).unwrap_or(range.start_ms.saturating_add(DAY_MS));
        end < before_ms
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those that ended before `before_ms`, where nobody lists anything any more.
    pub(super) fn forget(&mut self, before_ms: i64) {
        let over: Vec<bool> = self.0.iter().map(|known| self.is_over(&known.range, before_ms)).collect();
        let mut over = over.into_iter();
        self.0.retain(|_| !over.next().unwrap_or(false));
    }

    /// When a range is over, by all that is known of its id.
    fn end_of(&self, range: &DateRange) -> Option<i64> {
        let all = || self.0.iter().filter(|k| k.range.id == range.id).map(|k| &k.range);
        // The tag that ends a break knows when it was over.
        let ended = all().filter(|r| r.duration_ms.is_some()).filter_map(DateRange::end_ms).max();
        let is_in = |r: &DateRange| matches!(r.splice, Some((SpliceKind::In, _)));
        match ended {
            Some(end) => Some(end),
            None if all().any(is_in) => all().filter_map(DateRange::end_ms).max(),
            None => all().map(DateRange::end_ms).collect::<Option<Vec<_>>>()?.into_iter().max(),
        }
    }

    /// Writes those that a playlist from `first_ms` to `end_ms` lists; with `skip_ms`, none that was added longer than
    /// that before its end. Gives the ids of those that left the playlist no longer than `skip_ms` ago.
    pub(super) fn write(&self, out: &mut String, first_ms: i64, end_ms: i64, skip_ms: Option<i64>) {
        for known in &self.0 {
            let is_over = self.end_of(&known.range).is_some_and(|end| end < first_ms);
            let is_old = skip_ms.is_some_and(|skip| known.added_ms < end_ms.saturating_sub(skip));
            if !is_over && known.added_ms <= end_ms && !is_old {
                out.push_str(&known.text);
            }
        }
    }

    /// The ids that left a playlist no more than `skip_ms` ago: they ended before `first_ms`, where it begins, but not
    /// before it began so long ago. One after another, separated by tabs.
    pub(super) fn removed(&self, first_ms: i64, skip_ms: i64) -> String {
        let mut ids: Vec<&str> = Vec::new();
        for known in &self.0 {
            let left =
                self.end_of(&known.range).is_some_and(|end| end < first_ms && end >= first_ms - skip_ms);
            if left && !ids.contains(&known.range.id.as_str()) {
                ids.push(&known.range.id);
            }
        }
        ids.join("\t")
    }
}
