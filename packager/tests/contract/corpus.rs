//! The corpus of each fuzz target, run through its body.
//!
//! `FOREBAY_BLESS=1` writes the named hostile files into it; what a fuzzer finds is put beside them.

use forebay_packager::fuzzing::{self, read};
use sha2::{Digest as _, Sha256};

use super::hostile::cases;
use super::rig::{FIXTURES, fixture, folder};

/// A fuzz target.
type Body = fn(&[u8]);

#[test]
fn every_file_of_the_corpus_is_survived() {
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        bless();
    }
    let targets: [(&str, Body, usize); 4] = [
        ("finder", fuzzing::finder, 55),
        ("index", fuzzing::index, 20),
        ("manifest", fuzzing::manifest, 5),
        ("import", fuzzing::import, 12),
    ];
    for (target, body, least) in targets {
        let files = std::fs::read_dir(folder("corpus").join(target)).unwrap();
        let count = files.map(|file| body(&std::fs::read(file.unwrap().path()).unwrap())).count();
        assert!(count >= least, "{target}: {count} files");
    }
}

#[test]
fn every_hostile_file_is_survived_as_a_segment() {
    for target in ["finder", "live"] {
        for file in std::fs::read_dir(folder("corpus").join(target)).unwrap() {
            fuzzing::import(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }
}

#[test]
fn an_index_with_any_byte_changed_is_refused_and_one_that_was_signed_again_is_survived() {
    for name in FIXTURES {
        for track in read(&fixture(name)).unwrap().tracks {
            let index = track.to_index();
            for at in (0..index.len()).step_by(5) {
                let mut damaged = index.clone();
                damaged[at] ^= 0x41;
                assert!(forebay_packager::track::Track::from_index(&damaged).is_err(), "{name} byte {at}");
                fuzzing::index(&signed(damaged));
            }
            for len in 0..index.len() {
                assert!(forebay_packager::track::Track::from_index(&index[..len]).is_err());
            }
        }
    }
}

/// The index with the check sum of what it now holds.
fn signed(mut index: Vec<u8>) -> Vec<u8> {
    let body = index.len() - 16;
    let sum = Sha256::digest(&index[..body]);
    index[body..].copy_from_slice(&sum[..16]);
    index
}

fn bless() {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(folder("corpus").join(target)).unwrap();
        std::fs::write(folder("corpus").join(target).join(name), bytes).unwrap();
    };
    for (name, file, _) in cases() {
        // The largest are made by the test each time.
        if file.len() < 32 * 1024 {
            write("finder", name, &file);
        }
    }
    for (number, track) in FIXTURES.iter().flat_map(|n| read(&fixture(n)).unwrap().tracks).enumerate().take(2)
    {
        let index = track.to_index();
        write("index", &format!("sound-{number}"), &index);
        write("index", &format!("cut-{number}"), &index[..index.len() / 2]);
        // One byte of each field of the head, signed again.
        for at in [4, 6, 8, 12, 16, 17, 20, 24, 60, 63] {
            let mut changed = index.clone();
            changed[at] ^= 0xff;
            write("index", &format!("byte-{at}-{number}"), &signed(changed));
        }
    }
    let manifest = r#"{"format":1,"asset":"show","revision":"3","target_ms":6000,"timescale":15360,"boundaries":[0,92160],"tracks":[{"name":"video-360","kind":"video","role":"main","object":"v.mp4","index":"v.idx","bytes":1,"sha256":"SUM"}]}"#
        .replace("SUM", &"0a".repeat(32));
    for (name, text) in [
        ("sound", manifest.clone()),
        ("descending", manifest.replace("0,92160", "92160,0")),
        ("extremes", manifest.replace("0,92160", "-9223372036854775808,9223372036854775807")),
        ("dotted", manifest.replace("v.mp4", "../v.mp4")),
        ("unknown-key", manifest.replace("\"format\"", "\"x\":1,\"format\"")),
        ("deep", "[".repeat(5000)),
        ("sign-in-the-hash", manifest.replace(&"0a".repeat(32), &"+a".repeat(32))),
    ] {
        write("manifest", name, text.as_bytes());
    }
}
