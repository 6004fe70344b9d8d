use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::super::conformance::{self, Stage};
use super::*;

/// Recordings that `made` made on a clock that is set by hand.
fn stage<R: Recordings + 'static>(made: impl Fn(MemoryRecordings) -> R) -> Stage {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let hand = Arc::clone(&clock);
    let made = made(MemoryRecordings::new(move || clock.load(Ordering::Relaxed)));
    let recordings: Arc<dyn Recordings> = Arc::new(made);
    let step = move |by| {
        hand.fetch_add(by, Ordering::Relaxed);
        Box::pin(std::future::ready(())) as _
    };
    Stage { both: [Arc::clone(&recordings), recordings], step: Box::new(step) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms() {
    conformance::run(async || stage(|recordings| recordings)).await.unwrap();
}

#[tokio::test]
async fn a_recording_changes_when_its_clock_says() {
    let clock = Arc::new(AtomicI64::new(5_000));
    let hand = Arc::clone(&clock);
    let recordings = MemoryRecordings::new(move || hand.load(Ordering::Relaxed));
    let (stream, worker) = ("show".parse().unwrap(), "w".parse().unwrap());
    let ttl = Duration::from_secs(3);
    let tenure = recordings.claim(&stream, ShowId(1), &worker, ttl, 0).await.unwrap().unwrap();
    for (now, is_held, changed_ms) in [(7_999, true, 5_000), (8_000, false, 7_999)] {
        clock.store(now, Ordering::Relaxed);
        let recording = recordings.recording(&stream, ShowId(1)).await.unwrap().unwrap();
        assert_eq!((recording.is_held, recording.changed_ms), (is_held, changed_ms), "{now}");
        assert!(recordings.commit(&tenure, 1).await.unwrap());
    }
}

/// A mistake that an implementation could make.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    /// Forgets its count with a release.
    Forgetful,
    /// Does not count where the same one claims again.
    Familiar,
    /// Has who starts again wait for its former self.
    Jealous,
    /// Claims what others have.
    Grabbing,
    /// Never lets a tenure end.
    Timeless,
    /// Waits for a tenure for as long as the clock was set back.
    Patient,
    /// Does not renew what is over, though nobody claimed it.
    Strict,
    /// Commits for whoever asks.
    Trusting,
    /// Commits for who released.
    Lenient,
    /// Takes the newest commit instead of the highest.
    Backwards,
    /// Begins anew with each claim.
    Restarting,
    /// Claims what is sealed.
    Reopening,
    /// Seals only once.
    Terse,
    /// Tells spans in which nothing was written.
    Wordy,
    /// Takes what expires for something that somebody wrote.
    Stirred,
    /// Lists what is forgotten.
    Nostalgic,
    /// Expires what is not written.
    Eager,
    /// Takes back what expired.
    Reviving,
    /// Expires what is in use.
    Greedy,
    /// Uses what has expired.
    Blind,
    /// Uses what is not written.
    Hopeful,
    /// Ends the uses of all revisions.
    Wholesale,
    /// Forgets what is kept.
    Careless,
    /// Forgets its count with a recording.
    Thorough,
    /// Looks first, and claims then.
    HastyClaim,
    /// Looks first, and commits then.
    HastyCommit,
    /// Looks first, and seals then.
    HastySeal,
    /// Looks first, and expires then.
    HastyExpire,
    /// Looks first, and holds then.
    HastyHold,
}

#[derive(Debug)]
struct Broken(MemoryRecordings, Mistake);

impl Broken {
    fn change(&self, stream: &StreamName, show: ShowId, change: impl FnOnce(&mut Row)) {
        self.0.tables().rows.get_mut(&(stream.clone(), show)).map(change);
    }

    fn first_and_until(&self, stream: &StreamName, show: ShowId) -> Option<[u64; 2]> {
        self.0.tables().rows.get(&(stream.clone(), show)).map(|row| [row.first, row.until])
    }

    /// The tenure as if it were the newest.
    fn newest(&self, tenure: &Tenure) -> Tenure {
        let fence = self.0.tables().rows.get(&(tenure.stream.clone(), tenure.show)).map(|row| row.fence);
        Tenure { fence: fence.unwrap_or(tenure.fence), ..tenure.clone() }
    }

    /// Whether a tenure holds; others may do what they like before whoever asked goes on.
    async fn look(&self, tenure: &Tenure) -> bool {
        let holds = self.0.with(tenure, |row, _| row.held.is_some());
        tokio::task::yield_now().await;
        holds
    }
}

