//! The segments of a rendition: fetched, and read one by one.

use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use packager::import::{MAX_REMARKS, Remark, Segment, Shot, Standing, Strip};
use packager::mp4::{Finder, Movie, Step};
use packager::range::ByteRange;

use super::fetch::Fetcher;
use super::reading::Rendition;
use super::spool::{Part, Spool};

/// Fetches all segments of a rendition, into `folder` where they come from elsewhere, and reads them. `told` hears of
/// each. Not cancel-safe: files may be left in the folder.
pub(super) async fn fetch(
    fetcher: &Fetcher,
    rendition: &Rendition,
    object: usize,
    folder: &Path,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(Strip, Spool), Vec<Remark>> {
    let segments = rendition.playlist.segments.iter().enumerate();
    let one = |(number, segment): (usize, &'_ Segment)| {
        let file = folder.join(format!("{object}-{number}"));
        let segment = segment.clone();
        async move {
            let read = one(fetcher, rendition, &segment, &file).await;
            read.map_err(|what| Remark::new(&rendition.name, segment.place, what)).map(|read| (segment, read))
        }
    };
    let mut coming = stream::iter(segments.map(one).collect::<Vec<_>>()).buffered(AT_ONCE);
    let (mut shots, mut faults, mut spool) = (Vec::new(), Vec::new(), Spool::default());
    while let Some(came) = coming.next().await {
        let shot = came.and_then(|(segment, Read { part, init, movie })| {
            let place = segment.place;
            let shot = Shot::of(Standing::of(&segment, spool.len()), init, movie);
            told(part.range.len());
            spool.push(part);
            shot.map_err(|what| Remark::new(&rendition.name, place, what))
        });
        match shot {
            Ok(shot) => shots.push(shot),
            Err(fault) => faults.push(fault),
        }
        if faults.len() >= MAX_REMARKS {
            break;
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let (playlist, language) = (rendition.name.clone(), rendition.language);
    Ok((Strip { playlist, object, wanted: rendition.wanted, language, shots }, spool))
}

/// A segment that was fetched and read.
struct Read {
    part: Part,
    /// Bytes of the init segment it was read behind.
    init: u64,
    movie: Movie,
}

async fn one(
    fetcher: &Fetcher,
    rendition: &Rendition,
    segment: &Segment,
    file: &Path,
) -> Result<Read, String> {
    let init = rendition.maps.get(segment.map).cloned().ok_or("expected an init segment, found none")?;
    let at = rendition.at.join(&segment.media.uri)?;
    let part = fetcher.part(&at, segment.media.range, file).await.map_err(|missed| missed.what)?;
    let reading = tokio::task::spawn_blocking(move || {
        let movie = find(&init, &part)?;
        Ok(Read { part, init: init.len() as u64, movie })
    });
    reading.await.map_err(|error| format!("expected to read it, found {error}"))?
}

/// Reads the boxes of a segment behind its init segment.
fn find(init: &Bytes, part: &Part) -> Result<Movie, String> {
    let behind = init.len() as u64;
    let mut finder = Finder::of_segment(behind.saturating_add(part.range.len()));
    let mut open = None;
    loop {
        let range = match finder.step().map_err(|error| said(&error, behind))? {
            Step::Found(movie) => return Ok(movie),
            Step::Need(range) => range,
        };
        let at = range.start();
        let bytes = match usize::try_from(at).ok().filter(|_| at < behind) {
            Some(start) => init.slice(start..),
            None => {
                let wanted = ByteRange::at(at.saturating_sub(behind), range.len());
                part.read(wanted, &mut open).map_err(|error| format!("expected to read it, found {error}"))?
            }
        };
        finder.feed(at, bytes);
    }
}

/// What is wrong with a segment, with offsets from its own start.
fn said(error: &packager::Error, behind: u64) -> String {
    match error {
        packager::Error::Malformed { path, offset, what } if *offset >= behind => {
            format!("{path} at byte {}: {what}", offset - behind)
        }
        packager::Error::Truncated { needed, size } => {
            let (needed, size) = (needed.end().saturating_sub(behind), size.saturating_sub(behind));
            format!("expected {needed} bytes, found {size}: it is truncated")
        }
        other => other.to_string(),
    }
}

const AT_ONCE: usize = 4;
