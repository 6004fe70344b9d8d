//! The last word of a track.

use bytes::{BufMut, Bytes, BytesMut};
use packager::time::MediaTime;

/// A segment without media that says that it is the last (brand `lmsg`, ISO/IEC 23009-1 §7.3.1; DASH-IF Live Media
/// Ingest), where a track ends at `end`, in ticks of the track's.
///
/// ```text
/// styp lmsg │ moof { mfhd, traf { tfhd track 1, tfdt end } } │ mdat, empty
/// ```
pub(super) fn last_segment(end: MediaTime) -> Bytes {
    let mut bytes = BytesMut::with_capacity(100);
    boxed(&mut bytes, b"styp", |styp| {
        styp.put_slice(b"lmsg");
        styp.put_u32(0);
        styp.put_slice(b"lmsgcmfs");
    });
    boxed(&mut bytes, b"moof", |moof| {
        boxed(moof, b"mfhd", |mfhd| mfhd.put_u64(0));
        boxed(moof, b"traf", |traf| {
            boxed(traf, b"tfhd", |tfhd| {
                tfhd.put_u32(DEFAULT_BASE_IS_MOOF);
                tfhd.put_u32(TRACK);
            });
            boxed(traf, b"tfdt", |tfdt| {
                tfdt.put_u32(VERSION_1);
                tfdt.put_u64(end.ticks().unsigned_abs());
            });
        });
    });
    boxed(&mut bytes, b"mdat", |_| ());
    bytes.freeze()
}

fn boxed(out: &mut BytesMut, kind: &[u8; 4], write: impl FnOnce(&mut BytesMut)) {
    let mut body = BytesMut::new();
    write(&mut body);
    out.put_u32(u32::try_from(body.len() + 8).unwrap_or(u32::MAX));
    out.put_slice(kind);
    out.put_slice(&body);
}

/// The number that ffmpeg's muxer gives to the only track.
const TRACK: u32 = 1;
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
const VERSION_1: u32 = 0x0100_0000;

#[cfg(test)]
mod tests {
    use packager::live::{Event, Splitter};
    use packager::time::Timescale;

    use super::*;

    #[test]
    fn it_is_read_as_the_last_chunk_and_holds_no_sample() {
        let header = packager_header();
        let mut splitter = Splitter::new();
        splitter.feed(header);
        splitter.feed(last_segment(MediaTime::new(1 << 40, Timescale::new(15_360).unwrap())));
        let mut chunks = Vec::new();
        while let Some(event) = splitter.next().unwrap() {
            if let Event::Chunk(chunk) = event {
                chunks.push(chunk);
            }
        }
        splitter.finish().unwrap();
        let [chunk] = &chunks[..] else { panic!("{chunks:?}") };
        assert!(chunk.last && chunk.samples.is_empty());
    }

    /// The header of a track as another muxer writes it.
    fn packager_header() -> Bytes {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../packager/tests/fixtures/live/dash-video.mp4");
        let bytes = std::fs::read(file).unwrap();
        let moov = bytes.windows(4).position(|four| four == b"moov").unwrap() - 4;
        let length = u32::from_be_bytes(bytes[moov..moov + 4].try_into().unwrap());
        Bytes::copy_from_slice(&bytes[..moov + usize::try_from(length).unwrap()])
    }
}
