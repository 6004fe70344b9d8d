//! Surrogate keys: what an answer is of, so that caches in front can be told to let go of all that is of it.
//!
//! | key | on every answer that is of |
//! |-----|----------------------------|
//! | `asset/<asset>` | an asset |
//! | `revision/<asset>/<revision>` | one of its revisions |
//! | `rendition/<asset>/<revision>/<rendition>` | one of its renditions |
//! | `stream/<stream>` | a live stream |
//! | `show/<stream>/<show>` | one of its shows |
//! | `track/<stream>/<show>/<track>` | one of its tracks |
//! | `page` | the pages beside the media |
//!
//! Answers that say that something is not there have them too: it may be soon.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use http::HeaderValue;
use http::header::HeaderName;
use packager::asset::{AssetName, RenditionName, Revision, ShowId, StreamName};

use super::live::LiveRoute;
use super::route::{Place, Route};
use crate::live;
use crate::vod::Purge;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Surrogate {
    Asset(AssetName),
    Revision(AssetName, Revision),
    Rendition(AssetName, Revision, RenditionName),
    Stream(StreamName),
    Show(StreamName, ShowId),
    Track(StreamName, ShowId, RenditionName),
    Page,
}

/// The keys of what a route leads to, and of what it turned out to be besides.
pub(super) fn keys(route: &Route, also: Option<&Surrogate>) -> Option<HeaderValue> {
    let mut text = String::with_capacity(96);
    // Nothing fails that is written to a string.
    let _ = match route {
        Route::Main(asset) => write!(text, "asset/{asset}"),
        Route::Playlist(place) | Route::Init(place) | Route::Segment(place, _) => {
            let Place { asset, revision, rendition } = place;
            write!(text, "asset/{asset} revision/{asset}/{revision} rendition/{asset}/{revision}/{rendition}")
        }
        Route::Live(LiveRoute::Door(stream, _)) => write!(text, "stream/{stream}"),
        Route::Live(LiveRoute::Main(stream, show, _)) => write!(text, "stream/{stream} show/{stream}/{show}"),
        Route::Live(
            LiveRoute::Playlist(place, _)
            | LiveRoute::Init(place, _)
            | LiveRoute::Segment(place, _)
            | LiveRoute::Part(place, ..),
        ) => {
            let live::Place { stream, show, track } = place;
            write!(text, "stream/{stream} show/{stream}/{show} track/{stream}/{show}/{track}")
        }
        Route::Page(_) => write!(text, "page"),
        Route::Unknown => return None,
    };
    if let Some(also) = also {
        let _ = write!(text, " {also}");
    }
    HeaderValue::try_from(text).ok()
}

impl Surrogate {
    /// What is kept here of it.
    pub(super) fn purge(&self) -> Option<Purge> {
        Some(match self.clone() {
            Self::Asset(asset) => Purge::Asset(asset),
            Self::Revision(asset, revision) => Purge::Revision(asset, revision),
            Self::Rendition(asset, revision, rendition) => Purge::Rendition(asset, revision, rendition),
            Self::Stream(stream) | Self::Show(stream, _) | Self::Track(stream, ..) => Purge::Stream(stream),
            // They are part of the program.
            Self::Page => return None,
        })
    }
}

impl fmt::Display for Surrogate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(asset) => write!(f, "asset/{asset}"),
            Self::Revision(asset, revision) => write!(f, "revision/{asset}/{revision}"),
            Self::Rendition(asset, revision, name) => write!(f, "rendition/{asset}/{revision}/{name}"),
            Self::Stream(stream) => write!(f, "stream/{stream}"),
            Self::Show(stream, show) => write!(f, "show/{stream}/{show}"),
            Self::Track(stream, show, track) => write!(f, "track/{stream}/{show}/{track}"),
            Self::Page => f.write_str("page"),
        }
    }
}

impl FromStr for Surrogate {
    type Err = packager::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        Ok(match parts.as_slice() {
            ["asset", asset] => Self::Asset(asset.parse()?),
            ["revision", asset, revision] => Self::Revision(asset.parse()?, revision.parse()?),
            ["rendition", asset, revision, name] => {
                Self::Rendition(asset.parse()?, revision.parse()?, name.parse()?)
            }
            ["stream", stream] => Self::Stream(stream.parse()?),
            ["show", stream, show] => Self::Show(stream.parse()?, show.parse()?),
            ["track", stream, show, track] => Self::Track(stream.parse()?, show.parse()?, track.parse()?),
            ["page"] => Self::Page,
            _ => {
                return Err(packager::Error::Name {
                    expected: "a surrogate key such as asset/NAME",
                    found: text.chars().take(140).collect(),
                });
            }
        })
    }
}

/// The header that they stand in.
pub(super) const KEYS: HeaderName = HeaderName::from_static("surrogate-key");

#[cfg(test)]
mod tests {
    use authz::CanonicalPath;

    use super::*;

    fn written(path: &str) -> String {
        let route = Route::parse(&CanonicalPath::parse(path.as_bytes()).unwrap());
        keys(&route, None).map_or(String::new(), |keys| keys.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_route_has_the_keys_of_what_it_is_of_and_they_read_back() {
        for (path, wanted) in [
            ("/vod/a.b_C/main.m3u8", "asset/a.b_C"),
            ("/vod/a/7/v/index.m3u8", "asset/a revision/a/7 rendition/a/7/v"),
            ("/vod/a/7/v/init.mp4", "asset/a revision/a/7 rendition/a/7/v"),
            ("/vod/a/7/v/42.m4s", "asset/a revision/a/7 rendition/a/7/v"),
            ("/live/g/main.m3u8", "stream/g"),
            ("/live/g/3/main.m3u8", "stream/g show/g/3"),
            ("/live/g/3/v/42.0.m4s", "stream/g show/g/3 track/g/3/v"),
            ("/index.html", "page"),
            ("/vod/a", ""),
        ] {
            let keys = written(path);
            assert_eq!(keys, wanted);
            for key in keys.split_whitespace() {
                assert_eq!(key.parse::<Surrogate>().unwrap().to_string(), key);
            }
        }
    }

    #[test]
    fn what_is_no_key_is_named() {
        for text in
            ["", "asset", "asset/", "asset/a/b", "Asset/a", "revision/a", "show/a/0", "other/a", "page/x"]
        {
            let error = text.parse::<Surrogate>().unwrap_err().to_string();
            assert!(error.contains("expected"), "{text}: {error}");
        }
    }
}
