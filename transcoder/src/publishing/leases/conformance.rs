//! What every implementation of [`Leases`] must do. Implementations run it in their own tests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Fence, Lease, Leases, MAX_TTL, MIN_TTL, Renewal, WorkerName};
use crate::Error;
use crate::publishing::rules::{refusal, rule, same, stream, text};

pub use crate::publishing::rules::Step;

/// Two ways to one and the same set of leases, as two workers have them, and a hand on its clock.
pub struct Stage {
    /// The ways.
    pub both: [Arc<dyn Leases>; 2],
    /// The hand. It may move the points in time of leases that are there, all by the same.
    pub step: Step,
}

/// Runs the suite; `fresh` gives a stage without leases. Needs a tokio runtime.
///
/// # Errors
/// The first rule that does not hold, with what was expected and found.
pub async fn run(fresh: impl AsyncFn() -> Stage) -> Result<(), String> {
    rule("a_lease_is_what_was_asked_for", asked(fresh().await)).await?;
    rule("fences_go_up_for_ever", upwards(fresh().await)).await?;
    rule("a_lease_that_was_taken_is_lost", taken(fresh().await)).await?;
    rule("what_somebody_has_is_not_claimed", claimed(fresh().await)).await?;
    rule("what_is_over_is_claimed", over(fresh().await)).await?;
    rule("renewing_keeps_a_lease", renewed(fresh().await)).await?;
    rule("what_is_over_is_renewed_where_nobody_took_it", late(fresh().await)).await?;
    rule("what_is_released_is_free_and_stays_lost", released(fresh().await)).await?;
    rule("a_stale_release_changes_nothing", stale(fresh().await)).await?;
    rule("a_clock_that_is_set_back_keeps_nobody_waiting", set_back(fresh().await)).await?;
    rule("streams_do_not_know_each_other", apart(fresh().await)).await?;
    rule("a_lease_that_was_never_given_is_lost", unknown(fresh().await)).await?;
    rule("what_is_out_of_range_is_refused", ranges(fresh().await)).await?;
    rule("of_those_who_race_to_take_the_last_has_it", race_to_take(fresh().await)).await?;
    rule("of_those_who_race_to_claim_one_has_it", race_to_claim(fresh().await)).await?;
    rule("whatever_races_a_fence_has_one_owner", race_of_all(fresh().await)).await
}

async fn asked(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    same("before the first", &one.holder(&show).await.map_err(text)?, &None)?;
    for (name, ttl) in [("w-1.example", TTL), ("w-2", MAX_TTL)] {
        let lease = one.take(&show, &worker(name)?, ttl).await.map_err(text)?;
        let expected = Lease {
            stream: show.clone(),
            worker: worker(name)?,
            fence: lease.fence,
            until_ms: lease.until_ms,
        };
        same("the lease", &lease, &expected)?;
        for port in [&one, &other] {
            same("the holder", &port.holder(&show).await.map_err(text)?.as_ref(), &Some(&lease))?;
        }
    }
    Ok(())
}

async fn upwards(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let mut last = Fence(0);
    // More than nine, so that an order by text instead of by number is found out.
    for round in 0..12 {
        let first = one.take(&show, &ours, TTL).await.map_err(text)?;
        // The same worker, by another connection.
        let again = other.take(&show, &ours, TTL).await.map_err(text)?;
        let lease = other.take(&show, &theirs, TTL).await.map_err(text)?;
        let order = last < first.fence && first.fence < again.fence && again.fence < lease.fence;
        same("fences that go up", &order, &true)?;
        last = lease.fence;
        match round % 3 {
            0 => same("a release", &one.release(&lease).await.map_err(text)?, &true)?,
            1 => step(TTL_MS).await,
            _ => {}
        }
        if let Some(claimed) = one.claim(&show, &ours, TTL).await.map_err(text)? {
            same("a fence that goes up", &(claimed.fence > last), &true)?;
            last = claimed.fence;
        }
    }
    Ok(())
}

async fn taken(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    let first = one.take(&show, &worker("ours")?, TTL).await.map_err(text)?;
    // Also where it is the same worker: its former connection is over.
    for name in ["theirs", "theirs", "ours"] {
        let newest = other.take(&show, &worker(name)?, TTL).await.map_err(text)?;
        for port in [&one, &other] {
            same("the former", &port.renew(&first, TTL).await.map_err(text)?, &Renewal::Lost)?;
        }
        same("the holder", &one.holder(&show).await.map_err(text)?, &Some(newest))?;
    }
    Ok(())
}

