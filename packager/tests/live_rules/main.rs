//! What may be told to a live show and what may not: date ranges and media, one rule at a time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    reason = "a test reads its files"
)]

mod holes;
mod memory;
mod ranges;
mod refusals;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use forebay_packager::live::{Cadence, Listing, Plan, Show};
use forebay_packager::time::MediaTime;

/// The date of media time zero.
const ZERO_MS: i64 = 1_795_363_200_000;

/// A minute.
const WINDOW: Listing = Listing::Sliding(MediaTime::from_millis(60_000));

/// A show of segments of two seconds in six parts, of at most two tracks.
fn show(listing: Listing) -> Show {
    let some = |number| NonZeroU32::new(number).unwrap();
    Show::new(Plan {
        cadence: Cadence::new(some(2000), some(6)),
        listing,
        anchor_ms: ZERO_MS,
        tracks: 2,
        begins: true,
        last: None,
        inits: Vec::new(),
        keeping: None,
        past: BTreeMap::new(),
        ranges: Vec::new(),
    })
}
