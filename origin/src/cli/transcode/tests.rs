use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::cli::End;
use crate::cli::tests::{Buffer, forebay};
use crate::config::{Database, DatabaseUrl};
use crate::db;

/// A folder with two seconds of moving picture and tone.
fn clip() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=2"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:duration=2",
            "-pix_fmt",
            "yuv420p",
            "-preset",
            "ultrafast",
        ])
        .arg(folder.path().join("clip.mp4"))
        .status();
    assert!(made.unwrap().success());
    folder
}

/// The arguments of a job into `folder`.
fn arguments(folder: &Path, input: &str) -> Vec<String> {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (store, database) =
        (format!("file://{}", at("media")), format!("sqlite://{}", at("state/forebay.db")));
    let words = ["transcode", &at(input), "--asset", "show", "--preset", "ultrafast"];
    let places = ["--store", &store, "--database", &database];
    words.into_iter().chain(places).map(str::to_owned).collect()
}

/// What the catalogue in `folder` says of the asset.
fn current(folder: &Path) -> Option<String> {
    let database = Database::at(DatabaseUrl::Sqlite(folder.join("state/forebay.db")));
    let asked = async {
        let ports = db::open(&database).await.unwrap();
        ports.catalog.current(&"show".parse().unwrap()).await.unwrap()
    };
    runtime().unwrap().block_on(asked).map(|revision| revision.to_string())
}

#[test]
fn a_file_becomes_the_current_revision_and_the_next_file_the_next() {
    let folder = clip();
    for revision in ["1", "2"] {
        let (code, results, words) = forebay(&arguments(folder.path(), "clip.mp4"));
        assert_eq!(code, 0, "{words}");
        assert!(results.starts_with(&format!("show {revision}: ")), "{results}");
        // Not a terminal: lines, not a bar.
        for step in ["320x240 -> video-240 ", "encoding", "checking", "storing"] {
            assert!(words.lines().any(|line| line.starts_with(step)), "{step}: {words}");
        }
        assert!(!words.contains('\r') && !words.contains('\u{1b}'), "{words:?}");
        assert_eq!(current(folder.path()).as_deref(), Some(revision));
        assert!(folder.path().join("media/vod/show").join(revision).join("asset.json").exists());
    }
}

#[test]
fn a_wrong_input_is_one_line_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.mp4"), "this is not a video").unwrap();
    for input in ["text.mp4", "none.mp4"] {
        let (code, results, words) = forebay(&arguments(folder.path(), input));
        assert_eq!((code, results.as_str()), (1, ""), "{words}");
        assert!(words.starts_with(&format!("forebay: {input}: ")) && words.lines().count() == 1, "{words}");
        assert_eq!(current(folder.path()), None);
    }
}

#[test]
fn an_interrupted_job_publishes_nothing() {
    let folder = clip();
    let args = arguments(folder.path(), "clip.mp4");
    let args = <crate::cli::Forebay as clap::Parser>::try_parse_from(
        std::iter::once("forebay".to_owned()).chain(args),
    );
    let crate::cli::Verb::Transcode(args) = args.unwrap().verb else { panic!("another verb") };
    let plan = plan(args).unwrap();
    let words = Buffer::default();
    let output = Output::buffers(Buffer::default(), words.clone());
    let ended = runtime().unwrap().block_on(transcode(&plan, &output, std::future::ready(Ok(()))));
    assert_eq!(ended.unwrap(), End::Interrupted);
    assert!(words.text().ends_with("forebay: interrupted: nothing was published\n"), "{}", words.text());
    assert_eq!(current(folder.path()), None);
    assert!(!folder.path().join("media/vod").exists());
}

#[test]
fn a_place_is_needed_and_a_foreign_one_is_refused() {
    let (code, ..) = forebay(&["transcode", "clip.mp4", "--asset", "show"]);
    assert_eq!(code, 2);
    let (code, ..) = forebay(&["transcode", "clip.mp4", "--asset", "show", "--store", "file://x"]);
    assert_eq!(code, 2);
    let (code, _, words) = forebay(&[
        "transcode",
        "clip.mp4",
        "--asset",
        "show",
        "--store",
        "gs://x",
        "--database",
        "sqlite://x",
    ]);
    assert_eq!(
        (code, words.as_str()),
        (1, "forebay: gs:// is not supported by this build; supported: file://, s3://\n")
    );
    let (code, _, words) =
        forebay(&["transcode", "clip.mp4", "--asset", "../show", "--store", "x", "--database", "x"]);
    assert!(code == 2 && words.contains("expected an asset name"), "{words}");
}
