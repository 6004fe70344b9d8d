//! What is written.

use packager::asset::ShowId;

use super::{Checked, SHOW, Stage, TTL, TTL_MS, claim, claim_of, same, seen, stream, worker};
use crate::catalog::{Recording, Span};

pub(super) async fn committed(Stage { both: [one, other], .. }: Stage) -> Checked {
    let tenure = claim(&one, "ours").await?;
    for (commit, expected) in
        [(0, 0), (9, 9), (10, 10), (9, 10), (10, 10), (i64::MAX as u64, i64::MAX as u64)]
    {
        same("a commit", other.commit(&tenure, commit).await?, true)?;
        same("what is written", seen(&one).await?.until, expected)?;
        same("what is kept", seen(&one).await?.first, 0)?;
    }
    same("a seal", one.seal(&tenure, 3).await?, true)?;
    same("what is written", seen(&one).await?.until, i64::MAX as u64)
}

pub(super) async fn fenced(Stage { both: [one, other], step }: Stage) -> Checked {
    let first = claim(&one, "ours").await?;
    same("a commit", one.commit(&first, 2).await?, true)?;
    step(TTL_MS).await;
    let second = claim(&other, "theirs").await?;
    same("where it goes on", second.from, 2)?;
    let before = seen(&one).await?;
    for until in [1, 2, 3] {
        same("a lost commit", one.commit(&first, until).await?, false)?;
        same("a lost seal", one.seal(&first, until).await?, false)?;
    }
    same("a lost renewal", one.renew(&first, TTL).await?, false)?;
    same("a lost release", one.release(&first).await?, false)?;
    same("nothing changed", seen(&one).await?, before)?;
    same("a commit", other.commit(&second, 3).await?, true)
}

pub(super) async fn spans(Stage { both: [one, other], .. }: Stage) -> Checked {
    let mut expected = Vec::new();
    let mut until = 0;
    // How many pages each of them writes; more than nine, so that an order by text is found out.
    for pages in [2, 0, 0, 3, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0] {
        let tenure = other.claim(&stream("show"), SHOW, &worker("ours"), TTL, 7).await?;
        let Some(tenure) = tenure else { return same("a claim", false, true) };
        // The first one says where the recording begins.
        until = if expected.is_empty() { 7 } else { until };
        same("where it goes on", tenure.from, until)?;
        same("who wrote what", seen(&one).await?.spans, expected.clone())?;
        if pages > 0 {
            expected.push(Span { fence: tenure.fence, from: until });
        }
        until += pages;
        same("a commit", other.commit(&tenure, until).await?, true)?;
        same("who wrote what", seen(&one).await?.spans, expected.clone())?;
        same("a release", one.release(&tenure).await?, true)?;
    }
    let order = expected.windows(2).all(|pair| pair[0].fence < pair[1].fence);
    same("fences that ascend", order, true)?;
    // What is not kept any more is still told.
    same("what is kept", one.expire(&stream("show"), SHOW, 10).await?, Some(10))?;
    same("who wrote what", one.list(None, 9).await?, vec![seen(&one).await?])?;
    same("who wrote what", seen(&other).await?.spans, expected)
}

pub(super) async fn sealed(Stage { both: [one, other], step }: Stage) -> Checked {
    let former = claim(&one, "ours").await?;
    let tenure = claim(&one, "ours").await?;
    same("a commit", one.commit(&tenure, 2).await?, true)?;
    same("a seal", one.seal(&tenure, 4).await?, true)?;
    let before = seen(&one).await?;
    same("what is sealed", (before.until, before.sealed, before.is_held), (4, true, false))?;
    for (until, expected) in [(4, true), (3, true), (5, false)] {
        same("a seal again", other.seal(&tenure, until).await?, expected)?;
        same("the former's seal", other.seal(&former, until).await?, false)?;
    }
    same("a commit", one.commit(&tenure, 4).await?, false)?;
    same("a renewal", one.renew(&tenure, TTL).await?, false)?;
    same("a release", one.release(&tenure).await?, false)?;
    for holder in ["ours", "theirs"] {
        same("a claim", other.claim(&stream("show"), SHOW, &worker(holder), TTL, 0).await?, None)?;
    }
    same("nothing changed", seen(&other).await?, before)?;
    same("what is alone", other.unattended(9).await?, Vec::new())?;
    step(3 * TTL_MS).await;
    same("a claim", other.claim(&stream("show"), SHOW, &worker("theirs"), TTL, 0).await?, None)
}

