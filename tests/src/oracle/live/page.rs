//! One playlist by itself.

use std::time::Duration;

use super::playlist::Playlist;
use super::{Fault, Faults, media};
use crate::oracle::tags;

/// The rules for the text of a media playlist.
#[must_use]
pub fn text(text: &str) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.keep(
        "§4.4.1.1: the first line is #EXTM3U",
        text.starts_with("#EXTM3U\n") || text.starts_with("#EXTM3U\r\n"),
        || format!("{:?}", text.lines().next()),
    );
    faults.keep("§4.1: lines are ended", text.ends_with('\n'), || format!("{:?}", text.lines().last()));
    for line in text.lines() {
        let is_clean = line.trim() == line && !line.chars().any(|c| c.is_control() && c != '\t');
        faults.keep("§4.1: no white space around a line, no control characters", is_clean, || {
            format!("{line:?}")
        });
        let is_multivariant = FOR_MULTIVARIANT.iter().any(|name| line.starts_with(name));
        faults.keep("§4.1: a playlist is of one kind", !is_multivariant, || line.to_owned());
    }
    for name in ONCE {
        let times = tags::all(text, name).len();
        faults.keep("§4.4: this tag stands once at most", times <= 1, || format!("{name} {times} times"));
    }
    faults.keep(
        "§4.4.3.1: EXT-X-TARGETDURATION is there",
        tags::all(text, "EXT-X-TARGETDURATION").len() == 1,
        String::new,
    );
    faults.keep(
        "§6.2.2: EXT-X-MEDIA-SEQUENCE is there where segments are removed; ours is always written",
        tags::all(text, "EXT-X-MEDIA-SEQUENCE").len() == 1,
        String::new,
    );
    faults.0
}

/// The rules for what a live media playlist lists.
#[must_use]
pub fn judge(playlist: &Playlist) -> Vec<Fault> {
    let mut faults = Faults::default();
    head(playlist, &mut faults);
    control(playlist, &mut faults);
    edge(playlist, &mut faults);
    media::judge(playlist, &mut faults);
    faults.0
}

fn head(playlist: &Playlist, faults: &mut Faults) {
    faults.keep("§4.4.3.1: the target duration is a whole second or more", playlist.target >= 1, String::new);
    let needed = needed_version(playlist);
    let version = playlist.version.unwrap_or(1);
    faults.keep("§8: EXT-X-VERSION is what the tags need", version >= needed, || {
        format!("{version}, needs {needed}")
    });
    faults.keep("§6.2.1: EXT-X-VERSION is no higher than the tags need", version <= needed, || {
        format!("{version}, needs {needed}")
    });
    let is_live = !playlist.is_ended;
    match playlist.kind.as_deref() {
        Some("VOD") => faults.keep("§4.4.3.5: a playlist of type VOD does not grow", !is_live, || {
            "no EXT-X-ENDLIST".to_owned()
        }),
        Some("EVENT") | None => {}
        Some(other) => faults.keep("§4.4.3.5: the type is EVENT or VOD", false, || other.to_owned()),
    }
    let has_discontinuity = playlist.all().any(|(_, segment)| segment.is_discontinuous);
    faults.keep(
        "§6.2.2, AS 8.17: EXT-X-DISCONTINUITY-SEQUENCE is there where discontinuities are",
        !has_discontinuity || playlist.discontinuity_sequence.is_some(),
        String::new,
    );
}

/// §8. The tags of low latency need no version of their own, only what a delta update leaves out.
fn needed_version(playlist: &Playlist) -> u64 {
    let has_map = playlist.all().any(|(_, segment)| segment.map.is_some());
    let other = |name: &str| playlist.others.iter().any(|line| line.starts_with(name));
    match &playlist.skip {
        Some(skip) if skip.removed.is_some() => 10,
        Some(_) => 9,
        None if other("#EXT-X-DEFINE") => 8,
        None if has_map => 6,
        None if other("#EXT-X-BYTERANGE") => 4,
        None => 3,
    }
}

