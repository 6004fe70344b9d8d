//! Shows whose segments are kept outside of the window: what stays here, and what is listed whoever has it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reads its files"
)]
#![allow(dead_code, reason = "the stage serves several tests")]

mod live_stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_packager::asset::RenditionName;
use forebay_packager::live::{
    Adopted, Form, Found, Header, InitId, Keeping, Listing, Media, Page, Pages, Past, Plan, Segment, Show,
    Stored, View,
};
use forebay_packager::time::{MediaTime, Msn};

use live_stage::Stage;

/// What is kept of a show, as an archive would.
#[derive(Default)]
struct Archive(BTreeMap<(RenditionName, Msn), (Stored, Vec<u8>)>);

impl Archive {
    /// Keeps all segments of a show that are whole up to one.
    fn keep(&mut self, show: &mut Show, until: u64) {
        let names: Vec<RenditionName> = show.tracks().cloned().collect();
        for name in names {
            let Some(playlist) = show.playlist(&name) else { continue };
            for segment in playlist.from_start().segments().filter(|s| s.msn.0 < until) {
                let Some(media) = &segment.media else { continue };
                let stored = Stored { len: media.len(), tag: media.tag().bits().unwrap(), fence: Some(1) };
                self.0.entry((name.clone(), segment.msn)).or_insert_with(|| (stored, bytes(media)));
            }
        }
        for ((name, msn), (stored, _)) in &self.0 {
            show.keep(name, *msn, *stored);
        }
    }

    /// The bytes of a segment, wherever they are.
    fn read(&self, show: &Show, name: &RenditionName, msn: Msn) -> Vec<u8> {
        match show.segment(name, msn) {
            Found::Ready(media) => bytes(&media),
            Found::Stored(stored) => {
                let (kept, bytes) = &self.0[&(name.clone(), msn)];
                assert_eq!((*kept, bytes.len() as u64), (stored, stored.len));
                bytes.clone()
            }
            other => panic!("{name}/{msn}: {other:?}"),
        }
    }
}

fn bytes(media: &Media) -> Vec<u8> {
    media.pieces().concat()
}

fn keeping() -> Keeping {
    Keeping { bytes: MediaTime::from_millis(6000), known: MediaTime::from_millis(3_600_000), told: Msn(0) }
}

fn plan() -> Plan {
    Plan { keeping: Some(keeping()), ..Stage::plan(Listing::Sliding(MediaTime::from_millis(9000))) }
}

const TRACKS: [&str; 2] = ["video", "audio"];

/// All playlists of a show, of all views and forms.
fn texts(stage: &Stage) -> Vec<String> {
    let names = stage.lines.iter().map(|line| &line.name);
    let playlists = names.map(|name| stage.show.playlist(name).unwrap());
    let forms = [Form::Full, Form::Delta, Form::DeltaRanges];
    let mut texts: Vec<String> = playlists
        .flat_map(|p| {
            forms.map(|form| p.render(form)).into_iter().chain(forms.map(|f| p.from_start().render(f)))
        })
        .collect();
    texts.extend(View::ALL.map(|view| stage.show.multivariant("", view).unwrap()));
    texts
}

#[test]
fn what_is_kept_elsewhere_stays_listed_and_its_bytes_do_not_stay() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut plain = Stage::planned(&TRACKS, Stage::plan(Listing::Event));
    let mut archive = Archive::default();
    let mut most = 0;
    for second in 1..=60 {
        stage.send(second * 1000);
        plain.send(second * 1000);
        archive.keep(&mut stage.show, u64::try_from(second).unwrap().saturating_sub(2));
        most = most.max(stage.show.bytes());
    }
    let second = plain.show.bytes() / 60;
    assert!(most < 10 * second, "{most} bytes are here, and {second} are a second's");
    for line in &stage.lines {
        let (kept, all) =
            (stage.show.playlist(&line.name).unwrap(), plain.show.playlist(&line.name).unwrap());
        let lines = |text: String| {
            text.lines()
                .filter(|l| {
                    !l.starts_with("#EXT-X-PART:")
                        && !l.starts_with("#EXT-X-START")
                        && !l.starts_with("#EXT-X-PLAYLIST-TYPE")
                        && !l.starts_with("#EXT-X-RENDITION-REPORT")
                })
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(kept.from_start().render(Form::Full)), lines(all.render(Form::Full)));
        assert_eq!(kept.segments().count(), 9);
        for segment in all.segments() {
            let wanted = bytes(segment.media.as_ref().unwrap());
            assert_eq!(archive.read(&stage.show, &line.name, segment.msn), wanted, "{}", segment.msn);
        }
        // A part that slid out of memory is no longer here.
        assert!(matches!(stage.show.part(&line.name, Msn(3), 0), Found::Absent));
        assert!(matches!(stage.show.part(&line.name, Msn(58), 0), Found::Ready(_)));
    }
}

