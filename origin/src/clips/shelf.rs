//! Looking after what was recorded: shows that have ended go into the catalogue, what is too old goes, and so does what nobody
//! needs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use packager::asset::{Revision, ShowId, StreamName};
use packager::recorded::Recorded;
use transcoder::release;

use super::{ClipError, Clips, Order, Piece, name_of_show};
use crate::catalog::Recording;
use crate::store::StoreFault;

/// What is left to do for a show whose archive is whole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// It is in the catalogue, or never will be; when it is swept.
    Shelved(Instant),
    /// Nothing, until it is too old.
    Swept,
}

impl Clips {
    /// Looks after what was recorded, for as long as it is polled.
    pub(crate) async fn tend(&self) {
        let Some(mut sealed) = self.live.watch_sealed() else { return };
        loop {
            if let Err(error) = self.look_at_all().await {
                tracing::warn!(error = %error, "what was recorded is not looked after");
            }
            tokio::select! {
                _ = sealed.changed() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    async fn look_at_all(&self) -> Result<(), ClipError> {
        let mut after = None;
        loop {
            let key = after.as_ref().map(|recording: &Recording| (&recording.stream, recording.show));
            let some = self.recordings.list(key, MANY).await?;
            for recording in &some {
                if let Err(error) = self.look_at(recording).await {
                    let Recording { stream, show, .. } = recording;
                    tracing::warn!(%stream, %show, error = %error, "a recording waits for being looked after");
                }
            }
            if (some.len() as u64) < u64::from(MANY) {
                return Ok(());
            }
            after = some.into_iter().next_back();
        }
    }

    async fn look_at(&self, recording: &Recording) -> Result<(), ClipError> {
        let key = (recording.stream.clone(), recording.show);
        let age_ms = self.now_ms().saturating_sub(recording.changed_ms);
        if recording.sealed && self.policy.keep.is_some_and(|keep| i128::from(age_ms) > millis(keep)) {
            return self.let_go_of(recording).await;
        }
        if let Some(keep) = self.policy.keep {
            self.expire(recording, keep).await?;
        }
        if !recording.sealed || recording.first == recording.until {
            return Ok(());
        }
        match self.stage(&key) {
            None => {
                if self.policy.publish {
                    self.shelve(recording).await?;
                }
                // Whoever lost the right to write may still be writing.
                self.set_stage(key, Stage::Shelved(Instant::now() + LATE));
            }
            Some(Stage::Shelved(due)) if due <= Instant::now() => {
                // What ended long ago was swept then.
                if age_ms < RECENTLY_MS {
                    self.sweep(recording).await?;
                }
                self.set_stage(key, Stage::Swept);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Puts a show into the catalogue; nothing happens where something has its name, or it was removed.
    async fn shelve(&self, recording: &Recording) -> Result<(), ClipError> {
        let Recording { stream, show, .. } = recording;
        let Ok(asset) = name_of_show(stream, *show) else { return Ok(()) };
        if self.publishing.current(&asset).await?.is_some() || self.publishing.is_withdrawn(&asset).await? {
            return Ok(());
        }
        let order = Order { stream: stream.clone(), show: Some(*show), piece: Piece::Whole, asset: None };
        match self.cut(&order).await {
            Ok(made) => {
                made.notes
                    .iter()
                    .for_each(|note| tracing::warn!(asset = %made.asset, note, "left out of the catalogue"));
                Ok(())
            }
            // Nothing that could be in it will come.
            Err(error @ (ClipError::Nothing { .. } | ClipError::Unfit { .. } | ClipError::NoShow)) => {
                tracing::warn!(%stream, %show, error = %error, "a show that has ended is not in the catalogue");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes minutes that are too old, counted from the newest one, and of which no clip is made. Some at a time: to find their
    /// objects is to list all.
    async fn expire(&self, recording: &Recording, keep: Duration) -> Result<(), ClipError> {
        let Recording { first, until, .. } = recording;
        // No page is longer than a minute, but where a segment is.
        let least = keep.as_secs() / 60;
        if until.saturating_sub(*first) < least.saturating_add(SOME) {
            return Ok(());
        }
        let Some(kept) = self.live.pages_of(recording, keep).await? else { return Ok(()) };
        let wanted = until.saturating_sub(kept.saturating_add(1));
        if wanted < first.saturating_add(SOME) {
            return Ok(());
        }
        self.expire_before(recording, wanted).await.map(drop)
    }

    /// Gives pages up and deletes what they name. Gives the first that is kept.
    async fn expire_before(&self, recording: &Recording, wanted: u64) -> Result<u64, ClipError> {
        let Recording { stream, show, first: known, .. } = recording;
        let first = self.recordings.expire(stream, *show, wanted).await?.unwrap_or(*known);
        if first > *known {
            let objects = self.live.delete_before(recording, first).await?;
            tracing::info!(%stream, %show, pages = first - known, objects, "what was recorded expired");
        }
        Ok(first)
    }

    /// A show ended so long ago that it goes: its own asset, where nothing better took its place, and all that no clip needs.
    async fn let_go_of(&self, recording: &Recording) -> Result<(), ClipError> {
        let Recording { stream, show, until, .. } = recording;
        if let Ok(asset) = name_of_show(stream, *show) {
            let uses = self.recordings.uses(stream, *show).await?;
            let own: Vec<Revision> =
                uses.into_iter().filter(|one| one.asset == asset).map(|one| one.revision).collect();
            if let Some(current) = self.publishing.current(&asset).await?
                && own.contains(&current)
            {
                self.publishing.withdraw(&asset).await?;
                tracing::info!(%asset, "a show leaves the catalogue");
            }
            for revision in own {
                if let Ok(manifest) = self.manifest(&asset, &revision).await {
                    release::discard(std::sync::Arc::clone(self.store.objects()), &manifest).await;
                }
                self.recordings.let_go(&asset, Some(&revision)).await?;
            }
        }
        let first = self.expire_before(recording, *until).await?;
        if first == *until {
            let objects = self.live.delete_archive(recording).await?;
            self.recordings.forget(stream, *show).await?;
            tracing::info!(%stream, %show, objects, "a show is no longer kept");
        }
        Ok(())
    }

    /// Deletes what no page of a show names, and no clip needs.
    async fn sweep(&self, recording: &Recording) -> Result<(), ClipError> {
        let Recording { stream, show, .. } = recording;
        let mut needed = HashSet::new();
        for used in self.recordings.uses(stream, *show).await? {
            let manifest = match self.manifest(&used.asset, &used.revision).await {
                Ok(manifest) => manifest,
                // It was removed in part: nothing reads it any more.
                Err(ClipError::Store(error)) if error.fault() == StoreFault::NotFound => continue,
                Err(error) => return Err(error),
            };
            let recorded = manifest.tracks.iter().filter_map(|track| track.recorded.as_ref());
            needed.extend(recorded.flat_map(Recorded::paths));
        }
        let objects = self.live.sweep(recording, &needed).await?;
        if objects > 0 {
            tracing::info!(%stream, %show, objects, "what no page of a show names was deleted");
        }
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.now_millis()).unwrap_or(i64::MAX)
    }

    fn stage(&self, show: &(StreamName, ShowId)) -> Option<Stage> {
        self.stages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(show).copied()
    }

    fn set_stage(&self, show: (StreamName, ShowId), stage: Stage) {
        self.stages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(show, stage);
    }
}

fn millis(time: Duration) -> i128 {
    i128::try_from(time.as_millis()).unwrap_or(i128::MAX)
}

const ROUND: Duration = Duration::from_secs(30);
const MANY: u32 = 500;
/// Longer than a write to the store may take.
const LATE: Duration = Duration::from_secs(60);
/// A day, in milliseconds.
const RECENTLY_MS: i64 = 86_400_000;
/// Pages that expire together.
const SOME: u64 = 10;
