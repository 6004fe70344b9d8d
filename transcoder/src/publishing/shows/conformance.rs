//! What every implementation of [`Shows`] must do. Implementations run it in their own tests.

use std::future::Future;
use std::sync::Arc;

use packager::asset::{RenditionName, ShowId};
use packager::time::Msn;
use tokio::task::JoinSet;

use super::{Anchor, MAX_MEDIA_MS, Opening, Show, Shows};
use crate::publishing::rules::{refusal, rule, same, stream, text};

/// Two ways to one and the same set of shows, as two origins have them.
pub type Both = [Arc<dyn Shows>; 2];

/// Runs the suite; `fresh` gives two ways to a set of shows that knows no stream. Needs a tokio runtime.
///
/// # Errors
/// The first rule that does not hold, with what was expected and found.
pub async fn run(fresh: impl AsyncFn() -> Both) -> Result<(), String> {
    rule("shows_are_counted_from_one_and_no_number_is_given_twice", counted(fresh().await)).await?;
    rule("a_running_show_is_given_to_whoever_opens", shared(fresh().await)).await?;
    rule("the_anchor_is_the_epoch_or_the_time_of_the_first_sample", anchored(fresh().await)).await?;
    rule("the_next_show_ends_the_former", succeeded(fresh().await)).await?;
    rule("whoever_succeeds_late_gets_the_show_that_runs", fenced(fresh().await)).await?;
    rule("progress_never_goes_back_and_stops_at_the_end", progress(fresh().await)).await?;
    rule("a_show_is_ended_once", ended(fresh().await)).await?;
    rule("running_shows_are_listed_by_the_names_of_their_streams", listed(fresh().await)).await?;
    rule("streams_do_not_know_each_other", apart(fresh().await)).await?;
    rule("the_first_init_of_a_segment_stays", first_init(fresh().await)).await?;
    rule("inits_are_the_changes_of_each_track", changes(fresh().await)).await?;
    rule("a_show_that_was_never_opened_is_refused", unknown(fresh().await)).await?;
    rule("what_is_out_of_range_is_refused", ranges(fresh().await)).await?;
    rule("racing_origins_agree", race(fresh().await)).await
}

