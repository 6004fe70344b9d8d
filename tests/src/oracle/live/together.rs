//! The renditions of one presentation against each other (RFC 8216bis §6.2.4, App. B.1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::playlist::Playlist;
use super::series::discontinuities;
use super::{Captured, Fault, Faults, Finding};
use crate::oracle::hls::resolve;
use crate::oracle::tags::Attributes;

/// What was captured of one rendition.
#[derive(Debug, Clone, Copy)]
pub struct Rendition<'a> {
    /// The path of its playlist.
    pub path: &'a str,
    /// Its playlists in the order in which they came.
    pub captures: &'a [Captured],
}

/// Judges the renditions of a presentation. Segments of one number may begin `apart` from each other: sound is cut between
/// its frames. `slack` is how far the clocks of the captures may differ.
///
/// # Panics
/// When a rendition has no capture.
#[must_use]
pub fn judge(renditions: &[Rendition<'_>], apart: Duration, slack: Duration) -> Vec<Finding> {
    let shows: Vec<Show<'_>> = renditions.iter().map(|rendition| Show::of(*rendition)).collect();
    let mut findings = Vec::new();
    for show in &shows {
        let mut faults = alike(&shows[0], show);
        faults.extend(aligned(&shows[0], show, apart));
        let (at, url) = (show.pages[0].0.at, show.rendition.path.to_owned());
        findings.extend(faults.into_iter().map(|fault| Finding { fault, at, url: url.clone() }));
        for (capture, page) in &show.pages {
            let found = |fault| Finding { fault, at: capture.at, url: capture.url.clone() };
            findings.extend(reports(&shows, show, capture, page, slack).into_iter().map(found));
        }
    }
    findings
}

struct Show<'a> {
    rendition: Rendition<'a>,
    pages: Vec<(&'a Captured, Playlist)>,
}

impl<'a> Show<'a> {
    fn of(rendition: Rendition<'a>) -> Self {
        let pages: Vec<_> =
            rendition.captures.iter().map(|capture| (capture, Playlist::read(&capture.text).0)).collect();
        assert!(!pages.is_empty(), "nothing was captured of {}", rendition.path);
        Self { rendition, pages }
    }

    fn first(&self) -> &Playlist {
        &self.pages[0].1
    }

    /// The date of each segment, and its discontinuity sequence number where a whole playlist tells.
    fn segments(&self) -> BTreeMap<u64, (Duration, Option<u64>)> {
        let mut segments = BTreeMap::new();
        for (_, page) in &self.pages {
            for (msn, date) in page.dates().into_iter().filter(|(msn, _)| *msn < page.next()) {
                let number = page.skip.is_none().then(|| discontinuities(page, msn));
                let entry = segments.entry(msn).or_insert((date, number));
                entry.1 = entry.1.or(number);
            }
        }
        segments
    }

    fn ranges(&self) -> BTreeSet<&String> {
        self.pages.iter().flat_map(|(_, page)| page.ranges.keys()).collect()
    }

    /// How far the rendition had come at the latest capture before `at`, and at the first one after it.
    fn around(&self, before: Duration, after: Duration) -> (Option<Duration>, Option<Duration>) {
        let end = |(_, page): &(&Captured, Playlist)| position(page, page.end().0, page.end().1 as u64);
        let lower = self.pages.iter().rev().find(|(capture, _)| capture.at <= before).map(end);
        let upper = self.pages.iter().find(|(capture, _)| capture.at >= after).map(end);
        (lower, upper)
    }
}

/// Roughly when a part ends on the media timeline: near enough to compare two of the same presentation.
fn position(page: &Playlist, msn: u64, parts: u64) -> Duration {
    let (msn, parts) = (u32::try_from(msn % (1 << 24)).unwrap_or(0), u32::try_from(parts).unwrap_or(0));
    page.targets(1) * msn + page.part_target.unwrap_or_default() * parts
}

fn alike(first: &Show<'_>, show: &Show<'_>) -> Vec<Fault> {
    let mut faults = Faults::default();
    let (one, other) = (first.first(), show.first());
    faults.keep("§6.2.4: renditions have one target duration", one.target == other.target, || {
        format!("{} and {}", one.target, other.target)
    });
    faults.keep("§6.2.4: renditions have one playlist type", one.kind == other.kind, || {
        format!("{:?} and {:?}", one.kind, other.kind)
    });
    faults.keep("§6.2.4: renditions have the same server control", one.control == other.control, || {
        format!("{:?} and {:?}", one.control, other.control)
    });
    let (ours, theirs) = (first.ranges(), show.ranges());
    faults.keep("§6.2.4: renditions have the same date ranges", ours == theirs, || {
        format!("{ours:?} and {theirs:?}")
    });
    faults.0
}

/// Matching content has matching dates and discontinuity sequence numbers.
fn aligned(first: &Show<'_>, show: &Show<'_>, apart: Duration) -> Vec<Fault> {
    let mut faults = Faults::default();
    let theirs = show.segments();
    let mut shared = 0;
    for (msn, (date, number)) in first.segments() {
        let Some((their_date, their_number)) = theirs.get(&msn) else { continue };
        shared += 1;
        faults.keep(
            "§6.2.4: segments of one number have one date",
            date.abs_diff(*their_date) <= apart,
            || format!("segment {msn}: {date:?} and {their_date:?}"),
        );
        let same = number.zip(*their_number).is_none_or(|(ours, theirs)| ours == theirs);
        faults.keep("§6.2.4: renditions have matching discontinuity sequence numbers", same, || {
            format!("segment {msn}: {number:?} and {their_number:?}")
        });
    }
    faults.keep("§6.2.4: renditions show the same time", shared > 0, || "no segment is in both".to_owned());
    faults.0
}

/// App. B.1: each playlist reports on every other rendition; §4.4.5.4: as it is now.
fn reports(
    shows: &[Show<'_>],
    own: &Show<'_>,
    capture: &Captured,
    page: &Playlist,
    slack: Duration,
) -> Vec<Fault> {
    let mut faults = Faults::default();
    if page.is_ended || page.part_target.is_none() {
        return faults.0;
    }
    let uri = |report: &crate::oracle::tags::Attributes| {
        resolve(own.rendition.path, report.find("URI").unwrap_or_default())
    };
    let reported: BTreeSet<String> = page.reports.iter().map(uri).collect();
    let others = shows.iter().map(|show| show.rendition.path).filter(|path| *path != own.rendition.path);
    let others: BTreeSet<String> = others.map(str::to_owned).collect();
    faults.keep("App. B.1: a playlist reports on every other rendition", reported == others, || {
        format!("{reported:?}, there are {others:?}")
    });
    for report in &page.reports {
        let Some(show) = shows.iter().find(|show| show.rendition.path == uri(report)) else { continue };
        let Some((msn, part)) = told_end(report) else { continue };
        let told = position(show.first(), msn, part + 1);
        let (lower, upper) = show.around(capture.at.saturating_sub(slack), capture.at + slack);
        let step = show.first().part_target.unwrap_or_default().max(page.part_target.unwrap_or_default());
        let is_true =
            lower.is_none_or(|lower| told + step >= lower) && upper.is_none_or(|upper| told <= upper + step);
        faults.keep("§4.4.5.4: a rendition report is within a part of the rendition", is_true, || {
            format!("{report:?}, the rendition was at {lower:?} and then at {upper:?}, told is {told:?}")
        });
    }
    faults.0
}

/// What a report tells: the last media sequence number and the last part in it.
fn told_end(report: &Attributes) -> Option<(u64, u64)> {
    let number = |name| report.find(name).and_then(|value| value.parse().ok());
    Some((number("LAST-MSN")?, number("LAST-PART").unwrap_or(0)))
}

/// [`judge`] for a story: stops it at the first findings.
///
/// # Panics
/// When a rule is broken.
#[track_caller]
pub fn holds(renditions: &[Rendition<'_>], apart: Duration, slack: Duration) {
    let findings = judge(renditions, apart, slack);
    let lines: Vec<String> = findings.iter().take(10).map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} broken rules:\n{}", findings.len(), lines.join("\n"));
}
