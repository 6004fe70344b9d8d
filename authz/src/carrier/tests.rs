use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn all() -> Carrier {
    Carrier::default()
        .with_bearer()
        .with_cookie("tok")
        .and_then(|carrier| carrier.with_query("token"))
        .unwrap()
}

fn headers(fields: Fields<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

type Fields<'a> = &'a [(&'static str, &'a str)];

/// Token, path and query after lifting, as texts.
type Texts = (Option<(Transport, String)>, String, Option<String>);

fn lift(carrier: &Carrier, target: &str, fields: Fields<'_>) -> Result<Texts, CarrierFault> {
    let headers = headers(fields);
    let lifted = carrier.lift(target, &headers)?;
    let token = lifted.transport.zip(lifted.token.map(str::to_owned));
    Ok((token, lifted.path.to_string(), lifted.query.map(Cow::into_owned)))
}

#[test]
fn the_path_prefix_is_lifted_and_the_rest_is_the_path() {
    let lifted = lift(&Carrier::default(), "/t/v1.k.c.m/vod/a/1.m4s?_HLS_msn=3", &[]).unwrap();
    assert_eq!(
        lifted,
        (Some((Transport::Path, "v1.k.c.m".into())), "/vod/a/1.m4s".into(), Some("_HLS_msn=3".into()))
    );
    let plain = lift(&Carrier::default(), "/vod/a/1.m4s", &[]).unwrap();
    assert_eq!(plain, (None, "/vod/a/1.m4s".into(), None));
    let root = lift(&Carrier::default(), "/t/x/", &[]).unwrap();
    assert_eq!(root, (Some((Transport::Path, "x".into())), "/".into(), None));
}

#[test]
fn nothing_is_copied_of_a_plain_request() {
    let headers = HeaderMap::new();
    let carrier = Carrier::default();
    let lifted = carrier.lift("/t/x/vod/a?b=c", &headers).unwrap();
    assert!(matches!(lifted.query, Some(Cow::Borrowed("b=c"))));
}

#[test]
fn each_transport_carries_a_token_when_it_is_on() {
    for (target, fields, transport) in [
        ("/t/x/vod/a", vec![], Transport::Path),
        ("/vod/a", vec![("authorization", "Bearer x")], Transport::Header),
        ("/vod/a", vec![("authorization", "bEARER  x ")], Transport::Header),
        ("/vod/a", vec![("cookie", "a=b; tok=x; c=d")], Transport::Cookie),
        ("/vod/a", vec![("cookie", "a=b"), ("cookie", "tok=x")], Transport::Cookie),
        ("/vod/a?token=x", vec![], Transport::Query),
    ] {
        let lifted = lift(&all(), target, &fields).unwrap();
        assert_eq!(lifted, (Some((transport, "x".into())), "/vod/a".into(), None), "{target} {fields:?}");
    }
}

#[test]
fn a_transport_that_is_off_is_not_looked_at() {
    let fields = [("authorization", "Bearer x"), ("authorization", "Bearer y"), ("cookie", "tok=x; tok=y")];
    let lifted = lift(&Carrier::default(), "/vod/a?token=x&token=y", &fields).unwrap();
    assert_eq!(lifted, (None, "/vod/a".into(), Some("token=x&token=y".into())));
    let lifted = lift(&Carrier::none(), "/t/x/vod/a", &fields).unwrap();
    assert_eq!(lifted, (None, "/t/x/vod/a".into(), None));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    use CarrierFault::{
        BadHeader, Conflict, Duplicate, EmptyToken, EncodedName, Fragment, HiddenPrefix, NoPath,
    };
    let cases: [(&str, &str, Fields<'_>, CarrierFault); 27] = [
        ("116 query and cookie differ", "/a?token=x", &[("cookie", "tok=y")], Conflict),
        ("path and query differ", "/t/x/a?token=y", &[], Conflict),
        ("path and header differ", "/t/x/a", &[("authorization", "Bearer y")], Conflict),
        ("one of three differs", "/t/x/a?token=x", &[("cookie", "tok=X")], Conflict),
        ("117 two parameters", "/a?token=x&token=y", &[], Duplicate),
        ("117 two equal parameters", "/a?token=x&b=c&token=x", &[], Duplicate),
        ("118 empty parameter", "/a?token=", &[("cookie", "tok=x")], Conflict),
        ("118 empty parameter alone", "/a?token=", &[], EmptyToken),
        ("parameter without value", "/a?token", &[], EmptyToken),
        ("119 two cookies", "/a", &[("cookie", "tok=x; tok=y")], Duplicate),
        ("119 two equal cookies", "/a", &[("cookie", "tok=x; tok=x")], Duplicate),
        ("119 two cookie fields", "/a", &[("cookie", "tok=x"), ("cookie", "tok=x")], Duplicate),
        ("empty cookie", "/a", &[("cookie", "tok=")], EmptyToken),
        ("121 joined headers", "/a", &[("authorization", "Bearer x, Bearer y")], BadHeader),
        ("121 two headers", "/a", &[("authorization", "Bearer x"), ("authorization", "Bearer x")], Duplicate),
        ("two schemes", "/a", &[("authorization", "Basic x"), ("authorization", "Bearer x")], Duplicate),
        ("header without token", "/a", &[("authorization", "Bearer")], EmptyToken),
        ("header with spaces for a token", "/a", &[("authorization", "Bearer   ")], EmptyToken),
        ("header with a quoted token", "/a", &[("authorization", "Bearer \"x\"")], BadHeader),
        ("nothing behind the token", "/t/x", &[], NoPath),
        ("nothing behind the prefix", "/t/", &[], NoPath),
        ("empty token in the path", "/t//a", &[], EmptyToken),
        ("a second prefix", "/t/x/t/y/a", &[], HiddenPrefix),
        ("the prefix in another spelling", "/%74/x/a", &[], HiddenPrefix),
        ("the prefix alone", "/t", &[], HiddenPrefix),
        ("parameter in another spelling", "/a?%74oken=x", &[], EncodedName),
        ("fragment in the query", "/a?token=x#b", &[], Fragment),
    ];
    for (name, target, fields, fault) in cases {
        assert_eq!(lift(&all(), target, fields).unwrap_err(), fault, "{name}");
    }
}

#[test]
fn names_that_only_resemble_the_token_are_left_alone() {
    for target in [
        "/a?tokens=x",
        "/a?Token=x",
        "/a?xtoken=x",
        "/a?b=token=x",
        "/a?%2574oken=x",
        "/a?b;token=x",
        "/a?%zz=x",
    ] {
        let (token, _, query) = lift(&all(), target, &[]).unwrap();
        assert_eq!(
            (token, query.as_deref()),
            (None, target.split_once('?').map(|(_, query)| query)),
            "{target}"
        );
    }
    for cookie in ["token=x", "tok2=x", "Tok=x", "a=tok=x", "tok =x", "tok"] {
        assert_eq!(lift(&all(), "/a", &[("cookie", cookie)]).unwrap().0, None, "{cookie}");
    }
    for target in ["/tx/x/a", "/T/x/a", "/a/t/x"] {
        assert_eq!(lift(&all(), target, &[]).unwrap().0, None, "{target}");
    }
    assert_eq!(lift(&all(), "/a", &[("authorization", "Basic dTpw")]).unwrap().0, None);
    assert_eq!(lift(&all(), "/a", &[("authorization", "Bearerx y")]).unwrap().0, None);
}

#[test]
fn equal_tokens_in_several_places_are_one() {
    let fields = [("authorization", "Bearer x"), ("cookie", "tok=x")];
    let lifted = lift(&all(), "/t/x/a?token=x", &fields).unwrap();
    assert_eq!(lifted, (Some((Transport::Path, "x".into())), "/a".into(), None));
}

#[test]
fn the_token_leaves_the_query_and_nothing_else_does() {
    for (query, rest) in [
        ("token=x", None),
        ("token=x&_HLS_msn=3", Some("_HLS_msn=3")),
        ("_HLS_msn=3&token=x", Some("_HLS_msn=3")),
        ("a=1&token=x&&b=%20&c", Some("a=1&&b=%20&c")),
        ("", Some("")),
        ("a", Some("a")),
    ] {
        let lifted = lift(&all(), &format!("/a?{query}"), &[]).unwrap();
        assert_eq!(lifted.2.as_deref(), rest, "{query}");
    }
}

#[test]
fn the_path_behind_the_token_is_held_to_the_one_spelling() {
    for (target, fault) in [
        ("/t/x/../vod/b", PathFault::DotSegment),
        ("/t/x/vod/%2e%2e/b", PathFault::DotSegment),
        ("/t/x//vod/b", PathFault::EmptySegment),
        ("/t/x/vod/..%2fb", PathFault::EncodedSlash),
        ("/t/../vod/b", PathFault::DotSegment),
        ("/t/./vod/b", PathFault::DotSegment),
        ("/t/%2e./vod/b", PathFault::DotSegment),
        ("/t/%2E%2e/vod/b", PathFault::DotSegment),
        ("http://other.example/t/x/vod", PathFault::NotAbsolute),
        ("*", PathFault::NotAbsolute),
        ("", PathFault::NotAbsolute),
        ("?token=x", PathFault::NotAbsolute),
        ("/a#b?token=x", PathFault::Delimiter),
    ] {
        assert_eq!(lift(&all(), target, &[]).unwrap_err(), CarrierFault::Path(fault), "{target}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = |length: usize| "a".repeat(length);
    let query = |length: usize| lift(&all(), &format!("/a?{}", long(length)), &[]).err();
    assert_eq!((query(8192), query(8193)), (None, Some(CarrierFault::TooLong)));
    let cookie = |length: usize| lift(&all(), "/a", &[("cookie", &long(length))]).err();
    assert_eq!((cookie(16_384), cookie(16_385)), (None, Some(CarrierFault::TooLong)));
    assert_eq!(cookie(65_536), Some(CarrierFault::TooLong));
    let path = lift(&all(), &format!("/t/x/{}", long(8192)), &[]).unwrap_err();
    assert_eq!(path, CarrierFault::Path(PathFault::TooLong));
}

#[test]
fn cookies_of_other_applications_may_hold_anything() {
    let mut map = HeaderMap::new();
    map.append(COOKIE, HeaderValue::from_bytes(b"other=\xff\xfe; tok=x; ;;=; more=\"a;b\"").unwrap());
    assert_eq!(all().lift("/a", &map).unwrap().token, Some("x"));
    let mut map = HeaderMap::new();
    map.append(COOKIE, HeaderValue::from_bytes(b"tok=\xff").unwrap());
    assert_eq!(all().lift("/a", &map).unwrap_err(), CarrierFault::BadHeader);
}

#[test]
fn debug_shows_neither_token_nor_query() {
    let map = HeaderMap::new();
    let lifted = format!("{:?}", all().lift("/t/secret/vod?query=hidden", &map).unwrap());
    assert!(lifted.contains("/vod") && !lifted.contains("secret") && !lifted.contains("hidden"), "{lifted}");
}

#[test]
fn names_are_plain() {
    for bad in ["", "a b", "a/b", "a=b", "a;b", "a%b", "é", &"a".repeat(33)] {
        assert!(Carrier::none().with_path(bad).is_err(), "{bad}");
        assert!(Carrier::none().with_cookie(bad).is_err(), "{bad}");
        assert!(Carrier::none().with_query(bad).is_err(), "{bad}");
    }
    assert!(Carrier::none().with_cookie("__Secure-forebay").is_ok());
}

proptest! {
    #[test]
    fn a_url_that_was_made_is_lifted_again(raw in "(/[a-zé 0-9*+=-]{0,8}[a-z]){1,5}/?") {
        let carrier = Carrier::default().with_path("tok").unwrap();
        let encoded = raw.replace(' ', "%20");
        let path = CanonicalPath::parse(encoded.as_bytes()).unwrap();
        let key = crate::Key::generate(crate::KeyId::parse("k").unwrap(), [1; 32]);
        let scope = crate::Scope::new(crate::Verb::Play, vec![crate::ResourceGlob::parse("/**").unwrap()]).unwrap();
        let token = crate::mint(&crate::Claims::new(crate::UnixSeconds(9), scope).unwrap(), &key).unwrap();
        let url = carrier.url_path(&token, &path).unwrap();
        prop_assert!(url.parse::<http::Uri>().is_ok());
        let headers = HeaderMap::new();
        let lifted = carrier.lift(&url, &headers).unwrap();
        prop_assert_eq!((lifted.token, &lifted.path), (Some(token.as_str()), &path));
    }

    #[test]
    fn any_request_is_answered(text in "(/t/[a-z./%]{0,6}|/%74)?(/[a-z%.0-9;]{0,6}){0,3}(\\?[a-z=&%0-9 ;]{0,30})?(\n(a:Bearer |c:)[a-z=; ,]{0,20}){0,3}") {
        crate::fuzzing::carrier(text.as_bytes());
    }
}
