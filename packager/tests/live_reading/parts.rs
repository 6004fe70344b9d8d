//! Parts that are made of samples: what other readers see in them, and what they look like.

use std::io::Write as _;
use std::process::{Command, Stdio};

use bytes::Bytes;
use forebay_packager::fuzzing::read as read_file;
use forebay_packager::live::{Event, Header, Sample, Splitter, mux};

use super::rig::{fed, folder, read, samples, streams};
use super::sender::{clip, header, header_of, trex};

/// The parts of some samples, so many in each.
fn parts(header: &Header, samples: &[Sample], of: usize) -> Vec<Bytes> {
    let part = |(n, part): (usize, &[Sample])| mux(header, n as u32 + 1, &[], part).concat().into();
    samples.chunks(of).enumerate().map(part).collect()
}

fn file(header: &Header, parts: &[Bytes]) -> Vec<u8> {
    [header.init().to_vec(), parts.concat()].concat()
}

#[test]
fn parts_of_any_length_have_the_samples_they_were_made_of() {
    for (name, stream) in streams() {
        let (header, chunks) = read(&stream);
        let wanted = samples(&chunks);
        for of in [1, 4, 7, 50, 4096] {
            let parts = parts(&header, &wanted, of);
            let (again, chunks) = read(&file(&header, &parts));
            assert_eq!((again.id(), again.kind()), (header.id(), header.kind()), "{name}");
            assert_eq!(chunks.len(), wanted.len().div_ceil(of), "{name}: a part is a chunk");
            assert!(samples(&chunks) == wanted, "{name} in parts of {of}");
        }
    }
}

#[test]
fn a_segment_of_parts_is_a_file_with_the_same_samples() {
    for (name, stream) in streams() {
        let (header, chunks) = read(&stream);
        let wanted = samples(&chunks);
        let file = file(&header, &parts(&header, &wanted, 6));
        let movie = read_file(&file).unwrap();
        assert_eq!(movie.anomalies, [], "{name}: what we write is not strange");
        let [track] = movie.tracks.as_slice() else { panic!("{name}: one track") };
        let table = track.samples();
        assert_eq!((table.len() as usize, track.skip()), (wanted.len(), 0), "{name}");
        for ((listed, i), wanted) in table.samples(0..table.len()).zip(0..).zip(&wanted) {
            let seen = (track.presented_at(i).ticks(), listed.duration, listed.sync);
            assert_eq!(seen, (wanted.presented(), wanted.duration, wanted.sync), "{name}: sample {i}");
            let range = table.byte_ranges(i..i + 1)[0];
            assert_eq!(wanted.data, file[range.start() as usize..range.end() as usize], "{name}: sample {i}");
        }
    }
}

#[test]
fn media_is_not_copied_into_a_part() {
    let (header, chunks) = read(&streams()[0].1);
    let part = &chunks[0].samples;
    let pieces = mux(&header, 1, &[], part);
    assert_eq!(pieces.len(), 1 + part.len());
    for (piece, sample) in pieces[1..].iter().zip(part) {
        assert_eq!((piece.as_ptr(), piece.len()), (sample.data.as_ptr(), sample.data.len()));
    }
}

#[test]
fn events_stand_before_the_fragment() {
    let (header, chunks) = read(&streams()[0].1);
    let part = &chunks[0].samples;
    let events = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
    let with = mux(&header, 9, &events, part).concat();
    assert_eq!(with, [b"onetwo".as_slice(), &mux(&header, 9, &[], part).concat()].concat());
    assert_eq!(mux(&header, 9, &events, &[]), events, "and alone where there is no sample");
}

fn sample(decode: i64, duration: u32, offset: i32) -> Sample {
    Sample { decode, duration, offset, sync: true, data: Bytes::from_static(&[1]) }
}

/// What is read of a part: decode time, duration, offset of each sample.
fn again(video: bool, part: &[Sample]) -> Vec<(i64, u32, i32)> {
    let header = Header::read(&header(video, &[])).unwrap();
    let pieces = mux(&header, 1, &[], part);
    let (events, end) = fed(Splitter::resume(Header::read(&header.init()).unwrap()), pieces);
    assert_eq!(end, Ok(()));
    let [Event::Chunk(chunk)] = events.as_slice() else { panic!("one chunk") };
    chunk.samples.iter().map(|s| (s.decode, s.duration, s.offset)).collect()
}

