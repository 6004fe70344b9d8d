//! A show as its viewers see it: part by part, from the first to the last.

use std::time::Duration;

use forebay_tests::inputs::live;
use forebay_tests::oracle::live::together::{self, Rendition};
use forebay_tests::oracle::{doctor, live as rules, media, playlists};
use forebay_tests::rig::site::Site;

use crate::on_air::{OnAir, SLACK, all_taken};

/// Two frames of sound: how far its boundaries are from those of the picture.
const SOUND: Duration = Duration::from_millis(43);

#[test]
fn a_show_keeps_all_rules_from_its_first_part_to_its_end() {
    let site = Site::new().with("live", "window", "\"16s\"");
    let on_air = OnAir::on(site);
    // Four times faster than the clock: the window slides, and updates skip.
    let tracks = live::ladder();
    let sending = on_air.show.sender(&tracks).speed(4.0).until(Duration::from_secs(40)).start();
    let watching = on_air.show.watch(&tracks);
    all_taken(&sending.finish());
    let recordings = watching.end();
    for recording in &recordings {
        rules::holds(&recording.captures, SLACK);
        let texts: Vec<&str> = recording.captures.iter().map(|capture| capture.text.as_str()).collect();
        assert!(texts.iter().any(|text| text.contains("#EXT-X-SKIP")), "no update skipped anything");
        playlists::agree_live(&texts);
        doctor::finds_nothing(&texts);
        assert!(recording.parts_are_segments() >= 15, "{}", recording.path);
        assert_eq!(recording.last.sequence, 12, "twenty segments, of which the last eight are listed");
        assert!(recording.last.is_ended);
    }
    let renditions: Vec<Rendition<'_>> =
        recordings.iter().map(|r| Rendition { path: &r.path, captures: &r.captures }).collect();
    together::holds(&renditions, SOUND, SLACK);
}

#[test]
fn what_was_sent_is_what_is_seen() {
    let on_air = OnAir::on(Site::new());
    let tracks = live::ladder();
    on_air.show.send(on_air.show.sender(&tracks).until(Duration::from_secs(16)), &tracks);
    for (recording, (name, _)) in on_air.show.look(&tracks).iter().zip(&tracks) {
        let dir = tempfile::tempdir().unwrap();
        let seen = dir.path().join("show.mp4");
        std::fs::write(&seen, recording.joined()).unwrap();
        let (kind, sent) = (if *name == "audio" { "a" } else { "v" }, live::file(name));
        // Two rounds of the reel, packet by packet.
        let (packets, reel) = (media::packets(&seen, kind), media::packets(&sent, kind));
        assert_eq!(packets.len(), reel.len() * 2, "{name}");
        for (n, (seen, sent)) in packets.iter().zip(reel.iter().cycle()).enumerate() {
            assert_eq!((&seen.digest, seen.key), (&sent.digest, sent.key), "{name}: packet {n} is another");
        }
        let step = packets[1].pts - packets[0].pts;
        let is_even = |pair: &[media::Packet]| (pair[1].pts - pair[0].pts - step).abs() < 1e-4;
        assert!(packets.windows(2).all(is_even), "{name}: packets are displaced");
        assert_eq!(
            media::frames(&seen, &format!("{kind}:0")).len(),
            packets.len(),
            "{name}: all can be decoded"
        );
    }
}
