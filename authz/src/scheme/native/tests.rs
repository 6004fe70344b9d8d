use super::*;
use crate::{KeyId, KeyState};

fn key(id: &str, fill: u8) -> Key {
    Key::new(KeyId::parse(id).unwrap(), &[fill; 32], KeyState::Active).unwrap()
}

#[test]
fn a_signature_holds_for_its_key_alone() {
    let token = sign(b"claims", &key("k", 1));
    let parts = Parts::split(&token).unwrap();
    assert_eq!(parts.kid, "k");
    assert!(parts.is_signed_by(&key("k", 1)));
    assert!(!parts.is_signed_by(&key("k", 2)));
}

#[test]
fn a_mac_of_the_same_secret_for_another_purpose_is_refused() {
    let key = key("k", 1);
    let signed = "v1.k.Y2xhaW1z";
    for purpose in [&b""[..], b"forebay native token", b"forebay edge header\0"] {
        let mac = key.authenticate(&[purpose, signed.as_bytes()]);
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert!(!Parts::split(&token).unwrap().is_signed_by(&key), "{purpose:?}");
    }
}

#[test]
fn the_boundary_between_key_id_and_claims_is_signed() {
    let token = sign(b"claims", &key("ab", 1));
    let moved = token.replacen("v1.ab.", "v1.a.b", 1);
    assert!(Parts::split(&moved).is_none_or(|parts| !parts.is_signed_by(&key("a", 1))));
}

#[test]
fn claims_of_the_longest_token_fit_the_buffer() {
    let signed = format!("v1.k.{}", "A".repeat(MAX_LEN - 5 - 1 - MAC_LEN));
    let longest = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 32]));
    assert_eq!(longest.len(), MAX_LEN);
    let mut buffer = [0; MAX_CLAIMS];
    // 4047 characters: a length that base64 has.
    assert_eq!(Parts::split(&longest).unwrap().decode_claims(&mut buffer).map(<[u8]>::len), Some(3035));
    assert!(Parts::split(&longest.replacen("v1.k", "v1.kk", 1)).is_none());
}
