//! A store that is away, slow, busy or lying, under load: what is known goes on, what is not is refused honestly, and no viewer ever gets
//! a byte that is not the right one.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, thread};

use forebay_tests::inputs::ours::{self, Clip};
use forebay_tests::rig::audience::{Audience, Known, Manner, Tally};
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::wire::Trouble;

use crate::object_storage::clip;

/// A server over a bucket, with what it knows and what it has never been asked for.
struct Stage {
    bucket: Bucket,
    daemon: Daemon,
    known: Vec<Known>,
    strange: Vec<Known>,
    site: Site,
}

impl Stage {
    /// So many assets that it does not know, beside a registered one and a folder that it has been asked for.
    fn set(strangers: usize) -> Self {
        let (bucket, ground) = (Bucket::start(), Site::new());
        ground.transcode(&clip(), "film").ok();
        let names: Vec<_> = (0..strangers).map(|number| format!("stranger-{number}")).collect();
        for asset in names.iter().map(String::as_str).chain(["folder"]) {
            ground.place(asset, &[&ours::moov_first()]);
        }
        bucket.fill(&ground.store());
        let token = ground.token("/vod/**");
        let all = |daemon: &Daemon, asset: &str| {
            Known::all(daemon.http(), &format!("/t/{token}/vod/{asset}/main.m3u8"))
        };
        let site = bucket.dress(Site::copy_of(ground.path()));
        // One that ends at once says what everything is.
        let teacher = site.serve();
        let strange = names.iter().flat_map(|asset| all(&teacher, asset)).collect();
        drop(teacher);
        let daemon = site.serve();
        let known = ["film", "folder"].into_iter().flat_map(|asset| all(&daemon, asset)).collect();
        Self { bucket, daemon, known, strange, site }
    }

    fn audience(&self, known: &[Known], viewers: usize, pause: Duration) -> Audience {
        Audience::of(self.daemon.http(), known, Manner { viewers, rate: None, pause })
    }

    /// Some who watch what is known, and some who ask for the rest.
    fn audiences(&self) -> [Audience; 2] {
        [(&self.known, 6, 10), (&self.strange, 4, 100)]
            .map(|(known, viewers, pause)| self.audience(known, viewers, Duration::from_millis(pause)))
    }
}

/// How long a trouble lasts: a minute, or as many seconds as `FOREBAY_TROUBLE` says.
pub(crate) fn lasting() -> Duration {
    Duration::from_secs(env::var("FOREBAY_TROUBLE").map_or(60, |seconds| seconds.parse().unwrap()))
}

