//! Files that no writer would make, each under its name. They are also the corpus of the fuzz target.

use forebay_packager::Error;
use forebay_packager::fuzzing::{finder, read};

use super::clip::{Clip, atom, flagged, full, mvhd, words};

/// What must come of a file.
pub(crate) enum Fate {
    /// It is served, perhaps in part.
    Served,
    /// The file ends too early.
    Truncated,
    /// A box breaks the format.
    Malformed,
    /// More than we are ready to read.
    TooLarge,
    /// Nothing in it can be served.
    NoTrack,
}

use Fate::{Malformed, NoTrack, Served, TooLarge, Truncated};

#[test]
fn each_strange_file_meets_its_fate() {
    for (name, file, fate) in cases() {
        let given = survives(&file);
        let met = matches!(
            (&given, &fate),
            (Ok(_), Served)
                | (Err(Error::Truncated { .. }), Truncated)
                | (Err(Error::Malformed { .. }), Malformed)
                | (Err(Error::TooLarge { .. }), TooLarge)
                | (Err(Error::NoTrack { .. }), NoTrack)
        );
        assert!(met, "{name}: {given:?}");
    }
}

/// Reads a file and runs all of it through the fuzz body.
pub(crate) fn survives(file: &[u8]) -> Result<forebay_packager::mp4::Movie, Error> {
    finder(file);
    let given = read(file);
    if let Err(error) = &given {
        let text = error.to_string();
        assert!(text.len() < 1000 && !text.contains('\n'), "one line: {text}");
    }
    given
}

/// All of them.
pub(crate) fn cases() -> Vec<(&'static str, Vec<u8>, Fate)> {
    [tops(), tables(), edits_and_scales(), fragments()].concat_all()
}

trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T, const N: usize> ConcatAll<T> for [Vec<T>; N] {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

fn start() -> Vec<u8> {
    atom(b"ftyp", &[b"isom".as_slice(), &[0; 4]])
}

fn after_start(rest: &[Vec<u8>]) -> Vec<u8> {
    [start(), rest.concat()].concat()
}

/// Boxes at the top of a file.
fn tops() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let good = Clip::sound(40, 20);
    let file = good.file();
    let moov_at = file.windows(4).position(|w| w == b"moov").unwrap() - 4;
    let (before, moov) = file.split_at(moov_at);
    let mut to_the_end = file.clone();
    to_the_end[moov_at..moov_at + 4].fill(0);
    let mut large = (1u32).to_be_bytes().to_vec();
    large.extend(b"moov");
    large.extend((moov.len() as u64 + 8).to_be_bytes());
    large.extend(&moov[8..]);
    let sized = |size: u64| [&1u32.to_be_bytes(), b"mdat".as_slice(), &size.to_be_bytes(), &[0; 64]].concat();
    let mut deep = Vec::new();
    for _ in 0..2000 {
        deep = atom(b"udta", &[&deep]);
    }
    vec![
        ("moov-to-the-end", to_the_end, Served),
        ("moov-with-a-large-size", [before, &large].concat(), Served),
        ("moov-twice", [before, moov, moov].concat(), Served),
        ("moof-before-moov", [&before[..before.len()], &atom(b"moof", &[&[0; 64]]), moov].concat(), Served),
        ("box-of-sixteen-exbibytes", after_start(&[sized(u64::MAX)]), Truncated),
        ("box-of-fifteen-bytes", after_start(&[sized(15)]), Malformed),
        ("box-of-seven-bytes", after_start(&[words(&[7]), b"mdat".to_vec(), vec![0; 64]]), Malformed),
        ("nothing-but-boxes-of-eight", after_start(&[atom(b"free", &[]).repeat(20_000)]), Malformed),
        ("no-moov", start(), Malformed),
        ("empty-moov", after_start(&[atom(b"moov", &[])]), Malformed),
        ("moov-without-trak", after_start(&[atom(b"moov", &[&mvhd(1000)])]), NoTrack),
        ("moov-of-deep-boxes", after_start(&[atom(b"moov", &[&mvhd(1000), &deep])]), NoTrack),
        ("empty-trak", after_start(&[atom(b"moov", &[&mvhd(1000), &atom(b"trak", &[])])]), Malformed),
        ("text", b"#!/bin/sh\necho this is no film\n".to_vec(), Malformed),
        ("nothing", Vec::new(), Malformed),
        ("seven-bytes", b"\0\0\0\x10fty".to_vec(), Truncated),
        ("a-hundred-tracks", after_start(&[many_tracks(100)]), TooLarge),
    ]
}

fn many_tracks(count: u32) -> Vec<u8> {
    let clip = Clip::sound(1, 0);
    let tables = [stts(&[(1, 1024)]), stsc(&[(1, 1)]), stsz(1, 1, &[]), stco(&[0])];
    let mut boxes = mvhd(1000);
    (0..count).for_each(|id| boxes.extend(clip.trak(id + 1, &tables)));
    atom(b"moov", &[&boxes])
}

