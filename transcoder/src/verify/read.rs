//! One object, as the packager sees it, and its hash.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use packager::asset::RenditionName;
use packager::mp4::{Finder, Movie, Step};
use sha2::{Digest, Sha256};

use super::Object;
use crate::{Cancel, Error};

/// Reads on a thread that may block; every byte of the object passes through it.
pub(crate) async fn read(name: RenditionName, path: PathBuf, cancel: &Cancel) -> Result<Object, Error> {
    let (cancel, rendition) = (cancel.clone(), name.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let unreadable = |error| Error::scratch(path.parent().unwrap_or(&path), &error);
        let mut file = File::open(&path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let movie = find(&name, &path, &mut file, bytes)?;
        let track = only_track(movie).map_err(|what| Error::rendition(&name, what))?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let sha256 = hash(&mut file, &cancel, unreadable)?;
        Ok(Object { name, path, bytes, sha256, track })
    });
    reading
        .await
        .map_err(|error| Error::rendition(&rendition, format!("expected to read it, found {error}")))?
}

fn find(name: &RenditionName, path: &Path, file: &mut File, size: u64) -> Result<Movie, Error> {
    let mut finder = Finder::new(size);
    loop {
        let step = finder.step().map_err(|error| {
            Error::rendition(name, format!("expected an object that can be packaged, found {error}"))
        })?;
        let range = match step {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => range,
        };
        let unreadable = |error| Error::scratch(path.parent().unwrap_or(path), &error);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(range.start())).map_err(unreadable)?;
        file.by_ref().take(range.len()).read_to_end(&mut bytes).map_err(unreadable)?;
        finder.feed(range.start(), Bytes::from(bytes));
    }
}

fn only_track(movie: Movie) -> Result<packager::track::Track, String> {
    if let Some(anomaly) = movie.anomalies.first() {
        return Err(format!("expected nothing strange, found {anomaly}"));
    }
    let count = movie.tracks.len();
    let mut tracks = movie.tracks.into_iter();
    match (tracks.next(), tracks.next()) {
        (Some(track), None) => Ok(track),
        _ => Err(format!("expected one track, found {count}")),
    }
}

fn hash(
    file: &mut File,
    cancel: &Cancel,
    unreadable: impl Fn(std::io::Error) -> Error,
) -> Result<[u8; 32], Error> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let read = file.read(&mut block).map_err(&unreadable)?;
        match block.get(..read) {
            Some([]) | None => return Ok(hasher.finalize().into()),
            Some(bytes) => hasher.update(bytes),
        }
    }
}

const BLOCK: usize = 1 << 20;