#[async_trait]
impl Recordings for Broken {
    async fn claim(
        &self,
        stream: &StreamName,
        show: ShowId,
        holder: &WorkerName,
        ttl: Duration,
        from: u64,
    ) -> Result<Option<Tenure>, RecordingError> {
        let now = (self.0.now)();
        let mut is_refused = false;
        self.change(stream, show, |row| match (self.1, &mut row.held) {
            (Mistake::Familiar, Some(held)) => row.fence -= u64::from(held.holder == *holder),
            (Mistake::Jealous, Some(held)) => is_refused = held.holder == *holder && held.holds(now),
            (Mistake::Grabbing, held) => *held = None,
            (Mistake::Timeless, Some(held)) => held.until_ms = held.until_ms.max(now + 1),
            (Mistake::Patient, Some(held)) => held.ttl_ms = i64::MAX,
            (Mistake::Reopening, _) => row.sealed = false,
            (Mistake::HastyClaim, Some(held)) => is_refused = held.holder != *holder && held.holds(now),
            _ => {}
        });
        if is_refused {
            return Ok(None);
        }
        if self.1 == Mistake::HastyClaim {
            tokio::task::yield_now().await;
            self.change(stream, show, |row| row.held = None);
        }
        let mut claimed = self.0.claim(stream, show, holder, ttl, from).await?;
        if let (Mistake::Restarting, Some(tenure)) = (self.1, &mut claimed) {
            self.change(stream, show, |row| row.until = from);
            tenure.from = from;
        }
        Ok(claimed)
    }

    async fn renew(&self, tenure: &Tenure, ttl: Duration) -> Result<bool, RecordingError> {
        let recording = self.0.recording(&tenure.stream, tenure.show).await?;
        let is_over = recording.is_some_and(|recording| !recording.is_held);
        Ok(self.0.renew(tenure, ttl).await? && !(self.1 == Mistake::Strict && is_over))
    }

    async fn release(&self, tenure: &Tenure) -> Result<bool, RecordingError> {
        let is_released = self.0.release(tenure).await?;
        if self.1 == Mistake::Forgetful && is_released {
            self.change(&tenure.stream, tenure.show, |row| row.fence = 0);
        }
        Ok(is_released)
    }

    async fn commit(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        match self.1 {
            Mistake::Trusting => return self.0.commit(&self.newest(tenure), until).await,
            Mistake::Lenient if self.0.with(tenure, |row, _| row.held.is_none()) => return Ok(true),
            Mistake::Backwards if storable(until).is_ok() => {
                _ = self.0.with(tenure, |row, _| {
                    row.until = until;
                    true
                })
            }
            Mistake::HastyCommit if self.look(tenure).await => {
                return self.0.commit(&self.newest(tenure), until).await;
            }
            _ => {}
        }
        self.0.commit(tenure, until).await
    }

    async fn seal(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        match self.1 {
            Mistake::Terse if !self.0.with(tenure, |row, _| row.held.is_some()) => Ok(false),
            Mistake::HastySeal if self.look(tenure).await => self.0.seal(&self.newest(tenure), until).await,
            _ => self.0.seal(tenure, until).await,
        }
    }

