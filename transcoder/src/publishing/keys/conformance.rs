//! What every implementation of [`StreamKeys`] must do. Implementations run it in their own tests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{
    Admission, Fingerprint, KeyRefusal, KeyState, Label, MAX_LIFETIME, NewKey, StreamKey, StreamKeyId,
    StreamKeys, StreamSecret,
};
use crate::Error;
use crate::publishing::rules::{refusal, rule, same, stream, text};

pub use crate::publishing::rules::Step;

/// Two ways to one and the same set of keys, as two processes have them, and a hand on its clock.
pub struct Stage {
    /// The ways.
    pub both: [Arc<dyn StreamKeys>; 2],
    /// The hand. It may move the points in time of keys that are there, all by the same.
    pub step: Step,
}

/// Runs the suite; `fresh` gives a stage without keys. Needs a tokio runtime.
///
/// # Errors
/// The first rule that does not hold, with what was expected and found.
pub async fn run(fresh: impl AsyncFn() -> Stage) -> Result<(), String> {
    rule("a_key_is_what_it_was_made_as", made(fresh().await)).await?;
    rule("keys_are_numbered_upwards", numbered(fresh().await)).await?;
    rule("a_secret_belongs_to_one_key", unique(fresh().await)).await?;
    rule("a_secret_admits_to_the_stream_of_its_key", admitted(fresh().await)).await?;
    rule("a_revoked_key_admits_nobody_any_more", revoked(fresh().await)).await?;
    rule("a_key_admits_until_its_time_is_over", expired(fresh().await)).await?;
    rule("a_key_is_replaced_without_a_gap", replaced(fresh().await)).await?;
    rule("a_use_is_noted_once_a_minute", noted(fresh().await)).await?;
    rule("who_is_refused_changes_nothing", unnoted(fresh().await)).await?;
    rule("keys_are_listed_by_their_numbers", listed(fresh().await)).await?;
    rule("a_key_that_was_never_made_is_refused", unknown(fresh().await)).await?;
    rule("what_is_out_of_range_is_refused", ranges(fresh().await)).await?;
    rule("racing_processes_agree", race(fresh().await)).await
}

async fn made(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let label: Label = "Ana's laptop, left".parse()?;
    for (number, label, lifetime) in
        [(1, Some(label), Some(HOUR)), (2, None, None), (3, None, Some(MAX_LIFETIME))]
    {
        let new = NewKey { stream: stream("show")?, label, lifetime };
        let key = one.create(&secret(number), &new).await.map_err(text)?;
        let lifetime = lifetime.map(|lifetime| lifetime.as_millis());
        let expected = StreamKey {
            id: key.id,
            stream: new.stream,
            label: new.label,
            state: KeyState::Active,
            created_ms: key.created_ms,
            expires_ms: key.expires_ms,
            revoked_ms: None,
            used_ms: None,
        };
        same("the key", &key, &expected)?;
        let life = key.expires_ms.map(|expires| u128::from(expires.abs_diff(key.created_ms)));
        same("its lifetime", &life, &lifetime)?;
        same("its place in the list", &other.list(None, None, 9).await.map_err(text)?.last(), &Some(&key))?;
    }
    Ok(())
}

async fn numbered(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let mut last = StreamKeyId(0);
    // More than nine, so that an order by text instead of by number is found out.
    for number in 0..12 {
        let port = if number % 2 == 0 { &one } else { &other };
        let key = make(&**port, number, "show").await?;
        same("a number above the last", &(key.id > last), &true)?;
        same("a revocation", &port.revoke(key.id).await.map_err(text)?, &true)?;
        last = key.id;
    }
    Ok(())
}

async fn unique(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let key = make(&*one, 1, "show").await?;
    for name in ["show", "other"] {
        refusal("the same secret", &other.create(&secret(1), &new(name)?).await)?;
    }
    same("a revocation", &one.revoke(key.id).await.map_err(text)?, &true)?;
    refusal("the secret of a revoked key", &other.create(&secret(1), &new("show")?).await)?;
    same("the keys", &one.list(None, None, 9).await.map_err(text)?.len(), &1)
}

async fn admitted(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    same("before the first", &one.admit(&secret(1)).await.map_err(text)?, &UNKNOWN)?;
    // SQL that compares names without regard to case would take two of these for one.
    for (number, name) in [(1, "show"), (2, "Show"), (3, "show"), (4, "other")] {
        let key = make(&*one, number, name).await?;
        let expected = Admission::Admitted { stream: stream(name)?, key: key.id };
        for port in [&one, &other, &one] {
            same("who is admitted", &port.admit(&secret(number)).await.map_err(text)?, &expected)?;
        }
    }
    same("with another secret", &other.admit(&secret(5)).await.map_err(text)?, &UNKNOWN)
}

