//! Until when what was recorded is kept: what is too old goes, what a clip is made of stays, and nothing else lies about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::{until, within};
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tool::{self, tool};

use crate::on_air::{OnAir, all_taken, today};

fn clip(on_air: &OnAir, args: &[&str]) -> Outcome {
    let admin = on_air.daemon.admin().to_string();
    command::run(["clip"].iter().chain(args).chain(&["--admin", &admin]))
}

/// Reads an asset to its end: how many segments it has.
fn watched(daemon: &Daemon, entry: &str) -> usize {
    let mut count = 0;
    for (_, _, uri) in children(&daemon.get(entry).is(200).text()) {
        let path = resolve(entry, &uri);
        let text = daemon.get(&path).is(200).text();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(!daemon.get(&resolve(&path, line)).is(200).body.is_empty());
            count += 1;
        }
    }
    count
}

/// The files of a folder and all below it, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect();
    all.sort();
    all
}

/// Waits longer than for most things: what is recorded is looked after each half a minute.
#[track_caller]
fn until_late(what: &str, limit: Duration, look: impl FnMut() -> Option<()>) {
    assert!(within(limit, look).is_some(), "waited {} s in vain for {what}", limit.as_secs());
}

fn named(folder: &Path, end: &str) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(folder).into_iter().map(name).filter(|name| name.ends_with(end)).collect()
}

#[test]
fn minutes_that_are_too_old_go_and_those_of_a_clip_stay() {
    let dress = |site: Site| site.with("live", "window", "\"16s\"").with("archive", "keep", "\"1m\"");
    let on_air = OnAir::on(dress(Site::new()));
    let (tracks, start) = (live::ladder(), (today() - 600) / 120 * 120);
    let send = |on_air: &OnAir, from, until| {
        let sender = on_air.show.sender(&tracks).since(start).speed(60.0).ending(Ending::Plain);
        let span = (Duration::from_secs(from), Duration::from_secs(until));
        all_taken(&sender.from(span.0).until(span.1).start().finish());
    };
    send(&on_air, 0, 330);
    let folder = on_air.site().store().join("live/show/1");
    until("five minutes to be archived", || (named(&folder, ".json").len() >= 5).then_some(()));
    let said = clip(&on_air, &["cut", "show", "--from", "4:10", "--to", "4:20", "--name", "goal"]).ok();
    assert!(said.stdout.starts_with("goal: revision 1, 10.0 s of show"), "{}", said.stdout);
    let entry = on_air.site().entry("goal");
    let segments = watched(&on_air.daemon, &entry);
    // As if it had gone on for as long as it takes until the next look.
    send(&on_air, 326, 840);
    let pages = named(&folder, ".json");
    assert_eq!(&pages[0][..10], &format!("{:010}", start / 60), "{pages:?}");
    until_late("what is too old to go", Duration::from_secs(60), || {
        (named(&folder, ".json").len() <= 10).then_some(())
    });
    let left = named(&folder, ".json");
    assert_eq!(
        &left[0][..10],
        &format!("{:010}", start / 60 + 4),
        "the clip's minute is the first: {left:?}"
    );
    let oldest = named(&folder, ".m4s").into_iter().min().unwrap();
    assert_eq!(&oldest[..10], &format!("{:010}", (start + 240) / 2), "{oldest}");
    let on_air = on_air.restarted();
    assert_eq!(watched(&on_air.daemon, &entry), segments);
}

