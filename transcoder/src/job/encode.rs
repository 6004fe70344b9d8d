//! The encoder's run, and whose fault it is when it fails.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Event, Events, send};
use crate::ladder::Ladder;
use crate::process::{Ended, Running};
use crate::progress::Reader;
use crate::source::Source;
use crate::{Cancel, Error, Tools, command};

pub(super) async fn encode(
    source: &Source,
    ladder: &Ladder,
    folder: &Path,
    tools: &Tools,
    events: &Events,
    cancel: &Cancel,
) -> Result<(), Error> {
    let made = Arc::new(AtomicU64::new(0));
    let (frames, events) = (Arc::clone(&made), events.clone());
    let mut reader = Reader::new(ladder.frame_rate, ladder.frames);
    let on_line = Box::new(move |line: &str| {
        if let Some(progress) = reader.line(line) {
            frames.store(progress.frame, Ordering::Relaxed);
            send(&events, Event::Encoding(progress));
        }
    });
    let arguments = command::encode(source, ladder, folder);
    let ended = Running::start(tools, &tools.ffmpeg, arguments, on_line)?.end(cancel).await?;
    // A disk that fills up while the last bytes are flushed does not make ffmpeg fail.
    if ended.log().says("No space left on device") || ended.log().says("Disk quota exceeded") {
        return Err(Error::scratch(folder, &std::io::ErrorKind::StorageFull.into()));
    }
    if !ended.success() {
        return Err(failure(source, tools, &ended));
    }
    let made = made.load(Ordering::Relaxed);
    if made < ladder.frames {
        let what = format!(
            "expected {} s of pictures that can be decoded, found {} s",
            ladder.duration(),
            ladder.frame_rate.at(made)
        );
        return Err(Error::input(&source.path, what));
    }
    Ok(())
}

/// What cannot be decoded is the input's fault, everything else the tool's.
fn failure(source: &Source, tools: &Tools, ended: &Ended) -> Error {
    let undecodable = [
        "Invalid data found when processing input",
        "Error while decoding",
        "Decoding error",
        "Error submitting packet to decoder",
        "Cannot determine format of input stream",
        "Decoder (codec",
        "not currently supported",
    ];
    let complaint = ended.complaint();
    match undecodable.iter().any(|text| ended.log().says(text)) {
        true => Error::input(&source.path, format!("expected media that can be decoded, found {complaint}")),
        false => Error::tool(&tools.ffmpeg, format!("expected all renditions, found {complaint}")),
    }
}
