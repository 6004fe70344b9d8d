//! The finder under every temper of a reader.

use forebay_packager::Error;
use forebay_packager::fuzzing::read;
use forebay_packager::mp4::Movie;
use forebay_packager::range::ByteRange;

use super::rig::{FIXTURES, fixture, read_with};

#[test]
fn a_file_is_the_same_in_one_read_in_single_bytes_and_in_short_reads() {
    for name in FIXTURES {
        let object = fixture(name);
        let whole = read(&object).unwrap();
        for step in [1, 2, 13, 1000, 8191] {
            let given = read_with(&object, |r| ByteRange::at(r.start(), r.len().min(step)));
            assert_eq!(given.as_ref(), Ok(&whole), "{name} in reads of {step}");
        }
        let mut turn = 0u64;
        let given = read_with(&object, |r| {
            turn = turn * 5 + 3;
            ByteRange::at(r.start(), r.len().min(1 + turn % 700))
        });
        assert_eq!(given.as_ref(), Ok(&whole), "{name} in reads of all lengths");
    }
}

#[test]
fn only_what_lies_in_the_object_is_asked_for_and_never_twice() {
    for name in FIXTURES {
        let object = fixture(name);
        let mut reached = 0;
        read_with(&object, |range| {
            assert!(!range.is_empty() && range.start() >= reached, "{name}: {range:?} after {reached}");
            assert!(range.end() <= object.len() as u64, "{name}: {range:?}");
            reached = range.end();
            range
        })
        .unwrap();
    }
}

#[test]
fn a_store_that_fails_at_any_byte_is_an_error_that_says_what_was_missing() {
    for name in FIXTURES {
        let object = fixture(name);
        let mut needed = 0;
        read_with(&object, |range| {
            needed = range.end();
            range
        })
        .unwrap();
        for broken in (0..needed).step_by(97) {
            let given = read_with(&object, |range| match range.start() < broken {
                true => ByteRange::new(range.start(), range.end().min(broken)),
                false => ByteRange::default(),
            });
            match given {
                Err(Error::Truncated { needed, size }) => {
                    assert!(needed.end() > broken && size == object.len() as u64, "{name} at {broken}");
                }
                // What lies behind the last byte that matters is read ahead, and not missed.
                Ok(movie) => assert_eq!(Ok(movie), read(&object), "{name} at {broken}"),
                Err(error) => panic!("{name} at {broken}: {error}"),
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_is_an_error_or_its_whole_fragments() {
    for name in FIXTURES {
        let object = fixture(name);
        let whole = read(&object).unwrap();
        let mut served = 0;
        for len in (0..object.len()).step_by(97) {
            match read(&object[..len]) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(movie) => {
                    assert_eq!(name, "fragmented.mp4", "cut at {len}");
                    assert!(!movie.anomalies.is_empty(), "cut at {len}: nobody is told");
                    begins_like(&movie, &whole, len as u64);
                    served += 1;
                }
            }
        }
        assert_eq!(served > 0, name == "fragmented.mp4", "{name}");
    }
}

/// Every sample of `cut` is one of `whole`, and lies before byte `len`.
fn begins_like(cut: &Movie, whole: &Movie, len: u64) {
    for (a, b) in cut.tracks.iter().zip(&whole.tracks) {
        let count = a.samples().len();
        assert!(count <= b.samples().len());
        assert!(a.samples().samples(0..count).eq(b.samples().samples(0..count)));
        assert!(a.samples().byte_ranges(0..count).iter().all(|r| r.end() <= len));
    }
}
