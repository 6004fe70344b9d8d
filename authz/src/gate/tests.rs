use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;
use crate::scheme::native;
use crate::{DenialKind, Key, KeyId, ResourceGlob, Scope, VerbSet, mint};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn key(id: &str, fill: u8) -> Key {
    Key::new(KeyId::parse(id).unwrap(), &[fill; 32], KeyState::Active).unwrap()
}

fn policy() -> Policy {
    Policy::closed()
        .with(Family::guarded("/vod", Verb::Play).unwrap())
        .and_then(|policy| policy.with(Family::guarded("/live", VerbSet::of(&[Verb::Play, Verb::Publish]))?))
        .and_then(|policy| policy.with(Family::open("/demo")?))
        .unwrap()
}

fn gate() -> Gate {
    Gate::new(policy(), KeySet::new(vec![key("a", 1), key("b", 2)]).unwrap())
}

fn scope(verbs: &[Verb], glob: &str) -> Scope {
    Scope::new(VerbSet::of(verbs), vec![ResourceGlob::parse(glob).unwrap()]).unwrap()
}

/// For an hour, for playing what is below /vod/show.
fn claims() -> Claims {
    Claims::new(UnixSeconds(NOW.0 + 3600), scope(&[Verb::Play], "/vod/show/**")).unwrap()
}

fn token(claims: &Claims) -> String {
    mint(claims, &key("a", 1)).unwrap().as_str().to_owned()
}

fn path(raw: &str) -> CanonicalPath<'_> {
    CanonicalPath::parse(raw.as_bytes()).unwrap()
}

fn play(token: &str, raw: &str) -> Result<Grant, Denial> {
    gate().admit(Some(token), Verb::Play, &path(raw), NOW)
}

#[test]
fn a_good_token_is_granted_what_it_says() {
    let claims =
        claims().with_subject(Subject::parse("Ana").unwrap()).with_session(SessionId::parse("s1").unwrap());
    let token = token(&claims);
    let grant = play(&token, "/vod/show/video-720/42.m4s").unwrap();
    assert_eq!(grant.verb(), Verb::Play);
    assert!(!grant.is_open());
    assert_eq!(grant.expires(), Some(UnixSeconds(NOW.0 + 3600)));
    assert_eq!(grant.lifetime_left(NOW), Some(Duration::from_secs(3600)));
    assert_eq!(grant.lifetime_left(UnixSeconds(NOW.0 + 3601)), Some(Duration::ZERO));
    assert_eq!(grant.kid().map(KeyId::as_str), Some("a"));
    assert_eq!(grant.subject().map(Subject::as_str), Some("Ana"));
    assert_eq!(grant.session().map(SessionId::as_str), Some("s1"));
    assert_eq!(grant.log_id(), Some(LogId::of(&token)));
    assert_eq!(gate().examine(&token, NOW), Ok(claims));
}