#[test]
#[ignore = "a show is swept a minute after its end: two minutes"]
fn a_show_leaves_no_orphan_and_in_the_end_nothing() {
    let dress = |site: Site| site.with("live", "window", "\"16s\"").with("archive", "keep", "\"2h\"");
    let on_air = OnAir::on(dress(Site::new()));
    let (tracks, start) = (live::ladder(), today());
    let sender = on_air.show.sender(&tracks).since(start).speed(20.0).until(Duration::from_secs(130));
    all_taken(&sender.start().finish());
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    let folder = on_air.site().store().join("live/show/1");
    let whole = files(&folder);
    // What an origin wrote that had lost its right: a segment, and a page.
    let segment = whole.iter().find(|path| path.ends_with(named(&folder, ".m4s").first().unwrap())).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let stale = segment.with_file_name(name.replace("-1-", "-99-"));
    let page = folder.join("_index").join(named(&folder, ".json")[0].replace("-1.", "-99."));
    for path in [&stale, &page] {
        std::fs::write(path, b"late").unwrap();
    }
    until_late("orphans to be swept", Duration::from_secs(150), || {
        (!stale.exists() && !page.exists()).then_some(())
    });
    assert_eq!(files(&folder), whole, "and nothing else");
    let entry = on_air.site().entry("show.1");
    let segments = watched(&on_air.daemon, &entry);
    let said = clip(&on_air, &["cut", "show", "--from", "10", "--to", "20", "--name", "goal"]).ok();
    assert!(said.stdout.starts_with("goal: revision 1, 10.0 s"), "{}", said.stdout);
    println!("swept 2 orphans, kept {} objects of {segments} segments", whole.len());

    // Three hours pass.
    let database = on_air.site().path().join("forebay.db");
    let age = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=30); \
               c.execute('UPDATE recording SET changed_ms=changed_ms-10800000'); c.commit()";
    let _ = tool::bytes(tool("python3").args(["-c", age]).arg(&database));
    until_late("the show to leave the catalogue", Duration::from_secs(90), || {
        (on_air.daemon.get(&entry).status == 404).then_some(())
    });
    let clipped = on_air.site().entry("goal");
    assert!(watched(&on_air.daemon, &clipped) > 0);
    assert!(named(&folder, ".json").len() >= 2, "what the clip is made of stays");
    let _ = clip(&on_air, &["remove", "goal"]).ok();
    until_late("the rest to go", Duration::from_secs(90), || files(&folder).is_empty().then_some(()));
    let door = on_air.show.door.replace("main.m3u8", "vod.m3u8");
    let on_air = on_air.restarted();
    let _ = on_air.daemon.get(&door).is(404);
    assert!(clip(&on_air, &["list"]).ok().stdout.is_empty());
}

/// All files of a folder with what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[test]
#[ignore = "an origin sleeps for half a minute, and a show is swept a minute after its end: three minutes"]
fn a_holder_that_wakes_up_late_overwrites_nothing() {
    let dress = |site: Site| site.with("live", "window", "\"16s\"").with("live", "silence", "\"60s\"");
    let one = OnAir::on(dress(Site::new()));
    let two = one.beside(dress);
    let tracks = live::ladder();
    let sender = one.show.sender(&tracks).to(two.daemon.http()).speed(2.0).until(Duration::from_secs(140));
    let sending = sender.start();
    let writes = |on_air: &OnAir| on_air.daemon.log().contains("archiving");
    let sleeps = until("one of them to write", || match (writes(&one), writes(&two)) {
        (true, _) => Some(&one),
        (_, true) => Some(&two),
        _ => None,
    });
    let other = if std::ptr::eq(sleeps, &one) { &two } else { &one };
    let folder = one.site().store().join("live/show/1");
    until("something to be stored", || (named(&folder, ".m4s").len() > 20).then_some(()));
    // In the middle of whatever it does.
    sleeps.daemon.signal("STOP");
    until_late("the other to write", Duration::from_secs(40), || writes(other).then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    let before = contents(&folder);
    sleeps.daemon.signal("CONT");
    all_taken(&sending.finish());
    until_late("the show to be archived", Duration::from_secs(60), || {
        (one.daemon.log() + &two.daemon.log()).contains("show archived").then_some(())
    });
    let after = contents(&folder);
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "nothing was overwritten");
    let third = one.beside(dress);
    let on_demand = |on_air: &OnAir| {
        let door = on_air.show.door.replace("main.m3u8", "vod.m3u8");
        let of = |(_, _, uri): (_, _, String)| {
            let path = resolve(&door, &uri);
            let text = on_air.daemon.get(&path).is(200).text();
            (path, text)
        };
        children(&on_air.daemon.get(&door).is(200).text()).into_iter().map(of).collect::<Vec<_>>()
    };
    let texts = on_demand(&third);
    let segments: usize = texts.iter().map(|(_, text)| text.matches("#EXTINF").count()).sum();
    assert!(
        segments >= 70 * tracks.len() && texts.iter().all(|(_, text)| !text.contains("GAP")),
        "{texts:?}"
    );
    // Of each segment there is one that a page names; what the sleeper wrote beside it goes.
    until_late("orphans to be swept", Duration::from_secs(150), || {
        (named(&folder, ".m4s").len() == segments).then_some(())
    });
    for on_air in [&one, &two, &third] {
        assert!(on_demand(on_air) == texts);
        for (path, text) in &texts {
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                assert!(!on_air.daemon.get(&resolve(path, line)).is(200).body.is_empty());
            }
        }
    }
    let orphans =
        after.keys().filter(|path| path.extension().is_some_and(|end| end == "m4s")).count() - segments;
    println!("{segments} segments, {orphans} orphans swept, none overwritten");
}
