//! Verification finds each kind of fault in objects that were sound before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod rig;

use std::path::{Path, PathBuf};

use forebay_transcoder::ladder::{Ladder, Preset, Settings};
use forebay_transcoder::source::Source;
use forebay_transcoder::verify::{Verified, verify};
use forebay_transcoder::{Cancel, Error, Kind, Tools, command};
use packager::time::MediaTime;
use rig::{AAC, H264, Rig, ffmpeg, picture, tone};

/// A sound ladder in a folder.
struct Made {
    rig: Rig,
    ladder: Ladder,
}

impl Made {
    async fn new() -> Self {
        let rig = Rig::new();
        let arguments =
            format!("{} {} {H264} {AAC} -metadata:s:a language=eng", picture("640x360", 7), tone(440, 7));
        let input = rig.make("clip.mp4", &arguments);
        let source = Source::probe(&input, &Tools::default(), &Cancel::new()).await.unwrap();
        let settings = Settings { preset: Preset::Ultrafast, ..Settings::default() };
        let ladder = Ladder::fit(&source, &settings).unwrap();
        let arguments = command::encode(&source, &ladder, &rig.scratch());
        ffmpeg(arguments.iter().filter(|argument| *argument != "-n").map(AsRef::as_ref));
        Self { rig, ladder }
    }

    async fn verify(&self) -> Result<Verified, Error> {
        verify(&self.ladder, &self.rig.scratch(), &Tools::default(), &Cancel::new()).await
    }

    fn object(&self, name: &str) -> PathBuf {
        self.rig.scratch().join(format!("{name}.mp4"))
    }

    /// Does something to one object, looks what verification says, and makes the object sound again.
    async fn fault(&self, name: &str, change: impl FnOnce(&Path)) -> String {
        let object = self.object(name);
        let sound = std::fs::read(&object).unwrap();
        change(&object);
        let error = self.verify().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Tool, "{error}");
        std::fs::write(&object, sound).unwrap();
        error.to_string()
    }

    /// Makes one object anew with other options.
    fn remake(&self, object: &Path, options: &str) {
        let input = self.rig.folder.path().join("clip.mp4");
        let fragmented =
            "-map_metadata -1 -use_editlist 1 -movflags +cmaf+delay_moov+frag_keyframe+skip_trailer";
        let options = format!("-i {} {options} {fragmented} {}", input.display(), object.display());
        ffmpeg(options.split_whitespace().map(AsRef::as_ref));
    }
}

const RUNG: &str =
    "-an -vf scale=426:240,setsar=1 -c:v libx264 -preset ultrafast -profile:v high -sc_threshold 0";

#[tokio::test]
async fn what_was_made_as_meant_passes() {
    let made = Made::new().await;
    let verified = made.verify().await.unwrap();
    let names: Vec<_> = verified.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["video-360", "video-240", "audio-eng"]);
    assert_eq!(verified.boundaries, [0, 6_000, 7_000].map(MediaTime::from_millis));
    // Remade with the same options it passes too: what the tests below find is what they changed.
    let object = made.object("video-240");
    made.remake(&object, &format!("{RUNG} -g 60 -keyint_min 60"));
    made.verify().await.unwrap();
}

#[tokio::test]
async fn keyframes_off_the_grid_are_found() {
    let made = Made::new().await;
    let text =
        made.fault("video-240", |object| made.remake(object, &format!("{RUNG} -g 45 -keyint_min 45"))).await;
    assert_eq!(text, "rendition video-240: expected a keyframe at 2.000000 s, found the next at 1.500000 s");
    let text =
        made.fault("video-240", |object| made.remake(object, &format!("{RUNG} -g 90 -keyint_min 90"))).await;
    assert_eq!(text, "rendition video-240: expected a keyframe at 2.000000 s, found the next at 3.000000 s");
    let late = format!("{RUNG} -g 60 -keyint_min 1 -force_key_frames expr:eq(n,205)");
    let text = made.fault("video-240", |object| made.remake(object, &late)).await;
    assert_eq!(text, "rendition video-240: expected no further keyframe, found one at 6.833333 s");
}

