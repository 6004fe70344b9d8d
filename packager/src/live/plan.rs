//! What is fixed about a show before anything of it arrives.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::DateRange;
use super::cadence::Cadence;
use super::past::Past;
use super::playlist::{Listing, horizon};
use super::utc::date;
use crate::asset::RenditionName;
use crate::time::{MediaTime, Msn};

/// How a show is cut, listed and dated, and what is known of it where others have begun it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it is cut.
    pub cadence: Cadence,
    /// How much of it is listed.
    pub listing: Listing,
    /// The date of media time zero, in milliseconds since 1970-01-01 UTC. Zero where media time is that date.
    pub anchor_ms: i64,
    /// How many tracks it may have.
    pub tracks: usize,
    /// Whether it begins here. Where it does not, others have whole segments of it, and each track begins with the
    /// next whole one.
    pub begins: bool,
    /// The last segment that is known to be whole elsewhere, where it does not begin here.
    pub last: Option<Msn>,
    /// What its tracks were decoded with so far: track, first segment, header. They tell how many discontinuities
    /// there were.
    pub inits: Vec<(RenditionName, Msn, String)>,
    /// How much stays here of what is kept elsewhere too; `None` where nothing is kept elsewhere, and what has slid out is
    /// gone.
    pub keeping: Option<Keeping>,
    /// What is kept elsewhere of tracks that have been here, or on other origins.
    pub past: BTreeMap<RenditionName, Arc<Past>>,
    /// What was announced in that past, and since which date each is told, in milliseconds since 1970.
    pub ranges: Vec<(i64, DateRange)>,
}

/// How much of a show stays here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// The bytes of segments that end no longer ago than this. No less than six target durations.
    pub bytes: MediaTime,
    /// That there are segments, where they end no longer ago than this, or are not told elsewhere. No less than the window.
    pub known: MediaTime,
    /// The segments before this one are told elsewhere: whatever becomes of what is known here, they are not lost.
    pub told: Msn,
}

impl Plan {
    /// The date of a media time, in milliseconds since 1970.
    pub(super) fn date(&self, time: MediaTime) -> i64 {
        date(self.anchor_ms, time)
    }

    /// What a date range must not have ended before to be listed by a playlist that begins with this segment.
    pub(super) fn horizon(&self, first: Msn) -> i64 {
        horizon(self.cadence, self.anchor_ms, first)
    }

    /// So many target durations, in microseconds.
    pub(super) fn targets(&self, count: u32) -> i64 {
        i64::from(self.cadence.target_duration()) * i64::from(count) * 1_000_000
    }
}
