//! Who may see what, for how long, and what the others are told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use authz::{Key, KeyId};
use http::{Method, StatusCode};

use super::rig::{Answer, Rig, key, token};

fn age(answer: &Answer) -> u64 {
    let control = answer.header("cache-control");
    let age = control.split("max-age=").nth(1).unwrap_or_else(|| panic!("{control}"));
    age.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_answer_outlives_its_token() {
    let rig = Rig::of(|_| {}).with_show().await;
    let prefix = format!("/t/{}", token(&key(), "/vod/show/**", 100));
    let main = rig.get(&format!("{prefix}/vod/show/main.m3u8")).await;
    assert_eq!(main.status, StatusCode::OK);
    let variant = main.text().lines().rfind(|l| !l.starts_with('#')).unwrap().to_owned();
    let media = format!("{prefix}/vod/show/{variant}");
    for (passed, left) in [(0, 100), (60, 40), (38, 2), (1, 1)] {
        rig.clock.advance(Duration::from_secs(passed));
        let playlist = rig.get(&media).await;
        assert_eq!((playlist.status, age(&playlist)), (StatusCode::OK, left));
        for target in [format!("{prefix}/vod/show/main.m3u8"), format!("{prefix}/vod/show/none")] {
            assert!(age(&rig.get(&target).await) <= left, "{target}");
        }
    }
    rig.clock.advance(Duration::from_secs(2));
    assert_eq!(rig.get(&media).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_denial_has_one_text_and_is_kept_by_nobody() {
    let rig = Rig::of(|_| {}).with_show().await;
    let stranger = Key::generate(KeyId::parse("k1").unwrap(), [9; 32]);
    let unknown = Key::generate(KeyId::parse("k2").unwrap(), [7; 32]);
    let good = token(&key(), "/vod/show/**", 100);
    let mut texts = Vec::new();
    for (bearer, status) in [
        (String::new(), 401),
        ("rubbish".to_owned(), 401),
        (token(&stranger, "/vod/show/**", 100), 401),
        (token(&unknown, "/vod/show/**", 100), 401),
        (good[..good.len() - 1].to_owned(), 401),
        (token(&key(), "/vod/other/**", 100), 403),
    ] {
        let target = match bearer.is_empty() {
            true => "/vod/show/main.m3u8".to_owned(),
            false => format!("/t/{bearer}/vod/show/main.m3u8"),
        };
        let answer = rig.get(&target).await;
        assert_eq!(answer.status.as_u16(), status, "{target}");
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401);
        texts.push(answer.text().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn an_asset_that_is_not_there_is_not_told_from_one_that_is_without_a_token() {
    let rig = Rig::of(|_| {}).with_show().await;
    let (there, not) = (rig.get("/vod/show/main.m3u8").await, rig.get("/vod/none/main.m3u8").await);
    assert_eq!((there.status, &there.headers, &there.body), (not.status, &not.headers, &not.body));
}

#[tokio::test]
async fn a_token_that_is_not_in_the_url_keeps_answers_out_of_shared_caches() {
    let rig = Rig::of(|auth| {
        auth.header = true;
        auth.cookie = Some("pass".to_owned());
    })
    .with_show()
    .await;
    let token = token(&key(), "/vod/show/**", 100);
    for (name, value) in [("authorization", format!("Bearer {token}")), ("cookie", format!("pass={token}"))] {
        for target in ["/vod/show/main.m3u8", "/vod/show/none"] {
            let answer = rig.ask(Method::GET, target, &[(name, &value)]).await;
            assert!(answer.header("cache-control").starts_with("private"), "{name} {target}: {answer:?}");
        }
    }
    let shared = rig.get(&format!("/t/{token}/vod/show/main.m3u8")).await;
    assert!(shared.header("cache-control").starts_with("public"));
}

#[tokio::test]
async fn a_thousand_tokens_make_one_entry_and_who_is_denied_gets_nothing_of_it() {
    let rig = Rig::of(|auth| auth.query = Some("token".to_owned())).with_show().await;
    let bearer = |seconds: u64| token(&key(), "/vod/show/**", 1_000 + seconds);
    let main = rig.get(&format!("/t/{}/vod/show/main.m3u8", bearer(0))).await;
    let variant = main.text().lines().rfind(|line| !line.starts_with('#')).unwrap().to_owned();
    let segment = format!("/vod/show/{}/0.m4s", variant.rsplit_once('/').unwrap().0);
    let first = rig.get(&format!("/t/{}{segment}", bearer(0))).await;
    assert_eq!((first.status, first.header("cache-status")), (StatusCode::OK, "forebay; fwd=miss"));
    let reads = rig.shelf.reads.load(Ordering::SeqCst);
    let held = |tier: &str| rig.counter(&format!("forebay_cache_held_entries{{tier=\"{tier}\"}}"));
    let entries = ["block", "index", "output"].map(held);
    for number in 1..1_000 {
        let bearer = bearer(number);
        // Whatever else is in the query is no part of what is asked for.
        let target = match number % 3 {
            0 => format!("/t/{bearer}{segment}"),
            1 => format!("{segment}?b=2&token={bearer}&a=1&viewer={number}"),
            _ => format!("{segment}?a=1&token={bearer}&b=2&CMCD=br%3D{number}"),
        };
        let again = rig.get(&target).await;
        assert!(again.status == StatusCode::OK && again.body == first.body, "{target}");
        assert_eq!(again.header("cache-status"), "forebay; hit");
        assert_eq!(again.header("etag"), first.header("etag"));
    }
    assert_eq!(rig.shelf.reads.load(Ordering::SeqCst), reads);
    assert_eq!(["block", "index", "output"].map(held), entries);
    let elsewhere = token(&key(), "/vod/other/**", 1_000);
    for (target, status) in [
        (segment.clone(), StatusCode::UNAUTHORIZED),
        (format!("/t/{elsewhere}{segment}"), StatusCode::FORBIDDEN),
        (format!("{segment}?token={elsewhere}"), StatusCode::FORBIDDEN),
    ] {
        let denied = rig.get(&target).await;
        assert_eq!((denied.status, denied.header("cache-status")), (status, ""));
        assert!(denied.body.len() < 100 && denied.header("etag").is_empty());
    }
}
