//! What operators purge is not served from what is kept: by key, URL, beginning and all, on the node and on its disk.

use forebay_tests::inputs::ours::Clip;
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

/// A site over a bucket, with these assets.
fn site(bucket: &Bucket, assets: &[&str]) -> Site {
    let site = bucket.dress(Site::new()).with("cache", "block", "\"16KiB\"");
    // What is read is counted.
    let site = site.with("cache", "prefetch", "\"0B\"");
    let clip =
        Clip { name: "purge", seconds: 6, size: "160x90", rate: "25", sound: 48_000, options: &["-g", "25"] };
    assets.iter().for_each(|asset| drop(site.transcode(&clip.make(), asset).ok()));
    site
}

/// `forebay purge ARGS` for a daemon.
fn purge(daemon: &Daemon, args: &[&str]) -> Outcome {
    let admin = daemon.admin().to_string();
    command::run(["purge", "--admin", &admin].into_iter().chain(args.iter().copied()))
}

/// Follows an asset; gives how often the store was read for it.
fn reads(bucket: &Bucket, daemon: &Daemon, entry: &str) -> u64 {
    let _before = bucket.traffic();
    follow(daemon, entry);
    bucket.traffic().reads
}

#[test]
fn what_was_purged_is_read_anew_and_nothing_else_is() {
    let bucket = Bucket::start();
    let site = site(&bucket, &["film", "other"]);
    let (film, other) = (site.entry("film"), site.entry("other"));
    let daemon = site.serve();
    let cost = || (reads(&bucket, &daemon, &film), reads(&bucket, &daemon, &other));
    let (all, _) = cost();
    let second = cost();
    assert_eq!(second, (0, 0), "nothing is read twice");
    let whole = format!("https://cdn.example{film}");
    let segment = format!("/vod/film/1/{}/0.m4s", rendition(&daemon, &film));
    for (args, wanted) in [
        (&["--key", "asset/film"][..], (all, 0)),
        (&["--key", "revision/film/1"], (all, 0)),
        (&["--prefix", "/vod/fi"], (all, 0)),
        (&["--prefix", "/vod/film/", "--key", "asset/none"], (all, 0)),
        // Which revision it is says the database.
        (&["--url", &whole], (0, 0)),
        (&["--key", "stream/film", "--key", "page"], (0, 0)),
    ] {
        let told = purge(&daemon, args).ok().stdout;
        assert_eq!(told, format!("{} purged\n", args.len() / 2));
        assert_eq!(cost(), wanted, "{args:?}");
    }
    // The index of the revision, and the media of one of its renditions.
    purge(&daemon, &["--url", &segment]).ok();
    let (some, none) = cost();
    assert!(some > 0 && some < all && none == 0, "{some} of {all}, {none}");
    purge(&daemon, &["--all"]).ok();
    let (first, second) = cost();
    assert!(first == all && second > 0, "{first} of {all}, {second}");
    assert_eq!(daemon.metric("forebay_cache_purges_total", "kind=\"hard\""), 8.0);
}

/// The first rendition of an asset.
fn rendition(daemon: &Daemon, entry: &str) -> String {
    let text = daemon.get(entry).is(200).text();
    let uri = text.lines().find(|line| line.ends_with("index.m3u8")).unwrap().to_owned();
    uri.split('/').nth(1).unwrap().to_owned()
}

#[test]
fn what_was_purged_stays_purged_on_the_disk_of_a_process_that_is_killed() {
    let bucket = Bucket::start();
    let site = site(&bucket, &["film", "other"]).with("cache", "disk", "\"blocks\"");
    let (film, other) = (site.entry("film"), site.entry("other"));
    let daemon = site.serve();
    follow(&daemon, &film);
    follow(&daemon, &other);
    until("all of it to be written", || {
        let written = daemon.metric("forebay_cache_held_bytes", "tier=\"disk\"");
        let kept = daemon.metric("forebay_cache_held_bytes", "tier=\"block\"");
        (written > 0.0 && written >= kept * 0.9).then_some(())
    });
    purge(&daemon, &["--key", "asset/film"]).ok();
    crate::rtmp_fleet::kill(daemon);

    let daemon = site.serve();
    let media = |entry| {
        let _before = bucket.traffic();
        let seen = follow(&daemon, entry);
        let segments = seen.objects().into_iter().filter(|(path, _)| path.ends_with(".m4s"));
        let bytes: usize = segments.map(|(_, bytes)| bytes.len()).sum();
        (bucket.traffic().bytes, u64::try_from(bytes).unwrap())
    };
    let (read, sent) = media(&film);
    assert!(read >= sent, "{read} of {sent} bytes were read of what was purged");
    let (read, sent) = media(&other);
    assert!(read * 2 < sent, "{read} of {sent} bytes were read of what was not");
}

