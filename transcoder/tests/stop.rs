//! Jobs that are stopped or fail half-way leave nothing behind: no process, no file, no object.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod rig;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use forebay_transcoder::job::{Event, Job};
use forebay_transcoder::ladder::Preset;
use forebay_transcoder::publishing::{MemoryPublishing, Published, Publishing};
use forebay_transcoder::{Cancel, Error, Kind};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use packager::asset::{AssetName, Revision};
use rig::{H264, Rig, events, picture, processes_with, show};

/// Long enough, and slow enough to make, that it is still under way when it is stopped.
fn long_job(rig: &Rig) -> Job {
    let input = rig.make("long.mp4", &format!("{} {H264}", picture("640x360", 60)));
    let mut job = rig.job(&input);
    job.options.settings.preset = Preset::Slow;
    job
}

fn scratch_of(job: &Job) -> String {
    job.options.scratch.display().to_string()
}

/// Runs the job and throws the switch at the first event for which `when` holds.
async fn cancelled_at(rig: &Rig, job: &Job, when: impl Fn(&Event) -> bool) -> Duration {
    let (events, mut seen) = events();
    let cancel = Cancel::new();
    let watch = async {
        while let Some(event) = seen.recv().await {
            if when(&event) {
                cancel.cancel();
                return Instant::now();
            }
        }
        panic!("the job never came so far");
    };
    let run = job.run(Arc::clone(&rig.store), &rig.publishing, &events, &cancel);
    let (ended, thrown) = tokio::join!(run, watch);
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    thrown.elapsed()
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_encodes_leaves_nothing() {
    let rig = Rig::new();
    let job = long_job(&rig);
    let encoding = |event: &Event| {
        let under_way = matches!(event, Event::Encoding(progress) if progress.frame > 0);
        if under_way {
            // The look itself is tested here: while it encodes, it does find the encoder.
            assert_eq!(processes_with(&scratch_of(&job)).len(), 1);
        }
        under_way
    };
    let took = cancelled_at(&rig, &job, encoding).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(processes_with(&scratch_of(&job)), Vec::<String>::new());
    assert!(rig.scratch_is_empty());
    assert_eq!(rig.objects().await, Vec::<String>::new());
    assert_eq!(rig.current().await, None);
}

#[tokio::test]
async fn a_job_that_is_cancelled_at_any_other_stage_leaves_nothing_and_the_former_revision() {
    let slow = ThrottleConfig { wait_put_per_call: Duration::from_millis(20), ..ThrottleConfig::default() };
    let rig = Rig::with_store(Arc::new(ThrottledStore::new(InMemory::new(), slow)));
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 2)));
    let job = rig.job(&input);
    rig.run(&input).await.unwrap();
    let before = rig.objects().await;
    let stages: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Probing),
        |event| matches!(event, Event::Fitted { .. }),
        |event| matches!(event, Event::Verifying),
        |event| matches!(event, Event::Storing { .. }),
    ];
    for stage in stages {
        cancelled_at(&rig, &job, stage).await;
        assert_eq!(processes_with(&scratch_of(&job)), Vec::<String>::new());
        assert!(rig.scratch_is_empty());
        assert_eq!(rig.objects().await, before);
        assert_eq!(rig.current().await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn a_job_that_is_dropped_takes_its_encoder_along() {
    let rig = Rig::new();
    let job = long_job(&rig);
    let (events, mut seen) = events();
    let (store, cancel) = (Arc::clone(&rig.store), Cancel::new());
    {
        let run = job.run(store, &rig.publishing, &events, &cancel);
        let until_it_encodes = async {
            while let Some(event) = seen.recv().await {
                if matches!(event, Event::Encoding(progress) if progress.frame > 0) {
                    return;
                }
            }
        };
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = until_it_encodes => {}
        }
    }
    gone(&scratch_of(&job));
    assert!(rig.scratch_is_empty());
}

/// Waits until no process has `text` among its arguments, and fails if that takes long.
fn gone(text: &str) {
    let since = Instant::now();
    while !processes_with(text).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(10), "{:?} are still there", processes_with(text));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test of its own: the process that the test below kills.
#[tokio::test]
#[ignore = "run by a_killed_process_leaves_no_encoder"]
async fn a_process_to_be_killed() {
    // Nobody to kill it where all ignored tests are run.
    let Some(folder) = std::env::var_os("FOREBAY_TEST_FOLDER").map(PathBuf::from) else { return };
    let rig = Rig::new();
    let mut job = rig.job(&folder.join("long.mp4"));
    job.options.scratch = folder.join("scratch");
    job.options.settings.preset = Preset::Slow;
    panic!("{:?}", rig.run_job(&job, &Cancel::new()).await);
}

#[test]
fn a_killed_process_leaves_no_encoder() {
    let rig = Rig::new();
    let job = long_job(&rig);
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_to_be_killed", "--ignored"])
        .env("FOREBAY_TEST_FOLDER", rig.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    // The encoder's arguments name its outputs. It is waited for until setpriv has become the encoder: before that
    // the kernel may not have been asked yet.
    let outputs = format!("{}/forebay-job-", scratch_of(&job));
    let command = |id: &String| std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let encodes = |id: &String| !command(id).is_empty() && !command(id).starts_with(b"setpriv");
    while !processes_with(&outputs).iter().any(encodes) {
        assert!(since.elapsed() < Duration::from_secs(30) && process.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    gone(&outputs);
}

#[tokio::test]
async fn a_store_that_fails_half_way_is_cleaned() {
    let root = tempfile::tempdir().unwrap();
    let rig = Rig::with_store(Arc::new(LocalFileSystem::new_with_prefix(root.path()).unwrap()));
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    // A folder stands where the last object is to be.
    let obstacle = root.path().join("vod/show/1/asset.json/in the way");
    std::fs::create_dir_all(&obstacle).unwrap();
    let error = rig.run(&input).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert!(
        error.to_string().starts_with("object vod/show/1/asset.json: expected the store to take it"),
        "{error}"
    );
    let left: Vec<_> = std::fs::read_dir(root.path().join("vod/show/1")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(rig.current().await, None);
    // The next revision's folder is free.
    assert_eq!(rig.run(&input).await.unwrap().revision, Revision::counted(2));
}

/// Fails each publish.
struct Failing {
    port: MemoryPublishing,
    how: How,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    WithoutEffect,
    AfterItTookEffect,
    AfterItTookEffectAndForGood,
}

#[async_trait]
impl Publishing for Failing {
    async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
        self.port.begin(asset).await
    }

    async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
        if self.how != How::WithoutEffect {
            self.port.publish(asset, revision).await?;
        }
        Err(Error::catalogue("publish a revision", "the connection was lost"))
    }

    async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
        self.port.withdraw(asset).await
    }

    async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
        self.port.is_withdrawn(asset).await
    }

    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
        if self.how == How::AfterItTookEffectAndForGood {
            return Err(Error::catalogue("name the current revision", "the connection was lost"));
        }
        self.port.current(asset).await
    }
}