async fn claimed(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let lease = one.claim(&show, &ours, TTL).await.map_err(text)?.ok_or("expected a lease, found none")?;
    for (port, name) in [(&other, &theirs), (&one, &theirs), (&one, &ours), (&other, &ours)] {
        same("a claim", &port.claim(&show, name, TTL).await.map_err(text)?, &None)?;
        same("the holder", &port.holder(&show).await.map_err(text)?.as_ref(), &Some(&lease))?;
    }
    let lease = other.take(&show, &theirs, TTL).await.map_err(text)?;
    same("a claim", &one.claim(&show, &ours, TTL).await.map_err(text)?, &None)?;
    same("the holder", &one.holder(&show).await.map_err(text)?, &Some(lease))
}

async fn over(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let first = one.take(&show, &ours, TTL).await.map_err(text)?;
    step(TTL_MS / 2).await;
    same("half way", &other.claim(&show, &theirs, TTL).await.map_err(text)?, &None)?;
    step(TTL_MS / 2).await;
    same("the holder", &one.holder(&show).await.map_err(text)?, &None)?;
    let second = other.claim(&show, &theirs, TTL).await.map_err(text)?;
    let second = second.ok_or("the end: expected a lease, found none")?;
    same("a higher fence", &(second.fence > first.fence), &true)?;
    same("the former", &one.renew(&first, TTL).await.map_err(text)?, &Renewal::Lost)?;
    same("the holder", &one.holder(&show).await.map_err(text)?, &Some(second))
}

async fn renewed(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let mut lease = one.take(&show, &ours, TTL).await.map_err(text)?;
    for round in 0..4 {
        step(TTL_MS / 2).await;
        let port = if round % 2 == 0 { &one } else { &other };
        let Renewal::Renewed(next) = port.renew(&lease, TTL).await.map_err(text)? else {
            return Err("expected the lease, found that it is lost".to_owned());
        };
        same("all but its end", &Lease { until_ms: lease.until_ms, ..next.clone() }, &lease)?;
        same("the holder", &other.holder(&show).await.map_err(text)?.as_ref(), &Some(&next))?;
        same("a claim", &other.claim(&show, &theirs, TTL).await.map_err(text)?, &None)?;
        lease = next;
    }
    // From now on, not from its end on.
    let Renewal::Renewed(short) = one.renew(&lease, TTL / 10).await.map_err(text)? else {
        return Err("expected the lease, found that it is lost".to_owned());
    };
    same("an earlier end", &(short.until_ms < lease.until_ms), &true)?;
    step(TTL_MS / 2).await;
    same("a claim", &other.claim(&show, &theirs, TTL).await.map_err(text)?.is_some(), &true)
}

async fn late(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours) = (stream("show")?, worker("ours")?);
    let lease = one.take(&show, &ours, TTL).await.map_err(text)?;
    step(3 * TTL_MS).await;
    let Renewal::Renewed(lease) = other.renew(&lease, TTL).await.map_err(text)? else {
        return Err("expected the lease, found that it is lost".to_owned());
    };
    same("the holder", &one.holder(&show).await.map_err(text)?, &Some(lease))
}

async fn released(Stage { both: [one, other], .. }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let first = one.take(&show, &ours, TTL).await.map_err(text)?;
    for expected in [true, false, false] {
        same("who released it", &other.release(&first).await.map_err(text)?, &expected)?;
    }
    same("the holder", &one.holder(&show).await.map_err(text)?, &None)?;
    same("what was released", &one.renew(&first, TTL).await.map_err(text)?, &Renewal::Lost)?;
    same("the holder", &one.holder(&show).await.map_err(text)?, &None)?;
    let second = other.claim(&show, &theirs, TTL).await.map_err(text)?;
    let second = second.ok_or("a claim: expected a lease, found none")?;
    same("a higher fence", &(second.fence > first.fence), &true)?;
    same("what was released", &one.renew(&first, TTL).await.map_err(text)?, &Renewal::Lost)?;
    same("the holder", &one.holder(&show).await.map_err(text)?, &Some(second))
}

