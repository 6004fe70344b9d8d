use proptest::prelude::*;

use super::*;
use crate::Verb;

const GLOB: &[u8] = b"\x66/vod/*";

/// Claims in CBOR from pieces: `map(count)` and then the pieces as they are.
fn claims(count: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0xa0 | count];
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    out
}

fn refused(bytes: &[u8]) -> Error {
    View::decode(bytes).expect_err("these claims must be refused")
}

const EXP: &[u8] = &[0x01, 0x18, 100];
const PLAY: &[u8] = &[0x03, 0x01];
const ALL_OF_VOD: &[u8] = b"\x04\x81\x66/vod/*";

#[test]
fn the_three_required_claims_are_enough() {
    let bytes = claims(3, &[EXP, PLAY, ALL_OF_VOD]);
    let view = View::decode(&bytes).unwrap();
    assert_eq!(view.expires, UnixSeconds(100));
    assert!(view.covers(&CanonicalPath::parse(b"/vod/a").unwrap()));
    assert!(!view.covers(&CanonicalPath::parse(b"/vod/a/b").unwrap()));
    assert_eq!(encode(&view.to_claims().unwrap()), bytes);
}

#[test]
fn each_required_claim_is_missed() {
    for (pieces, claim) in
        [([PLAY, ALL_OF_VOD], "expires"), ([EXP, ALL_OF_VOD], "verbs"), ([EXP, PLAY], "resources")]
    {
        let expected = Error::Claim { claim, expected: "a value", found: "none" };
        assert_eq!(refused(&claims(2, &pieces)), expected);
    }
    assert!(View::decode(&[0xa0]).is_err());
    assert!(View::decode(&[]).is_err());
}

#[test]
fn an_unknown_claim_is_refused_even_when_it_looks_harmless() {
    for number in [7_u8, 8, 23] {
        let bytes = claims(4, &[EXP, PLAY, ALL_OF_VOD, &[number, 0x00]]);
        assert_eq!(refused(&bytes), Error::UnknownClaim { number: number.into() });
    }
    assert!(View::decode(&claims(4, &[&[0x00, 0x00], EXP, PLAY, ALL_OF_VOD])).is_err(), "claim 0");
    assert!(View::decode(&claims(4, &[EXP, PLAY, ALL_OF_VOD, &[0x20, 0x00]])).is_err(), "claim -1");
    assert!(View::decode(&claims(4, &[EXP, PLAY, ALL_OF_VOD, b"\x61x\x00"])).is_err(), "a text as number");
}

#[test]
fn claims_stand_once_and_in_order() {
    assert!(View::decode(&claims(4, &[EXP, EXP, PLAY, ALL_OF_VOD])).is_err(), "twice");
    assert!(View::decode(&claims(3, &[PLAY, EXP, ALL_OF_VOD])).is_err(), "out of order");
    assert!(View::decode(&claims(4, &[EXP, PLAY, ALL_OF_VOD, EXP])).is_err(), "again at the end");
}

#[test]
fn nothing_may_follow_and_nothing_may_be_cut() {
    let bytes = claims(3, &[EXP, PLAY, ALL_OF_VOD]);
    for length in 0..bytes.len() {
        assert!(View::decode(&bytes[..length]).is_err(), "cut at {length}");
    }
    assert!(View::decode(&[bytes.as_slice(), &[0x00]].concat()).is_err());
    assert!(View::decode(&[bytes.as_slice(), &bytes].concat()).is_err());
}

