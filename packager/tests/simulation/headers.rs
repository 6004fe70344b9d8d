//! Headers of many tracks, patched from those of a real encoder.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use forebay_packager::live::Header;

/// Reads each header once; reading is dear where thousands of shows want one.
pub(crate) struct Headers {
    video: Vec<u8>,
    audio: Vec<u8>,
    read: RefCell<HashMap<(bool, u32, u8), Arc<Header>>>,
}

impl Headers {
    pub(crate) fn new() -> Self {
        let fixture = |name| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
            let file = std::fs::read(folder.join(name)).unwrap();
            let moof = place(&file, b"moof") - 4;
            file[..moof].to_vec()
        };
        Self { video: fixture("cmaf-video.mp4"), audio: fixture("cmaf-audio.mp4"), read: RefCell::default() }
    }

    /// The header of a track with this timescale. Other variants decode otherwise: another width and parameter set, or
    /// another language.
    pub(crate) fn get(&self, video: bool, scale: u32, variant: u8) -> Arc<Header> {
        let mut read = self.read.borrow_mut();
        let header = read.entry((video, scale, variant)).or_insert_with(|| {
            let mut bytes = if video { self.video.clone() } else { self.audio.clone() };
            let mdhd = place(&bytes, b"mdhd");
            bytes[mdhd + 16..mdhd + 20].copy_from_slice(&scale.to_be_bytes());
            if video {
                let avc1 = place(&bytes, b"avc1");
                bytes[avc1 + 29] += 2 * variant;
                let avcc = place(&bytes, b"avcC");
                let set_len = usize::from(u16::from_be_bytes([bytes[avcc + 10], bytes[avcc + 11]]));
                bytes[avcc + 11 + set_len] ^= variant;
            } else {
                // Three letters of five bits each, from "fra" on.
                bytes[mdhd + 25] += variant;
            }
            Header::read(&bytes).unwrap()
        });
        Arc::clone(header)
    }
}

/// Where a box's name stands.
fn place(bytes: &[u8], name: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == name).unwrap()
}

#[test]
fn each_variant_has_an_init_segment_of_its_own() {
    let headers = Headers::new();
    let mut ids: Vec<_> = [(true, 12_800), (true, 90_000), (false, 48_000), (false, 44_100)]
        .into_iter()
        .flat_map(|(video, scale)| (0..4).map(move |variant| (video, scale, variant)))
        .map(|(video, scale, variant)| {
            let header = headers.get(video, scale, variant);
            assert_eq!((header.kind().is_video(), header.timescale().ticks_per_second()), (video, scale));
            header.id()
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 16);
}