pub(crate) fn stts(runs: &[(u32, u32)]) -> Vec<u8> {
    let list: Vec<u32> = runs.iter().flat_map(|(n, d)| [*n, *d]).collect();
    full(b"stts", 0, &[words(&[runs.len() as u32]), words(&list)].concat())
}

pub(crate) fn stsc(runs: &[(u32, u32)]) -> Vec<u8> {
    let list: Vec<u32> = runs.iter().flat_map(|(first, n)| [*first, *n, 1]).collect();
    full(b"stsc", 0, &[words(&[runs.len() as u32]), words(&list)].concat())
}

pub(crate) fn stsz(size: u32, count: u32, sizes: &[u32]) -> Vec<u8> {
    full(b"stsz", 0, &[words(&[size, count]), words(sizes)].concat())
}

pub(crate) fn stco(offsets: &[u32]) -> Vec<u8> {
    full(b"stco", 0, &[words(&[offsets.len() as u32]), words(offsets)].concat())
}

/// A file of one sound track with these tables.
fn tabled(tables: &[Vec<u8>]) -> Vec<u8> {
    after_start(&[atom(b"mdat", &[&[1; 400]]), Clip::sound(0, 0).moov(tables)])
}

/// Sample tables.
fn tables() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let (durations, chunks, places) = (stts(&[(40, 1024)]), stsc(&[(1, 40)]), stco(&[24]));
    let sizes = stsz(10, 40, &[]);
    let with = |tables: &[&Vec<u8>]| tabled(&tables.iter().map(|t| (*t).clone()).collect::<Vec<_>>());
    let claims = |kind: &[u8; 4]| full(kind, 0, &words(&[u32::MAX, 1, 1]));
    let far = full(b"co64", 0, &[words(&[1]), u64::MAX.to_be_bytes().to_vec()].concat());
    let sync = |list: &[u32]| full(b"stss", 0, &[words(&[list.len() as u32]), words(list)].concat());
    vec![
        ("sound-tables", with(&[&durations, &chunks, &sizes, &places]), Served),
        ("stts-of-4-billion", with(&[&claims(b"stts"), &chunks, &sizes, &places]), Malformed),
        ("stsc-of-4-billion", with(&[&durations, &claims(b"stsc"), &sizes, &places]), Malformed),
        ("stco-of-4-billion", with(&[&durations, &chunks, &sizes, &claims(b"stco")]), Malformed),
        ("ctts-of-4-billion", with(&[&durations, &chunks, &sizes, &places, &claims(b"ctts")]), Malformed),
        ("stss-of-4-billion", with(&[&durations, &chunks, &sizes, &places, &claims(b"stss")]), Malformed),
        (
            "stsz-of-4-billion-sizes",
            with(&[&durations, &chunks, &stsz(0, u32::MAX, &[1]), &places]),
            Malformed,
        ),
        ("stsz-of-4-billion-alike", with(&[&durations, &chunks, &stsz(1, u32::MAX, &[]), &places]), TooLarge),
        (
            "stsz-of-16-million-of-nothing",
            with(&[&durations, &stsc(&[(1, u32::MAX)]), &stsz(0, 1 << 24, &[]), &places]),
            Malformed,
        ),
        (
            "samples-beyond-the-end",
            with(&[&durations, &chunks, &stsz(u32::MAX, 40, &[]), &places]),
            Truncated,
        ),
        ("co64-beyond-the-end", with(&[&durations, &chunks, &sizes, &far]), Truncated),
        ("durations-of-zero", with(&[&stts(&[(40, 0)]), &chunks, &sizes, &places]), Served),
        ("no-durations", with(&[&stts(&[]), &chunks, &sizes, &places]), Served),
        ("durations-for-a-few", with(&[&stts(&[(3, 1024)]), &chunks, &sizes, &places]), Served),
        ("durations-that-fill-weeks", with(&[&stts(&[(40, u32::MAX)]), &chunks, &sizes, &places]), Served),
        ("runs-of-nothing", with(&[&stts(&[(0, 7); 5000]), &chunks, &sizes, &places]), Served),
        ("no-chunks", with(&[&durations, &chunks, &sizes, &stco(&[])]), Malformed),
        ("empty-chunks", with(&[&durations, &stsc(&[(1, 0)]), &sizes, &stco(&[24; 5000])]), Malformed),
        ("chunks-from-two", with(&[&durations, &stsc(&[(2, 40)]), &sizes, &places]), Malformed),
        ("chunks-that-descend", with(&[&durations, &stsc(&[(1, 1), (1, 2)]), &sizes, &places]), Malformed),
        (
            "keyframes-out-of-order",
            with(&[&durations, &chunks, &sizes, &places, &sync(&[9, 3, 0, 41])]),
            Served,
        ),
        ("no-stsz", with(&[&durations, &chunks, &places]), Malformed),
        (
            "stbl-twice-the-tables",
            with(&[&durations, &durations, &chunks, &chunks, &sizes, &sizes, &places]),
            Served,
        ),
    ]
}

