//! What is kept, and for whom.

use std::sync::Arc;

use packager::asset::ShowId;

use super::{
    Checked, Fault, Recordings, SHOW, Stage, TTL, Tenure, asset, claim, claim_of, revision, same, seen,
    stream, worker,
};
use crate::catalog::Use;

/// A show of so many pages.
async fn recorded(port: &Arc<dyn Recordings>, pages: u64) -> Result<Tenure, Fault> {
    let tenure = claim(port, "ours").await?;
    same("a commit", port.commit(&tenure, pages).await?, true)?;
    Ok(tenure)
}

async fn hold(
    port: &Arc<dyn Recordings>,
    name: &str,
    number: u64,
    [first, last]: [u64; 2],
) -> Result<bool, Fault> {
    Ok(port.hold_for(&asset(name), &revision(number), &stream("show"), SHOW, first, last).await?)
}

async fn expire(port: &Arc<dyn Recordings>, first: u64) -> Result<u64, Fault> {
    let kept = port.expire(&stream("show"), SHOW, first).await?;
    kept.ok_or_else(|| Fault("to expire: expected a recording, found none".to_owned()))
}

pub(super) async fn expired(Stage { both: [one, other], .. }: Stage) -> Checked {
    let tenure = recorded(&one, 10).await?;
    for (asked, kept) in [(0, 0), (3, 3), (2, 3), (9, 9), (10, 10), (11, 10), (u64::MAX, 10)] {
        same("what is kept", expire(&other, asked).await?, kept)?;
        let seen = seen(&one).await?;
        same("what is kept", (seen.first, seen.until), (kept, 10))?;
    }
    // It goes on all the same.
    same("a commit", one.commit(&tenure, 12).await?, true)?;
    same("what is kept", seen(&one).await?.first, 10)?;
    same("a seal", one.seal(&tenure, 13).await?, true)?;
    same("what is kept", expire(&other, 12).await?, 12)
}

pub(super) async fn held(Stage { both: [one, other], .. }: Stage) -> Checked {
    let tenure = recorded(&one, 10).await?;
    same("a use", hold(&one, "clip", 1, [7, 8]).await?, true)?;
    same("a use", hold(&other, "film", 1, [4, 9]).await?, true)?;
    // The same again, and another stretch of the same revision.
    same("a use", hold(&other, "clip", 1, [7, 8]).await?, true)?;
    same("a use", hold(&other, "clip", 1, [3, 3]).await?, true)?;
    same("a seal", one.seal(&tenure, 10).await?, true)?;
    let used = |name: &str, first, last| Use { asset: asset(name), revision: revision(1), first, last };
    let expected = vec![used("clip", 3, 3), used("film", 4, 9), used("clip", 7, 8)];
    same("the uses", one.uses(&stream("show"), SHOW).await?, expected)?;
    for (asked, kept) in [(2, 2), (3, 3), (4, 3), (u64::MAX, 3)] {
        same("what is kept", expire(&other, asked).await?, kept)?;
    }
    same("whether it is forgotten", one.forget(&stream("show"), SHOW).await?, false)?;
    same("how many", one.let_go(&asset("clip"), Some(&revision(1))).await?, 2)?;
    same("what is kept", expire(&other, u64::MAX).await?, 4)?;
    same("how many", other.let_go(&asset("film"), None).await?, 1)?;
    same("what is kept", expire(&one, 9).await?, 9)
}

