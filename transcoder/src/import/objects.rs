//! The objects of an imported presentation, written and read back.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packager::presentation::{Presentation, Rendition, Source};
use packager::segment::{Assembler, Need, Plan, init_segment};
use packager::time::Msn;

use super::spool::Spool;
use crate::verify::{Object, read};
use crate::{Cancel, Error, command};

/// Writes the object of a rendition into `folder`: its init segment and its segments, as they are served. Reads it back.
pub(super) async fn make(
    rendition: &Arc<Rendition>,
    mut spool: Spool,
    folder: &Path,
    cancel: &Cancel,
) -> Result<(Object, Spool), Error> {
    let path = command::object(folder, rendition.name());
    let name = rendition.name().clone();
    let writing = tokio::task::spawn_blocking({
        let (rendition, path, cancel) = (Arc::clone(rendition), path.clone(), cancel.clone());
        move || write(&rendition, &mut spool, &path, &cancel).map(|()| spool)
    });
    let lost = |error| Error::rendition(&name, format!("expected to write it, found {error}"));
    let spool = writing.await.map_err(lost)??;
    Ok((read(name, path, cancel).await?, spool))
}

/// Lays what was read back on the timeline that it was written for. Nothing may have moved.
pub(super) fn verify(meant: &Presentation, objects: &[Object]) -> Result<(), Error> {
    let sources = objects.iter().enumerate().map(|(object, made)| Source {
        name: made.name.clone(),
        object,
        identity: made.sha256,
        track: made.track.clone(),
    });
    let unlike = |name: &dyn ToString, what: String| Error::rendition(name.to_string(), what);
    let made = Presentation::with_boundaries(sources.collect(), meant.boundaries().to_vec())
        .map_err(|error| unlike(&"all", format!("expected one timeline, found {error}")))?;
    for found in made.renditions() {
        let name = found.name();
        let expected = meant.rendition(name.as_str());
        let segments = |r: &Rendition| (0..r.segment_count()).map(|n| r.samples(Msn(n))).collect::<Vec<_>>();
        let alike = expected.is_some_and(|expected| {
            segments(expected) == segments(found)
                && expected.starts() == found.starts()
                && expected.track().skip() == found.track().skip()
                && expected.track().decoding() == found.track().decoding()
                && expected.track().language() == found.track().language()
        });
        if !alike {
            return Err(unlike(
                name,
                "expected an object that reads as it was written, found another".to_owned(),
            ));
        }
    }
    Ok(())
}

fn write(rendition: &Rendition, spool: &mut Spool, path: &PathBuf, cancel: &Cancel) -> Result<(), Error> {
    let unwritten = |error| Error::scratch(path.parent().unwrap_or(path), &error);
    let unplanned = |error: packager::Error| Error::rendition(rendition.name(), error.to_string());
    let mut file = BufWriter::with_capacity(BUFFER, File::create_new(path).map_err(unwritten)?);
    file.write_all(&init_segment(rendition).map_err(unplanned)?).map_err(unwritten)?;
    for number in 0..rendition.segment_count() {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let Some(plan) = Plan::segment(rendition, Msn(number)).map_err(unplanned)? else { continue };
        let mut assembler = Assembler::whole(plan);
        loop {
            match assembler.next() {
                Need::Done => break,
                Need::Piece(piece) => file.write_all(&piece).map_err(unwritten)?,
                Need::Media(range) => {
                    let bytes = spool.read(range.start(), range.len().min(READ)).map_err(unwritten)?;
                    if bytes.is_empty() {
                        return Err(Error::rendition(
                            rendition.name(),
                            "expected its media, found less of it",
                        ));
                    }
                    assembler.feed(bytes);
                }
            }
        }
    }
    file.flush().map_err(unwritten)
}

/// Bytes of media in memory.
const READ: u64 = 4 << 20;
const BUFFER: usize = 1 << 20;
