//! What a room answers, before conditions and ranges are looked at.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use packager::live::{Media, Settled};
use packager::presentation::Rendition;
use packager::range::ByteRange;
use packager::segment::ETag;
use packager::time::Msn;

use super::conditional::coding;
use super::lifetime::Lifetime;
use super::pages::{Page, Pages};
use super::surrogate::Surrogate;
use crate::live::Kept;
use crate::metrics::{CacheResult, Class};
use crate::text::{Coding, Text};
use crate::vod::{LoadedAsset, VodError};

/// Something that is there: what it is, how long it is good, and how long it is, before a byte of it is read.
pub(super) struct Found {
    pub(super) lifetime: Lifetime,
    pub(super) len: u64,
    pub(super) source: Source,
    pub(super) coding: Option<Coding>,
    /// What the look-up in the cache came to, where that is known before the body is read.
    pub(super) looked_up: Option<CacheResult>,
    /// What it is of, beside what its route says.
    pub(super) also_of: Option<Surrogate>,
    content_type: HeaderValue,
    tag: HeaderValue,
    policy: Option<HeaderValue>,
    urgency: Option<Urgency>,
    pub(super) class: Class,
}

/// Where its bytes come from.
pub(super) enum Source {
    /// They are in hand.
    Bytes(Bytes),
    /// They are in hand, in pieces.
    Media(Arc<Media>),
    /// They lie outside of a live window.
    Kept(Kept),
    /// They are packaged when they are sent.
    Segment { asset: Arc<LoadedAsset>, rendition: Arc<Rendition>, msn: Msn },
}

impl Found {
    /// A playlist, in the coding that the client takes.
    pub(super) fn playlist(text: &Text, lifetime: Lifetime, headers: &HeaderMap) -> Self {
        let coding = coding(headers);
        let (bytes, tag) = text.coded(coding);
        let content_type = HeaderValue::from_static(packager::playlist::CONTENT_TYPE);
        Self { coding: Some(coding), ..Self::of(bytes.clone(), content_type, lifetime, tag_value(tag)) }
    }

    /// An init segment.
    pub(super) fn init(rendition: &Rendition, bytes: Bytes, tag: &ETag) -> Self {
        Self::of(bytes, mime(rendition), Lifetime::Immutable, tag_value(tag))
    }

    /// A media segment. Its length and tag are functions of the index.
    pub(super) fn segment(
        asset: Arc<LoadedAsset>,
        rendition: Arc<Rendition>,
        msn: Msn,
    ) -> Result<Self, VodError> {
        let len = match rendition.segment_bytes(msn) {
            0 => return Err(VodError::Absent),
            len => len,
        };
        let (content_type, tag) = (mime(&rendition), tag_value(&ETag::of_segment(&rendition, msn)));
        let source = Source::Segment { asset, rendition, msn };
        Ok(Self {
            lifetime: Lifetime::Immutable,
            len,
            source,
            coding: None,
            looked_up: None,
            also_of: None,
            content_type,
            tag,
            policy: None,
            urgency: None,
            class: Class::Vod,
        })
    }

    /// An init segment of a live track.
    pub(super) fn live_init(bytes: Bytes, is_video: bool, urgency: Urgency) -> Self {
        let tag = tag_value(&ETag::of_bytes(&bytes));
        Self::of(bytes, live_mime(is_video), Lifetime::Immutable, tag).urgent(urgency)
    }

    /// A part or a segment of a live track.
    pub(super) fn media(media: &Arc<Media>, is_video: bool, urgency: Urgency) -> Self {
        Self {
            // Another origin may have more of what was lost here.
            lifetime: match media.settled() {
                Settled::Yes => Lifetime::Immutable,
                Settled::No => Lifetime::Moment,
            },
            len: media.len(),
            source: Source::Media(Arc::clone(media)),
            coding: None,
            looked_up: None,
            also_of: None,
            content_type: live_mime(is_video),
            tag: tag_value(media.tag()),
            policy: None,
            urgency: Some(urgency),
            class: Class::Edge,
        }
    }

