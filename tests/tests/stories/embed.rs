//! An axum server that embeds the origin, without Pingora.

use std::process::Command;

use forebay_tests::inputs::ours;
use forebay_tests::oracle::{fidelity, playlists, rules};
use forebay_tests::rig::binary;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::site::Site;

#[test]
fn the_axum_example_serves_the_same_film() {
    let site = Site::new().with("auth", "required", "false").with("segments", "target", "\"6s\"");
    let site = site.with("transcode", "gop", "\"2s\"");
    let source = ours::moov_last();
    site.place("film", &[&source]);
    // The example takes the rest of its configuration from the defaults.
    let embedded =
        Daemon::start_command(Command::new(binary::example("axum")).arg(site.store()).arg("127.0.0.1:0"));
    let daemon = site.serve();
    let entry = "/vod/film/main.m3u8";
    let (mine, theirs) = (crate::watching::follow(&embedded, entry), crate::watching::follow(&daemon, entry));
    assert!(mine.objects() == theirs.objects(), "the embedded origin gives other bytes");
    playlists::agree(&mine);
    rules::check(&mine);
    fidelity::pictures(embedded.url(&mine.video()[0].path), &source, "v:0");
    for (path, _) in mine.objects() {
        let tag = |daemon: &Daemon| daemon.get(path).is(200).header("etag").to_owned();
        assert_eq!(tag(&embedded), tag(&daemon), "{path}");
    }
    let own = embedded.get("/").is(200);
    assert!(own.text().contains("main.m3u8"), "the embedder's own page: {}", own.text());
    assert_eq!(embedded.get("/vod/nothing/main.m3u8").status, 404);
}
