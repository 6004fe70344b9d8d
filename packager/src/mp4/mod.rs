//! Reading MP4: which bytes are needed to know a file, and what they say.
//!
//! [`Finder`] asks for ranges of the object and is fed their bytes; it reads no media, only `moov` and, in a
//! fragmented file, each `moof`. Boxes are decoded by mp4-atom, one leaf at a time.

mod boxes;
mod entry;
mod finder;
mod fragment;
mod moov;
mod stbl;
mod trak;

use std::fmt;

pub(crate) use boxes::{BoxView, Header as BoxHeader, Parsed, malformed, may_start_a_file, name, walk};
pub use finder::{Finder, Step};
pub(crate) use fragment::{Entry, TrackFragment};
pub(crate) use trak::{Edit, Head};

use crate::track::Track;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Its tracks of video and audio that can be served, in file order; at least one.
    pub tracks: Vec<Track>,
    /// What was strange about it.
    pub anomalies: Vec<Anomaly>,
}

/// Something about the input that a person should know, and that does not keep it from being served.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Anomaly(pub(crate) String);

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Anomalies as they are found. Hostile files are strange in thousands of places; a hundred are kept.
#[derive(Debug, Default)]
pub(crate) struct Anomalies(Vec<Anomaly>);

impl Anomalies {
    pub(crate) fn note(&mut self, what: String) {
        let anomaly = Anomaly(what);
        if self.0.len() < 100 && !self.0.contains(&anomaly) {
            self.0.push(anomaly);
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Anomaly> {
        self.0
    }
}
