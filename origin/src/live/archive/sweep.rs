//! What of an archive is deleted: pages that expired, with their segments, and what no page names.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use packager::asset::RenditionName;
use packager::live::Cadence;

use super::path::Named;
use super::{Archive, ArchiveError, Folder};
use crate::catalog::Recording;
use crate::live::{Live, LiveError};

/// What an object of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A segment of this number.
    Segment(u64),
    /// A page, and its fence.
    Page(u64, u64),
    /// What segments are decoded with, or nothing that we know.
    Other,
}

impl Live {
    /// How many pages a recording has of so much time, rounded up; `None` where it has no page that says how long they are.
    ///
    /// # Errors
    /// [`LiveError`].
    pub(crate) async fn pages_of(
        &self,
        recording: &Recording,
        time: Duration,
    ) -> Result<Option<u64>, LiveError> {
        let Some((_, cadence)) = self.first_page(recording).await? else { return Ok(None) };
        let range = cadence.page_range(recording.first);
        let segments = range.end.saturating_sub(range.start);
        let segment = u64::try_from(cadence.segment().as_micros() / 1000).unwrap_or(u64::MAX);
        let page = segment.saturating_mul(segments).max(1);
        Ok(Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).div_ceil(page)))
    }

    /// Deletes what lies before the first page that is kept. `recording` may be what was known before that one became the first.
    ///
    /// # Errors
    /// [`LiveError`]; what is left then is deleted the next time.
    pub(crate) async fn delete_before(&self, recording: &Recording, first: u64) -> Result<u64, LiveError> {
        let Some((archive, cadence)) = self.first_page(recording).await? else { return Ok(0) };
        let from = cadence.page_range(first).start;
        let is_old = |what: What, _: &Path| match what {
            What::Segment(msn) => msn < from,
            What::Page(page, _) => page < first,
            What::Other => false,
        };
        Ok(archive.delete(recording, is_old).await?)
    }

    /// Deletes all of a show's archive.
    ///
    /// # Errors
    /// [`LiveError`]; what is left then is deleted the next time.
    pub(crate) async fn delete_archive(&self, recording: &Recording) -> Result<u64, LiveError> {
        let Some(archive) = &self.archive else { return Ok(0) };
        Ok(archive.delete(recording, |_, _| true).await?)
    }

    /// Deletes what is in the folder of a show that was sealed, and that no page of it names: what was written under a fence that
    /// was lost. Paths that are `needed` stay.
    ///
    /// # Errors
    /// [`LiveError`]; what is left then is deleted the next time.
    pub(crate) async fn sweep(
        &self,
        recording: &Recording,
        needed: &HashSet<String>,
    ) -> Result<u64, LiveError> {
        let Some(archive) = self.archive.as_ref().filter(|_| recording.sealed) else { return Ok(0) };
        let named = archive.named_by_pages(recording).await?;
        let is_orphan = |what: What, path: &Path| match what {
            What::Segment(_) => !named.contains(path.as_ref()) && !needed.contains(path.as_ref()),
            What::Page(page, fence) => recording.fence_of(page) != Some(fence),
            What::Other => false,
        };
        Ok(archive.delete(recording, is_orphan).await?)
    }

    /// How a recording is cut, as its first page says.
    async fn first_page(&self, recording: &Recording) -> Result<Option<(&Archive, Cadence)>, LiveError> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let folder = Folder::of(&recording.stream, recording.show);
        let page = archive.page(&folder, recording, recording.first).await?;
        Ok(page.map(|(_, page)| (archive.as_ref(), page.cadence())))
    }
}

impl Archive {
    /// The paths of all segments that the pages of a recording name.
    async fn named_by_pages(&self, recording: &Recording) -> Result<HashSet<String>, ArchiveError> {
        let folder = Folder::of(&recording.stream, recording.show);
        let reads = (recording.first..recording.until).map(|number| self.page(&folder, recording, number));
        let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffered(PARALLEL);
        let mut named = HashSet::new();
        while let Some(page) = reads.try_next().await? {
            let Some((path, page)) = page else { continue };
            for (name, track) in &page.tracks {
                let segments = track
                    .segments()
                    .map_err(|source| ArchiveError::Damaged { path: path.clone(), source })?;
                for segment in segments {
                    if let Some(fence) = segment.stored.and_then(|stored| stored.fence) {
                        named.insert(folder.segment(name, segment.msn, fence, segment.init));
                    }
                }
            }
        }
        Ok(named)
    }

    /// Deletes objects of a show's folder. Says how many.
    async fn delete(
        &self,
        recording: &Recording,
        is_wanted: impl Fn(What, &Path) -> bool,
    ) -> Result<u64, ArchiveError> {
        let folder = Folder::of(&recording.stream, recording.show);
        let prefix = Path::from(folder.path());
        let unlisted = |source| ArchiveError::List { path: prefix.to_string(), source };
        let mut listed = self.store.objects().list(Some(&prefix));
        let mut gone = Vec::new();
        while let Some(object) = listed.try_next().await.map_err(unlisted)? {
            if is_wanted(What::of(&object.location), &object.location) {
                gone.push(object.location);
            }
        }
        drop(listed);
        // Pages last: as long as one is there, it is known what else there was.
        gone.sort_by_key(|path| matches!(What::of(path), What::Page(..)));
        let count = gone.len() as u64;
        let (pages, others): (Vec<Path>, Vec<Path>) =
            gone.into_iter().partition(|path| matches!(What::of(path), What::Page(..)));
        for some in [others, pages] {
            let deletes = some.into_iter().map(|path| async move {
                match self.store.objects().delete(&path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(source) => Err(ArchiveError::Write { path: path.to_string(), source }),
                }
            });
            stream::iter(deletes.collect::<Vec<_>>()).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        }
        Ok(count)
    }
}

impl What {
    fn of(path: &Path) -> Self {
        let mut parts: Vec<_> = path.parts().collect();
        let Some(file) = parts.pop() else { return Self::Other };
        let Some(folder) = parts.pop() else { return Self::Other };
        if folder.as_ref() == "_index" {
            let named = file.as_ref().strip_suffix(".json").and_then(|name| name.split_once('-'));
            let numbers = named.and_then(|(page, fence)| Some((page.parse().ok()?, fence.parse().ok()?)));
            return numbers.map_or(Self::Other, |(page, fence)| Self::Page(page, fence));
        }
        match (folder.as_ref().parse::<RenditionName>(), Named::parse(file.as_ref())) {
            (Ok(_), Some(named)) => Self::Segment(named.msn.0),
            _ => Self::Other,
        }
    }
}

/// Objects that are read or deleted at the same time.
const PARALLEL: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_object_is_stands_in_its_name() {
        for (path, what) in [
            ("live/gala/7/video-720/0000000040-3-5f0c9a31.m4s", What::Segment(40)),
            ("live/gala/7/_index/0000000002-3.json", What::Page(2, 3)),
            ("live/gala/7/video-720/init-5f0c9a31.mp4", What::Other),
            ("live/gala/7/_index/x.json", What::Other),
            ("live/gala/7/video-720/x.m4s", What::Other),
            ("x", What::Other),
        ] {
            assert_eq!(What::of(&Path::from(path)), what, "{path}");
        }
    }
}