pub(super) async fn bounds(Stage { both: [one, other], .. }: Stage) -> Checked {
    let tenure = recorded(&one, 10).await?;
    same("what is kept", expire(&one, 4).await?, 4)?;
    let beyond = i64::MAX as u64 + 1;
    // Of a show that runs, pages are still to come.
    for pages in [[9, 10], [10, 10]] {
        same("a use of what is to come", (pages, hold(&other, "soon", 1, pages).await?), (pages, true))?;
    }
    same("what is kept", expire(&one, 10).await?, 9)?;
    same("how many", one.let_go(&asset("soon"), None).await?, 2)?;
    same("a seal", one.seal(&tenure, 10).await?, true)?;
    for pages in
        [[0, 3], [3, 4], [8, 9], [0, 10], [9, 10], [10, 10], [10, 9], [9, beyond], [beyond, u64::MAX]]
    {
        same("a use of what is not there", (pages, hold(&other, "clip", 1, pages).await?), (pages, false))?;
    }
    same("the uses", one.uses(&stream("show"), SHOW).await?, Vec::new())?;
    for (name, show) in [("nobody", 1), ("show", 2), ("show", u64::MAX)] {
        let (name, show) = (stream(name), ShowId(show));
        let used = one.hold_for(&asset("clip"), &revision(1), &name, show, 5, 5).await?;
        same("a use of what is not there", used, false)?;
    }
    same("a use", hold(&other, "clip", 1, [9, 9]).await?, true)
}

pub(super) async fn ended(Stage { both: [one, other], .. }: Stage) -> Checked {
    recorded(&one, 10).await?;
    let second = claim_of(&one, "show", 2, "ours").await?;
    same("a commit", one.commit(&second, 10).await?, true)?;
    for (name, number) in [("clip", 1), ("clip", 2), ("Clip", 1), ("clip", 11)] {
        same("a use", hold(&one, name, number, [5, 5]).await?, true)?;
        let used = one.hold_for(&asset(name), &revision(number), &second.stream, second.show, 6, 6).await?;
        same("a use", used, true)?;
    }
    let left = async |show: u64| -> Result<Vec<String>, Fault> {
        let uses = other.uses(&stream("show"), ShowId(show)).await?;
        Ok(uses.iter().map(|one| format!("{}/{}", one.asset, one.revision)).collect())
    };
    same("the uses", left(1).await?, ["Clip/1", "clip/1", "clip/11", "clip/2"].map(String::from).to_vec())?;
    for expected in [2, 0] {
        same("how many", one.let_go(&asset("clip"), Some(&revision(1))).await?, expected)?;
    }
    same("how many", one.let_go(&asset("nothing"), None).await?, 0)?;
    for show in [1, 2] {
        same("the uses", left(show).await?, ["Clip/1", "clip/11", "clip/2"].map(String::from).to_vec())?;
    }
    for expected in [4, 0] {
        same("how many", one.let_go(&asset("clip"), None).await?, expected)?;
    }
    same("the uses", left(2).await?, vec!["Clip/1".to_owned()])?;
    same("what is kept", expire(&other, 9).await?, 5)
}

pub(super) async fn forgotten(Stage { both: [one, other], .. }: Stage) -> Checked {
    let show = stream("show");
    let tenure = recorded(&one, 3).await?;
    let empty = claim_of(&one, "show", 2, "ours").await?;
    same("what is kept", expire(&one, 3).await?, 3)?;
    same("what is held", one.forget(&show, SHOW).await?, false)?;
    same("a release", one.release(&empty).await?, true)?;
    same("what is not sealed", one.forget(&show, empty.show).await?, false)?;
    same("a seal", one.seal(&tenure, 4).await?, true)?;
    same("what is kept in part", one.forget(&show, SHOW).await?, false)?;
    same("the recording", seen(&other).await?.until, 4)?;
    same("what is kept", expire(&one, 4).await?, 4)?;
    for expected in [true, false] {
        same("who forgot it", other.forget(&show, SHOW).await?, expected)?;
    }
    same("the recording", one.recording(&show, SHOW).await?, None)?;
    same("what is kept", one.expire(&show, SHOW, 4).await?, None)?;
    let rest = one.list(None, 9).await?;
    same("the list", rest.iter().map(|one| one.show).collect(), vec![empty.show])?;
    // Its fences are not given again.
    for holder in ["ours", "theirs"] {
        same("a claim", one.claim(&show, SHOW, &worker(holder), TTL, 0).await?, None)?;
    }
    same("a renewal", one.renew(&tenure, TTL).await?, false)?;
    same("a use", hold(&one, "clip", 1, [3, 3]).await?, false)
}
