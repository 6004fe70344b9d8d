//! Streams that other programs wrote, held against what the packager reads from the same bytes as a file.

use forebay_packager::fuzzing::read as read_file;
use forebay_packager::live::{Chunk, Sample};
use forebay_packager::time::MediaTime;
use forebay_packager::track::TrackKind;

use super::rig::{fixture, read, samples, streams};

#[test]
fn a_stream_has_the_samples_of_the_same_bytes_as_a_file() {
    // A file has no sample before zero; ffmpeg's sound from zero starts there (see below).
    for (name, stream) in streams().into_iter().filter(|(name, _)| name != "cmaf-audio.mp4") {
        let (header, chunks) = read(&stream);
        let movie = read_file(&stream).unwrap();
        let [track] = movie.tracks.as_slice() else { panic!("{name}: one track") };
        assert_eq!((header.kind(), header.timescale()), (track.kind(), track.timescale()), "{name}");
        assert_eq!((header.language(), header.decoding()), (track.language(), track.decoding()), "{name}");

        let table = track.samples();
        let skipped = |i: u32| {
            let end = table.presentation_time(i) - i64::from(track.skip());
            !track.kind().is_video() && end + i64::from(table.samples(i..i + 1).next().unwrap().duration) <= 0
        };
        let served: Vec<u32> = (0..table.len()).filter(|i| !skipped(*i)).collect();
        let given = samples(&chunks);
        assert_eq!(given.len(), served.len(), "{name}");
        for (sample, i) in given.iter().zip(served) {
            let listed = table.samples(i..i + 1).next().unwrap();
            let presented = MediaTime::new(sample.presented(), header.timescale());
            assert_eq!(presented, track.presented_at(i), "{name}: presentation of sample {i}");
            assert_eq!((sample.duration, sample.sync), (listed.duration, listed.sync), "{name}: sample {i}");
            let media: Vec<u8> = table
                .byte_ranges(i..i + 1)
                .iter()
                .flat_map(|r| &stream[r.start() as usize..r.end() as usize])
                .copied()
                .collect();
            assert_eq!(sample.data, media, "{name}: media of sample {i}");
        }
    }
}

#[test]
fn decode_times_stay_as_sent_or_move_by_the_priming() {
    let first = |name: &str| {
        let samples = samples(&read(&fixture(&format!("live/{name}.mp4"))).1);
        (samples[0].decode, samples[0].offset, samples[1].decode, samples[1].offset)
    };
    assert_eq!(first("cmaf-video"), (0, 0, 512, 1024), "offsets were signed already");
    assert_eq!(first("dash-video"), (0, 0, 512, 1024), "an edit list takes the delay of reordering out");
    assert_eq!(first("shaka-video"), (0, 0, 512, 1024));
    assert_eq!(first("gst-video"), (0, 200, 100, 400), "without one the delay stays");
    assert_eq!(first("cmaf-audio"), (0, 0, 1024, 0), "the frame at -1024 is dropped");
    assert_eq!(first("dash-audio"), (0, 0, 1024, 0), "an edit list cuts the priming off");
    let epoch = 1_795_363_200;
    assert_eq!(first("epoch-video"), (epoch * 12_800, 0, epoch * 12_800 + 512, 1024));
    assert_eq!(first("epoch-audio"), (epoch * 48_000 - 1024, 0, epoch * 48_000, 0), "no edit list, no cut");
}

#[test]
fn two_ways_to_write_the_same_sound_read_as_the_same_samples() {
    let of = |name: &str| samples(&read(&fixture(&format!("live/{name}.mp4"))).1);
    assert_eq!(of("cmaf-audio"), of("dash-audio"));
    assert_eq!(of("cmaf-video"), of("dash-video"));
    assert_eq!(of("packager-video"), of("shaka-ll-video"), "a fragment for each GOP, and one for each frame");
    let shifted = |s: Sample| Sample { decode: s.decode - 1_795_363_200 * 12_800, ..s };
    assert!(of("epoch-video").into_iter().map(shifted).eq(of("cmaf-video")));
}

#[test]
fn chunks_are_those_of_the_sender() {
    let sizes = |name: &str| {
        let chunks: Vec<Chunk> = read(&fixture(&format!("live/{name}.mp4"))).1;
        chunks.iter().map(|chunk| chunk.samples.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes("cmaf-video"), [5; 15]);
    assert_eq!(sizes("packager-video"), [25; 3]);
    assert_eq!(sizes("shaka-ll-video"), [1; 75]);
    // The first frame is priming, so the first chunk has none.
    assert_eq!(sizes("packager-audio"), vec![1; 141]);
}

#[test]
fn two_senders_of_the_same_track_have_the_same_init_segment() {
    let header = |name: &str| read(&fixture(&format!("live/{name}.mp4"))).0;
    let same = |a: &str, b: &str| {
        let (a, b) = (header(a), header(b));
        assert_eq!((a.id(), a.init()), (b.id(), b.init()));
    };
    same("cmaf-video", "epoch-video");
    same("cmaf-audio", "epoch-audio");
    assert_ne!(header("gst-video").id(), header("cmaf-video").id(), "another timescale");
    assert!(matches!(header("shaka-video").kind(), TrackKind::Video { width: 128, height: 72, .. }));
    assert_eq!(header("shaka-audio").language(), Some("fra"));
}

#[test]
fn a_prft_of_ffmpeg_says_when_each_chunk_was_made() {
    for name in ["dash-video", "dash-audio"] {
        let (_, chunks) = read(&fixture(&format!("live/{name}.mp4")));
        let captured: Vec<_> = chunks.iter().map(|chunk| chunk.captured.unwrap()).collect();
        // It names the first sample of each chunk, priming included, on the presentation timeline.
        let primed = if name == "dash-audio" { -1024 } else { 0 };
        assert_eq!(captured[0].media_time, primed, "{name}");
        for (capture, chunk) in captured.iter().zip(&chunks).skip(1) {
            assert_eq!(capture.media_time, chunk.samples[0].presented(), "{name}");
        }
        assert!(captured.windows(2).all(|w| w[0].unix_micros <= w[1].unix_micros), "{name}");
        let year = 365 * 86_400 * 1_000_000i64;
        assert!((50 * year..80 * year).contains(&captured[0].unix_micros), "{name}: {:?}", captured[0]);
    }
    let (_, chunks) = read(&fixture("live/cmaf-video.mp4"));
    assert!(chunks.iter().all(|chunk| chunk.captured.is_none() && chunk.events.is_empty() && !chunk.last));
}
