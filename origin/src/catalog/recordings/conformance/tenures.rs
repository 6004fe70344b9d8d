//! Who has a show.

use std::time::Duration;

use packager::asset::ShowId;
use transcoder::publishing::{MAX_TTL, MIN_TTL};

use super::{
    Checked, Fault, Recording, SHOW, Stage, TTL, TTL_MS, Tenure, claim, claim_of, refusal, same, seen,
    stream, worker,
};

pub(super) async fn asked(Stage { both: [one, other], .. }: Stage) -> Checked {
    let show = stream("show");
    same("before the first", one.recording(&show, SHOW).await?, None)?;
    same("before the first", one.list(None, 9).await?, Vec::new())?;
    for (number, from) in [(1, 0), (2, 7), (i64::MAX as u64, i64::MAX as u64)] {
        let id = ShowId(number);
        let tenure = one.claim(&show, id, &worker("w-1.example"), TTL, from).await?;
        let fence = tenure.as_ref().map_or(0, |tenure| tenure.fence);
        same("a fence", fence > 0, true)?;
        same("the tenure", tenure, Some(Tenure { stream: show.clone(), show: id, fence, from }))?;
        let recording = other.recording(&show, id).await?;
        let changed_ms = recording.as_ref().map_or(0, |recording| recording.changed_ms);
        let expected = Recording {
            stream: show.clone(),
            show: id,
            spans: Vec::new(),
            first: from,
            until: from,
            sealed: false,
            changed_ms,
            is_held: true,
        };
        same("the recording", recording, Some(expected))?;
    }
    Ok(())
}

pub(super) async fn upwards(Stage { both: [one, other], step }: Stage) -> Checked {
    let mut last = 0;
    // More than nine, so that an order by text instead of by number is found out.
    for round in 0..12 {
        let first = claim(&one, "ours").await?;
        // The same one, by another connection.
        let again = claim(&other, "ours").await?;
        same("fences that go up", last < first.fence && first.fence < again.fence, true)?;
        match round % 2 {
            0 => same("a release", one.release(&again).await?, true)?,
            _ => step(TTL_MS).await,
        }
        let next = claim(&other, "theirs").await?;
        same("a fence that goes up", next.fence > again.fence, true)?;
        same("a release", other.release(&next).await?, true)?;
        last = next.fence;
    }
    Ok(())
}

pub(super) async fn claimed(Stage { both: [one, other], step }: Stage) -> Checked {
    let tenure = claim(&one, "ours").await?;
    let before = seen(&one).await?;
    for port in [&one, &other] {
        same("a claim", port.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 9).await?, None)?;
        same("the recording", seen(port).await?, before.clone())?;
    }
    step(TTL_MS / 2).await;
    same("half way", other.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 0).await?, None)?;
    same("whether it is held", seen(&other).await?.is_held, true)?;
    same("a commit", one.commit(&tenure, 1).await?, true)
}

pub(super) async fn again(Stage { both: [one, other], .. }: Stage) -> Checked {
    let first = claim(&one, "ours").await?;
    same("a commit", one.commit(&first, 3).await?, true)?;
    let second = claim(&other, "ours").await?;
    same("where it goes on", (second.fence > first.fence, second.from), (true, 3))?;
    same("the former's renewal", one.renew(&first, TTL).await?, false)?;
    same("the former's commit", one.commit(&first, 4).await?, false)?;
    same("the former's release", one.release(&first).await?, false)?;
    same("a renewal", other.renew(&second, TTL).await?, true)
}

pub(super) async fn over(Stage { both: [one, other], step }: Stage) -> Checked {
    let first = claim(&one, "ours").await?;
    step(TTL_MS).await;
    same("whether it is held", seen(&one).await?.is_held, false)?;
    let second = claim(&other, "theirs").await?;
    same("a higher fence", second.fence > first.fence, true)?;
    same("whether it is held", seen(&one).await?.is_held, true)?;
    same("the former's renewal", one.renew(&first, TTL).await?, false)?;
    // Its name is no right to it.
    same("a claim", one.claim(&stream("show"), SHOW, &worker("ours"), TTL, 0).await?, None)
}

pub(super) async fn renewed(Stage { both: [one, other], step }: Stage) -> Checked {
    let tenure = claim(&one, "ours").await?;
    let theirs = async || other.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 0).await;
    for round in 0..4 {
        step(TTL_MS / 2).await;
        let port = if round % 2 == 0 { &one } else { &other };
        same("a renewal", port.renew(&tenure, TTL).await?, true)?;
        same("whether it is held", seen(&other).await?.is_held, true)?;
        same("a claim", theirs().await?, None)?;
    }
    // From now on, not from its end on.
    same("a shorter time", one.renew(&tenure, TTL / 10).await?, true)?;
    step(TTL_MS / 2).await;
    same("a claim", theirs().await?.is_some(), true)
}

pub(super) async fn late(Stage { both: [one, other], step }: Stage) -> Checked {
    let tenure = claim(&one, "ours").await?;
    step(3 * TTL_MS).await;
    same("a commit", one.commit(&tenure, 2).await?, true)?;
    same("whether it is held", seen(&other).await?.is_held, false)?;
    same("a renewal", other.renew(&tenure, TTL).await?, true)?;
    same("whether it is held", seen(&other).await?.is_held, true)?;
    step(3 * TTL_MS).await;
    same("a seal", one.seal(&tenure, 3).await?, true)
}