#[test]
fn nothing_leaves_that_is_kept_nowhere_else() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.send(30_000);
    let held = stage.show.bytes();
    for line in &stage.lines {
        assert!((0..29).all(|n| matches!(stage.show.segment(&line.name, Msn(n)), Found::Ready(_))));
    }
    // Not even for want of memory, as long as nobody says that it must.
    assert_eq!(stage.show.shed(0), held);
    archive.keep(&mut stage.show, 10);
    let first = |stage: &Stage| {
        (0..30).find(|n| matches!(stage.show.segment(&stage.lines[0].name, Msn(*n)), Found::Ready(_)))
    };
    assert_eq!(first(&stage), Some(10));
    // For want of memory what is kept elsewhere goes before it is old, down to what a playlist must have.
    archive.keep(&mut stage.show, 29);
    assert_eq!(first(&stage), Some(24));
    stage.show.shed(0);
    assert_eq!(first(&stage), Some(24), "six segments stay");
}

#[test]
fn for_want_of_memory_the_oldest_that_is_kept_nowhere_else_is_lost_at_last() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.send(30_000);
    archive.keep(&mut stage.show, 20);
    let bytes = |stage: &Stage| stage.show.bytes();
    let names: Vec<RenditionName> = stage.lines.iter().map(|line| line.name.clone()).collect();
    let whole = bytes(&stage);
    // What is enough without them takes none of them.
    let shed = stage.show.lose_for(whole);
    assert_eq!((shed.held, shed.lost), (whole, 0));
    // Segment 20 of both tracks.
    let shed = stage.show.lose_for(whole - 1);
    assert_eq!((shed.held, shed.lost), (bytes(&stage), 2));
    assert!(shed.held < whole);
    for name in &names {
        assert!(matches!(stage.show.segment(name, Msn(20)), Found::Absent));
        assert!(matches!(stage.show.segment(name, Msn(21)), Found::Ready(_)));
        let playlist = stage.show.playlist(name).unwrap();
        for (text, gaps) in [(playlist.render(Form::Full), 0), (playlist.from_start().render(Form::Full), 1)]
        {
            assert_eq!(text.matches("#EXT-X-GAP\n").count(), gaps, "{text}");
        }
    }
    assert_eq!(stage.show.lose_for(0).lost, 2 * 3, "six segments stay");
    // One that was on its way into the store all the while is there after all.
    let stored = archive.0[&(names[0].clone(), Msn(19))].0;
    assert!(stage.show.keep(&names[0], Msn(20), stored));
    assert!(matches!(stage.show.segment(&names[0], Msn(20)), Found::Stored(_)));
}

#[test]
fn what_is_told_nowhere_else_stays_known_however_old_it_is() {
    let short = Keeping { known: MediaTime::from_millis(9000), ..keeping() };
    let mut stage = Stage::planned(&TRACKS, Plan { keeping: Some(short), ..plan() });
    let mut archive = Archive::default();
    let first = |stage: &Stage| stage.show.segments(&stage.lines[0].name).unwrap().front().unwrap().msn.0;
    stage.send(40_000);
    archive.keep(&mut stage.show, 35);
    assert_eq!(first(&stage), 0, "its segments are stored, but no page names them");
    stage.show.told(Msn(10));
    assert_eq!(first(&stage), 10);
    stage.show.told(Msn(5));
    assert_eq!(first(&stage), 10, "what was told stays told");
    stage.show.told(Msn(40));
    assert_eq!(first(&stage), 31, "nine seconds are known");
    stage.send(45_000);
    archive.keep(&mut stage.show, 42);
    assert_eq!(first(&stage), 36);
}

#[test]
fn what_is_in_the_store_is_not_given_up_for_a_spool() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.send(30_000);
    archive.keep(&mut stage.show, 10);
    let name = &stage.lines[0].name;
    let (stored, _) = archive.0[&(name.clone(), Msn(3))];
    let spooled = Stored { fence: None, ..stored };
    // Whoever spools may be late by a moment.
    assert!(!stage.show.keep(name, Msn(3), spooled));
    assert!(!stage.show.lose(name, Msn(3)));
    assert!(matches!(stage.show.segment(name, Msn(3)), Found::Stored(found) if found == stored));
    // What is on this machine alone is lost with its file, and another one may have put it.
    assert!(stage.show.keep(name, Msn(12), spooled) && stage.show.lose(name, Msn(12)));
    assert!(stage.show.keep(name, Msn(13), spooled) && stage.show.keep(name, Msn(13), stored));
}

