//! What is not here may be on its way: after a restart the database knows a show before its sender has come back, and so it
//! is on an origin that a sender does not reach. Such an absence is a moment's, and players that are told so come again.

use std::sync::Arc;

use packager::asset::{ShowId, StreamName};
use packager::live::Show;

use super::{Live, LiveError, Place, Showing};
use crate::cache::{Key, Lost};
use crate::metrics::Outcome;

/// The newest show of a stream, as the database has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    id: ShowId,
    /// Until when it can still go on, by what is known of it, in milliseconds since 1970; `None` for one that has ended.
    until_ms: Option<i64>,
}

impl Key for (StreamName, ShowId) {
    fn place(&self) -> String {
        format!("/live/{}/{}/#", self.0, self.1)
    }
}

impl Key for StreamName {
    fn place(&self) -> String {
        format!("/live/{self}/#")
    }
}

impl Live {
    /// A show of a stream: that which is running, or ended last, where no number is given.
    ///
    /// # Errors
    /// [`LiveError::Away`] for one that runs, but not here. Cancel-safe.
    pub(crate) async fn showing(
        self: &Arc<Self>,
        stream: &StreamName,
        show: Option<ShowId>,
    ) -> Result<Arc<Showing>, LiveError> {
        match self.here(stream, show) {
            Some(showing) => Ok(showing),
            None => match self.whereabouts(stream, show).await? {
                Some(ended) => self.recorded(stream, ended).await,
                None => Err(LiveError::Absent),
            },
        }
    }

    /// A show that has ended, as its archive tells it.
    async fn recorded(
        self: &Arc<Self>,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Arc<Showing>, LiveError> {
        let Some(archive) = &self.archive else { return Err(LiveError::Absent) };
        let key = (stream.clone(), show);
        let fill = || {
            let (archive, rules, (stream, show)) = (Arc::clone(archive), self.rules, key.clone());
            async move {
                let restored = archive.restore(&stream, show, None).await?.ok_or(LiveError::Absent)?;
                let Some(cut) = restored.cut else { return Err(LiveError::Absent) };
                // Somebody will end it soon.
                if !restored.sealed {
                    return Err(LiveError::Away);
                }
                let plan = rules.recorded(cut, restored);
                // Hours of segments take milliseconds.
                let make = move || Arc::new(Showing::recorded(show, Show::recorded(plan)));
                tokio::task::spawn_blocking(make).await.map_err(|_| LiveError::Lost(Lost))
            }
        };
        self.recorded.get_or_fill(&key, outcome, fill).await.0
    }

    /// The show of a place.
    ///
    /// # Errors
    /// [`LiveError::Away`] for a show that runs, but not here, and for a track that is known not to be back yet.
    pub(super) async fn showing_of(self: &Arc<Self>, at: &Place) -> Result<Arc<Showing>, LiveError> {
        let showing = self.showing(&at.stream, Some(at.show)).await?;
        let is_due = showing.look(|show| {
            let is_known = show.plan().inits.iter().any(|(track, ..)| *track == at.track);
            is_known && !show.has_ended() && show.header(&at.track).is_none()
        });
        if is_due { Err(LiveError::Away) } else { Ok(showing) }
    }

    /// Which show is meant, where that has ended; `None` where there is none.
    async fn whereabouts(
        self: &Arc<Self>,
        stream: &StreamName,
        show: Option<ShowId>,
    ) -> Result<Option<ShowId>, LiveError> {
        let fill = || {
            let (this, stream) = (Arc::clone(self), stream.clone());
            async move { this.newest_of(&stream).await }
        };
        let newest = self.newest.get_or_fill(stream, outcome, fill).await.0?;
        let now_ms = i64::try_from(self.clock.now_millis()).unwrap_or(i64::MAX);
        let is_running = newest.is_some_and(|newest| {
            show.is_none_or(|id| id == newest.id) && newest.until_ms.is_some_and(|until| now_ms < until)
        });
        match newest {
            _ if is_running => Err(LiveError::Away),
            Some(newest) => Ok(Some(show.unwrap_or(newest.id)).filter(|id| *id <= newest.id)),
            None => Ok(None),
        }
    }

    async fn newest_of(&self, stream: &StreamName) -> Result<Option<Newest>, LiveError> {
        let Some(row) = self.shows.current(stream).await? else { return Ok(None) };
        let seen_ms = self.rules.seen_ms(&row);
        let until_ms = (!row.ended).then_some(seen_ms.saturating_add(self.rules.patience_ms()));
        Ok(Some(Newest { id: row.id, until_ms }))
    }
}

fn outcome(error: &LiveError) -> Outcome {
    match error {
        LiveError::Shows(_) | LiveError::Archive(_) => Outcome::Unavailable,
        LiveError::Absent => Outcome::NotFound,
        _ => Outcome::Failed,
    }
}
