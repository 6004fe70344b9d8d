//! What a sender's URL means.
//!
//! ```text
//! /ingest/<stream>/<track>                        header and chunks, as long as it lasts
//! /ingest/<stream>/<track>.cmfv                   the same
//! /ingest/<stream>/Streams(<track>.cmfv)          the same (DASH-IF Live Media Ingest, §6)
//! /ingest/<stream>/<track>/<anything>             one object of the track
//! /ingest/<stream>/init-<track>.m4s               one object of the track, as ffmpeg's DASH muxer names them
//! /ingest/<stream>/chunk-<track>-00042.m4s
//! /ingest/<stream>/<anything>.mpd, .m3u8          a manifest, which nobody needs
//! ```

use packager::asset::{RenditionName, StreamName};

/// What a request of a sender is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Media of a track.
    Track(StreamName, RenditionName),
    /// Something that is taken and dropped.
    Manifest,
}

impl Target {
    /// Reads the path below `/ingest/`; `None` for one that means nothing.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let (stream, rest) = path.split_once('/')?;
        let stream: StreamName = stream.parse().ok()?;
        let file = rest.rsplit('/').next().unwrap_or(rest);
        if MANIFESTS.iter().any(|suffix| file.ends_with(suffix)) {
            return Some(Self::Manifest);
        }
        let name = match rest.split_once('/') {
            Some((track, object)) if !object.is_empty() && !object.contains('/') => track.to_owned(),
            Some(_) => return None,
            None => flat(rest)?,
        };
        name.parse().ok().map(|track| Self::Track(stream, track))
    }
}

/// The track of a name that stands alone.
fn flat(file: &str) -> Option<String> {
    let inner = file.strip_prefix("Streams(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(file);
    let name = MEDIA.iter().find_map(|suffix| inner.strip_suffix(suffix)).unwrap_or(inner);
    if let Some(track) = name.strip_prefix("init-") {
        return Some(track.to_owned());
    }
    if let Some(rest) = name.strip_prefix("chunk-") {
        let (track, number) = rest.rsplit_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        return is_number.then(|| track.to_owned());
    }
    Some(name.to_owned())
}

const MANIFESTS: [&str; 2] = [".mpd", ".m3u8"];
const MEDIA: [&str; 6] = [".cmfv", ".cmfa", ".cmfm", ".cmft", ".mp4", ".m4s"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_names_its_track() {
        for (path, wanted) in [
            ("x/video-720", Some("video-720")),
            ("x/video-720.cmfv", Some("video-720")),
            ("x/Streams(video-720.cmfv)", Some("video-720")),
            ("x/video-720/init.mp4", Some("video-720")),
            ("x/video-720/00042.m4s", Some("video-720")),
            ("x/init-stream0.m4s", Some("stream0")),
            ("x/chunk-stream0-00001.m4s", Some("stream0")),
            ("x/chunk-stream0.m4s", None),
            ("x/chunk-stream0-.m4s", None),
            ("x/Video", None),
            ("x/a/b/c", None),
            ("x/a/", None),
            ("x/", None),
            ("x", None),
            ("../video", None),
        ] {
            let found = match Target::parse(path) {
                Some(Target::Track(stream, track)) => {
                    assert_eq!(stream.as_str(), "x");
                    Some(track.to_string())
                }
                Some(Target::Manifest) => Some("manifest".to_owned()),
                None => None,
            };
            assert_eq!(found.as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn manifests_are_known_by_their_names() {
        for path in ["x/show.mpd", "x/main.m3u8", "x/video/index.m3u8"] {
            assert_eq!(Target::parse(path), Some(Target::Manifest), "{path}");
        }
    }
}
