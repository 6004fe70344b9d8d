//! What players, pages and caches read in the answers of a live stream, beside the media.

use forebay_origin::NoUpload;
use http::{HeaderMap, Method, StatusCode};

use super::live::{PLAYLIST, VIDEO, publish_token, rig, sending, sent, settle, until};
use super::rig::{Rig, fixture, key, read, token};

/// A ladder of two pictures and a sound, sent whole.
async fn ladder(rig: &Rig) {
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    let mut large = video.clone();
    let entry = large.windows(4).position(|window| window == b"avc1").unwrap();
    // The low byte of the width: 144 instead of 128.
    large[entry + 29] += 16;
    for (track, bytes) in [("video-large", &large), ("video-small", &video), ("audio", &sound)] {
        let answer = sent(rig, &format!("/ingest/gala/{track}"), bytes).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
}

/// The paths of what a track's playlist names: init, segment, part.
async fn named(rig: &Rig, track: &str) -> Vec<String> {
    let folder = format!("/live/gala/1/{track}/");
    let text = rig.get(&format!("{folder}index.m3u8")).await.text().to_owned();
    let quoted = |tag: &str| {
        let line = text.lines().find(|line| line.starts_with(tag)).unwrap();
        line.split("URI=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let segment = text.lines().find(|line| !line.starts_with('#')).unwrap().to_owned();
    [quoted("#EXT-X-MAP:"), segment, quoted("#EXT-X-PART:")].map(|name| folder.clone() + &name).to_vec()
}

#[tokio::test]
async fn playlists_come_before_sound_and_no_picture_before_a_smaller_one() {
    let rig = rig();
    ladder(&rig).await;
    let urgency = async |path: &str| rig.get(path).await.header("priority").to_owned();
    for path in ["/live/gala/main.m3u8", "/live/gala/1/main.m3u8", "/live/gala/1/video-large/index.m3u8"] {
        assert_eq!(urgency(path).await, "u=1", "{path}");
    }
    for (track, wanted) in [("audio", "u=2"), ("video-small", "u=3"), ("video-large", "u=4")] {
        for path in named(&rig, track).await {
            assert_eq!(urgency(&path).await, wanted, "{path}");
        }
    }
}

#[tokio::test]
async fn each_live_answer_has_its_type_and_tag_and_nothing_that_misleads_a_cache() {
    let rig = rig();
    ladder(&rig).await;
    let mut paths = vec!["/live/gala/main.m3u8".to_owned(), "/live/gala/1/audio/index.m3u8".to_owned()];
    paths.extend(named(&rig, "audio").await);
    for path in &paths {
        let answer = rig.get(path).await;
        let is_playlist = path.ends_with(".m3u8");
        let wanted = if is_playlist { "application/vnd.apple.mpegurl" } else { "audio/mp4" };
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, wanted), "{path}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        let exposed = answer.header("access-control-expose-headers");
        for name in ["Age", "Date", "Content-Length", "Content-Range"] {
            assert!(exposed.split(", ").any(|own| own == name), "{path}: {exposed}");
        }
        // An Age that is not a cache's own misplaces the edge, an old date makes a playlist stale, a cookie keeps all of
        // it out of caches.
        for name in ["age", "last-modified", "set-cookie", "expires", "location"] {
            assert!(!answer.headers.contains_key(name), "{path}: {name}");
        }
        let same = rig.ask(Method::GET, path, &[("if-none-match", answer.header("etag"))]).await;
        assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(same.header("cache-control"), answer.header("cache-control"), "{path}");
        let head = rig.ask(Method::HEAD, path, &[]).await;
        assert_eq!(
            (head.status, head.headers, head.body.len()),
            (StatusCode::OK, answer.headers, 0),
            "{path}"
        );
    }
}

#[tokio::test]
async fn live_playlists_are_gzip_where_accepted() {
    let rig = rig();
    ladder(&rig).await;
    for path in ["/live/gala/main.m3u8", "/live/gala/1/audio/index.m3u8"] {
        let plain = rig.get(path).await;
        let small = rig.ask(Method::GET, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(
            (plain.header("content-encoding"), small.header("content-encoding")),
            ("", "gzip"),
            "{path}"
        );
        assert!(small.body.starts_with(&[0x1f, 0x8b]) && small.body.len() < plain.body.len(), "{path}");
        assert_ne!(plain.header("etag"), small.header("etag"), "{path}");
        assert_eq!([plain.header("vary"), small.header("vary")], ["Accept-Encoding"; 2], "{path}");
    }
    let part = &named(&rig, "audio").await[2];
    let media = rig.ask(Method::GET, part, &[("accept-encoding", "gzip")]).await;
    assert_eq!((media.header("content-encoding"), media.header("vary")), ("", ""), "media is never gzip");
}

#[tokio::test]
async fn a_playlist_holds_nothing_of_its_viewer_and_leads_nowhere_else() {
    let rig = Rig::with(|config| {
        config.live.segment = "1s".parse().unwrap();
        config.auth.public = vec!["/live/open/".to_owned()];
    });
    let video = fixture("live/cmaf-video.mp4");
    let publish = publish_token(&key(), "/ingest/**");
    for stream in ["gala", "open"] {
        let target = format!("/t/{publish}/ingest/{stream}/video");
        assert_eq!(sent(&rig, &target, &video).await.status, StatusCode::OK);
    }
    let tokens = [token(&key(), "/live/gala/**", 60), token(&key(), "/live/**", 50)];
    let [one, other] = tokens.map(|token| format!("/t/{token}{PLAYLIST}"));
    let texts = [rig.get(&one).await, rig.get(&other).await, rig.get("/live/open/1/video/index.m3u8").await];
    assert_eq!(texts[0].text(), texts[1].text());
    assert_eq!(texts[0].text(), texts[2].text(), "nor of its stream");
    assert_eq!(texts[0].header("etag"), texts[1].header("etag"));
    for uri in texts[0].text().split("URI=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(!uri.starts_with('/') && !uri.contains(':') && !uri.contains('?'), "{uri}");
    }
}

#[tokio::test]
async fn asking_changes_nothing_and_neither_does_the_order_of_what_is_asked() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, VIDEO);
    sender.send(until(&video, 7)).await;
    settle().await;
    let first = rig.get(PLAYLIST).await;
    for query in [
        "",
        "?_HLS_msn=1&_HLS_part=0",
        "?_HLS_part=0&_HLS_msn=1",
        "?_HLS_skip=YES&_HLS_part=0&_HLS_msn=1",
        "?a=b&_HLS_msn=0&c",
        "?_HLS_skip=v3",
    ] {
        let answer = rig.get(&format!("{PLAYLIST}{query}")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, first.text()), "{query}");
        assert_eq!(answer.header("etag"), first.header("etag"), "{query}");
    }
    assert_eq!(sender.end().await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_was_hinted_and_never_comes_is_not_found() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, VIDEO);
    sender.send(until(&video, 12)).await;
    settle().await;
    let hinted = tokio::spawn({
        let (origin, part) = (rig.origin.clone(), "/live/gala/1/video/2.2.m4s");
        async move { read(origin.answer(&Method::GET, part, &HeaderMap::new(), &mut NoUpload).await).await }
    });
    settle().await;
    assert!(!hinted.is_finished());
    // The sender begins its timeline anew: its former show is over.
    assert_eq!(sender.end().await.status, StatusCode::OK);
    assert_eq!(sent(&rig, VIDEO, until(&video, 2)).await.status, StatusCode::OK);
    assert_eq!(rig.get("/live/gala/2/video/index.m3u8").await.status, StatusCode::OK);
    let answer = hinted.await.unwrap();
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::NOT_FOUND, "public, max-age=1"));
}

