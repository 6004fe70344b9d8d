//! Broken MP4 files: a good one, changed in ways that files break and attackers break them. The same number gives the
//! same file on every machine.

/// Changes `good` by recipe number `seed`. The result differs from `good`.
#[must_use]
pub fn mutate(good: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xf0_7e_ba_11);
    let mut bytes = good.to_vec();
    for _ in 0..=dice.below(3) {
        change(&mut bytes, &mut dice);
    }
    if bytes == good {
        bytes.truncate(good.len() / 2);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.len() < 16 {
        return;
    }
    let boxes = box_headers(bytes);
    let at = *dice.pick(&boxes);
    match dice.below(9) {
        // A download that broke off.
        0 => bytes.truncate(dice.below(bytes.len())),
        // A size that leads nowhere: zero, less than a header, one more, one less, enormous.
        1 | 2 => {
            let real = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            let wrong =
                *dice.pick(&[0, 1, 7, 8, real.wrapping_add(1), real.wrapping_sub(1), 0x7fff_ffff, u32::MAX]);
            bytes[at..at + 4].copy_from_slice(&wrong.to_be_bytes());
        }
        // A count or an offset that lies, behind the version and flags of a full box.
        3 | 4 => {
            let field = (at + 12 + 4 * dice.below(3)).min(bytes.len() - 4);
            let wrong: u32 = *dice.pick(&[0, 1, 0xffff, 0x00ff_ffff, 0x7fff_ffff, 0x8000_0000, u32::MAX]);
            bytes[field..field + 4].copy_from_slice(&wrong.to_be_bytes());
        }
        // A box of another kind.
        5 => {
            let kind =
                *dice.pick(&[b"free", b"moov", b"trak", b"stbl", b"moof", b"uuid", b"stsz", b"\0\0\0\0"]);
            bytes[at + 4..at + 8].copy_from_slice(kind);
        }
        // Flipped bits among the boxes.
        6 | 7 => {
            for _ in 0..=dice.below(8) {
                let near = (at + dice.below(64)).min(bytes.len() - 1);
                bytes[near] ^= 1 << dice.below(8);
            }
        }
        // A stretch that is there twice, or not at all.
        _ => {
            let length = dice.below(200).min(bytes.len() - at);
            let stretch = bytes[at..at + length].to_vec();
            let replacement = if dice.below(2) == 0 { stretch.repeat(2) } else { Vec::new() };
            bytes.splice(at..at + length, replacement);
        }
    }
}

/// Where boxes start, found by their names: also inside what is broken already.
fn box_headers(bytes: &[u8]) -> Vec<usize> {
    let known: &[&[u8; 4]] = &[
        b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr", b"minf",
        b"stbl", b"stsd", b"avc1", b"avcC", b"mp4a", b"esds", b"stts", b"ctts", b"stss", b"stsc", b"stsz",
        b"stco", b"co64", b"mvex", b"trex", b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun", b"sidx",
        b"mdat",
    ];
    // Most windows are media; looking at one letter first makes this ten times faster.
    let is_kind =
        |window: &[u8]| window[0].is_ascii_lowercase() && known.iter().any(|kind| window == &kind[..]);
    let starts = |(at, window): (usize, &[u8])| is_kind(window).then_some(at);
    let mut found: Vec<usize> =
        bytes.windows(4).enumerate().skip(4).filter_map(starts).map(|at| at - 4).collect();
    if found.is_empty() {
        found.push(0);
    }
    // A kind that stands in the last bytes has no room for fields.
    found.retain(|at| at + 16 <= bytes.len());
    if found.is_empty() { vec![0] } else { found }
}

/// splitmix64: a stream of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.next() % limit).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A `moov` of hostile sizes: boxes of every kind that declare far more than the file holds.
#[must_use]
pub fn greedy() -> Vec<(&'static str, Vec<u8>)> {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomavc1");
    let file = |moov: Vec<u8>| [ftyp.clone(), moov].concat();
    let count = |kind: &[u8; 4]| boxed(kind, &[&[0; 4][..], &u32::MAX.to_be_bytes(), &[0; 8]].concat());
    let table = |kind: &[u8; 4]| {
        let stbl = boxed(b"stbl", &[boxed(b"stsd", &[0; 8]), count(kind)].concat());
        let mdia = boxed(b"mdia", &boxed(b"minf", &stbl));
        file(boxed(b"moov", &boxed(b"trak", &mdia)))
    };
    let mut deep = boxed(b"free", &[]);
    for _ in 0..20_000 {
        deep = boxed(b"trak", &deep);
    }
    let sized = |size: u32| [&size.to_be_bytes()[..], b"moov", &[0; 64]].concat();
    let large = [&1_u32.to_be_bytes()[..], b"moov", &u64::MAX.to_be_bytes(), &[0; 64]].concat();
    vec![
        ("stsz-of-4-billion", table(b"stsz")),
        ("stts-of-4-billion", table(b"stts")),
        ("ctts-of-4-billion", table(b"ctts")),
        ("stco-of-4-billion", table(b"stco")),
        ("stsc-of-4-billion", table(b"stsc")),
        ("moov-of-2-gigabytes", file(sized(0x7fff_ffff))),
        ("moov-of-16-exabytes", file(large)),
        ("moov-to-the-end", file(sized(0))),
        ("moov-smaller-than-its-header", file(sized(4))),
        ("boxes-20000-deep", file(boxed(b"moov", &deep))),
        ("nothing", Vec::new()),
        ("only-ftyp", ftyp.clone()),
        ("a-text", b"this is no film\n".repeat(100)),
    ]
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_file_and_another_number_another() {
        let good = [boxed(b"ftyp", &[1; 40]), boxed(b"moov", &[2; 400]), boxed(b"mdat", &[3; 900])].concat();
        let all: Vec<Vec<u8>> = (0..500).map(|seed| mutate(&good, seed)).collect();
        assert!(all.iter().all(|bad| *bad != good));
        assert_eq!(all, (0..500).map(|seed| mutate(&good, seed)).collect::<Vec<_>>());
        let distinct: std::collections::HashSet<&Vec<u8>> = all.iter().collect();
        assert!(distinct.len() > 400, "{}", distinct.len());
    }
}
