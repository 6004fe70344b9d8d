//! Files written box by box: as they should be, or with one thing wrong.

use super::rig::fixture;

/// One sample of a file that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shot {
    pub(crate) duration: u32,
    pub(crate) offset: i32,
    pub(crate) size: u32,
    pub(crate) sync: bool,
}

/// A progressive file of one track.
#[derive(Debug, Clone)]
pub(crate) struct Clip {
    pub(crate) video: bool,
    pub(crate) movie_scale: u32,
    pub(crate) timescale: u32,
    pub(crate) language: [u8; 3],
    pub(crate) shots: Vec<Shot>,
    /// Samples a chunk, again and again; between two chunks lies a byte that belongs to nobody.
    pub(crate) chunks: Vec<usize>,
    /// Entries of the edit list: duration in the movie's ticks, media time.
    pub(crate) edits: Vec<(u64, i64)>,
    pub(crate) wide_offsets: bool,
}

impl Clip {
    /// Sound of `count` frames of `size` bytes.
    pub(crate) fn sound(count: usize, size: u32) -> Self {
        let shot = Shot { duration: 1024, offset: 0, size, sync: true };
        Self {
            video: false,
            movie_scale: 1000,
            timescale: 48_000,
            language: *b"eng",
            shots: vec![shot; count],
            chunks: vec![7, 1, 30],
            edits: Vec::new(),
            wide_offsets: false,
        }
    }

    /// Pictures at 25 a second with a keyframe each `gop` of them.
    pub(crate) fn pictures(count: usize, gop: usize, size: u32) -> Self {
        let shot = |i: usize| Shot { duration: 512, offset: 0, size, sync: i.is_multiple_of(gop) };
        Self {
            video: true,
            timescale: 12_800,
            language: *b"und",
            shots: (0..count).map(shot).collect(),
            ..Self::sound(0, 0)
        }
    }

    /// The media bytes of sample `i`.
    pub(crate) fn media(&self, i: usize) -> Vec<u8> {
        (0..self.shots[i].size as usize).map(|k| (i * 31 + k * 7 + 1) as u8).collect()
    }