async fn revoked(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let short = NewKey { lifetime: Some(HOUR), ..new("show")? };
    let key = one.create(&secret(1), &short).await.map_err(text)?;
    let stays = make(&*one, 2, "show").await?;
    for expected in [true, false, false] {
        same("who revoked it", &other.revoke(key.id).await.map_err(text)?, &expected)?;
    }
    let refused = Admission::Refused(KeyRefusal::Revoked(key.id));
    for port in [&one, &other] {
        same("who is admitted", &port.admit(&secret(1)).await.map_err(text)?, &refused)?;
    }
    let admitted = Admission::Admitted { stream: stays.stream, key: stays.id };
    same("who else is admitted", &one.admit(&secret(2)).await.map_err(text)?, &admitted)?;
    // Whatever else is true of it, it was revoked.
    step(2 * HOUR_MS).await;
    same("who is admitted later", &one.admit(&secret(1)).await.map_err(text)?, &refused)?;
    let listed = one.list(None, None, 1).await.map_err(text)?.pop().ok_or("expected a key, found none")?;
    same("its state", &(listed.state, listed.revoked_ms.is_some()), &(KeyState::Revoked, true))
}

async fn expired(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let key = one.create(&secret(1), &NewKey { lifetime: Some(HOUR), ..new("show")? }).await.map_err(text)?;
    make(&*one, 2, "show").await?;
    let state = async || other.list(None, None, 1).await.map(|keys| keys.first().map(|key| key.state));
    let admitted = Admission::Admitted { stream: key.stream, key: key.id };
    step(HOUR_MS / 2).await;
    same("half way", &other.admit(&secret(1)).await.map_err(text)?, &admitted)?;
    same("its state", &state().await.map_err(text)?, &Some(KeyState::Active))?;
    step(HOUR_MS / 2).await;
    let refused = Admission::Refused(KeyRefusal::Expired(key.id));
    for port in [&one, &other] {
        same("afterwards", &port.admit(&secret(1)).await.map_err(text)?, &refused)?;
    }
    same("its state", &state().await.map_err(text)?, &Some(KeyState::Expired))?;
    step(i64::try_from(MAX_LIFETIME.as_millis()).map_err(text)?).await;
    let found = one.admit(&secret(2)).await.map_err(text)?;
    same("one without an end", &matches!(found, Admission::Admitted { .. }), &true)
}

async fn replaced(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let former = make(&*one, 1, "show").await?;
    let next = make(&*other, 2, "show").await?;
    for (number, key) in [(1, former.id), (2, next.id)] {
        let expected = Admission::Admitted { stream: stream("show")?, key };
        same("both at once", &one.admit(&secret(number)).await.map_err(text)?, &expected)?;
    }
    same("a revocation", &one.revoke(former.id).await.map_err(text)?, &true)?;
    let expected = Admission::Admitted { stream: stream("show")?, key: next.id };
    same("the next", &other.admit(&secret(2)).await.map_err(text)?, &expected)
}

async fn noted(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    make(&*one, 1, "show").await?;
    // Its age, since the hand on the clock may move it with all others.
    let used = async || {
        let key = one.list(None, None, 1).await.map_err(text)?.pop().ok_or("expected a key, found none")?;
        Ok::<_, String>(key.used_ms.map(|used| used - key.created_ms))
    };
    same("before the first", &used().await?, &None)?;
    other.admit(&secret(1)).await.map_err(text)?;
    let first = used().await?;
    same("whether the first is noted", &first.is_some(), &true)?;
    // The time that passes by itself leaves room on both sides.
    for (by, is_noted) in [(0, false), (30_000, false), (30_000, true), (30_000, false), (600_000, true)] {
        step(by).await;
        let before = used().await?;
        other.admit(&secret(1)).await.map_err(text)?;
        let after = used().await?;
        same("whether it is noted", &(before != after), &is_noted)?;
        same("its order", &(before <= after), &true)?;
    }
    // A clock that was set back is no reason to note nothing until it has caught up.
    step(-HOUR_MS).await;
    let before = used().await?;
    other.admit(&secret(1)).await.map_err(text)?;
    same("whether the earlier is noted", &(used().await? < before), &true)
}

async fn unnoted(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let ended = make(&*one, 1, "show").await?;
    one.create(&secret(2), &NewKey { lifetime: Some(HOUR), ..new("show")? }).await.map_err(text)?;
    one.revoke(ended.id).await.map_err(text)?;
    step(2 * HOUR_MS).await;
    let before = one.list(None, None, 9).await.map_err(text)?;
    for number in [1, 2, 3] {
        let found = other.admit(&secret(number)).await.map_err(text)?;
        same("a refusal", &matches!(found, Admission::Refused(_)), &true)?;
    }
    same("the keys", &one.list(None, None, 9).await.map_err(text)?, &before)
}

