//! The spool: segments on a disk of this machine, as long as the store does not take them.
//!
//! It is written when the store is behind by more than memory is meant for, and read by viewers and by whoever puts the
//! segment into the store later. Over its bound the oldest goes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{InitId, Segment};
use packager::time::Msn;

use super::path::Named;
use crate::live::Place;
use crate::metrics::Metrics;

/// The files of the spool.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    limit: u64,
    held: Mutex<Held>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Held {
    /// In the order in which they came.
    files: BTreeMap<u64, (PathBuf, u64)>,
    next: u64,
    bytes: u64,
}

impl Spool {
    /// The spool in a folder, with what is in it already.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn open(folder: &Path, limit: u64, metrics: Arc<Metrics>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut found = Vec::new();
        walk(folder, 3, &mut found)?;
        found.sort();
        let mut held = Held::default();
        for (_, path, bytes) in found {
            held.add(path, bytes);
        }
        metrics.archive().spools(held.bytes);
        Ok(Self { folder: folder.to_owned(), limit, held: Mutex::new(held), metrics })
    }

    /// Where a segment is, or would be.
    pub(super) fn path(&self, at: &Place, msn: Msn, init: InitId) -> PathBuf {
        self.track(at).join(format!("{:010}-0-{init}.m4s", msn.0))
    }

    fn track(&self, Place { stream, show, track }: &Place) -> PathBuf {
        self.folder.join(format!("{stream}/{show}/{track}"))
    }

    /// Keeps a segment, with the init segment that it needs. The oldest make room for it; says which are lost with that.
    ///
    /// # Errors
    /// Those of the disk. Then nothing is left of it.
    pub(super) async fn put(
        &self,
        at: &Place,
        segment: &Segment,
        pieces: &[Bytes],
        header: Option<Bytes>,
    ) -> io::Result<Vec<(Place, Msn)>> {
        let folder = self.track(at);
        tokio::fs::create_dir_all(&folder).await?;
        let init = folder.join(format!("init-{}.mp4", segment.init));
        if let Some(header) = header
            && !tokio::fs::try_exists(&init).await?
        {
            write(&init, &[header]).await?;
        }
        let path = self.path(at, segment.msn, segment.init);
        write(&path, pieces).await?;
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        let over = {
            let mut held = self.lock();
            held.add(path, bytes);
            let over = held.shed(self.limit);
            self.metrics.archive().spools(held.bytes);
            over
        };
        let mut lost = Vec::new();
        for path in over {
            tracing::warn!(file = %path.display(), limit = self.limit, "the spool is full, its oldest segment is lost");
            lost.extend(self.named(&path));
            let _ = tokio::fs::remove_file(path).await;
        }
        Ok(lost)
    }

    /// Notes that a segment is kept nowhere any more.
    pub(super) fn count_lost(&self) {
        self.metrics.archive().lost(1);
    }

    /// The tracks of a show of which there is something, and the segments of each in their order.
    pub(super) fn tracks(&self, stream: &StreamName, show: ShowId) -> BTreeMap<RenditionName, Vec<Named>> {
        let mut tracks: BTreeMap<RenditionName, Vec<Named>> = BTreeMap::new();
        let folder = self.folder.join(format!("{stream}/{show}"));
        for (path, _) in self.lock().files.values() {
            let Some((track, file)) =
                path.strip_prefix(&folder).ok().and_then(|path| path.to_str()?.split_once('/'))
            else {
                continue;
            };
            if let (Ok(track), Some(named)) = (track.parse(), Named::parse(file)) {
                tracks.entry(track).or_default().push(named);
            }
        }
        tracks.values_mut().for_each(|all| all.sort_by_key(|named| named.msn));
        tracks
    }

    /// Bytes of a show that are in it.
    pub(in crate::live) fn bytes_of(&self, stream: &StreamName, show: ShowId) -> u64 {
        let folder = self.folder.join(format!("{stream}/{show}"));
        self.lock().files.values().filter(|(path, _)| path.starts_with(&folder)).map(|(_, bytes)| bytes).sum()
    }

    /// An init segment that was kept beside the segments which need it.
    pub(super) async fn init(&self, at: &Place, init: InitId) -> Option<Bytes> {
        let path = self.track(at).join(format!("init-{init}.mp4"));
        tokio::fs::read(path).await.ok().map(Bytes::from)
    }

    /// Which segment a file is.
    fn named(&self, path: &Path) -> Option<(Place, Msn)> {
        let mut parts = path.strip_prefix(&self.folder).ok()?.to_str()?.split('/');
        let (stream, show, track) = (parts.next()?, parts.next()?, parts.next()?);
        let named = Named::parse(parts.next()?)?;
        let place =
            Place { stream: stream.parse().ok()?, show: show.parse().ok()?, track: track.parse().ok()? };
        Some((place, named.msn))
    }

    /// The bytes of a segment; `None` where they are gone.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) async fn read(&self, at: &Place, msn: Msn, init: InitId) -> io::Result<Option<Bytes>> {
        match tokio::fs::read(self.path(at, msn, init)).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets go of a segment that the store has.
    pub(super) async fn remove(&self, at: &Place, msn: Msn, init: InitId) {
        let path = self.path(at, msn, init);
        let (was_here, is_last) = {
            let mut held = self.lock();
            let was_here = held.remove(&path);
            self.metrics.archive().spools(held.bytes);
            let folder = self.track(at);
            (was_here, !held.files.values().any(|(other, _)| other.starts_with(&folder)))
        };
        if !was_here {
            return;
        }
        let _ = tokio::fs::remove_file(&path).await;
        if is_last {
            // Its init segments, and folders that are empty now; any other stays.
            let _ = tokio::fs::remove_dir_all(self.track(at)).await;
            for folder in path.ancestors().skip(2).take(2) {
                if tokio::fs::remove_dir(folder).await.is_err() {
                    break;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, path: PathBuf, bytes: u64) {
        self.remove(&path);
        self.bytes = self.bytes.saturating_add(bytes);
        self.files.insert(self.next, (path, bytes));
        self.next += 1;
    }

    fn remove(&mut self, path: &Path) -> bool {
        let Some(number) = self.files.iter().find(|(_, (known, _))| known == path).map(|(n, _)| *n) else {
            return false;
        };
        let gone = self.files.remove(&number).map_or(0, |(_, bytes)| bytes);
        self.bytes = self.bytes.saturating_sub(gone);
        true
    }

    /// What must go so that no more than `limit` bytes are held.
    fn shed(&mut self, limit: u64) -> Vec<PathBuf> {
        let mut over = Vec::new();
        while self.bytes > limit
            && let Some((_, (path, bytes))) = self.files.pop_first()
        {
            self.bytes = self.bytes.saturating_sub(bytes);
            over.push(path);
        }
        over
    }
}

/// Writes a file as a whole, or nothing.
async fn write(path: &Path, pieces: &[Bytes]) -> io::Result<()> {
    let part = path.with_extension("part");
    let written = async {
        let mut file = tokio::fs::File::create(&part).await?;
        for piece in pieces {
            tokio::io::AsyncWriteExt::write_all(&mut file, piece).await?;
        }
        file.sync_data().await?;
        tokio::fs::rename(&part, path).await
    };
    if let Err(error) = written.await {
        let _ = tokio::fs::remove_file(&part).await;
        return Err(error);
    }
    Ok(())
}

/// All segments below a folder, with their ages; what was half written is removed.
fn walk(folder: &Path, depth: u8, found: &mut Vec<(std::time::SystemTime, PathBuf, u64)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, about) = (entry.path(), entry.metadata()?);
        let has = |suffix: &str| path.extension().is_some_and(|found| found == suffix);
        if about.is_dir() && depth > 0 {
            walk(&path, depth - 1, found)?;
        } else if has("m4s") {
            found.push((about.modified()?, path, about.len()));
        } else if has("part") {
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}
