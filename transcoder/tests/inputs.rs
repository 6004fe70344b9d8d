//! Containers, codecs and accidents that inputs come with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod rig;

use forebay_transcoder::Kind;
use packager::manifest::Manifest;
use rig::{AAC, H264, Rig, picture, tone};

/// How long the timeline is, in frames of 1/30 s.
fn thirtieths(manifest: &Manifest) -> i64 {
    manifest.boundaries.last().unwrap() * 30 / i64::from(manifest.timescale)
}

#[tokio::test]
async fn common_containers_and_codecs_are_taken() {
    let rig = Rig::new();
    let (v, t) = (picture("320x180", 2), tone(440, 2));
    let fast = "-f lavfi -i testsrc2=size=320x180:rate=120:duration=2";
    let slides = "-f lavfi -i testsrc2=size=320x180:rate=1/2:duration=6";
    for (name, arguments, tracks, thirtieths_long) in [
        ("clip.webm", format!("{v} {t} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"), 2, 60),
        ("hour.ts", format!("{v} {t} {H264} -c:a mp2 -output_ts_offset 3600"), 2, 60),
        ("clip.avi", format!("{v} {t} -c:v mpeg4 -c:a libmp3lame"), 2, 60),
        ("clip.flv", format!("{v} {t} {H264} {AAC}"), 2, 60),
        ("clip.ogv", format!("{v} {t} -c:v libtheora -c:a libvorbis"), 2, 60),
        ("fragments.mp4", format!("{v} {t} {H264} {AAC} -movflags frag_keyframe+empty_moov"), 2, 60),
        ("master.mov", format!("{v} {t} -c:v prores_ks -c:a pcm_s16le"), 2, 60),
        ("deep.mkv", format!("{v} -c:v libx264 -preset ultrafast -pix_fmt yuv444p10le"), 1, 60),
        ("surround.mkv", format!("{v} -f lavfi -i anoisesrc=d=2 -ac 6 {H264} -c:a ac3"), 2, 60),
        ("reordered.mp4", format!("{v} {t} -c:v libx264 -preset veryfast -bf 3 {AAC}"), 2, 60),
        ("fast.mp4", format!("{fast} {H264}"), 1, 60),
        ("slides.mp4", format!("{slides} {H264}"), 1, 180),
        ("sound goes on.mov", format!("{v} {} {H264} -c:a pcm_s16le", tone(440, 3)), 2, 90),
        ("picture goes on.mov", format!("{} {t} {H264} -c:a pcm_s16le", picture("320x180", 3)), 2, 90),
        ("a:b [c] 'd' -i %d,e;f.mp4", format!("{v} {H264}"), 1, 60),
    ] {
        let outcome =
            rig.run(&rig.make(name, &arguments)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(outcome.manifest.tracks.len(), tracks, "{name}");
        // Lossy sound ends a frame of its own after the picture, which can be a frame of the picture more.
        let long = thirtieths(&outcome.manifest);
        assert!((thirtieths_long..=thirtieths_long + 1).contains(&long), "{name}: {long}");
    }
}

#[tokio::test]
async fn damage_is_bridged_where_it_is_small_and_refused_where_it_is_not() {
    let rig = Rig::new();
    let sound = rig.make("sound.mp4", &format!("{} {H264} -bf 2", picture("320x180", 4)));
    let sound = std::fs::read(sound).unwrap();
    let media = sound.windows(4).position(|window| window == b"mdat").unwrap();
    let length = usize::try_from(u32::from_be_bytes(sound[media - 4..media].try_into().unwrap())).unwrap();
    let damaged = |name: &str, from: usize, to: usize| {
        let mut bytes = sound.clone();
        for byte in &mut bytes[from..to] {
            *byte ^= 0x55;
        }
        let path = rig.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let middle = media + length / 2;
    let outcome = rig.run(&damaged("scratched.mp4", middle, middle + 1_500)).await.unwrap();
    assert_eq!(thirtieths(&outcome.manifest), 120);
    let error = rig.run(&damaged("ruined.mp4", media + 8, media + length - 4)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Input, "{error}");
    assert!(error.to_string().starts_with("ruined.mp4: expected "), "{error}");
    assert_eq!(rig.current().await.as_deref(), Some("1"));
}