    async fn recording(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Option<Recording>, RecordingError> {
        let recording = self.0.recording(stream, show).await?;
        Ok(recording.map(|mut recording| {
            if self.1 == Mistake::Wordy {
                self.change(stream, show, |row| recording.spans = row.spans.clone());
            }
            recording
        }))
    }

    async fn list(
        &self,
        after: Option<(&StreamName, ShowId)>,
        limit: u32,
    ) -> Result<Vec<Recording>, RecordingError> {
        if self.1 == Mistake::Nostalgic {
            self.0.tables().rows.values_mut().for_each(|row| row.forgotten = false);
        }
        self.0.list(after, limit).await
    }

    async fn unattended(&self, limit: u32) -> Result<Vec<Recording>, RecordingError> {
        self.0.unattended(limit).await
    }

    async fn expire(
        &self,
        stream: &StreamName,
        show: ShowId,
        first: u64,
    ) -> Result<Option<u64>, RecordingError> {
        let now = (self.0.now)();
        let mut forced = None;
        match self.1 {
            Mistake::Stirred => self.change(stream, show, |row| row.changed_ms = now),
            Mistake::Eager => forced = Some(first),
            Mistake::Reviving => self.change(stream, show, |row| row.first = 0),
            Mistake::Greedy => self.0.tables().uses.clear(),
            Mistake::HastyExpire => {
                let used = self.0.uses(stream, show).await?;
                tokio::task::yield_now().await;
                let [_, until] = self.first_and_until(stream, show).unwrap_or_default();
                let used = used.first().map_or(until, |one| one.first);
                forced = Some(first.min(until).min(used));
            }
            _ => {}
        }
        let kept = self.0.expire(stream, show, first).await?;
        let (Some(kept), Some(forced)) = (kept, forced) else { return Ok(kept) };
        let first = kept.max(forced);
        self.change(stream, show, |row| row.first = first);
        Ok(Some(first))
    }

    async fn forget(&self, stream: &StreamName, show: ShowId) -> Result<bool, RecordingError> {
        if self.1 == Mistake::Careless {
            self.change(stream, show, |row| row.first = if row.sealed { row.until } else { row.first });
        }
        let is_forgotten = self.0.forget(stream, show).await?;
        if self.1 == Mistake::Thorough && is_forgotten {
            self.0.tables().rows.remove(&(stream.clone(), show));
        }
        Ok(is_forgotten)
    }

    async fn hold_for(
        &self,
        asset: &AssetName,
        revision: &Revision,
        stream: &StreamName,
        show: ShowId,
        first: u64,
        last: u64,
    ) -> Result<bool, RecordingError> {
        let Some([kept, until]) = self.first_and_until(stream, show) else { return Ok(false) };
        let mut will_be = last < until;
        self.change(stream, show, |row| will_be |= !row.sealed);
        let is_held = match self.1 {
            Mistake::Blind => first <= last && will_be,
            Mistake::Hopeful => kept <= first && first <= last,
            Mistake::HastyHold => {
                tokio::task::yield_now().await;
                kept <= first && first <= last && will_be
            }
            _ => return self.0.hold_for(asset, revision, stream, show, first, last).await,
        };
        if is_held {
            let entry = ((stream.clone(), show), (first, last), (asset.clone(), revision.clone()));
            self.0.tables().uses.insert(entry);
        }
        Ok(is_held)
    }

    async fn let_go(&self, asset: &AssetName, revision: Option<&Revision>) -> Result<u64, RecordingError> {
        self.0.let_go(asset, revision.filter(|_| self.1 != Mistake::Wholesale)).await
    }

    async fn uses(&self, stream: &StreamName, show: ShowId) -> Result<Vec<Use>, RecordingError> {
        self.0.uses(stream, show).await
    }
}

#[tokio::test]
async fn the_suite_finds_the_mistakes() {
    for (mistake, rule) in [
        (Mistake::Forgetful, "fences_go_up_for_ever: "),
        (Mistake::Familiar, "fences_go_up_for_ever: "),
        (Mistake::Jealous, "fences_go_up_for_ever: a claim by ours: "),
        (Mistake::Grabbing, "what_another_one_writes_is_not_claimed: "),
        (Mistake::Timeless, "fences_go_up_for_ever: a claim by theirs: "),
        (Mistake::Patient, "a_clock_that_is_set_back_keeps_nobody_waiting: "),
        (Mistake::Strict, "what_is_over_goes_on_where_nobody_claimed_it: "),
        (Mistake::Trusting, "who_starts_again_need_not_wait: the former's commit: "),
        (Mistake::Lenient, "what_is_released_is_free_and_stays_lost: a commit: "),
        (Mistake::Backwards, "what_is_written_never_goes_back: "),
        (Mistake::Restarting, "who_starts_again_need_not_wait: where it goes on: "),
        (Mistake::Reopening, "what_is_sealed_stays_as_it_is: a claim: "),
        (Mistake::Terse, "what_is_sealed_stays_as_it_is: a seal again: "),
        (Mistake::Wordy, "a_recording_begins_where_it_was_asked_to: "),
        (Mistake::Stirred, "what_nobody_has_is_told_the_oldest_first: "),
        (Mistake::Nostalgic, "what_is_sealed_and_empty_is_forgotten: the list: "),
        (Mistake::Eager, "what_is_written_expires_once: "),
        (Mistake::Reviving, "what_is_written_expires_once: "),
        (Mistake::Greedy, "pages_in_use_do_not_expire: "),
        (Mistake::Blind, "only_pages_that_are_there_are_used: "),
        (Mistake::Hopeful, "only_pages_that_are_there_are_used: "),
        (Mistake::Wholesale, "uses_end_by_revision_and_by_asset: "),
        (Mistake::Careless, "pages_in_use_do_not_expire: whether it is forgotten: "),
        (Mistake::Thorough, "what_is_sealed_and_empty_is_forgotten: a claim: "),
        (Mistake::HastyClaim, "of_those_who_race_to_claim_one_has_it: "),
        (Mistake::HastyCommit, "a_claim_is_of_all_that_was_committed_before_it: "),
        (Mistake::HastySeal, "what_is_sealed_or_claimed_is_not_both: "),
        (Mistake::HastyExpire, "what_is_used_or_expired_is_not_both: "),
        (Mistake::HastyHold, "what_is_used_or_expired_is_not_both: "),
    ] {
        let found = conformance::run(async || stage(|recordings| Broken(recordings, mistake))).await;
        let found = found.unwrap_err();
        assert!(found.starts_with(rule), "{mistake:?}: {found}");
    }
}