#[test]
fn texts_that_are_no_token_are_malformed() {
    let good = token(&claims());
    let (signed, mac) = good.rsplit_once('.').unwrap();
    let payload = signed.rsplit_once('.').unwrap().1;
    let mac_bytes = URL_SAFE_NO_PAD.decode(mac).unwrap();
    let hex: String = mac_bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    for (name, text) in [
        ("1 empty", String::new()),
        ("2 one byte", "v".into()),
        ("3 4097 bytes", format!("v1.a.{}.{mac}", "A".repeat(4097 - 6 - mac.len()))),
        ("4 a megabyte", "A".repeat(1 << 20)),
        ("4 a megabyte of dots", ".".repeat(1 << 20)),
        ("5 characters of no alphabet", good.replacen(payload, &format!("{payload}~"), 1)),
        ("6 padded mac", format!("{signed}.{}", URL_SAFE.encode(&mac_bytes))),
        ("6 padded claims", good.replacen(payload, &format!("{payload}="), 1)),
        ("8 standard alphabet", format!("{signed}.{}", STANDARD.encode([0xfb; 32]).trim_end_matches('='))),
        ("9 mac cut", format!("{signed}.{}", &mac[..42])),
        ("9 mac of 31 bytes", format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac_bytes[..31]))),
        ("10 mac extended", format!("{good}A")),
        (
            "10 mac of 33 bytes",
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode([mac_bytes.as_slice(), &[0]].concat())),
        ),
        ("11 mac in hex", format!("{signed}.{hex}")),
        ("14 empty mac", format!("{signed}.")),
        ("14 no mac", signed.to_owned()),
        ("18 key id is a path", good.replacen("v1.a.", "v1.../../etc/passwd.", 1)),
        ("18 key id is a path without dots", good.replacen("v1.a.", "v1./etc/passwd.", 1)),
        ("19 key id with nul", good.replacen("v1.a.", "v1.a\0.", 1)),
        ("20 key id of 10 kB", good.replacen("v1.a.", &format!("v1.{}.", "a".repeat(10_000)), 1)),
        ("20 key id of 65", good.replacen("v1.a.", &format!("v1.{}.", "a".repeat(65)), 1)),
        ("20 empty key id", good.replacen("v1.a.", "v1..", 1)),
        ("21 a jwt without algorithm", "eyJhbGciOiJub25lIn0.e30.".into()),
        ("another version", good.replacen("v1.", "v2.", 1)),
        ("version in capitals", good.replacen("v1.", "V1.", 1)),
        ("no version", good.replacen("v1.", "", 1)),
        ("a fifth field", format!("{good}.x")),
        ("empty claims", format!("v1.a..{mac}")),
        ("white space around", format!(" {good}")),
        ("white space behind", format!("{good}\n")),
        ("quoted", format!("\"{good}\"")),
        ("percent-encoded", good.replacen("v1.", "v1%2E", 1)),
        ("not ascii", good.replacen("v1.a.", "v1.ä.", 1)),
    ] {
        assert_eq!(play(&text, "/vod/show/a"), Err(Denial::Malformed), "{name}");
    }
}

#[test]
fn spare_bits_of_the_last_character_must_be_zero() {
    // 7: of the 43rd character of a mac two bits are to spare, so four characters decode to the same bytes
    // elsewhere.
    let good = token(&claims());
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted = alphabet
        .chars()
        .filter(|last| play(&format!("{}{last}", &good[..good.len() - 1]), "/vod/show/a").is_ok());
    assert_eq!(accepted.collect::<String>(), good[good.len() - 1..]);
}

#[test]
fn signatures_of_others_are_refused() {
    let good = token(&claims());
    let by = |key: &Key| mint(&claims(), key).unwrap().as_str().to_owned();
    for (name, text, denial) in [
        ("15 mac by another key", good.replacen("v1.a.", "v1.b.", 1), Denial::BadSignature),
        ("15 secret of another", by(&key("a", 2)), Denial::BadSignature),
        ("17 unknown key", by(&key("c", 1)), Denial::UnknownKey),
        ("17 key id in another case", by(&key("A", 1)), Denial::UnknownKey),
        ("17 start of a key id", by(&key("ab", 1)), Denial::UnknownKey),
        (
            "a mac of zeros",
            format!("{}.{}", good.rsplit_once('.').unwrap().0, "A".repeat(43)),
            Denial::BadSignature,
        ),
    ] {
        assert_eq!(play(&text, "/vod/show/a"), Err(denial), "{name}");
        assert_eq!(denial.kind(), DenialKind::Unauthenticated);
    }
}

#[test]
fn the_key_that_stands_in_for_unknown_ones_opens_nothing() {
    // Its secret is no secret.
    for id in ["-", "c"] {
        let text = native::sign(b"\xa0", &key(id, 0));
        assert_eq!(play(&text, "/vod/show/a"), Err(Denial::UnknownKey), "{id}");
    }
}

#[test]
fn any_flipped_bit_is_denied() {
    // 12, 13: every bit of every character, and so of version, key id, claims and mac.
    let good = token(&claims());
    assert!(play(&good, "/vod/show/a").is_ok());
    for at in 0..good.len() {
        for bit in 0..7 {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let text = String::from_utf8(bytes).unwrap();
            let denied = play(&text, "/vod/show/a").expect_err(&text);
            assert_eq!(denied.kind(), DenialKind::Unauthenticated, "{at} {bit}");
        }
    }
}

