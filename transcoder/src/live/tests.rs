use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as Track, State};
use axum::routing::post;
use futures_util::StreamExt;
use packager::live::{Event as Live, Splitter};

use super::start::Start;
use super::*;
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
fn golden(name: &str, scene: &Scene, start: Start) {
    let found = text(&command::encode(scene, Preset::Superfast, &start));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(found, expected, "{name} differs; FOREBAY_BLESS=1 writes it anew, to be read like code");
}

/// A run that begins so many milliseconds after a second that is a multiple of two.
fn at(millis: u64) -> Start {
    Start::at(Duration::from_millis(1_800_000_000_000 + millis))
}

#[test]
fn the_arguments_for_a_run_that_goes_on_after_another() {
    let ends = [1_800_000_000_166_667, 1_800_000_000_000_000, 1_800_000_000_074_667];
    let start = Start::after(Duration::from_millis(1_800_000_001_000), &ends);
    golden("live-again.txt", &Scene::test().unwrap(), start);
}

#[test]
fn the_arguments_for_the_test_picture() {
    golden("live-test.txt", &Scene::test().unwrap(), at(1_566));
}

#[test]
fn the_arguments_for_a_file_with_sound() {
    let mut source = picture(1920, 1080);
    source.audio = vec![audio_track(1, Some("eng"), 2)];
    golden("live-file.txt", &Scene::file(source).unwrap(), at(0));
}

#[test]
fn the_arguments_for_an_upright_interlaced_file_without_sound() {
    let mut source = picture(360, 640);
    source.video.scan = crate::source::Scan::Interlaced;
    golden("live-silent.txt", &Scene::file(source).unwrap(), at(0));
}

/// An origin that takes what is sent, and answers as it is told.
#[derive(Clone, Default)]
struct Origin(Arc<Mutex<State_>>);

#[derive(Default)]
struct State_ {
    /// The bodies of each track, in the order of their requests.
    bodies: BTreeMap<String, Vec<Vec<u8>>>,
    /// After how many bytes the first request of a track is answered with what.
    refusals: BTreeMap<String, (usize, u16)>,
}

impl Origin {
    async fn open(self) -> (Targets, JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let app = Router::new().route("/t/secret/ingest/show/{track}", post(take)).with_state(self);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let target = move |track: &RenditionName| {
            Ok(Uri::try_from(format!("http://{address}/t/secret/ingest/show/{track}"))?)
        };
        (Targets::new(target), serving)
    }

