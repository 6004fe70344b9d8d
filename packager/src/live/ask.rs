//! What a client asks of a live playlist, and whether it can be answered yet (RFC 8216bis §6.2.5).

use crate::time::Msn;

/// The delivery directives of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// `_HLS_msn`
    pub msn: Option<Msn>,
    /// `_HLS_part`
    pub part: Option<u32>,
    /// `_HLS_skip`
    pub skip: Skip,
}

/// `_HLS_skip`: what a client that has the former playlist can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Skip {
    /// Nothing.
    #[default]
    No,
    /// `YES`: older segments.
    Segments,
    /// `v2`: older segments and older date ranges.
    SegmentsAndRanges,
}

/// A directive that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DirectiveFault {
    /// A number that is none, or has more than 20 digits.
    #[error("{0}: expected a decimal number")]
    Number(&'static str),
    /// The same directive twice.
    #[error("{0}: expected once, found again")]
    Twice(&'static str),
    /// `_HLS_part` says nothing without `_HLS_msn` (§6.2.5.2).
    #[error("expected _HLS_msn beside _HLS_part")]
    PartAlone,
}

impl Directives {
    /// Reads them from a query string without its `?`. Other parameters are passed over, and so is a value of
    /// `_HLS_skip` that is not known: what it asks for may be left out.
    ///
    /// The fault is kept for [`Edge::answer`]: a playlist that has ended ignores directives, broken ones too.
    pub fn parse(query: &str) -> Result<Self, DirectiveFault> {
        let mut found = Self::default();
        let mut skip = None;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                MSN => once(&mut found.msn, Msn(number(MSN, value)?), MSN)?,
                PART => {
                    let part =
                        u32::try_from(number(PART, value)?).map_err(|_| DirectiveFault::Number(PART))?;
                    once(&mut found.part, part, PART)?;
                }
                SKIP => once(&mut skip, value, SKIP)?,
                _ => {}
            }
        }
        found.skip = match skip {
            Some("YES") => Skip::Segments,
            Some("v2") => Skip::SegmentsAndRanges,
            _ => Skip::No,
        };
        match (found.msn, found.part) {
            (None, Some(_)) => Err(DirectiveFault::PartAlone),
            _ => Ok(found),
        }
    }

    /// Whether the client asks to wait.
    pub fn is_blocking(self) -> bool {
        self.msn.is_some()
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), DirectiveFault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(DirectiveFault::Twice(name)),
    }
}

fn number(name: &'static str, text: &str) -> Result<u64, DirectiveFault> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or(DirectiveFault::Number(name))
}

const MSN: &str = "_HLS_msn";
const PART: &str = "_HLS_part";
const SKIP: &str = "_HLS_skip";

/// What can be said to a request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The playlist, in this form.
    Ready(Form),
    /// Not yet: ask again when the playlist has changed.
    Wait,
    /// The directives make no sense: 400.
    Malformed(DirectiveFault),
    /// So far ahead that waiting is no use: 400.
    TooFar,
}

/// How a playlist is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// All of it.
    Full,
    /// Without the segments that are older than the skip boundary (§6.2.5.1).
    Delta,
    /// Without the older date ranges too.
    DeltaRanges,
}

/// The end of a playlist, as far as blocking requests need to know it.
///
/// ```text
///   …  |  41  |  42  |  43 part 0  43 part 1 | 43 part 2 hinted
///                                            open = 43, parts = 2
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The segment that is being made; all before it are whole.
    pub open: Msn,
    /// How many of its parts are listed.
    pub parts: u32,
    /// How many parts the segment before it had.
    pub former_parts: u32,
    /// How many parts a segment usually has: as many as fit, and what is left over.
    pub usual_parts: u64,
    /// The Advance Part Limit.
    pub advance_limit: u64,
    /// Whether nothing will follow.
    pub ended: bool,
}

impl Edge {
    /// What to say to a request (§6.2.5.2). `delta` is whether anything could be skipped.
    pub fn answer(&self, asked: Result<Directives, DirectiveFault>, delta: bool) -> Answer {
        if self.ended {
            return Answer::Ready(Form::Full);
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(fault) => return Answer::Malformed(fault),
        };
        let form = match asked.skip {
            Skip::Segments if delta => Form::Delta,
            Skip::SegmentsAndRanges if delta => Form::DeltaRanges,
            _ => Form::Full,
        };
        let Some((msn, part)) = asked.msn.map(|msn| self.place(msn, asked.part)) else {
            return Answer::Ready(form);
        };
        match (self.has(msn, part), self.is_too_far(msn, part)) {
            (true, _) => Answer::Ready(form),
            (false, true) => Answer::TooFar,
            (false, false) => Answer::Wait,
        }
    }

    /// What a request means: a part behind the last of a finished segment is the first of the next one.
    fn place(&self, msn: Msn, part: Option<u32>) -> (Msn, Option<u32>) {
        let is_behind = part.is_some_and(|part| part >= self.former_parts);
        if is_behind && msn.0.checked_add(1) == Some(self.open.0) {
            (self.open, Some(0))
        } else {
            (msn, part)
        }
    }

    /// Whether what is asked for is listed, or was before it slid out.
    fn has(&self, msn: Msn, part: Option<u32>) -> bool {
        match part {
            _ if msn > self.open => false,
            None => msn < self.open,
            Some(part) if msn == self.open => part < self.parts,
            Some(_) => true,
        }
    }

