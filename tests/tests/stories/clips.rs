//! Clips: pieces of a show while it runs, and all of it once it has ended, as assets beside others, over the same objects.

use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::oracle::media;
use forebay_tests::oracle::{doctor, playlists};
use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use tempfile::TempDir;

use crate::on_air::{OnAir, Tracks, all_taken, today};

/// Runs `forebay clip`, which asks the daemon.
fn clip(on_air: &OnAir, args: &[&str]) -> Outcome {
    let config = on_air.site().config();
    let admin = on_air.daemon.admin().to_string();
    let mut all = vec!["clip"];
    all.extend(args);
    all.extend(["--config", config.to_str().unwrap(), "--admin", &admin]);
    command::run(all)
}

/// The media of a playlist, one after another, in a file.
fn whole(daemon: &Daemon, path: &str, folder: &Path) -> PathBuf {
    let text = daemon.get(path).is(200).text();
    doctor::finds_nothing(&[&text]);
    let map = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")).unwrap();
    let names = std::iter::once(map.split('"').next().unwrap());
    let names = names.chain(text.lines().filter(|line| !line.starts_with('#')));
    let bytes: Vec<u8> = names.flat_map(|name| daemon.get(&resolve(path, name)).is(200).body).collect();
    let file =
        folder.join(format!("{}.mp4", path.replace('/', "-").chars().rev().take(60).collect::<String>()));
    std::fs::write(&file, bytes).unwrap();
    file
}

/// Decoded pictures, or frames of sound as they are coded, with the first of them at zero. A decoder makes noise up where an encoder
/// has only said how loud it is (PNS), and one that begins elsewhere makes up another.
fn frames(file: &Path, select: &str) -> Vec<(i64, String)> {
    let all: Vec<(i64, String)> = match select.starts_with('a') {
        true => media::packets(file, select).into_iter().map(|p| (micros(p.pts), p.digest)).collect(),
        false => media::frames(file, select).into_iter().map(|f| (f.micros, f.digest)).collect(),
    };
    let first = all.iter().map(|(at, _)| *at).min().unwrap();
    all.into_iter().map(|(at, digest)| (at - first, digest)).collect()
}

fn micros(seconds: f64) -> i64 {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(0, |time| i64::try_from(time.as_micros()).unwrap())
}

/// The media playlists of an asset: those with pictures from tall to small, then sound.
fn renditions(daemon: &Daemon, entry: &str) -> Vec<String> {
    let main = daemon.get(entry).is(200).text();
    doctor::finds_nothing(&[&main]);
    children(&main).into_iter().map(|(_, _, uri)| resolve(entry, &uri)).collect()
}

/// The frames of each track of the show, from its start, by the name of the track.
fn of_show(on_air: &OnAir, tracks: &Tracks, file: &str) -> Vec<Vec<(i64, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let paths = on_air.show.playlists(tracks);
    let path = |path: &String| format!("{}/{file}", path.rsplit_once('/').unwrap().0);
    let select = |name: &str| if name == "audio" { "a:0" } else { "v:0" };
    let each = paths.iter().zip(tracks);
    each.map(|(of, (name, _))| frames(&whole(&on_air.daemon, &path(of), folder.path()), select(name)))
        .collect()
}

/// The frames of each rendition of an asset.
fn of_asset(daemon: &Daemon, entry: &str) -> Vec<Vec<(i64, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let select = |path: &str| if path.contains("/audio") { "a:0" } else { "v:0" };
    renditions(daemon, entry)
        .iter()
        .map(|path| frames(&whole(daemon, path, folder.path()), select(path)))
        .collect()
}

/// What lies in a range of microseconds, counted from its first.
fn within(frames: &[(i64, String)], from: i64, to: i64) -> Vec<(i64, String)> {
    let inside: Vec<_> = frames.iter().filter(|(at, _)| (from..to).contains(at)).collect();
    let first = inside.first().unwrap().0;
    inside.into_iter().map(|(at, digest)| (at - first, digest.clone())).collect()
}

/// The same frames at the same times; clocks of other resolutions round otherwise.
#[track_caller]
fn same(what: &str, ours: &[(i64, String)], theirs: &[(i64, String)]) {
    assert_eq!(ours.len(), theirs.len(), "{what}: how many frames");
    for ((at, digest), (wanted, expected)) in ours.iter().zip(theirs) {
        assert!((at - wanted).abs() <= 40, "{what}: at {at} us, expected at {wanted} us");
        assert_eq!(digest, expected, "{what}: at {at} us");
    }
}

