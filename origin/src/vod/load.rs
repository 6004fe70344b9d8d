//! Loading a revision: a published one from its manifest and indexes, a folder from its files' boxes.

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use packager::asset::{AssetName, Revision, folder as asset_folder, revision_folder};
use packager::manifest::{self, Manifest, ManifestTrack};
use packager::mp4::{Finder, Movie, Step};
use packager::presentation::{Presentation, Source, name_tracks};
use packager::time::MediaTime;
use packager::track::Track;
use sha2::{Digest, Sha256};

use super::body::Body;
use super::{LoadedAsset, VodError};
use crate::cache::ObjectRef;
use crate::metrics::{IndexSource, Metrics, Outcome};
use crate::store::{Object, Store, StoreFault};

/// The largest index that is read: a track of 2^24 samples has one of about 64 MB.
const MAX_INDEX: u64 = 128 * 1024 * 1024;
/// Files of a folder that are read; a ladder has a dozen.
const MAX_FILES: usize = 64;
/// Reads of one asset under way at once.
const PARALLEL: usize = 8;

/// Loads a revision that was published.
pub(super) async fn published(
    store: &Store,
    metrics: &Metrics,
    asset: &AssetName,
    revision: Revision,
) -> Result<LoadedAsset, VodError> {
    let folder = revision_folder(asset, &revision);
    let path = format!("{folder}/asset.json");
    let text = store.read_whole(&path, manifest::MAX_BYTES).await?;
    let manifest =
        Manifest::from_json(&text).map_err(|source| VodError::Media { object: path.clone(), source })?;
    let reads = manifest.tracks.iter().enumerate();
    let reads: Vec<_> = reads.map(|(number, track)| stored(store, metrics, &folder, number, track)).collect();
    let sources: Vec<Source> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
    let bodies = manifest.tracks.iter().map(|track| match &track.recorded {
        // A revision's objects never change, so their paths alone say which content is meant.
        None => Body::Object(Arc::new(media(&folder, track))),
        Some(recorded) => Body::Recorded(Arc::new(recorded.extents())),
    });
    let (asset, bodies) = (asset.clone(), bodies.collect());
    on_pool(move || {
        let presentation = Presentation::with_boundaries(sources, manifest.boundary_times())
            .map_err(|source| VodError::Media { object: path, source })?;
        LoadedAsset::new(&asset, revision, presentation, bodies)
    })
    .await?
}

/// The object that the media of a track is.
fn media(folder: &str, track: &ManifestTrack) -> ObjectRef {
    ObjectRef::new(format!("{folder}/{}", track.object), track.bytes, None, String::new())
}

/// One track of a manifest, by its index; by its boxes where the index is missing or of another version.
async fn stored(
    store: &Store,
    metrics: &Metrics,
    folder: &str,
    number: usize,
    track: &ManifestTrack,
) -> Result<Source, VodError> {
    let started = Instant::now();
    let path = format!("{folder}/{}", track.index);
    let found = match store.read_whole(&path, MAX_INDEX).await {
        Ok(bytes) => {
            let read =
                move || Track::from_index(&bytes).map_err(|source| VodError::Media { object: path, source });
            on_pool(read).await?
        }
        Err(error) => Err(error.into()),
    };
    let outcome = found.as_ref().map_or_else(VodError::outcome, |_| Outcome::Ok);
    metrics.index_loaded(IndexSource::Stored, outcome, started.elapsed());
    let found = match found {
        // Segments have no header of their own; only whoever laid them on one timeline knows it.
        Err(error @ (VodError::Media { .. } | VodError::Absent)) if track.recorded.is_none() => {
            tracing::warn!(error = %error.chain(), "index unusable, reading the media instead");
            let object = media(folder, track);
            let movie = parsed(store, metrics, &object).await?;
            let only = movie.tracks.into_iter().next();
            only.ok_or_else(|| unusable(&object.path, "no track"))?
        }
        other => other?,
    };
    // The manifest was checked when it was read.
    let identity = track.identity().unwrap_or_default();
    Ok(Source { name: track.name.clone(), object: number, identity, track: found })
}

fn unusable(path: &str, found: &str) -> VodError {
    VodError::Media { object: path.to_owned(), source: packager::Error::NoTrack { found: found.to_owned() } }
}

