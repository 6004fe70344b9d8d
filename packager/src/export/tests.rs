use super::*;
use crate::index::{Sample, TableBuilder};
use crate::presentation::{Presentation, name_tracks};
use crate::track::{Decoding, Language, Track, TrackKind};

/// Pictures, one a second, of `size` bytes each.
fn pictures(count: u32, size: u32) -> Presentation {
    let mut table = TableBuilder::default();
    for number in 0..count {
        let sample = Sample { decode: 0, duration: 1000, offset: 0, size, sync: number.is_multiple_of(4) };
        table.push(sample, u64::from(number) * u64::from(size)).unwrap();
    }
    let identity = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
    let track = Track {
        kind: TrackKind::Video { width: 16, height: 16, pixel_aspect: (1, 1) },
        timescale: Timescale::MILLIS,
        language: Language::UNDETERMINED,
        decoding: Decoding { codec: "avc1.64001f".into(), entry: vec![7; 20].into(), matrix: identity },
        skip: 0,
        samples: table.finish(0, 0).unwrap(),
    };
    let sources = name_tracks(vec![(0, [7; 32], track)]).unwrap();
    Presentation::plan(sources, MediaTime::from_millis(2000)).unwrap().0
}

fn head(presentation: &Presentation) -> (Plan, Vec<u8>) {
    let rendition: &Rendition = &presentation.renditions()[0];
    let plan = Plan::of(&[rendition], &whole(&[rendition])).unwrap().unwrap();
    let Need::Piece(head) = Assembler::whole(plan.clone()).next() else { panic!("the head comes first") };
    (plan, head.to_vec())
}

fn place(head: &[u8], kind: &[u8; 4]) -> Option<usize> {
    head.windows(4).position(|window| window == kind)
}

#[test]
fn what_is_larger_than_32_bits_has_wide_boxes() {
    // 5 GB: mdat is wide, and so are the places of its chunks.
    let (plan, bytes) = head(&pictures(10, 500_000_000));
    let mdat = place(&bytes, b"mdat").unwrap();
    assert_eq!(bytes[mdat - 4..mdat], [0, 0, 0, 1]);
    let size = u64::from_be_bytes(bytes[mdat + 4..].try_into().unwrap());
    assert_eq!((size, bytes.len()), (5_000_000_016, mdat + 12));
    assert_eq!(plan.len(), bytes.len() as u64 + 5_000_000_000);
    let co64 = place(&bytes, b"co64").unwrap();
    let last = u64::from_be_bytes(bytes[co64 + 12 + 9 * 8..co64 + 12 + 10 * 8].try_into().unwrap());
    assert_eq!(last, bytes.len() as u64 + 4_500_000_000);
    assert_eq!(place(&bytes, b"stco"), None);
}

#[test]
fn at_the_limit_it_is_the_file_that_counts_for_the_places_and_the_media_for_its_box() {
    // Media of 4 GiB less 100 bytes fits its box; with what stands before it the file is larger than 32 bits.
    let (_, bytes) = head(&pictures(4, (u32::MAX - 99) / 4));
    let mdat = place(&bytes, b"mdat").unwrap();
    assert!(bytes[mdat - 4..mdat] != [0, 0, 0, 1] && bytes.len() == mdat + 4);
    assert!(place(&bytes, b"co64").is_some());
    let (_, bytes) = head(&pictures(4, (u32::MAX - 4000) / 4));
    assert!(place(&bytes, b"stco").is_some() && place(&bytes, b"co64").is_none());
}

#[test]
fn boxes_of_a_long_film_come_in_pieces_too() {
    let presentation = pictures(40_000, 9);
    let rendition: &Rendition = &presentation.renditions()[0];
    let plan = Plan::of(&[rendition], &whole(&[rendition])).unwrap().unwrap();
    let (len, mut assembler) = (plan.len(), Assembler::whole(plan));
    let mut head = 0;
    while let Need::Piece(piece) = assembler.next() {
        assert!(piece.len() <= 256 * 1024);
        head += piece.len() as u64;
        assert_eq!(assembler.left(), len - head);
    }
    assert_eq!((len - head, head > 300_000), (360_000, true));
}

#[test]
fn pieces_of_media_that_lie_together_are_one_read() {
    let presentation = pictures(60, 1000);
    let (plan, bytes) = head(&presentation);
    let all: Vec<Media> = plan.media(ByteRange::new(0, plan.len())).collect();
    assert_eq!(all, [Media { rendition: 0, range: ByteRange::new(0, 60_000) }]);
    assert_eq!(plan.media(ByteRange::new(0, bytes.len() as u64)).count(), 0, "the boxes need no media");
    assert_eq!(plan.media(ByteRange::at(bytes.len() as u64 + 7, 1)).count(), 1);
}
