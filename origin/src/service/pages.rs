//! Pages that stand beside the media: a closed set of files, given when the origin is built.

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderValue;

/// A file of a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// `Content-Type`.
    pub content_type: HeaderValue,
    /// The file.
    pub body: Bytes,
    /// A strong entity tag, in quotes.
    pub etag: HeaderValue,
}

/// Pages by their path without the leading slash; `""` is what `/` shows.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    files: HashMap<String, Page>,
    policy: Option<HeaderValue>,
}

impl Pages {
    /// No page at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends this `Content-Security-Policy` with every page.
    #[must_use]
    pub fn with_policy(mut self, policy: HeaderValue) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Adds a page, or replaces it.
    #[must_use]
    pub fn with(mut self, path: &str, page: Page) -> Self {
        self.files.insert(path.to_owned(), page);
        self
    }

    pub(super) fn find(&self, path: &str) -> Option<&Page> {
        self.files.get(path)
    }

    pub(super) fn policy(&self) -> Option<&HeaderValue> {
        self.policy.as_ref()
    }
}
