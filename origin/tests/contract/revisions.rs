//! Published revisions: what the catalogue names, and what was named before.

use http::StatusCode;
use packager::asset::Revision;
use packager::fuzzing;
use packager::manifest::{FORMAT, Kind, Manifest, ManifestTrack, Role};
use packager::presentation::{Presentation, name_tracks};
use packager::time::MediaTime;
use sha2::{Digest as _, Sha256};

use super::rig::{Rig, fixture};

/// Puts sound as revision `number` of the show; returns its index.
async fn put(rig: &Rig, number: u64) -> Vec<u8> {
    let media = fixture("audio.mp4");
    let track = fuzzing::read(&media).unwrap().tracks.remove(0);
    let index = track.to_index();
    let sources = name_tracks(vec![(0, [0; 32], track)]).unwrap();
    let name = sources[0].name.clone();
    let (plan, _) = Presentation::plan(sources, MediaTime::from_millis(2000)).unwrap();
    let manifest = Manifest {
        format: FORMAT,
        asset: "show".parse().unwrap(),
        revision: Revision::counted(number),
        target_ms: 2000,
        timescale: plan.timescale().ticks_per_second(),
        starts_ms: None,
        boundaries: plan
            .boundaries()
            .iter()
            .map(|t| t.rescale(plan.timescale(), packager::time::Rounding::Nearest).ticks())
            .collect(),
        tracks: vec![ManifestTrack {
            name,
            kind: Kind::Audio,
            role: Role::Main,
            language: None,
            object: "sound.mp4".to_owned(),
            index: "sound.idx".to_owned(),
            bytes: media.len() as u64,
            sha256: Sha256::digest(&media).iter().map(|b| format!("{b:02x}")).collect(),
            recorded: None,
        }],
    };
    let folder = format!("vod/show/{number}");
    rig.put(&format!("{folder}/sound.mp4"), media).await;
    rig.put(&format!("{folder}/sound.idx"), index.clone()).await;
    rig.put(&format!("{folder}/asset.json"), manifest.to_json()).await;
    index
}

fn publish(rig: &Rig, number: u64) {
    rig.rows.inner.set("show".parse().unwrap(), Revision::counted(number));
}

async fn status(rig: &Rig, revision: &str) -> StatusCode {
    let list = rig.get(&format!("/vod/show/{revision}/audio-fra/index.m3u8")).await.status;
    assert_eq!(rig.get(&format!("/vod/show/{revision}/audio-fra/0.m4s")).await.status, list);
    list
}

#[tokio::test]
async fn former_revisions_keep_playing_and_later_ones_do_not_exist_yet() {
    let rig = Rig::open();
    for number in 1..=3 {
        put(&rig, number).await;
    }
    publish(&rig, 2);
    assert!(rig.get("/vod/show/main.m3u8").await.text().contains("\n2/audio-fra/index.m3u8\n"));
    for (revision, wanted) in [("1", 200), ("2", 200), ("3", 404), ("0", 404), ("fa", 404), ("002", 404)] {
        assert_eq!(status(&rig, revision).await.as_u16(), wanted, "revision {revision}");
    }
}

#[tokio::test]
async fn an_index_that_is_missing_or_damaged_is_made_anew_from_the_media() {
    let sound = Rig::open();
    let index = put(&sound, 1).await;
    publish(&sound, 1);
    let wanted = sound.get("/vod/show/1/audio-fra/1.m4s").await;
    assert_eq!(wanted.status, StatusCode::OK);
    let mut damaged = index.clone();
    damaged[100] ^= 1;
    for bytes in [Vec::new(), damaged, index[..index.len() - 1].to_vec()] {
        let rig = Rig::open();
        put(&rig, 1).await;
        publish(&rig, 1);
        rig.put("vod/show/1/sound.idx", bytes).await;
        let answer = rig.get("/vod/show/1/audio-fra/1.m4s").await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &wanted.body));
        assert_eq!(answer.header("etag"), wanted.header("etag"));
        assert_eq!(rig.counter("forebay_vod_index_loads_total{outcome=\"ok\",source=\"parsed\"}"), 1);
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_422_and_a_missing_one_404() {
    let rig = Rig::open();
    put(&rig, 1).await;
    publish(&rig, 1);
    rig.put("vod/show/1/asset.json", b"{}".to_vec()).await;
    assert_eq!(rig.get("/vod/show/main.m3u8").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let empty = Rig::open();
    publish(&empty, 1);
    assert_eq!(empty.get("/vod/show/main.m3u8").await.status, StatusCode::NOT_FOUND);
}