async fn stale(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let first = one.take(&show, &ours, TTL).await.map_err(text)?;
    let second = other.take(&show, &theirs, TTL).await.map_err(text)?;
    // The newest fence is the only one that counts, also where the name is right.
    let forged = Lease { fence: first.fence, ..second.clone() };
    for lease in [&first, &forged] {
        same("a release", &one.release(lease).await.map_err(text)?, &false)?;
        same("the holder", &one.holder(&show).await.map_err(text)?.as_ref(), &Some(&second))?;
    }
    step(2 * TTL_MS).await;
    same("a release", &one.release(&first).await.map_err(text)?, &false)?;
    same("one that is over", &other.release(&second).await.map_err(text)?, &true)
}

async fn set_back(Stage { both: [one, other], step }: Stage) -> Result<(), String> {
    let (show, ours, theirs) = (stream("show")?, worker("ours")?, worker("theirs")?);
    let first = one.take(&show, &ours, TTL).await.map_err(text)?;
    // A little is nothing.
    step(-TTL_MS / 2).await;
    same("a claim", &other.claim(&show, &theirs, TTL).await.map_err(text)?, &None)?;
    step(-100 * TTL_MS).await;
    same("the holder", &one.holder(&show).await.map_err(text)?, &None)?;
    let Renewal::Renewed(first) = one.renew(&first, TTL).await.map_err(text)? else {
        return Err("expected the lease, found that it is lost".to_owned());
    };
    same("the holder", &other.holder(&show).await.map_err(text)?.as_ref(), &Some(&first))?;
    same("a claim", &other.claim(&show, &theirs, TTL).await.map_err(text)?, &None)?;
    step(-100 * TTL_MS).await;
    let second = other.claim(&show, &theirs, TTL).await.map_err(text)?;
    let second = second.ok_or("a claim: expected a lease, found none")?;
    same("a higher fence", &(second.fence > first.fence), &true)
}

async fn apart(Stage { both: [one, _], .. }: Stage) -> Result<(), String> {
    // SQL that compares names without regard to case would take these for one.
    let (lower, upper, ours) = (stream("show")?, stream("Show")?, worker("ours")?);
    let lease = one.take(&lower, &ours, TTL).await.map_err(text)?;
    same("the other's holder", &one.holder(&upper).await.map_err(text)?, &None)?;
    let other = one.claim(&upper, &ours, TTL).await.map_err(text)?;
    let other = other.ok_or("the other: expected a lease, found none")?;
    same("a release", &one.release(&other).await.map_err(text)?, &true)?;
    same("the holder", &one.holder(&lower).await.map_err(text)?, &Some(lease))
}

async fn unknown(Stage { both: [one, _], .. }: Stage) -> Result<(), String> {
    let (known, nobody, ours) = (stream("show")?, stream("nobody")?, worker("ours")?);
    let lease = one.take(&known, &ours, TTL).await.map_err(text)?;
    for (stream, fence) in
        [(&nobody, lease.fence.0), (&known, 0), (&known, i64::MAX as u64), (&known, u64::MAX)]
    {
        let forged = Lease { stream: stream.clone(), fence: Fence(fence), ..lease.clone() };
        same("a renewal", &one.renew(&forged, TTL).await.map_err(text)?, &Renewal::Lost)?;
        same("a release", &one.release(&forged).await.map_err(text)?, &false)?;
    }
    same("nobody's holder", &one.holder(&nobody).await.map_err(text)?, &None)?;
    same("nothing changed", &one.holder(&known).await.map_err(text)?, &Some(lease))
}

async fn ranges(Stage { both: [one, _], .. }: Stage) -> Result<(), String> {
    let (show, other, ours) = (stream("show")?, stream("other")?, worker("ours")?);
    let lease = one.take(&show, &ours, TTL).await.map_err(text)?;
    for ttl in [Duration::ZERO, MIN_TTL / 2, MAX_TTL + MIN_TTL, Duration::MAX] {
        refusal("to take", &one.take(&show, &ours, ttl).await)?;
        refusal("to claim", &one.claim(&other, &ours, ttl).await)?;
        refusal("to renew", &one.renew(&lease, ttl).await)?;
    }
    same("nothing changed", &one.holder(&show).await.map_err(text)?, &Some(lease))?;
    same("nothing claimed", &one.holder(&other).await.map_err(text)?, &None)
}

