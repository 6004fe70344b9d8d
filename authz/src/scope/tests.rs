use proptest::prelude::*;

use super::*;

fn covers(glob: &str, path: &str) -> bool {
    ResourceGlob::parse(glob).expect(glob).covers(&CanonicalPath::parse(path.as_bytes()).expect(path))
}

#[test]
fn patterns_cover_exactly_what_they_say() {
    for (glob, path, expected) in [
        ("/live/ev1/**", "/live/ev1/a/b.m4s", true),
        ("/live/ev1/**", "/live/ev1/", true),
        ("/live/ev1/**", "/live/ev1", false),
        ("/live/ev1/**", "/live/ev10/a", false),
        ("/live/ev1/**", "/live/EV1/a", false),
        ("/live/ev1*", "/live/ev10", true),
        ("/live/ev1*", "/live/ev1/a", false),
        ("/live/*/main.m3u8", "/live/ev1/main.m3u8", true),
        ("/live/*/main.m3u8", "/live/ev1/x/main.m3u8", false),
        ("/live/*", "/live/", false),
        ("/live/*", "/live", false),
        ("/live/", "/live/", true),
        ("/live/", "/live", false),
        ("/live", "/live", true),
        ("/live", "/live/", false),
        ("/", "/", true),
        ("/", "/a", false),
        ("/**", "/", true),
        ("/**", "/a/b/c", true),
        ("/vod/**/init.mp4", "/vod/init.mp4", true),
        ("/vod/**/init.mp4", "/vod/a/b/init.mp4", true),
        ("/vod/**/init.mp4", "/vod/a/b/init.mp4x", false),
        ("/vod/**/a/**/b", "/vod/a/x/a/y/b", true),
        ("/vod/**/a/**/b", "/vod/x/b/a", false),
        ("/vod/a/**/**", "/vod/a", false),
        ("/vod/a/**/**", "/vod/a/b", true),
        ("/vod/*.m4s", "/vod/42.m4s", true),
        ("/vod/*.m4s", "/vod/.m4s", true),
        ("/vod/*.m4s", "/vod/42.m4sx", false),
        ("/vod/seg-*-*.m4s", "/vod/seg-1-2.m4s", true),
        ("/vod/seg-*-*.m4s", "/vod/seg-12.m4s", false),
        ("/vod/a*a", "/vod/a", false),
        ("/vod/a*a", "/vod/aa", true),
        ("/vod/*a*b*", "/vod/xbxaxbx", true),
        ("/vod/*a*b*", "/vod/bbba", false),
        ("/vod/*ab*b", "/vod/ab", false),
        ("/vod/[a]", "/vod/a", false),
        ("/vod/[a]", "/vod/[a]", true),
    ] {
        assert_eq!(covers(glob, path), expected, "{glob} on {path}");
    }
}

#[test]
fn a_query_or_a_traversal_cannot_reach_a_pattern() {
    let glob = ResourceGlob::parse("/live/ev1/**").unwrap();
    for raw in
        ["/live/ev1/../ev2/a", "/live/ev1/%2e%2e/ev2/a", "/live/ev2/a?/live/ev1/", "/live/ev1/..%2fev2"]
    {
        let admitted = CanonicalPath::parse(raw.as_bytes()).is_ok_and(|path| glob.covers(&path));
        assert!(!admitted, "{raw}");
    }
}