#[test]
fn any_flipped_bit_of_the_decoded_mac_and_claims_is_denied() {
    let good = token(&claims());
    let fields: Vec<&str> = good.split('.').collect();
    for field in [2, 3] {
        let bytes = URL_SAFE_NO_PAD.decode(fields[field]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let coded = URL_SAFE_NO_PAD.encode(flipped);
            let mut fields = fields.clone();
            fields[field] = &coded;
            assert_eq!(play(&fields.join("."), "/vod/show/a"), Err(Denial::BadSignature), "{field} {bit}");
        }
    }
}

#[test]
fn well_signed_nonsense_is_refused_as_such() {
    let empty: &[u8] = &[0xa0];
    let no_expiry = b"\xa2\x03\x01\x04\x81\x63/**";
    let unknown_claim = b"\xa4\x01\x1a\x6b\x49\xe0\x10\x03\x01\x04\x81\x63/**\x07\x00";
    for bytes in [empty, no_expiry, unknown_claim, b"{\"exp\":1800003600}", &[0xff; 64]] {
        let text = native::sign(bytes, &key("a", 1));
        assert_eq!(play(&text, "/vod/show/a"), Err(Denial::BadClaims), "{bytes:02x?}");
    }
}

#[test]
fn only_a_signed_token_is_told_about_time_verb_and_path() {
    // Whoever has no key sees one denial, whatever the request.
    let expired = Claims::new(UnixSeconds(NOW.0 - 1), scope(&[Verb::Publish], "/live/x/**")).unwrap();
    let forged = mint(&expired, &key("a", 9)).unwrap();
    for raw in ["/vod/show/a", "/live/x/a", "/nowhere"] {
        for verb in Verb::ALL {
            assert_eq!(gate().admit(Some(forged.as_str()), verb, &path(raw), NOW), Err(Denial::BadSignature));
        }
    }
}

#[test]
fn a_revoked_key_opens_nothing_and_a_retiring_one_still_does() {
    let token = token(&claims());
    for (state, expected) in
        [(KeyState::Active, None), (KeyState::Retiring, None), (KeyState::Revoked, Some(Denial::RevokedKey))]
    {
        let gate = Gate::new(policy(), KeySet::new(vec![key("a", 1).with_state(state)]).unwrap());
        assert_eq!(
            gate.admit(Some(&token), Verb::Play, &path("/vod/show/a"), NOW).err(),
            expected,
            "{state}"
        );
    }
    let none = Gate::new(policy(), KeySet::empty());
    assert_eq!(none.admit(Some(&token), Verb::Play, &path("/vod/show/a"), NOW), Err(Denial::UnknownKey));
}

#[test]
fn times_are_kept_to_the_second() {
    // 149, 150: NOW is moved around a token that holds from +100 to +200.
    let claims = Claims::new(UnixSeconds(NOW.0 + 200), scope(&[Verb::Play], "/vod/**")).unwrap();
    let token = token(&claims.with_not_before(UnixSeconds(NOW.0 + 100)).unwrap());
    let strict = policy().with_leeway(Duration::ZERO, Duration::ZERO).unwrap();
    let wide = policy().with_leeway(Duration::from_secs(60), Duration::from_secs(60)).unwrap();
    for (name, policy, from, until) in
        [("strict", strict, 100, 200), ("default", policy(), 70, 200), ("wide", wide, 40, 260)]
    {
        let gate = Gate::new(policy, KeySet::new(vec![key("a", 1)]).unwrap());
        let at = |offset: u64| {
            gate.admit(Some(&token), Verb::Play, &path("/vod/a"), UnixSeconds(NOW.0 + offset)).err()
        };
        assert_eq!(at(from - 1), Some(Denial::NotYetValid), "{name}");
        assert_eq!(at(from), None, "{name}");
        assert_eq!(at(until - 1), None, "{name}");
        assert_eq!(at(until), Some(Denial::Expired), "{name}");
        assert_eq!(at(600), Some(Denial::Expired), "{name}: a clock ten minutes ahead");
    }
    let gate = gate();
    let at = |now: u64| gate.examine(&token, UnixSeconds(now)).err();
    assert_eq!(at(0), Some(Denial::NotYetValid));
    assert_eq!(at(u64::MAX), Some(Denial::Expired));
}

