//! What the tests of whole jobs have in common: a folder of their own, small inputs, and looks from outside.

#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use forebay_transcoder::job::{Event, Events, Job, Options, Outcome};
use forebay_transcoder::ladder::{Preset, Settings};
use forebay_transcoder::publishing::{MemoryPublishing, Publishing};
use forebay_transcoder::{Cancel, Error};
use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use packager::asset::AssetName;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// One test's world.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) publishing: MemoryPublishing,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_store(Arc::new(InMemory::new()))
    }

    pub(crate) fn with_store(store: Arc<dyn ObjectStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        Self { folder, store, publishing: MemoryPublishing::new() }
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// A file made by ffmpeg from these arguments, with the file's own name last.
    pub(crate) fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        ffmpeg(arguments.split_whitespace().map(OsStr::new).chain([path.as_os_str()]));
        path
    }

    /// 640x360 at 30 frames, with a tone, for so many seconds.
    pub(crate) fn clip(&self, seconds: u32) -> PathBuf {
        self.make("clip.mp4", &format!("{} {} {H264} {AAC}", picture("640x360", seconds), tone(440, seconds)))
    }

    pub(crate) fn job(&self, input: &Path) -> Job {
        let mut options = Options::new(self.scratch());
        // The same tests for another version of the encoder.
        if let Some(other) = std::env::var_os("FOREBAY_TEST_FFMPEG") {
            options.tools.ffmpeg = other.into();
        }
        options.settings = Settings { preset: Preset::Ultrafast, ..Settings::default() };
        Job { input: input.to_owned(), asset: show(), options }
    }

    pub(crate) async fn run(&self, input: &Path) -> Result<Outcome, Error> {
        self.run_job(&self.job(input), &Cancel::new()).await
    }

    pub(crate) async fn run_job(&self, job: &Job, cancel: &Cancel) -> Result<Outcome, Error> {
        let (events, _seen) = events();
        job.run(Arc::clone(&self.store), &self.publishing, &events, cancel).await
    }

    /// A tool that is a shell script.
    pub(crate) fn script(&self, name: &str, script: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// All objects' paths, in order.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        let mut paths: Vec<_> = listed.into_iter().map(|object| object.location.to_string()).collect();
        paths.sort();
        paths
    }

    pub(crate) async fn object(&self, path: &str) -> Vec<u8> {
        self.store.get(&path.into()).await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// A copy of an object as a file, for tools that read files.
    pub(crate) async fn copy(&self, path: &str) -> PathBuf {
        let file = self.folder.path().join(path.replace('/', "_"));
        std::fs::write(&file, self.object(path).await).unwrap();
        file
    }

    pub(crate) async fn current(&self) -> Option<String> {
        self.publishing.current(&show()).await.unwrap().map(|revision| revision.to_string())
    }

    /// Nothing was left in the folder for temporary files.
    pub(crate) fn scratch_is_empty(&self) -> bool {
        std::fs::read_dir(self.scratch()).unwrap().next().is_none()
    }
}

pub(crate) fn show() -> AssetName {
    "show".parse().unwrap()
}

pub(crate) fn events() -> (Events, mpsc::Receiver<Event>) {
    mpsc::channel(1024)
}

pub(crate) fn picture(size: &str, seconds: u32) -> String {
    format!("-f lavfi -i testsrc2=size={size}:rate=30:duration={seconds}")
}

pub(crate) fn tone(hertz: u32, seconds: u32) -> String {
    format!("-f lavfi -i sine=frequency={hertz}:sample_rate=44100:duration={seconds}")
}

pub(crate) const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
pub(crate) const AAC: &str = "-c:a aac";

pub(crate) fn ffmpeg<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Vec<u8> {
    tool("ffmpeg", ["-v", "error", "-nostdin", "-y"].map(OsStr::new).into_iter().chain(arguments))
}

/// What ffprobe says of a file, one entry a line.
pub(crate) fn ffprobe(entries: &str, file: &Path) -> Vec<String> {
    let arguments = ["-v", "error", "-of", "csv=p=0", "-show_entries", entries].map(OsStr::new);
    let out = tool("ffprobe", arguments.into_iter().chain([file.as_os_str()]));
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

fn tool<'a>(name: &str, arguments: impl Iterator<Item = &'a OsStr>) -> Vec<u8> {
    let output = Command::new(name).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The processes that are alive and have `text` among their arguments.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        // A zombie has no arguments any more.
        if String::from_utf8_lossy(&line).contains(text) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
