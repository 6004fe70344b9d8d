//! The head that Enhanced RTMP v2 gives to tags of video and audio alike.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A head that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Enhanced {
    /// The packet type.
    pub(super) packet: u8,
    pub(super) codec: [u8; 4],
    /// What follows the head; of several tracks that of track 0.
    pub(super) body: Bytes,
    /// Whether there were tracks to choose from.
    is_chosen: bool,
}

/// Reads a head. `multitrack` is the packet type that says so: 6 for video, 5 for audio. `None` where it is cut off, or
/// holds no track 0.
pub(super) fn read(data: &Bytes, multitrack: u8) -> Option<Enhanced> {
    let mut rest = data.clone();
    let mut packet = rest.try_get_u8().ok()? & 0x0f;
    while packet == MOD_EX {
        let mut length = usize::from(rest.try_get_u8().ok()?) + 1;
        if length == 256 {
            length = usize::from(rest.try_get_u16().ok()?) + 1;
        }
        if rest.len() < length {
            return None;
        }
        rest.advance(length);
        packet = rest.try_get_u8().ok()? & 0x0f;
    }
    if packet != multitrack {
        let codec = fourcc(&mut rest)?;
        return Some(Enhanced { packet, codec, body: rest, is_chosen: false });
    }
    let kind = rest.try_get_u8().ok()?;
    let packet = kind & 0x0f;
    let common = if kind >> 4 == MANY_CODECS { None } else { Some(fourcc(&mut rest)?) };
    if packet == multitrack || packet == MOD_EX {
        return None;
    }
    while !rest.is_empty() {
        let codec = common.or_else(|| fourcc(&mut rest))?;
        let track = rest.try_get_u8().ok()?;
        let length = match kind >> 4 {
            ONE_TRACK => rest.len(),
            _ => usize::try_from(rest.try_get_uint(3).ok()?).ok()?,
        };
        if rest.len() < length {
            return None;
        }
        let body = rest.split_to(length);
        if track == 0 {
            return Some(Enhanced { packet, codec, body, is_chosen: true });
        }
    }
    None
}

/// The tag as one of a single track: itself, or track 0 with a head of its own. `None` where there is no track 0.
pub(super) fn one_track(data: Bytes, multitrack: u8) -> Option<Bytes> {
    let read = read(&data, multitrack)?;
    if !read.is_chosen {
        return Some(data);
    }
    // Copied: the tracks that are left out shall not wait along with it.
    let mut plain = BytesMut::with_capacity(5 + read.body.len());
    plain.put_u8(data.first()? & 0xf0 | read.packet);
    plain.put_slice(&read.codec);
    plain.put_slice(&read.body);
    Some(plain.freeze())
}

fn fourcc(rest: &mut Bytes) -> Option<[u8; 4]> {
    let code = *rest.first_chunk()?;
    rest.advance(4);
    Some(code)
}

/// A packet type that puts modifiers before another one.
const MOD_EX: u8 = 7;
/// How tracks are laid out: one; several of one codec; several with a codec each.
const ONE_TRACK: u8 = 0;
const MANY_CODECS: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8]) -> Option<(u8, [u8; 4], Vec<u8>)> {
        super::read(&Bytes::copy_from_slice(data), 6)
            .map(|read| (read.packet, read.codec, read.body.to_vec()))
    }

    #[test]
    fn modifiers_are_passed_over() {
        let nano = [&[0x97, 2, 1, 2, 3, 0x01][..], b"hvc1", b"body"].concat();
        assert_eq!(read(&nano), Some((1, *b"hvc1", b"body".to_vec())));
        let mut long = vec![0x97, 255, 1, 0];
        long.resize(4 + 257, 0);
        assert_eq!(read(&[&long[..], &[0x01], b"av01"].concat()), Some((1, *b"av01", vec![])));
        assert_eq!(read(&[0x97, 255, 255, 255, 0]), None);
    }

    #[test]
    fn of_several_tracks_track_0_is_taken() {
        let one = |track| [&[0x96, 0x01][..], b"hvc1", &[track], b"body"].concat();
        assert_eq!(read(&one(0)), Some((1, *b"hvc1", b"body".to_vec())));
        assert_eq!(read(&one(1)), None);
        let many = [&[0x96, 0x11][..], b"hvc1", &[1, 0, 0, 2], b"no", &[0, 0, 0, 3], b"yes"].concat();
        assert_eq!(read(&many), Some((1, *b"hvc1", b"yes".to_vec())));
        let codecs = [&[0x96, 0x21][..], b"av01", &[2, 0, 0, 1], b"n", b"hvc1", &[0, 0, 0, 1], b"y"].concat();
        assert_eq!(read(&codecs), Some((1, *b"hvc1", b"y".to_vec())));
        let plain = one_track(codecs.into(), 6).unwrap();
        assert_eq!(plain, [&[0x91][..], b"hvc1", b"y"].concat());
        assert_eq!(one_track(plain.clone(), 6), Some(plain), "what is one track stays as it is");
    }

    #[test]
    fn what_is_cut_off_or_nested_is_none() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x91, b'h', b'v']), None);
        assert_eq!(read(&[&[0x96, 0x16][..], b"hvc1", &[0, 0, 0, 0]].concat()), None);
        assert_eq!(read(&[&[0x96, 0x11][..], b"hvc1", &[0, 0xff, 0xff, 0xff, 1]].concat()), None);
    }
}
