//! Init segments of renditions.

use crate::Error;
use crate::fmp4::Init;
use crate::presentation::Rendition;
use crate::track::Language;

/// The init segment of a rendition: `ftyp` and a `moov` of one track without samples.
///
/// # Errors
/// [`Error::Stored`] where the sample entry of a stored index cannot be read.
pub fn init_segment(rendition: &Rendition) -> Result<Vec<u8>, Error> {
    let track = rendition.track();
    let fault = |e: mp4_atom::Error| Error::Stored {
        what: "index",
        expected: "a sample entry",
        found: e.to_string(),
    };
    Init {
        kind: track.kind(),
        timescale: track.timescale(),
        language: track.language().map_or(Language::UNDETERMINED, Language::of),
        decoding: track.decoding(),
        skip: track.skip(),
    }
    .write()
    .map_err(fault)
}