#[tokio::test]
async fn what_a_loss_cut_short_is_kept_for_a_moment_and_the_rest_for_ever() {
    let rig = Rig::with(|config| {
        config.auth.required = false;
        config.live.segment = "1s".parse().unwrap();
        config.live.parts = 2;
    });
    let video = fixture("live/cmaf-video.mp4");
    // Of the second segment only the first chunk came.
    let (before, lost) = (until(&video, 6), until(&video, 10));
    let all = [before, &video[lost.len()..]].concat();
    assert_eq!(sent(&rig, VIDEO, &all).await.status, StatusCode::OK);
    let lifetime = async |file: &str| {
        let answer = rig.get(&format!("/live/gala/1/video/{file}")).await;
        (answer.status.as_u16(), answer.header("cache-control").to_owned())
    };
    let (for_ever, a_moment) = ("public, max-age=1209600, immutable", "public, max-age=1");
    for (file, status, wanted) in [
        ("0.1.m4s", 200, for_ever),
        ("0.m4s", 200, for_ever),
        ("1.0.m4s", 200, a_moment),
        ("1.1.m4s", 404, a_moment),
        ("1.m4s", 200, a_moment),
        ("2.0.m4s", 200, for_ever),
    ] {
        assert_eq!(lifetime(file).await, (status, wanted.to_owned()), "{file}");
    }
}