#[tokio::test]
async fn a_catalogue_that_fails_is_asked_what_it_did() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    let (events, _seen) = events();
    for (how, objects) in
        [(How::WithoutEffect, 0), (How::AfterItTookEffect, 3), (How::AfterItTookEffectAndForGood, 3)]
    {
        let port = Failing { port: MemoryPublishing::new(), how };
        let ended = rig.job(&input).run(Arc::clone(&rig.store), &port, &events, &Cancel::new()).await;
        // What is served is never deleted, also where nobody can say that it is served.
        assert_eq!(rig.objects().await.len(), objects);
        if how == How::AfterItTookEffect {
            assert_eq!(ended.unwrap().published, Published::Current);
            assert_eq!(port.current(&show()).await.unwrap(), Some(Revision::counted(1)));
        } else {
            let error = ended.unwrap_err();
            assert_eq!(error.kind(), Kind::Catalogue);
            assert!(error.to_string().ends_with("it failed: the connection was lost"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_although_ffmpeg_says_that_all_is_well() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("320x180", 1)));
    let mut job = rig.job(&input);
    // It ends with success although nothing could be written.
    let full = "exec ffmpeg -y -loglevel level+error -f lavfi -i testsrc2=d=1 -c:v libx264 -f mp4 \
                -movflags frag_keyframe+delay_moov /dev/full";
    job.options.tools.ffmpeg = rig.script("full", full);
    let error = rig.run_job(&job, &Cancel::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Machine);
    assert!(error.to_string().ends_with("expected room for the renditions, no space left"), "{error}");
    assert!(rig.scratch_is_empty());
}

#[tokio::test]
async fn nothing_is_stored_of_a_ladder_that_does_not_pass() {
    let rig = Rig::new();
    let input = rig.make("clip.mp4", &format!("{} {H264}", picture("640x360", 2)));
    let mut job = rig.job(&input);
    let spoil = "ffmpeg \"$@\" || exit\nfor last; do :; done\ntruncate -s -500 \"${last#file:}\"";
    job.options.tools.ffmpeg = rig.script("spoil", spoil);
    let error = rig.run_job(&job, &Cancel::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Rendition { rendition, .. } if rendition == "video-240"), "{error}");
    assert_eq!(rig.objects().await, Vec::<String>::new());
    assert!(rig.scratch_is_empty());
}
