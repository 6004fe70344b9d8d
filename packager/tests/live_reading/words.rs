//! What a sender says beside its media: `styp`, `emsg` and `prft`.

use forebay_packager::live::{Capture, Chunk, EventMessage};
use forebay_packager::time::{MediaTime, Timescale};

use super::clip::{atom, full, words};
use super::rig::{fed, read};
use super::sender::{chunk, header};

fn chunks(stream: &[Vec<u8>]) -> Vec<Chunk> {
    read(&stream.concat()).1
}

fn styp(brands: &[&[u8; 4]]) -> Vec<u8> {
    let brands: Vec<u8> = brands.iter().flat_map(|b| b.iter().copied()).collect();
    atom(b"styp", &[b"msdh", &[0; 4], &brands])
}

/// `emsg` of 1,000 ticks a second: version 0 with a time from its chunk, version 1 with one on the timeline.
fn emsg(version: u8, time: u64, duration: u32) -> Vec<u8> {
    let names = b"urn:scte:scte35:2013:bin\x001\0";
    let body = match version {
        0 => [names.as_slice(), &words(&[1000, time as u32, duration, 77]), b"\xfc0"].concat(),
        _ => {
            let numbers = [words(&[1000]), time.to_be_bytes().to_vec(), words(&[duration, 77])].concat();
            [numbers.as_slice(), names, b"\xfc0"].concat()
        }
    };
    full(b"emsg", version, &body)
}

fn prft(track: u32, ntp: u64, media_time: u64) -> Vec<u8> {
    let body = [words(&[track]), ntp.to_be_bytes().to_vec(), media_time.to_be_bytes().to_vec()].concat();
    full(b"prft", 1, &body)
}

#[test]
fn brands_hold_for_the_segment_that_they_start() {
    let one = |n: u64| chunk(n * 2048, &[1, 1]);
    let given = chunks(&[
        header(false, &[]),
        one(0),
        styp(&[b"msdh", b"slat"]),
        one(1),
        one(2),
        styp(&[b"cmfs"]),
        one(3),
        styp(&[b"lmsg"]),
        one(4),
    ]);
    assert_eq!(given.iter().map(|c| c.slate).collect::<Vec<_>>(), [false, true, true, false, false]);
    assert_eq!(given.iter().map(|c| c.last).collect::<Vec<_>>(), [false, false, false, false, true]);
    let major = atom(b"styp", &[b"lmsg", &[0; 4]]);
    assert!(chunks(&[header(false, &[]), major, one(0)])[0].last, "a major brand is one");
}

#[test]
fn a_last_segment_without_samples_is_told_all_the_same() {
    let empty = chunk(0, &[]);
    let given = chunks(&[header(false, &[]), empty.clone(), styp(&[b"lmsg"]), empty]);
    assert_eq!(given, [Chunk { last: true, ..Chunk::default() }]);
}

#[test]
fn an_event_has_its_time_on_the_presentation_timeline() {
    let absolute = emsg(1, 12_345, 30_000);
    let given = chunks(&[header(false, &[]), absolute.clone(), chunk(48_000, &[1])]);
    let expected = EventMessage {
        scheme: "urn:scte:scte35:2013:bin".to_owned(),
        value: "1".to_owned(),
        id: 77,
        start: MediaTime::from_millis(12_345),
        duration: Some(MediaTime::new(30_000, Timescale::MILLIS)),
        payload: b"\xfc0".as_slice().into(),
        raw: absolute.into(),
    };
    assert_eq!(given[0].events, std::slice::from_ref(&expected));

    // One that counts from its chunk, which starts 1.5 s in once its priming is cut off, is written again.
    let relative = emsg(0, 500, 30_000);
    let given = chunks(&[header(false, &[(0, 1024)]), relative, chunk(73_024, &[1])]);
    let raw = emsg(1, 2000, 30_000).into();
    assert_eq!(given[0].events, [EventMessage { start: MediaTime::from_millis(2000), raw, ..expected }]);
}

#[test]
fn an_event_of_unknown_length_has_none() {
    let given = chunks(&[header(false, &[]), emsg(1, 0, u32::MAX), chunk(0, &[1])]);
    assert_eq!(given[0].events[0].duration, None);
}

