//! Names for the tracks of files that nobody named.

use std::collections::HashSet;

use super::Source;
use crate::Error;
use crate::asset::RenditionName;
use crate::track::{Track, TrackKind};

/// Names each (object, identity, track): `video-720`, `audio-eng`, `audio-und`; a second one of the same kind
/// is `video-720-2`.
///
/// # Errors
/// None for tracks that [`crate::mp4::Finder`] found; [`Error::Name`] should a name break its rules.
pub fn name_tracks(tracks: Vec<(usize, [u8; 32], Track)>) -> Result<Vec<Source>, Error> {
    let mut taken = HashSet::new();
    let mut sources = Vec::with_capacity(tracks.len());
    for (object, identity, track) in tracks {
        let stem = match track.kind() {
            TrackKind::Video { height, .. } => format!("video-{height}"),
            TrackKind::Audio { .. } => format!("audio-{}", track.language().unwrap_or("und")),
        };
        let mut name = stem.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        sources.push(Source { name: name.parse::<RenditionName>()?, object, identity, track });
    }
    Ok(sources)
}
