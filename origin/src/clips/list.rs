//! Which clips there are, and removing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use packager::asset::{AssetName, Revision, ShowId, StreamName, revision_folder};
use packager::manifest::{self, Manifest};
use packager::time::MediaTime;
use serde::Serialize;
use transcoder::release;

use super::{ClipError, Clips};

/// A clip, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClipReport {
    /// The asset.
    pub(crate) asset: AssetName,
    /// The revision that is served; none where it was removed, or something else is served under its name.
    pub(crate) revision: Revision,
    /// Whether it is that which is served.
    pub(crate) current: bool,
    /// The show it is of.
    pub(crate) stream: StreamName,
    /// Its number.
    pub(crate) show: u64,
    /// The date of its first picture, in milliseconds since 1970-01-01 UTC; none where it cannot be read.
    pub(crate) from_ms: Option<i64>,
    /// How long it is, in milliseconds.
    pub(crate) duration_ms: Option<i64>,
}

impl Clips {
    /// All clips, by show.
    ///
    /// # Errors
    /// [`ClipError`].
    pub(crate) async fn list(&self) -> Result<Vec<ClipReport>, ClipError> {
        let mut all: BTreeMap<(StreamName, ShowId, AssetName, String), Revision> = BTreeMap::new();
        let mut after: Option<(StreamName, ShowId)> = None;
        loop {
            let some =
                self.recordings.list(after.as_ref().map(|(stream, show)| (stream, *show)), MANY).await?;
            for recording in &some {
                for used in self.recordings.uses(&recording.stream, recording.show).await? {
                    let number = format!("{:0>40}", used.revision);
                    let key = (recording.stream.clone(), recording.show, used.asset, number);
                    all.insert(key, used.revision);
                }
            }
            match some.last() {
                Some(last) if some.len() as u64 >= u64::from(MANY) => {
                    after = Some((last.stream.clone(), last.show));
                }
                _ => break,
            }
        }
        let reports = all.into_iter().map(|((stream, show, asset, _), revision)| async move {
            let told = self.manifest(&asset, &revision).await.ok();
            let current = self.publishing.current(&asset).await?;
            Ok::<_, ClipError>(ClipReport {
                current: current.as_ref() == Some(&revision),
                from_ms: told.as_ref().and_then(|manifest| manifest.starts_ms),
                duration_ms: told.as_ref().and_then(duration_ms),
                asset,
                revision,
                stream,
                show: show.0,
            })
        });
        let reports: Vec<Result<ClipReport, ClipError>> =
            stream::iter(reports.collect::<Vec<_>>()).buffered(PARALLEL).collect().await;
        reports.into_iter().collect()
    }

    /// Removes a clip: nothing of it is served any more, and its pages may expire. The show stays as it is.
    ///
    /// # Errors
    /// [`ClipError::NoClip`] for an asset that is none; others where it may be removed in part, and should be asked for again.
    pub(crate) async fn remove(&self, asset: &AssetName) -> Result<(), ClipError> {
        let revisions: Vec<Revision> = self
            .list()
            .await?
            .into_iter()
            .filter(|clip| clip.asset == *asset)
            .map(|clip| clip.revision)
            .collect();
        if revisions.is_empty() {
            return Err(ClipError::NoClip(asset.clone()));
        }
        self.publishing.withdraw(asset).await?;
        for revision in revisions {
            if let Ok(manifest) = self.manifest(asset, &revision).await {
                release::discard(Arc::clone(self.store.objects()), &manifest).await;
            }
            self.recordings.let_go(asset, Some(&revision)).await?;
        }
        tracing::info!(%asset, "clip removed");
        Ok(())
    }

    pub(super) async fn manifest(
        &self,
        asset: &AssetName,
        revision: &Revision,
    ) -> Result<Manifest, ClipError> {
        let path = format!("{}/asset.json", revision_folder(asset, revision));
        let text = self.store.read_whole(&path, manifest::MAX_BYTES).await?;
        Ok(Manifest::from_json(&text)?)
    }
}

fn duration_ms(manifest: &Manifest) -> Option<i64> {
    let times: Vec<MediaTime> = manifest.boundary_times();
    Some(times.last()?.since(*times.first()?).as_micros() / 1000)
}

const MANY: u32 = 500;
const PARALLEL: usize = 8;
