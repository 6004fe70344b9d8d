use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::import::Wanted;
use crate::index::{Sample, TableBuilder};
use crate::track::{Decoding, Language};

const VIDEO: TrackKind = TrackKind::Video { width: 640, height: 360, pixel_aspect: (1, 1) };
const SOUND: TrackKind = TrackKind::Audio { channels: 2, sample_rate: 48_000 };

/// A segment of `count` samples that starts at `start`, in ticks.
fn track(kind: TrackKind, scale: u32, start: i64, count: u32, duration: u32) -> Track {
    let mut builder = TableBuilder::default();
    builder.seek(start.max(0).unsigned_abs());
    for n in 0..count {
        let sample = Sample { decode: 0, duration, offset: 0, size: 10, sync: n == 0 || !kind.is_video() };
        builder.push(sample, 100 + u64::from(n) * 10).unwrap();
    }
    let begin = builder.start();
    Track {
        kind,
        timescale: Timescale::new(scale).unwrap(),
        language: Language::UNDETERMINED,
        decoding: Decoding { codec: "x".into(), entry: Bytes::new(), matrix: [0; 9] },
        skip: u32::try_from(-start.min(0)).unwrap(),
        samples: builder.finish(begin, 0).unwrap(),
    }
}

/// Pictures of 25 a second, in ticks of 12,800.
fn pictures(start: i64, frames: u32) -> Track {
    track(VIDEO, 12_800, start, frames, 512)
}

fn sound(start: i64, frames: u32) -> Track {
    track(SOUND, 48_000, start, frames, 1024)
}

fn strip(name: &str, tracks: Vec<(bool, Track)>) -> Strip {
    let wanted = if tracks[0].1.kind().is_video() { Wanted::Video } else { Wanted::Audio };
    let shot = |(n, (is_discontinuous, track)): (u32, (bool, Track))| Shot {
        place: Place::Segment(n, n * 2 + 5),
        breaks: usize::from(is_discontinuous),
        duration: track.end().since(track.start()),
        tracks: vec![track],
        media_at: 100,
        at: u64::from(n) * 10_000,
    };
    let shots = (0..).zip(tracks).map(shot).collect();
    Strip { playlist: name.to_owned(), object: 0, wanted, language: None, shots }
}

fn presented(laid: &Laid, source: usize) -> Vec<MediaTime> {
    let track = &laid.sources[source].track;
    (0..track.samples().len()).map(|i| track.presented_at(i)).collect()
}

