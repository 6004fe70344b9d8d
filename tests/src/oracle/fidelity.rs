//! What comes out is what went in: packets and decoded pictures of a served rendition against its source.

use std::ffi::OsStr;

use super::fragments::{self, Fragments};
use super::hls::Rendition;
use super::media::{self, Packet};

/// How far a served stream is shifted against its source, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift(pub f64);

/// Checks that the rendition `served`, found at `url`, holds exactly the packets of stream `select` of `source`, in order,
/// each at its time but for one shift for all of them. Packets that an edit list hides may be left out at either end.
///
/// The bytes are read by ffprobe, the times by mp4box.js: ffmpeg moves fragments with negative composition offsets (CMAF's
/// way, ISO/IEC 14496-12 §8.8.8) by the largest of them.
///
/// # Panics
/// When a packet is missing, changed, added or displaced.
pub fn packets(served: &Rendition, url: impl AsRef<OsStr>, source: impl AsRef<OsStr>, select: &str) -> Shift {
    let what = format!("{} against {} {select}", served.path, source.as_ref().display());
    let (ours, mut theirs) = (media::packets(&url, &select[..1]), media::packets(&source, select));
    let times = Fragments::of(served).presented();
    assert_eq!(times.len(), ours.len(), "{what}: ffprobe and mp4box.js count differently");
    let source_times = fragments::presented(&source, if select.starts_with('v') { "vide" } else { "soun" });
    // Behind the end of the last edit ffprobe gives nothing more.
    assert!(source_times.len() >= theirs.len(), "{what}: mp4box.js sees fewer samples in the source");
    for (packet, time) in theirs.iter_mut().zip(source_times) {
        packet.pts = time;
    }
    let start = leading_discards(&theirs).min(theirs.len() - 1);
    let from = theirs[..=start].iter().position(|packet| packet.digest == ours[0].digest);
    let theirs = &theirs[from.unwrap_or_else(|| panic!("{what}: the first packet is not the source's"))..];
    let hidden_end = theirs.iter().rev().take_while(|packet| packet.discarded).count();
    assert!(
        (theirs.len() - hidden_end..=theirs.len()).contains(&ours.len()),
        "{what}: {} packets, the source has {} (of which {hidden_end} hidden at the end)",
        ours.len(),
        theirs.len()
    );
    let shift = times[0] - theirs[0].pts;
    for (n, ((own, time), their)) in ours.iter().zip(times).zip(theirs).enumerate() {
        assert_eq!(own.digest, their.digest, "{what}: packet {n} is another");
        assert_eq!(own.key, their.key, "{what}: packet {n} is a key frame in one only");
        let off = time - their.pts - shift;
        assert!(off.abs() < TICK, "{what}: packet {n} at {time} s, {off} s off");
    }
    Shift(shift)
}

/// Checks that decoding `served` gives exactly the pictures of stream `select` of `source`, at the same distances.
///
/// # Panics
/// When a picture is missing, changed, added or displaced.
pub fn pictures(served: impl AsRef<OsStr>, source: impl AsRef<OsStr>, select: &str) {
    let what = format!("{} against {} {select}", served.as_ref().display(), source.as_ref().display());
    let (ours, theirs) = (media::frames(&served, "v:0"), media::frames(&source, select));
    assert_eq!(ours.len(), theirs.len(), "{what}: number of pictures");
    let shift = ours[0].micros - theirs[0].micros;
    for (n, (own, their)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(own.digest, their.digest, "{what}: picture {n} is another");
        assert!((own.micros - their.micros - shift).abs() <= 20, "{what}: picture {n} is displaced");
    }
}

fn leading_discards(packets: &[Packet]) -> usize {
    packets.iter().take_while(|packet| packet.discarded).count()
}

/// ffprobe prints microseconds, and 1/90000 s is the coarsest tick of the sources.
const TICK: f64 = 0.000_020;

/// How far sound and picture may have moved against each other: a tick of the coarser time base.
pub const SYNC: f64 = 0.001;