    /// A segment of a live track that is not in memory.
    pub(super) fn kept(kept: Kept, is_video: bool, urgency: Urgency) -> Self {
        Self {
            lifetime: Lifetime::Immutable,
            len: kept.stored.len,
            content_type: live_mime(is_video),
            tag: tag_value(&ETag::from(kept.stored.tag)),
            source: Source::Kept(kept),
            coding: None,
            looked_up: None,
            also_of: None,
            policy: None,
            urgency: Some(urgency),
            class: Class::Dvr,
        }
    }

    /// The same, with what the look-up in the cache came to.
    pub(super) fn looked_up(self, result: CacheResult) -> Self {
        Self { looked_up: Some(result), ..self }
    }

    /// The same, that is of this too.
    pub(super) fn also_of(self, key: Surrogate) -> Self {
        Self { also_of: Some(key), ..self }
    }

    /// The same, with a place among what the client loads at the same time.
    pub(super) fn urgent(self, urgency: Urgency) -> Self {
        Self { urgency: Some(urgency), class: Class::Edge, ..self }
    }

    /// The same, where it lies behind the live edge.
    pub(super) fn behind(self, is_behind: bool) -> Self {
        Self { class: if is_behind { Class::Dvr } else { self.class }, ..self }
    }

    /// A file of a page.
    pub(super) fn page(page: &Page, pages: &Pages) -> Self {
        let body = page.body.clone();
        let found = Self::of(body, page.content_type.clone(), Lifetime::Revalidate, page.etag.clone());
        Self { policy: pages.policy().cloned(), ..found }
    }

    fn of(bytes: Bytes, content_type: HeaderValue, lifetime: Lifetime, tag: HeaderValue) -> Self {
        let len = bytes.len() as u64;
        let source = Source::Bytes(bytes);
        let (looked_up, also_of) = (None, None);
        let coding = None;
        Self {
            lifetime,
            len,
            source,
            coding,
            looked_up,
            also_of,
            content_type,
            tag,
            policy: None,
            urgency: None,
            class: Class::Vod,
        }
    }

    /// The entity tag, quotes and all.
    pub(super) fn tag(&self) -> &str {
        self.tag.to_str().unwrap_or_default()
    }

    /// The headers of an answer with this status, of these bytes of it.
    pub(super) fn headers(&self, status: StatusCode, window: ByteRange) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::ETAG, self.tag.clone());
        if self.coding.is_some() {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        } else {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if let Some(urgency) = self.urgency {
            headers.insert(PRIORITY, urgency.header());
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        if status == StatusCode::NOT_MODIFIED {
            return headers;
        }
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CONTENT_LENGTH, window.len().into());
        if self.coding == Some(Coding::Gzip) {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let range = match status {
            StatusCode::PARTIAL_CONTENT => {
                format!("bytes {}-{}/{}", window.start(), window.end().saturating_sub(1), self.len)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => format!("bytes */{}", self.len),
            _ => return headers,
        };
        headers.extend(HeaderValue::try_from(range).ok().map(|range| (header::CONTENT_RANGE, range)));
        headers
    }
}

fn tag_value(tag: &ETag) -> HeaderValue {
    // Quotes and hexadecimal digits are always a header value.
    HeaderValue::from_str(tag.as_str()).unwrap_or(HeaderValue::from_static("\"\""))
}

fn mime(rendition: &Rendition) -> HeaderValue {
    live_mime(rendition.is_video())
}

fn live_mime(is_video: bool) -> HeaderValue {
    HeaderValue::from_static(if is_video { "video/mp4" } else { "audio/mp4" })
}

/// How urgent an answer is among those that a client loads at the same time (RFC 9218 §4.1): from 1, the most urgent
/// that is used here, to 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Urgency(u8);

impl Urgency {
    pub(super) const PLAYLIST: Self = Self(1);
    pub(super) const SOUND: Self = Self(2);

    /// Of the video that so many smaller ones stand before.
    pub(super) fn of_video(rank: usize) -> Self {
        Self(u8::try_from(rank.min(3)).unwrap_or(3) + 3)
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self.0 {
            0 | 1 => "u=1",
            2 => "u=2",
            3 => "u=3",
            4 => "u=4",
            5 => "u=5",
            _ => "u=6",
        })
    }
}

const PRIORITY: HeaderName = HeaderName::from_static("priority");