async fn counted([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    // More than nine, so that an order by text instead of by number is found out.
    for number in 1..=12 {
        let show = one.open(&stream, &NOW).await.map_err(text)?;
        same("the number", &show.id, &ShowId(number))?;
        same("whether it runs", &!show.ended, &true)?;
        same("its stream", &show.stream, &stream)?;
        same("its progress", &show.last, &None)?;
        same("who ends it", &other.end(&stream, show.id).await.map_err(text)?, &true)?;
        same("current", &one.current(&stream).await.map_err(text)?, &Some(Show { ended: true, ..show }))?;
    }
    Ok(())
}

async fn shared([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    same("current before the first", &one.current(&stream).await.map_err(text)?, &None)?;
    let show = one.open(&stream, &NOW).await.map_err(text)?;
    same("the segment", &show.segment_ms, &NOW.segment_ms)?;
    same("the parts", &show.parts, &NOW.parts)?;
    let later = Opening { media_ms: 7, anchor: Anchor::Epoch, segment_ms: 4000, parts: 3 };
    for port in [&one, &other] {
        same("the show", &port.open(&stream, &later).await.map_err(text)?, &show)?;
        same("current", &port.current(&stream).await.map_err(text)?.as_ref(), &Some(&show))?;
    }
    Ok(())
}

async fn anchored([one, _]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let furthest = i64::try_from(MAX_MEDIA_MS).map_err(text)?;
    for media_ms in [0, 90_061, -21, furthest, -furthest] {
        let show = one.open(&stream, &Opening { media_ms, ..NOW }).await.map_err(text)?;
        same("the anchor", &show.anchor_ms, &(show.started_ms - media_ms))?;
        let epoch = Opening { media_ms, anchor: Anchor::Epoch, ..NOW };
        let next = one.succeed(&show, &epoch).await.map_err(text)?;
        same("the anchor", &next.anchor_ms, &0)?;
        same("an end", &one.end(&stream, next.id).await.map_err(text)?, &true)?;
    }
    Ok(())
}

async fn succeeded([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let first = one.open(&stream, &NOW).await.map_err(text)?;
    let opening = Opening { segment_ms: 4000, parts: 3, ..NOW };
    let second = one.succeed(&first, &opening).await.map_err(text)?;
    same("the number", &second.id, &ShowId(2))?;
    same("the cadence", &(second.segment_ms, second.parts), &(4000, 3))?;
    same("whether it runs", &second.ended, &false)?;
    same("whether the former ran", &other.end(&stream, first.id).await.map_err(text)?, &false)?;
    same("what runs", &other.running(9).await.map_err(text)?, &vec![second.clone()])?;
    // Also one that has ended before: nothing is left out of the count.
    same("an end", &other.end(&stream, second.id).await.map_err(text)?, &true)?;
    same("the number", &other.succeed(&second, &NOW).await.map_err(text)?.id, &ShowId(3))
}

async fn fenced([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let first = one.open(&stream, &NOW).await.map_err(text)?;
    let second = one.succeed(&first, &NOW).await.map_err(text)?;
    same("theirs", &other.succeed(&first, &NOW).await.map_err(text)?, &second)?;
    let third = one.succeed(&second, &NOW).await.map_err(text)?;
    same("what runs now", &other.succeed(&first, &NOW).await.map_err(text)?, &third)?;
    same("what runs now", &other.open(&stream, &NOW).await.map_err(text)?, &third)?;
    same("an end", &one.end(&stream, third.id).await.map_err(text)?, &true)?;
    let fourth = other.succeed(&first, &NOW).await.map_err(text)?;
    same("a running show", &(fourth.id, fourth.ended), &(ShowId(4), false))
}

async fn progress([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let show = one.open(&stream, &NOW).await.map_err(text)?;
    let last = async || one.current(&stream).await.map_err(text).map(|show| show.and_then(|show| show.last));
    for (note, expected) in [(0, 0), (9, 9), (10, 10), (9, 10), (10, 10), (i64::MAX as u64, i64::MAX as u64)]
    {
        other.note(&stream, show.id, Msn(note)).await.map_err(text)?;
        same("the last", &last().await?, &Some(Msn(expected)))?;
    }
    let next = one.succeed(&show, &NOW).await.map_err(text)?;
    one.note(&stream, next.id, Msn(5)).await.map_err(text)?;
    other.note(&stream, show.id, Msn(6)).await.map_err(text)?;
    same("the last of the next", &last().await?, &Some(Msn(5)))?;
    one.end(&stream, next.id).await.map_err(text)?;
    other.note(&stream, next.id, Msn(7)).await.map_err(text)?;
    same("the last of an ended show", &last().await?, &Some(Msn(5)))
}

async fn ended([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let show = one.open(&stream, &NOW).await.map_err(text)?;
    one.note(&stream, show.id, Msn(3)).await.map_err(text)?;
    for expected in [true, false, false] {
        same("who ended it", &other.end(&stream, show.id).await.map_err(text)?, &expected)?;
    }
    let expected = Show { ended: true, last: Some(Msn(3)), ..show };
    same("current", &one.current(&stream).await.map_err(text)?, &Some(expected))?;
    same("what runs", &one.running(9).await.map_err(text)?, &Vec::new())
}

async fn listed([one, other]: Both) -> Result<(), String> {
    same("before the first", &one.running(9).await.map_err(text)?, &Vec::new())?;
    let mut shows = Vec::new();
    for name in ["b", "a", "d", "B", "c"] {
        shows.push(one.open(&stream(name)?, &NOW).await.map_err(text)?);
    }
    let over = shows.pop().ok_or("expected a show, found none")?;
    one.end(&over.stream, over.id).await.map_err(text)?;
    shows.sort_by(|a, b| a.stream.cmp(&b.stream));
    for limit in [4_u8, 9, 0, 1, 3] {
        let expected: Vec<Show> = shows.iter().take(limit.into()).cloned().collect();
        same("what runs", &other.running(limit.into()).await.map_err(text)?, &expected)?;
    }
    Ok(())
}

async fn apart([one, _]: Both) -> Result<(), String> {
    // SQL that compares names without regard to case would take these for one.
    let (lower, upper) = (stream("show")?, stream("Show")?);
    let show = one.open(&lower, &NOW).await.map_err(text)?;
    same("the other's current", &one.current(&upper).await.map_err(text)?, &None)?;
    let other = one.open(&upper, &NOW).await.map_err(text)?;
    same("the other's number", &other.id, &ShowId(1))?;
    one.note(&upper, other.id, Msn(1)).await.map_err(text)?;
    one.identify(&upper, other.id, &track("video")?, Msn(1), "aa").await.map_err(text)?;
    one.end(&upper, other.id).await.map_err(text)?;
    same("current", &one.current(&lower).await.map_err(text)?.as_ref(), &Some(&show))?;
    same("inits", &one.inits(&lower, show.id).await.map_err(text)?, &Vec::new())
}

async fn first_init([one, other]: Both) -> Result<(), String> {
    let (stream, video) = (stream("show")?, track("video")?);
    let show = one.open(&stream, &NOW).await.map_err(text)?.id;
    one.identify(&stream, show, &video, Msn(7), "aa").await.map_err(text)?;
    other.identify(&stream, show, &video, Msn(7), "bb").await.map_err(text)?;
    let expected = vec![(video.clone(), Msn(7), "aa".to_owned())];
    same("inits", &other.inits(&stream, show).await.map_err(text)?, &expected)?;
    one.end(&stream, show).await.map_err(text)?;
    one.identify(&stream, show, &video, Msn(8), "bb").await.map_err(text)?;
    same("inits of an ended show", &one.inits(&stream, show).await.map_err(text)?, &expected)?;
    let next = one.open(&stream, &NOW).await.map_err(text)?.id;
    same("inits of the next", &one.inits(&stream, next).await.map_err(text)?, &Vec::new())
}

async fn changes([one, other]: Both) -> Result<(), String> {
    let stream = stream("show")?;
    let show = one.open(&stream, &NOW).await.map_err(text)?.id;
    // Out of order, and beyond nine; a sender says its init again whenever it connects.
    for (name, msn, init) in [
        ("video", 9, "aa"),
        ("audio", 10, "aa"),
        ("video", 10, "bb"),
        ("video", 12, "bb"),
        ("video", 20, "aa"),
        ("video", 8, "aa"),
        ("audio", 30, "cc"),
        ("audio", 30, "cc"),
        ("video", 21, "aa"),
    ] {
        other.identify(&stream, show, &track(name)?, Msn(msn), init).await.map_err(text)?;
    }
    let mut expected = Vec::new();
    for (name, msn, init) in [
        ("audio", 10, "aa"),
        ("audio", 30, "cc"),
        ("video", 8, "aa"),
        ("video", 10, "bb"),
        ("video", 20, "aa"),
    ] {
        expected.push((track(name)?, Msn(msn), init.to_owned()));
    }
    same("inits", &one.inits(&stream, show).await.map_err(text)?, &expected)
}

async fn unknown([one, _]: Both) -> Result<(), String> {
    let (known, nobody, video) = (stream("show")?, stream("nobody")?, track("video")?);
    let show = one.open(&known, &NOW).await.map_err(text)?;
    for (stream, number) in [(&nobody, 1), (&known, 0), (&known, 2), (&known, u64::MAX)] {
        let id = ShowId(number);
        let former = Show { stream: stream.clone(), id, ..show.clone() };
        refusal("a note", &one.note(stream, id, Msn(1)).await)?;
        refusal("an end", &one.end(stream, id).await)?;
        refusal("an init", &one.identify(stream, id, &video, Msn(1), "aa").await)?;
        refusal("a successor", &one.succeed(&former, &NOW).await)?;
        same("inits", &one.inits(stream, id).await.map_err(text)?, &Vec::new())?;
    }
    same("nothing changed", &one.running(9).await.map_err(text)?, &vec![show])?;
    same("nobody's current", &one.current(&nobody).await.map_err(text)?, &None)
}

async fn ranges([one, _]: Both) -> Result<(), String> {
    let (stream, video) = (stream("show")?, track("video")?);
    let beyond = i64::try_from(MAX_MEDIA_MS + 1).map_err(text)?;
    let bad = [
        Opening { segment_ms: 0, ..NOW },
        Opening { parts: 0, ..NOW },
        Opening { media_ms: beyond, ..NOW },
        Opening { media_ms: -beyond, ..NOW },
        Opening { media_ms: i64::MIN, anchor: Anchor::Epoch, ..NOW },
    ];
    for opening in &bad {
        refusal("an opening", &one.open(&stream, opening).await)?;
    }
    same("current", &one.current(&stream).await.map_err(text)?, &None)?;
    let widest = Opening { segment_ms: u32::MAX, parts: u32::MAX, ..NOW };
    let show = one.open(&stream, &widest).await.map_err(text)?;
    same("the cadence", &(show.segment_ms, show.parts), &(u32::MAX, u32::MAX))?;
    for opening in &bad {
        refusal("a successor", &one.succeed(&show, opening).await)?;
    }
    let beyond = Msn(i64::MAX as u64 + 1);
    refusal("a note", &one.note(&stream, show.id, beyond).await)?;
    refusal("an init", &one.identify(&stream, show.id, &video, beyond, "aa").await)?;
    for init in ["", "AA", "a.b", "a/b", "\u{e4}", &"a".repeat(65)] {
        refusal("an init", &one.identify(&stream, show.id, &video, Msn(1), init).await)?;
    }
    same("inits", &one.inits(&stream, show.id).await.map_err(text)?, &Vec::new())?;
    same("nothing changed", &one.current(&stream).await.map_err(text)?, &Some(show))
}

async fn race(both: Both) -> Result<(), String> {
    let (stream, video) = (stream("show")?, track("video")?);
    let opened = all(&both, |port, racer| {
        let (stream, opening) = (stream.clone(), Opening { parts: racer + 1, ..NOW });
        async move { port.open(&stream, &opening).await }
    });
    let first = one_of(opened.await?)?;
    let noted = all(&both, |port, racer| {
        let (stream, video, id) = (stream.clone(), video.clone(), first.id);
        async move {
            port.note(&stream, id, Msn(racer.into())).await?;
            port.identify(&stream, id, &video, Msn(3), &racer.to_string()).await
        }
    });
    noted.await?;
    let [port, _] = &both;
    let last = port.current(&stream).await.map_err(text)?.and_then(|show| show.last);
    same("the highest note", &last, &Some(Msn(u64::from(RACERS) - 1)))?;
    same("one init", &port.inits(&stream, first.id).await.map_err(text)?.len(), &1)?;
    let succeeded = all(&both, |port, _| {
        let former = first.clone();
        async move { port.succeed(&former, &NOW).await }
    });
    let second = one_of(succeeded.await?)?;
    same("the next number", &second.id, &ShowId(2))?;
    let ended = all(&both, |port, _| {
        let (stream, id) = (stream.clone(), second.id);
        async move { port.end(&stream, id).await }
    });
    same("who ended it", &ended.await?.into_iter().filter(|ended| *ended).count(), &1)
}

/// Has all racers do one thing, each by its own way.
async fn all<T: Send + 'static, F>(
    both: &Both,
    racer: impl Fn(Arc<dyn Shows>, u32) -> F,
) -> Result<Vec<T>, String>
where
    F: Future<Output = Result<T, crate::Error>> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for (number, port) in (0..RACERS).zip(both.iter().cycle()) {
        racers.spawn(racer(Arc::clone(port), number));
    }
    let mut results = Vec::new();
    while let Some(result) = racers.join_next().await {
        results.push(result.map_err(text)?.map_err(text)?);
    }
    Ok(results)
}

/// What all of them got.
fn one_of(shows: Vec<Show>) -> Result<Show, String> {
    let first = shows.first().cloned().ok_or("expected a show, found none")?;
    shows.iter().try_for_each(|show| same("the one show", show, &first))?;
    Ok(first)
}

fn track(name: &str) -> Result<RenditionName, String> {
    name.parse().map_err(text)
}

/// What most shows are opened with.
const NOW: Opening = Opening { media_ms: 10_000, anchor: Anchor::Now, segment_ms: 2000, parts: 6 };
const RACERS: u32 = 16;