/// What an archive knows of a show before a segment.
fn past_until(stage: &Stage, until: u64) -> BTreeMap<RenditionName, Arc<Past>> {
    let past = |name: &RenditionName| {
        let mut past = stage.show.past(name).unwrap();
        past.segments.retain(|s| s.msn.0 < until);
        for segment in &mut past.segments {
            *segment = Arc::new(Segment { media: None, parts: Vec::new(), ..(**segment).clone() });
        }
        Arc::new(past)
    };
    stage.lines.iter().map(|line| (line.name.clone(), past(&line.name))).collect()
}

#[test]
fn whoever_goes_on_with_a_show_lists_what_it_would_have() {
    for (died, back) in [(40_000, 43_000), (40_300, 40_500), (39_900, 52_000)] {
        let mut stage = Stage::planned(&TRACKS, plan());
        let mut archive = Archive::default();
        stage.send(died);
        archive.keep(&mut stage.show, 38);
        let past = past_until(&stage, 38);
        let again = Plan { begins: false, last: Some(Msn(37)), past, ..plan() };
        let mut other = Stage::planned(&TRACKS, again);
        // Its worker sends again what it has: thirty seconds, from a keyframe on.
        other.skip(back - 30_000);
        other.send(back);
        stage.send(back);
        for to in [back, back + 4000, back + 9700] {
            stage.send(to);
            other.send(to);
            archive.keep(&mut stage.show, u64::try_from(to / 1000 - 3).unwrap());
            archive.keep(&mut other.show, u64::try_from(to / 1000 - 3).unwrap());
            assert_eq!(texts(&other), texts(&stage), "died at {died} ms, back at {back}, now {to}");
        }
        stage.show.end_now();
        other.show.end_now();
        let whole = |stage: &Stage, n: usize| stage.show.playlist(&stage.lines[n].name).unwrap().on_demand();
        for (n, line) in stage.lines.iter().enumerate() {
            assert_eq!(whole(&other, n), whole(&stage, n));
            let count = stage.show.playlist(&line.name).unwrap().from_start().segments().count();
            for msn in (0..u64::try_from(count).unwrap()).map(Msn) {
                assert_eq!(
                    archive.read(&other.show, &line.name, msn),
                    archive.read(&stage.show, &line.name, msn),
                    "{msn}"
                );
            }
        }
    }
}

#[test]
fn whoever_learns_late_of_the_past_lists_what_it_would_have() {
    for learnt in [44_000, 47_300, 61_000] {
        let mut stage = Stage::planned(&TRACKS, plan());
        let mut archive = Archive::default();
        stage.send(40_000);
        archive.keep(&mut stage.show, 38);
        let past = past_until(&stage, 38);
        // The archive could not be read when it began, and its worker sends again the last eight seconds.
        let inits = TRACKS.iter().map(|name| (name.parse().unwrap(), Msn(0), "first".to_owned())).collect();
        let again = Plan { begins: false, last: Some(Msn(37)), inits, ..plan() };
        let mut other = Stage::planned(&TRACKS, again);
        other.skip(32_000);
        other.send(40_000);
        other.send(learnt);
        stage.send(learnt);
        let name = &other.lines[0].name;
        let first = other.show.playlist(name).unwrap().segments().next().unwrap().msn;
        assert_eq!(other.show.segments(name).unwrap().front().unwrap().msn, Msn(32));
        other.show.recall(past, Vec::new());
        assert_eq!(other.show.segments(name).unwrap().front().unwrap().msn, Msn(0));
        let playlist = other.show.playlist(name).unwrap();
        assert_eq!(playlist.segments().next().unwrap().msn, first, "the window stays");
        for to in [learnt, learnt + 9700] {
            stage.send(to);
            other.send(to);
            archive.keep(&mut stage.show, u64::try_from(to / 1000 - 3).unwrap());
            archive.keep(&mut other.show, u64::try_from(to / 1000 - 3).unwrap());
            for line in &stage.lines {
                let text = |stage: &Stage| stage.show.playlist(&line.name).unwrap().from_start().on_demand();
                assert_eq!(text(&other), text(&stage), "learnt at {learnt}, now {to}");
            }
        }
        assert_eq!(texts(&other), texts(&stage), "learnt at {learnt}");
        stage.show.end_now();
        other.show.end_now();
        for line in &stage.lines {
            let whole = |stage: &Stage| stage.show.playlist(&line.name).unwrap().on_demand();
            assert_eq!(whole(&other), whole(&stage));
            for msn in (0..u64::try_from(learnt / 1000).unwrap()).map(Msn) {
                let of = |stage: &Stage| archive.read(&stage.show, &line.name, msn);
                assert!(of(&other) == of(&stage), "{msn}");
            }
        }
    }
}