/// The MP4 files of a folder that nobody registered, and a revision made of their names, sizes and versions;
/// `None` where there are none.
pub(super) async fn folder(
    store: &Store,
    asset: &AssetName,
) -> Result<Option<(Revision, Vec<ObjectRef>)>, VodError> {
    let folder = asset_folder(asset);
    let mut found = store.list_folder(&folder).await?;
    found.retain(is_media);
    if found.is_empty() {
        return Ok(None);
    }
    if found.len() > MAX_FILES {
        tracing::warn!(%folder, files = found.len(), limit = MAX_FILES, "folder with too many files, the rest is left out");
        found.truncate(MAX_FILES);
    }
    let mut hash = Sha256::new();
    let mut files = Vec::with_capacity(found.len());
    for object in found {
        for part in [object.name.as_bytes(), &object.size.to_le_bytes(), object.version.as_str().as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let path = format!("{folder}/{}", object.name);
        files.push(ObjectRef::new(path, object.size, Some(object.version), String::new()));
    }
    // A letter first: no revision that the catalogue counts starts with one.
    let digits = hash.finalize().iter().take(10).map(|b| format!("{b:02x}")).collect::<String>();
    let revision =
        format!("f{digits}").parse().map_err(|source| VodError::Media { object: folder, source })?;
    Ok(Some((revision, files)))
}

fn is_media(object: &Object) -> bool {
    let name = object.name.to_ascii_lowercase();
    !name.starts_with('.') && [".mp4", ".m4v", ".m4a", ".mov"].iter().any(|end| name.ends_with(end))
}

/// Loads the files of a folder.
pub(super) async fn files(
    store: &Store,
    metrics: &Metrics,
    asset: &AssetName,
    revision: Revision,
    files: &[ObjectRef],
    target: MediaTime,
) -> Result<LoadedAsset, VodError> {
    let reads: Vec<_> = files.iter().map(|file| parsed(store, metrics, file)).collect();
    let movies: Vec<Result<Movie, VodError>> = stream::iter(reads).buffered(PARALLEL).collect().await;
    let mut tracks = Vec::new();
    let mut fault = None;
    for (number, (file, movie)) in files.iter().zip(movies).enumerate() {
        match movie {
            Ok(movie) => {
                movie
                    .anomalies
                    .iter()
                    .for_each(|a| tracing::warn!(object = %file.path, anomaly = %a, "strange file"));
                let identity = identity(file);
                tracks.extend(movie.tracks.into_iter().map(|track| (number, identity, track)));
            }
            // One bad file of a folder does not take the others along; a store that fails does.
            Err(error @ VodError::Media { .. }) => {
                tracing::warn!(object = %file.path, error = %error.chain(), "file left out");
                fault.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let (true, Some(fault)) = (tracks.is_empty(), fault) {
        return Err(fault);
    }
    let object = files.first().map_or_else(String::new, |f| f.path.clone());
    let bodies = files.iter().map(|file| Body::Object(Arc::new(file.clone()))).collect();
    let asset = asset.clone();
    on_pool(move || {
        let plan = || Presentation::plan(name_tracks(tracks)?, target);
        let fault = |source| VodError::Media { object: object.clone(), source };
        let (presentation, anomalies) = plan().map_err(fault)?;
        anomalies.iter().for_each(|a| tracing::warn!(%object, anomaly = %a, "strange folder"));
        LoadedAsset::new(&asset, revision, presentation, bodies)
    })
    .await?
}

/// What makes the bytes of a foreign file what they are.
fn identity(file: &ObjectRef) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(file.path.as_bytes());
    hash.update([0]);
    hash.update(file.size.to_le_bytes());
    hash.update(file.version.as_ref().map_or("", |v| v.as_str()).as_bytes());
    hash.finalize().into()
}

/// Reads the boxes of one object.
async fn parsed(store: &Store, metrics: &Metrics, object: &ObjectRef) -> Result<Movie, VodError> {
    let started = Instant::now();
    let movie = find(store, object).await;
    let outcome = movie.as_ref().map_or_else(VodError::outcome, |_| Outcome::Ok);
    metrics.index_loaded(IndexSource::Parsed, outcome, started.elapsed());
    movie
}

async fn find(store: &Store, object: &ObjectRef) -> Result<Movie, VodError> {
    let media = |source| VodError::Media { object: object.path.clone(), source };
    let mut finder = Finder::new(object.size);
    loop {
        // Parsing a large moov takes milliseconds; other requests should not wait for it.
        let (back, step) = on_pool(move || {
            let step = finder.step();
            (finder, step)
        })
        .await?;
        finder = back;
        match step.map_err(media)? {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => {
                let bytes = match &object.version {
                    Some(version) => store.read_version(&object.path, range, version).await,
                    None => store.read(&object.path, range).await,
                };
                match bytes {
                    Ok(bytes) => finder.feed(range.start(), bytes),
                    Err(error) if error.fault() == StoreFault::Changed => return Err(VodError::Absent),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Work of more than a millisecond, off the threads that serve.
pub(super) async fn on_pool<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, VodError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| VodError::Lost(crate::cache::Lost))
}