    /// The segment that is being made counts as the last one: it is listed by its parts, or hinted.
    fn is_too_far(&self, msn: Msn, part: Option<u32>) -> bool {
        let ahead = msn.0.saturating_sub(self.open.0);
        let Some(part) = part else { return ahead > 2 };
        // Counted from the last part that is listed; parts of segments between are as many as usual.
        let (listed, part) = (u64::from(self.parts), u64::from(part).saturating_add(1));
        let parts = match ahead.checked_sub(1) {
            None => part.saturating_sub(listed),
            Some(between) => {
                let open = self.usual_parts.saturating_sub(listed);
                between.saturating_mul(self.usual_parts).saturating_add(open).saturating_add(part)
            }
        };
        ahead > 2 || parts > self.advance_limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segment 43 has two parts, segment 42 had six.
    const EDGE: Edge =
        Edge { open: Msn(43), parts: 2, former_parts: 6, usual_parts: 6, advance_limit: 9, ended: false };

    fn ask(query: &str) -> Answer {
        EDGE.answer(Directives::parse(query), true)
    }

    const FULL: Answer = Answer::Ready(Form::Full);

    #[test]
    fn each_request_has_its_answer() {
        for (query, wanted) in [
            ("", FULL),
            ("a=b&_hls_msn=9", FULL),
            // Older than the window, in it, and its end.
            ("_HLS_msn=1", FULL),
            ("_HLS_msn=42", FULL),
            ("_HLS_msn=42&_HLS_part=5", FULL),
            ("_HLS_msn=43&_HLS_part=1", FULL),
            // Behind the last part of a finished segment is the next segment's first.
            ("_HLS_msn=42&_HLS_part=6", FULL),
            ("_HLS_msn=42&_HLS_part=4000000000", FULL),
            ("_HLS_msn=1&_HLS_part=99", FULL),
            // A part is not enough where a segment is asked for.
            ("_HLS_msn=43", Answer::Wait),
            ("_HLS_msn=43&_HLS_part=2", Answer::Wait),
            ("_HLS_msn=43&_HLS_part=7", Answer::Wait),
            ("_HLS_msn=44&_HLS_part=0", Answer::Wait),
            ("_HLS_msn=44", Answer::Wait),
            ("_HLS_msn=45", Answer::Wait),
            ("_HLS_msn=46", Answer::TooFar),
            ("_HLS_msn=43&_HLS_part=10", Answer::Wait),
            ("_HLS_msn=43&_HLS_part=11", Answer::TooFar),
            ("_HLS_msn=45&_HLS_part=0", Answer::TooFar),
            ("_HLS_msn=18446744073709551615&_HLS_part=4294967295", Answer::TooFar),
            ("_HLS_skip=YES", Answer::Ready(Form::Delta)),
            ("_HLS_msn=42&_HLS_skip=v2", Answer::Ready(Form::DeltaRanges)),
            ("_HLS_skip=maybe", FULL),
            ("_HLS_part=1", Answer::Malformed(DirectiveFault::PartAlone)),
            ("_HLS_msn=", Answer::Malformed(DirectiveFault::Number("_HLS_msn"))),
            ("_HLS_msn=-1", Answer::Malformed(DirectiveFault::Number("_HLS_msn"))),
            ("_HLS_msn=0x1", Answer::Malformed(DirectiveFault::Number("_HLS_msn"))),
            ("_HLS_msn=18446744073709551616", Answer::Malformed(DirectiveFault::Number("_HLS_msn"))),
            ("_HLS_msn=1&_HLS_part=4294967296", Answer::Malformed(DirectiveFault::Number("_HLS_part"))),
            ("_HLS_msn=1&_HLS_msn=1", Answer::Malformed(DirectiveFault::Twice("_HLS_msn"))),
            ("_HLS_skip=YES&_HLS_skip=YES", Answer::Malformed(DirectiveFault::Twice("_HLS_skip"))),
        ] {
            assert_eq!(ask(query), wanted, "{query}");
        }
    }

    #[test]
    fn what_has_ended_is_answered_whatever_is_asked() {
        let ended = Edge { ended: true, ..EDGE };
        for query in ["_HLS_msn=99", "_HLS_part=1", "_HLS_skip=YES", "_HLS_msn=x", "_HLS_msn=1&_HLS_msn=1"] {
            assert_eq!(ended.answer(Directives::parse(query), true), FULL, "{query}");
        }
    }

    #[test]
    fn the_first_part_of_the_next_segment_is_waited_for_where_none_is_listed() {
        let fresh = Edge { parts: 0, ..EDGE };
        assert_eq!(fresh.answer(Directives::parse("_HLS_msn=42&_HLS_part=6"), true), Answer::Wait);
        assert_eq!(fresh.answer(Directives::parse("_HLS_msn=42&_HLS_part=5"), true), FULL);
        // However far behind the last part of a finished segment: it is the first of the next.
        assert_eq!(fresh.answer(Directives::parse("_HLS_msn=42&_HLS_part=99"), true), Answer::Wait);
    }

    #[test]
    fn parts_between_are_as_many_as_usual_where_the_open_segment_has_more() {
        let long = Edge { parts: 8, usual_parts: 6, ..EDGE };
        assert_eq!(long.answer(Directives::parse("_HLS_msn=45&_HLS_part=2"), true), Answer::Wait);
        assert_eq!(long.answer(Directives::parse("_HLS_msn=45&_HLS_part=3"), true), Answer::TooFar);
    }

    #[test]
    fn nothing_to_skip_is_the_full_playlist() {
        assert_eq!(EDGE.answer(Directives::parse("_HLS_skip=YES"), false), FULL);
    }
}
