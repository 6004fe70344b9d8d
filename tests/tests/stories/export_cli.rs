//! `forebay clip export`: an asset, or a piece of it, as one file that others' tools read, decode and play.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay_tests::inputs::{foreign, ours};
use forebay_tests::oracle::media::{self, Frame};
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::command::{self, Outcome, Running};
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fixture;
use forebay_tests::rig::nginx::Nginx;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tool::{self, tool};
use serde_json::Value;
use tempfile::TempDir;

use crate::object_storage;

/// More than any film here lasts, in microseconds.
const HOUR: i64 = 3_600_000_000;

fn args(site: &Site, asset: &str, out: &Path, more: &[&str]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["clip", "export", asset, "--config"].map(OsString::from).to_vec();
    args.extend([site.config().into_os_string(), "--out".into(), out.into()]);
    args.extend(more.iter().map(OsString::from));
    args
}

fn export(site: &Site, asset: &str, out: &Path, more: &[&str]) -> Outcome {
    command::run(args(site, asset, out, more))
}

/// An export that succeeds, in a folder of its own.
fn exported(site: &Site, asset: &str, more: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.mp4");
    let said = export(site, asset, &file, more).ok();
    assert_eq!(said.stderr, "", "nothing is said where nobody watches");
    let bytes = fs::metadata(&file).unwrap().len();
    let line = format!("{}: {bytes} bytes of ", file.display());
    assert!(said.stdout.starts_with(&line) && said.stdout.lines().count() == 1, "{}", said.stdout);
    reads_without_complaint(&file);
    boxes_come_first(&file);
    (folder, file)
}

fn reads_without_complaint(file: &Path) {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args(["-v", "warning", "-show_format", "-show_streams", "-show_packets", "-of", "json"]);
    let (_, complaints) = tool::text_and_complaints(ffprobe.arg(file));
    assert_eq!(complaints, "", "ffprobe");
}

fn boxes_come_first(file: &Path) {
    let bytes = fs::read(file).unwrap();
    let (mut kinds, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        kinds.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    }
    assert_eq!((kinds.join(" ").as_str(), at), ("ftyp moov mdat", bytes.len()));
}

/// Decoded sound: when it begins, in microseconds, and samples of 16 bits of all channels.
fn sound(file: &Path) -> (i64, Vec<i16>) {
    let start = media::frames(file, "a:0")[0].micros;
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(file).args(["-map", "0:a:0", "-f", "s16le", "-"]);
    let bytes = tool::bytes(&mut ffmpeg);
    let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    (start, samples.collect())
}

/// The object of a rendition of the transcoded film.
fn stored(site: &Site, name: &str) -> PathBuf {
    site.asset("show").join("1").join(format!("{name}.mp4"))
}

/// What of `frames` lies in a range of microseconds, counted from its beginning.
fn within(frames: &[Frame], from: i64, to: i64) -> Vec<(i64, &str)> {
    let inside = frames.iter().filter(|frame| (from..to).contains(&frame.micros));
    inside.map(|frame| (frame.micros - from, frame.digest.as_str())).collect()
}

#[track_caller]
fn same_pictures(export: &Path, source: &Path, from: i64, to: i64) {
    let (ours, theirs) = (media::frames(export, "v:0"), media::frames(source, "v:0"));
    let (ours, theirs) = (within(&ours, 0, i64::MAX), within(&theirs, from, to));
    assert_eq!(ours.len(), theirs.len(), "number of pictures");
    for ((at, digest), (wanted, same)) in ours.into_iter().zip(theirs) {
        assert_eq!(digest, same, "the picture at {wanted} us");
        assert!((at - wanted).abs() <= 20, "the picture at {wanted} us is shown at {at} us");
    }
}

/// Sound is held against each other sample by sample: a cut lies inside of a frame, so frames are divided otherwise than in
/// the source. Where an encoder has only said how loud a band of noise is (PNS), a decoder makes it up, and one that began elsewhere makes up
/// another: a few samples may differ. Sound that is shifted by one sample differs nearly everywhere.
#[track_caller]
fn same_sound(export: &Path, source: &Path, from: i64, to: i64) {
    let channels = 2;
    let ((begins, ours), (start, theirs)) = (sound(export), sound(source));
    assert!(begins.abs() < 50, "sound begins at {begins} us");
    // 48 samples a millisecond.
    let sample = |micros: i64| usize::try_from(((micros - start) * 48 + 500) / 1000).unwrap();
    let index = |micros: i64| (sample(micros) * channels).min(theirs.len());
    let wanted = &theirs[index(from)..index(to)];
    // ffmpeg gives the last frame as a whole.
    assert!(
        (wanted.len()..=wanted.len() + 1024 * channels).contains(&ours.len()),
        "{} of {}",
        ours.len(),
        wanted.len()
    );
    let apart = ours.iter().zip(wanted).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
    let others = apart.filter(|apart| *apart > 2).count();
    assert!(others * 20 < wanted.len(), "{others} of {} samples are others", wanted.len());
    assert!(wanted.iter().any(|sample| sample.abs() > 1000), "there is sound to be compared");
}

