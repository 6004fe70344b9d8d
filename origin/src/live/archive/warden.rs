//! Shows whose archive nobody looks after: their origin died, and their sender did not come back. Whoever finds one ends it.

use std::sync::Arc;
use std::time::Duration;

use packager::asset::{ShowId, StreamName};
use packager::live::Show;

use super::{Archive, ArchiveError, Keeper};
use crate::catalog::Recording;
use crate::live::{Live, LiveError, Showing};

impl Live {
    /// Ends what nobody looks after, for as long as it is polled. Nothing to do where shows are not recorded.
    pub(crate) async fn tend_archives(self: &Arc<Self>) {
        let Some(archive) = self.archive.clone() else { return };
        loop {
            tokio::time::sleep(ROUND).await;
            let unattended = match archive.recordings.unattended(AT_ONCE).await {
                Ok(unattended) => unattended,
                Err(error) => {
                    tracing::debug!(%error, "it is not known which archives nobody looks after");
                    continue;
                }
            };
            for recording in unattended {
                let (stream, show) = (recording.stream.clone(), recording.show);
                if let Err(error) = self.attend(&archive, recording).await {
                    let error = super::chain(&error);
                    tracing::warn!(%stream, %show, error, "an archive that nobody looks after is not ended");
                }
            }
        }
    }

    /// Ends a show that nobody looks after, if it is over.
    async fn attend(self: &Arc<Self>, archive: &Arc<Archive>, recording: Recording) -> Result<(), LiveError> {
        let Recording { stream, show, .. } = &recording;
        // It has a keeper here.
        if self.here(stream, Some(*show)).is_some() || self.goes_on(stream, *show).await? {
            return Ok(());
        }
        let restored = archive.restore(stream, *show, Some(self.rules.usual())).await?.unwrap_or_default();
        let cut = restored.cut.unwrap_or((self.rules.usual(), 0));
        if restored.past.is_empty() {
            return Ok(archive.seal_empty(&recording).await?);
        }
        let showing = Arc::new(Showing::recorded(*show, Show::recorded(self.rules.recorded(cut, restored))));
        let keeper = Keeper::new(Arc::clone(archive), stream.clone(), &showing);
        tracing::info!(%stream, %show, "a show that nobody looks after ends");
        // A store that is away takes its time; the next round begins anew then.
        if tokio::time::timeout(PATIENCE, keeper.run()).await.is_err() {
            tracing::warn!(%stream, %show, "its archive could not be ended yet");
        }
        drop(showing);
        Ok(())
    }

    /// Whether a show still runs, by what the database knows; one that stopped long ago is ended there.
    async fn goes_on(&self, stream: &StreamName, show: ShowId) -> Result<bool, LiveError> {
        let Some(row) = self.shows.current(stream).await?.filter(|row| row.id == show && !row.ended) else {
            return Ok(false);
        };
        let now_ms = i64::try_from(self.clock.now_millis()).unwrap_or(i64::MAX);
        if now_ms < self.rules.seen_ms(&row).saturating_add(self.rules.patience_ms()) {
            return Ok(true);
        }
        self.shows.end(stream, show).await?;
        Ok(false)
    }
}

impl Archive {
    /// Seals an archive in which there is nothing.
    async fn seal_empty(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let Recording { stream, show, until, .. } = recording;
        if let Some(tenure) = self.recordings.claim(stream, *show, &self.holder, TTL, *until).await? {
            self.recordings.seal(&tenure, tenure.from).await?;
        }
        Ok(())
    }
}

const ROUND: Duration = Duration::from_secs(5);
const AT_ONCE: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(120);
const TTL: Duration = Duration::from_secs(10);