fn only_fault(strips: &[Strip]) -> String {
    let faults = lay(strips).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

#[test]
fn a_timeline_that_counts_from_anywhere_starts_at_zero_with_its_priming() {
    let strips = [
        strip("v", vec![(false, pictures(128_000, 50)), (false, pictures(153_600, 50))]),
        strip("a", vec![(false, sound(480_000 - 1024, 95)), (false, sound(480_000 + 94 * 1024, 94))]),
    ];
    let laid = lay(&strips).unwrap();
    assert!(laid.notes.is_empty(), "{:?}", laid.notes);
    let [video, sound] = [0, 1].map(|n| laid.sources[n].track.clone());
    assert_eq!((video.start().ticks(), video.end().to_string()), (0, "4.000000".to_owned()));
    assert_eq!((sound.start().ticks(), sound.skip(), sound.samples().len()), (-1024, 1024, 189));
    assert_eq!(sound.end().ticks(), 188 * 1024);
    assert_eq!(laid.grid, [0, 2000].map(MediaTime::from_millis));
    let names: Vec<_> = laid.sources.iter().map(|source| source.name.to_string()).collect();
    assert_eq!(names, ["video-360", "audio-und"]);
}

#[test]
fn a_period_starts_where_all_of_the_one_before_have_ended() {
    let strips = [
        strip("v", vec![(false, pictures(0, 50)), (true, pictures(0, 50))]),
        // 94 frames last 5 ms longer than the pictures; the first frame of the second period is its priming.
        strip("a", vec![(false, sound(-1024, 95)), (true, sound(-1024, 95))]),
    ];
    let laid = lay(&strips).unwrap();
    let [video, sound] = [0, 1].map(|n| laid.sources[n].track.clone());
    // 94 * 1024 / 48,000 s, in ticks of the pictures and up.
    assert_eq!(presented(&laid, 0)[50].ticks(), 25_669);
    assert_eq!(presented(&laid, 0)[49].ticks(), 49 * 512);
    assert_eq!(video.samples().len(), 100);
    assert_eq!(sound.samples().len(), 189, "the priming of the second period is dropped");
    assert_eq!(presented(&laid, 1)[95].ticks(), 96_259);
    assert_eq!(laid.grid.len(), 2);
}

#[test]
fn what_was_before_the_pictures_is_heard() {
    let strips = [strip("v", vec![(false, pictures(12_800, 50))]), strip("a", vec![(false, sound(0, 141))])];
    let laid = lay(&strips).unwrap();
    assert_eq!(presented(&laid, 0)[0], MediaTime::from_millis(1000));
    assert_eq!(presented(&laid, 1)[0], MediaTime::from_millis(0));
}

#[test]
fn what_cannot_be_one_track_is_named_with_its_segment() {
    let back = [strip("v", vec![(false, pictures(0, 50)), (false, pictures(0, 50))])];
    assert_eq!(
        only_fault(&back),
        "v, segment 1 (line 7): expected EXT-X-DISCONTINUITY, or times that go on at 2.000000 s, found them at 0.000000 s"
    );
    let missing = [strip("v", vec![(false, pictures(0, 50)), (false, pictures(153_600, 50))])];
    assert!(only_fault(&missing).ends_with("found them at 12.000000 s: media is missing"));
    let other =
        track(TrackKind::Video { width: 2, height: 2, pixel_aspect: (1, 1) }, 12_800, 25_600, 50, 512);
    let changed = [strip("v", vec![(false, pictures(0, 50)), (true, other)])];
    assert!(
        only_fault(&changed).contains("expected pictures of 640 x 360 as before, found pictures of 2 x 2")
    );
    let mut silent = strip("a", vec![(false, pictures(0, 50))]);
    silent.wanted = Wanted::Audio;
    assert_eq!(only_fault(&[silent]), "a: expected sound, found none");
}

#[test]
fn a_small_hole_is_bridged_and_told() {
    let strips = [strip("v", vec![(false, pictures(0, 50)), (false, pictures(25_600 + 2560, 50))])];
    let laid = lay(&strips).unwrap();
    assert_eq!(laid.notes[0].to_string(), "v, segment 1 (line 7): a hole of 0.200000 s before it is bridged");
    assert_eq!(laid.sources[0].track.end(), MediaTime::from_millis(4200));
}

#[test]
fn bit_rates_are_no_decoder_configuration() {
    let fixture = include_bytes!("../../../tests/fixtures/live/dash-audio.mp4");
    let entry = crate::live::Header::read(fixture).unwrap().decoding().entry.clone();
    use mp4_atom::{Codec, Decode as _, Encode as _};
    let changed = |change: &dyn Fn(&mut mp4_atom::Mp4a)| {
        let mut codec = Codec::decode(&mut entry.as_ref()).unwrap();
        let Codec::Mp4a(mp4a) = &mut codec else { panic!("AAC") };
        change(mp4a);
        let mut bytes = Vec::new();
        codec.encode(&mut bytes).unwrap();
        configuration(&bytes.into())
    };
    let same = configuration(&entry);
    assert!(same.is_some());
    assert_eq!(changed(&|mp4a| mp4a.esds.es_desc.dec_config.avg_bitrate = 7), same);
    assert_ne!(changed(&|mp4a| mp4a.audio.channel_count = 7), same);
}

proptest! {
    /// Wherever each period counts from and however renditions are cut: within a period nothing moves against another,
    /// no period starts before the one before has ended, and what is presented goes on.
    #[test]
    fn sound_stays_with_the_pictures(
        periods in prop::collection::vec((0i64..1 << 40, 1u32..4, 1u32..60, -900i64..900), 1..5),
    ) {
        let (mut videos, mut sounds) = (Vec::new(), Vec::new());
        for (n, (origin, segments, frames, apart)) in periods.iter().enumerate() {
            for segment in 0..*segments {
                let is_new = n > 0 && segment == 0;
                let start = origin + i64::from(segment * frames) * 512;
                videos.push((is_new, pictures(start, *frames)));
            }
            let start = origin * 48_000 / 12_800 + apart;
            sounds.push((n > 0, sound(start.max(0), segments * frames * 2)));
        }
        let strips = [strip("v", videos), strip("a", sounds)];
        let laid = lay(&strips).unwrap();
        let video = presented(&laid, 0);
        prop_assert!(video.is_sorted() && presented(&laid, 1).is_sorted());
        let mut frame = 0usize;
        let mut sample = 0usize;
        let mut ended = MediaTime::from_millis(0);
        for (n, (origin, segments, frames, apart)) in periods.iter().enumerate() {
            let count = (segments * frames) as usize;
            let begin = video[frame];
            prop_assert!(begin >= ended, "{begin} before {ended}");
            for i in 0..count {
                prop_assert_eq!(video[frame + i].since(begin).ticks(), i64::try_from(i).unwrap() * 512);
            }
            // Sound of later periods may have lost a frame that was heard while the one before still was.
            let all = presented(&laid, 1);
            let source = |i: i64| MediaTime::new((origin * 48_000 / 12_800 + apart).max(0) + i * 1024, Timescale::new(48_000).unwrap());
            let lost = (0..2).find(|lost| {
                let expected = source(*lost).since(MediaTime::new(*origin, Timescale::new(12_800).unwrap()));
                let found = all[sample].since(begin);
                (found.ticks() - expected.ticks()).abs() <= 4
            });
            prop_assert!(lost.is_some() && (n > 0 || lost == Some(0)), "period {n}");
            let kept = count * 2 - usize::try_from(lost.unwrap()).unwrap();
            ended = video[frame + count - 1].plus(MediaTime::new(512, Timescale::new(12_800).unwrap()));
            (frame, sample) = (frame + count, sample + kept);
        }
        prop_assert_eq!((frame, sample), (video.len(), presented(&laid, 1).len()));
    }
}