#[test]
fn the_whole_of_a_film_is_one_file_with_its_pictures_and_its_sound() {
    let site = fixture::show();
    let (_folder, file) = exported(&site, "show", &[]);
    same_pictures(&file, &stored(&site, "video-720"), 0, HOUR);
    same_sound(&file, &stored(&site, "audio-und"), 0, HOUR);
    let digests = |file: &Path, select: &str| -> Vec<String> {
        media::packets(file, select).into_iter().map(|packet| packet.digest).collect()
    };
    assert_eq!(digests(&file, "v:0"), digests(&stored(&site, "video-720"), "v:0"));
    assert_eq!(digests(&file, "a:0"), digests(&stored(&site, "audio-und"), "a:0"));
    let (_other, again) = exported(&site, "show", &[]);
    assert!(fs::read(&file).unwrap() == fs::read(again).unwrap(), "equal recipes give equal bytes");
}

#[test]
fn a_piece_between_keyframes_has_what_is_presented_there_to_the_frame() {
    let site = fixture::show();
    // Keyframes are each second, pictures each 33.3 ms: 3.217 s is in the middle of the one from 3.2 s on.
    for (from, to, begins, ends) in [
        ("3.217", "7.9", 3_200_000, 7_900_000),
        ("0:00:05", "0:05.5", 5_000_000, 5_500_000),
        ("11.5", "1:00:00", 11_500_000, HOUR),
    ] {
        let (_folder, file) =
            exported(&site, "show", &["--rendition", "video-360", "--from", from, "--to", to]);
        same_pictures(&file, &stored(&site, "video-360"), begins, ends);
        same_sound(&file, &stored(&site, "audio-und"), begins, ends);
    }
}

#[test]
fn a_folder_that_nobody_registered_keeps_its_sound_in_step() {
    let site = Site::new();
    // B-frames, and an encoder's priming.
    site.place("plain", &[&ours::moov_last()]);
    let (_folder, file) = exported(&site, "plain", &[]);
    same_pictures(&file, &ours::moov_last(), 0, HOUR);
    same_sound(&file, &ours::moov_last(), 0, HOUR);
    let (_folder, file) = exported(&site, "plain", &["--from", "3.33", "--to", "5.01"]);
    same_pictures(&file, &ours::moov_last(), 3_320_000, 5_010_000);
    same_sound(&file, &ours::moov_last(), 3_320_000, 5_010_000);
    for offset in [250, -250] {
        let source = ours::sound_off_by(offset);
        site.place(&format!("off{offset}"), &[&source]);
        let (_folder, file) = exported(&site, &format!("off{offset}"), &[]);
        let start = |file: &Path, select: &str| {
            let packets = media::packets(file, select);
            packets
                .iter()
                .filter(|packet| !packet.discarded)
                .map(|packet| packet.pts)
                .fold(f64::INFINITY, f64::min)
        };
        let lead = |file: &Path| start(file, "a:0") - start(file, "v:0");
        assert!((lead(&file) - lead(&source)).abs() < 0.001, "{} and {}", lead(&file), lead(&source));
    }
}

#[test]
fn a_film_of_hevc_is_exported_as_hevc() {
    let site = Site::new();
    for (asset, film) in [("hevc", foreign::hevc()), ("hdr", foreign::hdr())] {
        let source = film.files[0].as_path();
        site.place(asset, &[source]);
        let (_folder, file) = exported(&site, asset, &[]);
        same_pictures(&file, source, 0, HOUR);
        same_sound(&file, source, 0, HOUR);
        // In the middle of a group of pictures, and of a picture.
        let (_folder, file) = exported(&site, asset, &["--from", "2.93", "--to", "4.41"]);
        same_pictures(&file, source, 2_920_000, 4_410_000);
        same_sound(&file, source, 2_920_000, 4_410_000);
        let told = |file: &Path| {
            let mut ffprobe = tool("ffprobe");
            let what = "stream=codec_name,codec_tag_string,profile,pix_fmt,color_transfer,color_primaries";
            ffprobe.args(["-v", "error", "-select_streams", "v", "-show_entries", what, "-of", "csv"]);
            tool::text(ffprobe.arg(file))
        };
        assert!(told(&file).contains("hevc,") && told(&file).contains("hvc1"), "{}", told(&file));
        assert_eq!(told(&file), told(source));
        let brands = fs::read(&file).unwrap()[..32].to_vec();
        assert!(!brands.windows(4).any(|brand| brand == b"avc1"), "{brands:?}");
    }
}

