//! All paths there are, and one function that knows them.

use authz::CanonicalPath;
use packager::asset::{AssetName, RenditionName, Revision};
use packager::playlist::{INIT, MEDIA, MULTIVARIANT, SEGMENT_SUFFIX};
use packager::time::Msn;

use super::live::LiveRoute;
use crate::metrics::RouteKind;

/// What a path names.
///
/// ```text
/// /vod/<asset>/main.m3u8                              Main
/// /vod/<asset>/<revision>/<rendition>/index.m3u8      Playlist
/// /vod/<asset>/<revision>/<rendition>/init.mp4        Init
/// /vod/<asset>/<revision>/<rendition>/<msn>.m4s       Segment
/// /live/…                                             Live
/// anything else                                       Page, where pages are mounted
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The stable door of an asset.
    Main(AssetName),
    /// A rendition's media playlist.
    Playlist(Place),
    /// A rendition's init segment.
    Init(Place),
    /// A media segment.
    Segment(Place, Msn),
    /// Something of a live stream.
    Live(LiveRoute),
    /// A file of the mounted pages, relative to their root.
    Page(String),
    /// Nothing that could exist.
    Unknown,
}

/// A rendition of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) asset: AssetName,
    pub(crate) revision: Revision,
    pub(crate) rendition: RenditionName,
}

impl Route {
    /// The route of a path. Every path has one.
    pub(crate) fn parse(path: &CanonicalPath<'_>) -> Self {
        let mut parts = path.as_str().strip_prefix('/').unwrap_or_default().split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("vod"), Some(asset), Some(MULTIVARIANT), None, ..) => {
                asset.parse().map_or(Self::Unknown, Self::Main)
            }
            (Some("vod"), Some(asset), Some(revision), Some(rendition), Some(file), None) => {
                Self::below(asset, revision, rendition, file).unwrap_or(Self::Unknown)
            }
            (Some("live"), ..) => LiveRoute::parse(path.as_str()).map_or(Self::Unknown, Self::Live),
            (Some("vod" | "ingest"), ..) => Self::Unknown,
            _ => Self::Page(path.as_str().trim_start_matches('/').to_owned()),
        }
    }

    /// Its kind, for metrics.
    pub(crate) fn kind(&self) -> RouteKind {
        match self {
            Self::Main(_) => RouteKind::Main,
            Self::Playlist(_) => RouteKind::Playlist,
            Self::Init(_) => RouteKind::Init,
            Self::Segment(..) => RouteKind::Segment,
            Self::Live(live) => live.kind(),
            Self::Page(_) => RouteKind::Page,
            Self::Unknown => RouteKind::Unknown,
        }
    }

    fn below(asset: &str, revision: &str, rendition: &str, file: &str) -> Option<Self> {
        let place = || {
            Some(Place {
                asset: asset.parse().ok()?,
                revision: revision.parse().ok()?,
                rendition: rendition.parse().ok()?,
            })
        };
        match file {
            MEDIA => Some(Self::Playlist(place()?)),
            INIT => Some(Self::Init(place()?)),
            _ => Some(Self::Segment(place()?, file.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route::parse(&CanonicalPath::parse(path.as_bytes()).unwrap())
    }

    fn place() -> Place {
        Place {
            asset: "show".parse().unwrap(),
            revision: "7".parse().unwrap(),
            rendition: "video-720".parse().unwrap(),
        }
    }

    #[test]
    fn each_path_has_its_route() {
        for (path, wanted) in [
            ("/vod/show/main.m3u8", Route::Main("show".parse().unwrap())),
            ("/vod/show/7/video-720/index.m3u8", Route::Playlist(place())),
            ("/vod/show/7/video-720/init.mp4", Route::Init(place())),
            ("/vod/show/7/video-720/0.m4s", Route::Segment(place(), Msn(0))),
            ("/vod/show/7/video-720/42.m4s", Route::Segment(place(), Msn(42))),
            ("/demo.json", Route::Page("demo.json".to_owned())),
            ("/", Route::Page(String::new())),
        ] {
            assert_eq!(route(path), wanted, "{path}");
        }
    }

    #[test]
    fn a_segment_has_one_spelling() {
        for file in [
            "00.m4s",
            "01.m4s",
            "+1.m4s",
            "-1.m4s",
            "1.M4S",
            "1",
            ".m4s",
            "99999999999999999999999.m4s",
            "1.m4s.m4s",
        ] {
            assert_eq!(route(&format!("/vod/show/7/video-720/{file}")), Route::Unknown, "{file}");
        }
    }

    #[test]
    fn what_is_not_a_name_is_unknown() {
        for path in [
            "/vod",
            "/vod/show",
            "/vod/.x/main.m3u8",
            "/vod/show/UP/video-720/init.mp4",
            "/vod/a/b/c/d/e.m4s",
            "/live/x/index.m3u8",
        ] {
            assert_eq!(route(path), Route::Unknown, "{path}");
        }
    }
}
