//! A sender whose streams are written box by box: as they should be, or with one thing wrong.

use super::clip::{Clip, atom, flagged, full, mvhd, words};

/// The header of a track with this edit list: entries of (movie ticks at 1,000 a second, media time).
pub(crate) fn header(video: bool, edits: &[(u64, i64)]) -> Vec<u8> {
    header_of(&clip(video, edits), &[trex(1, [1024, 0, 0])])
}

/// The header of track 1 of a clip, with these boxes in `mvex`.
pub(crate) fn header_of(clip: &Clip, defaults: &[Vec<u8>]) -> Vec<u8> {
    moov(clip.movie_scale, &[clip.trak(1, &no_samples())], defaults)
}

/// Two seconds' worth of nothing: 48,000 Hz sound, or pictures of 12,800 ticks a second.
pub(crate) fn clip(video: bool, edits: &[(u64, i64)]) -> Clip {
    let clip = if video { Clip::pictures(0, 1, 0) } else { Clip::sound(0, 0) };
    Clip { edits: edits.to_vec(), ..clip }
}

pub(crate) fn moov(movie_scale: u32, traks: &[Vec<u8>], defaults: &[Vec<u8>]) -> Vec<u8> {
    let ftyp = atom(b"ftyp", &[b"iso6".as_slice(), &[0; 4], b"cmfc"]);
    let mvex = atom(b"mvex", &[&defaults.concat()]);
    [ftyp, atom(b"moov", &[&mvhd(movie_scale), &traks.concat(), &mvex])].concat()
}

/// Sample tables without a sample.
pub(crate) fn no_samples() -> Vec<Vec<u8>> {
    let empty = |kind, count: usize| full(kind, 0, &vec![0; count]);
    vec![empty(b"stts", 4), empty(b"stsc", 4), empty(b"stsz", 8), empty(b"stco", 4)]
}

/// Defaults of a track: duration, size, flags.
pub(crate) fn trex(id: u32, [duration, size, flags]: [u32; 3]) -> Vec<u8> {
    full(b"trex", 0, &words(&[id, 1, duration, size, flags]))
}

/// `moof` of some boxes.
pub(crate) fn moof(trafs: &[Vec<u8>]) -> Vec<u8> {
    atom(b"moof", &[&full(b"mfhd", 0, &words(&[1])), &trafs.concat()])
}

pub(crate) fn traf(boxes: &[Vec<u8>]) -> Vec<u8> {
    atom(b"traf", &[&boxes.concat()])
}

/// `tfhd` of a track whose data counts from the `moof`.
pub(crate) fn tfhd(id: u32) -> Vec<u8> {
    flagged(b"tfhd", 0x02_0000, &words(&[id]))
}

pub(crate) fn tfdt(time: u64) -> Vec<u8> {
    full(b"tfdt", 1, &time.to_be_bytes())
}

/// `trun` with these flags; fields of the samples as they are.
pub(crate) fn trun(flags: u32, count: u32, fields: &[u32]) -> Vec<u8> {
    flagged(b"trun", flags, &[words(&[count]), words(fields)].concat())
}

pub(crate) fn mdat(media: &[u8]) -> Vec<u8> {
    atom(b"mdat", &[media])
}

/// One chunk of samples of `sizes` bytes and the default duration, decoded from `time` on. Their bytes count up from 1.
pub(crate) fn chunk(time: u64, sizes: &[u32]) -> Vec<u8> {
    chunk_of(&[tfhd(1), tfdt(time)], sizes, 0)
}

/// The same with these boxes before `trun`, whose data starts `shift` bytes off.
pub(crate) fn chunk_of(boxes: &[Vec<u8>], sizes: &[u32], shift: i32) -> Vec<u8> {
    let run = |offset: i32| {
        let mut fields = vec![offset.cast_unsigned()];
        fields.extend(sizes);
        trun(0x201, sizes.len() as u32, &fields)
    };
    let all = |offset| moof(&[traf(&[boxes.concat(), run(offset)])]);
    let head = all(0).len() as i32 + 8;
    let media: Vec<u8> = (1..=sizes.iter().sum::<u32>()).map(|n| n as u8).collect();
    [all(head + shift), mdat(&media)].concat()
}