#[test]
fn a_token_that_outlives_the_policy_is_refused_while_it_does() {
    let policy = Policy::closed()
        .with(Family::guarded("/vod", Verb::Play).unwrap().with_max_ttl(Duration::from_secs(600)))
        .unwrap();
    let gate = Gate::new(policy, KeySet::new(vec![key("a", 1)]).unwrap());
    let token = token(&claims());
    let at = |now: u64| gate.admit(Some(&token), Verb::Play, &path("/vod/show/a"), UnixSeconds(now)).err();
    let expires = NOW.0 + 3600;
    assert_eq!(at(NOW.0), Some(Denial::TooLongLived));
    assert_eq!(at(expires - 631), Some(Denial::TooLongLived));
    assert_eq!(at(expires - 630), None, "the signer's clock may be 30 s ahead");
    assert_eq!(at(expires - 1), None);
    assert_eq!(gate.examine(&token, NOW).err(), None, "no family is asked about");
}

#[test]
fn a_token_for_another_path_or_verb_is_forbidden() {
    let play_show = token(&claims());
    let publish_live =
        token(&Claims::new(UnixSeconds(NOW.0 + 60), scope(&[Verb::Publish], "/live/ev1/**")).unwrap());
    let play_all = token(&Claims::new(UnixSeconds(NOW.0 + 60), scope(&Verb::ALL, "/**")).unwrap());
    for (name, token, verb, raw, expected) in [
        ("122 another asset", &play_show, Verb::Play, "/vod/other/a", Some(Denial::WrongPath)),
        ("85 a longer name", &play_show, Verb::Play, "/vod/show2/a", Some(Denial::WrongPath)),
        ("104 another case", &play_show, Verb::Play, "/vod/Show/a", Some(Denial::WrongPath)),
        ("the folder itself", &play_show, Verb::Play, "/vod/show", Some(Denial::WrongPath)),
        ("105 the same in another spelling", &play_show, Verb::Play, "/vod/%73how/a", None),
        ("another family", &play_show, Verb::Play, "/live/show/a", Some(Denial::WrongPath)),
        ("a verb it has not", &play_show, Verb::Publish, "/vod/show/a", Some(Denial::WrongVerb)),
        ("play with a token to publish", &publish_live, Verb::Play, "/live/ev1/a", Some(Denial::WrongVerb)),
        ("publish with it", &publish_live, Verb::Publish, "/live/ev1/a", None),
        ("a verb that the family has not", &play_all, Verb::Publish, "/vod/show/a", Some(Denial::WrongVerb)),
        ("a path without policy", &play_all, Verb::Play, "/admin", Some(Denial::NoPolicy)),
        ("everything", &play_all, Verb::Play, "/live/x/y", None),
    ] {
        let answer = gate().admit(Some(token), verb, &path(raw), NOW).err();
        assert_eq!(answer, expected, "{name}");
        assert!(answer.is_none_or(|denial| denial.kind() == DenialKind::Forbidden));
    }
}

#[test]
fn an_open_route_is_for_playing_without_a_token() {
    let gate = gate();
    let grant = gate.admit(None, Verb::Play, &path("/demo/page.js"), NOW).unwrap();
    assert!(grant.is_open());
    assert_eq!(
        (grant.expires(), grant.lifetime_left(NOW), grant.kid(), grant.log_id()),
        (None, None, None, None)
    );
    assert_eq!(gate.admit(Some("nonsense"), Verb::Play, &path("/demo"), NOW), Ok(grant));
    assert_eq!(gate.admit(None, Verb::Publish, &path("/demo"), NOW), Err(Denial::NoToken));
    let all = token(&Claims::new(UnixSeconds(NOW.0 + 60), scope(&Verb::ALL, "/**")).unwrap());
    assert_eq!(gate.admit(Some(&all), Verb::Publish, &path("/demo"), NOW), Err(Denial::WrongVerb));
}

