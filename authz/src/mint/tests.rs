use super::*;
use crate::{ResourceGlob, Scope, Subject, UnixSeconds, Verb};

fn claims(resources: Vec<ResourceGlob>) -> Claims {
    Claims::new(UnixSeconds(1_800_003_600), Scope::new(Verb::Play, resources).unwrap()).unwrap()
}

fn key() -> Key {
    Key::generate(KeyId::parse("2027-01").unwrap(), [7; 32])
}

fn glob(text: &str) -> ResourceGlob {
    ResourceGlob::parse(text).unwrap()
}

#[test]
fn only_an_active_key_signs() {
    let claims = claims(vec![glob("/vod/**")]);
    assert!(mint(&claims, &key()).is_ok());
    for state in [KeyState::Retiring, KeyState::Revoked] {
        let refused = mint(&claims, &key().with_state(state));
        assert_eq!(refused.unwrap_err(), Error::NotActive { kid: key().id().clone(), state });
    }
}

#[test]
fn a_token_is_one_path_segment_that_no_url_library_rewrites() {
    let token = mint(&claims(vec![glob("/vod/été/**")]), &key()).unwrap();
    assert!(token.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
    assert!(token.as_str().starts_with("v1.2027-01."));
    assert!(!token.as_str().ends_with('.'));
}

#[test]
fn a_token_has_at_most_4096_characters() {
    let long = |bytes: usize| glob(&format!("/{}", "a".repeat(bytes - 1)));
    assert!(mint(&claims(vec![long(512); 5]), &key()).is_ok());
    assert!(matches!(mint(&claims(vec![long(512); 6]), &key()), Err(Error::TokenTooLong { found: 4097.. })));
}

#[test]
fn debug_shows_no_token() {
    let token = mint(&claims(vec![glob("/vod/**")]), &key()).unwrap();
    let shown = format!("{token:?}");
    assert_eq!(shown, format!("Token({})", token.log_id()));
    assert!(token.as_str().split('.').all(|field| field.len() < 8 || !shown.contains(field)));
}

#[test]
fn inspection_says_that_nothing_is_verified() {
    let claims = claims(vec![glob("/vod/a/**"), glob("/vod/b")])
        .with_not_before(UnixSeconds(1_800_000_000))
        .unwrap()
        .with_subject(Subject::parse("Ana").unwrap());
    let token = mint(&claims, &key()).unwrap();
    let forged = format!("{}A", &token.as_str()[..token.as_str().len() - 1]);
    let shown = inspect(&forged).unwrap().to_string();
    assert_eq!(
        shown,
        "signature:  not verified\nkey:        2027-01\nexpires:    1800003600\nnot before: 1800000000\nverbs:      play\n\
         resource:   /vod/a/**\nresource:   /vod/b\nsubject:    Ana\n"
    );
}

#[test]
fn inspection_of_no_token_is_an_error_that_does_not_repeat_it() {
    for text in ["", "secretsecret", "v1.secretsecret", "v1.k.secretsecret.short", "v2.k.secretsecret.x"] {
        let error = inspect(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
