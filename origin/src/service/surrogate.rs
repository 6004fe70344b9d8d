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

use std::fmt;
use std::str::FromStr;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use packager::asset::{AssetName, RenditionName, Revision, ShowId, StreamName};

use super::live::LiveRoute;
use super::route::Route;
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

impl Surrogate {
    /// Those of what a route leads to.
    pub(super) fn of(route: &Route) -> Vec<Self> {
        match route {
            Route::Main(asset) => vec![Self::Asset(asset.clone())],
            Route::Playlist(place) | Route::Init(place) | Route::Segment(place, _) => {
                let (asset, revision) = (place.asset.clone(), place.revision.clone());
                vec![
                    Self::Asset(asset.clone()),
                    Self::Revision(asset.clone(), revision.clone()),
                    Self::Rendition(asset, revision, place.rendition.clone()),
                ]
            }
            Route::Live(LiveRoute::Door(stream)) => vec![Self::Stream(stream.clone())],
            Route::Live(LiveRoute::Main(stream, show)) => {
                vec![Self::Stream(stream.clone()), Self::Show(stream.clone(), *show)]
            }
            Route::Live(
                LiveRoute::Playlist(place)
                | LiveRoute::Init(place, _)
                | LiveRoute::Segment(place, _)
                | LiveRoute::Part(place, ..),
            ) => {
                let (stream, show) = (place.stream.clone(), place.show);
                vec![
                    Self::Stream(stream.clone()),
                    Self::Show(stream.clone(), show),
                    Self::Track(stream, show, place.track.clone()),
                ]
            }
            Route::Page(_) => vec![Self::Page],
            Route::Unknown => vec![],
        }
    }

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

/// Adds keys to an answer.
pub(super) fn add(headers: &mut HeaderMap, keys: &[Surrogate]) {
    let mut text = headers.get(KEYS).and_then(|keys| keys.to_str().ok()).unwrap_or_default().to_owned();
    for key in keys {
        let gap = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{gap}{key}"));
    }
    if !text.is_empty()
        && let Ok(text) = HeaderValue::try_from(text)
    {
        headers.insert(KEYS, text);
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

const KEYS: HeaderName = HeaderName::from_static("surrogate-key");

#[cfg(test)]
mod tests {
    use authz::CanonicalPath;

    use super::*;

    fn keys(path: &str) -> String {
        let mut headers = HeaderMap::new();
        add(&mut headers, &Surrogate::of(&Route::parse(&CanonicalPath::parse(path.as_bytes()).unwrap())));
        headers.get(KEYS).map_or("", |keys| keys.to_str().unwrap()).to_owned()
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
            let keys = keys(path);
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
