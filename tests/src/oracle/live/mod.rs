//! The specification's rules for a live show, held against what a viewer saw of it: sequences of captured playlists. All of
//! it is functions over text, with a parser of its own.
//!
//! [`page`] judges one playlist, [`series`] what may change between two of the same rendition, [`delta`] what an update
//! leaves out, [`answers`] whether a held request was answered with what it asked for, [`together`] the renditions of a
//! presentation against each other. A fault names the section of RFC 8216bis (draft 22) or of Apple's authoring
//! specification (AS) that is broken, in words.

use std::fmt;
use std::time::Duration;

use playlist::Playlist;

pub mod answers;
pub mod delta;
mod media;
pub mod page;
pub mod playlist;
mod reader;
pub mod series;
pub mod time;
pub mod together;

#[cfg(test)]
mod tests;

/// A playlist that somebody got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// When its last byte came, on one clock for all captures of a show.
    pub at: Duration,
    /// What was asked for: path and query.
    pub url: String,
    /// The playlist.
    pub text: String,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where the rule stands, and what it says.
    pub rule: &'static str,
    /// What was found instead.
    pub found: String,
}

/// A fault and the capture that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The fault.
    pub fault: Fault,
    /// When the playlist came.
    pub at: Duration,
    /// What was asked for.
    pub url: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; found: {}", self.rule, self.found)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s, {}: {}", self.at.as_secs_f64(), self.url, self.fault)
    }
}

/// Judges all playlists that were captured of one rendition, in the order in which they came. `slack` is how late anything
/// may be: the sender's chunks and the machine's load.
#[must_use]
pub fn judge(captures: &[Captured], slack: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut series = series::Series::new(slack);
    for capture in captures {
        let (playlist, mut faults) = Playlist::read(&capture.text);
        faults.extend(page::text(&capture.text));
        faults.extend(page::judge(&playlist));
        faults.extend(series.next(capture, &playlist));
        let found = |fault| Finding { fault, at: capture.at, url: capture.url.clone() };
        findings.extend(faults.into_iter().map(found));
    }
    findings
}

/// [`judge`] for a story: stops it at the first findings.
///
/// # Panics
/// When a rule is broken.
#[track_caller]
pub fn holds(captures: &[Captured], slack: Duration) {
    let findings = judge(captures, slack);
    assert!(findings.is_empty(), "{}", listed(&findings, captures));
}

/// The first findings, and the playlist of the first of them.
fn listed(findings: &[Finding], captures: &[Captured]) -> String {
    let lines: Vec<String> = findings.iter().take(10).map(ToString::to_string).collect();
    let text =
        captures.iter().find(|capture| capture.at == findings[0].at).map_or("", |capture| &capture.text);
    format!("{} broken rules:\n{}\n--- the first playlist:\n{text}", findings.len(), lines.join("\n"))
}

/// Collects faults of one judgement.
#[derive(Debug, Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// Notes `found` unless the rule is kept.
    fn keep(&mut self, rule: &'static str, is_kept: bool, found: impl FnOnce() -> String) {
        if !is_kept {
            self.0.push(Fault { rule, found: found() });
        }
    }
}

/// How far printed durations may be from exact ones: each is rounded at the sixth decimal or earlier, and dates have
/// milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);
