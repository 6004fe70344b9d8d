//! The rules, held against playlists written by hand: a good show, and the same show broken in one way at a time.

use std::time::Duration;

use super::delta::{difference, merge};
use super::playlist::Playlist;
use super::together::Rendition;
use super::{Captured, Finding, judge, together};

/// A page of a show that began at the program time 100 s: segments of two seconds in six parts, `first` to `next` without
/// `next` itself, and `open` parts behind them.
fn page(first: u64, next: u64, open: u64) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.002,HOLD-BACK=6.0\n\
         #EXT-X-PART-INF:PART-TARGET=0.334\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
         #EXT-X-MAP:URI=\"init-00c0ffee.mp4\"\n"
    );
    for msn in first..next {
        if msn == first || msn + 4 > next {
            text.push_str(&dated(msn));
        }
        // Three target durations from the end.
        if msn + 4 > next {
            text.push_str(&parts(msn, 6));
        }
        text.push_str(&format!("#EXTINF:2.000000,\n{msn}.m4s\n"));
    }
    text.push_str(&dated(next));
    text.push_str(&parts(next, open));
    text + &tail(next, open)
}

fn dated(msn: u64) -> String {
    let second = 100 + msn * 2;
    format!("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:{:02}:{:02}.000Z\n", second / 60, second % 60)
}

fn parts(msn: u64, count: u64) -> String {
    let flag = |part| if part == 0 { ",INDEPENDENT=YES" } else { "" };
    // Ten frames of thirty a second.
    let length = |part| ["0.333333", "0.333333", "0.333334"][usize::try_from(part % 3).unwrap()];
    (0..count)
        .map(|part| format!("#EXT-X-PART:DURATION={},URI=\"{msn}.{part}.m4s\"{}\n", length(part), flag(part)))
        .collect()
}

fn tail(next: u64, open: u64) -> String {
    let (hint, part) = if open == 6 { (next + 1, 0) } else { (next, open) };
    let (msn, last) = if open == 0 { (next - 1, 5) } else { (next, open - 1) };
    format!(
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}.{part}.m4s\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN={msn},LAST-PART={last}\n"
    )
}

/// The delta update of [`page`]: what lies six target durations before the end of segment `next - 1` is skipped.
fn update(first: u64, next: u64, open: u64) -> String {
    let kept = next - 6;
    let page = page(first, next, open).replace("VERSION:6", "VERSION:9");
    let (head, _) = page.split_once("#EXT-X-MAP").unwrap();
    let (_, rest) = page.split_once(&format!("\n{}.m4s\n", kept - 1)).unwrap();
    format!("{head}#EXT-X-SKIP:SKIPPED-SEGMENTS={}\n{rest}", kept - first)
}

fn capture(millis: u64, query: &str, text: String) -> Captured {
    Captured { at: Duration::from_millis(millis), url: format!("/live/show/1/video/index.m3u8{query}"), text }
}

/// A viewer who waits for each part, from (`first`, 10, 0) on; the window slides by one segment with each new one.
fn show(pages: u64, delta: bool) -> Vec<Captured> {
    let mut captures = Vec::new();
    for n in 0..pages {
        let (next, open) = (10 + n / 6, n % 6);
        let first = next - 10;
        let asked = if open == 0 { (next - 1, 5) } else { (next, open - 1) };
        let skip = if delta && n % 2 == 1 { "&_HLS_skip=YES" } else { "" };
        let query =
            if n == 0 { String::new() } else { format!("?_HLS_msn={}&_HLS_part={}{skip}", asked.0, asked.1) };
        let text = if skip.is_empty() { page(first, next, open) } else { update(first, next, open) };
        captures.push(capture(n * 333, &query, text));
    }
    captures
}

const SLACK: Duration = Duration::from_millis(100);

fn rules(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| finding.fault.rule.to_owned()).collect()
}

