//! An axum server that embeds the origin, without Pingora.

use std::process::Command;

use forebay_tests::inputs::ours;
use forebay_tests::oracle::{fidelity, playlists, rules};
use forebay_tests::rig::binary;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::site::Site;

#[test]
fn the_axum_example_serves_the_same_film() {
    let site = Site::new();
    let source = ours::moov_last();
    site.place("film", &[&source]);
    let embedded = Daemon::start_command(Command::new(binary::example("axum")).arg(site.config()));
    let daemon = site.serve();
    let entry = site.entry("film");
    let (mine, theirs) =
        (crate::watching::follow(&embedded, &entry), crate::watching::follow(&daemon, &entry));
    assert!(mine.objects() == theirs.objects(), "the embedded origin gives other bytes");
    playlists::agree(&mine);
    rules::check(&mine);
    fidelity::pictures(embedded.url(&mine.video()[0].path), &source, "v:0");
    let tags = |daemon: &Daemon| daemon.get(&mine.video()[0].path).header("etag").to_owned();
    assert_eq!(tags(&embedded), tags(&daemon));
    assert!(matches!(embedded.get("/vod/film/main.m3u8").status, 401 | 403));
}
