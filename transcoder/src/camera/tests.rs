use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::net::TcpListener;

use super::*;
use crate::ingest::{
    Ingest, Limits, MemoryPublishers, Permit, Publication, Publications, Secret, ShowPolicy, TagKind,
};
use crate::source::tests::{audio_track, picture};

/// One argument a line, but an option and its value on one.
fn text(arguments: &[std::ffi::OsString]) -> String {
    let mut text = String::new();
    for argument in arguments {
        let argument = argument.to_str().unwrap();
        let option = argument.starts_with('-') && argument != "-1";
        text.push(if option { '\n' } else { ' ' });
        text.push_str(argument);
    }
    text.trim_start().to_owned() + "\n"
}

/// Compares with the file, or writes it where `FOREBAY_BLESS` is set.
fn golden(name: &str, scene: &Scene) {
    let url = "rtmp://127.0.0.1:1935/live/key";
    let found = text(&command::publish(scene, Preset::Superfast, 1_800_000_002, url));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(found, expected, "{name} differs; FOREBAY_BLESS=1 writes it anew, to be read like code");
}

#[test]
fn the_arguments_for_the_test_picture() {
    golden("camera-test.txt", &Scene::test().unwrap());
}

#[test]
fn the_arguments_for_a_file_with_sound() {
    let mut source = picture(1920, 1080);
    source.audio = vec![audio_track(1, Some("eng"), 2)];
    golden("camera-file.txt", &Scene::file(source).unwrap());
}

#[test]
fn the_arguments_for_an_upright_interlaced_file_without_sound() {
    let mut source = picture(360, 640);
    source.video.scan = crate::source::Scan::Interlaced;
    golden("camera-silent.txt", &Scene::file(source).unwrap());
}

#[test]
fn a_show_begins_on_the_next_even_second() {
    for (millis, second) in [(0, 0), (1, 2), (1_999, 2), (2_000, 2), (2_001, 4), (3_500, 4)] {
        assert_eq!(start_after(Duration::from_millis(millis)), second, "{millis}");
    }
}

/// An RTMP server with one key for a stream, and where it listens.
async fn server() -> (Publications, String, tokio::task::JoinHandle<()>) {
    let permit = Permit { stream: "demo".parse().unwrap(), policy: ShowPolicy::default(), key: None };
    let publishers = MemoryPublishers::new().with(&Secret::new("key"), permit);
    let (ingest, publications) = Ingest::new(Limits::default(), Arc::new(publishers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { ingest.serve(listener, &Cancel::new()).await });
    (publications, url, serving)
}

fn camera(url: &str, tools: Tools) -> Camera {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let (scene, clock) = (Scene::test().unwrap(), Clock::new(now));
    Camera { scene, preset: Preset::Ultrafast, tools, clock, url: url.to_owned() }
}

/// Reads until a picture at least so many milliseconds into the show has come.
async fn watch(publication: &mut Publication, until_ms: i64) {
    loop {
        let tag = publication.next().await.expect("the camera goes on");
        if tag.kind == TagKind::Video && tag.at_ms >= until_ms {
            return;
        }
    }
}

async fn timeout<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("in time")
}

/// ffmpeg, which writes the number of its process into a file before it begins.
fn told_by_pid(folder: &Path) -> (Tools, PathBuf) {
    let (script, pid) = (folder.join("ffmpeg"), folder.join("pid"));
    std::fs::write(&script, format!("#!/bin/sh\necho $$ > {}\nexec ffmpeg \"$@\"\n", pid.display())).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (Tools { ffmpeg: script, ..Tools::default() }, pid)
}

#[tokio::test]
async fn a_camera_that_is_killed_is_on_again_and_leaves_the_stream_to_who_takes_it() {
    let (mut publications, url, _serving) = server().await;
    let folder = tempfile::tempdir().unwrap();
    let (tools, pid) = told_by_pid(folder.path());
    let (camera, other, cancel) = (camera(&url, tools), camera(&url, Tools::default()), Cancel::new());
    let ((events, mut told), (others_events, _)) = (mpsc::channel(16), mpsc::channel(16));
    let scenes = async {
        let mut first = publications.next().await.unwrap();
        watch(&mut first, 2_500).await;
        let pid = std::fs::read_to_string(&pid).unwrap();
        let killed =
            tokio::process::Command::new("kill").args(["-s", "KILL", pid.trim()]).status().await.unwrap();
        assert!(killed.success());
        let mut second = publications.next().await.unwrap();
        watch(&mut second, 1_000).await;
        let seen = async {
            let mut third = publications.next().await.unwrap();
            watch(&mut third, 500).await;
            cancel.cancel();
        };
        tokio::join!(other.run(&others_events, &cancel), seen).0.unwrap();
    };
    let never = Cancel::new();
    let (ended, ()) = timeout(async { tokio::join!(camera.run(&events, &never), scenes) }).await;
    ended.unwrap();
    assert_eq!(told.recv().await, Some(Event::Started));
    assert!(matches!(told.recv().await, Some(Event::Stopped(why)) if why.contains("signal")));
    assert_eq!(told.recv().await, Some(Event::Started));
    assert_eq!(told.recv().await, Some(Event::TakenOver));
}

#[tokio::test]
async fn a_camera_that_cannot_publish_is_an_error_and_not_a_loop() {
    let (_publications, url, _serving) = server().await;
    let camera = camera(&url.replace("/key", "/wrong"), Tools::default());
    let (events, _) = mpsc::channel(1);
    let error = timeout(camera.run(&events, &Cancel::new())).await.unwrap_err().to_string();
    assert!(error.contains("the stream key is not valid"), "{error}");
}
