use proptest::prelude::*;

use super::*;

/// 32 bytes 0x00 to 0x1f.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn file(entries: &[(&str, &str, &str)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(kid, secret, state)| format!(r#"{{"kid":"{kid}","secret":"{secret}","state":"{state}"}}"#))
        .collect();
    format!(r#"{{"keys":[{}]}}"#, entries.join(","))
}

fn text_of(file: &str) -> String {
    KeySet::parse(file).expect_err(file).to_string()
}

fn key(id: &str, state: KeyState) -> Key {
    Key::new(KeyId::parse(id).unwrap(), &[9; 32], state).unwrap()
}

#[test]
fn a_key_file_is_read_in_order() {
    let keys =
        KeySet::parse(&file(&[("a", SECRET, "retiring"), ("b", SECRET, "active"), ("c", SECRET, "revoked")]))
            .unwrap();
    let read: Vec<_> = keys.iter().map(|key| (key.id().as_str(), key.state())).collect();
    assert_eq!(read, [("a", KeyState::Retiring), ("b", KeyState::Active), ("c", KeyState::Revoked)]);
    assert_eq!(keys.find("b").unwrap().secret(), (0..32).collect::<Vec<u8>>());
    assert!(keys.find("B").is_none());
    assert_eq!(keys.signer().unwrap().id().as_str(), "b");
}

#[test]
fn a_bad_key_is_named_with_what_was_expected_and_found() {
    for (entries, expected) in [
        (
            vec![("a", SECRET, "active"), ("a", SECRET, "active")],
            "key `a`: expected one key of this id, found two",
        ),
        (
            vec![("a", &format!("{}Hg", &SECRET[..40]), "active")],
            "key `a`: expected a secret of 32 to 1024 bytes, found 31",
        ),
        (vec![("a", "", "active")], "key `a`: expected a secret of 32 to 1024 bytes, found 0"),
        (
            vec![("a", SECRET, "ative")],
            "key `a`: expected the state `active`, `retiring` or `revoked`, found `ative`",
        ),
        (
            vec![("a", SECRET, "Active")],
            "key `a`: expected the state `active`, `retiring` or `revoked`, found `Active`",
        ),
        (
            vec![("a", SECRET, SECRET)],
            "key `a`: expected the state `active`, `retiring` or `revoked`, found another text",
        ),
        (vec![], "keys: expected at least one key, found none"),
        (
            vec![("ok", SECRET, "active"), ("../x", SECRET, "active")],
            "key 2 of the key file: expected a `kid` of 1 to 64 characters of A-Z a-z 0-9 _ -, found another character",
        ),
    ] {
        assert_eq!(text_of(&file(&entries)), expected);
    }
    for (secret, found) in [
        (format!("{SECRET}="), "padding"),
        (SECRET.replace('A', "+"), "the standard base64 alphabet"),
        (SECRET.replace('A', "~"), "a character of no base64 alphabet"),
        (format!("{}9", &SECRET[..42]), "a last character with stray bits"),
        (SECRET[..41].to_owned(), "a length no base64 text has"),
    ] {
        let expected = format!("key `a`: expected a secret in base64url without padding, found {found}");
        assert_eq!(text_of(&file(&[("a", &secret, "active")])), expected);
    }
}

#[test]
fn a_file_that_is_no_key_file_is_refused_with_its_place() {
    let whole = file(&[("a", SECRET, "active")]);
    for length in 0..whole.len() {
        assert!(matches!(KeySet::parse(&whole[..length]), Err(Error::KeyFile { .. })), "cut at {length}");
    }
    let bad = [
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        format!("\u{feff}{whole}"),
        format!("{whole}x"),
        whole.replace("\"kid\"", "\"kyd\""),
        whole.replace("\"state\":\"active\"", "\"state\":\"active\",\"state\":\"active\""),
        whole.replace("\"state\":\"active\"", "\"state\":\"active\",\"use\":\"sig\""),
        whole.replace("\"state\":\"active\"", "\"state\":1"),
        "[".repeat(100_000),
    ];
    for file in bad {
        assert!(matches!(KeySet::parse(&file), Err(Error::KeyFile { .. })));
    }
    assert_eq!(
        text_of("{\"keys\":[\n{\"kid\":5}]}"),
        "key file, line 2 column 8: expected {\"keys\":[{\"kid\":\"…\",\"secret\":\"…\",\"state\":\"…\"}]} and no other member, \
         found another member, a missing one, or one of another type"
    );
}

