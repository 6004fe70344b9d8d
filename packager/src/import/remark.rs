//! What is to be said of a source: why something of it is not imported.

use std::fmt;

/// Something about a source, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The playlist, as the one above it names it, without a query.
    pub playlist: String,
    /// Where in it.
    pub place: Place,
    /// What was expected, then what was found; or what is left out.
    pub what: String,
}

/// A place in a playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// All of it.
    Whole,
    /// A line, from 1.
    Line(u32),
    /// A segment, from 0, and the line of its URI.
    Segment(u32, u32),
}

impl Remark {
    /// A remark on a place of `playlist`.
    pub fn new(playlist: &str, place: Place, what: impl Into<String>) -> Self {
        Self { playlist: playlist.to_owned(), place, what: what.into() }
    }
}

/// `v0/index.m3u8, segment 3 (line 12): expected …, found …`
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { playlist, place, what } = self;
        match place {
            Place::Whole => write!(f, "{playlist}: {what}"),
            Place::Line(line) => write!(f, "{playlist}, line {line}: {what}"),
            Place::Segment(number, line) => write!(f, "{playlist}, segment {number} (line {line}): {what}"),
        }
    }
}

/// A URI as it may be shown: without its query, which may hold a secret, and not longer than a line.
pub fn shown(uri: &str) -> String {
    let bare = uri.split(['?', '#']).next().unwrap_or_default();
    // Of a whole URL only the last component: what comes before may hold a secret too.
    let bare = match bare.contains("://") || bare.starts_with('/') {
        true => bare.rsplit('/').find(|part| !part.is_empty()).unwrap_or(bare),
        false => bare,
    };
    bare.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_shown_without_what_may_be_secret() {
        assert_eq!(shown("v0/a.m3u8?token=1#x"), "v0/a.m3u8");
        assert_eq!(shown("https://u:p@host/t/secret/a.m3u8?x"), "a.m3u8");
        assert_eq!(shown("/t/secret/vod/a.m3u8"), "a.m3u8");
        assert_eq!(shown(&"x".repeat(1000)).len(), 120);
    }

    #[test]
    fn a_remark_says_where() {
        let remark = |place| Remark::new("a.m3u8", place, "expected b, found c").to_string();
        assert_eq!(remark(Place::Whole), "a.m3u8: expected b, found c");
        assert_eq!(remark(Place::Line(7)), "a.m3u8, line 7: expected b, found c");
        assert_eq!(remark(Place::Segment(0, 7)), "a.m3u8, segment 0 (line 7): expected b, found c");
    }
}
