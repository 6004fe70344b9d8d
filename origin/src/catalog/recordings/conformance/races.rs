//! What holds whoever comes first.

use std::future::Future;
use std::sync::Arc;

use packager::asset::ShowId;
use tokio::task::JoinSet;

use super::{
    Checked, Fault, RACERS, RecordingError, Recordings, Stage, TTL, TTL_MS, Tenure, asset, claim_of,
    revision, same, stream, worker,
};

pub(super) async fn claims(Stage { both, step }: Stage) -> Checked {
    let [port, _] = &both;
    let mut last = 0;
    // What nobody had, what is over, what was released.
    for round in 0..6 {
        let claimed = all(&both, |port, racer| async move {
            port.claim(&stream("show"), ShowId(1), &worker(&format!("w{racer}")), TTL, 0).await
        });
        let claimed: Vec<Tenure> = claimed.await?.into_iter().flatten().collect();
        let [tenure] = &claimed[..] else {
            return Err(Fault(format!("expected one tenure, found {claimed:?}")));
        };
        same("a higher fence", tenure.fence > last, true)?;
        same("its commit", port.commit(tenure, round).await?, true)?;
        last = tenure.fence;
        match round % 2 {
            0 => step(TTL_MS).await,
            _ => same("a release", port.release(tenure).await?, true)?,
        }
    }
    Ok(())
}

/// A holder that was away for too long goes on writing while others claim its show.
pub(super) async fn commits(Stage { both, step }: Stage) -> Checked {
    let [port, _] = &both;
    for round in 1..=ROUNDS {
        let former = claim_of(port, "show", round, "former").await?;
        step(TTL_MS).await;
        let ways = both.clone();
        let writing = tokio::spawn(async move {
            let mut told = Vec::new();
            for (until, port) in (1..=20).zip(ways.iter().cycle()) {
                told.push(port.commit(&former, until).await?);
                tokio::task::yield_now().await;
            }
            Ok::<_, RecordingError>(told)
        });
        let claimed = all(&both, |port, racer| async move {
            port.claim(&stream("show"), ShowId(round), &worker(&format!("w{racer}")), TTL, 0).await
        });
        let claimed: Vec<Tenure> = claimed.await?.into_iter().flatten().collect();
        let told = writing.await??;
        let [next] = &claimed[..] else {
            return Err(Fault(format!("expected one tenure, found {claimed:?}")));
        };
        let committed = told.iter().take_while(|is_written| **is_written).count();
        same("where the next one goes on", next.from, committed as u64)?;
        same("what came too late", told.iter().skip(committed).any(|is_written| *is_written), false)?;
        let recording = port.recording(&next.stream, next.show).await?;
        same("what is written", recording.map(|recording| recording.until), Some(next.from))?;
    }
    Ok(())
}

/// The holder wakes up at the end of the show, when others claim it.
pub(super) async fn seals(Stage { both, step }: Stage) -> Checked {
    let [port, other] = &both;
    for round in 1..=ROUNDS {
        let former = claim_of(port, "show", round, "former").await?;
        step(TTL_MS).await;
        let (way, tenure) = (Arc::clone(other), former.clone());
        let sealing = tokio::spawn(async move { way.seal(&tenure, 5).await });
        let claimed = all(&both, |port, racer| async move {
            port.claim(&stream("show"), ShowId(round), &worker(&format!("w{racer}")), TTL, 0).await
        });
        let claimed: Vec<Tenure> = claimed.await?.into_iter().flatten().collect();
        let is_sealed = sealing.await??;
        same("who claimed it", claimed.len(), usize::from(!is_sealed))?;
        let recording = port.recording(&former.stream, former.show).await?;
        let expected = if is_sealed { 5 } else { 0 };
        let found = recording.map(|recording| (recording.sealed, recording.is_held, recording.until));
        same("the recording", found, Some((is_sealed, !is_sealed, expected)))?;
    }
    Ok(())
}

/// Each page is wanted by some and given up by others.
pub(super) async fn holds(Stage { both, .. }: Stage) -> Checked {
    let [port, _] = &both;
    let tenure = claim_of(port, "show", 1, "ours").await?;
    same("a commit", port.commit(&tenure, ROUNDS + 1).await?, true)?;
    for page in 0..ROUNDS {
        let used = all(&both, |port, racer| async move {
            // Either kind comes first once in a while.
            match (racer as u64 + page) % 2 {
                0 => {
                    let clip = asset(&format!("clip{racer}"));
                    port.hold_for(&clip, &revision(1), &stream("show"), ShowId(1), page, page).await.map(Some)
                }
                _ => port.expire(&stream("show"), ShowId(1), page + 1).await.map(|_| None),
            }
        });
        let used: Vec<bool> = used.await?.into_iter().flatten().collect();
        let is_used = used.iter().any(|is_used| *is_used);
        // Once it is used it stays, and once it is expired it is gone.
        same("what the others were told", used.iter().all(|told| *told == is_used), true)?;
        let kept = port.expire(&stream("show"), ShowId(1), page + 1).await?;
        same("what is kept", kept, Some(if is_used { page } else { page + 1 }))?;
        let uses = port.uses(&stream("show"), ShowId(1)).await?;
        same("the uses", uses.len(), used.iter().filter(|is_used| **is_used).count())?;
        for one in uses {
            same("how many", port.let_go(&one.asset, None).await?, 1)?;
        }
        same("what is kept", port.expire(&stream("show"), ShowId(1), page + 1).await?, Some(page + 1))?;
    }
    Ok(())
}

/// Has all racers do one thing, each by its own way.
async fn all<T: Send + 'static, F>(
    both: &[Arc<dyn Recordings>; 2],
    racer: impl Fn(Arc<dyn Recordings>, usize) -> F,
) -> Result<Vec<T>, Fault>
where
    F: Future<Output = Result<T, RecordingError>> + Send + 'static,
{
    let mut racers = JoinSet::new();
    // Two of a kind after each other, so that either kind goes either way.
    for number in 0..RACERS {
        let port = &both[number / 2 % 2];
        racers.spawn(racer(Arc::clone(port), number));
    }
    let mut results = Vec::new();
    while let Some(result) = racers.join_next().await {
        results.push(result??);
    }
    Ok(results)
}

const ROUNDS: u64 = 12;