#[test]
fn indefinite_tagged_and_long_forms_are_refused() {
    let body = [EXP, PLAY, ALL_OF_VOD].concat();
    let wrapped = |head: &[u8], tail: &[u8]| [head, &body, tail].concat();
    assert!(View::decode(&wrapped(&[0xbf], &[0xff])).is_err(), "indefinite map");
    assert!(View::decode(&wrapped(&[0xb8, 0x03], &[])).is_err(), "long map head");
    assert!(View::decode(&wrapped(&[0xd1, 0xa3], &[])).is_err(), "tag 17, COSE_Mac0");
    assert!(View::decode(&wrapped(&[0xd8, 0x3d, 0xa3], &[])).is_err(), "tag 61, CWT");
    assert!(
        View::decode(&claims(3, &[&[0x18, 0x01, 0x18, 100], PLAY, ALL_OF_VOD])).is_err(),
        "long claim number"
    );
    assert!(View::decode(&claims(3, &[&[0x01, 0x19, 0, 100], PLAY, ALL_OF_VOD])).is_err(), "long expiry");
    assert!(View::decode(&claims(3, &[EXP, PLAY, b"\x04\x9f\x66/vod/*\xff"])).is_err(), "indefinite array");
    assert!(
        View::decode(&claims(3, &[EXP, PLAY, b"\x04\x81\x7f\x66/vod/*\xff"])).is_err(),
        "indefinite text"
    );
    assert!(View::decode(&claims(3, &[EXP, PLAY, b"\x04\x81\x46/vod/*"])).is_err(), "bytes for a text");
}

