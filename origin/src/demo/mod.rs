//! The demo pages: their files, and what the daemon tells them.

mod assets;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

use crate::service::{Page, Pages};
use assets::{Assets, CONTENT_SECURITY_POLICY};

/// What `demo.json` says: the page plays `playlist`.
#[derive(Debug, Serialize)]
pub(crate) struct Story {
    pub(crate) title: String,
    pub(crate) playlist: String,
    /// When the link ends, in seconds since 1970.
    pub(crate) expires: u64,
    /// What time it is here, in milliseconds since 1970: the page measures delays against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now_ms: Option<u64>,
    /// Where the live page asks for clips, as a signed path; without it, it does not offer them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clip: Option<String>,
}

/// Which page stands at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// For what has an end.
    Film,
    /// For what is live.
    Live,
}

/// The page's files, to which the story of the moment is added.
pub(crate) struct Stage {
    files: Pages,
}

impl Stage {
    /// All files of both pages; their names are relative, so they can stand at the root.
    pub(crate) fn new(face: Face) -> Self {
        let index = match face {
            Face::Film => assets::FILM,
            Face::Live => assets::LIVE,
        };
        let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        let assets = Assets::embedded();
        let files = assets.iter().fold(Pages::new().with_policy(policy), |pages, (name, asset)| {
            let etag = HeaderValue::from_str(&asset.etag).unwrap_or(HeaderValue::from_static("\"\""));
            let content_type = HeaderValue::from_static(asset.content_type);
            let page = Page { content_type, body: asset.body.clone(), etag };
            let pages = if name == index { pages.with("", page.clone()) } else { pages };
            pages.with(name, page)
        });
        Self { files }
    }

    /// The page with this story.
    pub(crate) fn with(&self, story: &Story) -> Arc<Pages> {
        let body = Bytes::from(serde_json::to_vec(story).unwrap_or_default());
        let etag = HeaderValue::from_str(packager::segment::ETag::of_bytes(&body).as_str());
        let etag = etag.unwrap_or(HeaderValue::from_static("\"\""));
        let page = Page { content_type: HeaderValue::from_static("application/json"), body, etag };
        Arc::new(self.files.clone().with("demo.json", page))
    }
}
