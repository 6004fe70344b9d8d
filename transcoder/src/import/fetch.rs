//! Fetching what playlists name.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use packager::range::ByteRange;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio::time::{sleep, timeout};

use super::Location;
use super::spool::Part;
use super::wire::Wire;
use crate::Error;

/// Reads files and asks servers.
#[derive(Debug)]
pub(super) struct Fetcher(Wire);

/// Why something was not fetched.
#[derive(Debug)]
pub(super) struct Missed {
    /// What was expected, then what was found.
    pub(super) what: String,
    /// Whether another try may do better.
    is_passing: bool,
}

impl Missed {
    pub(super) fn for_now(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_passing: true }
    }

    pub(super) fn for_good(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_passing: false }
    }

    /// Whether it is this machine's fault: its disk is full.
    fn of_disk(error: &std::io::Error) -> Self {
        Self::for_good(format!("expected room for it on this machine, found {error}"))
    }
}

impl Fetcher {
    pub(super) fn new() -> Result<Self, Error> {
        let unusable =
            |error| Error::Input { file: "TLS".to_owned(), what: format!("expected it, found {error}") };
        Wire::new().map(Self).map_err(unusable)
    }

    /// A small resource in memory, of at most `limit` bytes, and where it came from in the end. Cancel-safe.
    pub(super) async fn whole(
        &self,
        at: &Location,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<(Bytes, Location), Missed> {
        if range.is_some_and(|range| range.len() > limit) {
            return Err(too_large(limit));
        }
        if let Some(file) = at.file() {
            let part = local(&file, range).await?;
            if part.range.len() > limit {
                return Err(too_large(limit));
            }
            return Ok((read(&part).await?, at.clone()));
        }
        again(async || {
            let mut answer = self.0.open(at, range).await?;
            let mut bytes = BytesMut::new();
            while let Some(piece) = answer.next().await? {
                bytes.extend_from_slice(&piece);
                if bytes.len() as u64 > limit {
                    return Err(too_large(limit));
                }
            }
            complete(bytes.len() as u64, range)?;
            Ok((bytes.freeze(), answer.from))
        })
        .await
    }

    /// A segment on disk: where it lies already, or in the new file `to`. Not cancel-safe: a part of the file may be left.
    pub(super) async fn part(
        &self,
        at: &Location,
        range: Option<ByteRange>,
        to: &Path,
    ) -> Result<Part, Missed> {
        if let Some(file) = at.file() {
            return local(&file, range).await;
        }
        again(async || match timeout(DEADLINE, self.download(at, range, to)).await {
            Ok(done) => done,
            Err(_) => Err(Missed::for_now(format!("expected all of it within {DEADLINE:?}, found less"))),
        })
        .await
    }

    async fn download(&self, at: &Location, range: Option<ByteRange>, to: &Path) -> Result<Part, Missed> {
        let mut answer = self.0.open(at, range).await?;
        let file = File::create(to).await.map_err(|error| Missed::of_disk(&error))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        let mut size = 0u64;
        while let Some(piece) = answer.next().await? {
            size = size.saturating_add(piece.len() as u64);
            if size > MAX_SEGMENT {
                return Err(too_large(MAX_SEGMENT));
            }
            file.write_all(&piece).await.map_err(|error| Missed::of_disk(&error))?;
        }
        file.flush().await.map_err(|error| Missed::of_disk(&error))?;
        complete(size, range)?;
        Ok(Part { path: to.to_owned(), range: ByteRange::new(0, size) })
    }
}

/// Tries until it succeeds, or cannot.
async fn again<T>(attempt: impl AsyncFn() -> Result<T, Missed>) -> Result<T, Missed> {
    let mut pauses = PAUSES.iter();
    loop {
        match (attempt().await, pauses.next()) {
            (Err(missed), Some(pause)) if missed.is_passing => sleep(*pause).await,
            (ended, _) => return ended,
        }
    }
}

fn complete(size: u64, range: Option<ByteRange>) -> Result<(), Missed> {
    match range {
        _ if size == 0 => Err(Missed::for_good("expected bytes, found none")),
        Some(range) if range.len() != size => {
            Err(Missed::for_now(format!("expected {} bytes, found {size}", range.len())))
        }
        _ => Ok(()),
    }
}

fn too_large(limit: u64) -> Missed {
    Missed::for_good(format!("expected at most {limit} bytes, found more"))
}

/// A file of this machine, or a part of one.
async fn local(file: &Path, range: Option<ByteRange>) -> Result<Part, Missed> {
    let found = tokio::fs::metadata(file).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Missed::for_good("expected a file, found none"),
        _ => Missed::for_good(format!("expected a file, found {error}")),
    })?;
    // A pipe or a device would have no end.
    if !found.is_file() {
        return Err(Missed::for_good("expected a file, found something else"));
    }
    let range = range.unwrap_or(ByteRange::new(0, found.len()));
    if range.end() > found.len() {
        let what = format!("expected bytes {range:?} of it, found {} bytes", found.len());
        return Err(Missed::for_good(what));
    }
    complete(range.len(), None)?;
    Ok(Part { path: file.to_owned(), range })
}

async fn read(part: &Part) -> Result<Bytes, Missed> {
    let unread = |error: std::io::Error| Missed::for_good(format!("expected to read it, found {error}"));
    let mut file = File::open(&part.path).await.map_err(unread)?;
    file.seek(std::io::SeekFrom::Start(part.range.start())).await.map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(part.range.len()).read_to_end(&mut bytes).await.map_err(unread)?;
    complete(bytes.len() as u64, Some(part.range))?;
    Ok(bytes.into())
}

/// Between tries.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];
/// The largest segment.
const MAX_SEGMENT: u64 = 1 << 30;
/// For one segment, however slowly it comes.
const DEADLINE: Duration = Duration::from_secs(900);
const BUFFER: usize = 256 * 1024;

#[cfg(test)]
mod tests;
