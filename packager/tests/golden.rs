//! Whole files through the packager, held against goldens that a person can read.
//!
//! `FOREBAY_BLESS=1 cargo test -p forebay-packager` writes them anew. When a segment's hash changes,
//! `FORMAT_VERSION` must move: caches hold the former bytes under the former tags.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test reads its files"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use forebay_packager::export;
use forebay_packager::fuzzing::read;
use forebay_packager::playlist::{media_playlist, multivariant_playlist};
use forebay_packager::presentation::{Presentation, Rendition, name_tracks};
use forebay_packager::segment::{Assembler, FORMAT_VERSION, Need, Plan, init_segment};
use forebay_packager::time::{MediaTime, Msn};
use sha2::{Digest, Sha256};

#[path = "dump/mod.rs"]
mod dump;
use dump::dump;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn present(name: &str) -> (Vec<u8>, Presentation, String) {
    let object = std::fs::read(fixtures().join(name)).unwrap();
    let movie = read(&object).unwrap();
    let tracks = movie.tracks.into_iter().map(|t| (0, [7; 32], t)).collect();
    let (presentation, more) =
        Presentation::plan(name_tracks(tracks).unwrap(), MediaTime::from_millis(2000)).unwrap();
    let anomalies: String = movie.anomalies.iter().chain(&more).map(|a| format!("anomaly: {a}\n")).collect();
    (object, presentation, anomalies)
}

fn segment(object: &[u8], rendition: &Rendition, msn: Msn) -> Option<Vec<u8>> {
    let mut assembler = Assembler::whole(Plan::segment(rendition, msn).unwrap()?);
    let mut out = Vec::new();
    loop {
        match assembler.next() {
            Need::Done => return Some(out),
            Need::Piece(piece) => out.extend_from_slice(&piece),
            Need::Media(range) => {
                let bytes = object[range.start() as usize..range.end() as usize].to_vec();
                assembler.feed(bytes.into());
            }
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

fn describe(name: &str) -> String {
    let (object, presentation, anomalies) = present(name);
    let mut out = format!(
        "format {FORMAT_VERSION}\n{anomalies}\n== main.m3u8\n{}",
        multivariant_playlist(&presentation, "1/")
    );
    for rendition in presentation.renditions() {
        let _ =
            write!(out, "\n== {}/index.m3u8\n{}", rendition.name(), media_playlist(&presentation, rendition));
        let init = init_segment(rendition).unwrap();
        let _ = writeln!(out, "\n== {}/init.mp4 {}", rendition.name(), hash(&init));
        dump(&init, 0, &mut out);
        for number in 0..rendition.segment_count() {
            match segment(&object, rendition, Msn(number)) {
                None => {
                    let _ = writeln!(out, "== {}/{number}.m4s gap", rendition.name());
                }
                Some(bytes) => {
                    let _ = writeln!(out, "== {}/{number}.m4s {}", rendition.name(), hash(&bytes));
                    dump(&bytes, 0, &mut out);
                }
            }
        }
    }
    out
}

/// The boxes of exports: of all there is, and of a piece between two keyframes.
fn describe_exports(name: &str) -> String {
    let (object, presentation, _) = present(name);
    let renditions: Vec<&Rendition> = presentation.renditions().iter().map(|r| &**r).collect();
    let piece = MediaTime::from_millis(2700)..MediaTime::from_millis(4100);
    let mut out = format!("format {FORMAT_VERSION}\n");
    for range in [export::whole(&renditions), piece] {
        let plan = export::Plan::of(&renditions, &range).unwrap().unwrap();
        let mut assembler = export::Assembler::whole(plan);
        let mut bytes = Vec::new();
        loop {
            match assembler.next() {
                export::Need::Done => break,
                export::Need::Piece(piece) => bytes.extend_from_slice(&piece),
                export::Need::Media(export::Media { range, .. }) => {
                    assembler.feed(object[range.start() as usize..range.end() as usize].to_vec().into());
                }
            }
        }
        let _ = writeln!(out, "\n== {} to {} {}", range.start, range.end, hash(&bytes));
        dump(&bytes, 0, &mut out);
    }
    out
}

fn check(name: &str) {
    hold(name, &describe(name));
}

fn hold(name: &str, given: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::write(&golden, given).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(given == wanted, "{name} differs from its golden; FOREBAY_BLESS=1 writes it anew:\n{given}");
}

#[test]
fn a_progressive_file_with_moov_last_is_packaged_as_before() {
    check("moov-last.mp4");
}

#[test]
fn a_fragmented_file_is_packaged_as_before() {
    check("fragmented.mp4");
}

#[test]
fn sound_that_starts_late_leaves_gaps() {
    check("late-audio.mp4");
}

#[test]
fn sound_alone_is_its_own_variant() {
    check("audio.mp4");
}

#[test]
fn exports_are_written_as_before() {
    hold("export-late-audio.mp4", &describe_exports("late-audio.mp4"));
}

#[test]
fn where_moov_stands_does_not_change_a_byte() {
    let (last, a, _) = present("moov-last.mp4");
    let (first, b, _) = present("moov-first.mp4");
    for (a, b) in a.renditions().iter().zip(b.renditions()) {
        for number in 0..a.segment_count() {
            assert_eq!(segment(&last, a, Msn(number)), segment(&first, b, Msn(number)));
        }
    }
}

#[test]
fn the_folder_is_written_where_a_person_asks_for_it() {
    let Some(out) = std::env::var_os("FOREBAY_OUT").map(PathBuf::from) else { return };
    for name in ["moov-last.mp4", "fragmented.mp4", "late-audio.mp4", "audio.mp4"] {
        let (object, presentation, _) = present(name);
        let folder = out.join(name);
        for rendition in presentation.renditions() {
            let to = folder.join(rendition.name().as_str());
            std::fs::create_dir_all(&to).unwrap();
            std::fs::write(to.join("index.m3u8"), media_playlist(&presentation, rendition)).unwrap();
            std::fs::write(to.join("init.mp4"), init_segment(rendition).unwrap()).unwrap();
            for number in 0..rendition.segment_count() {
                if let Some(bytes) = segment(&object, rendition, Msn(number)) {
                    std::fs::write(to.join(format!("{number}.m4s")), bytes).unwrap();
                }
            }
        }
        std::fs::write(folder.join("main.m3u8"), multivariant_playlist(&presentation, "")).unwrap();
    }
}
