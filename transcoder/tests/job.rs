//! Whole jobs with the real ffmpeg, on stores in memory and on disk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod rig;

use std::path::Path;
use std::sync::Arc;

use forebay_transcoder::Kind;
use forebay_transcoder::job::Event;
use forebay_transcoder::publishing::{Published, Publishing};
use forebay_transcoder::{Cancel, Error};
use object_store::local::LocalFileSystem;
use packager::asset::Revision;
use packager::manifest::Manifest;
use packager::track::Track;
use rig::{AAC, H264, Rig, events, ffmpeg, ffprobe, picture, show, tone};
use sha2::{Digest, Sha256};

#[tokio::test]
async fn a_file_becomes_a_published_revision() {
    let rig = Rig::new();
    let input = rig.clip(6);
    let (events, mut seen) = events();
    let job = rig.job(&input);
    let outcome = job.run(Arc::clone(&rig.store), &rig.publishing, &events, &Cancel::new()).await.unwrap();
    drop(events);

    assert_eq!((outcome.revision.as_str(), outcome.published), ("1", Published::Current));
    assert_eq!(rig.current().await.as_deref(), Some("1"));
    let names = ["asset.json", "audio-und.idx", "audio-und.mp4", "video-240.idx", "video-240.mp4"];
    let expected: Vec<_> = names.into_iter().chain(["video-360.idx", "video-360.mp4"]).collect();
    assert_eq!(
        rig.objects().await,
        expected.iter().map(|name| format!("vod/show/1/{name}")).collect::<Vec<_>>()
    );
    assert!(rig.scratch_is_empty());

    let manifest = Manifest::from_json(&rig.object("vod/show/1/asset.json").await).unwrap();
    assert_eq!(manifest, outcome.manifest);
    assert_eq!((manifest.boundaries.len(), manifest.target_ms), (2, 6_000));
    for track in &manifest.tracks {
        let bytes = rig.object(&format!("vod/show/1/{}", track.object)).await;
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!((track.bytes, track.identity()), (bytes.len() as u64, Some(sha256)));
        Track::from_index(&rig.object(&format!("vod/show/1/{}", track.index)).await).unwrap();
    }

    let mut stages = Vec::new();
    let mut last = None;
    while let Some(event) = seen.recv().await {
        if let Event::Encoding(progress) = event {
            last = Some(progress);
        } else {
            stages.push(event);
        }
    }
    let last = last.unwrap();
    assert_eq!((last.frame, last.done), (180, last.total));
    assert!(
        matches!(stages.first(), Some(Event::Probing)) && matches!(stages.last(), Some(Event::Publishing))
    );
    assert!(stages.iter().any(|event| matches!(event, Event::Storing { done, total } if done == total)));
}

/// Decode order sizes and times, seen by a reader that is not ours.
#[tokio::test]
async fn all_rungs_have_their_keyframes_and_frames_at_the_same_times() {
    let rig = Rig::new();
    let input =
        rig.make("ntsc.mp4", &format!("-f lavfi -i testsrc2=size=640x360:rate=30000/1001:duration=5 {H264}"));
    rig.run(&input).await.unwrap();
    let mut tables = Vec::new();
    for name in ["video-360", "video-240"] {
        let file = rig.copy(&format!("vod/show/1/{name}.mp4")).await;
        let table = ffprobe("packet=pts,flags", &file);
        assert_eq!(table.len(), 150);
        assert_eq!(table.first().map(String::as_str), Some("0,K_"));
        let keys: Vec<_> = table.iter().filter(|line| line.contains('K')).cloned().collect();
        assert_eq!(keys, ["0,K_", "60060,K_", "120120,K_"]);
        let mut times: Vec<i64> =
            table.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        times.sort_unstable();
        tables.push(times);
    }
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0].last(), Some(&(149 * 1001)));
}

#[tokio::test]
async fn each_language_becomes_a_rendition_on_a_store_of_files() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::with_store(Arc::new(LocalFileSystem::new_with_prefix(root.path()).unwrap()));
    let input = rig.make(
        "two.mkv",
        &format!(
            "{} {} {} -map 0 -map 1 -map 2 {H264} {AAC} -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger",
            picture("320x180", 4),
            tone(440, 4),
            tone(880, 4)
        ),
    );
    let outcome = rig.run(&input).await.unwrap();
    let tracks: Vec<_> = outcome
        .manifest
        .tracks
        .iter()
        .map(|track| (track.name.as_str(), track.language.as_deref()))
        .collect();
    assert_eq!(tracks, [("video-180", None), ("audio-eng", Some("eng")), ("audio-deu", Some("deu"))]);
    assert!(root.path().join("vod/show/1/audio-deu.idx").exists());
}

