//! Whether what a sender sends belongs to the show: to its timeline, and to a time that has come.

use super::Refusal;
use super::cadence::Cadence;
use super::plan::Plan;
use crate::time::{MediaTime, Timescale};

/// What a chunk behind a header is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Where the show began, as far as it is known here.
    pub(super) first: Option<MediaTime>,
    /// Where the track ends; `None` where it has not begun here.
    pub(super) end: Option<MediaTime>,
    /// The ticks of the track.
    pub(super) scale: Timescale,
}

/// Whether a chunk is of a time that has come.
///
/// # Errors
/// [`Refusal::Ahead`].
pub(super) fn check_clock(plan: &Plan, time: MediaTime, now_ms: i64) -> Result<(), Refusal> {
    let by_ms = plan.date(time).saturating_sub(now_ms);
    if by_ms > AHEAD_MS { Err(Refusal::Ahead { by_ms }) } else { Ok(()) }
}

/// Whether the chunk after a header is of another timeline than the show's.
pub(super) fn begins_anew(plan: &Plan, here: Known, time: MediaTime, now_ms: i64) -> bool {
    let passed_ms = now_ms.saturating_sub(plan.date(time));
    if plan.anchor_ms == 0 {
        // Dates that are no dates.
        return passed_ms.abs() > DAY_MS;
    }
    // A track that is new here may be late; how far the others are says nothing of it. Of a timeline that began
    // elsewhere nobody here knows the beginning, unless an archive tells it, or what its tracks were decoded with at first:
    // else whatever is older than what is whole begins it anew.
    let start = |number| plan.cadence.start(number, here.scale);
    let elsewhere = plan.last.map(start);
    let (first, end) = match here.end {
        Some(end) => (here.first, Some(end)),
        None => {
            let decoded = plan.inits.iter().map(|(_, number, _)| *number).min().map(start);
            // What came first here need not be what the show began with.
            (decoded.into_iter().chain(here.first).min().or(elsewhere), elsewhere)
        }
    };
    let is_stale = here.end.is_none() && !plan.begins && passed_ms > STALE_MS;
    passed_ms < -AHEAD_MS || is_stale || restarts(plan.cadence, first, end, time)
}

/// Whether a sender that has just sent a header begins its timeline anew: further back than anyone sends again what
/// was lost, or where the show began.
fn restarts(cadence: Cadence, first: Option<MediaTime>, end: Option<MediaTime>, time: MediaTime) -> bool {
    let Some(end) = end else { return false };
    let millis = |time: MediaTime| time.as_micros() / 1000;
    let segment = cadence.segment().ticks();
    let back = millis(end).saturating_sub(millis(time));
    let at_start = first.is_some_and(|first| millis(time) <= millis(first).saturating_add(segment));
    back > REPLAY_MS || (at_start && back > 2 * segment)
}

/// How far ahead of the clock media may be: encoders' clocks differ.
const AHEAD_MS: i64 = 600_000;
/// How far behind the clock a sender may be that goes on with a show which began elsewhere.
const STALE_MS: i64 = 30_000;
/// Media time that is a date is not off by more.
const DAY_MS: i64 = 86_400_000;
/// How much senders send again when they come back.
const REPLAY_MS: i64 = 60_000;