#[test]
fn a_route_that_is_open_for_publishing_is_open_for_nothing_else() {
    let policy = Policy::closed().with(Family::open_for("/ingest", Verb::Publish).unwrap()).unwrap();
    let gate = Gate::new(policy, KeySet::new(vec![key("a", 1)]).unwrap());
    let grant = gate.admit(None, Verb::Publish, &path("/ingest/show/video"), NOW).unwrap();
    assert!(grant.is_open());
    assert_eq!(grant.verb(), Verb::Publish);
    for verb in [Verb::Play, Verb::Manage] {
        assert_eq!(gate.admit(None, verb, &path("/ingest/show/video"), NOW), Err(Denial::NoToken));
    }
}

#[test]
fn without_a_token_every_other_path_is_unauthenticated() {
    for raw in ["/vod/show/a", "/live/x", "/nowhere", "/", "/demo2"] {
        assert_eq!(gate().admit(None, Verb::Play, &path(raw), NOW), Err(Denial::NoToken), "{raw}");
    }
}

#[test]
fn a_closed_policy_admits_nothing() {
    let gate = Gate::new(Policy::closed(), KeySet::new(vec![key("a", 1)]).unwrap());
    assert_eq!(gate.admit(None, Verb::Play, &path("/"), NOW), Err(Denial::NoToken));
    assert_eq!(
        gate.admit(Some(&token(&claims())), Verb::Play, &path("/vod/show/a"), NOW),
        Err(Denial::NoPolicy)
    );
}

#[test]
fn no_text_of_an_answer_holds_the_token_or_a_secret() {
    let token = token(&claims());
    let gate = Gate::new(policy(), KeySet::new(vec![key("a", b'Z')]).unwrap());
    let own = mint(&claims(), &key("a", b'Z')).unwrap();
    let grant = gate.admit(Some(own.as_str()), Verb::Play, &path("/vod/show/a"), NOW).unwrap();
    let denial = gate.admit(Some(&token), Verb::Play, &path("/vod/show/a"), NOW).unwrap_err();
    let shown = format!("{grant:?} {denial:?} {denial} {gate:?}");
    for hidden in [own.as_str(), &token].into_iter().flat_map(|token| token.split('.').skip(2)) {
        assert!(!shown.contains(hidden) && !shown.contains(&hidden[..16]));
    }
    assert!(!shown.contains("ZZZZ") && !shown.contains("90, 90"));
}

proptest! {
    #[test]
    fn what_is_minted_is_admitted_and_nothing_beside_it(
        asset in "[a-z0-9-]{1,12}",
        file in "[a-z0-9-]{1,12}",
        ttl in 1u64..600_000,
        secret: [u8; 32],
    ) {
        let key = Key::generate(KeyId::parse("k").unwrap(), secret);
        let claims = Claims::new(UnixSeconds(NOW.0 + ttl), scope(&[Verb::Play], &format!("/vod/{asset}/**"))).unwrap();
        let token = mint(&claims, &key).unwrap();
        let gate = Gate::new(policy(), KeySet::new(vec![key]).unwrap());
        let admit = |raw: String| gate.admit(Some(token.as_str()), Verb::Play, &path(&raw), NOW).map(|_| ());
        prop_assert_eq!(admit(format!("/vod/{asset}/{file}")), Ok(()));
        prop_assert_eq!(admit(format!("/vod/{asset}{file}/{file}")), Err(Denial::WrongPath));
        prop_assert_eq!(admit(format!("/live/{asset}/{file}")), Err(Denial::WrongPath));
        prop_assert_eq!(crate::inspect(token.as_str()).map(|read| read.claims().clone()), Ok(claims));
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}|v1\\.[ab]\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{43}") {
        let denied = play(&text, "/vod/show/a").unwrap_err();
        prop_assert!(matches!(denied, Denial::Malformed | Denial::BadSignature));
        crate::fuzzing::token(text.as_bytes());
    }
}
