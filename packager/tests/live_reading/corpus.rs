//! The corpus of the fuzz target, run through its body.
//!
//! `FOREBAY_BLESS=1` writes the named hostile streams into it; what a fuzzer finds is put beside them.

use forebay_packager::fuzzing::live;

use super::hostile::cases;
use super::rig::{folder, streams};

#[test]
fn every_stream_of_the_corpus_is_survived() {
    let corpus = folder("corpus/live");
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::create_dir_all(&corpus).unwrap();
        for (name, stream, _) in cases() {
            // The largest are made by the test each time.
            if stream.len() < 16 * 1024 {
                std::fs::write(corpus.join(name), &stream).unwrap();
            }
        }
    }
    let files = std::fs::read_dir(corpus).unwrap();
    let count = files.map(|file| live(&std::fs::read(file.unwrap().path()).unwrap())).count();
    assert!(count >= 55, "{count} files");
    streams().iter().for_each(|(_, stream)| live(stream));
}