pub(super) async fn listed(Stage { both: [one, other], .. }: Stage) -> Checked {
    let mut expected = Vec::new();
    // In the order of bytes and of numbers.
    for (name, show) in
        [("B", 3), ("a", 2), ("a", 10), ("a", i64::MAX as u64), ("a-b", 1), ("a_b", 1), ("b", 1)]
    {
        expected.push((stream(name), ShowId(show)));
    }
    for (name, show) in expected.iter().rev() {
        for _ in 0..2 {
            let tenure = claim_of(&one, name.as_str(), show.0, "ours").await?;
            same("a commit", one.commit(&tenure, tenure.from + 2).await?, true)?;
        }
    }
    let keys = |list: &[Recording]| list.iter().map(|one| (one.stream.clone(), one.show)).collect::<Vec<_>>();
    let whole = other.list(None, 100).await?;
    same("the list", keys(&whole), expected.clone())?;
    for recording in &whole {
        same("its spans", recording.spans.len(), 2)?;
        let alone = other.recording(&recording.stream, recording.show).await?;
        same("the recording", alone.as_ref(), Some(recording))?;
    }
    for limit in 0..=8 {
        let start = expected.iter().take(limit as usize).cloned().collect();
        same("the start", keys(&other.list(None, limit).await?), start)?;
    }
    for (place, (name, show)) in expected.iter().enumerate() {
        let rest = expected.iter().skip(place + 1).take(3).cloned().collect();
        same("what comes after", keys(&other.list(Some((name, *show)), 3).await?), rest)?;
    }
    // Also after what is not there.
    let after = other.list(Some((&stream("a"), ShowId(3))), 2).await?;
    same("what comes after", keys(&after), expected[2..4].to_vec())?;
    let after = other.list(Some((&stream("a"), ShowId(u64::MAX))), 1).await?;
    same("what comes after", keys(&after), expected[4..5].to_vec())
}

pub(super) async fn unattended(Stage { both: [one, other], step }: Stage) -> Checked {
    same("before the first", one.unattended(9).await?, Vec::new())?;
    let mut tenures = Vec::new();
    for name in ["c", "a", "d", "b"] {
        let tenure = claim_of(&one, name, 1, "ours").await?;
        same("a commit", one.commit(&tenure, 1).await?, true)?;
        tenures.push(tenure);
        step(1000).await;
    }
    let names = async |limit| -> Result<String, super::Fault> {
        Ok(other.unattended(limit).await?.iter().map(|one| one.stream.as_str()).collect())
    };
    let [c, a, d, b] = &tenures[..] else { return Ok(()) };
    same("what is alone", names(9).await?, String::new())?;
    same("a release", one.release(c).await?, true)?;
    same("what is alone", names(9).await?, "c".to_owned())?;
    step(TTL_MS).await;
    same("what is alone", names(9).await?, "adbc".to_owned())?;
    for (limit, expected) in [(0, ""), (1, "a"), (3, "adb")] {
        same("the start", names(limit).await?, expected.to_owned())?;
    }
    // What changes no page makes nothing younger.
    same("a commit of nothing", one.commit(a, 1).await?, true)?;
    same("what is kept", one.expire(&stream("a"), SHOW, 1).await?, Some(1))?;
    same("what is alone", names(9).await?, "adbc".to_owned())?;
    same("a commit", one.commit(a, 2).await?, true)?;
    step(1000).await;
    same("what is alone", names(9).await?, "dbca".to_owned())?;
    same("a renewal", one.renew(d, TTL).await?, true)?;
    same("what is alone", names(9).await?, "bca".to_owned())?;
    same("a seal", one.seal(b, 1).await?, true)?;
    same("what is alone", names(9).await?, "ca".to_owned())?;
    same("a release", one.release(d).await?, true)?;
    same("what is alone", names(9).await?, "cad".to_owned())?;
    let claimed = claim_of(&one, "c", 1, "theirs").await?;
    same("what is alone", names(9).await?, "ad".to_owned())?;
    let whole = other.unattended(9).await?;
    same("its spans", whole.iter().map(|one| one.spans.len()).collect(), vec![1, 1])?;
    same("a seal", one.seal(&claimed, claimed.from).await?, true)
}
