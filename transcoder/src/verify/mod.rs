//! Whether what was made is what was meant, before anybody sees it.
//!
//! Each object is read as the packager will read it, hashed, and decoded to its end; then all are compared with the
//! ladder and with each other. Nothing is published that does not pass.

mod decode;
mod read;
mod structure;

use std::path::{Path, PathBuf};

use packager::asset::RenditionName;
use packager::presentation::{Presentation, Source};
use packager::time::{MediaTime, Rounding, Timescale};
use packager::track::Track;

pub(crate) use read::read;

use crate::ladder::{AudioRung, Ladder, Rung};
use crate::{Cancel, Error, Tools, command};

/// A ladder that was made and has passed.
#[derive(Debug)]
pub struct Verified {
    /// Video from tall to small, then audio: the ladder's order.
    pub objects: Vec<Object>,
    /// Where all renditions can be cut, ascending; the last is the end.
    pub boundaries: Vec<MediaTime>,
    /// Ticks per second of the boundaries.
    pub timescale: Timescale,
}

/// One object that has passed.
#[derive(Debug)]
pub struct Object {
    /// Its rendition.
    pub name: RenditionName,
    /// Where it lies.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// SHA-256 of those bytes.
    pub sha256: [u8; 32],
    /// What the packager sees in it.
    pub track: Track,
}

/// What an object was meant to be.
#[derive(Debug, Clone, Copy)]
enum Meant<'a> {
    Video(&'a Rung),
    Audio(&'a AudioRung),
}

/// Verifies what [`command::encode`] made of `ladder` in `folder`. When `cancel` is thrown it returns soon, and no
/// tool runs any more.
///
/// # Errors
/// [`Error::Rendition`] names the first rendition that is not as it was meant to be; else cancelled, a tool that is
/// missing, or a folder that cannot be read.
pub async fn verify(
    ladder: &Ladder,
    folder: &Path,
    tools: &Tools,
    cancel: &Cancel,
) -> Result<Verified, Error> {
    let video = ladder.rungs.iter().map(|rung| (&rung.name, Meant::Video(rung)));
    let audio = ladder.audio.iter().map(|rung| (&rung.name, Meant::Audio(rung)));
    let meant: Vec<(&RenditionName, Meant<'_>)> = video.chain(audio).collect();
    let mut objects = Vec::with_capacity(meant.len());
    for (name, meant) in &meant {
        let object = read((*name).clone(), command::object(folder, name), cancel).await?;
        structure::check(ladder, *meant, &object.track).map_err(|what| Error::rendition(name, what))?;
        objects.push(object);
    }
    let (boundaries, timescale) = boundaries(ladder, &objects)?;
    decode::decode(&objects, tools, cancel).await?;
    Ok(Verified { objects, boundaries, timescale })
}

/// Lays all on one timeline, as it will be served. That each has the ladder's keyframes is known by now; this says
/// that the packager sees the same boundaries in all of them and has nothing to remark.
fn boundaries(ladder: &Ladder, objects: &[Object]) -> Result<(Vec<MediaTime>, Timescale), Error> {
    let sources = objects
        .iter()
        .enumerate()
        .map(|(number, object)| Source {
            name: object.name.clone(),
            object: number,
            identity: object.sha256,
            track: object.track.clone(),
        })
        .collect();
    let (presentation, anomalies) = Presentation::plan(sources, ladder.segment_target)
        .map_err(|error| Error::rendition("all", format!("expected one timeline, found {error}")))?;
    if let Some(anomaly) = anomalies.first() {
        return Err(Error::rendition("all", format!("expected one timeline, found {anomaly}")));
    }
    // One unit for all of them, in which a frame is a whole number.
    let timescale = presentation.timescale();
    let boundaries =
        presentation.boundaries().iter().map(|time| time.rescale(timescale, Rounding::Nearest)).collect();
    Ok((boundaries, timescale))
}