#[test]
fn patterns_that_could_never_match_are_refused() {
    for (glob, fault) in [
        ("", GlobFault::Path(PathFault::NotAbsolute)),
        ("**", GlobFault::Path(PathFault::NotAbsolute)),
        ("vod/**", GlobFault::Path(PathFault::NotAbsolute)),
        ("/vod//**", GlobFault::Path(PathFault::EmptySegment)),
        ("/vod/../**", GlobFault::Path(PathFault::DotSegment)),
        ("/vod/a?", GlobFault::Path(PathFault::Delimiter)),
        ("/vod/%61", GlobFault::Path(PathFault::DoubleEncoding)),
        ("/vod/a\\b", GlobFault::Path(PathFault::Backslash)),
        ("/vod/a.", GlobFault::Path(PathFault::TrailingDotOrSpace)),
        ("/vod/a**", GlobFault::DoubleStar),
        ("/vod/***", GlobFault::DoubleStar),
    ] {
        assert_eq!(ResourceGlob::parse(glob), Err(Error::Glob { fault }), "{glob}");
    }
    let long = format!("/{}", "a".repeat(ResourceGlob::MAX_LEN));
    assert_eq!(ResourceGlob::parse(&long), Err(Error::Glob { fault: GlobFault::TooLong }));
    let deep = "/a".repeat(ResourceGlob::MAX_SEGMENTS + 1);
    assert_eq!(ResourceGlob::parse(&deep), Err(Error::Glob { fault: GlobFault::TooManySegments }));
}

#[test]
fn a_scope_for_nothing_is_refused() {
    let everything = vec![ResourceGlob::parse("/**").unwrap()];
    assert!(Scope::new(VerbSet::default(), everything.clone()).is_err());
    assert!(Scope::new(Verb::Play, Vec::new()).is_err());
    assert!(Scope::new(Verb::Play, vec![everything[0].clone(); 33]).is_err());
    assert!(Scope::new(Verb::Play, vec![everything[0].clone(); 32]).is_ok());
}

#[test]
fn a_scope_allows_its_verbs_on_its_resources_only() {
    let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse("/vod/a/**").unwrap()]).unwrap();
    let path = |raw: &'static str| CanonicalPath::parse(raw.as_bytes()).unwrap();
    assert!(scope.allows(Verb::Play, &path("/vod/a/b")));
    assert!(!scope.allows(Verb::Play, &path("/vod/b/b")));
    assert!(!scope.allows(Verb::Publish, &path("/vod/a/b")));
}

/// The definition of a pattern, written without any care for its cost.
fn by_definition(pattern: &[&str], path: &[&str]) -> bool {
    fn segment(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| segment(rest, &text[skip..])),
            Some((byte, rest)) => text.first() == Some(byte) && segment(rest, &text[1..]),
        }
    }
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", [])) => !path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|skip| by_definition(rest, &path[skip..])),
        Some((&"*", rest)) => {
            path.first().is_some_and(|first| !first.is_empty()) && by_definition(rest, &path[1..])
        }
        Some((first, rest)) => {
            path.first().is_some_and(|text| segment(first.as_bytes(), text.as_bytes()))
                && by_definition(rest, &path[1..])
        }
    }
}

/// As [`by_definition`], on whole texts.
fn defined(glob: &str, path: &str) -> bool {
    by_definition(&path::segments(glob).collect::<Vec<_>>(), &path::segments(path).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn matching_agrees_with_the_definition(glob in "(/(\\*\\*|[ab*]{1,4})){1,5}", path in "(/[ab]{1,4}){1,6}/?") {
        if let Ok(parsed) = ResourceGlob::parse(&glob) {
            let canonical = CanonicalPath::parse(path.as_bytes()).unwrap();
            prop_assert_eq!(parsed.covers(&canonical), defined(&glob, &path), "{} on {}", glob, path);
        }
    }

    #[test]
    fn parsing_the_printed_pattern_gives_it_back(glob in "(/(\\*\\*|[a-c*é.-]{1,6})){1,5}/?") {
        if let Ok(parsed) = ResourceGlob::parse(&glob) {
            prop_assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }
}

#[test]
fn hostile_patterns_on_the_longest_path_do_not_blow_up() {
    let path = "/a".repeat(CanonicalPath::MAX_RAW / 2);
    let stars = format!("{}/b", "/**/a".repeat(15));
    assert!(!covers(&stars, &path));
    let segment = format!("/{}", "a".repeat(CanonicalPath::MAX_RAW - 1));
    let pieces = format!("/{}b", "*a".repeat(250));
    assert!(!covers(&pieces, &segment));
    let mixed = format!("{}/b", "/**/*a*a*a*a*".repeat(15));
    assert!(!covers(&mixed, &path));
}
