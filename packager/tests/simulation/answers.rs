//! What a request for a playlist must be answered with: the decision table (RFC 8216bis §6.2.5), from the playlist's text.
//!
//! Where the draft leaves room: the open segment is the last one. A part is too far ahead if it is more than the Advance
//! Part Limit behind the last listed part, and segments between have as many parts as fit them. A playlist that has ended is
//! given whatever is asked.

use forebay_packager::live::{Answer, Form};

use super::delta;
use super::dice::Dice;
use super::reader::Page;

/// What to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Whole,
    Update,
    UpdateRanges,
    Wait,
    Malformed,
    TooFar,
}

impl Verdict {
    pub(crate) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Ready(Form::Full) => Self::Whole,
            Answer::Ready(Form::Delta) => Self::Update,
            Answer::Ready(Form::DeltaRanges) => Self::UpdateRanges,
            Answer::Wait => Self::Wait,
            Answer::Malformed(_) => Self::Malformed,
            Answer::TooFar => Self::TooFar,
        }
    }
}

/// What requests for a playlist are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) page: &'a Page<'a>,
    /// How many parts the last whole segment had.
    pub(crate) former_parts: u64,
    /// The length of a segment, in microseconds.
    pub(crate) segment: i64,
}

/// The verdict on a query.
pub(crate) fn table(query: &str, table: &Table<'_>) -> Verdict {
    let Table { page, former_parts, segment } = *table;
    if page.has_ended {
        return Verdict::Whole;
    }
    let (mut msn, mut part, mut skip) = (None, None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "_HLS_msn" => &mut msn,
            "_HLS_part" => &mut part,
            "_HLS_skip" => &mut skip,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Verdict::Malformed;
        }
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |text: Option<&str>| match text {
        Some(text) if digits(text) => text.parse::<u64>().map(Some).map_err(drop),
        Some(_) => Err(()),
        None => Ok(None),
    };
    let (Ok(msn), Ok(part)) = (number(msn), number(part)) else { return Verdict::Malformed };
    let ready = match skip {
        Some("YES") if delta::skippable(page) > 0 => Verdict::Update,
        Some("v2") if delta::skippable(page) > 0 => Verdict::UpdateRanges,
        _ => Verdict::Whole,
    };
    let Some(msn) = msn else { return if part.is_some() { Verdict::Malformed } else { ready } };
    let open = page.next();
    let listed = page.open.as_ref().map_or(0, |open| open.parts.len() as u64);
    let Some(mut part) = part else {
        return match msn {
            msn if msn < open => ready,
            msn if msn <= open + 2 => Verdict::Wait,
            _ => Verdict::TooFar,
        };
    };
    let mut msn = msn;
    if msn + 1 == open && part >= former_parts {
        // Behind the last part of a finished segment is the first of the next.
        (msn, part) = (open, 0);
    }
    if msn < open || (msn == open && part < listed) {
        return ready;
    }
    let target = page.part_target;
    let limit = if target < 1_000_000 { (3_000_000 + target - 1) / target } else { 3 } as u64;
    let usual = ((segment + target - 1) / target) as u64;
    // From the last listed part to the one that is asked for.
    let ahead = match msn - open {
        0 => part + 1 - listed,
        between => usual.saturating_sub(listed) + (between - 1).min(9) * usual + part + 1,
    };
    if msn > open + 2 || ahead > limit { Verdict::TooFar } else { Verdict::Wait }
}

/// A query as clients, and others, may send it.
pub(crate) fn query(dice: &mut Dice, page: &Page<'_>) -> String {
    let open = page.next();
    let parts = page.open.as_ref().map_or(0, |open| open.parts.len() as i64);
    let msn = match dice.below(8) {
        0 => page.sequence.saturating_sub(dice.below(5) as u64),
        1 => open.saturating_sub(dice.below(3) as u64),
        2 | 3 => open,
        4 => open + 1,
        5 => open + dice.below(5) as u64,
        6 => dice.next() >> dice.below(64),
        _ => page.sequence + dice.below(8) as u64,
    };
    let part = match dice.below(6) {
        0 => parts,
        1 => (parts - dice.between(0, 3)).max(0),
        2 | 3 => parts + dice.between(0, 12),
        4 => dice.between(0, 8),
        _ => i64::from(dice.next() as u32 >> dice.below(32)),
    };
    let msn = format!("_HLS_msn={msn}");
    let part = format!("_HLS_part={part}");
    let skip = format!("_HLS_skip={}", dice.pick(&["YES", "YES", "v2", "v2", "no", "", "yes"]));
    let broken = match dice.below(8) {
        0 => part.clone(),
        1 => format!("{msn}&{msn}"),
        2 => format!("{msn}&{part}&{part}"),
        3 => "_HLS_msn=".to_owned(),
        4 => format!("_HLS_msn=-{open}"),
        5 => format!("{part}&{skip}"),
        6 => "_HLS_msn=99999999999999999999".to_owned(),
        _ => format!("{skip}&_HLS_skip=YES"),
    };
    match dice.below(9) {
        0 => String::new(),
        1 => msn,
        2 | 3 => format!("{msn}&{part}"),
        4 => skip,
        5 => format!("{msn}&{skip}"),
        6 => format!("{msn}&{part}&{skip}"),
        7 => format!("a=b&{part}&c&{msn}"),
        _ => broken,
    }
}