/// The status and the body of an answer to a POST.
fn post(daemon: &Daemon, path: &str, kind: &str, body: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(daemon.http()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
    socket.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// Who has a token for it makes clips on the public listener, and nobody else does.
fn order_as_a_moderator(on_air: &OnAir, start: u64) {
    let (daemon, site) = (&on_air.daemon, on_air.site());
    let may = site.mint(&["--verb", "manage", "--path", "/clips/show"]);
    let json = "application/json";
    let body =
        format!(r#"{{"from_ms":{},"to_ms":{},"asset":"moment"}}"#, (start + 30) * 1000, (start + 36) * 1000);
    for token in [site.token("/clips/**"), site.mint(&["--verb", "manage", "--path", "/clips/other"])] {
        assert_eq!(post(daemon, &format!("/t/{token}/clips/show"), json, &body).0, 403);
    }
    assert_eq!(post(daemon, "/clips/show", json, &body).0, 401);
    let path = format!("/t/{may}/clips/show");
    for (kind, body, status, said) in [
        ("text/plain", body.as_str(), 400, "expected content-type application/json"),
        (json, "{}{", 400, "expected a clip, found"),
        (json, r#"{"stream":"other"}"#, 400, "expected the stream of the path, found another"),
        (json, r#"{"from_s":7200,"to_s":7300}"#, 409, "expected something that the show recorded"),
        (json, r#"{"show":99}"#, 404, "no such show was recorded"),
        (json, &format!("{{{}}}", " ".repeat(5000)), 400, "expected at most 4096 bytes"),
    ] {
        let answer = post(daemon, &path, kind, body);
        assert!(answer.0 == status && answer.1.contains(said), "{kind} {body}: {answer:?}");
    }
    let (status, said) = post(daemon, &path, json, &body);
    assert!(status == 201 && said.contains(r#""path":"/vod/moment/main.m3u8""#), "{status} {said}");
    assert_eq!(renditions(daemon, &site.entry("moment")).len(), 3);
}

#[test]
fn clips_of_a_running_show_and_all_of_it_at_its_end_are_assets_over_the_same_objects() {
    let on_air = OnAir::on(Site::new().with("live", "window", "\"2h\""));
    let (tracks, start) = (live::ladder(), today());
    let sender = || on_air.show.sender(&tracks).since(start).speed(10.0);
    all_taken(&sender().until(Duration::from_secs(70)).ending(Ending::Plain).start().finish());
    on_air.show.reaches(&tracks, Duration::from_secs(69));
    let running = of_show(&on_air, &tracks, "start.m3u8");

    // Snapped outwards to segments of two seconds.
    let base = format!("http://{}", on_air.daemon.http());
    let order = ["cut", "show", "--from", "0:11", "--to", "25.5", "--base-url", &base, "--ttl", "1h"];
    let said = clip(&on_air, &order).ok();
    assert_eq!(said.stderr, "");
    let (line, url) = said.stdout.trim().split_once('\n').unwrap();
    let asset = format!("show.1.{}-16s", start + 10);
    assert!(line.starts_with(&format!("{asset}: revision 1, 16.0 s of show, show 1, from 20")), "{line}");
    let entry = url.strip_prefix(&base).unwrap().to_owned();
    let cut = of_asset(&on_air.daemon, &entry);
    assert_eq!(cut.len(), tracks.len());
    for (ours, theirs) in cut.iter().zip(&running).take(2) {
        same("a clip", ours, &within(theirs, 10_000_000, 26_000_000));
    }
    // Sound is cut at its frames.
    let digests =
        |frames: &[(i64, String)]| frames.iter().map(|(_, digest)| digest.clone()).collect::<Vec<_>>();
    let (sound, clipped) = (digests(&running[2]), digests(&cut[2]));
    // 48,000 / 1024 a second, for ten seconds.
    assert!((466..=472).any(|first| sound[first..].starts_with(&clipped)));
    assert!((750 - 2..=750 + 2).contains(&clipped.len()), "{}", clipped.len());
    // Nothing was copied: its folder has indexes, and what names them.
    let stored = on_air.site().asset(&asset).join("1");
    let mut files: Vec<_> =
        std::fs::read_dir(&stored).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert!(
        files.iter().all(|name| name == "asset.json" || name.to_str().unwrap().ends_with(".idx")),
        "{files:?}"
    );
    assert_eq!(files.len(), tracks.len() + 1);
    // The same again is the same.
    assert_eq!(clip(&on_air, &order).ok().stdout.lines().next(), Some(line));

    // What was shown just now is waited for: its segment is not whole yet.
    let dated = |second: u64| {
        let date = start + second;
        let midnight = date / 86_400 * 86_400;
        let of_day = date - midnight;
        (midnight, format!("{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60))
    };
    let day = line.split_once("from ").unwrap().1.split_once('T').unwrap().0.to_owned();
    let same_day = dated(60).0 == dated(10).0 && dated(66).0 == dated(10).0;
    if same_day {
        let (from, to) = (format!("{day}T{}", dated(60).1), format!("{day}T{}", dated(66).1));
        let said = clip(&on_air, &["cut", "show", "--from", &from, "--to", &to, "--name", "goal"]).ok();
        assert!(
            said.stdout.starts_with(&format!("goal: revision 1, 6.0 s of show, show 1, from {from}")),
            "{said:?}"
        );
        assert!(said.stdout.ends_with("/vod/goal/main.m3u8\n"), "{}", said.stdout);
        let taken = clip(&on_air, &["cut", "show", "--from", "0", "--to", "5", "--name", "goal"]);
        assert!(taken.stderr.contains("goal: expected a new name, found an asset"), "{taken:?}");
    }

    order_as_a_moderator(&on_air, start);

    // One file of it, for whoever wants to send it on.
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("clip.mp4");
    let config = on_air.site().config();
    let export =
        ["clip", "export", &asset, "--config", config.to_str().unwrap(), "--out", file.to_str().unwrap()];
    let _ = command::run(export).ok();
    same("an export", &frames(&file, "v:0"), &cut[0]);

    all_taken(&sender().from(Duration::from_secs(66)).until(Duration::from_secs(90)).start().finish());
    let entry_of_show = on_air.site().entry("show.1");
    until("the show to be in the catalogue", || {
        (on_air.daemon.get(&entry_of_show).status == 200).then_some(())
    });
    let on_demand = of_show(&on_air, &tracks, "vod.m3u8");
    let shelved = of_asset(&on_air.daemon, &entry_of_show);
    for (number, (ours, theirs)) in shelved.iter().zip(&on_demand).take(2).enumerate() {
        same(&format!("rendition {number} of the show"), ours, theirs);
    }
    // The sender repeats eight seconds, whose sound is a part of a frame longer: where most of a frame would be heard twice, an
    // asset has it once.
    let mut theirs = on_demand[2].iter();
    assert!(shelved[2].iter().all(|(_, digest)| theirs.any(|(_, other)| other == digest)));
    assert!(
        on_demand[2].len() - shelved[2].len() <= 90 / 8,
        "{} of {}",
        shelved[2].len(),
        on_demand[2].len()
    );
    let texts: Vec<String> = renditions(&on_air.daemon, &entry_of_show)
        .iter()
        .map(|path| on_air.daemon.get(path).is(200).text())
        .collect();
    playlists::agree_live(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        texts.iter().all(|text| text.contains("#EXT-X-PLAYLIST-TYPE:VOD") && !text.contains("GAP")),
        "{texts:?}"
    );

    let listed = clip(&on_air, &["list"]).ok().stdout;
    assert_eq!(listed.lines().count(), 4 + usize::from(same_day), "{listed}");
    assert!(listed.lines().any(|line| line.starts_with("show.1 ") && line.ends_with("90.0 s")), "{listed}");
    let on_air = on_air.restarted();
    assert_eq!(of_asset(&on_air.daemon, &entry_of_show), shelved);
    assert_eq!(clip(&on_air, &["remove", &asset]).ok().stdout, format!("{asset}: removed\n"));
    until("the clip to be gone", || (on_air.daemon.get(&entry).status == 404).then_some(()));
    let _ = on_air.daemon.get(&entry_of_show).is(200);
    assert!(clip(&on_air, &["remove", &asset]).stderr.contains("expected a clip, found none"));
    assert!(!stored.exists() || std::fs::read_dir(&stored).unwrap().count() == 0);
    // A show that was removed stays removed.
    let _ = clip(&on_air, &["remove", "show.1"]).ok();
    let on_air = on_air.restarted();
    std::thread::sleep(Duration::from_secs(3));
    let _ = on_air.daemon.get(&entry_of_show).is(404);
    let nothing = clip(&on_air, &["cut", "show", "--from", "1:00:00", "--to", "1:00:10"]);
    assert!(
        nothing.stderr.contains("expected something that the show recorded, found nothing there"),
        "{nothing:?}"
    );
    assert!(clip(&on_air, &["cut", "nobody"]).stderr.contains("no such show was recorded"));
}

#[test]
fn a_show_of_hevc_is_listed_clipped_and_exported_as_hevc() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::hevc(), today());
    let sending = on_air.show.sender(&tracks).since(start).speed(10.0).until(Duration::from_secs(30));
    all_taken(&sending.start().finish());
    let main = on_air.daemon.get(&on_air.show.door).is(200).text();
    assert!(main.contains(",CODECS=\"hvc1.1.6.L") && !main.contains("VIDEO-RANGE"), "{main}");
    let shown = of_show(&on_air, &tracks, "vod.m3u8");
    assert_eq!(shown[0].len(), 900, "thirty seconds of thirty pictures");

    let said = clip(&on_air, &["cut", "show", "--from", "9", "--to", "15", "--name", "goal"]).ok();
    assert!(said.stdout.starts_with("goal: revision 1, 8.0 s of show"), "{}", said.stdout);
    let entry = on_air.site().entry("goal");
    let cut = of_asset(&on_air.daemon, &entry);
    same("a clip", &cut[0], &within(&shown[0], 8_000_000, 16_000_000));
    assert!(on_air.daemon.get(&entry).is(200).text().contains(",CODECS=\"hvc1.1.6.L"));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("clip.mp4");
    let config = on_air.site().config();
    let export = ["clip", "export", "goal", "--from", "1", "--to", "7", "--config", config.to_str().unwrap()];
    let _ = command::run(export.into_iter().chain(["--out", file.to_str().unwrap()])).ok();
    same("an export", &frames(&file, "v:0"), &within(&cut[0], 1_000_000, 7_000_000));
}
