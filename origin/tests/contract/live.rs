//! A live stream: sent in process, watched in process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authz::{Key, ResourceGlob, Scope, UnixSeconds, Verb, mint};
use bytes::Bytes;
use forebay_origin::{NoUpload, Upload, UploadError};
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use transcoder::publishing::{MemoryShows, Shows};

use super::rig::{Answer, NOW, Rig, fixture, key, read, token};

/// The body of a sender's request, one piece at a time.
struct Hose(mpsc::Receiver<Result<Bytes, UploadError>>);

#[async_trait]
impl Upload for Hose {
    async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        self.0.recv().await
    }
}

/// A sender's request that is open.
pub(crate) struct Sending {
    hose: Option<mpsc::Sender<Result<Bytes, UploadError>>>,
    answer: JoinHandle<Answer>,
}

impl Sending {
    pub(crate) async fn send(&self, bytes: &[u8]) {
        // A request that has been refused reads no more; its answer tells why.
        let _ = self.hose.as_ref().unwrap().send(Ok(Bytes::copy_from_slice(bytes))).await;
    }

    pub(crate) async fn end(mut self) -> Answer {
        self.hose = None;
        self.answer.await.unwrap()
    }

    async fn breaks(mut self) -> Answer {
        let _ = self.hose.take().unwrap().send(Err(UploadError::Cut("reset".to_owned()))).await;
        self.answer.await.unwrap()
    }
}

pub(crate) fn sending(rig: &Rig, target: &str) -> Sending {
    let (hose, pieces) = mpsc::channel(1);
    let (origin, target) = (rig.origin.clone(), target.to_owned());
    let answer = tokio::spawn(async move {
        let reply = origin.answer(&Method::POST, &target, &HeaderMap::new(), &mut Hose(pieces)).await;
        read(reply).await
    });
    Sending { hose: Some(hose), answer }
}

pub(crate) async fn sent(rig: &Rig, target: &str, bytes: &[u8]) -> Answer {
    let sending = sending(rig, target);
    for piece in bytes.chunks(997) {
        sending.send(piece).await;
    }
    sending.end().await
}

/// One second a segment, so that three seconds of fixture are three of them.
pub(crate) fn rig() -> Rig {
    Rig::with(|config| {
        config.auth.required = false;
        config.live.segment = "1s".parse().unwrap();
        config.live.parts = 5;
    })
}

/// Where the boxes of a file begin, and what they are.
fn boxes(file: &[u8]) -> Vec<(usize, &[u8])> {
    let mut at = 0;
    let mut found = Vec::new();
    while at + 8 <= file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        found.push((at, &file[at + 4..at + 8]));
        at += size;
    }
    found
}

/// The file up to the chunk with this number.
pub(crate) fn until(file: &[u8], chunk: usize) -> &[u8] {
    let starts: Vec<usize> =
        boxes(file).into_iter().filter(|(_, kind)| kind == b"moof").map(|(at, _)| at).collect();
    &file[..starts.get(chunk).copied().unwrap_or(file.len())]
}

pub(crate) fn header(file: &[u8]) -> &[u8] {
    until(file, 0)
}

pub(crate) const VIDEO: &str = "/ingest/gala/video";
pub(crate) const PLAYLIST: &str = "/live/gala/1/video/index.m3u8";

/// Waits until what was sent has been taken: everything runs on one thread.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_asks_with_an_empty_request_is_told_where_a_track_ends_here() {
    let rig = rig();
    let ask = async |track: &str| {
        let answer = sent(&rig, &format!("/ingest/gala/{track}"), b"").await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.headers.get("forebay-track-end").map(|end| end.to_str().unwrap().parse::<i64>().unwrap())
    };
    assert_eq!(ask("video").await, None);
    let video = fixture("live/cmaf-video.mp4");
    let told = sent(&rig, VIDEO, &video).await;
    let end = ask("video").await.unwrap();
    assert_eq!(end, 3_000_000);
    assert_eq!(told.header("forebay-track-end"), end.to_string());
    assert_eq!(ask("audio").await, None);
    assert_eq!(rig.get(PLAYLIST).await.status, StatusCode::OK, "asking changes nothing");
}

