use proptest::prelude::*;

use super::*;

fn refused(raw: &str) -> PathFault {
    CanonicalPath::parse(raw.as_bytes()).expect_err(raw)
}

fn accepted(raw: &str) -> String {
    CanonicalPath::parse(raw.as_bytes()).expect(raw).as_str().to_owned()
}

#[test]
fn a_path_without_escapes_is_borrowed() {
    let raw = b"/vod/show/7/video-720/42.m4s";
    let path = CanonicalPath::parse(raw).unwrap();
    assert!(matches!(path.0, Cow::Borrowed(_)));
    assert_eq!(path.segments().collect::<Vec<_>>(), ["vod", "show", "7", "video-720", "42.m4s"]);
}

#[test]
fn an_escape_is_decoded_once_and_names_the_same_path() {
    assert_eq!(accepted("/vod/%65v1/a"), "/vod/ev1/a");
    assert_eq!(accepted("/vod/%C3%A9t%c3%a9"), "/vod/été");
    assert_eq!(accepted("/vod/a%20b+c"), "/vod/a b+c");
    assert_eq!(accepted("/vod/%7Eme/%2a"), "/vod/~me/*");
}

#[test]
fn case_matters() {
    assert_ne!(accepted("/vod/Ev1"), accepted("/vod/ev1"));
}

#[test]
fn root_and_a_trailing_slash_are_paths_of_their_own() {
    let segments = |raw: &'static str| {
        CanonicalPath::parse(raw.as_bytes()).unwrap().segments().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(segments("/"), [""]);
    assert_eq!(segments("/demo/"), ["demo", ""]);
    assert_eq!(segments("/demo"), ["demo"]);
}

#[test]
fn dot_segments_are_refused_in_every_spelling() {
    for raw in [
        "/live/ev1/../ev2/a",
        "/live/ev1/%2e%2e/ev2/a",
        "/live/ev1/.%2e/ev2",
        "/live/ev1/%2E./ev2",
        "/..",
        "/%2e%2e",
        "/.",
        "/a/.",
        "/a/./b",
        "/a/%2e/b",
        "/../",
        "/a/..",
    ] {
        assert_eq!(refused(raw), PathFault::DotSegment, "{raw}");
    }
}

#[test]
fn separators_that_only_some_see_are_refused() {
    for (raw, fault) in [
        ("/live/..%2fev2/a", PathFault::EncodedSlash),
        ("/live/..%2Fev2/a", PathFault::EncodedSlash),
        ("/live%2fev2", PathFault::EncodedSlash),
        ("/live/ev1\\..\\ev2", PathFault::Backslash),
        ("/live/ev1%5c..%5Cev2", PathFault::Backslash),
        ("//", PathFault::EmptySegment),
        ("//live/ev1", PathFault::EmptySegment),
        ("/live//ev1", PathFault::EmptySegment),
        ("/live/ev1//", PathFault::EmptySegment),
        ("/live/ev1;x=y/a", PathFault::Semicolon),
        ("/live/..;/ev2", PathFault::Semicolon),
        ("/live/%3bx", PathFault::Semicolon),
        ("/a?b", PathFault::Delimiter),
        ("/a%3fb", PathFault::Delimiter),
        ("/a#b", PathFault::Delimiter),
        ("/a%23b", PathFault::Delimiter),
    ] {
        assert_eq!(refused(raw), fault, "{raw}");
    }
}

#[test]
fn encodings_that_hide_something_are_refused() {
    for (raw, fault) in [
        ("/live/%252e%252e/a", PathFault::DoubleEncoding),
        ("/live/%25", PathFault::DoubleEncoding),
        ("/live/%", PathFault::BadEscape),
        ("/live/%4", PathFault::BadEscape),
        ("/live/%zz", PathFault::BadEscape),
        ("/live/%+1", PathFault::BadEscape),
        ("/live/%u002e", PathFault::BadEscape),
        ("/live/%c0%ae%c0%ae/a", PathFault::NotUtf8),
        ("/live/%e0%80%ae/a", PathFault::NotUtf8),
        ("/live/%c0%af", PathFault::NotUtf8),
        ("/live/%ff", PathFault::NotUtf8),
        ("/live/%ed%a0%80", PathFault::NotUtf8),
        ("/live/%ef%bc%8e%ef%bc%8e/a", PathFault::LookAlike),
        ("/live/．．/a", PathFault::LookAlike),
        ("/live／ev2", PathFault::LookAlike),
        ("/live＼ev2", PathFault::LookAlike),
        ("/live/％2e", PathFault::LookAlike),
        ("/live/\u{2025}/a", PathFault::LookAlike),
        ("/live/a\u{37e}b", PathFault::LookAlike),
    ] {
        assert_eq!(refused(raw), fault, "{raw}");
    }
}

