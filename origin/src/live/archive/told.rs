//! What is stored of a show, for whoever makes something of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Cadence, Past, Segment};
use packager::time::MediaTime;
use tokio::sync::watch;

use crate::live::{Live, LiveError, Showing};

/// A show, as far as it is known to be stored.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its tracks. Segments that are kept on one machine alone, or nowhere, are among theirs.
    pub(crate) past: BTreeMap<RenditionName, Arc<Past>>,
    /// How it is cut.
    pub(crate) cadence: Cadence,
    /// The date of media time zero, in milliseconds since 1970-01-01 UTC.
    pub(crate) anchor_ms: i64,
    /// Whether nothing will follow.
    pub(crate) has_ended: bool,
}

impl Live {
    /// What is stored of a show; of that which is running, or ended last, where no number is given. `None` where nobody recorded
    /// it.
    ///
    /// # Errors
    /// [`LiveError`].
    pub(crate) async fn told(
        &self,
        stream: &StreamName,
        show: Option<ShowId>,
    ) -> Result<Option<(ShowId, Told)>, LiveError> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let row = self.shows.current(stream).await?;
        let Some(id) = show.or(row.as_ref().map(|row| row.id)) else { return Ok(None) };
        let row = row.filter(|row| row.id == id);
        let opened = row.map(|row| (self.rules.cadence(&row), row.anchor_ms));
        // Who writes the archive need not list and read what it put there a moment ago.
        let here = self.here(stream, Some(id)).filter(|showing| showing.archiving().is_here);
        let restored = match &here {
            Some(_) => archive.restore_pages(stream, id).await?.map(|(restored, _)| restored),
            None => archive.restore(stream, id, opened.map(|(cadence, _)| cadence)).await?,
        };
        let Some(mut restored) = restored else { return Ok(None) };
        let Some((cadence, anchor_ms)) = restored.cut.or(opened) else { return Ok(None) };
        if let Some(showing) = here {
            add_newest(&mut restored.past, &showing);
        }
        Ok(Some((id, Told { past: restored.past, cadence, anchor_ms, has_ended: restored.sealed })))
    }

    /// Until when a show is stored; `None` where this origin does not write it, and so does not know.
    pub(crate) fn stored_until(&self, stream: &StreamName, show: ShowId) -> Option<MediaTime> {
        let showing = self.here(stream, Some(show)).filter(|showing| showing.archiving().is_here)?;
        showing.look(|show| {
            let end = |name: &RenditionName| {
                let all = show.segments(name)?;
                let is_stored = |s: &&Arc<Segment>| s.stored.is_some_and(|stored| stored.fence.is_some());
                Some(all.iter().rev().find(is_stored)?.end)
            };
            // Tracks that ended earlier are not waited for.
            show.tracks().filter(|name| !show.has_given_up(name)).filter_map(end).min()
        })
    }

    /// Tells whenever a show is whole in its archive that was written here; `None` where shows are not recorded.
    pub(crate) fn watch_sealed(&self) -> Option<watch::Receiver<u64>> {
        Some(self.archive.as_ref()?.sealed.subscribe())
    }
}

/// Adds what a show has that is here, behind what its pages tell.
fn add_newest(past: &mut BTreeMap<RenditionName, Arc<Past>>, showing: &Showing) {
    let all: Vec<(RenditionName, Past)> = showing
        .look(|show| show.tracks().filter_map(|name| Some((name.clone(), show.past(name)?))).collect());
    for (name, newest) in all {
        let Some(known) = past.get(&name) else {
            past.insert(name, Arc::new(newest));
            continue;
        };
        let last = known.segments.back().map(|segment| segment.msn);
        let more = newest.segments.into_iter().filter(|segment| last.is_none_or(|last| segment.msn > last));
        let segments = known.segments.iter().cloned().chain(more).collect();
        let mut inits = known.inits.clone();
        inits
            .extend(newest.inits.into_iter().filter(|(id, _)| !known.inits.iter().any(|(one, _)| one == id)));
        past.insert(name, Arc::new(Past { header: newest.header, gait: newest.gait, inits, segments }));
    }
}