/// The picture is black and the sound silent, until both start at two seconds. Sound that runs late by the encoder's
/// priming would show as 21 ms.
#[tokio::test]
async fn sound_stays_with_the_picture() {
    let rig = Rig::new();
    let input = rig.make(
        "flash.mov",
        &format!(
            "-f lavfi -i color=black:size=320x180:rate=25:duration=4,drawbox=color=white:t=fill:enable='gte(t,2)' \
             -f lavfi -i aevalsrc=exprs='0.5*sin(2000*PI*t)*gte(t\\,2)':sample_rate=44100:duration=4 {H264} \
             -c:a pcm_s16le"
        ),
    );
    rig.run(&input).await.unwrap();
    let sound = rig.copy("vod/show/1/audio-und.mp4").await;
    // The reader is told to place samples by their time stamps; else it would show the priming too.
    let timed = ["-af", "aresample=async=1:first_pts=0"];
    let file = ["-copyts", "-i", sound.to_str().unwrap()];
    let arguments = file.into_iter().chain(timed).chain(["-ac", "1", "-f", "s16le", "-"]).collect::<Vec<_>>();
    let pcm = ffmpeg(arguments.iter().map(AsRef::as_ref));
    let samples: Vec<i16> = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let onset = samples.iter().position(|sample| sample.unsigned_abs() > 4_000).unwrap();
    assert!((95_900..96_200).contains(&onset), "sound starts at sample {onset} of 48,000 a second");

    let video = rig.copy("vod/show/1/video-180.mp4").await;
    let arguments =
        ["-i", video.to_str().unwrap(), "-vf", "scale=1:1", "-pix_fmt", "gray", "-f", "rawvideo", "-"];
    let frames = ffmpeg(arguments.iter().map(AsRef::as_ref));
    assert_eq!(frames.iter().position(|brightness| *brightness > 128), Some(50));
}

#[tokio::test]
async fn sound_that_starts_late_and_ends_early_is_filled_with_silence() {
    let rig = Rig::new();
    let input = rig.make(
        "late.mkv",
        &format!("{} -itsoffset 1 {} -map 0:v -map 1:a {H264} {AAC}", picture("320x180", 4), tone(440, 2)),
    );
    let outcome = rig.run(&input).await.unwrap();
    let sound = rig.copy("vod/show/1/audio-und.mp4").await;
    let silence =
        ffmpeg_log(&["-i", sound.to_str().unwrap(), "-af", "silencedetect=n=-40dB:d=0.5", "-f", "null", "-"]);
    assert!(silence.contains("silence_end: 1.0") || silence.contains("silence_end: 0.99"), "{silence}");
    assert!(silence.contains("silence_start: 3.0"), "{silence}");
    assert_eq!(outcome.manifest.boundaries.last(), Some(&(4 * i64::from(outcome.manifest.timescale))));
}

fn ffmpeg_log(arguments: &[&str]) -> String {
    let output =
        std::process::Command::new("ffmpeg").args(["-hide_banner", "-nostdin"]).args(arguments).output();
    String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
}

