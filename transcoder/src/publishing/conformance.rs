//! What every implementation of [`Publishing`] must do. Implementations run it in their own tests.

use std::sync::Arc;

use packager::asset::{AssetName, Revision};
use tokio::task::JoinSet;

use super::rules::{rule, same, text};
use super::{Published, Publishing};

/// Runs the suite; `fresh` gives an implementation that knows no asset. Needs a tokio runtime.
///
/// # Errors
/// The first rule that does not hold, with what was expected and found.
pub async fn run<P: Publishing + 'static>(fresh: impl Fn() -> P) -> Result<(), String> {
    rule("revisions_are_counted_up_and_never_given_twice", counted(&fresh())).await?;
    rule("nothing_is_current_until_it_is_published", unpublished(&fresh())).await?;
    rule("an_older_revision_never_replaces_a_newer_one", guarded(&fresh())).await?;
    rule("publishing_twice_changes_nothing", twice(&fresh())).await?;
    rule("assets_do_not_know_each_other", apart(&fresh())).await?;
    rule("a_revision_that_was_not_begun_is_refused", unknown(&fresh())).await?;
    rule("what_is_withdrawn_is_not_served_until_a_later_one", withdrawn(&fresh())).await?;
    rule("of_those_who_withdraw_one_did_it", race_to_withdraw(Arc::new(fresh()))).await?;
    rule("racing_jobs_get_their_own_numbers_and_the_newest_wins", race(Arc::new(fresh()))).await
}

async fn counted(port: &dyn Publishing) -> Result<(), String> {
    let show = asset("show")?;
    let mut last = 0;
    for _ in 0..20 {
        let revision = port.begin(&show).await.map_err(text)?;
        let number = number(&revision)?;
        same("a number above the last", &(number > last), &true)?;
        last = number;
    }
    Ok(())
}

async fn unpublished(port: &dyn Publishing) -> Result<(), String> {
    let show = asset("show")?;
    same("current before the first", &port.current(&show).await.map_err(text)?, &None)?;
    let revision = port.begin(&show).await.map_err(text)?;
    same("current after begin", &port.current(&show).await.map_err(text)?, &None)?;
    same("publish", &port.publish(&show, &revision).await.map_err(text)?, &Published::Current)?;
    same("current after publish", &port.current(&show).await.map_err(text)?, &Some(revision))
}

async fn guarded(port: &dyn Publishing) -> Result<(), String> {
    let show = asset("show")?;
    let mut begun = Vec::new();
    // More than nine, so that an order by text instead of by number is found out.
    for _ in 0..11 {
        begun.push(port.begin(&show).await.map_err(text)?);
    }
    let newest = begun.pop().ok_or("expected a revision, found none")?;
    let older = begun.pop().ok_or("expected a revision, found none")?;
    let ninth = begun.pop().ok_or("expected a revision, found none")?;
    same("the ninth", &port.publish(&show, &ninth).await.map_err(text)?, &Published::Current)?;
    same("the newest", &port.publish(&show, &newest).await.map_err(text)?, &Published::Current)?;
    same("an older one", &port.publish(&show, &older).await.map_err(text)?, &Published::Superseded)?;
    same("current", &port.current(&show).await.map_err(text)?, &Some(newest))
}

async fn twice(port: &dyn Publishing) -> Result<(), String> {
    let show = asset("show")?;
    let revision = port.begin(&show).await.map_err(text)?;
    for _ in 0..2 {
        same("publish", &port.publish(&show, &revision).await.map_err(text)?, &Published::Current)?;
    }
    let next = number(&port.begin(&show).await.map_err(text)?)?;
    same("a number above the published one", &(next > number(&revision)?), &true)?;
    same("current", &port.current(&show).await.map_err(text)?, &Some(revision))
}

async fn apart(port: &dyn Publishing) -> Result<(), String> {
    // SQL that compares names without regard to case would take these for one.
    let (one, other) = (asset("show")?, asset("Show")?);
    let revision = port.begin(&one).await.map_err(text)?;
    port.begin(&other).await.map_err(text)?;
    same("publish", &port.publish(&one, &revision).await.map_err(text)?, &Published::Current)?;
    same("the other's current", &port.current(&other).await.map_err(text)?, &None)
}

async fn unknown(port: &dyn Publishing) -> Result<(), String> {
    let show = asset("show")?;
    let begun = port.begin(&show).await.map_err(text)?;
    let beyond = Revision::counted(number(&begun)? + 1);
    let hash: Revision = "c0ffee".parse().map_err(text)?;
    for revision in [beyond, hash] {
        same("a refusal", &port.publish(&show, &revision).await.is_err(), &true)?;
    }
    same("a refusal", &port.publish(&asset("nobody")?, &begun).await.is_err(), &true)?;
    same("current", &port.current(&show).await.map_err(text)?, &None)
}

