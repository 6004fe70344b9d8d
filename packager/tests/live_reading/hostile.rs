//! Streams that no sender would write, each under its name, with the error that its sender is told. They are also the
//! corpus of the fuzz target.

use forebay_packager::fuzzing::live;

use super::clip::{Clip, atom, flagged, full, words};
use super::rig::{events, fixture};
use super::sender::{
    chunk, chunk_of, clip, header, header_of, mdat, moof, moov, no_samples, tfdt, tfhd, traf, trex, trun,
};

#[test]
fn each_strange_stream_is_refused_in_words() {
    let mut wrong = Vec::new();
    for (name, stream, told) in cases() {
        live(&stream);
        let error = events(&stream).1.err().map(|error| error.to_string()).unwrap_or_default();
        if error != told {
            wrong.push(format!("{name}:\n  told {error}\n  not  {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_box_that_claims_too_much_is_refused_before_it_comes() {
    for (name, stream, told) in cases().into_iter().filter(|(name, ..)| name.contains("4-gib")) {
        let start = stream.len() - 8;
        assert_eq!(events(&stream[..start]).1, Ok(()), "{name}: sound up to it");
        assert!(told.contains("found 4294967295"), "{name}");
    }
}

/// All of them: name, stream, what is told (nothing: it is taken).
pub(crate) fn cases() -> Vec<(&'static str, Vec<u8>, String)> {
    let mut cases = Vec::new();
    for (name, stream, told) in [tops(), headers(), fragments(), media()].into_iter().flatten() {
        // Places in the text are named, so that a change of the builder does not change them.
        let told = told.replace("{header}", &header(false, &[]).len().to_string());
        cases.push((name, stream, told));
    }
    cases
}

type Case = (&'static str, Vec<u8>, String);

fn case(name: &'static str, stream: &[Vec<u8>], told: &str) -> Case {
    (name, stream.concat(), told.to_owned())
}

/// The header of a box alone.
fn claims(kind: &[u8; 4], size: u32) -> Vec<u8> {
    [&size.to_be_bytes(), kind.as_slice()].concat()
}

/// Boxes at the top of a stream.
fn tops() -> Vec<Case> {
    let head = || header(false, &[]);
    let good = || chunk(0, &[3, 3]);
    let huge = |kind| [head(), claims(kind, u32::MAX)];
    vec![
        case("nothing", &[], ""),
        case("a-header-alone", &[head()], ""),
        case("a-good-chunk", &[head(), good()], ""),
        case(
            "text",
            &[b"#EXTM3U\n#EXT-X-VERSION:6\n".to_vec()],
            "stream at byte 0: expected a box of CMAF, found \"M3U?\"",
        ),
        case(
            "a-transport-stream",
            &[vec![0x47, 0x40, 0, 0x10, 0, 0, 0xb0, 0x0d, 0, 1]],
            "stream at byte 0: expected a box of CMAF, found \"????\"",
        ),
        case(
            "a-kind-that-is-none",
            &[head(), vec![0, 0, 0, 8, 1, 2, 3, 4]],
            "stream at byte {header}: expected a box of CMAF, found \"????\"",
        ),
        case(
            "a-box-of-seven-bytes",
            &[head(), claims(b"free", 7)],
            "stream at byte {header}: expected a box size of at least 8, found 7",
        ),
        case(
            "a-large-box-of-fifteen-bytes",
            &[head(), claims(b"free", 1), 15u64.to_be_bytes().to_vec()],
            "stream at byte {header}: expected a box size of at least 8, found 15",
        ),
        case(
            "a-box-without-an-end",
            &[head(), claims(b"mdat", 0)],
            "stream/mdat at byte {header}: expected a box size, found 0",
        ),
        case("an-mdat-of-4-gib", &huge(b"mdat"), "mdat: expected at most 33554432 bytes, found 4294967295"),
        case("a-moof-of-4-gib", &huge(b"moof"), "moof: expected at most 1048576 bytes, found 4294967295"),
        case("a-moov-of-4-gib", &huge(b"moov"), "moov: expected at most 1048576 bytes, found 4294967295"),
        case("an-emsg-of-4-gib", &huge(b"emsg"), "emsg: expected at most 65536 bytes, found 4294967295"),
        case("a-styp-of-4-gib", &huge(b"styp"), "styp: expected at most 4096 bytes, found 4294967295"),
        case("a-prft-of-4-gib", &huge(b"prft"), "prft: expected at most 4096 bytes, found 4294967295"),
        case(
            "an-unknown-box-of-4-gib",
            &huge(b"wxyz"),
            "box that is not read: expected at most 33554432 bytes, found 4294967295",
        ),
        case(
            "a-box-of-16-eib",
            &[head(), claims(b"mdat", 1), u64::MAX.to_be_bytes().to_vec()],
            "mdat: expected at most 33554432 bytes, found 18446744073709551615",
        ),
        case(
            "an-mdat-first",
            &[mdat(&[1; 9])],
            "stream/mdat at byte 0: expected a moof box before it, found none",
        ),
        case(
            "an-mdat-of-nobody",
            &[head(), mdat(&[])],
            "stream/mdat at byte {header}: expected a moof box before it, found none",
        ),
        case("a-moof-first", &[good()], "stream/moof at byte 0: expected a moov box before it, found none"),
        case(
            "a-moof-without-mdat",
            &[head(), good()[..good().len() - 14].to_vec(), good()],
            "stream/moof at byte {header}: expected an mdat box after it, found moof",
        ),
        case(
            "a-moof-and-a-new-header",
            &[head(), good()[..good().len() - 14].to_vec(), head()],
            "stream/moof at byte {header}: expected an mdat box after it, found moov",
        ),
        case(
            "a-moof-at-the-end",
            &[head(), good()[..good().len() - 14].to_vec()],
            "stream/moof at byte {header}: expected an mdat box after it, found the end",
        ),
        case(
            "styp-without-brands",
            &[head(), atom(b"styp", &[b"msd"])],
            "stream/styp at byte {header}: expected a sound box, found out of bounds",
        ),
        case(
            "prft-without-time",
            &[head(), full(b"prft", 1, &[0; 7])],
            "stream/prft at byte {header}: expected a sound box, found out of bounds",
        ),
    ]
}

/// What a header may not be.
fn headers() -> Vec<Case> {
    let sound = || clip(false, &[]);
    let defaults = || trex(1, [1024, 0, 0]);
    let traks = |count: u32| (1..=count).map(|id| sound().trak(id, &no_samples())).collect::<Vec<_>>();
    let renamed = |from: &[u8; 4], to: &[u8; 4]| {
        let mut head = header(false, &[]);
        let at = head.windows(4).position(|w| w == from).unwrap();
        head[at..at + 4].copy_from_slice(to);
        head
    };
    let listed = full(b"stsz", 0, &words(&[4, 9]));
    let progressive = Clip::sound(9, 4);
    vec![
        case(
            "a-header-of-two-tracks",
            &[moov(1000, &traks(2), &[defaults()])],
            "moov: expected at most 1 track, found 2",
        ),
        case(
            "a-header-of-no-track",
            &[moov(1000, &[], &[])],
            "expected a track of H.264 or HEVC video or AAC audio, found no track",
        ),
        case(
            "a-header-without-mvex",
            &[renamed(b"mvex", b"free")],
            "moov at byte 20: expected a mvex box, found none",
        ),
        case("a-header-without-defaults", &[header_of(&sound(), &[]), chunk(0, &[1])], ""),
        case(
            "encrypted-sound",
            &[renamed(b"mp4a", b"enca")],
            "expected a track of H.264 or HEVC video or AAC audio, found codec enca is not served",
        ),
        case(
            "sound-of-another-codec",
            &[renamed(b"mp4a", b"Opus")],
            "expected a track of H.264 or HEVC video or AAC audio, found codec Opus is not served",
        ),
        case(
            "text-for-a-track",
            &[renamed(b"soun", b"text")],
            "expected a track of H.264 or HEVC video or AAC audio, found it is neither video nor audio (text)",
        ),
        case(
            "a-timescale-of-zero",
            &[header_of(&Clip { timescale: 0, ..sound() }, &[defaults()])],
            "moov/trak/mdia/mdhd at byte 244: expected a timescale, found 0",
        ),
        case(
            "a-timescale-of-4-billion",
            &[header_of(&Clip { timescale: u32::MAX, ..sound() }, &[defaults()]), chunk(u64::MAX, &[1])],
            "",
        ),
        case(
            "a-header-with-samples",
            &[moov(1000, &[sound().trak(1, &[listed])], &[defaults()])],
            "moov/trak/mdia/minf/stbl/stsz at byte 468: expected a header without samples, found 9",
        ),
        case(
            "a-progressive-file",
            &[progressive.file()],
            "stream/mdat at byte 20: expected a moof box before it, found none",
        ),
        case("an-edit-at-the-end-of-time", &[header(true, &[(0, i64::MAX)]), chunk(0, &[1])], ""),
        case(
            "a-delay-to-the-end-of-time",
            &[header(true, &[(u64::MAX, -1)]), chunk(1 << 62, &[1])],
            "moof/traf at byte 713: expected a decode time of 63 bits, found 4611686018427387904",
        ),
        case(
            "a-header-cut-off",
            &[header(false, &[])[..300].to_vec()],
            "expected 20..{header} of an object of 300 bytes: the file is truncated",
        ),
    ]
}

/// What a `moof` may not say.
fn fragments() -> Vec<Case> {
    let head = || header(false, &[]);
    let alone = |boxes: &[Vec<u8>]| [head(), moof(&[traf(boxes)]), mdat(&[1; 100])];
    let at = |n: u64| (header(false, &[]).len() as u64 + n).to_string();
    let told = |place: u64, text: &str| format!("moof/traf at byte {}: {text}", at(place));
    vec![
        case(
            "no-tfdt",
            &alone(&[tfhd(1), trun(0x201, 1, &[0, 1])]),
            &told(24, "expected a tfdt box, found none"),
        ),
        case("no-tfhd", &alone(&[tfdt(0)]), &told(24, "expected a tfhd box, found none")),
        case("another-track", &alone(&[tfhd(2), tfdt(0)]), &told(24, "expected track 1, found 2")),
        case(
            "encrypted-samples",
            &alone(&[tfhd(1), tfdt(0), full(b"senc", 0, &[0; 4])]),
            &format!("moof/traf/senc at byte {}: expected samples in clear, found encrypted ones", at(68)),
        ),
        case(
            "a-time-far-before-zero",
            &alone(&[tfhd(1), tfdt(1 << 63), trun(0x201, 1, &[0, 1])]),
            &told(24, "expected a decode time of 63 bits, found 9223372036854775808"),
        ),
        case(
            "times-beyond-the-end",
            &[header(true, &[]), chunk(i64::MAX as u64, &[1, 1])],
            "moof/traf at byte 669: expected times of 63 bits, found later ones",
        ),
        case(
            "an-offset-beyond-32-bits",
            &[
                header(true, &[(0, 2)]),
                moof(&[traf(&[tfhd(1), tfdt(0), trun(0x0100_0a01, 1, &[0, 1, 0x8000_0000])])]),
            ],
            "moof/traf at byte 713: expected a composition offset of 32 bits, found -2147483648",
        ),
        case(
            "4-billion-samples-of-nothing",
            &alone(&[tfhd(1), tfdt(0), trun(1, u32::MAX, &[0])]),
            &format!(
                "moof/traf/trun at byte {}: expected samples with bytes, found 4294967295 of none",
                at(68)
            ),
        ),
        case(
            "4-billion-samples",
            &alone(&[flagged(b"tfhd", 0x02_0010, &words(&[1, 1])), tfdt(0), trun(1, u32::MAX, &[0])]),
            "moof: expected at most 4096 samples, found 4294967295",
        ),
        case(
            "4097-samples",
            &[head(), chunk(0, &[1; 4097])],
            "moof: expected at most 4096 samples, found 4097",
        ),
        case("4096-samples", &[head(), chunk(0, &[1; 4096])], ""),
        case(
            "4098-samples-in-two-fragments",
            &[
                head(),
                moof(&[
                    traf(&[tfhd(1), tfdt(0), trun(0x200, 2049, &[1; 2049])]),
                    traf(&[tfhd(1), tfdt(0), trun(0x200, 2049, &[1; 2049])]),
                ]),
            ],
            "moof: expected at most 4096 samples, found 4098",
        ),
        case(
            "entries-that-are-not-there",
            &alone(&[tfhd(1), tfdt(0), trun(0x201, 9, &[0, 1])]),
            &format!("moof/traf/trun at byte {}: expected a sound box, found out of bounds", at(68)),
        ),
        case(
            "flags-of-the-first-and-of-each",
            &alone(&[tfhd(1), tfdt(0), trun(0x605, 1, &[0, 0, 1, 0])]),
            &format!(
                "moof/traf/trun at byte {}: expected flags of the first sample or of each, found both",
                at(68)
            ),
        ),
        case("a-moof-without-traf", &[head(), moof(&[]), mdat(&[])], ""),
        case(
            "a-traf-larger-than-its-moof",
            &[head(), atom(b"moof", &[&claims(b"traf", 99)])],
            &format!("moof at byte {}: expected a traf box of at most 8 bytes, found 99", at(8)),
        ),
    ]
}

/// Where media may not lie.
fn media() -> Vec<Case> {
    let head = || header(false, &[]);
    let placed = |shift| [head(), chunk_of(&[tfhd(1), tfdt(0)], &[4, 4], shift)];
    let start = header(false, &[]).len() as u64;
    let moof_len = chunk(0, &[4, 4]).len() as u64 - 16;
    let body = start + moof_len + 8;
    let outside = |from: u64| {
        format!(
            "stream/moof at byte {start}: expected samples within the mdat at bytes {body} to {}, found one at bytes {from} to {}",
            body + 8,
            from + 4
        )
    };
    let mut short = chunk(0, &[4, 4]);
    short.truncate(short.len() - 4);
    let at = short.len() - 12;
    short[at + 3] = 12;
    let twice = {
        let all =
            |at: u32| moof(&[traf(&[tfhd(1), tfdt(0), trun(0x201, 1, &[at, 4]), trun(0x201, 1, &[at, 4])])]);
        let at = all(0).len() as u32 + 8;
        [head(), all(at), mdat(&[1, 2, 3, 4])]
    };
    vec![
        case("data-one-byte-early", &placed(-1), &outside(body - 1)),
        case("data-one-byte-late", &placed(1), &outside(body + 5)),
        case(
            "data-far-behind",
            &placed(i32::MAX - 200),
            &outside(start + (moof_len + 8) + i32::MAX as u64 - 200),
        ),
        case(
            "data-before-the-stream",
            &placed(i32::MIN + 200),
            &format!("moof/traf/trun at byte {}: expected data after the file's start", start + 68),
        ),
        case(
            "an-mdat-too-short",
            &[head(), short],
            &format!(
                "stream/moof at byte {start}: expected samples within the mdat at bytes {body} to {}, found one at bytes {} to {}",
                body + 4,
                body + 4,
                body + 8
            ),
        ),
        case(
            "bytes-that-two-samples-share",
            &twice,
            &format!("stream/moof at byte {start}: expected samples of 4 bytes in all, found 8"),
        ),
        case(
            "more-media-than-samples",
            &[head(), chunk(0, &[4])[..chunk(0, &[4]).len() - 12].to_vec(), mdat(&[1, 2, 3, 4, 5, 6, 7])],
            "",
        ),
        case("a-sample-of-nothing", &[head(), chunk(0, &[0, 2, 0])], ""),
        case(
            "an-mdat-cut-off",
            &[fixture("live/shaka-video.mp4")[..2000].to_vec()],
            "expected 1352..4649 of an object of 2000 bytes: the file is truncated",
        ),
    ]
}
