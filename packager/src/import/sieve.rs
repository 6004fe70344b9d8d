//! A playlist's text, line by line, before m3u8-rs reads it.
//!
//! That crate reads attribute lists across the ends of lines, takes a title with two commas for a URI, knows no line
//! numbers and passes over what it cannot read. So it is given only the lines that matter here, each of which is sound by
//! itself, and what it makes of them is compared with what was given.

use super::{Place, Remark};

/// A playlist that may be read.
#[derive(Debug)]
pub(super) struct Sifted {
    /// The lines that matter.
    pub(super) text: String,
    /// Whether it lists renditions; else it lists segments.
    pub(super) is_multivariant: bool,
    /// Each line with a URI, and its number from 1.
    pub(super) uris: Vec<(String, u32)>,
}

/// Leaves those lines of a playlist that are read.
pub(super) fn sift(playlist: &str, bytes: &[u8]) -> Result<Sifted, Remark> {
    let whole = |what: &str| Remark::new(playlist, Place::Whole, what);
    if bytes.len() > MAX_BYTES {
        return Err(whole(&format!("expected a playlist of at most {MAX_BYTES} bytes, found a larger one")));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|_| whole("expected a playlist in UTF-8, found other bytes"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines().map(str::trim));
    if lines.next().is_none_or(|(_, first)| first != "#EXTM3U") {
        return Err(whole("expected a playlist that starts with #EXTM3U, found none"));
    }
    let mut sifted = Sifted { text: "#EXTM3U\n".to_owned(), is_multivariant: false, uris: Vec::new() };
    let (mut renditions, mut segments) = (None, None);
    let mut kept = 0usize;
    for (number, line) in lines {
        let at = |what: String| Remark::new(playlist, Place::Line(number), what);
        let line = match line.strip_prefix('#') {
            None if line.is_empty() => continue,
            None => {
                sifted.uris.push((line.to_owned(), number));
                line
            }
            Some(tag) => match kept_tag(tag).map_err(&at)? {
                None => continue,
                Some((family, tag)) => {
                    let seen = if family == Family::Multivariant { &mut renditions } else { &mut segments };
                    seen.get_or_insert(number);
                    sifted.text.push('#');
                    tag
                }
            },
        };
        kept += 1;
        if kept > MAX_LINES {
            return Err(at(format!("expected at most {MAX_LINES} lines that matter, found more")));
        }
        sifted.text.push_str(line);
        sifted.text.push('\n');
    }
    if let (Some(a), Some(b)) = (renditions, segments) {
        let what = "expected tags of renditions or of segments (RFC 8216bis §4.1), found both";
        return Err(Remark::new(playlist, Place::Line(u32::max(a, b)), what));
    }
    sifted.is_multivariant = renditions.is_some();
    Ok(sifted)
}

/// Which playlists have a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Multivariant,
    Media,
}

/// The tag as it is read, without its `#`; `None` where it does not matter.
fn kept_tag(tag: &str) -> Result<Option<(Family, &str)>, String> {
    let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
    Ok(match name {
        "EXT-X-STREAM-INF" | "EXT-X-I-FRAME-STREAM-INF" | "EXT-X-MEDIA" => {
            attributes(name, value)?;
            Some((Family::Multivariant, tag))
        }
        "EXT-X-KEY" | "EXT-X-MAP" => {
            attributes(name, value)?;
            Some((Family::Media, tag))
        }
        // The title is of no use.
        "EXTINF" => Some((Family::Media, tag.split_inclusive(',').next().unwrap_or(tag))),
        "EXT-X-TARGETDURATION"
        | "EXT-X-BYTERANGE"
        | "EXT-X-DISCONTINUITY"
        | "EXT-X-ENDLIST"
        | "EXT-X-I-FRAMES-ONLY"
        | "EXT-X-GAP" => Some((Family::Media, tag)),
        "EXT-X-DEFINE" => return Err("expected URIs without variables, found EXT-X-DEFINE".to_owned()),
        "EXT-X-SKIP" => return Err("expected a whole playlist, found EXT-X-SKIP".to_owned()),
        _ => None,
    })
}

/// Checks that an attribute list is one (RFC 8216bis §4.2) and ends with its line.
fn attributes(tag: &str, list: &str) -> Result<(), String> {
    let mut rest = list;
    loop {
        let (name, value) = rest.split_once('=').unwrap_or(("", rest));
        let name = name.trim_start();
        if name.is_empty() || !name.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-')) {
            return Err(format!("expected {tag} with attributes, found none where one should be"));
        }
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map(|end| end + 2),
            None => Some(value.find(',').unwrap_or(value.len())),
        };
        let (value, after) = end.and_then(|end| value.split_at_checked(end)).unwrap_or(("", ""));
        if value.is_empty() {
            return Err(format!("expected a value of {name} in {tag}, found none"));
        }
        match (after.strip_prefix(','), after.is_empty()) {
            (Some(more), _) => rest = more,
            (None, true) => return Ok(()),
            (None, false) => return Err(format!("expected a comma after {name} in {tag}, found none")),
        }
    }
}

/// The largest playlist that is read.
pub const MAX_BYTES: usize = 8 << 20;
/// Four lines for each of the most segments.
const MAX_LINES: usize = 4 * super::MAX_SEGMENTS;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        sift("a", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn lines_that_matter_are_left_and_uris_keep_their_numbers() {
        let text =
            "#EXTM3U\r\n\r\n# a comment\n#EXT-X-DATERANGE:ID\n#EXTINF:4.0,a,b,c\nx.m4s?a=b\n#EXT-X-ENDLIST";
        let sifted = sift("a", text.as_bytes()).unwrap();
        assert_eq!(sifted.text, "#EXTM3U\n#EXTINF:4.0,\nx.m4s?a=b\n#EXT-X-ENDLIST\n");
        assert_eq!(sifted.uris, [("x.m4s?a=b".to_owned(), 6)]);
        assert!(!sifted.is_multivariant);
    }

    #[test]
    fn what_is_no_playlist_is_refused_with_its_line() {
        assert!(refusal("").contains("starts with #EXTM3U"));
        assert!(refusal("<html>").contains("starts with #EXTM3U"));
        let mixed = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:1,\nb\n";
        assert!(refusal(mixed).starts_with("a, line 4: "));
        assert!(refusal("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\"").starts_with("a, line 2: "));
        assert!(sift("a", b"#EXTM3U\n\xff").is_err());
    }

    #[test]
    fn an_attribute_list_ends_with_its_line() {
        for sound in ["A=1", "A=\"x,=y\",B-2=z", "A=\"\"", "A=1, B=2"] {
            assert_eq!(attributes("T", sound), Ok(()), "{sound}");
        }
        for broken in ["", "A", "A=", "A=,B=1", "A=1,", "A=\"x", "A=\"x\"y", "a=1", "=1"] {
            assert!(attributes("T", broken).is_err(), "{broken}");
        }
    }
}