#[test]
fn an_expiry_that_is_no_time_is_refused() {
    for (name, expires) in [
        ("text", &b"\x01\x63100"[..]),
        ("float", &[0x01, 0xfb, 0x41, 0xd9, 0x54, 0xfc, 0x40, 0, 0, 0]),
        ("not a number", &[0x01, 0xf9, 0x7e, 0x00]),
        ("negative", &[0x01, 0x38, 99]),
        ("null", &[0x01, 0xf6]),
        ("2^63", &[0x01, 0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("2^64 - 1", &[0x01, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("bignum", &[0x01, 0xc2, 0x41, 100]),
        ("year 10000", &[0x01, 0x1b, 0, 0, 0, 0x3a, 0xff, 0xf4, 0x41, 0x80]),
    ] {
        assert!(View::decode(&claims(3, &[expires, PLAY, ALL_OF_VOD])).is_err(), "{name}");
    }
    let last = [0x01, 0x1b, 0, 0, 0, 0x3a, 0xff, 0xf4, 0x41, 0x7f];
    assert!(View::decode(&claims(3, &[&last, PLAY, ALL_OF_VOD])).is_ok());
}

#[test]
fn a_token_must_hold_for_some_time() {
    let with_start = |start: u8| claims(4, &[EXP, &[0x02, 0x18, start], PLAY, ALL_OF_VOD]);
    assert!(View::decode(&with_start(99)).is_ok());
    assert!(View::decode(&with_start(100)).is_err());
    assert!(View::decode(&with_start(101)).is_err());
}

#[test]
fn verbs_and_resources_are_neither_empty_nor_unknown() {
    for verbs in [0_u8, 8, 9, 16] {
        assert!(View::decode(&claims(3, &[EXP, &[0x03, verbs], ALL_OF_VOD])).is_err(), "{verbs}");
    }
    assert!(View::decode(&claims(3, &[EXP, PLAY, &[0x04, 0x80]])).is_err(), "no resource");
    assert!(View::decode(&claims(3, &[EXP, PLAY, b"\x04\x66/vod/*"])).is_err(), "a text for an array");
    for glob in [&b"\x60"[..], b"\x65vod/*", b"\x67/vod/a?", b"\x67/vod/..", b"\x64/a**", b"\x63/\xff\xfe"] {
        assert!(View::decode(&claims(3, &[EXP, PLAY, b"\x04\x81", glob])).is_err(), "{glob:02x?}");
        assert!(View::decode(&claims(3, &[EXP, PLAY, b"\x04\x82", GLOB, glob])).is_err(), "{glob:02x?}");
    }
}

#[test]
fn counts_are_bounded_before_anything_is_read() {
    let resources = |count: u8| claims(3, &[EXP, PLAY, &[0x04, 0x98, count], &GLOB.repeat(count.into())]);
    assert!(View::decode(&resources(32)).is_ok());
    assert!(View::decode(&resources(33)).is_err());
    let endless = [0x04, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert!(View::decode(&claims(3, &[EXP, PLAY, &endless])).is_err());
    let nested = [&[0xa3][..], EXP, PLAY, &[0x04], &vec![0x81; 1000]].concat();
    assert!(View::decode(&nested).is_err(), "a thousand arrays");
    assert!(View::decode(&vec![0xa1; 1000]).is_err(), "a thousand maps");
}

#[test]
fn subject_and_session_are_held_to_their_form() {
    let with = |extra: &[u8]| View::decode(&claims(4, &[EXP, PLAY, ALL_OF_VOD, extra])).map(|_| ());
    assert!(with(b"\x05\x63Ana").is_ok());
    assert!(with(b"\x06\x63s-1").is_ok());
    for bad in [&b"\x05\x60"[..], b"\x05\x62a\n", b"\x05\x43Ana", b"\x06\x60", b"\x06\x63a b", b"\x06\x63../"]
    {
        assert!(with(bad).is_err(), "{bad:02x?}");
    }
    assert!(with(&[&[0x05, 0x78, 128][..], &[b'a'; 128]].concat()).is_ok());
    assert!(with(&[&[0x05, 0x78, 129][..], &[b'a'; 129]].concat()).is_err());
    assert!(with(&[&[0x06, 0x78, 65][..], &[b'a'; 65]].concat()).is_err());
}

prop_compose! {
    fn any_claims()(
        expires in 1..=UnixSeconds::LAST.0,
        start in prop::option::of(0..UnixSeconds::LAST.0),
        verbs in 1u64..8,
        globs in prop::collection::vec("(/[a-z0-9é*]{1,9}){1,4}(/\\*\\*)?", 1..6),
        subject in prop::option::of("[a-zA-Zé ]{0,30}[a-z]"),
        session in prop::option::of("[a-zA-Z0-9_-]{1,64}"),
    ) -> Option<Claims> {
        let globs = globs.iter().map(|glob| ResourceGlob::parse(glob)).collect::<Result<_, _>>().ok()?;
        let mut claims = Claims::new(UnixSeconds(expires), Scope::new(VerbSet::from_bits(verbs)?, globs).ok()?).ok()?;
        if let Some(start) = start {
            claims = claims.with_not_before(UnixSeconds(start % expires)).ok()?;
        }
        if let Some(subject) = subject {
            claims = claims.with_subject(Subject::parse(&subject).ok()?);
        }
        if let Some(session) = session {
            claims = claims.with_session(SessionId::parse(&session).ok()?);
        }
        Some(claims)
    }
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_it_back(claims in any_claims()) {
        if let Some(claims) = claims {
            let bytes = encode(&claims);
            prop_assert_eq!(View::decode(&bytes).and_then(|view| view.to_claims()), Ok(claims));
        }
    }

    #[test]
    fn whatever_is_read_has_one_form(claims in any_claims(), at: prop::sample::Index, byte: u8) {
        if let Some(claims) = claims {
            let mut bytes = encode(&claims);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            crate::fuzzing::token(&bytes);
        }
    }
}

#[test]
fn another_cbor_reader_sees_the_same_claims() {
    let scope =
        Scope::new(VerbSet::of(&[Verb::Play, Verb::Manage]), vec![ResourceGlob::parse("/vod/*").unwrap()])
            .unwrap();
    let claims =
        Claims::new(UnixSeconds(1_800_003_600), scope).unwrap().with_session(SessionId::parse("s").unwrap());
    let bytes = encode(&claims);
    let mut other = minicbor::Decoder::new(&bytes);
    assert_eq!(other.map().unwrap(), Some(4));
    assert_eq!((other.u64().unwrap(), other.u64().unwrap()), (1, 1_800_003_600));
    assert_eq!((other.u64().unwrap(), other.u64().unwrap()), (3, 5));
    assert_eq!((other.u64().unwrap(), other.array().unwrap(), other.str().unwrap()), (4, Some(1), "/vod/*"));
    assert_eq!((other.u64().unwrap(), other.str().unwrap()), (6, "s"));
    assert_eq!(other.position(), bytes.len());
}