#[test]
fn events_come_with_the_first_chunk_that_has_a_time() {
    let primed = header(false, &[(0, 1024)]);
    let given =
        chunks(&[primed, emsg(0, 0, 1), chunk(0, &[1]), emsg(1, 7, 1), chunk(1024, &[1]), chunk(2048, &[1])]);
    let starts: Vec<Vec<i64>> =
        given.iter().map(|c| c.events.iter().map(|e| e.start.ticks()).collect()).collect();
    assert_eq!(starts, [vec![0, 7], vec![]]);
}

#[test]
fn a_reference_time_belongs_to_the_next_chunk() {
    // 1970 and a half second.
    let ntp = (2_208_988_800u64 << 32) + (1 << 31);
    let given = chunks(&[
        header(false, &[]),
        prft(1, ntp, 96_000),
        chunk(96_000, &[1]),
        chunk(97_024, &[1]),
        prft(2, ntp, 0),
        chunk(98_048, &[1]),
        prft(1, 0, 0),
        chunk(99_072, &[1]),
    ]);
    let captured: Vec<_> = given.iter().map(|c| c.captured).collect();
    assert_eq!(captured, [Some(Capture { unix_micros: 500_000, media_time: 96_000 }), None, None, None]);
}

#[test]
fn boxes_that_nobody_needs_pass_by() {
    let chunks_of = |between: &[Vec<u8>]| {
        let b = between.concat();
        chunks(&[header(false, &[]), b.clone(), chunk_with(&b), b.clone(), chunk(2048, &[1])])
    };
    let strange = [
        atom(b"free", &[&[0; 100]]),
        atom(b"sidx", &[&[1; 44]]),
        atom(b"uuid", &[&[2; 700]]),
        atom(b"mfra", &[&[3; 30]]),
        atom(b"abcd", &[]),
        large(b"skip", 24, &[9; 8]),
    ];
    assert_eq!(chunks_of(&strange), chunks_of(&[]));
}

/// A chunk with other boxes between its `moof` and its `mdat`.
fn chunk_with(between: &[u8]) -> Vec<u8> {
    let whole = super::sender::chunk_of(
        &[super::sender::tfhd(1), super::sender::tfdt(0)],
        &[1, 1],
        between.len() as i32,
    );
    let mdat = whole.len() - 8 - 2;
    [&whole[..mdat], between, &whole[mdat..]].concat()
}

/// A box with a size of 64 bits.
fn large(kind: &[u8; 4], size: u64, body: &[u8]) -> Vec<u8> {
    [&1u32.to_be_bytes(), kind.as_slice(), &size.to_be_bytes(), body].concat()
}

#[test]
fn boxes_may_have_a_size_of_64_bits() {
    let widened = |stream: &[u8]| {
        let (mut rest, mut out, mut grown) = (stream, Vec::new(), 0u64);
        while !rest.is_empty() {
            let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let kind: [u8; 4] = rest[4..8].try_into().unwrap();
            let wide = matches!(&kind, b"ftyp" | b"moov" | b"styp");
            match wide {
                true => out.extend(large(&kind, size as u64 + 8, &rest[8..size])),
                false => out.extend(&rest[..size]),
            }
            grown += u64::from(wide);
            rest = &rest[size..];
        }
        assert!(grown > 0);
        out
    };
    for (name, stream) in super::rig::streams() {
        assert_eq!(read(&widened(&stream)).1, read(&stream).1, "{name}");
    }
    // And an mdat: its media starts eight bytes later.
    let sent = super::sender::chunk_of(&[super::sender::tfhd(1), super::sender::tfdt(0)], &[2], 8);
    let (moof, mdat) = sent.split_at(sent.len() - 10);
    let wide = [header(false, &[]), moof.to_vec(), large(b"mdat", 18, &mdat[8..])];
    assert_eq!(chunks(&wide)[0].samples[0].data, [1, 2].as_slice());
}

#[test]
fn as_many_events_as_are_promised_fit_a_chunk() {
    let events = |count| [header(false, &[]), vec![emsg(1, 5, 1); count].concat(), chunk(0, &[1])];
    assert_eq!(chunks(&events(64))[0].events.len(), 64);
    let pieces = [events(65).concat().into()];
    let error = fed(forebay_packager::live::Splitter::new(), pieces).1.unwrap_err().to_string();
    assert_eq!(error, "emsg: expected at most 64 events before a chunk, found 65");
}