#[tokio::test]
async fn what_is_sent_can_be_watched() {
    let rig = rig();
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    assert_eq!(sent(&rig, VIDEO, &video).await.status, StatusCode::OK);
    assert_eq!(sent(&rig, "/ingest/gala/audio.cmfa", &sound).await.status, StatusCode::OK);

    let main = rig.get("/live/gala/main.m3u8").await;
    assert_eq!((main.status, main.header("content-type")), (StatusCode::OK, "application/vnd.apple.mpegurl"));
    assert_eq!(
        (main.header("priority"), main.header("cache-control")),
        ("u=1", "public, max-age=1, stale-while-revalidate=1")
    );
    assert!(main.text().contains("\n1/video/index.m3u8\n"), "{}", main.text());
    assert!(main.text().contains("URI=\"1/audio/index.m3u8\""), "{}", main.text());
    assert!(rig.get("/live/gala/1/main.m3u8").await.text().contains("\nvideo/index.m3u8\n"));

    for (track, mime) in [("video", "video/mp4"), ("audio", "audio/mp4")] {
        let playlist = rig.get(&format!("/live/gala/1/{track}/index.m3u8")).await;
        let text = playlist.text();
        assert_eq!(playlist.header("cache-control"), "public, max-age=1");
        assert!(text.contains("#EXT-X-RENDITION-REPORT:URI=\"../"), "{text}");
        let quoted = |tag: &str| {
            let lines = text.lines().filter(|line| line.starts_with(tag));
            lines
                .map(|line| line.split("URI=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let fetch = async |name: &str| rig.get(&format!("/live/gala/1/{track}/{name}")).await;
        let init = fetch(&quoted("#EXT-X-MAP")[0]).await;
        assert_eq!((init.status, init.header("content-type")), (StatusCode::OK, mime));
        assert_eq!(init.header("cache-control"), "public, max-age=1209600, immutable");
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        for name in quoted("#EXT-X-PART:").into_iter().filter(|name| name.ends_with("m4s")) {
            let part = fetch(&name).await;
            assert_eq!(part.status, StatusCode::OK, "{name}");
            parts.push((name, part.body));
        }
        let mut whole = 0;
        for segment in text.lines().filter(|line| !line.starts_with('#')) {
            let answer = fetch(segment).await;
            let stem = segment.strip_suffix("m4s").unwrap();
            let own: Vec<u8> = parts
                .iter()
                .filter(|(name, _)| name.starts_with(stem))
                .flat_map(|(_, b)| b.clone())
                .collect();
            assert!(!own.is_empty() && answer.body == own, "{segment} is its parts");
            let middle = rig
                .ask(Method::GET, &format!("/live/gala/1/{track}/{segment}"), &[("range", "bytes=100-2099")])
                .await;
            assert_eq!((middle.status, &middle.body[..]), (StatusCode::PARTIAL_CONTENT, &own[100..2100]));
            whole += 1;
        }
        assert_eq!(whole, 3, "{text}");
    }
}

#[tokio::test]
async fn a_held_playlist_comes_with_the_part_it_waits_for() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, VIDEO);
    sender.send(until(&video, 6)).await;
    settle().await;
    let edge = rig.get(PLAYLIST).await;
    assert!(edge.text().contains("TYPE=PART,URI=\"1.1.m4s\""), "{}", edge.text());

    let ask = |target: String| {
        let origin = rig.origin.clone();
        tokio::spawn(async move {
            let reply = origin.answer(&Method::GET, &target, &HeaderMap::new(), &mut NoUpload).await;
            read(reply).await
        })
    };
    let part = ask("/live/gala/1/video/1.1.m4s".to_owned());
    let playlist = ask(format!("{PLAYLIST}?_HLS_msn=1&_HLS_part=1"));
    let segment = ask(format!("{PLAYLIST}?_HLS_msn=1"));
    settle().await;
    assert!(!part.is_finished() && !playlist.is_finished() && !segment.is_finished());
    assert_eq!(rig.counter("forebay_live_waiting_requests"), 3);

    sender.send(&video[until(&video, 6).len()..until(&video, 7).len()]).await;
    settle().await;
    assert!(part.is_finished() && playlist.is_finished() && !segment.is_finished());
    let (part, playlist) = (part.await.unwrap(), playlist.await.unwrap());
    assert_eq!((part.status, playlist.status), (StatusCode::OK, StatusCode::OK));
    assert!(playlist.text().contains("URI=\"1.1.m4s\"\n#EXT-X-PRELOAD-HINT"), "{}", playlist.text());
    assert_eq!(playlist.header("cache-control"), "public, max-age=6");
    assert_eq!(rig.get("/live/gala/1/video/1.1.m4s").await.body, part.body);

    sender.send(&video[until(&video, 7).len()..]).await;
    assert!(segment.await.unwrap().text().contains("\n1.m4s\n"));
    assert_eq!(rig.counter("forebay_live_waiting_requests"), 0);
    assert_eq!(rig.counter("forebay_live_hold_seconds_count{outcome=\"answered\"}"), 3);
    assert_eq!(sender.end().await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_after_three_target_durations_and_with_its_client() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, VIDEO);
    sender.send(until(&video, 6)).await;
    settle().await;
    let before = tokio::time::Instant::now();
    let answer = rig.get(&format!("{PLAYLIST}?_HLS_msn=1&_HLS_part=1")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((answer.header("cache-control"), answer.header("retry-after")), ("public, max-age=1", "1"));
    assert_eq!(before.elapsed().as_secs(), 3);
    let left = tokio::time::timeout(Duration::from_millis(5), rig.get("/live/gala/1/video/1.1.m4s")).await;
    assert!(left.is_err());
    assert_eq!(rig.counter("forebay_live_waiting_requests"), 0);
    assert_eq!(rig.counter("forebay_live_hold_seconds_count{outcome=\"left\"}"), 1);
    assert_eq!(rig.counter("forebay_live_hold_seconds_count{outcome=\"expired\"}"), 1);
}

#[tokio::test]
async fn directives_that_make_no_sense_are_told_so_at_once() {
    let rig = rig();
    assert_eq!(sent(&rig, VIDEO, &fixture("live/cmaf-video.mp4")).await.status, StatusCode::OK);
    for (query, status) in [
        ("_HLS_part=1", 400),
        ("_HLS_msn=x", 400),
        ("_HLS_msn=99", 400),
        ("_HLS_msn=3&_HLS_part=40", 400),
        ("_HLS_msn=0", 200),
        ("_HLS_msn=0&_HLS_part=99", 200),
        ("_HLS_skip=YES", 200),
    ] {
        let answer = rig.get(&format!("{PLAYLIST}?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        if status == 400 {
            assert_eq!(answer.header("cache-control"), "public, max-age=1", "{query}");
        }
    }
    for gone in ["video/9.m4s", "video/2.9.m4s", "video/init-00000000.mp4", "other/index.m3u8"] {
        assert_eq!(rig.get(&format!("/live/gala/1/{gone}")).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
    assert_eq!(rig.get("/live/gala/2/video/index.m3u8").await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.get("/live/other/main.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_broken_sender_is_told_what_is_wrong_and_nobody_else_feels_it() {
    let rig = rig();
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    assert_eq!(sent(&rig, VIDEO, until(&video, 8)).await.status, StatusCode::OK);
    let before = rig.get(PLAYLIST).await.body;

    let half = until(&video, 9);
    let mut huge = header(&video).to_vec();
    huge.extend([0, 0, 0, 1, b'm', b'o', b'o', b'f', 0, 0, 0, 1, 0, 0, 0, 0]);
    for (track, bytes, status, told) in [
        ("video", &half[..half.len() - 5], 400, "truncated"),
        ("video", &b"hello, this is no media at all"[..], 400, "expected"),
        ("video", &sound[..], 409, "expected a header of video"),
        ("video", &huge[..], 413, "moof"),
        ("fresh", until(&fixture("moov-first.mp4"), 99), 413, "moov"),
        ("Video", &video[..], 404, "/ingest/<stream>/<track>"),
    ] {
        let answer = sent(&rig, &format!("/ingest/gala/{track}"), bytes).await;
        assert_eq!(answer.status.as_u16(), status, "{track}: {}", answer.text());
        assert!(answer.text().contains(told), "{track}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), "private, no-store");
    }
    let cut = sending(&rig, VIDEO);
    cut.send(header(&video)).await;
    assert_eq!(cut.breaks().await.status, StatusCode::BAD_REQUEST);

    let twice = sending(&rig, VIDEO);
    twice.send(until(&video, 8)).await;
    twice.send(&video[until(&video, 2).len()..until(&video, 3).len()]).await;
    let answer = twice.end().await;
    assert_eq!(
        (answer.status, answer.text().contains("expected time to go on")),
        (StatusCode::CONFLICT, true)
    );

    let silent = sending(&rig, VIDEO);
    silent.send(header(&video)).await;
    let answer = silent.answer.await.unwrap();
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{}", answer.text());

    let after = rig.get(PLAYLIST).await;
    assert!(after.body.starts_with(&before[..before.len() - 60]), "{}", after.text());
    assert_eq!(sent(&rig, VIDEO, &video).await.status, StatusCode::OK, "it comes back and goes on");
    assert!(rig.get(PLAYLIST).await.text().contains("\n1.m4s\n"));
    for (reason, times) in [("broken", 4), ("refused", 2), ("cut", 1), ("silent", 1), ("whole", 2)] {
        let line = format!("forebay_live_ingest_ends_total{{reason=\"{reason}\"}}");
        assert_eq!(rig.counter(&line), times, "{reason}");
    }
}

#[tokio::test]
async fn a_timeline_that_begins_anew_is_the_next_show() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    sent(&rig, "/ingest/gala/init-stream0.m4s", header(&video)).await;
    let media = &video[header(&video).len()..];
    assert_eq!(sent(&rig, "/ingest/gala/chunk-stream0-00001.m4s", media).await.status, StatusCode::OK);
    assert_eq!(sent(&rig, "/ingest/gala/gala.mpd", b"<MPD/>").await.status, StatusCode::OK);
    assert!(rig.get("/live/gala/main.m3u8").await.text().contains("\n1/stream0/index.m3u8\n"));

    sent(&rig, "/ingest/gala/init-stream0.m4s", header(&video)).await;
    assert_eq!(sent(&rig, "/ingest/gala/chunk-stream0-00001.m4s", media).await.status, StatusCode::OK);
    assert!(rig.get("/live/gala/main.m3u8").await.text().contains("\n2/stream0/index.m3u8\n"));
    let former = rig.get("/live/gala/1/stream0/index.m3u8?_HLS_msn=99").await;
    assert!(former.text().ends_with("#EXT-X-ENDLIST\n"), "{}", former.text());
    assert_eq!(former.header("cache-control"), "public, max-age=60");
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    assert_eq!(sent(&rig, VIDEO, until(&video, 7)).await.status, StatusCode::OK);
    let mut again = header(&video).to_vec();
    again.extend(&video[until(&video, 3).len()..]);
    assert_eq!(sent(&rig, VIDEO, &again).await.status, StatusCode::OK);

    let straight = self::rig();
    assert_eq!(sent(&straight, VIDEO, &video).await.status, StatusCode::OK);
    assert_eq!(rig.get(PLAYLIST).await.text(), straight.get(PLAYLIST).await.text());
    let last = "/live/gala/1/video/1.m4s";
    assert_eq!(rig.get(last).await.body, straight.get(last).await.body);
    assert!(rig.counter("forebay_live_dropped_samples_total{reason=\"duplicate\"}") > 0);
}

pub(crate) fn publish_token(key: &Key, glob: &str) -> String {
    let scope = Scope::new(Verb::Publish, vec![ResourceGlob::parse(glob).unwrap()]).unwrap();
    let claims = authz::Claims::new(UnixSeconds(NOW.0 + 60), scope).unwrap();
    mint(&claims, key).unwrap().as_str().to_owned()
}

#[tokio::test]
async fn sending_and_watching_take_different_grants() {
    let rig = Rig::with(|config| {
        config.live.segment = "1s".parse().unwrap();
        config.live.parts = 5;
        config.live.waiters_per_grant = 1;
    });
    let video = fixture("live/cmaf-video.mp4");
    let (play, publish) = (token(&key(), "/live/gala/**", 60), publish_token(&key(), "/ingest/gala/**"));
    assert_eq!(sent(&rig, VIDEO, &video).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sent(&rig, &format!("/t/{play}{VIDEO}"), &video).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        sent(&rig, &format!("/t/{publish}/ingest/other/video"), &video).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(sent(&rig, &format!("/t/{publish}{VIDEO}"), &video).await.status, StatusCode::OK);
    assert_eq!(rig.get(&format!("/t/{publish}{PLAYLIST}")).await.status, StatusCode::FORBIDDEN);
    let target = format!("/t/{play}{PLAYLIST}");
    assert_eq!(rig.get(&target).await.status, StatusCode::OK);

    // One request of a token may be held, and the gate is asked again when it is released.
    let held = tokio::spawn({
        let (origin, target) = (rig.origin.clone(), format!("{target}?_HLS_msn=3"));
        async move { read(origin.answer(&Method::GET, &target, &HeaderMap::new(), &mut NoUpload).await).await }
    });
    settle().await;
    let crowded = rig.get(&format!("{target}?_HLS_msn=3")).await;
    assert_eq!((crowded.status, crowded.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    rig.clock.advance(Duration::from_secs(60));
    assert!(!held.is_finished());
    let mut sooner = header(&video).to_vec();
    sooner.extend(later(&video));
    let publish = {
        let scope = Scope::new(Verb::Publish, vec![ResourceGlob::parse("/ingest/**").unwrap()]).unwrap();
        let claims = authz::Claims::new(UnixSeconds(NOW.0 + 120), scope).unwrap();
        mint(&claims, &key()).unwrap().as_str().to_owned()
    };
    assert_eq!(sent(&rig, &format!("/t/{publish}{VIDEO}"), &sooner).await.status, StatusCode::OK);
    let answer = held.await.unwrap();
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (StatusCode::UNAUTHORIZED, "private, no-store")
    );
}

/// The media of a file, three seconds later.
fn later(file: &[u8]) -> Vec<u8> {
    let mut media = file[header(file).len()..].to_vec();
    let at: Vec<usize> =
        media.windows(4).enumerate().filter(|(_, w)| w == b"tfdt").map(|(at, _)| at).collect();
    for at in at {
        let place = at + 8..at + 16;
        assert_eq!(media[at + 4], 1, "a tfdt of 64 bits");
        let time = u64::from_be_bytes(media[place.clone()].try_into().unwrap());
        media[place].copy_from_slice(&(time + 3 * 12_800).to_be_bytes());
    }
    media
}

#[tokio::test]
async fn an_origin_that_comes_back_goes_on_with_the_show_or_opens_the_next() {
    let shows = Arc::new(MemoryShows::new(|| 1_800_000_000_000));
    let origin = || origin_with(&shows);
    let video = fixture("live/cmaf-video.mp4");
    let first = origin();
    assert_eq!(sent(&first, VIDEO, &video).await.status, StatusCode::OK);
    settle().await;
    let before = first.get(PLAYLIST).await;

    // The sender goes on: the same show, from its next whole segment.
    let back = origin();
    let mut rest = header(&video).to_vec();
    rest.extend(later(&video));
    assert_eq!(sent(&back, VIDEO, &rest).await.status, StatusCode::OK);
    let after = back.get(PLAYLIST).await;
    assert!(after.text().contains("#EXT-X-MEDIA-SEQUENCE:3\n"), "{}", after.text());
    let date = |text: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")).unwrap().to_owned();
        line[17..19].parse::<u32>().unwrap()
    };
    assert_eq!(date(after.text()), date(before.text()) + 3);

    // The sender begins anew: no number of the former show is used again.
    let again = origin();
    assert_eq!(sent(&again, VIDEO, &video).await.status, StatusCode::OK);
    assert_eq!(again.get(PLAYLIST).await.status, StatusCode::NOT_FOUND);
    assert_eq!(again.get("/live/gala/2/video/index.m3u8").await.status, StatusCode::OK);
}

/// Origins that share nothing but what the database knows of shows.
fn origin_with(shows: &Arc<MemoryShows>) -> Rig {
    Rig::with_shows(Arc::clone(shows) as Arc<dyn Shows>, |config| {
        config.auth.required = false;
        config.live.segment = "1s".parse().unwrap();
        config.live.parts = 5;
    })
}

#[tokio::test]
async fn what_runs_and_is_not_here_yet_is_worth_another_try() {
    let shows = Arc::new(MemoryShows::new(|| NOW.0.cast_signed() * 1000));
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    let before = origin_with(&shows);
    assert_eq!(sent(&before, VIDEO, &video).await.status, StatusCode::OK);
    assert_eq!(sent(&before, "/ingest/gala/audio", &sound).await.status, StatusCode::OK);
    settle().await;

    let back = origin_with(&shows);
    for path in ["/live/gala/main.m3u8", "/live/gala/1/main.m3u8", PLAYLIST, "/live/gala/1/video/9.m4s"] {
        let away = back.get(path).await;
        assert_eq!(
            (away.status, away.header("retry-after")),
            (StatusCode::SERVICE_UNAVAILABLE, "1"),
            "{path}"
        );
        assert_eq!(away.header("cache-control"), "public, max-age=1", "{path}");
    }
    for path in ["/live/gala/2/main.m3u8", "/live/opera/main.m3u8"] {
        assert_eq!(back.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // One track is back before the other.
    let mut rest = header(&video).to_vec();
    rest.extend(later(&video));
    assert_eq!(sent(&back, VIDEO, &rest).await.status, StatusCode::OK);
    assert_eq!(back.get(PLAYLIST).await.status, StatusCode::OK);
    let sound_is_away = back.get("/live/gala/1/audio/index.m3u8").await;
    assert_eq!(sound_is_away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(back.get("/live/gala/1/nobody/index.m3u8").await.status, StatusCode::NOT_FOUND);

    let gala = "gala".parse().unwrap();
    shows.end(&gala, packager::asset::ShowId(1)).await.unwrap();
    assert_eq!(origin_with(&shows).get("/live/gala/main.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_show_that_nobody_can_go_on_with_is_not_waited_for() {
    let shows = Arc::new(MemoryShows::new(|| (NOW.0.cast_signed() - 3600) * 1000));
    let before = origin_with(&shows);
    assert_eq!(sent(&before, VIDEO, &fixture("live/cmaf-video.mp4")).await.status, StatusCode::OK);
    settle().await;
    assert_eq!(origin_with(&shows).get("/live/gala/main.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_origin_that_leaves_lets_go_of_who_sends_and_who_waits() {
    let rig = rig();
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, VIDEO);
    sender.send(until(&video, 6)).await;
    settle().await;
    let held = tokio::spawn({
        let origin = rig.origin.clone();
        let target = format!("{PLAYLIST}?_HLS_msn=1&_HLS_part=1");
        async move { read(origin.answer(&Method::GET, &target, &HeaderMap::new(), &mut NoUpload).await).await }
    });
    settle().await;
    assert!(!held.is_finished());
    rig.origin.leave();
    let (sender, held) = (sender.answer.await.unwrap(), held.await.unwrap());
    assert_eq!((sender.status, sender.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert_eq!((held.status, held.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert_eq!(rig.get(PLAYLIST).await.status, StatusCode::OK, "what is here is served");
    assert_eq!(sent(&rig, VIDEO, &video).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
