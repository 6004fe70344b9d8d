//! A rendition that its encoder makes no longer, while the show goes on.

use forebay_origin::NoUpload;
use http::{HeaderMap, Method, StatusCode};

use super::live::{rig, sending, sent, settle, until};
use super::rig::{Rig, fixture, read};

/// The beginning of a segment that is the last of its track.
const LAST: &[u8] = b"\0\0\0\x18styplmsg\0\0\0\0lmsgcmfs";

/// Sends a track up to the chunk of this number, which is said to be of the last segment.
async fn finish(rig: &Rig, track: &str, file: &[u8], chunk: usize) {
    let (before, with) = (until(file, chunk), until(file, chunk + 1));
    let body = [before, LAST, &with[before.len()..]].concat();
    let answer = sent(rig, &format!("/ingest/gala/{track}"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn a_rendition_that_ends_long_before_the_others_is_part_of_the_show_no_longer() {
    let rig = rig();
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    let small = sending(&rig, "/ingest/gala/video-small");
    small.send(until(&video, 8)).await;
    sent(&rig, "/ingest/gala/audio", &sound).await;
    finish(&rig, "video-large", &video, 6).await;
    settle().await;
    let door = "/live/gala/main.m3u8";
    let playlist = "/live/gala/1/video-large/index.m3u8";
    // It may be the end of the show, of which the other has less yet.
    assert!(rig.get(door).await.text().contains("video-large"));
    assert_eq!(rig.get(playlist).await.status, StatusCode::OK);
    let waits = {
        let (origin, target) = (rig.origin.clone(), format!("{playlist}?_HLS_msn=1&_HLS_part=4"));
        tokio::spawn(async move {
            read(origin.answer(&Method::GET, &target, &HeaderMap::new(), &mut NoUpload).await).await
        })
    };
    settle().await;
    assert!(!waits.is_finished(), "it may go on");

    small.send(&video[until(&video, 8).len()..]).await;
    settle().await;
    let text = rig.get(door).await;
    assert!(text.text().contains("video-small") && !text.text().contains("video-large"), "{}", text.text());
    assert!(waits.is_finished(), "who waits is told at once");
    for answer in [waits.await.unwrap(), rig.get(playlist).await] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    }
    let segment = "/live/gala/1/video-large/0.m4s";
    assert_eq!(rig.get(segment).await.status, StatusCode::OK, "what was listed can still be fetched");
}

#[tokio::test]
async fn sound_that_goes_on_for_longer_than_all_pictures_gives_none_of_them_up() {
    let rig = rig();
    let (video, sound) = (fixture("live/cmaf-video.mp4"), fixture("live/cmaf-audio.mp4"));
    let audio = sending(&rig, "/ingest/gala/audio");
    audio.send(until(&sound, 2)).await;
    finish(&rig, "video", &video, 6).await;
    audio.send(&sound[until(&sound, 2).len()..]).await;
    settle().await;
    assert!(rig.get("/live/gala/main.m3u8").await.text().contains("video/"));
    assert_eq!(rig.get("/live/gala/1/video/index.m3u8").await.status, StatusCode::OK);
}