#[test]
fn no_error_repeats_the_secret() {
    let whole = file(&[("a", SECRET, "active")]);
    for broken in [
        whole.replace("\"secret\":", "\"state\":"),
        whole.replace("\"kid\":\"a\"", &format!("\"kid\":\"{SECRET}!\"")),
        whole.replace("\"keys\":[", &format!("\"{SECRET}\":[")),
        whole.replace("{\"kid\"", &format!("\"{SECRET}\",{{\"kid\"")),
        whole.replace(SECRET, &format!("{SECRET}!")),
        whole.replace("active", SECRET),
        whole.replace("active", &SECRET.replace(|c: char| c.is_ascii_digit(), "x")),
    ] {
        let error = KeySet::parse(&broken).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&SECRET[..8]), "{error:?}");
    }
    assert!(!format!("{:?}", KeySet::parse(&whole)).contains(&SECRET[..8]));
}

#[test]
fn a_set_has_1_to_64_keys() {
    let keys = |count: usize| {
        (0..count).map(|number| key(&format!("k{number}"), KeyState::Active)).collect::<Vec<_>>()
    };
    assert!(matches!(KeySet::new(keys(0)), Err(Error::NoKeys)));
    assert!(KeySet::new(keys(64)).is_ok());
    assert!(matches!(KeySet::new(keys(65)), Err(Error::TooManyKeys { found: 65 })));
}

#[test]
fn after_a_rotation_only_the_new_key_signs() {
    let keys = KeySet::new(vec![key("x", KeyState::Revoked), key("a", KeyState::Active)]).unwrap();
    let keys = keys.rotated(key("b", KeyState::Active)).unwrap();
    let states: Vec<_> = keys.iter().map(|key| (key.id().as_str(), key.state())).collect();
    assert_eq!(states, [("x", KeyState::Revoked), ("a", KeyState::Retiring), ("b", KeyState::Active)]);
    assert_eq!(keys.signer().unwrap().id().as_str(), "b");
    assert!(matches!(keys.clone().rotated(key("a", KeyState::Active)), Err(Error::DuplicateKey { .. })));
    assert!(matches!(keys.rotated(key("c", KeyState::Revoked)), Err(Error::NotActive { .. })));
}

#[test]
fn of_several_active_keys_the_last_signs() {
    let states = [("a", KeyState::Active), ("b", KeyState::Active), ("c", KeyState::Retiring)];
    let keys = KeySet::new(states.into_iter().map(|(id, state)| key(id, state)).collect()).unwrap();
    assert_eq!(keys.signer().unwrap().id().as_str(), "b");
}

#[test]
fn without_an_active_key_there_is_no_signer() {
    assert!(KeySet::empty().signer().is_none());
    assert!(KeySet::new(vec![key("a", KeyState::Retiring)]).unwrap().signer().is_none());
}

proptest! {
    #[test]
    fn parsing_the_printed_set_gives_it_back(
        secrets in prop::collection::vec(prop::collection::vec(any::<u8>(), 32..100), 1..6),
        states in prop::collection::vec(0usize..3, 6),
    ) {
        let keys = secrets.iter().zip(&states).enumerate().map(|(number, (secret, state))| {
            Key::new(KeyId::parse(&format!("k{number}")).unwrap(), secret, KeyState::ALL[*state]).unwrap()
        });
        let keys = KeySet::new(keys.collect()).unwrap();
        let again = KeySet::parse(&keys.to_json()).unwrap();
        prop_assert_eq!(again.iter().count(), keys.iter().count());
        for (a, b) in again.iter().zip(&keys) {
            prop_assert_eq!((a.id(), a.state(), a.secret()), (b.id(), b.state(), b.secret()));
        }
    }
}