#[test]
fn a_show_that_ended_is_told_again_from_its_archive_to_the_byte() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.send(10_000);
    stage.lose(13_500);
    stage.send(16_000);
    stage.change_encoder();
    stage.send(31_400);
    stage.show.end_now();
    archive.keep(&mut stage.show, 40);
    let past =
        stage.lines.iter().map(|line| (line.name.clone(), Arc::new(stage.show.past(&line.name).unwrap())));
    let recorded = Show::recorded(Plan { past: past.collect(), begins: false, ..plan() });
    assert!(recorded.has_ended());
    for line in &stage.lines {
        let (told, was) = (recorded.playlist(&line.name).unwrap(), stage.show.playlist(&line.name).unwrap());
        let no_parts = |text: String| {
            text.lines().filter(|l| !l.starts_with("#EXT-X-PART:")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(no_parts(told.render(Form::Full)), no_parts(was.render(Form::Full)));
        assert_eq!(
            no_parts(told.from_start().render(Form::Full)),
            no_parts(was.from_start().render(Form::Full))
        );
        assert_eq!(told.on_demand(), was.on_demand());
        assert!(was.on_demand().contains("#EXT-X-GAP") == (line.name.as_str() == "video"));
    }
    for view in View::ALL {
        assert_eq!(recorded.multivariant("", view), stage.show.multivariant("", view));
    }
}

#[test]
fn what_an_archive_says_is_what_the_show_was() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.mark("goal", 3000, 2000);
    stage.send(10_000);
    stage.lose(13_500);
    stage.send(70_000);
    stage.change_encoder();
    stage.send(90_000);
    archive.keep(&mut stage.show, 90);
    let cadence = stage.show.plan().cadence;
    let mut pages = Pages::default();
    for number in 0..2 {
        let range = cadence.page_range(number);
        let mut page = Page::new(number, cadence, 0);
        for line in &stage.lines {
            let past = stage.show.past(&line.name).unwrap();
            page.add(&line.name, past.gait, past.segments.iter().filter(|s| range.contains(&s.msn.0)));
        }
        page.ranges = stage.show.ranges();
        let text = page.to_json();
        let read = Page::from_json(&text).unwrap();
        assert_eq!(read, page);
        pages.add(&read).unwrap();
    }
    let headers = headers(&stage, &pages);
    let told = pages.past(&headers);
    for line in &stage.lines {
        let was = stage.show.past(&line.name).unwrap();
        let now = &told[&line.name];
        assert_eq!((now.header.id(), now.gait), (was.header.id(), was.gait));
        let bare = |s: &Segment| Segment { media: None, parts: Vec::new(), ..s.clone() };
        let all = was.segments.iter().map(|s| bare(s)).collect::<Vec<_>>();
        assert_eq!(now.segments.iter().map(|s| bare(s)).collect::<Vec<_>>(), all);
    }
    assert_eq!(pages.ranges(), stage.show.ranges());
}

fn headers(stage: &Stage, pages: &Pages) -> BTreeMap<(RenditionName, InitId), Arc<Header>> {
    let header = |(name, id): (RenditionName, InitId)| {
        let header = Header::read(&stage.show.init(&name, id).unwrap()).unwrap();
        ((name, id), header)
    };
    pages.inits().into_iter().map(header).collect()
}

#[test]
fn a_stored_segment_tells_what_a_page_would_have_said() {
    let mut stage = Stage::planned(&TRACKS, plan());
    let mut archive = Archive::default();
    stage.send(20_000);
    archive.keep(&mut stage.show, 20);
    let cadence = stage.show.plan().cadence;
    for line in &stage.lines {
        let past = stage.show.past(&line.name).unwrap();
        let mut after = None;
        for segment in &past.segments {
            let bytes = archive.read(&stage.show, &line.name, segment.msn).into();
            let (msn, header, fence) = (segment.msn, Arc::clone(&past.header), Some(1));
            let (read, gait) = Adopted { msn, header, fence, after }.read(&bytes, cadence).unwrap();
            assert_eq!(read, Segment { media: None, parts: Vec::new(), ..(**segment).clone() });
            assert_eq!(gait, past.gait, "{}: {msn}", line.name);
            after = Some(read.end);
        }
    }
    let (msn, header) = (Msn(0), Arc::clone(&stage.lines[0].header));
    for bytes in [&b""[..], b"no segment", &[0; 64]] {
        let adopted = Adopted { msn, header: Arc::clone(&header), fence: None, after: None };
        assert!(adopted.read(&bytes.to_vec().into(), cadence).is_err());
    }
}