/// Timescales and a timeline that is too long.
fn edits_and_scales() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let scaled = |timescale, movie_scale| Clip { timescale, movie_scale, ..Clip::sound(40, 20) }.file();
    let mut priming = Clip::sound(40, 20);
    priming.edits = vec![(0, i64::from(u32::MAX) * 2)];
    // Eight days in one frame: the timeline has a hundred thousand segments without a sample.
    let mut days = Clip { timescale: 6000, ..Clip::sound(2, 20) };
    days.shots[0].duration = u32::MAX;
    let mut late = Clip::sound(40, 20);
    late.edits = vec![(u64::MAX, -1), (1, 0)];
    vec![
        ("timescale-of-zero", scaled(0, 1000), Malformed),
        ("timescale-of-one", scaled(1, 1), Served),
        ("timescale-of-4-billion", scaled(u32::MAX, u32::MAX), Served),
        ("movie-timescale-of-zero", scaled(48_000, 0), Served),
        ("a-frame-of-days", days.file(), Served),
        ("an-edit-behind-the-end", priming.file(), NoTrack),
        ("an-edit-at-the-end-of-time", late.file(), Served),
    ]
}

/// `mvex` and `moof`.
fn fragments() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let trex = |id: u32, size: u32| full(b"trex", 0, &words(&[id, 1, 1024, size, 0]));
    let moov_of = |defaults: &[u8]| {
        let empty = [stts(&[]), stsc(&[]), stsz(0, 0, &[]), stco(&[])];
        let trak = Clip::sound(0, 0).trak(1, &empty);
        atom(b"moov", &[&mvhd(1000), &trak, &atom(b"mvex", &[defaults])])
    };
    let moov = moov_of(&trex(1, 4));
    let tfhd = |id: u32| flagged(b"tfhd", 0x02_0000, &words(&[id]));
    let tfdt = |time: u64| full(b"tfdt", 1, &time.to_be_bytes());
    let trun = |count: u32, offset: i32| flagged(b"trun", 1, &words(&[count, offset.cast_unsigned()]));
    let moof = |boxes: &[Vec<u8>]| {
        atom(b"moof", &[&full(b"mfhd", 0, &words(&[1])), &atom(b"traf", &[&boxes.concat()])])
    };
    let file = |moofs: &[Vec<u8>]| after_start(&[moov.clone(), moofs.concat(), atom(b"mdat", &[&[1; 400]])]);
    let one = |trun: Vec<u8>| file(&[moof(&[tfhd(1), tfdt(0), trun])]);
    let sized =
        |sizes: &[u32]| flagged(b"trun", 0x0201, &[words(&[sizes.len() as u32, 0]), words(sizes)].concat());
    let good = moof(&[tfhd(1), tfdt(0), trun(10, 100)]);
    let jump = |time| file(&[good.clone(), moof(&[tfhd(1), tfdt(time), trun(10, 100)])]);
    vec![
        ("fragments", file(std::slice::from_ref(&good)), Served),
        ("data-before-the-file", one(trun(1, i32::MIN)), Malformed),
        ("trun-of-4-billion", one(trun(u32::MAX, 0)), TooLarge),
        ("trun-of-sizes-of-4-billion", one(sized(&[u32::MAX; 40])), Truncated),
        ("trun-that-claims-entries", one(flagged(b"trun", 0x0201, &words(&[u32::MAX, 0, 1]))), Malformed),
        ("trun-without-samples", one(trun(0, 0)), NoTrack),
        (
            "a-thousand-empty-runs",
            file(&[moof(&[vec![tfhd(1), tfdt(0)], vec![trun(0, 0); 1000]].concat())]),
            NoTrack,
        ),
        ("decode-time-at-the-end-of-time", file(&[moof(&[tfhd(1), tfdt(u64::MAX), trun(10, 100)])]), NoTrack),
        ("a-jump-to-the-end-of-time", jump(u64::MAX), Served),
        ("a-jump-back", jump(0), Served),
        (
            "a-moof-cut-off",
            file(std::slice::from_ref(&good))[..start().len() + moov.len() + 30].to_vec(),
            Truncated,
        ),
        ("traf-of-nobody", file(&[moof(&[tfhd(9), trun(10, 0)])]), NoTrack),
        ("traf-without-tfhd", file(&[moof(&[trun(10, 0)])]), Malformed),
        (
            "more-defaults-than-tracks",
            after_start(&[moov_of(&(0..5000).flat_map(|n| trex(n, 4)).collect::<Vec<u8>>())]),
            TooLarge,
        ),
        ("one-byte-in-millions-of-samples", overlapping(&moov_of(&trex(1, 1))), TooLarge),
    ]
}

/// Many runs that all claim the same bytes, a sample a byte.
fn overlapping(moov: &[u8]) -> Vec<u8> {
    let mut boxes = flagged(b"tfhd", 0x02_0000, &words(&[1]));
    (0..500).for_each(|_| boxes.extend(flagged(b"trun", 1, &words(&[40_000, 8]))));
    let moof = atom(b"moof", &[&full(b"mfhd", 0, &words(&[1])), &atom(b"traf", &[&boxes])]);
    after_start(&[moov.to_vec(), moof, atom(b"mdat", &[&vec![1; 40_000]])])
}
