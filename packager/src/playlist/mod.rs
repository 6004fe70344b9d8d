//! Playlists: text that is the same to the byte on every node (RFC 8216bis).
//!
//! Attributes stand in one fixed order, numbers are integers or decimals printed from integers, and nothing in a
//! playlist is about one viewer: tokens travel in the path, which relative URIs inherit.

pub(crate) mod attributes;
mod language;
mod media;
pub(crate) mod multivariant;

pub use media::media_playlist;
pub use multivariant::multivariant_playlist;

/// `application/vnd.apple.mpegurl` (RFC 8216bis §4).
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";
/// File name of a rendition's media playlist.
pub const MEDIA: &str = "index.m3u8";
/// File name of the multivariant playlist.
pub const MULTIVARIANT: &str = "main.m3u8";
/// File name of both playlists of a live show from its first segment on.
pub const START: &str = "start.m3u8";
/// File name of both playlists of a live show as video on demand.
pub const WHOLE: &str = "vod.m3u8";
/// File name of a rendition's init segment.
pub const INIT: &str = "init.mp4";
/// What a segment's number is followed by.
pub const SEGMENT_SUFFIX: &str = ".m4s";