#[test]
fn a_bucket_gives_the_file_that_a_folder_gives() {
    let bucket = Bucket::start();
    let folder = Site::new();
    folder.transcode(&object_storage::clip(), "film").ok();
    let far = bucket.dress(Site::copy_of(folder.path()));
    bucket.fill(&folder.store());
    let range = ["--from", "2.5", "--to", "9.25"];
    let (_one, near) = exported(&folder, "film", &range);
    let (_other, file) = exported(&far, "film", &range);
    assert!(fs::read(near).unwrap() == fs::read(file).unwrap());
}

#[test]
fn chromium_plays_a_piece_from_a_server_of_files() {
    let site = fixture::show();
    let (folder, file) =
        exported(&site, "show", &["--rendition", "video-360", "--from", "2.4", "--to", "8.4"]);
    let page = "<video id=v src=film.mp4 autoplay></video>";
    fs::write(folder.path().join("index.html"), page).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Others may read it, or not, as any file that the account writes.
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions();
    assert_eq!(mode(&file), mode(&folder.path().join("index.html")));
    let server = Nginx::of(folder.path());
    let browser = Browser::open(900, 600, &[]);
    browser.go(&server.url("/index.html"));
    let patience = Duration::from_secs(60);
    let ended = "return document.getElementById('v').ended";
    browser.until("the film to end", patience, ended, |ended| ended == &Value::Bool(true));
    let seen = browser.run(
        "const v = document.getElementById('v');
         return [v.duration, v.videoWidth, v.videoHeight, v.webkitAudioDecodedByteCount, v.error?.message ?? '']",
    );
    assert!((seen[0].as_f64().unwrap() - 6.0).abs() < 0.05, "{seen}");
    assert_eq!((seen[1].as_u64(), seen[2].as_u64()), (Some(640), Some(360)), "{seen}");
    assert!(seen[3].as_u64().unwrap() > 0 && seen[4] == "", "{seen}");
    // Anywhere in it.
    let _ = browser.run("const v = document.getElementById('v'); v.currentTime = 3.3; v.play()");
    let at = "return document.getElementById('v').currentTime";
    browser.until("the picture to move", patience, at, |at| at.as_f64().is_some_and(|at| at > 4.0));
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|line| line.contains("favicon")), "{complaints:?}");
}

#[test]
fn ctrl_c_leaves_no_half_file_and_the_former_one_stays() {
    let bucket = Bucket::start();
    let site = bucket.dress(Site::new());
    site.transcode(&object_storage::clip(), "film").ok();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.mp4");
    fs::write(&file, "the former one").unwrap();
    let names = || -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    bucket.is_far(1500);
    let running = Running::start(args(&site, "film", &file, &[]));
    until("the file to be begun", || (names().len() > 1).then_some(()));
    running.signal("INT");
    let outcome = running.finish(Duration::from_secs(30));
    assert_eq!((outcome.code(), outcome.stdout.as_str()), (130, ""), "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "forebay: interrupted: nothing was written\n");
    assert_eq!(names(), ["film.mp4"]);
    assert_eq!(fs::read(&file).unwrap(), b"the former one");
    bucket.is_far(0);
    export(&site, "film", &file, &[]).ok();
    assert_eq!(names(), ["film.mp4"]);
    boxes_come_first(&file);
}

#[test]
fn what_cannot_be_exported_is_said_in_one_line_and_leaves_nothing() {
    let site = fixture::show();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.mp4");
    for (asset, more, said) in [
        ("nothing", &[][..], "nothing: expected an asset in file://"),
        (
            "show",
            &["--rendition", "video-1080"],
            "expected one of show (video-720, video-480, video-360, video-240), found video-1080",
        ),
        ("show", &["--audio", "video-720"], "--audio: expected one of show (audio-und), found video-720"),
        ("show", &["--from", "12.5"], "--from: expected a time before show ends at 12"),
        ("show", &["--from", "5", "--to", "5"], "--to: expected a time after that of --from, found 5"),
    ] {
        let line = export(&site, asset, &file, more);
        let line = line.is_one_line_of_refusal();
        assert!(line.contains(said), "{line}");
    }
    for out in [folder.path().join("none/film.mp4"), folder.path().to_owned()] {
        let refused = export(&site, "show", &out, &[]);
        assert!(refused.is_one_line_of_refusal().contains(out.to_str().unwrap()), "{}", refused.stderr);
    }
    for wrong in [&["--from", "soon"][..], &["--to", "1:2:3"]] {
        let refused = export(&site, "show", &file, wrong);
        assert!(
            refused.code() == 2 && refused.stderr.contains("expected a time such as"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