/// Counts those who watch while the store is in trouble, and after it; prints rows of a table.
fn watch(name: &str, trouble: Trouble) -> [Tally; 2] {
    let stage = Stage::set(40);
    stage.bucket.does(trouble);
    let asked = stage.bucket.asked();
    let audiences = stage.audiences();
    thread::sleep(lasting());
    let meanwhile = [&audiences[0], &audiences[1]].map(Audience::take);
    let asked = stage.bucket.asked() - asked;
    stage.bucket.does(Trouble::None);
    let mended = Instant::now();
    let (mut first, mut last) = (None, Duration::ZERO);
    while mended.elapsed() < AFTERWARDS {
        thread::sleep(Duration::from_millis(50));
        let tally = audiences[1].take();
        assert_eq!(tally.wrong, Vec::<String>::new());
        if tally.right > 0 {
            first.get_or_insert_with(|| mended.elapsed());
        }
        if !tally.refused.is_empty() {
            last = mended.elapsed();
        }
    }
    let first = first.expect("what was not known comes when the store is back");
    eprintln!(
        "{name}: {asked} questions reached the store; after it, the first good answer came {first:.1?} later, the last refusal {last:.1?}"
    );
    for (who, tally) in ["known", "not known"].into_iter().zip(&meanwhile) {
        eprintln!("{name} | {who} | {tally}");
    }
    let [known, strange] = audiences.map(Audience::end);
    known.is_clean();
    strange.is_clean();
    assert!(last < Duration::from_secs(12), "{last:?}");
    meanwhile
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn what_is_known_goes_on_while_the_store_is_away_for_a_minute() {
    for (name, trouble) in [("connections break", Trouble::Cut), ("no answer", Trouble::Silence)] {
        let [known, strange] = watch(name, trouble);
        known.is_clean();
        strange.is_honest();
        assert!(known.right > 1000 && known.cut == 0, "{known}");
        assert!(strange.right == 0 && !strange.refused.is_empty(), "{strange}");
        assert!(strange.longest_refusal < Duration::from_secs(11), "{strange}");
    }
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn a_store_that_takes_two_seconds_is_waited_for_by_those_alone_who_need_it() {
    let stage = Stage::set(40);
    stage.bucket.is_far(2_000);
    let audiences = stage.audiences();
    thread::sleep(lasting());
    let [known, strange] = audiences.map(Audience::end);
    eprintln!("2 s to the first byte | known | {known}\n2 s to the first byte | not known | {strange}");
    known.is_clean();
    strange.is_clean();
    assert!(known.longest < Duration::from_secs(1), "{known}");
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn a_store_that_is_busy_is_asked_less_and_answers_what_it_can() {
    for (name, trouble) in [
        ("503 to every other question", Trouble::Busy { status: 503, seconds: 1, one_in: 2 }),
        ("429 to every fourth question", Trouble::Busy { status: 429, seconds: 1, one_in: 4 }),
        ("503 to all questions", Trouble::Busy { status: 503, seconds: 2, one_in: 1 }),
    ] {
        let [known, strange] = watch(name, trouble);
        known.is_clean();
        strange.is_honest();
        assert!(strange.longest_refusal < Duration::from_secs(11), "{strange}");
    }
}

/// Lets strangers be read from a store that lies, until it has told so many lies.
fn lied_to(strangers: usize, lies: u64) -> Tally {
    let (mut stage, mut all) = (Stage::set(strangers), Tally::default());
    stage.bucket.does(Trouble::Lies { one_in: 3 });
    while stage.bucket.lies() < lies {
        // One that knows nothing, each time: what is known is not read again.
        stage.daemon = stage.site.serve();
        let everything = [&stage.known[..], &stage.strange].concat();
        let audience = stage.audience(&everything, 4, Duration::ZERO);
        let before = all.right;
        until("most of it to be read", || {
            all = std::mem::take(&mut all).and(audience.take());
            (all.right > before + everything.len() as u64).then_some(())
        });
        all = std::mem::take(&mut all).and(audience.end());
    }
    let told = stage.bucket.lies();
    eprintln!("{told} lies | not known | {all}");
    assert_eq!(all.wrong, Vec::<String>::new());
    // Half of an `asset.json` is none.
    assert!(all.refused.keys().all(|status| [422, 503].contains(status)) && all.unanswered == 0, "{all}");
    all
}

#[test]
fn a_store_that_lies_gets_no_wrong_byte_to_a_viewer() {
    let tally = lied_to(6, 30);
    assert!(tally.right > 50, "{tally}");
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn a_store_that_lies_a_thousand_times_gets_no_wrong_byte_to_a_viewer() {
    let _counted = lied_to(40, 1_000);
}

/// Replaces the file of a folder by another one, and back, while viewers ask for what either was.
fn replaced(times: usize) -> Tally {
    let bucket = Bucket::start();
    // Nothing stays in memory that could be served instead of being read.
    let site =
        bucket.dress(Site::new()).with("cache", "memory", "\"16MiB\"").with("cache", "block", "\"16KiB\"");
    let films = [
        noise("one-noise", &["-g", "50", "-crf", "6", "-vf", "noise=alls=60:allf=t+u:all_seed=1"]),
        noise("other-noise", &["-g", "50", "-crf", "6", "-vf", "noise=alls=60:allf=t+u:all_seed=2"]),
    ];
    let token = site.token("/vod/**");
    let mut known: Vec<Known> = Vec::new();
    for film in &films {
        bucket.replace(KEY, film);
        let teacher = site.serve();
        // The door leads to the one or the other; what is behind it has a name of its own.
        known.extend(
            Known::all(teacher.http(), &format!("/t/{token}/vod/swapped/main.m3u8")).into_iter().skip(1),
        );
    }
    let daemon = site.serve();
    bucket.does(Trouble::Lies { one_in: 2 });
    let audience =
        Audience::of(daemon.http(), &known, Manner { viewers: 6, rate: None, pause: Duration::ZERO });
    let mut tally = Tally::default();
    for number in 0..times {
        bucket.replace(KEY, &films[number % 2]);
        let right = tally.right;
        until("somebody to get something of it", || {
            tally = std::mem::take(&mut tally).and(audience.take());
            (tally.right > right + 10).then_some(())
        });
    }
    let tally = tally.and(audience.end());
    eprintln!("{times} replacements, {} lies | both | {tally}", bucket.lies());
    assert_eq!(tally.wrong, Vec::<String>::new());
    tally
}

/// A film of noise; another name is other noise.
fn noise(name: &'static str, options: &'static [&'static str]) -> PathBuf {
    Clip { name, seconds: 8, size: "320x180", rate: "25", sound: 0, options }.make()
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_never_mixed() {
    let tally = replaced(6);
    assert!(tally.refused.keys().all(|status| [404, 503].contains(status)), "{tally}");
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn an_object_that_is_replaced_three_hundred_times_while_it_is_read_is_never_mixed() {
    let _counted = replaced(300);
}

/// How long those are watched who come when it is over.
const AFTERWARDS: Duration = Duration::from_secs(15);
const KEY: &str = "vod/swapped/film.mp4";
