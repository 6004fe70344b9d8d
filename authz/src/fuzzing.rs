//! What must hold for any input whatever, as plain functions: a fuzzer calls them, and a test runs them over
//! a corpus.
//!
//! Each panics when a promise is broken. They are no part of the API.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};

use crate::scheme::native::claims::{self, View};
use crate::{
    CanonicalPath, Carrier, Denial, Family, Gate, Key, KeyId, KeySet, KeyState, Policy, UnixSeconds, Verb,
    inspect, mint,
};

/// A token, or claims in CBOR: what is read is printed to the same bytes, and only what the key has signed is
/// admitted.
pub fn token(data: &[u8]) {
    let Ok(id) = KeyId::parse("fuzz") else { return };
    let key = Key::generate(id, *b"a key that everybody may know!!!");
    if let Ok(claims) = View::decode(data).and_then(|view| view.to_claims()) {
        assert_eq!(claims::encode(&claims), data, "claims have one form");
        // Whoever holds the key may say what the limits of a token allow, and it is read as it was meant.
        if let Ok(token) = mint(&claims, &key) {
            let inspected = inspect(token.as_str());
            assert_eq!(
                inspected.as_ref().map(|read| read.claims()),
                Ok(&claims),
                "a token says what was signed"
            );
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_genuine = inspect(text)
        .is_ok_and(|read| mint(read.claims(), &key).is_ok_and(|genuine| genuine.as_str() == text));
    let Some(gate) = gate(key) else { return };
    let examined = gate.examine(text, UnixSeconds(0));
    let is_trusted = match examined {
        Err(Denial::Malformed | Denial::UnknownKey | Denial::BadSignature | Denial::BadClaims) => false,
        Ok(_) | Err(_) => true,
    };
    assert_eq!(is_trusted, is_genuine, "only what the key signs is trusted");
}

/// A raw path: an accepted one is clean, and the same after printing and parsing it again.
pub fn path(data: &[u8]) {
    let Ok(path) = CanonicalPath::parse(data) else { return };
    assert_clean(&path);
    assert_eq!(
        CanonicalPath::parse(path.encoded().as_bytes()).as_ref(),
        Ok(&path),
        "a printed path is read back"
    );
    if !data.contains(&b'%') {
        assert_eq!(path.as_str().as_bytes(), data, "what is not encoded is not changed");
    }
}

/// A key file: an accepted one is the same after printing and parsing it again.
pub fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(keys) = KeySet::parse(text) else { return };
    let printed = keys.to_json();
    let Ok(again) = KeySet::parse(&printed) else {
        return assert!(keys.iter().count() == 0, "a printed set is read back");
    };
    assert_eq!(*again.to_json(), *printed, "a set has one printed form");
    let parts = |keys: &KeySet| {
        keys.iter().map(|key| (key.id().clone(), key.state(), key.secret().to_vec())).collect::<Vec<_>>()
    };
    assert!(parts(&keys) == parts(&again), "printing loses nothing");
    assert!(keys.signer().is_none_or(|key| key.state() == KeyState::Active), "only an active key signs");
}

/// A request: the first line is the target, `a:` and `c:` lines are `Authorization` and `Cookie` fields. All
/// transports are on.
pub fn carrier(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let target = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let Ok(value) = HeaderValue::from_str(value) else { continue };
        headers.append(if name == "a" { AUTHORIZATION } else { COOKIE }, value);
    }
    let Ok(carrier) =
        Carrier::default().with_bearer().with_cookie("token").and_then(|carrier| carrier.with_query("token"))
    else {
        return;
    };
    let Ok(lifted) = carrier.lift(target, &headers) else { return };
    assert_clean(&lifted.path);
    assert_ne!(lifted.path.segments().next(), Some("t"), "no token prefix is left in the path");
    assert_eq!(lifted.token.is_some(), lifted.transport.is_some(), "a token comes from somewhere");
    if let Some(token) = lifted.token {
        assert!(!token.is_empty() && text.contains(token), "a token is a part of the request");
    }
    if let Some(query) = &lifted.query {
        let is_token = |parameter: &str| parameter.split('=').next() == Some("token");
        assert!(!query.split('&').any(is_token), "no token is left in the query");
    }
    // What is left of the request has nothing more to lift, and is not changed by looking.
    let rest = format!(
        "{}{}",
        lifted.path.encoded(),
        lifted.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default()
    );
    let empty = HeaderMap::new();
    let again = carrier.lift(&rest, &empty);
    let is_same = again
        .is_ok_and(|again| again.token.is_none() && again.path == lifted.path && again.query == lifted.query);
    assert!(is_same, "lifting is done once");
}

fn gate(key: Key) -> Option<Gate> {
    let policy = Policy::closed().with(Family::guarded("/", Verb::Play).ok()?).ok()?;
    Some(Gate::new(policy, KeySet::new(vec![key]).ok()?))
}

fn assert_clean(path: &CanonicalPath<'_>) {
    let text = path.as_str();
    assert!(text.starts_with('/'), "a path starts with a slash");
    assert!(!text.contains(|c: char| c.is_control() || "\\%;?#".contains(c)), "a path has no delimiter");
    let naive: Vec<&str> = text.split('/').skip(1).collect();
    assert!(path.segments().eq(naive.iter().copied()), "segments are what a naive split sees");
    for (index, segment) in naive.iter().enumerate() {
        let is_last = naive.len().checked_sub(1) == Some(index);
        assert!(is_last || !segment.is_empty(), "no segment is empty");
        assert!(!segment.ends_with(['.', ' ']), "no segment is a dot segment, or ends with a dot or a space");
    }
}
