//! What every implementation of [`Recordings`] must do. Implementations run it in their own tests.

mod pages;
mod races;
mod tenures;
mod uses;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use packager::asset::{AssetName, Revision, ShowId, StreamName};
use transcoder::publishing::WorkerName;
use transcoder::publishing::leases_conformance::Step;

use super::{Recording, RecordingError, Recordings, Tenure};

/// Two ways to one and the same set of recordings, as two origins have them, and a hand on its clock.
pub(crate) struct Stage {
    /// The ways.
    pub(crate) both: [Arc<dyn Recordings>; 2],
    /// The hand. It may move the points in time of recordings that are there, all by the same.
    pub(crate) step: Step,
}

/// Runs the suite; `fresh` gives a stage without recordings.
///
/// # Errors
/// The first rule that does not hold, with what was expected and found.
pub(crate) async fn run(fresh: impl AsyncFn() -> Stage) -> Result<(), String> {
    rule("a_recording_begins_where_it_was_asked_to", tenures::asked(fresh().await)).await?;
    rule("fences_go_up_for_ever", tenures::upwards(fresh().await)).await?;
    rule("what_another_one_writes_is_not_claimed", tenures::claimed(fresh().await)).await?;
    rule("who_starts_again_need_not_wait", tenures::again(fresh().await)).await?;
    rule("what_is_over_is_claimed", tenures::over(fresh().await)).await?;
    rule("renewing_keeps_a_tenure", tenures::renewed(fresh().await)).await?;
    rule("what_is_over_goes_on_where_nobody_claimed_it", tenures::late(fresh().await)).await?;
    rule("what_is_released_is_free_and_stays_lost", tenures::released(fresh().await)).await?;
    rule("a_clock_that_is_set_back_keeps_nobody_waiting", tenures::set_back(fresh().await)).await?;
    rule("shows_do_not_know_each_other", tenures::apart(fresh().await)).await?;
    rule("a_tenure_that_was_never_given_is_lost", tenures::unknown(fresh().await)).await?;
    rule("what_is_out_of_range_is_refused", tenures::ranges(fresh().await)).await?;
    rule("what_is_written_never_goes_back", pages::committed(fresh().await)).await?;
    rule("a_lost_holder_writes_nothing", pages::fenced(fresh().await)).await?;
    rule("the_next_one_goes_on_where_the_last_one_was", pages::spans(fresh().await)).await?;
    rule("what_is_sealed_stays_as_it_is", pages::sealed(fresh().await)).await?;
    rule("recordings_are_listed_in_order", pages::listed(fresh().await)).await?;
    rule("what_nobody_has_is_told_the_oldest_first", pages::unattended(fresh().await)).await?;
    rule("what_is_written_expires_once", uses::expired(fresh().await)).await?;
    rule("pages_in_use_do_not_expire", uses::held(fresh().await)).await?;
    rule("only_pages_that_are_there_are_used", uses::bounds(fresh().await)).await?;
    rule("uses_end_by_revision_and_by_asset", uses::ended(fresh().await)).await?;
    rule("what_is_sealed_and_empty_is_forgotten", uses::forgotten(fresh().await)).await?;
    rule("of_those_who_race_to_claim_one_has_it", races::claims(fresh().await)).await?;
    rule("a_claim_is_of_all_that_was_committed_before_it", races::commits(fresh().await)).await?;
    rule("what_is_sealed_or_claimed_is_not_both", races::seals(fresh().await)).await?;
    rule("what_is_used_or_expired_is_not_both", races::holds(fresh().await)).await
}

/// What a rule says where it does not hold, or why it could not be looked at.
struct Fault(String);

type Checked = Result<(), Fault>;

impl<E: StdError> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs one rule; says its name where it does not hold.
async fn rule(name: &str, holds: impl Future<Output = Checked>) -> Result<(), String> {
    holds.await.map_err(|Fault(fault)| format!("{name}: {fault}"))
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Checked {
    match found == expected {
        true => Ok(()),
        false => Err(Fault(format!("{what}: expected {expected:?}, found {found:?}"))),
    }
}

fn refusal<T: Debug>(what: &str, found: Result<T, RecordingError>) -> Checked {
    match found {
        Err(RecordingError::Refused { .. }) => Ok(()),
        other => Err(Fault(format!("{what}: expected a refusal, found {other:?}"))),
    }
}

/// Claims the one show of most rules.
async fn claim(port: &Arc<dyn Recordings>, holder: &str) -> Result<Tenure, Fault> {
    claim_of(port, "show", 1, holder).await
}

async fn claim_of(port: &Arc<dyn Recordings>, name: &str, show: u64, holder: &str) -> Result<Tenure, Fault> {
    let claimed = port.claim(&stream(name), ShowId(show), &worker(holder), TTL, 0).await?;
    claimed.ok_or_else(|| Fault(format!("a claim by {holder}: expected a tenure, found none")))
}

/// The recording of the one show of most rules.
async fn seen(port: &Arc<dyn Recordings>) -> Result<Recording, Fault> {
    let recording = port.recording(&stream("show"), SHOW).await?;
    recording.ok_or_else(|| Fault("expected a recording, found none".to_owned()))
}

fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

fn asset(name: &str) -> AssetName {
    name.parse().unwrap()
}

fn revision(number: u64) -> Revision {
    Revision::counted(number)
}

const SHOW: ShowId = ShowId(1);
/// So long that what passes while the suite runs is nothing beside it.
const TTL: Duration = Duration::from_secs(600);
const TTL_MS: i64 = 600_000;
const RACERS: usize = 16;