/// Size and rungs of sources of all shapes.
#[tokio::test]
async fn sources_of_all_shapes_are_fitted() {
    let rig = Rig::new();
    let vfr = format!("{} -vf select='not(mod(n\\,7))+mod(n\\,2)' -vsync vfr {H264}", picture("426x240", 4));
    let upright = rig.make("upright.mp4", &format!("{} {H264}", picture("640x360", 2)));
    let turned = format!("-i {} -c copy -metadata:s:v rotate=90", upright.display());
    let wide = format!("{} -vf setsar=4/3 {H264}", picture("480x360", 2));
    let fields = "-f lavfi -i testsrc2=size=720x576:rate=25:duration=2 -vf setfield=tff -flags +ilme+ildct \
                  -c:v mpeg2video -q:v 3";
    for (name, arguments, size, frames) in [
        ("portrait.mp4", format!("{} {H264}", picture("360x640", 2)), "360,640", 60),
        ("odd.avi", format!("{} -c:v ffv1", picture("853x479", 2)), "852,478", 60),
        ("vfr.mkv", vfr, "426,240", 120),
        ("turned.mov", turned, "360,640", 60),
        ("wide.mp4", wide, "640,360", 60),
        ("fields.ts", fields.to_owned(), "720,576", 50),
        ("short.mp4", format!("-f lavfi -i testsrc2=size=320x180:rate=30:duration=0.1 {H264}"), "320,180", 3),
    ] {
        let outcome =
            rig.run(&rig.make(name, &arguments)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let top = &outcome.manifest.tracks[0];
        let file = rig.copy(&format!("vod/show/{}/{}", outcome.revision, top.object)).await;
        assert_eq!(ffprobe("stream=width,height", &file), [size], "{name}");
        assert_eq!(ffprobe("packet=pts", &file).len(), frames, "{name}");
    }
}

#[tokio::test]
async fn hdr_becomes_sdr() {
    let rig = Rig::new();
    let input = rig.make(
        "hdr.mp4",
        &format!(
            "{} -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -color_trc smpte2084 -color_primaries bt2020 \
             -colorspace bt2020nc -x265-params log-level=none",
            picture("320x180", 1)
        ),
    );
    rig.run(&input).await.unwrap();
    let file = rig.copy("vod/show/1/video-180.mp4").await;
    assert_eq!(ffprobe("stream=pix_fmt,color_transfer,color_primaries", &file), ["yuv420p,bt709,bt709"]);
}

#[tokio::test]
async fn wrong_input_is_one_clear_line_and_the_former_revision_stays() {
    let rig = Rig::new();
    let good = rig.make(
        "good.mp4",
        &format!("{} {} {H264} {AAC} -movflags +faststart", picture("320x180", 4), tone(440, 4)),
    );
    rig.run(&good).await.unwrap();
    let before = rig.objects().await;

    let whole = std::fs::read(&good).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = rig.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let late_moov = rig.make("late.mp4", &format!("{} {H264}", picture("320x180", 2)));
    let late_moov = std::fs::read(late_moov).unwrap();
    let mkv = std::fs::read(rig.make("whole.mkv", &format!("{} {H264}", picture("320x180", 4)))).unwrap();
    let outside = format!("#EXTM3U\n#EXTINF:4,\n{}\n#EXT-X-ENDLIST\n", good.display());
    let text = "a diary\n".repeat(400);
    for (path, expected) in [
        (
            write("cut.mp4", &whole[..whole.len() * 6 / 10]),
            "cut.mp4: expected 4.0 s of media, found the end after ",
        ),
        (write("cut.mkv", &mkv[..mkv.len() / 2]), "cut.mkv: expected 4.0 s of media, found the end after "),
        (
            write("cut-moov.mp4", &late_moov[..late_moov.len() / 2]),
            "cut-moov.mp4: expected a moov box in the MP4 file, found none: the file is truncated or is no MP4 file",
        ),
        (write("diary.txt", text.as_bytes()), "diary.txt: expected a media file, found something else"),
        (write("list.m3u8", outside.as_bytes()), "list.m3u8: expected a media file, found something else"),
        (write("noise.bin", &noise(20_000)), "noise.bin: expected a media file, found something else"),
        (
            rig.make("sound.m4a", &format!("{} {AAC}", tone(440, 2))),
            "sound.m4a: expected a video track, found only audio",
        ),
        (rig.folder.path().join("gone.mp4"), "gone.mp4: expected a file, found nothing: no such file"),
        (Path::new("http://127.0.0.1:1/x.mp4").into(), "x.mp4: expected a file, found nothing: no such file"),
        (rig.folder.path().into(), ": expected a file, found a folder"),
    ] {
        let error = rig.run(&path).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Input, "{error}");
        let line = error.to_string();
        assert!(line.contains(expected) && !line.contains('\n'), "{line}");
        assert_eq!(line, line.trim_end_matches('.'));
    }
    assert_eq!(rig.objects().await, before);
    assert_eq!(rig.current().await.as_deref(), Some("1"));
    assert!(rig.scratch_is_empty());
}

/// The same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

#[tokio::test]
async fn a_revision_that_was_overtaken_is_taken_out_of_the_store() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    let (events, mut seen) = events();
    let job = rig.job(&input);
    let overtake = async {
        // The job has its number by the time it encodes.
        while let Some(event) = seen.recv().await {
            if matches!(event, Event::Verifying) {
                let newer = rig.publishing.begin(&show()).await.unwrap();
                rig.publishing.publish(&show(), &newer).await.unwrap();
                return newer;
            }
        }
        panic!("the job never came to verifying");
    };
    let cancel = Cancel::new();
    let (outcome, newer) =
        tokio::join!(job.run(Arc::clone(&rig.store), &rig.publishing, &events, &cancel), overtake);
    assert_eq!(outcome.unwrap().published, Published::Superseded);
    assert_eq!(newer, Revision::counted(2));
    assert_eq!(rig.current().await.as_deref(), Some("2"));
    assert_eq!(rig.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_the_machines_fault() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    let mut job = rig.job(&input);
    job.options.scratch = rig.folder.path().join("gone");
    let error = rig.run_job(&job, &Cancel::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Machine);
    assert!(error.to_string().ends_with("expected a folder, found nothing"), "{error}");
    job.options.scratch = input.clone();
    let error = rig.run_job(&job, &Cancel::new()).await.unwrap_err();
    assert!(error.to_string().ends_with("expected a folder, found a file"), "{error}");
}

#[tokio::test]
async fn a_missing_tool_is_named() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    let mut job = rig.job(&input);
    job.options.tools.ffmpeg = "no-such-ffmpeg".into();
    let error = rig.run_job(&job, &Cancel::new()).await.unwrap_err();
    assert!(matches!(error, Error::Tool { .. }));
    assert_eq!(error.to_string(), "no-such-ffmpeg: expected a program that can be run, found none");
    assert!(rig.scratch_is_empty());
}