#[test]
fn a_hole_between_samples_stays_where_it_was() {
    let part = [sample(1000, 10, 0), sample(1050, 10, 0), sample(1060, 10, 0)];
    assert_eq!(again(false, &part), [(1000, 50, 0), (1050, 10, 0), (1060, 10, 0)]);
}

#[test]
fn samples_that_overlap_are_presented_when_they_say() {
    let part = [sample(1000, 10, 5), sample(1005, 10, 0), sample(1001, 10, 20)];
    assert_eq!(again(true, &part), [(1000, 5, 5), (1005, 0, 0), (1005, 6, 16)]);
}

#[test]
fn pictures_decoded_before_zero_are_decoded_at_zero_and_presented_when_they_say() {
    let part = [sample(-20, 10, 20), sample(-10, 10, 40), sample(0, 10, 10)];
    assert_eq!(again(true, &part), [(0, 0, 0), (0, 0, 30), (0, 10, 10)]);
    let across = [sample(-4, 10, 0), sample(6, 10, 0)];
    assert_eq!(again(true, &across), [(0, 6, -4), (6, 10, 0)]);
}

#[test]
fn times_after_1970_need_64_bits_and_have_them() {
    let part =
        [sample(1_795_363_200 * 90_000, 3000, 3000), sample(1_795_363_200 * 90_000 + 3000, 3000, -3000)];
    let wanted: Vec<_> = part.iter().map(|s| (s.decode, s.duration, s.offset)).collect();
    assert_eq!(again(true, &part), wanted);
}

#[test]
fn a_field_that_all_samples_share_is_written_once() {
    let header = |video| Header::read(&header_of(&clip(video, &[]), &[trex(1, [1, 0, 0])])).unwrap();
    let head = |video, part: &[Sample]| mux(&header(video), 1, &[], part)[0].len();
    let alike = [sample(0, 10, 0), sample(10, 10, 0)];
    assert_eq!(head(false, &alike), 8 + 16 + 8 + 24 + 20 + 20 + 2 * 4 + 8, "sizes alone");
    assert_eq!(head(true, &alike), head(false, &alike));
    let differ = [sample(0, 10, 1), Sample { sync: false, ..sample(10, 11, 0) }];
    assert_eq!(head(true, &differ), head(false, &alike) + 2 * 12);
}

#[test]
fn another_reader_decodes_parts_without_complaint() {
    for (name, stream) in streams() {
        let (header, chunks) = read(&stream);
        let wanted = samples(&chunks);
        let file = file(&header, &parts(&header, &wanted, 5));
        let complaints = run("ffmpeg", &["-v", "warning", "-xerror", "-i", "-", "-f", "null", "-"], &file);
        assert_eq!(complaints.1, "", "{name}");
        let seen = run(
            "ffprobe",
            &["-v", "warning", "-show_entries", "packet=pts,dts,size,flags", "-of", "csv=p=0", "-"],
            &file,
        );
        assert_eq!(seen.1, "", "{name}");
        // ffmpeg presents a file later by as much as its most negative offset, and says so of each picture.
        let late = wanted.iter().map(|s| -i64::from(s.offset)).max().unwrap().max(0);
        let lines: Vec<String> = wanted
            .iter()
            .map(|s| {
                let flags = if s.sync { "K_" } else { "__" };
                format!("{},{},{},{flags}", s.presented() + late, s.decode, s.data.len())
            })
            .collect();
        let seen: Vec<&str> = seen.0.lines().map(|line| line.trim_end_matches(',')).collect();
        assert_eq!(seen, lines, "{name}");
    }
}

/// What a program prints of a file, and what it complains of.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> (String, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is installed by `make setup`: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The box tree of two parts, as a person reads it.
#[test]
fn parts_look_as_before() {
    let mut out = String::new();
    for (name, stream) in streams().into_iter().take(2) {
        let (header, chunks) = read(&stream);
        out += &format!("== {name} init-{}\n", header.id());
        super::dump::dump(&header.init(), 0, &mut out);
        for (n, part) in parts(&header, &samples(&chunks), 8).iter().take(3).enumerate() {
            out += &format!("== {name} part {n}\n");
            super::dump::dump(part, 0, &mut out);
        }
    }
    let golden = folder("golden/live-parts.txt");
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::write(&golden, &out).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(out == wanted, "live-parts differs from its golden; FOREBAY_BLESS=1 writes it anew:\n{out}");
}