async fn withdrawn(port: &dyn Publishing) -> Result<(), String> {
    let (show, other) = (asset("show")?, asset("Show")?);
    let begin = async || port.begin(&show).await.map_err(text);
    let publish = async |revision: &Revision| port.publish(&show, revision).await.map_err(text);
    let withdraw = async || port.withdraw(&show).await.map_err(text);
    let current = async || port.current(&show).await.map_err(text);
    let is_withdrawn = async || port.is_withdrawn(&show).await.map_err(text);
    same("what nobody knows", &withdraw().await?, &false)?;
    same("what nobody knows", &is_withdrawn().await?, &false)?;
    let theirs = port.begin(&other).await.map_err(text)?;
    same("the other", &port.publish(&other, &theirs).await.map_err(text)?, &Published::Current)?;
    // Where nothing is served, nothing changes.
    let [first, second, third] = [begin().await?, begin().await?, begin().await?];
    same("what is not served", &withdraw().await?, &false)?;
    same("what was begun before", &publish(&second).await?, &Published::Current)?;
    same("what is served", &is_withdrawn().await?, &false)?;
    for expected in [true, false] {
        same("who withdrew it", &withdraw().await?, &expected)?;
        same("current", &current().await?, &None)?;
        same("what was withdrawn", &is_withdrawn().await?, &true)?;
    }
    // Neither the one that was served comes back, nor any that was under way.
    for revision in [&first, &second, &third] {
        same("what was begun before", &publish(revision).await?, &Published::Superseded)?;
        same("current", &current().await?, &None)?;
    }
    let fourth = begin().await?;
    same("a number above all others", &(number(&fourth)? > number(&third)?), &true)?;
    same("what was begun after", &withdraw().await?, &false)?;
    for _ in 0..2 {
        same("what was begun after", &publish(&fourth).await?, &Published::Current)?;
        same("what was begun before", &publish(&third).await?, &Published::Superseded)?;
        same("current", &current().await?.as_ref(), &Some(&fourth))?;
        same("what came back", &is_withdrawn().await?, &false)?;
    }
    let beyond = Revision::counted(number(&fourth)? + 1);
    same("who withdrew it", &withdraw().await?, &true)?;
    same("a refusal", &publish(&beyond).await.is_err(), &true)?;
    same("the other's current", &port.current(&other).await.map_err(text)?, &Some(theirs))
}

async fn race_to_withdraw<P: Publishing + 'static>(port: Arc<P>) -> Result<(), String> {
    let show = asset("show")?;
    let revision = port.begin(&show).await.map_err(text)?;
    same("publish", &port.publish(&show, &revision).await.map_err(text)?, &Published::Current)?;
    let mut calls = JoinSet::new();
    for _ in 0..RACERS {
        let (port, show) = (Arc::clone(&port), show.clone());
        calls.spawn(async move { port.withdraw(&show).await });
    }
    let mut count = 0;
    while let Some(call) = calls.join_next().await {
        count += usize::from(call.map_err(text)?.map_err(text)?);
    }
    same("how many did it", &count, &1)?;
    same("current", &port.current(&show).await.map_err(text)?, &None)
}

async fn race<P: Publishing + 'static>(port: Arc<P>) -> Result<(), String> {
    let show = asset("show")?;
    let mut jobs = JoinSet::new();
    for _ in 0..RACERS {
        let (port, show) = (Arc::clone(&port), show.clone());
        jobs.spawn(async move {
            let revision = port.begin(&show).await?;
            tokio::task::yield_now().await;
            port.publish(&show, &revision).await.map(|_| revision)
        });
    }
    let mut numbers = Vec::new();
    while let Some(job) = jobs.join_next().await {
        numbers.push(number(&job.map_err(text)?.map_err(text)?)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    same("distinct numbers", &numbers.len(), &RACERS)?;
    let newest = numbers.last().map(|number| Revision::counted(*number));
    same("current", &port.current(&show).await.map_err(text)?, &newest)
}

fn asset(name: &str) -> Result<AssetName, String> {
    name.parse().map_err(text)
}

fn number(revision: &Revision) -> Result<u64, String> {
    revision.as_str().parse().map_err(|_| format!("expected a counted revision, found {revision}"))
}

const RACERS: usize = 16;
