//! Conditional and range requests, decided on the entity tag and the length alone, before a byte is read.

use http::header::{ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, Method};
use packager::range::ByteRange;

use crate::text::Coding;

/// What a request's preconditions and `Range` come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 412: the client wants another content than there is.
    Failed,
    /// 304: the client has it.
    NotModified,
    /// 200: all of it.
    Whole,
    /// 206: this part of it.
    Part(ByteRange),
    /// 416: a part that lies beyond the end.
    Unsatisfiable,
}

/// Decides what to send of something `len` bytes long with the strong tag `tag` (RFC 9110 §13.2.2, §14).
pub(super) fn decide(method: &Method, headers: &HeaderMap, tag: &str, len: u64) -> Wanted {
    let mut wanted = headers.get_all(IF_MATCH).iter().map(|value| value.as_bytes()).peekable();
    if wanted.peek().is_some() && !wanted.any(|value| names(value, tag)) {
        return Wanted::Failed;
    }
    if headers.get_all(IF_NONE_MATCH).iter().any(|value| matches(value.as_bytes(), tag)) {
        return Wanted::NotModified;
    }
    // Range is defined for GET alone (§14.2); If-Range needs the strong comparison (§13.1.5).
    if *method != Method::GET || headers.get(IF_RANGE).is_some_and(|value| value.as_bytes() != tag.as_bytes())
    {
        return Wanted::Whole;
    }
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next().and_then(|value| value.to_str().ok()), ranges.next()) {
        (Some(value), None) => range(value, len),
        _ => Wanted::Whole,
    }
}

/// A `Range` of one byte range. Several ranges and what cannot be parsed are ignored, as a server may (§14.2): a
/// segment is small, and a client that asks for pieces of it out of order gains nothing.
fn range(value: &str, len: u64) -> Wanted {
    let Some(spec) = value.trim().strip_prefix("bytes=") else { return Wanted::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        // The last n bytes; of none of them there is nothing to send.
        (None, Some(n)) if first.is_empty() => match n.min(len) {
            0 => Wanted::Unsatisfiable,
            n => Wanted::Part(ByteRange::new(len - n, len)),
        },
        (Some(start), None) if last.is_empty() => part(start, len, len),
        (Some(start), Some(end)) if start <= end => part(start, end.saturating_add(1).min(len), len),
        _ => Wanted::Whole,
    }
}

fn part(start: u64, end: u64, len: u64) -> Wanted {
    if start < len { Wanted::Part(ByteRange::new(start, end)) } else { Wanted::Unsatisfiable }
}

/// Digits alone; more of them than fit are the largest number.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The strong comparison of `If-Match` (§13.1.1).
fn names(list: &[u8], tag: &str) -> bool {
    std::str::from_utf8(list)
        .is_ok_and(|list| list.split(',').map(str::trim).any(|one| one == "*" || one == tag))
}

/// The weak comparison of `If-None-Match` (§13.1.2).
fn matches(list: &[u8], tag: &str) -> bool {
    let Ok(list) = std::str::from_utf8(list) else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The coding a client takes: gzip where it names it, or `*`, with a weight above zero (§12.5.3).
pub(super) fn coding(headers: &HeaderMap) -> Coding {
    let mut any = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused =
                parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty()));
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                return if refused { Coding::Identity } else { Coding::Gzip };
            }
            if name == "*" {
                any = Some(!refused);
            }
        }
    }
    if any == Some(true) { Coding::Gzip } else { Coding::Identity }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn decided(pairs: &[(http::HeaderName, &str)]) -> Wanted {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        decide(&Method::GET, &headers, TAG, 1000)
    }

    fn of(start: u64, end: u64) -> Wanted {
        Wanted::Part(ByteRange::new(start, end))
    }

    #[test]
    fn one_range_is_cut_to_the_length() {
        for (value, wanted) in [
            ("bytes=0-0", of(0, 1)),
            ("bytes=0-", of(0, 1000)),
            ("bytes=999-", of(999, 1000)),
            ("bytes=500-99999", of(500, 1000)),
            ("bytes=0-99999999999999999999999999", of(0, 1000)),
            ("bytes=-1", of(999, 1000)),
            ("bytes=-5000", of(0, 1000)),
            ("bytes=1000-", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
        ] {
            assert_eq!(decided(&[(RANGE, value)]), wanted, "{value}");
        }
    }

    #[test]
    fn nonsense_and_several_ranges_are_ignored() {
        for value in [
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,5-6",
            "items=0-1",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=--1",
        ] {
            assert_eq!(decided(&[(RANGE, value)]), Wanted::Whole, "{value}");
        }
        assert_eq!(decided(&[(RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")]), Wanted::Whole);
    }

    #[test]
    fn a_known_tag_is_not_sent_again() {
        for value in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(
                decided(&[(IF_NONE_MATCH, value), (RANGE, "bytes=0-1")]),
                Wanted::NotModified,
                "{value}"
            );
        }
        assert_eq!(decided(&[(IF_NONE_MATCH, "\"abd\"")]), Wanted::Whole);
    }

    #[test]
    fn a_client_that_wants_another_content_is_told() {
        for value in ["\"old\"", "W/\"abc\"", "\"a\", \"b\""] {
            assert_eq!(decided(&[(IF_MATCH, value)]), Wanted::Failed, "{value}");
        }
        for value in ["*", "\"abc\"", "\"x\", \"abc\""] {
            assert_eq!(decided(&[(IF_MATCH, value)]), Wanted::Whole, "{value}");
        }
        assert_eq!(decided(&[(IF_MATCH, "\"old\""), (IF_MATCH, TAG)]), Wanted::Whole);
    }

    #[test]
    fn a_range_of_another_content_is_the_whole() {
        assert_eq!(decided(&[(IF_RANGE, TAG), (RANGE, "bytes=0-1")]), of(0, 2));
        for value in ["\"old\"", "W/\"abc\"", "Sun, 22 Nov 2026 18:00:00 GMT"] {
            assert_eq!(decided(&[(IF_RANGE, value), (RANGE, "bytes=0-1")]), Wanted::Whole, "{value}");
        }
    }

    #[test]
    fn a_client_that_refuses_gzip_does_not_get_it() {
        for (value, wanted) in [
            ("gzip", Coding::Gzip),
            ("br, GZIP;q=0.5", Coding::Gzip),
            ("*", Coding::Gzip),
            ("gzip;q=0", Coding::Identity),
            ("gzip;q=0.000, *", Coding::Identity),
            ("identity", Coding::Identity),
            ("", Coding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
            assert_eq!(coding(&headers), wanted, "{value}");
        }
    }
}