#[test]
fn control_and_invisible_characters_are_refused() {
    for raw in [
        "/live/a%00b",
        "/live/a%00",
        "/live/a\tb",
        "/live/a\nb",
        "/live/a\rb",
        "/live/%0d%0aX: y",
        "/live/%7f",
        "/live/%c2%85",
        "/live/a%e2%80%8bb",
        "/live/\u{202e}a",
        "/live/\u{feff}a",
        "/live/\u{2028}a",
    ] {
        assert_eq!(refused(raw), PathFault::Control, "{raw}");
    }
}

#[test]
fn endings_that_file_systems_drop_are_refused() {
    for raw in [
        "/live/ev1./a",
        "/live/ev1%20/a",
        "/live/ev1 ",
        "/live/ev1%2e",
        "/live/...",
        "/live/ev1\u{a0}/a",
        "/live/ev1\u{3000}",
    ] {
        assert_eq!(refused(raw), PathFault::TrailingDotOrSpace, "{raw}");
    }
    assert_eq!(accepted("/.well-known/a.b"), "/.well-known/a.b");
}

#[test]
fn what_is_not_origin_form_is_refused() {
    for raw in ["", "*", "vod/a", "http://other.example/vod/a", "%2fvod"] {
        let fault = refused(raw);
        assert!(matches!(fault, PathFault::NotAbsolute | PathFault::EncodedSlash), "{raw}: {fault}");
    }
}

#[test]
fn the_longest_path_is_8192_bytes_before_decoding() {
    let longest = format!("/{}", "a".repeat(CanonicalPath::MAX_RAW - 1));
    assert_eq!(accepted(&longest), longest);
    assert_eq!(refused(&format!("{longest}a")), PathFault::TooLong);
    assert_eq!(refused(&format!("/{}", "%61".repeat(2731))), PathFault::TooLong);
}

proptest! {
    #[test]
    fn parsing_the_printed_form_gives_the_same_path(raw in "(/([a-z.%0-9 é～*+=]|%[2-7][0-9a-f]){0,12}){1,5}") {
        if let Ok(path) = CanonicalPath::parse(raw.as_bytes()) {
            let printed = path.encoded().into_owned();
            prop_assert!(printed.is_ascii());
            prop_assert_eq!(CanonicalPath::parse(printed.as_bytes()), Ok(path));
        }
    }

    #[test]
    fn the_quick_look_agrees_with_the_whole_check(text in "/?([a. /~%;?#\\\\é\t\u{7f}]|[ -~]{2}){0,8}") {
        let whole = text.starts_with('/')
            && text.chars().all(|c| check_character(c).is_ok())
            && !text[1..].contains("//") && !text.starts_with("//")
            && text.split('/').all(|segment| !segment.ends_with(['.', ' ']));
        prop_assert_eq!(check(&text).is_ok(), whole);
    }

    #[test]
    fn any_bytes_are_answered_and_an_accepted_path_is_clean(raw in prop::collection::vec(any::<u8>(), 0..64)) {
        crate::fuzzing::path(&raw);
        let mut rooted = vec![b'/'];
        rooted.extend(raw);
        crate::fuzzing::path(&rooted);
    }

    #[test]
    fn an_unescaped_path_is_what_a_naive_split_sees(raw in "(/[a-zA-Z0-9_-]{1,8}){1,6}") {
        let path = CanonicalPath::parse(raw.as_bytes()).unwrap();
        let naive: Vec<&str> = raw.split('/').skip(1).collect();
        prop_assert_eq!(path.segments().collect::<Vec<_>>(), naive);
    }
}
