//! From objects in a folder to a published revision, or to nothing.
//!
//! ```text
//! objects ─▶ tracks, indexes ─▶ asset.json ─▶ one guarded update
//!                │                  │               │
//!                └──────────────────┴─ error, cancel ┴─▶ objects deleted, former revision serves
//! ```

mod upload;

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use packager::asset::{AssetName, Revision};
use packager::manifest::{FORMAT, Kind, Manifest, ManifestTrack, Role};
use packager::time::{MediaTime, Rounding, Timescale};
use tracing::{info, warn};

use crate::publishing::{Published, Publishing};
use crate::verify::Object;
use crate::{Cancel, Error, command};

/// How far a release has come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Objects are put into the store.
    Storing {
        /// Bytes put so far.
        done: u64,
        /// Bytes of all objects.
        total: u64,
    },
    /// All is stored; the catalogue is updated.
    Publishing,
}

/// Who is told of steps.
pub(crate) type Told<'a> = &'a mut (dyn FnMut(Step) + Send);

/// Where all objects are cut.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    /// The length of a segment that was aimed at.
    pub(crate) target: MediaTime,
    /// Ticks a second of the boundaries.
    pub(crate) timescale: Timescale,
    /// Where segments start, ascending; the last is the end.
    pub(crate) boundaries: &'a [MediaTime],
}

/// Puts `objects` and what `manifest` says of them under its revision, and publishes that. An update of the catalogue that
/// has begun is not cancelled any more; where the catalogue then cannot say whether it took effect, objects stay.
///
/// # Errors
/// Of the store or the catalogue, or cancelled. The objects are deleted again.
pub(crate) async fn release(
    store: Arc<dyn ObjectStore>,
    publishing: &dyn Publishing,
    manifest: &Manifest,
    objects: &[Object],
    told: Told<'_>,
    cancel: &Cancel,
) -> Result<Published, Error> {
    let upload = upload::Upload::new(store, &manifest.asset, &manifest.revision);
    let put = upload.put_all(objects, manifest, told, cancel).await;
    if put.is_ok() {
        told(Step::Publishing);
    }
    settle(put, &upload, publishing, manifest).await
}

/// Puts the indexes of tracks whose media is in the store already, and what `manifest` says of them, under its revision, and
/// publishes that.
///
/// # Errors
/// Of the store or the catalogue. What was put is deleted again, but where the catalogue cannot say whether it names it.
pub async fn release_recorded(
    store: Arc<dyn ObjectStore>,
    publishing: &dyn Publishing,
    manifest: &Manifest,
    indexes: &[(String, Bytes)],
) -> Result<Published, Error> {
    let upload = upload::Upload::new(store, &manifest.asset, &manifest.revision);
    let put = upload.put_indexes(indexes, manifest, &Cancel::new()).await;
    settle(put, &upload, publishing, manifest).await
}

/// Deletes what a revision has in its folder. What cannot be deleted is told in the log.
pub async fn discard(store: Arc<dyn ObjectStore>, manifest: &Manifest) {
    upload::Upload::new(store, &manifest.asset, &manifest.revision).delete_all(manifest).await;
}

/// Publishes what was put; deletes it where that did not come off.
async fn settle(
    put: Result<(), Error>,
    upload: &upload::Upload,
    publishing: &dyn Publishing,
    manifest: &Manifest,
) -> Result<Published, Error> {
    let Manifest { asset, revision, .. } = manifest;
    if let Err(error) = put {
        upload.delete_all(manifest).await;
        return Err(error);
    }
    match publish(publishing, asset, revision).await {
        Ok(published) => {
            info!(%asset, %revision, ?published, "the catalogue has decided");
            if published == Published::Superseded {
                upload.delete_all(manifest).await;
            }
            Ok(published)
        }
        Err(Unpublished::Known(error)) => {
            upload.delete_all(manifest).await;
            Err(error)
        }
        Err(Unpublished::Unknown(error)) => {
            warn!(%asset, %revision, "objects stay: the catalogue may name them");
            Err(error)
        }
    }
}

/// What `asset.json` says of the objects.
pub(crate) fn manifest(
    asset: &AssetName,
    revision: &Revision,
    timeline: &Timeline<'_>,
    objects: &[Object],
) -> Result<Manifest, Error> {
    let target = timeline.target.rescale(Timescale::MILLIS, Rounding::Nearest).ticks();
    let target_ms = u32::try_from(target).map_err(|_| Error::Setting {
        name: "segment target",
        expected: "1 to 30 s",
        found: format!("{target} ms"),
    })?;
    Ok(Manifest {
        format: FORMAT,
        asset: asset.clone(),
        revision: revision.clone(),
        target_ms,
        timescale: timeline.timescale.ticks_per_second(),
        boundaries: timeline.boundaries.iter().map(|time| time.ticks()).collect(),
        starts_ms: None,
        tracks: objects.iter().map(track).collect(),
    })
}

fn track(object: &Object) -> ManifestTrack {
    ManifestTrack {
        name: object.name.clone(),
        kind: if object.track.kind().is_video() { Kind::Video } else { Kind::Audio },
        role: Role::Main,
        language: object.track.language().map(str::to_owned),
        object: command::object_name(&object.name),
        index: format!("{}.idx", object.name),
        bytes: object.bytes,
        sha256: object.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        recorded: None,
    }
}

/// The catalogue failed.
enum Unpublished {
    /// It says that the revision is not served.
    Known(Error),
    /// It says nothing more: the revision may be served.
    Unknown(Error),
}

/// Publishes; where the catalogue fails, finds out whether it took effect all the same.
async fn publish(
    port: &dyn Publishing,
    asset: &AssetName,
    revision: &Revision,
) -> Result<Published, Unpublished> {
    match port.publish(asset, revision).await {
        Ok(published) => Ok(published),
        Err(error) => match port.current(asset).await {
            Ok(Some(current)) if current == *revision => Ok(Published::Current),
            Ok(_) => Err(Unpublished::Known(error)),
            Err(_) => Err(Unpublished::Unknown(error)),
        },
    }
}
