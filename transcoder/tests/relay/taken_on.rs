//! Shows whose worker dies, and which another one goes on with.

use std::time::Duration;

use forebay_transcoder::live::relay::{Event, Settings};
use packager::time::Bitrate;

use crate::rig::{Air, Clip, Sink, assert_unbroken, off_grid, playlist, read};
use crate::{GOP, assert_smooth, names};

/// How long a publisher takes to connect elsewhere.
const AWAY: Duration = Duration::from_millis(2_500);

/// All that was sent of a track, in the order of time and without what was sent twice.
fn joined(sink: &Sink, track: &str) -> Vec<crate::rig::Sample> {
    let (headers, samples) = sink.all(track);
    assert!(headers.windows(2).all(|pair| pair[0] == pair[1]), "{track}: one init segment");
    samples
}

/// How many keyframes off the grid the death of the first worker costs: one, unless it died at a boundary.
fn cut(sink: &Sink, track: &str) -> usize {
    let last = read(&sink.bodies(track)[0]).1.last().cloned().unwrap();
    usize::from((last.micros + last.lasts + 500) / 1_000 % 2_000 != 0)
}

#[tokio::test]
async fn a_show_goes_on_exactly_where_its_worker_died() {
    let sink = Sink::default();
    sink.look().answers = true;
    let serving = sink.open(None).await;
    let settings = Settings { max_height: 240, rungs: 2, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-240", 3).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let tracks = ["audio", "video-180", "video-240"];
    let tracks: Vec<&str> = tracks.into_iter().filter(|track| !sink.bodies(track).is_empty()).collect();
    let mut air = air.succeeded(&tracks, AWAY).await;
    air.publish(&clip.later(5_000_000), 12_000).await;
    sink.reaches("video-240", 8).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["taken_on", "started"], "{events:?}");
    let Event::TakenOn { filled_ms, lost_ms: 0 } = events[0] else { panic!("{events:?}") };
    assert!((500..=6_000).contains(&filled_ms), "{events:?}");
    assert_smooth(&sink, &tracks);
    for track in tracks {
        let samples = joined(&sink, track);
        assert_unbroken(track, &samples);
        if track != "audio" {
            assert_eq!(
                off_grid(track, &samples),
                cut(&sink, track),
                "{track}: where it goes on, and nowhere else"
            );
        }
    }
}

#[tokio::test]
async fn a_picture_that_is_passed_through_goes_on_too() {
    let sink = Sink::default();
    sink.look().answers = true;
    let serving = sink.open(None).await;
    let settings = Settings { pass_through: Some(Bitrate(9_000_000)), rungs: 2, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "480x270", 25, "-g 50 -keyint_min 50 -sc_threshold 0 -bf 2");
    air.publish(&clip, 12_000).await;
    sink.reaches("video-270", 3).await;
    let mut air = air.succeeded(&["audio", "video-240", "video-270"], AWAY).await;
    air.publish(&clip, 12_000).await;
    sink.reaches("video-270", 9).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["taken_on", "started"], "{events:?}");
    assert!(matches!(&events[1], Event::Started { is_passed: true, .. }), "{events:?}");
    assert_smooth(&sink, &["video-270", "video-240", "audio"]);
    assert_unbroken("video-240", &joined(&sink, "video-240"));
}

#[tokio::test]
async fn origins_of_which_one_had_less_both_go_on_without_a_gap() {
    let (one, two) = (Sink::default(), Sink::default());
    one.look().answers = true;
    two.look().answers = true;
    let (serving, slow) = (one.open(None).await, two.open(None).await);
    let settings = Settings { max_height: 180, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving, &slow]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    one.reaches("video-180", 3).await;
    let address = slow.address;
    drop(slow);
    one.reaches("video-180", 4).await;
    drop(serving);
    let ends = [&one, &two].map(|sink| read(&sink.bodies("video-180")[0]).1.last().unwrap().end);
    assert!(ends[0] > ends[1] + 10_000, "{ends:?}");
    drop(air);

    let (serving, slow) = (one.open(None).await, two.open(Some(address)).await);
    let air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving, &slow]);
    let mut air = air.succeeded(&["audio", "video-180"], AWAY).await;
    air.publish(&clip, 12_000).await;
    one.reaches("video-180", 9).await;
    two.reaches("video-180", 9).await;
    let events = air.stop().await;
    assert_eq!(names(&events)[..2], ["taken_on", "started"], "{events:?}");
    for sink in [&one, &two] {
        assert_smooth(sink, &["video-180", "audio"]);
    }
    assert!(off_grid("of the one that had less", &joined(&two, "video-180")) <= 2);
}

#[tokio::test]
async fn a_publisher_that_comes_back_late_leaves_a_gap_of_whole_segments() {
    let sink = Sink::default();
    sink.look().answers = true;
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 3).await;
    let mut air = air.succeeded(&["audio", "video-180"], Duration::from_secs(20)).await;
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 27).await;
    let events = air.stop().await;
    // A busy machine may be late besides.
    let told: Vec<_> = names(&events).into_iter().filter(|name| *name != "late").collect();
    assert_eq!(told, ["taken_on", "started", "started"], "{events:?}");
    for track in ["video-180", "audio"] {
        let listed = playlist(&sink, track);
        assert!(listed.contains("#EXT-X-GAP"), "{track}: {listed}");
        assert!(!listed.contains("GAP=YES"), "{track}: {listed}");
        assert!(!listed.contains("DISCONTINUITY\n"), "{listed}");
    }
    assert_eq!(off_grid("video-180", &joined(&sink, "video-180")), cut(&sink, "video-180"));
}
