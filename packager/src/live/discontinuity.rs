//! The discontinuities of a show: the same in all its tracks (RFC 8216bis §4.4.3.3, §6.2.4).
//!
//! Each segment with which any track is decoded otherwise than before begins with a discontinuity in all of them; in a track
//! of which something of that segment is listed already, the next one does of which nothing is. A segment's number is how
//! many such segments there were up to it.

use std::sync::Arc;

use crate::asset::RenditionName;
use crate::time::Msn;

/// What one track knows of them.
#[derive(Debug, Default)]
pub(super) struct Discontinuities {
    /// Segments with which any track of the show was decoded otherwise than before, in order.
    changes: Arc<Vec<Msn>>,
    /// The discontinuity sequence number of the segment that is being made.
    number: u64,
}

impl Discontinuities {
    /// All that the track knows of.
    pub(super) fn changes(&self) -> &Arc<Vec<Msn>> {
        &self.changes
    }

    /// What is known in the show.
    pub(super) fn learn(&mut self, changes: &Arc<Vec<Msn>>) {
        self.changes = Arc::clone(changes);
    }

    /// The discontinuity sequence number of the segment that is being made.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The track begins with a segment: those before it have been.
    pub(super) fn begin(&mut self, msn: Msn) {
        self.number = self.up_to(msn);
    }

    /// The track goes on with a segment: whether that begins with a discontinuity. Where several are due, its next ones do
    /// too.
    pub(super) fn enter(&mut self, msn: Msn) -> bool {
        let is_due = self.number < self.up_to(msn);
        self.number += u64::from(is_due);
        is_due
    }

    /// The track itself is decoded otherwise from this segment on, which begins with a discontinuity; `has_one` where that
    /// was due anyway.
    pub(super) fn change(&mut self, msn: Msn, has_one: bool) {
        if let Err(place) = self.changes.binary_search(&msn) {
            Arc::make_mut(&mut self.changes).insert(place, msn);
        }
        self.number += u64::from(!has_one);
    }

    fn up_to(&self, msn: Msn) -> u64 {
        self.changes.partition_point(|change| *change <= msn) as u64
    }
}

/// The segments at which tracks changed their headers, by what is known of a show that others have begun: track, first
/// segment, header.
pub(super) fn changes_of(inits: &[(RenditionName, Msn, String)]) -> Vec<Msn> {
    let is_first = |track: &RenditionName, at: &Msn| {
        !inits.iter().any(|(other, before, _)| other == track && before < at)
    };
    let mut changes: Vec<Msn> =
        inits.iter().filter(|(track, at, _)| !is_first(track, at)).map(|(_, at, _)| *at).collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}
