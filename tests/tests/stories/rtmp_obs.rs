//! What a creator does: OBS, a server, a stream key, go.

use std::time::{Duration, Instant};

use forebay_tests::oracle::live as rules;
use forebay_tests::oracle::{listeners, media};
use forebay_tests::rig::fleet::free_address;
use forebay_tests::rig::obs::Obs;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::Viewer;

use crate::on_air::SLACK;
use crate::rtmp_show::renditions;

#[test]
fn obs_goes_live_and_comes_back_to_its_show_when_the_server_does() {
    let (rtmp, http) = (free_address(), free_address());
    let site = Site::new().with("rtmp", "listen", &format!("\"{rtmp}\"")).with(
        "listen",
        "http",
        &format!("\"{http}\""),
    );
    let site = site.with("work", "preset", "\"ultrafast\"").with("work", "max_height", "180");
    let site = site.with("log", "level", "\"info\"");
    let (key, door) = (site.stream_key("show"), site.door("show"));
    let daemon = site.serve();
    let obs = Obs::publish(rtmp, &key);
    obs.says("Streaming Start", 1);
    let paths = renditions(&daemon, &door, 2);
    for path in &paths {
        let mut viewer = Viewer::of(daemon.http(), path, Instant::now()).with_updates();
        let first = viewer.playlist().end().0;
        viewer.follow(|playlist| playlist.end().0 >= first + 2);
        let recording = viewer.recording();
        rules::holds(&recording.captures, SLACK);
        assert!(recording.parts_are_segments() >= 1, "{path}");
    }
    let seen = listeners::ffmpeg(&daemon.url(&door), Duration::from_secs(3));
    assert!(seen.pictures >= 85 && seen.complaints.is_empty(), "{seen:?}");
    assert!(media::has(daemon.url(&door), "a"));

    // OBS tries again after two seconds.
    drop(daemon);
    let daemon = site.serve();
    obs.says("Connection to rtmp://", 2);
    assert_eq!(renditions(&daemon, &door, 2), paths, "the same show");
    assert!(daemon.log().contains("goes_on=true"), "it was begun anew");
}

#[test]
fn obs_is_told_that_its_key_is_wrong() {
    let site = Site::new().with("rtmp", "listen", "\"127.0.0.1:0\"");
    let daemon = site.serve();
    // The code of librtmp for a stream that cannot be had; OBS then asks to check the stream key.
    let obs = Obs::publish(daemon.rtmp(), "fb-0000-0000-0000-0000-0000-0000-0000-0000");
    obs.says("failed: -3", 1);
}
