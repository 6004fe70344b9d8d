//! `asset.json`: what a revision of an asset consists of.
//!
//! It is written once, before the catalogue names the revision, and never changes. The hashes in it are the
//! identity of the media: a store's own entity tags are not the same everywhere.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::asset::{AssetName, RenditionName, Revision};
use crate::recorded::Recorded;
use crate::time::{MediaTime, Timescale};

/// The format of revisions whose tracks are objects of their own.
pub const FORMAT: u32 = 1;

/// The format of revisions that have tracks made of recorded shows.
pub const FORMAT_RECORDED: u32 = 2;

/// The largest `asset.json` that is read, in bytes.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A revision of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`], or [`FORMAT_RECORDED`].
    pub format: u32,
    /// The asset.
    pub asset: AssetName,
    /// Its revision.
    pub revision: Revision,
    /// Segment length that was aimed at, in milliseconds.
    pub target_ms: u32,
    /// Ticks a second of `boundaries`.
    pub timescale: u32,
    /// Where segments start, ascending; the last is the end.
    pub boundaries: Vec<i64>,
    /// The date of time zero, in milliseconds since 1970-01-01 UTC, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_ms: Option<i64>,
    /// One object each, or segments of a recorded show.
    pub tracks: Vec<ManifestTrack>,
}

/// One track of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestTrack {
    /// Its name in URLs.
    pub name: RenditionName,
    /// Video or audio.
    pub kind: Kind,
    /// What it is for.
    pub role: Role,
    /// ISO 639-2/T code; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// File name of the media object in the revision's folder; empty where [`Self::recorded`] says where the media lies.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// File name of its index.
    pub index: String,
    /// Bytes of the media object, or of all segments.
    pub bytes: u64,
    /// SHA-256 of the media object, 64 hexadecimal digits; of segments, [`Identity`](crate::recorded::Identity).
    pub sha256: String,
    /// The segments that the media is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

/// What a track is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// What a track is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The programme itself.
    Main,
}

impl Manifest {
    /// The object's text. Equal manifests give equal text.
    pub fn to_json(&self) -> String {
        // Only maps with keys that are not strings can fail, and there is none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads `asset.json`.
    ///
    /// # Errors
    /// [`Error::Stored`] where it is not a manifest of this format, or one that could not have been written.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let fault = |expected, found: String| Error::Stored { what: "manifest", expected, found };
        let this: Self = serde_json::from_slice(text).map_err(|e| fault("an asset.json", e.to_string()))?;
        if !matches!(this.format, FORMAT | FORMAT_RECORDED) {
            return Err(fault("format 1 or 2", format!("format {}", this.format)));
        }
        if Timescale::new(this.timescale).is_none()
            || this.boundaries.len() < 2
            || !this.boundaries.is_sorted()
        {
            return Err(fault("ascending boundaries", "others".to_owned()));
        }
        if this.tracks.is_empty() {
            return Err(fault("at least one track", "none".to_owned()));
        }
        for track in &this.tracks {
            let is_object = track.recorded.is_none() || !track.object.is_empty();
            if (is_object && !is_file_name(&track.object)) || !is_file_name(&track.index) {
                return Err(fault("file names of the revision's folder", format!("{:?}", track.object)));
            }
            if let Some(recorded) = &track.recorded {
                if this.format != FORMAT_RECORDED || is_object {
                    return Err(fault(
                        "segments of a show in format 2, without an object",
                        track.name.to_string(),
                    ));
                }
                if !recorded.is_sound() || recorded.size() != track.bytes {
                    return Err(fault("segments of a show", format!("others, of {}", track.name)));
                }
            }
            if track.identity().is_none() {
                return Err(fault("a sha256 of 64 hexadecimal digits", format!("{:?}", track.sha256)));
            }
        }
        Ok(this)
    }

    /// The boundaries as times.
    pub fn boundary_times(&self) -> Vec<MediaTime> {
        let scale = Timescale::new(self.timescale).unwrap_or(Timescale::MPEG);
        self.boundaries.iter().map(|ticks| MediaTime::new(*ticks, scale)).collect()
    }
}

impl ManifestTrack {
    /// The hash as bytes; `None` where it is not one.
    pub fn identity(&self) -> Option<[u8; 32]> {
        let mut identity = [0; 32];
        let digits: &[u8; 64] = self.sha256.as_bytes().try_into().ok()?;
        // A sign would be taken for a digit's place below.
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (byte, pair) in identity.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(identity)
    }
}

/// One component of a path, that cannot lead out of its folder.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::ShowId;
    use crate::live::Stored;
    use crate::segment::ETag;
    use crate::time::Msn;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            asset: "show".parse().unwrap(),
            revision: Revision::counted(3),
            target_ms: 6000,
            timescale: 15_360,
            boundaries: vec![0, 92_160, 100_000],
            starts_ms: None,
            tracks: vec![ManifestTrack {
                name: "video-360".parse().unwrap(),
                kind: Kind::Video,
                role: Role::Main,
                language: None,
                object: "video-360.mp4".to_owned(),
                index: "video-360.idx".to_owned(),
                bytes: 1234,
                sha256: "ab".repeat(32),
                recorded: None,
            }],
        }
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let manifest = manifest();
        assert_eq!(Manifest::from_json(manifest.to_json().as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn a_manifest_that_points_out_of_its_folder_is_refused() {
        for name in ["../x.mp4", "a/b.mp4", "", ".hidden", "x\\y"] {
            let mut manifest = manifest();
            manifest.tracks[0].object = name.to_owned();
            assert!(Manifest::from_json(manifest.to_json().as_bytes()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_later_format_is_refused_by_number() {
        let mut manifest = manifest();
        manifest.format = 3;
        let error = Manifest::from_json(manifest.to_json().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "manifest: expected format 1 or 2, found format 3");
    }

    #[test]
    fn the_media_of_a_track_is_an_object_or_segments_of_a_show() {
        let mut recorded = Recorded::new("gala".parse().unwrap(), ShowId(7), "video-360".parse().unwrap());
        let tag = ETag::of_pieces(&[bytes::Bytes::from_static(b"x")]).bits().unwrap();
        recorded.push(Msn(1), "00000001".parse().unwrap(), Stored { len: 1234, tag, fence: Some(1) });
        let mut manifest = Manifest { format: FORMAT_RECORDED, ..manifest() };
        manifest.tracks[0].object.clear();
        let read = |manifest: &Manifest| Manifest::from_json(manifest.to_json().as_bytes());
        assert!(read(&manifest).is_err(), "neither");
        manifest.tracks[0].recorded = Some(recorded);
        assert_eq!(read(&manifest).unwrap(), manifest);
        let other = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = manifest.clone();
            change(&mut manifest);
            read(&manifest)
        };
        assert!(other(&|m| m.format = FORMAT).is_err(), "an older one has none");
        assert!(other(&|m| m.tracks[0].object = "video-360.mp4".to_owned()).is_err(), "both");
        assert!(other(&|m| m.tracks[0].bytes = 1235).is_err(), "of another size");
    }
}