#[test]
fn what_is_purged_softly_is_served_while_nobody_has_a_newer_one() {
    let bucket = Bucket::start();
    let site = site(&bucket, &["film"]);
    let film = site.entry("film");
    let daemon = site.serve();
    let before: Presentation = follow(&daemon, &film);
    bucket.is_cut(true);
    purge(&daemon, &["--soft", "--key", "asset/film"]).ok();
    let playlist = before
        .objects()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .find(|path| path.ends_with("index.m3u8"));
    let stale = daemon.get(&playlist.unwrap()).is(200);
    assert_eq!(stale.header("cache-status"), "forebay; hit; ttl=0; detail=purged");
    assert!(follow(&daemon, &film).objects() == before.objects());
    purge(&daemon, &["--key", "asset/film"]).ok();
    let gone = daemon.get(&film);
    assert_eq!((gone.status, gone.header("retry-after")), (503, "5"));
    bucket.is_cut(false);
    until("the store to be asked again", || (daemon.get(&film).status == 200).then_some(()));
    assert!(follow(&daemon, &film).objects() == before.objects());
}

#[test]
fn every_answer_says_what_it_is_of() {
    let bucket = Bucket::start();
    let site = site(&bucket, &["film"]);
    let daemon = site.serve();
    let token = site.token("/vod/**");
    let video = rendition(&daemon, &site.entry("film"));
    for (path, status, keys) in [
        ("film/main.m3u8".to_owned(), 200, "asset/film revision/film/1".to_owned()),
        (
            format!("film/1/{video}/index.m3u8"),
            200,
            format!("asset/film revision/film/1 rendition/film/1/{video}"),
        ),
        (
            format!("film/1/{video}/init.mp4"),
            200,
            format!("asset/film revision/film/1 rendition/film/1/{video}"),
        ),
        (
            format!("film/1/{video}/0.m4s"),
            200,
            format!("asset/film revision/film/1 rendition/film/1/{video}"),
        ),
        (
            format!("film/1/{video}/99.m4s"),
            404,
            format!("asset/film revision/film/1 rendition/film/1/{video}"),
        ),
        ("none/main.m3u8".to_owned(), 404, "asset/none".to_owned()),
    ] {
        let answer = daemon.get(&format!("/t/{token}/vod/{path}")).is(status);
        assert_eq!(answer.header("surrogate-key"), keys, "{path}");
    }
    let denied = daemon.get("/vod/film/main.m3u8").is(401);
    assert_eq!((denied.header("surrogate-key"), denied.header("cache-control")), ("", "private, no-store"));
}

#[test]
fn what_cannot_be_purged_is_named_and_nothing_is() {
    let bucket = Bucket::start();
    let site = site(&bucket, &["film"]);
    let film = site.entry("film");
    let daemon = site.serve();
    follow(&daemon, &film);
    for (args, said) in [
        (
            ["--key", "asset/film", "--key", "asset"],
            "expected a surrogate key such as asset/NAME, found \"asset\"",
        ),
        (
            ["--key", "asset/film", "--url", "/nothing/../x"],
            "expected the URL of something that is served here",
        ),
        (["--key", "asset/film", "--prefix", "vod/"], "expected the beginning of a path, such as /vod/NAME/"),
    ] {
        let refused = purge(&daemon, &args);
        assert!(refused.is_one_line_of_refusal().contains(said), "{}", refused.stderr);
    }
    assert_eq!(reads(&bucket, &daemon, &film), 0);
    assert_eq!(purge(&daemon, &[]).code(), 2);
    // A page of a stranger could make a browser send a form.
    let forged = forebay_tests::rig::client::request(
        daemon.admin(),
        "POST",
        "/purge",
        &[("content-type", "text/plain")],
    );
    assert_eq!(forged.status, 415);
    assert_eq!(forebay_tests::rig::client::get(daemon.admin(), "/purge").status, 405);
}
