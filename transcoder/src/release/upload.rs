//! Objects into the store, and out of it again where they are not to stay.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use packager::asset::{AssetName, Revision, revision_folder};
use packager::manifest::Manifest;
use tokio::io::AsyncReadExt;
use tracing::warn;

use super::{Step, Told};
use crate::command::object_name;
use crate::verify::Object;
use crate::{Cancel, Error};

/// One revision's folder in the store.
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    folder: String,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, asset: &AssetName, revision: &Revision) -> Self {
        Self { store, folder: revision_folder(asset, revision) }
    }

    /// Puts tracks and indexes, and last what names them: who sees `asset.json` sees all.
    pub(super) async fn put_all(
        &self,
        objects: &[Object],
        manifest: &Manifest,
        told: Told<'_>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        let total = objects.iter().map(|object| object.bytes).sum();
        let mut done = 0;
        for object in objects {
            let mut report = |bytes: u64| {
                done += bytes;
                told(Step::Storing { done, total });
            };
            self.put_file(&object_name(&object.name), &object.path, cancel, &mut report).await?;
            self.put(&format!("{}.idx", object.name), object.track.to_index().into(), cancel).await?;
        }
        self.put(MANIFEST, manifest.to_json().into(), cancel).await
    }

    /// Puts indexes by their file names, and last what names them.
    pub(super) async fn put_indexes(
        &self,
        indexes: &[(String, Bytes)],
        manifest: &Manifest,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        for (name, bytes) in indexes {
            self.put(name, bytes.clone(), cancel).await?;
        }
        self.put(MANIFEST, manifest.to_json().into(), cancel).await
    }

    /// Deletes what may have been put. Failures are logged: they leave objects that nothing refers to.
    pub(super) async fn delete_all(&self, manifest: &Manifest) {
        let tracks = manifest.tracks.iter().flat_map(|track| [track.object.as_str(), track.index.as_str()]);
        // A track that is made of segments has no object here.
        for name in std::iter::once(MANIFEST).chain(tracks.filter(|name| !name.is_empty())) {
            let path = self.path(name);
            match within(&path, "delete it", self.store.delete(&path)).await {
                Ok(()) | Err(Error::Store { source: object_store::Error::NotFound { .. }, .. }) => {}
                Err(error) => warn!(%error, "an object of an unpublished revision stays in the store"),
            }
        }
    }

    async fn put(&self, name: &str, bytes: Bytes, cancel: &Cancel) -> Result<(), Error> {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let path = self.path(name);
        within(&path, "take it", self.store.put(&path, PutPayload::from_bytes(bytes))).await.map(drop)
    }

    /// In parts, so that memory is bounded. An upload that does not finish is taken back.
    async fn put_file(
        &self,
        name: &str,
        file: &FilePath,
        cancel: &Cancel,
        report: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Error> {
        let path = self.path(name);
        let upload = within(&path, "begin an upload", self.store.put_multipart(&path)).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        match parts(&mut upload, &path, file, cancel, report).await {
            Ok(()) => within(&path, "finish an upload", upload.finish()).await.map(drop),
            Err(error) => {
                if let Err(left) = within(&path, "abort an upload", upload.abort()).await {
                    warn!(error = %left, "parts of an aborted upload stay in the store");
                }
                Err(error)
            }
        }
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.folder))
    }
}

async fn parts(
    upload: &mut WriteMultipart,
    path: &Path,
    file: &FilePath,
    cancel: &Cancel,
    report: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Error> {
    let unreadable = |error| Error::scratch(file.parent().unwrap_or(file), &error);
    let mut source = tokio::fs::File::open(file).await.map_err(unreadable)?;
    loop {
        let mut part = Vec::with_capacity(PART);
        let limit = u64::try_from(PART).unwrap_or(u64::MAX);
        let read = (&mut source).take(limit).read_to_end(&mut part).await.map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        // `parts` may be left here at any time: an upload is aborted by its owner.
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            room = within(path, "take a part", upload.wait_for_capacity(AT_ONCE)) => room?,
        }
        upload.put(Bytes::from(part));
        report(u64::try_from(read).unwrap_or(0));
    }
}

/// A store's answer, or its failure to give one in time.
async fn within<T>(
    path: &Path,
    action: &'static str,
    answer: impl Future<Output = object_store::Result<T>>,
) -> Result<T, Error> {
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let answer = answer.unwrap_or_else(|late| {
        Err(object_store::Error::Generic { store: "object store", source: late.into() })
    });
    answer.map_err(|source| Error::Store { object: path.to_string(), action, source })
}

const MANIFEST: &str = "asset.json";
/// Object stores want at least 5 MiB for each part but the last.
const PART: usize = 8 << 20;
/// Parts under way at the same time.
const AT_ONCE: usize = 2;
/// For one request, its retries included.
const PATIENCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use object_store::local::LocalFileSystem;

    const LENGTH: usize = 2 * PART + 12_345;

    /// A store of files, a file of three parts beside it, and the upload.
    fn rig() -> (tempfile::TempDir, Arc<LocalFileSystem>, Vec<u8>, Upload) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let bytes: Vec<u8> = (0..=250).cycle().take(LENGTH).collect();
        std::fs::write(folder.path().join("source"), &bytes).unwrap();
        let upload = Upload::new(store.clone(), &"show".parse().unwrap(), &Revision::counted(1));
        (folder, store, bytes, upload)
    }

    #[tokio::test]
    async fn a_file_of_many_parts_arrives_whole() {
        let (folder, store, bytes, upload) = rig();
        let mut reported = Vec::new();
        let mut report = |part| reported.push(part);
        let source = folder.path().join("source");
        upload.put_file("video-720.mp4", &source, &Cancel::new(), &mut report).await.unwrap();
        assert_eq!(reported, [PART as u64, PART as u64, 12_345]);
        let stored = store.get(&Path::from("vod/show/1/video-720.mp4")).await.unwrap().bytes().await.unwrap();
        assert!(stored == bytes);
    }

    #[tokio::test]
    async fn an_upload_that_is_cancelled_between_parts_is_taken_back() {
        let (folder, store, _, upload) = rig();
        let cancel = Cancel::new();
        let mut report = |_| cancel.cancel();
        let source = folder.path().join("source");
        let ended = upload.put_file("video-720.mp4", &source, &cancel, &mut report).await;
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        let listed: Vec<_> = store.list(Some(&Path::from("vod"))).try_collect().await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
        // Nor is there a file of parts that a listing would not show.
        assert_eq!(std::fs::read_dir(folder.path().join("vod/show/1")).unwrap().count(), 0);
    }
}