fn control(playlist: &Playlist, faults: &mut Faults) {
    let has_parts = playlist.parts().next().is_some();
    faults.keep(
        "§4.4.3.7: EXT-X-PART-INF is there where parts are",
        !has_parts || playlist.part_target.is_some(),
        String::new,
    );
    let Some(control) = &playlist.control else {
        faults.keep(
            "§4.4.3.8: PART-HOLD-BACK is there where EXT-X-PART-INF is",
            playlist.part_target.is_none(),
            String::new,
        );
        return;
    };
    for name in ["CAN-SKIP-UNTIL", "HOLD-BACK", "PART-HOLD-BACK"] {
        let is_number = control.find(name).is_none() || playlist.control(name).is_some();
        faults.keep("§4.4.3.8: boundaries are decimal seconds", is_number, || {
            format!("{name} in {control:?}")
        });
    }
    let at_least = |value: Option<Duration>, least: Duration| value.is_none_or(|value| value >= least);
    let skip = playlist.control("CAN-SKIP-UNTIL");
    faults.keep(
        "§4.4.3.8: CAN-SKIP-UNTIL is six target durations or more",
        at_least(skip, playlist.targets(6)),
        || format!("{skip:?}"),
    );
    let is_alone = control.find("CAN-SKIP-DATERANGES").is_some() && skip.is_none();
    faults.keep("§4.4.3.8: CAN-SKIP-DATERANGES needs CAN-SKIP-UNTIL", !is_alone, String::new);
    let hold = playlist.control("HOLD-BACK");
    faults.keep(
        "§4.4.3.8: HOLD-BACK is three target durations or more",
        at_least(hold, playlist.targets(3)),
        || format!("{hold:?}"),
    );
    if let Some(target) = playlist.part_target {
        let hold = playlist.control("PART-HOLD-BACK");
        faults.keep("§4.4.3.8: PART-HOLD-BACK is there where EXT-X-PART-INF is", hold.is_some(), String::new);
        faults.keep(
            "§4.4.3.8, AS 14.3: PART-HOLD-BACK is three part targets or more",
            at_least(hold, target * 3),
            || format!("{hold:?} with parts of {target:?}"),
        );
    }
    let lasts: Duration = playlist.segments.iter().map(|segment| segment.duration).sum();
    let is_long = playlist.part_target.is_some() && !playlist.is_ended && lasts > Duration::from_secs(120);
    faults.keep("AS 14: windows over two minutes offer delta updates", !is_long || skip.is_some(), || {
        format!("{lasts:?}")
    });
}

fn edge(playlist: &Playlist, faults: &mut Faults) {
    let hints = |kind: &str| playlist.hints.iter().filter(|(own, _)| own == kind).count();
    for (kind, uri) in &playlist.hints {
        faults.keep("§4.4.5.3: a hint is of type PART or MAP", kind == "PART" || kind == "MAP", || {
            kind.clone()
        });
        let is_listed = playlist.parts().any(|part| part.uri == *uri);
        faults.keep("§4.4.5.3: what is hinted is still to come", !is_listed, || uri.clone());
    }
    faults.keep("§6.2.6: one hint of a type at most", hints("PART") <= 1 && hints("MAP") <= 1, || {
        format!("{:?}", playlist.hints)
    });
    if playlist.is_ended {
        faults.keep("§4.4.5.3: no hint in a playlist that has ended", playlist.hints.is_empty(), || {
            format!("{:?}", playlist.hints)
        });
        faults.keep(
            "§6.2.1: a playlist that has ended has no open segment",
            playlist.open.as_ref().is_none_or(|open| open.parts.is_empty()),
            String::new,
        );
    } else if playlist.part_target.is_some() {
        faults.keep("App. B.1: the next part is hinted", hints("PART") == 1, || {
            format!("{:?}", playlist.hints)
        });
    }
    for report in &playlist.reports {
        let uri = report.find("URI").unwrap_or_default();
        let is_relative = !uri.is_empty() && !uri.starts_with('/') && !uri.contains("://");
        faults
            .keep("§4.4.5.4: a rendition report has a relative URI", is_relative, || format!("{report:?}"));
        let has = |name| report.find(name).is_some_and(|value| value.parse::<u64>().is_ok());
        let is_complete = has("LAST-MSN") && (has("LAST-PART") || playlist.part_target.is_none());
        faults.keep("§4.4.5.4: a rendition report says where the rendition ends", is_complete, || {
            format!("{report:?}")
        });
    }
    let removed = playlist.all().zip(playlist.all().skip(1)).find(|((_, one), (_, next))| {
        one.map != next.map
            && one.map.is_some()
            && !next.is_discontinuous
            && !(next.uri.is_empty() && next.parts.is_empty())
    });
    faults.keep(
        "§6.2.1: another EXT-X-MAP is another encoding, which EXT-X-DISCONTINUITY marks",
        removed.is_none(),
        || format!("{:?}", removed.map(|((_, one), (msn, next))| (msn, one.map.clone(), next.map.clone()))),
    );
}

const ONCE: &[&str] = &[
    "EXTM3U",
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-ENDLIST",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-SKIP",
    "EXT-X-START",
    "EXT-X-INDEPENDENT-SEGMENTS",
];

const FOR_MULTIVARIANT: &[&str] = &[
    "#EXT-X-MEDIA:",
    "#EXT-X-STREAM-INF",
    "#EXT-X-I-FRAME-STREAM-INF",
    "#EXT-X-SESSION-",
    "#EXT-X-CONTENT-STEERING",
];