    /// The file, `mdat` before `moov`.
    pub(crate) fn file(&self) -> Vec<u8> {
        let ftyp = atom(b"ftyp", &[b"isom".as_slice(), &[0; 4], b"isom"]);
        let (mut media, mut offsets, mut counts, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for size in self.chunks.iter().cycle() {
            if at == self.shots.len() {
                break;
            }
            let count = (*size).min(self.shots.len() - at);
            offsets.push((ftyp.len() + 8 + media.len()) as u64);
            counts.push(count as u32);
            (at..at + count).for_each(|i| media.extend(self.media(i)));
            media.push(0xee);
            at += count;
        }
        let mdat = atom(b"mdat", &[&media]);
        let moov = self.moov(&self.tables(&offsets, &counts));
        [ftyp, mdat, moov].concat()
    }

    /// `stbl` without `stsd`.
    fn tables(&self, offsets: &[u64], counts: &[u32]) -> Vec<Vec<u8>> {
        let words = |list: &[u32]| list.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let one_each = |values: Vec<u32>| {
            let mut list = vec![values.len() as u32];
            values.into_iter().for_each(|v| list.extend([1, v]));
            words(&list)
        };
        let stsc = (1u32..).zip(counts).flat_map(|(n, count)| [n, *count, 1]).collect::<Vec<_>>();
        let mut sizes = vec![0, self.shots.len() as u32];
        sizes.extend(self.shots.iter().map(|s| s.size));
        let mut tables = vec![
            full(b"stts", 0, &one_each(self.shots.iter().map(|s| s.duration).collect())),
            full(b"stsc", 0, &[words(&[counts.len() as u32]), words(&stsc)].concat()),
            full(b"stsz", 0, &words(&sizes)),
        ];
        tables.push(match self.wide_offsets {
            true => {
                let list: Vec<u8> = offsets.iter().flat_map(|o| o.to_be_bytes()).collect();
                full(b"co64", 0, &[words(&[offsets.len() as u32]), list].concat())
            }
            false => {
                let list: Vec<u32> = offsets.iter().map(|o| *o as u32).collect();
                full(b"stco", 0, &[words(&[list.len() as u32]), words(&list)].concat())
            }
        });
        if self.shots.iter().any(|s| s.offset != 0) {
            let list = self.shots.iter().map(|s| s.offset.cast_unsigned()).collect();
            tables.push(full(b"ctts", 1, &one_each(list)));
        }
        if !self.shots.iter().all(|s| s.sync) {
            let list: Vec<u32> = (1u32..).zip(&self.shots).filter(|(_, s)| s.sync).map(|(n, _)| n).collect();
            tables.push(full(b"stss", 0, &[words(&[list.len() as u32]), words(&list)].concat()));
        }
        tables
    }

    /// `moov` with these boxes in `stbl`, beside `stsd`.
    pub(crate) fn moov(&self, tables: &[Vec<u8>]) -> Vec<u8> {
        atom(b"moov", &[&mvhd(self.movie_scale), &self.trak(1, tables)])
    }

    /// A `trak`.
    pub(crate) fn trak(&self, id: u32, tables: &[Vec<u8>]) -> Vec<u8> {
        let stbl = atom(b"stbl", &[&stsd(self.video), &tables.concat()]);
        let [a, b, c] = self.language.map(|l| u16::from(l - 0x60));
        let language = ((a << 10) | (b << 5) | c).to_be_bytes();
        let mdhd = [&[0; 8], self.timescale.to_be_bytes().as_slice(), &[0; 4], &language, &[0; 2]].concat();
        let handler: &[u8] = if self.video { b"vide" } else { b"soun" };
        let hdlr = full(b"hdlr", 0, &[&[0; 4], handler, &[0; 12], b"x\0"].concat());
        let media_header = if self.video { full(b"vmhd", 0, &[0; 8]) } else { full(b"smhd", 0, &[0; 4]) };
        let minf = atom(b"minf", &[&media_header, &stbl]);
        let mdia = atom(b"mdia", &[&full(b"mdhd", 0, &mdhd), &hdlr, &minf]);
        let mut tkhd = [&[0; 8], id.to_be_bytes().as_slice(), &[0; 8 + 16]].concat();
        for unit in [0x1_0000u32, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000, 0, 0] {
            tkhd.extend(unit.to_be_bytes());
        }
        let mut boxes = full(b"tkhd", 0, &tkhd);
        if !self.edits.is_empty() {
            let mut list = (self.edits.len() as u32).to_be_bytes().to_vec();
            for (duration, time) in &self.edits {
                list.extend(duration.to_be_bytes());
                list.extend(time.to_be_bytes());
                list.extend([0, 1, 0, 0]);
            }
            boxes.extend(atom(b"edts", &[&full(b"elst", 1, &list)]));
        }
        boxes.extend(mdia);
        atom(b"trak", &[&boxes])
    }
}

/// `mvhd` of a movie.
pub(crate) fn mvhd(timescale: u32) -> Vec<u8> {
    let mut body = [&[0; 8], timescale.to_be_bytes().as_slice(), &[0; 4]].concat();
    body.extend([0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for unit in [0x1_0000u32, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000, 0, 0, 0, 0, 0, 0, 2] {
        body.extend(unit.to_be_bytes());
    }
    full(b"mvhd", 0, &body)
}

/// A box.
pub(crate) fn atom(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes(), kind.as_slice(), &body].concat()
}

/// A box with version 0 or 1 and no flags.
pub(crate) fn full(kind: &[u8; 4], version: u8, body: &[u8]) -> Vec<u8> {
    flagged(kind, u32::from(version) << 24, body)
}

/// A box with version and flags in one number.
pub(crate) fn flagged(kind: &[u8; 4], head: u32, body: &[u8]) -> Vec<u8> {
    atom(kind, &[&head.to_be_bytes(), body])
}

/// 32-bit numbers as bytes.
pub(crate) fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// The sample description of a fixture's first or second track.
fn stsd(video: bool) -> Vec<u8> {
    let file = fixture("moov-last.mp4");
    let mut places = file.windows(4).enumerate().filter(|(_, w)| *w == b"stsd").map(|(at, _)| at - 4);
    let at = places.nth(usize::from(!video)).unwrap();
    let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    file[at..at + size].to_vec()
}