/// Checks that the one page breaks a rule that says `rule`.
#[track_caller]
fn breaks(text: String, rule: &str) {
    let findings = judge(&[capture(0, "", text.clone())], SLACK);
    assert!(
        rules(&findings).iter().any(|broken| broken.contains(rule)),
        "wanted {rule:?}, found {findings:#?} in:\n{text}"
    );
}

#[test]
fn a_good_show_breaks_no_rule() {
    let findings = judge(&show(60, false), SLACK);
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn a_good_show_in_delta_updates_breaks_no_rule() {
    let findings = judge(&show(60, true), SLACK);
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn an_ended_show_breaks_no_rule() {
    let mut captures = show(13, false);
    let text = page(2, 12, 1);
    let ended = text.split("#EXT-X-PRELOAD-HINT").next().unwrap().to_owned()
        + "#EXTINF:0.333333,\n12.m4s\n#EXT-X-ENDLIST\n";
    captures.push(capture(4400, "?_HLS_msn=12&_HLS_part=1&_HLS_skip=YES", ended));
    let findings = judge(&captures, SLACK);
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn faults_of_one_page_are_found() {
    let good = page(0, 10, 3);
    for (from, to, rule) in ONE_PAGE {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from:?} is not there");
        breaks(bad, rule);
    }
}

const ONE_PAGE: &[(&str, &str, &str)] = &[
    ("#EXTM3U\n", "", "the first line is #EXTM3U"),
    ("#EXT-X-VERSION:6", "#EXT-X-VERSION:6 ", "no white space"),
    ("#EXT-X-VERSION:6", "#EXT-X-VERSION:5", "is what the tags need"),
    ("#EXT-X-VERSION:6", "#EXT-X-VERSION:9", "no higher than the tags need"),
    ("#EXT-X-VERSION:6", "#EXT-X-VERSION:six", "integers have their form"),
    ("#EXT-X-TARGETDURATION:2\n", "", "EXT-X-TARGETDURATION is there"),
    ("#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:2\n#EXT-X-TARGETDURATION:2\n", "stands once"),
    ("#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:1\n", "no longer than the target duration"),
    ("#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:3\n", "CAN-SKIP-UNTIL is six target durations"),
    ("#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:3\n", "HOLD-BACK is three target durations"),
    ("#EXT-X-MEDIA-SEQUENCE:0\n", "", "EXT-X-MEDIA-SEQUENCE is there"),
    ("#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-STREAM-INF:BANDWIDTH=1\n", "a playlist is of one kind"),
    (
        "#EXT-X-MEDIA-SEQUENCE:0\n",
        "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        "type VOD does not grow",
    ),
    ("#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-MEDIA-SEQUENCE:0\n#EXTXINF:2\n", "tags have the names"),
    (
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n",
        "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n",
        "stand before the first segment",
    ),
    ("#EXT-X-DISCONTINUITY-SEQUENCE:0\n", "#EXT-X-DISCONTINUITY\n", "is there where discontinuities are"),
    ("#EXT-X-PART-INF:PART-TARGET=0.334\n", "", "EXT-X-PART-INF is there where parts are"),
    ("PART-TARGET=0.334", "PART-TARGET=0.333", "no longer than the part target"),
    ("PART-TARGET=0.334", "PART-TARGET=0.4", "85 %"),
    ("PART-TARGET=0.334", "PART-TARGET=\"0,3\"", "decimal numbers have their form"),
    (",PART-HOLD-BACK=1.002", "", "PART-HOLD-BACK is there"),
    ("PART-HOLD-BACK=1.002", "PART-HOLD-BACK=1.0", "three part targets or more"),
    ("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-DATERANGES=YES", "needs CAN-SKIP-UNTIL"),
    ("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=12.0,CAN-SKIP-UNTIL=12.0", "attribute lists have their form"),
    ("#EXT-X-MAP:URI=\"init-00c0ffee.mp4\"\n", "", "has an EXT-X-MAP"),
    ("#EXT-X-MAP:URI=\"init-00c0ffee.mp4\"", "#EXT-X-MAP:BYTERANGE=\"1@0\"", "required attributes are there"),
    ("#EXTINF:2.000000,\n3.m4s", "3.m4s", "every segment has an EXTINF"),
    ("#EXTINF:2.000000,\n3.m4s", "#EXTINF:two,\n3.m4s", "decimal number of seconds"),
    ("#EXTINF:2.000000,\n8.m4s", "#EXTINF:1.900000,\n8.m4s", "hold just its samples"),
    ("#EXTINF:2.000000,\n8.m4s", "#EXTINF:2.100000,\n8.m4s", "dates and durations agree"),
    ("URI=\"8.0.m4s\",INDEPENDENT=YES", "URI=\"8.0.m4s\"", "a part with an independent frame"),
    ("URI=\"8.3.m4s\"", "URI=\"8.3.m4s\",DURATION=1", "attribute lists have their form"),
    (
        "#EXT-X-PART:DURATION=0.333333,URI=\"8.1.m4s\"\n",
        "#EXT-X-MAP:URI=\"x.mp4\"\n",
        "stand before its first part",
    ),
    (
        "#EXTINF:2.000000,\n4.m4s",
        "#EXT-X-PART:DURATION=0.3,URI=\"4.0.m4s\"\n#EXTINF:2.000000,\n4.m4s",
        "over three target durations from the end",
    ),
    ("URI=\"10.3.m4s\"", "URI=\"10.2.m4s\"", "what is hinted is still to come"),
    ("TYPE=PART", "TYPE=PARTS", "of type PART or MAP"),
    (
        "#EXT-X-PRELOAD-HINT",
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.9.m4s\"\n#EXT-X-PRELOAD-HINT",
        "one hint of a type",
    ),
    ("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.3.m4s\"\n", "", "the next part is hinted"),
    (
        "#EXT-X-RENDITION-REPORT",
        "#EXT-X-ENDLIST\n#EXT-X-RENDITION-REPORT",
        "no hint in a playlist that has ended",
    ),
    ("../audio/index.m3u8", "/live/show/1/audio/index.m3u8", "has a relative URI"),
    (",LAST-PART=2", "", "says where the rendition ends"),
    ("1970-01-01T00:01:40.000Z", "1970-01-01 00:01:40Z", "has milliseconds and a time zone"),
    (
        "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:40.000Z\n",
        "",
        "EXT-X-PROGRAM-DATE-TIME from its first segment",
    ),
    ("1970-01-01T00:01:58.000Z", "1970-01-01T00:01:58.500Z", "dates and durations agree"),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-MAP:URI=\"other.mp4\"\n#EXTINF:2.000000,\n5.m4s",
        "which EXT-X-DISCONTINUITY marks",
    ),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-DATERANGE:START-DATE=\"1970-01-01T00:01:50.000Z\"\n#EXTINF:2.000000,\n5.m4s",
        "required attributes",
    ),
    ("#EXTINF:2.000000,\n5.m4s", "#EXT-X-DATERANGE:ID=\"a\"\n#EXTINF:2.000000,\n5.m4s", "has a START-DATE"),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:50.000Z\",END-DATE=\"1970-01-01T00:01:49.000Z\"\n#EXTINF:2.000000,\n5.m4s",
        "END-DATE is a date not before START-DATE",
    ),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:50.000Z\",END-ON-NEXT=YES\n#EXTINF:2.000000,\n5.m4s",
        "wants CLASS",
    ),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:50.000Z\",SCTE35-OUT=0xfc30\n#EXTINF:2.000000,\n5.m4s",
        "have capital digits",
    ),
    (
        "#EXTINF:2.000000,\n5.m4s",
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:50.000Z\"\n#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:51.000Z\"\n#EXTINF:2.000000,\n5.m4s",
        "tags of one date range agree",
    ),
];