async fn listed(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    same("before the first", &one.list(None, None, 9).await.map_err(text)?, &Vec::new())?;
    let mut keys = Vec::new();
    for (number, name) in (0..).zip(["b", "a", "b", "B", "a", "b", "c", "b", "b", "a", "b", "b"]) {
        keys.push(make(&*one, number, name).await?);
    }
    for of in [None, Some("a"), Some("b"), Some("B"), Some("nobody")] {
        let of = of.map(stream).transpose()?;
        let of_it: Vec<_> =
            keys.iter().filter(|key| of.as_ref().is_none_or(|of| key.stream == *of)).cloned().collect();
        for limit in [0_u8, 1, 3, 200] {
            let after_each = [None].into_iter().chain(keys.iter().map(|key| Some(key.id)));
            for after in after_each {
                let rest = of_it.iter().filter(|key| after < Some(key.id));
                let expected: Vec<_> = rest.take(limit.into()).cloned().collect();
                let found = other.list(of.as_ref(), after, limit.into()).await.map_err(text)?;
                same("the keys", &found, &expected)?;
            }
        }
    }
    same(
        "after the last",
        &other.list(None, Some(StreamKeyId(u64::MAX)), 9).await.map_err(text)?,
        &Vec::new(),
    )
}

async fn unknown(Stage { both: [one, _], .. }: Stage) -> Result<(), String> {
    refusal("before the first", &one.revoke(StreamKeyId(1)).await)?;
    let key = make(&*one, 1, "show").await?;
    for number in [0, key.id.0 + 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        refusal("a revocation", &one.revoke(StreamKeyId(number)).await)?;
    }
    same("nothing changed", &one.list(None, None, 9).await.map_err(text)?, &vec![key])
}

async fn ranges(Stage { both: [one, _], .. }: Stage) -> Result<(), String> {
    for lifetime in [
        Duration::ZERO,
        Duration::from_nanos(999_999),
        MAX_LIFETIME + Duration::from_millis(1),
        Duration::MAX,
    ] {
        let new = NewKey { lifetime: Some(lifetime), ..new("show")? };
        refusal("a lifetime", &one.create(&secret(1), &new).await)?;
    }
    same("the keys", &one.list(None, None, u32::MAX).await.map_err(text)?, &Vec::new())?;
    same("who is admitted", &one.admit(&secret(1)).await.map_err(text)?, &UNKNOWN)
}

async fn race(Stage { both, .. }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    let made = all(&both, |port, racer| {
        let new = NewKey { stream: show.clone(), label: None, lifetime: None };
        async move { port.create(&secret(racer), &new).await }
    });
    let mut ids: Vec<_> = made.await?.into_iter().map(|key| key.id).collect();
    ids.sort_unstable();
    ids.dedup();
    same("distinct numbers", &ids.len(), &usize::from(RACERS))?;

    let admitted = all(&both, |port, _| async move { port.admit(&secret(0)).await }).await?;
    let [port, _] = &both;
    let key = port.list(None, None, u32::MAX).await.map_err(text)?;
    let used: Vec<_> = key.iter().filter(|key| key.used_ms.is_some()).map(|key| key.id).collect();
    let [used] = used[..] else { return Err(format!("expected one key that was used, found {used:?}")) };
    let expected = Admission::Admitted { stream: show.clone(), key: used };
    admitted.iter().try_for_each(|found| same("who is admitted", found, &expected))?;

    let revoked = all(&both, |port, _| async move { port.revoke(used).await }).await?;
    same("who revoked it", &revoked.into_iter().filter(|revoked| *revoked).count(), &1)?;
    let found = port.admit(&secret(0)).await.map_err(text)?;
    same("who is admitted", &found, &Admission::Refused(KeyRefusal::Revoked(used)))
}

/// Has all racers do one thing, each by its own way.
async fn all<T: Send + 'static, F>(
    both: &[Arc<dyn StreamKeys>; 2],
    racer: impl Fn(Arc<dyn StreamKeys>, u8) -> F,
) -> Result<Vec<T>, String>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
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

async fn make(port: &dyn StreamKeys, number: u8, name: &str) -> Result<StreamKey, String> {
    port.create(&secret(number), &new(name)?).await.map_err(text)
}

fn new(name: &str) -> Result<NewKey, String> {
    Ok(NewKey { stream: stream(name)?, label: None, lifetime: None })
}

fn secret(number: u8) -> Fingerprint {
    StreamSecret::of([number; 20]).fingerprint()
}

const UNKNOWN: Admission = Admission::Refused(KeyRefusal::Unknown);
const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: i64 = 3_600_000;
const RACERS: u8 = 16;