pub(super) async fn released(Stage { both: [one, other], .. }: Stage) -> Checked {
    let first = claim(&one, "ours").await?;
    for expected in [true, false, false] {
        same("who released it", other.release(&first).await?, expected)?;
    }
    let lost = async || {
        same("a renewal", one.renew(&first, TTL).await?, false)?;
        same("a commit", one.commit(&first, 1).await?, false)?;
        same("a seal", one.seal(&first, 0).await?, false)
    };
    lost().await?;
    same("whether it is held", seen(&one).await?.is_held, false)?;
    let second = claim(&other, "theirs").await?;
    same("a higher fence", second.fence > first.fence, true)?;
    lost().await?;
    same("a release", one.release(&first).await?, false)?;
    same("a renewal", other.renew(&second, TTL).await?, true)
}

pub(super) async fn set_back(Stage { both: [one, other], step }: Stage) -> Checked {
    let first = claim(&one, "ours").await?;
    // A little is nothing.
    step(-TTL_MS / 2).await;
    same("a claim", other.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 0).await?, None)?;
    step(-100 * TTL_MS).await;
    same("whether it is held", seen(&one).await?.is_held, false)?;
    same("what is alone", other.unattended(9).await?, vec![seen(&one).await?])?;
    same("a renewal", one.renew(&first, TTL).await?, true)?;
    same("a claim", other.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 0).await?, None)?;
    step(-100 * TTL_MS).await;
    same("a higher fence", claim(&other, "theirs").await?.fence > first.fence, true)
}

pub(super) async fn apart(Stage { both: [one, _], .. }: Stage) -> Checked {
    // SQL that compares names without regard to case would take two of these for one.
    let keys = [("show", 1), ("Show", 1), ("show", 2), ("show", 12)];
    let mut tenures = Vec::new();
    for ((name, show), until) in keys.into_iter().zip(1..) {
        let tenure = claim_of(&one, name, show, &format!("w{show}")).await?;
        same("a commit", one.commit(&tenure, until).await?, true)?;
        tenures.push(tenure);
    }
    let [first, ..] = &tenures[..] else { return Ok(()) };
    same("a seal", one.seal(first, 9).await?, true)?;
    for (tenure, until) in tenures.iter().zip([9, 2, 3, 4]) {
        let recording = one.recording(&tenure.stream, tenure.show).await?;
        let found = recording.map(|recording| (recording.until, recording.sealed));
        same("the recording", found, Some((until, until == 9)))?;
    }
    Ok(())
}

pub(super) async fn unknown(Stage { both: [one, _], .. }: Stage) -> Checked {
    let tenure = claim(&one, "ours").await?;
    same("a commit", one.commit(&tenure, 4).await?, true)?;
    let before = seen(&one).await?;
    let fences = [0, tenure.fence + 1, i64::MAX as u64, u64::MAX];
    let forged = fences.map(|fence| Tenure { fence, ..tenure.clone() });
    let others = [2, 0, u64::MAX].map(|show| Tenure { show: ShowId(show), ..tenure.clone() });
    let nobodys = Tenure { stream: stream("nobody"), ..tenure.clone() };
    for tenure in forged.into_iter().chain(others).chain([nobodys]) {
        same("a renewal", one.renew(&tenure, TTL).await?, false)?;
        same("a commit", one.commit(&tenure, 5).await?, false)?;
        same("a seal", one.seal(&tenure, 4).await?, false)?;
        same("a release", one.release(&tenure).await?, false)?;
    }
    same("nothing changed", seen(&one).await?, before)?;
    for (name, show) in [("nobody", 1), ("show", 2), ("show", u64::MAX)] {
        let (name, show) = (stream(name), ShowId(show));
        same("a recording", one.recording(&name, show).await?, None)?;
        same("what is kept", one.expire(&name, show, 1).await?, None)?;
        same("whether it is forgotten", one.forget(&name, show).await?, false)?;
        same("its uses", one.uses(&name, show).await?, Vec::new())?;
    }
    Ok(())
}

pub(super) async fn ranges(Stage { both: [one, _], .. }: Stage) -> Checked {
    let (name, ours) = (stream("show"), worker("ours"));
    let tenure = claim(&one, "ours").await?;
    let before = seen(&one).await?;
    for ttl in [Duration::ZERO, MIN_TTL / 2, MAX_TTL + MIN_TTL, Duration::MAX] {
        refusal("to claim", one.claim(&name, ShowId(2), &ours, ttl, 0).await)?;
        refusal("to renew", one.renew(&tenure, ttl).await)?;
    }
    let beyond = i64::MAX as u64 + 1;
    for number in [beyond, u64::MAX] {
        refusal("to claim", one.claim(&name, ShowId(number), &ours, TTL, 0).await)?;
        refusal("to claim", one.claim(&name, ShowId(2), &ours, TTL, number).await)?;
        refusal("to commit", one.commit(&tenure, number).await)?;
        refusal("to seal", one.seal(&tenure, number).await)?;
    }
    same("nothing changed", one.list(None, 9).await?, vec![before])?;
    let Some(shortest) = one.claim(&name, ShowId(2), &ours, MIN_TTL, 0).await? else {
        return Err(Fault("the shortest time to live: expected a tenure, found none".to_owned()));
    };
    same("the longest time to live", one.renew(&shortest, MAX_TTL).await?, true)
}