#[test]
fn lost_media_is_a_gap_in_parts_and_segments() {
    let lost = |text: &str| text.replace("URI=\"8.", "GAP=YES,URI=\"8.");
    let marked =
        lost(&page(0, 10, 3)).replace("#EXTINF:2.000000,\n8.m4s", "#EXT-X-GAP\n#EXTINF:2.000000,\n8.m4s");
    assert_eq!(judge(&[capture(0, "", marked)], SLACK), []);
    breaks(lost(&page(0, 10, 3)), "a segment of absent media has EXT-X-GAP");
}

#[test]
fn faults_between_two_pages_are_found() {
    let range =
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:50.000Z\",DURATION=2.0\n#EXT-X-PRELOAD-HINT";
    let with_range = |text: String| text.replace("#EXT-X-PRELOAD-HINT", range);
    let shrunk = page(7, 10, 4);
    let cases: Vec<(String, String, &str)> = vec![
        (page(0, 10, 3), page(0, 10, 2), "only grows at its end"),
        (page(1, 10, 3), page(0, 10, 4), "media sequence never decreases"),
        (
            page(0, 10, 3),
            page(0, 10, 4).replace("\n4.m4s", "\n4b.m4s"),
            "a segment that is listed does not change",
        ),
        (
            page(0, 10, 3),
            page(0, 10, 4).replace("8.2.m4s", "8.2b.m4s"),
            "parts leave a whole segment together",
        ),
        (
            page(0, 10, 3),
            page(0, 10, 4).replace("10.1.m4s", "10.1b.m4s"),
            "parts that are listed do not change",
        ),
        (page(0, 10, 3), page(0, 10, 4).replace("10.3.m4s", "10.3b.m4s"), "the one that was hinted"),
        (page(0, 10, 6), page(0, 11, 1).replace("11.0.m4s", "11.0b.m4s"), "the one that was hinted"),
        (
            page(0, 10, 3),
            page(0, 10, 4).replace("HOLD-BACK=6.0", "HOLD-BACK=8.0"),
            "keeps its server control",
        ),
        (
            page(0, 10, 3),
            page(0, 10, 4).replace("PART-TARGET=0.334", "PART-TARGET=0.335"),
            "keeps its part target",
        ),
        (page(0, 10, 3), page(0, 10, 4).replace("T00:0", "T01:0"), "keeps its date"),
        (
            page(0, 10, 3),
            page(1, 10, 4).replace("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"),
            "keeps its discontinuity sequence number",
        ),
        (
            page(0, 10, 3).replace("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"),
            page(0, 10, 4),
            "discontinuity sequence never decreases",
        ),
        (
            page(0, 10, 3).replace("#EXT-X-MEDIA", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA"),
            page(1, 10, 4).replace("#EXT-X-MEDIA", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA"),
            "an EVENT playlist loses no segment",
        ),
        (page(7, 10, 3), page(8, 10, 4), "leaves less than three target durations"),
        (with_range(page(0, 10, 3)), page(0, 10, 4), "a date range stays while"),
        (
            with_range(page(0, 10, 3)),
            with_range(page(0, 10, 4)).replace("DURATION=2.0", "DURATION=3.0"),
            "may gain attributes",
        ),
        (
            page(0, 10, 3).split("#EXT-X-PRELOAD-HINT").next().unwrap().to_owned()
                + "#EXTINF:1.0,\n10.m4s\n#EXT-X-ENDLIST\n",
            page(0, 11, 1),
            "nothing comes behind the end",
        ),
        (
            shrunk,
            page(7, 10, 4).replace("TARGETDURATION:2", "TARGETDURATION:4"),
            "the target duration never changes",
        ),
    ];
    for (one, next, rule) in cases {
        let found = judge(&[capture(0, "", one.clone()), capture(333, "", next.clone())], SLACK);
        assert!(
            rules(&found).iter().any(|broken| broken.contains(rule)),
            "wanted {rule:?}, found {found:#?} in:\n{one}\n{next}"
        );
    }
}

#[test]
fn date_ranges_of_the_past_may_leave() {
    let range =
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1970-01-01T00:01:00.000Z\",DURATION=2.0\n#EXT-X-PRELOAD-HINT";
    let one = page(0, 10, 3).replace("#EXT-X-PRELOAD-HINT", range);
    assert_eq!(judge(&[capture(0, "", one), capture(333, "", page(0, 10, 4))], SLACK), []);
}

#[test]
fn late_parts_are_found_and_plain_requests_excuse_them() {
    let pages = |query: &str| [capture(0, "", page(0, 10, 3)), capture(500, query, page(0, 10, 4))];
    let held = judge(&pages("?_HLS_msn=10&_HLS_part=3"), SLACK);
    assert!(rules(&held).iter().any(|rule| rule.contains("a part follows within a part target")), "{held:?}");
    assert_eq!(judge(&pages(""), SLACK), []);
    let silent =
        [capture(0, "", page(0, 10, 3)), capture(300, "", page(0, 10, 3)), capture(600, "", page(0, 10, 3))];
    assert_eq!(judge(&silent, SLACK).len(), 1);
}

#[test]
fn answers_that_came_too_early_are_found() {
    let early = |query: &str, text: String| judge(&[capture(0, query, text)], SLACK);
    for (query, text) in [
        ("?_HLS_msn=10&_HLS_part=3", page(0, 10, 3)),
        ("?_HLS_msn=10", page(0, 10, 6)),
        ("?_HLS_msn=9&_HLS_part=6", page(0, 10, 0)),
        ("?_HLS_part=1", page(0, 10, 6)),
    ] {
        assert_eq!(early(query, text).len(), 1, "{query}");
    }
    for (query, text) in [
        ("?_HLS_msn=10&_HLS_part=2", page(0, 10, 3)),
        ("?_HLS_msn=9", page(0, 10, 0)),
        ("?_HLS_msn=9&_HLS_part=6", page(0, 10, 1)),
        ("?_HLS_msn=4&_HLS_part=99", page(0, 10, 0)),
        ("?_HLS_msn=0", page(2, 12, 0)),
    ] {
        assert_eq!(early(query, text), [], "{query}");
    }
}

#[test]
fn an_update_and_the_playlist_before_are_the_whole_playlist() {
    for (first, next, open) in [(0, 10, 3), (1, 11, 0), (2, 12, 5)] {
        let before = Playlist::of(&page(0, 10, 2));
        let whole = merge(&before, &Playlist::of(&update(first, next, open))).unwrap();
        assert_eq!(difference(&whole, &Playlist::of(&page(first, next, open))), None);
    }
    let far = Playlist::of(&update(30, 40, 0));
    assert!(merge(&Playlist::of(&page(0, 10, 2)), &far).is_err(), "the reader lacks what is skipped");
}

#[test]
fn updates_take_over_the_date_ranges_that_are_left() {
    let range = |id: &str| {
        format!("#EXT-X-DATERANGE:ID=\"{id}\",START-DATE=\"1970-01-01T00:01:50.000Z\"\n#EXT-X-PRELOAD-HINT")
    };
    let before = page(0, 10, 2)
        .replace("#EXT-X-PRELOAD-HINT", &(range("a").replace("#EXT-X-PRELOAD-HINT", "") + &range("b")));
    let update = update(0, 10, 3)
        .replace("VERSION:9", "VERSION:10")
        .replace("SEGMENTS=4", "SEGMENTS=4,RECENTLY-REMOVED-DATERANGES=\"a\"")
        .replace("#EXT-X-PRELOAD-HINT", &range("c"));
    let whole = merge(&Playlist::of(&before), &Playlist::of(&update)).unwrap();
    assert_eq!(whole.ranges.keys().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn faults_of_updates_are_found() {
    let before = || capture(0, "", page(0, 10, 2));
    let asked = "?_HLS_msn=10&_HLS_part=2&_HLS_skip=YES";
    let fewer = update(0, 10, 3).replace("SEGMENTS=4", "SEGMENTS=2");
    let fewer = fewer.replacen("#EXTINF", "#EXTINF:2.0,\n2.m4s\n#EXTINF:2.0,\n3.m4s\n#EXTINF", 1);
    let more =
        update(0, 10, 3).replace("SEGMENTS=4", "SEGMENTS=5").replacen("#EXTINF:2.000000,\n4.m4s\n", "", 1);
    let wrong = update(0, 10, 3).replace("SEGMENTS=4", "SEGMENTS=3");
    let cases = [
        (asked.replace("&_HLS_skip=YES", ""), update(0, 10, 3), "nothing is skipped unasked"),
        (asked.to_owned(), page(0, 10, 3), "segments beyond the skip boundary are skipped"),
        (asked.to_owned(), fewer, "segments beyond the skip boundary are skipped"),
        (asked.to_owned(), more, "segments beyond the skip boundary are skipped"),
        (asked.to_owned(), wrong, "a segment that is listed does not change"),
        (
            asked.to_owned(),
            update(20, 30, 3).replace("msn=10", ""),
            "an update skips what the playlist before had",
        ),
        (
            asked.to_owned(),
            update(0, 10, 3).replace("VERSION:9", "VERSION:6"),
            "EXT-X-VERSION is what the tags need",
        ),
        (
            asked.to_owned(),
            update(0, 10, 3).replacen("#EXTINF", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXTINF", 1),
            "stands once",
        ),
    ];
    for (query, text, rule) in cases {
        let found = judge(&[before(), capture(333, &query, text.clone())], SLACK);
        assert!(
            rules(&found).iter().any(|broken| broken.contains(rule)),
            "wanted {rule:?}, found {found:#?} in:\n{text}"
        );
    }
    let other = update(0, 10, 2).replace("\n7.m4s", "\n7b.m4s");
    let found = judge(&[before(), capture(10, "?_HLS_skip=YES", other)], SLACK);
    assert!(rules(&found).iter().any(|rule| rule.contains("merged into the playlist before")), "{found:?}");
}

/// The sound of [`page`]: cut at the first frame behind the boundary, in parts of its own length.
fn sound(text: &str) -> String {
    text.replace("0.334", "0.342").replace("../audio/index", "../video/index").replace(":00.000Z", ":00.016Z")
}

#[test]
fn renditions_are_held_against_each_other() {
    let (video, audio) = ("/live/show/1/video/index.m3u8", "/live/show/1/audio/index.m3u8");
    let pictures = show(30, true);
    let sounds = |change: &dyn Fn(String) -> String| -> Vec<Captured> {
        let change = |capture: Captured| Captured { text: change(sound(&capture.text)), ..capture };
        show(30, false).into_iter().map(change).collect()
    };
    let judged = |change: &dyn Fn(String) -> String| {
        let sounds = sounds(change);
        together::judge(
            &[Rendition { path: video, captures: &pictures }, Rendition { path: audio, captures: &sounds }],
            Duration::from_millis(64),
            Duration::from_millis(50),
        )
    };
    assert_eq!(judged(&|text| text), []);
    let cases: [(&dyn Fn(String) -> String, &str); 7] = [
        (&|text| text.replace("TARGETDURATION:2", "TARGETDURATION:3"), "one target duration"),
        (&|text| text.replace("HOLD-BACK=6.0", "HOLD-BACK=7.0"), "same server control"),
        (
            &|text| text.replace("#EXT-X-MEDIA", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA"),
            "one playlist type",
        ),
        (&|text| text.replace("T00:0", "T00:1"), "one date"),
        (
            &|text| text.replace("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"),
            "matching discontinuity",
        ),
        (&|text| text.replace("../video/index", "../film/index"), "reports on every other rendition"),
        (&|text| text.replace("LAST-PART=2", "LAST-PART=5"), "within a part of the rendition"),
    ];
    for (change, rule) in cases {
        let found = judged(change);
        assert!(
            rules(&found).iter().any(|broken| broken.contains(rule)),
            "wanted {rule:?}, found {found:#?}"
        );
    }
}