#[tokio::test]
async fn a_lost_frame_another_size_and_another_rate_are_found() {
    let made = Made::new().await;
    let short = format!("{RUNG} -g 60 -frames:v 209");
    let text = made.fault("video-240", |object| made.remake(object, &short)).await;
    assert_eq!(text, "rendition video-240: expected 210 frames, found 209");
    let other = made.object("video-360");
    let text = made.fault("video-240", |object| assert!(std::fs::copy(&other, object).unwrap() > 0)).await;
    assert_eq!(
        text,
        "rendition video-240: expected 426 by 240 square pixels, found 640 by 360 pixels of 1:1"
    );
    let slower = format!("{RUNG} -g 60 -r 29 -vf scale=426:240,setsar=1,setpts=PTS*30/29 -frames:v 210");
    let text = made.fault("video-240", |object| made.remake(object, &slower)).await;
    assert!(text.starts_with("rendition video-240: expected the end at 7.000000 s"), "{text}");
}

#[tokio::test]
async fn a_cut_tail_is_found() {
    let made = Made::new().await;
    for name in ["video-360", "audio-eng"] {
        let text = made
            .fault(name, |object| {
                let bytes = std::fs::read(object).unwrap();
                std::fs::write(object, &bytes[..bytes.len() - 1_000]).unwrap();
            })
            .await;
        assert!(text.starts_with(&format!("rendition {name}: expected ")), "{text}");
    }
}

#[tokio::test]
async fn pictures_that_do_not_decode_are_found() {
    let made = Made::new().await;
    for name in ["video-360", "audio-eng"] {
        let text = made
            .fault(name, |object| {
                let mut bytes = std::fs::read(object).unwrap();
                let media = bytes.windows(4).position(|window| window == b"mdat").unwrap();
                for byte in &mut bytes[media + 200..media + 2_200] {
                    *byte ^= 0x5a;
                }
                std::fs::write(object, bytes).unwrap();
            })
            .await;
        assert!(
            text.starts_with(&format!("rendition {name}: expected an object that decodes, found ")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn sound_of_another_length_layout_or_language_is_found() {
    let made = Made::new().await;
    let aac = "-vn -c:a aac -ar 48000 -ac 2 -metadata:s:a:0 language=eng";
    for (options, expected) in [
        (format!("{aac} -t 6.9"), "expected the end at 7.000000 s or up to one frame later, found 6.9"),
        (
            format!("{aac} -af apad=pad_dur=0.1"),
            "expected the end at 7.000000 s or up to one frame later, found 7.1",
        ),
        (aac.replace("-ac 2", "-ac 1"), "expected 2 channels at 48000 Hz, found 1 at 48000 Hz"),
        (aac.replace("eng", "fra"), "expected the language Some(\"eng\"), found Some(\"fra\")"),
        (RUNG.to_owned(), "expected audio, found Video"),
    ] {
        let text = made.fault("audio-eng", |object| made.remake(object, &options)).await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn a_second_track_and_an_object_that_is_none_are_found() {
    let made = Made::new().await;
    let text = made.fault("video-240", |object| made.remake(object, &RUNG.replace("-an", "-c:a aac"))).await;
    assert_eq!(text, "rendition video-240: expected one track, found 2");
    let text = made.fault("video-240", |object| std::fs::write(object, b"not a box").unwrap()).await;
    assert!(
        text.starts_with("rendition video-240: expected an object that can be packaged, found "),
        "{text}"
    );
    std::fs::remove_file(made.object("video-240")).unwrap();
    assert_eq!(made.verify().await.unwrap_err().kind(), Kind::Machine);
}

#[tokio::test]
async fn verification_stops_when_it_is_told_to() {
    let made = Made::new().await;
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = verify(&made.ladder, &made.rig.scratch(), &Tools::default(), &cancel).await;
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