    fn look<T>(&self, at: impl FnOnce(&mut State_) -> T) -> T {
        at(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `is_so` of what has arrived.
    async fn until(&self, is_so: impl Fn(&State_) -> bool) {
        let wait = async {
            while !self.look(|state| is_so(state)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(wait).await;
    }

    fn bodies(&self, track: &str) -> Vec<Vec<u8>> {
        self.look(|state| state.bodies.get(track).cloned().unwrap_or_default())
    }
}

async fn take(
    State(origin): State<Origin>,
    Track(track): Track<String>,
    body: Body,
) -> (http::StatusCode, String) {
    let number = origin.look(|state| {
        let bodies = state.bodies.entry(track.clone()).or_default();
        bodies.push(Vec::new());
        bodies.len() - 1
    });
    let mut body = body.into_data_stream();
    while let Some(Ok(bytes)) = body.next().await {
        let refused = origin.look(|state| {
            let taken = &mut state.bodies.get_mut(&track).unwrap()[number];
            taken.extend_from_slice(&bytes);
            let refusal = state.refusals.get(&track).filter(|(after, _)| number == 0 && taken.len() > *after);
            refusal.map(|(_, status)| *status)
        });
        if let Some(status) = refused {
            return (http::StatusCode::from_u16(status).unwrap(), "no more of this\nsecond line\n".into());
        }
    }
    (http::StatusCode::OK, String::new())
}

async fn timeout<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it happens within a minute")
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

fn broadcast(targets: Targets, tools: Tools) -> Broadcast {
    let (scene, clock) = (Scene::test().unwrap(), Clock::new(now));
    Broadcast { scene, preset: Preset::Ultrafast, tools, clock, targets }
}

/// The decode times of a body's samples in ticks, with whether they are sync samples, and the timescale.
fn samples(body: &[u8]) -> (Vec<(i64, bool)>, i64) {
    let mut splitter = Splitter::new();
    splitter.feed(bytes::Bytes::copy_from_slice(body));
    let (mut samples, mut scale) = (Vec::new(), 0);
    while let Some(event) = splitter.next().unwrap() {
        match event {
            Live::Header(header) => scale = i64::from(header.timescale().ticks_per_second()),
            Live::Chunk(chunk) => {
                assert!(chunk.captured.is_some(), "it says when it was made");
                samples.extend(chunk.samples.iter().map(|sample| (sample.decode, sample.sync)));
            }
        }
    }
    splitter.finish().unwrap();
    (samples, scale)
}

/// How many pictures a body has by now, five in a chunk.
fn frames(body: &[u8]) -> usize {
    body.windows(4).filter(|four| four == b"moof").count() * 5
}

#[tokio::test]
async fn a_show_arrives_on_the_grid_of_unix_time_and_ends_when_it_is_told_to() {
    let origin = Origin::default();
    let (targets, _serving) = origin.clone().open().await;
    let (broadcast, cancel) = (broadcast(targets, Tools::default()), Cancel::new());
    let (events, mut told) = mpsc::channel(16);
    let began = now();
    let watch = async {
        // More than two seconds, so that a key frame is among them.
        origin
            .until(|state| state.bodies.get("video-360").is_some_and(|bodies| bodies[0].len() > 250_000))
            .await;
        let lag = now();
        cancel.cancel();
        lag
    };
    let (ended, lag) = timeout(async { tokio::join!(broadcast.run(&events, &cancel), watch) }).await;
    ended.unwrap();
    drop(events);
    assert_eq!(told.recv().await, Some(Event::Started));
    assert_eq!(told.recv().await, None);

    for track in ["video-360", "video-180"] {
        let bodies = origin.bodies(track);
        assert_eq!(bodies.len(), 1);
        let (samples, scale) = samples(&bodies[0]);
        assert_eq!(scale, 15_360);
        for pair in samples.windows(2) {
            assert_eq!(pair[1].0 - pair[0].0, 512);
        }
        assert!(samples[0].1 && samples.iter().filter(|(_, sync)| *sync).count() >= 2);
        for (time, sync) in &samples[1..] {
            assert_eq!(*sync, time % (2 * scale) == 0, "{track} {time}");
        }
        let seconds =
            |ticks: i64| Duration::from_micros(u64::try_from(ticks / 512).unwrap() * 1_000_000 / 30);
        let (first, last) = (seconds(samples[0].0), seconds(samples[samples.len() - 1].0));
        assert!(first > began && first < began + Duration::from_secs(1), "{first:?} {began:?}");
        assert!(last < lag + Duration::from_secs(1), "{last:?} {lag:?}");
    }
    let (samples, scale) = samples(&origin.bodies("audio")[0]);
    assert_eq!(scale, 48_000);
    assert!(samples.len() > 90 && samples.iter().all(|(time, _)| time % 1_024 == 0), "{samples:?}");
}

#[tokio::test]
async fn a_file_goes_round_without_a_seam() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tools) = (folder.path().join("clip.mp4"), Tools::default());
    crate::clip::make(&tools, &file, 1, &Cancel::new()).await.unwrap();
    let source = Source::probe(&file, &tools, &Cancel::new()).await.unwrap();
    let origin = Origin::default();
    let (targets, _serving) = origin.clone().open().await;
    let broadcast = Broadcast { scene: Scene::file(source).unwrap(), ..broadcast(targets, tools) };
    let cancel = Cancel::new();
    let (events, _told) = mpsc::channel(16);
    let watch = async {
        // Three rounds.
        let long =
            |state: &State_| state.bodies.get("video-360").is_some_and(|bodies| frames(&bodies[0]) > 100);
        origin.until(long).await;
        cancel.cancel();
    };
    timeout(async { tokio::join!(broadcast.run(&events, &cancel), watch) }).await.0.unwrap();
    for (track, step) in [("video-360", 512), ("video-240", 512), ("audio", 1_024)] {
        let (samples, _) = samples(&origin.bodies(track)[0]);
        assert!(samples.len() > 90, "{track}: {}", samples.len());
        for pair in samples.windows(2) {
            assert_eq!(pair[1].0 - pair[0].0, step, "{track}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_answered_early_is_made_again() {
    let origin = Origin::default();
    origin.look(|state| {
        // The one is told that its show is over, the other only that it should come again.
        state.refusals.insert("video-360".into(), (60_000, 409));
        state.refusals.insert("video-180".into(), (30_000, 503));
    });
    let (targets, _serving) = origin.clone().open().await;
    let (broadcast, cancel) = (broadcast(targets, Tools::default()), Cancel::new());
    let (events, mut told) = mpsc::channel(16);
    let watch = async {
        let again = |state: &State_, track| {
            state
                .bodies
                .get(track)
                .is_some_and(|bodies: &Vec<Vec<u8>>| bodies.len() == 2 && bodies[1].len() > 40_000)
        };
        origin.until(|state| again(state, "video-360") && again(state, "video-180")).await;
        cancel.cancel();
    };
    timeout(async { tokio::join!(broadcast.run(&events, &cancel), watch) }).await.0.unwrap();
    drop(events);
    let mut interrupted = Vec::new();
    while let Some(event) = told.recv().await {
        interrupted.extend(match event {
            Event::Interrupted(track, what) => Some((track.to_string(), what)),
            _ => None,
        });
    }
    interrupted.sort();
    assert_eq!(
        interrupted,
        [
            ("video-180".to_owned(), "503 Service Unavailable: no more of this".to_owned()),
            ("video-360".to_owned(), "409 Conflict: no more of this".to_owned()),
        ]
    );
    let overlap = |track| {
        let bodies = origin.bodies(track);
        // The refused body may end in the middle of a chunk.
        let mut whole = Splitter::new();
        whole.feed(bodies[0].clone().into());
        let mut last = 0;
        while let Ok(Some(event)) = whole.next() {
            if let Live::Chunk(chunk) = event {
                last = chunk.samples[chunk.samples.len() - 1].decode;
            }
        }
        let (samples, _) = samples(&bodies[1]);
        samples[0].0 <= last
    };
    assert!(overlap("video-180"), "the last two seconds are sent again");
    assert!(!overlap("video-360"), "nothing of the ended show is sent to the next one");
}

/// ffmpeg, which writes the number of its process into a file before it begins.
fn told_by_pid(folder: &Path) -> (Tools, PathBuf) {
    let (script, pid) = (folder.join("ffmpeg"), folder.join("pid"));
    std::fs::write(&script, format!("#!/bin/sh\necho $$ > {}\nexec ffmpeg \"$@\"\n", pid.display())).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (Tools { ffmpeg: script, ..Tools::default() }, pid)
}

async fn signal(name: &str, pid: &Path) {
    let pid = std::fs::read_to_string(pid).unwrap();
    let sent = tokio::process::Command::new("kill").args(["-s", name, pid.trim()]).status().await.unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn a_tool_that_hangs_is_started_again_too() {
    let origin = Origin::default();
    let (targets, _serving) = origin.clone().open().await;
    let folder = tempfile::tempdir().unwrap();
    let (tools, pid) = told_by_pid(folder.path());
    let (broadcast, cancel) = (broadcast(targets, tools), Cancel::new());
    let (events, mut told) = mpsc::channel(16);
    let watch = async {
        let begun = |state: &State_, number: usize| {
            let bodies = state.bodies.get("video-360");
            bodies.is_some_and(|bodies| bodies.get(number).is_some_and(|body| !body.is_empty()))
        };
        origin.until(|state| begun(state, 0)).await;
        signal("STOP", &pid).await;
        origin.until(|state| begun(state, 1)).await;
        cancel.cancel();
    };
    timeout(async { tokio::join!(broadcast.run(&events, &cancel), watch) }).await.0.unwrap();
    assert_eq!(told.recv().await, Some(Event::Started));
    let stopped = Event::Stopped("ffmpeg: expected media within 4 s, found none".into());
    assert_eq!(told.recv().await, Some(stopped));
}

#[tokio::test]
async fn a_tool_that_is_killed_is_started_again_and_the_show_goes_on() {
    let origin = Origin::default();
    let (targets, _serving) = origin.clone().open().await;
    let folder = tempfile::tempdir().unwrap();
    let (tools, pid) = told_by_pid(folder.path());
    let (broadcast, cancel) = (broadcast(targets, tools), Cancel::new());
    let (events, mut told) = mpsc::channel(16);
    let watch = async {
        let sent = |state: &State_, number: usize| {
            state
                .bodies
                .get("video-360")
                .is_some_and(|bodies| bodies.get(number).is_some_and(|body| body.len() > 60_000))
        };
        origin.until(|state| sent(state, 0)).await;
        signal("KILL", &pid).await;
        origin.until(|state| sent(state, 1)).await;
        cancel.cancel();
    };
    timeout(async { tokio::join!(broadcast.run(&events, &cancel), watch) }).await.0.unwrap();
    drop(events);
    let mut all = Vec::new();
    while let Some(event) = told.recv().await {
        all.push(event);
    }
    assert_eq!(all, [Event::Started, Event::Stopped("signal: 9 (SIGKILL)".into()), Event::Started]);
    let bodies = origin.bodies("video-360");
    let header = |body: &[u8]| body[..body.windows(4).position(|four| four == b"moof").unwrap()].to_vec();
    let head = |body: &[u8]| {
        let header = header(body);
        header[..header.windows(4).position(|four| four == b"prft").unwrap() - 4].to_vec()
    };
    assert_eq!(head(&bodies[0]), head(&bodies[1]), "the next run has the same header");
    for (track, step) in [("video-360", 512), ("video-180", 512), ("audio", 1_024)] {
        let bodies = origin.bodies(track);
        let ((former, _), (next, _)) = (samples(&bodies[0]), samples(&bodies[1]));
        let end = former[former.len() - 1].0 + step;
        let on = next.iter().find(|(time, _)| *time == end);
        assert!(
            on.is_some_and(|(_, sync)| *sync),
            "{track}: decoding goes on where it ended: {end} {next:?}"
        );
        assert!(next[0].0 < end, "{track}: it repeats a little");
        for pair in next.windows(2) {
            assert_eq!(pair[1].0 - pair[0].0, step, "{track}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_never_makes_anything_is_an_error_and_not_a_loop() {
    let (targets, _serving) = Origin::default().open().await;
    let (events, _told) = mpsc::channel(16);
    for (ffmpeg, said) in [
        ("no-such-tool", "no-such-tool: expected a program that can be run, found none"),
        ("false", "false: expected a live show, found exit status: 1"),
    ] {
        let tools = Tools { ffmpeg: ffmpeg.into(), ..Tools::default() };
        let ended = timeout(broadcast(targets.clone(), tools).run(&events, &Cancel::new())).await;
        assert_eq!(ended.unwrap_err().to_string(), said);
    }
}