async fn race_to_take(Stage { both, .. }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    let leases = all(&both, |port, racer| {
        let show = show.clone();
        async move { port.take(&show, &racer, TTL).await }
    });
    let mut leases = leases.await?;
    leases.sort_by_key(|lease| lease.fence);
    let mut fences: Vec<_> = leases.iter().map(|lease| lease.fence).collect();
    fences.dedup();
    same("distinct fences", &fences.len(), &RACERS)?;
    let [port, _] = &both;
    let newest = leases.pop();
    same("the holder", &port.holder(&show).await.map_err(text)?, &newest)?;
    for lease in leases {
        same("an older one", &port.renew(&lease, TTL).await.map_err(text)?, &Renewal::Lost)?;
        same("its release", &port.release(&lease).await.map_err(text)?, &false)?;
    }
    same("the holder", &port.holder(&show).await.map_err(text)?, &newest)
}

async fn race_to_claim(Stage { both, step }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    let [port, _] = &both;
    let mut last = Fence(0);
    // What nobody had, what is over, what was released.
    for round in 0..3 {
        let claimed = all(&both, |port, racer| {
            let show = show.clone();
            async move { port.claim(&show, &racer, TTL).await }
        });
        let claimed: Vec<Lease> = claimed.await?.into_iter().flatten().collect();
        let [lease] = &claimed[..] else {
            return Err(format!("expected one lease, found {claimed:?}"));
        };
        same("a higher fence", &(lease.fence > last), &true)?;
        same("the holder", &port.holder(&show).await.map_err(text)?.as_ref(), &Some(lease))?;
        last = lease.fence;
        match round {
            0 => step(TTL_MS).await,
            _ => same("a release", &port.release(lease).await.map_err(text)?, &true)?,
        }
    }
    Ok(())
}

/// Each racer takes, claims, renews and releases as it likes, and says which fences it got.
async fn race_of_all(Stage { both, .. }: Stage) -> Result<(), String> {
    let show = stream("show")?;
    let owned = all(&both, |port, racer| {
        let show = show.clone();
        async move {
            let mut owned = Vec::new();
            for round in 0..4 {
                let lease = match round % 2 {
                    0 => Some(port.take(&show, &racer, TTL).await?),
                    _ => port.claim(&show, &racer, TTL).await?,
                };
                let Some(mut lease) = lease else { continue };
                owned.push(lease.fence);
                let mut is_lost = false;
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    match port.renew(&lease, TTL).await? {
                        // What is lost is not found again.
                        Renewal::Renewed(_) if is_lost => owned.push(lease.fence),
                        Renewal::Renewed(next) => lease = next,
                        Renewal::Lost => is_lost = true,
                    }
                }
                let is_released = port.release(&lease).await?;
                if is_released && is_lost {
                    owned.push(lease.fence);
                }
            }
            Ok(owned)
        }
    });
    let mut fences = owned.await?.concat();
    let count = fences.len();
    fences.sort_unstable();
    fences.dedup();
    same("fences that have one owner", &fences.len(), &count)?;
    // Each lease was released by its owner, or taken by somebody who released it.
    let [port, _] = &both;
    same("the holder", &port.holder(&show).await.map_err(text)?, &None)?;
    let next = port.take(&show, &worker("next")?, TTL).await.map_err(text)?;
    same("a higher fence", &(fences.last() < Some(&next.fence)), &true)
}

/// Has all racers do one thing, each by its own way.
async fn all<T: Send + 'static, F>(
    both: &[Arc<dyn Leases>; 2],
    racer: impl Fn(Arc<dyn Leases>, WorkerName) -> F,
) -> Result<Vec<T>, String>
where
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for (number, port) in (0..RACERS).zip(both.iter().cycle()) {
        racers.spawn(racer(Arc::clone(port), worker(&format!("w{number}"))?));
    }
    let mut results = Vec::new();
    while let Some(result) = racers.join_next().await {
        results.push(result.map_err(text)?.map_err(text)?);
    }
    Ok(results)
}

fn worker(name: &str) -> Result<WorkerName, String> {
    name.parse()
}

/// So long that what passes while the suite runs is nothing beside it.
const TTL: Duration = Duration::from_secs(600);
const TTL_MS: i64 = 600_000;
const RACERS: usize = 16;
