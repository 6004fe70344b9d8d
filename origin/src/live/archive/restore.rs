//! A show as its archive tells it: its pages, and then the segments that were stored and are in no page yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore as _;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Adopted, Cadence, DateRange, Header, InitId, MAX_PAGE, Page, Pages, Past, Segment};
use packager::time::Msn;

use super::path::Named;
use super::{Archive, ArchiveError, Folder};
use crate::catalog::Recording;
use crate::live::Place;

/// What is known of a show that was recorded.
#[derive(Debug, Default)]
pub(in crate::live) struct Restored {
    /// Its tracks.
    pub(in crate::live) past: BTreeMap<RenditionName, Arc<Past>>,
    /// What was announced.
    pub(in crate::live) ranges: Vec<(i64, DateRange)>,
    /// How it is cut, and the date of media time zero; `None` where no page tells it.
    pub(in crate::live) cut: Option<(Cadence, i64)>,
    /// Whether nothing will follow.
    pub(in crate::live) sealed: bool,
}

/// What it is known from.
pub(super) struct Known {
    recording: Recording,
    pages: Pages,
    headers: BTreeMap<(RenditionName, InitId), Arc<Header>>,
}

impl Archive {
    /// What the archive tells of a show, cut by `cadence` where no page says otherwise; `None` where nobody recorded it.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub(in crate::live) async fn restore(
        &self,
        stream: &StreamName,
        show: ShowId,
        cadence: Option<Cadence>,
    ) -> Result<Option<Restored>, ArchiveError> {
        let Some((mut restored, mut told)) = self.restore_pages(stream, show).await? else { return Ok(None) };
        let Known { recording, pages, headers } = &mut told;
        if let (false, Some(cadence)) =
            (recording.sealed, restored.cut.map(|(cadence, _)| cadence).or(cadence))
        {
            let folder = Folder::of(stream, show);
            self.tail(&folder, recording, cadence, pages, headers).await?;
            self.spooled(stream, show, cadence, pages, headers).await?;
            restored.past = pages.past(headers);
        }
        Ok(Some(restored))
    }

    /// What the committed pages of a show tell, and what it was read from; `None` where nobody recorded it.
    pub(super) async fn restore_pages(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Option<(Restored, Known)>, ArchiveError> {
        let Some(recording) = self.recordings.recording(stream, show).await? else { return Ok(None) };
        let folder = Folder::of(stream, show);
        let mut cut = None;
        let mut pages = Pages::default();
        let reads = (recording.first..recording.until).map(|number| self.page(&folder, &recording, number));
        let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffered(PARALLEL);
        while let Some(page) = reads.try_next().await? {
            let Some((path, page)) = page else { continue };
            cut = Some((page.cadence(), page.anchor_ms));
            pages.add(&page).map_err(|source| ArchiveError::Damaged { path, source })?;
        }
        drop(reads);
        let headers = self.headers(&folder, &pages.inits()).await?;
        let (past, ranges) = (pages.past(&headers), pages.ranges().to_vec());
        let restored = Restored { past, ranges, cut, sealed: recording.sealed };
        Ok(Some((restored, Known { recording, pages, headers })))
    }

    /// A page that is written; `None` for one that is not.
    pub(super) async fn page(
        &self,
        folder: &Folder,
        recording: &Recording,
        number: u64,
    ) -> Result<Option<(String, Page)>, ArchiveError> {
        let Some(fence) = recording.fence_of(number) else { return Ok(None) };
        let path = folder.page(number, fence);
        let text = self.store.read_whole(&path, MAX_PAGE).await?;
        match Page::from_json(&text) {
            Ok(page) => Ok(Some((path, page))),
            Err(source) => Err(ArchiveError::Damaged { path, source }),
        }
    }

    async fn headers(
        &self,
        folder: &Folder,
        inits: &[(RenditionName, InitId)],
    ) -> Result<BTreeMap<(RenditionName, InitId), Arc<Header>>, ArchiveError> {
        let reads = inits.iter().map(|(name, id)| async move {
            let header = self.header(folder, name, *id).await?;
            Ok::<_, ArchiveError>(((name.clone(), *id), header))
        });
        stream::iter(reads.collect::<Vec<_>>()).buffered(PARALLEL).try_collect().await
    }

    async fn header(
        &self,
        folder: &Folder,
        name: &RenditionName,
        id: InitId,
    ) -> Result<Arc<Header>, ArchiveError> {
        let path = folder.init(name, id);
        let bytes = self.store.read_whole(&path, MAX_INIT).await?;
        Header::read(&bytes).map_err(|source| ArchiveError::Damaged { path, source })
    }

    /// Adds what was stored behind the last page, as far as it follows what is known.
    async fn tail(
        &self,
        folder: &Folder,
        recording: &Recording,
        cadence: Cadence,
        pages: &mut Pages,
        headers: &mut BTreeMap<(RenditionName, InitId), Arc<Header>>,
    ) -> Result<(), ArchiveError> {
        let from = cadence.page_range(recording.until).start;
        let mut changes = BTreeSet::new();
        let mut tails: Vec<(RenditionName, Vec<(packager::live::Gait, Segment)>)> = Vec::new();
        for name in self.store.list_folders(folder.path()).await? {
            let Ok(track) = name.parse::<RenditionName>() else { continue };
            let mut found: BTreeMap<Msn, Named> = BTreeMap::new();
            for named in self.named(folder, &track, from).await? {
                // Whoever came last knew what the others had written.
                found
                    .entry(named.msn)
                    .and_modify(|known| {
                        if known.fence < named.fence {
                            *known = named;
                        }
                    })
                    .or_insert(named);
            }
            let mut after = pages.last(&track).map(|(_, last)| (last.msn, last.end, last.init));
            let mut segments = Vec::new();
            // Where a number is missing, what is behind it will be written again.
            let mut next = after.map(|(msn, ..)| msn.0.saturating_add(1));
            let follows = |named: &Named| {
                let is_next = next.is_none_or(|next| named.msn.0 == next);
                next = Some(named.msn.0.saturating_add(1));
                is_next
            };
            let reads = found.into_values().take_while(follows).map(|named| {
                let path = folder.segment(&track, named.msn, named.fence, named.init);
                async move {
                    let bytes = self.store.read_whole(&path, MAX_SEGMENT).await?;
                    Ok::<_, ArchiveError>((named, path, bytes))
                }
            });
            // A segment may have megabytes, and a tail a minute of them.
            let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffered(TAIL);
            while let Some((named, path, bytes)) = reads.try_next().await? {
                let key = (track.clone(), named.init);
                let header = match headers.get(&key) {
                    Some(header) => Arc::clone(header),
                    None => {
                        let header = self.header(folder, &track, named.init).await?;
                        headers.insert(key, Arc::clone(&header));
                        header
                    }
                };
                let adopted = Adopted {
                    msn: named.msn,
                    header,
                    fence: Some(named.fence),
                    after: after.map(|(_, end, _)| end),
                };
                let (segment, gait) =
                    adopted.read(&bytes, cadence).map_err(|source| ArchiveError::Damaged { path, source })?;
                if after.is_some_and(|(_, _, init)| init != segment.init) {
                    changes.insert(segment.msn);
                }
                after = Some((segment.msn, segment.end, segment.init));
                segments.push((gait, segment));
            }
            drop(reads);
            tails.push((track, segments));
        }
        for (track, segments) in tails {
            for (gait, segment) in segments {
                let gait = pages.last(&track).map_or(gait, |(known, _)| known);
                let discontinuity = changes.contains(&segment.msn);
                pages.follow(&track, gait, vec![Arc::new(Segment { discontinuity, ..segment })]);
            }
        }
        Ok(())
    }

    /// Adds what the spool of this machine has behind that.
    async fn spooled(
        &self,
        stream: &StreamName,
        show: ShowId,
        cadence: Cadence,
        pages: &mut Pages,
        headers: &mut BTreeMap<(RenditionName, InitId), Arc<Header>>,
    ) -> Result<(), ArchiveError> {
        let Some(spool) = &self.spool else { return Ok(()) };
        for (track, all) in spool.tracks(stream, show) {
            let at = Place { stream: stream.clone(), show, track: track.clone() };
            for named in all {
                let last = pages.last(&track).map(|(gait, last)| (gait, last.msn, last.end, last.init));
                // What is known already, or does not follow what is.
                if last.is_some_and(|(_, msn, ..)| named.msn.0 != msn.0.saturating_add(1)) {
                    continue;
                }
                let key = (track.clone(), named.init);
                if !headers.contains_key(&key) {
                    let Some(bytes) = spool.init(&at, named.init).await else { continue };
                    let path = format!("{track}/init-{}.mp4", named.init);
                    let header =
                        Header::read(&bytes).map_err(|source| ArchiveError::Damaged { path, source })?;
                    headers.insert(key.clone(), header);
                }
                let Some(header) = headers.get(&key).cloned() else { continue };
                let Some(bytes) = spool.read(&at, named.msn, named.init).await? else { continue };
                let after = last.map(|(_, _, end, _)| end);
                let path = format!("{track}/{}", named.msn);
                let (segment, gait) = Adopted { msn: named.msn, header, fence: None, after }
                    .read(&bytes, cadence)
                    .map_err(|source| ArchiveError::Damaged { path, source })?;
                let discontinuity = last.is_some_and(|(.., init)| init != segment.init);
                let gait = last.map_or(gait, |(known, ..)| known);
                pages.follow(&track, gait, vec![Arc::new(Segment { discontinuity, ..segment })]);
            }
        }
        Ok(())
    }

    /// The segments of a track that are stored, from one on.
    async fn named(
        &self,
        folder: &Folder,
        track: &RenditionName,
        from: u64,
    ) -> Result<Vec<Named>, ArchiveError> {
        let (prefix, offset) = (folder.track(track), folder.before(track, from));
        let (prefix, offset) =
            (object_store::path::Path::from(prefix), object_store::path::Path::from(offset));
        let listed = self.store.objects().list_with_offset(Some(&prefix), &offset);
        let objects: Vec<object_store::ObjectMeta> = listed
            .try_collect()
            .await
            .map_err(|source| ArchiveError::List { path: prefix.to_string(), source })?;
        Ok(objects.iter().filter_map(|object| Named::parse(object.location.filename()?)).collect())
    }
}

/// Reads of one archive under way at once.
const PARALLEL: usize = 16;
/// The same, of whole segments.
const TAIL: usize = 8;
/// The largest init segment that is read.
const MAX_INIT: u64 = 1024 * 1024;
/// The largest segment that is read whole.
const MAX_SEGMENT: u64 = 1024 * 1024 * 1024;
