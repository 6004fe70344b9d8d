//! Recordings without a database, for tests and for an origin that forgets them when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision, ShowId, StreamName};
use transcoder::publishing::WorkerName;

use super::{Recording, RecordingError, Recordings, Span, Tenure, Use, millis, storable};

/// Counts and remembers for as long as it lives.
pub struct MemoryRecordings {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    rows: BTreeMap<Key, Row>,
    uses: BTreeSet<Entry>,
}

type Key = (StreamName, ShowId);

/// Which pages of which show are used, and by whom.
type Entry = (Key, (u64, u64), (AssetName, Revision));

#[derive(Debug)]
struct Row {
    /// The newest.
    fence: u64,
    /// `None` where nobody has it.
    held: Option<Held>,
    /// The last one may be empty: then nothing was written under the newest fence.
    spans: Vec<Span>,
    first: u64,
    until: u64,
    sealed: bool,
    changed_ms: i64,
    /// The row stays, so that no fence is given twice.
    forgotten: bool,
}

#[derive(Debug)]
struct Held {
    holder: WorkerName,
    until_ms: i64,
    ttl_ms: i64,
}

impl MemoryRecordings {
    /// Knows no show yet. `now` is its clock: milliseconds since 1970-01-01 UTC.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the row of a tenure that is not lost, under the lock, and says whether it did.
    fn with(&self, tenure: &Tenure, work: impl FnOnce(&mut Row, i64) -> bool) -> bool {
        let now = (self.now)();
        let mut tables = self.tables();
        let row = tables.rows.get_mut(&(tenure.stream.clone(), tenure.show));
        row.filter(|row| row.fence == tenure.fence).is_some_and(|row| work(row, now))
    }
}

#[async_trait]
impl Recordings for MemoryRecordings {
    async fn claim(
        &self,
        stream: &StreamName,
        show: ShowId,
        holder: &WorkerName,
        ttl: Duration,
        from: u64,
    ) -> Result<Option<Tenure>, RecordingError> {
        let ttl_ms = millis(ttl)?;
        storable(show.0)?;
        storable(from)?;
        let now = (self.now)();
        let mut tables = self.tables();
        let row = tables.rows.entry((stream.clone(), show)).or_insert_with(|| Row::new(from, now));
        let is_anothers = row.held.as_ref().is_some_and(|held| held.holder != *holder && held.holds(now));
        if row.sealed || is_anothers {
            return Ok(None);
        }
        row.fence = row.fence.saturating_add(1);
        row.held = Some(Held { holder: holder.clone(), until_ms: now.saturating_add(ttl_ms), ttl_ms });
        row.changed_ms = now;
        // Nothing was written under the fences before it that would begin here too.
        row.spans.retain(|span| span.from < row.until);
        row.spans.push(Span { fence: row.fence, from: row.until });
        Ok(Some(Tenure { stream: stream.clone(), show, fence: row.fence, from: row.until }))
    }

    async fn renew(&self, tenure: &Tenure, ttl: Duration) -> Result<bool, RecordingError> {
        let ttl_ms = millis(ttl)?;
        Ok(self.with(tenure, |row, now| {
            let Some(held) = &mut row.held else { return false };
            held.until_ms = now.saturating_add(ttl_ms);
            held.ttl_ms = ttl_ms;
            true
        }))
    }

    async fn release(&self, tenure: &Tenure) -> Result<bool, RecordingError> {
        Ok(self.with(tenure, |row, now| {
            let is_released = row.held.take().is_some();
            if is_released {
                row.changed_ms = now;
            }
            is_released
        }))
    }

    async fn commit(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        storable(until)?;
        Ok(self.with(tenure, |row, now| {
            let is_ours = row.held.is_some();
            if is_ours && row.until < until {
                row.until = until;
                row.changed_ms = now;
            }
            is_ours
        }))
    }

    async fn seal(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        storable(until)?;
        Ok(self.with(tenure, |row, now| {
            if row.held.take().is_none() {
                return row.sealed && until <= row.until;
            }
            row.until = row.until.max(until);
            row.sealed = true;
            row.changed_ms = now;
            true
        }))
    }

    async fn recording(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Option<Recording>, RecordingError> {
        let now = (self.now)();
        let tables = self.tables();
        let found = tables.rows.get_key_value(&(stream.clone(), show));
        Ok(found.filter(|(_, row)| !row.forgotten).map(|(key, row)| row.recording(key, now)))
    }

    async fn list(
        &self,
        after: Option<(&StreamName, ShowId)>,
        limit: u32,
    ) -> Result<Vec<Recording>, RecordingError> {
        let now = (self.now)();
        let tables = self.tables();
        let from = after.map(|(stream, show)| (stream.clone(), show));
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = tables.rows.range((from, Bound::Unbounded)).filter(|(_, row)| !row.forgotten);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.take(limit).map(|(key, row)| row.recording(key, now)).collect())
    }

    async fn unattended(&self, limit: u32) -> Result<Vec<Recording>, RecordingError> {
        let now = (self.now)();
        let tables = self.tables();
        let all = tables.rows.iter().map(|(key, row)| row.recording(key, now));
        let mut alone: Vec<_> = all.filter(|recording| !recording.sealed && !recording.is_held).collect();
        // They are in the order of their keys, and stay so where the times are the same.
        alone.sort_by_key(|recording| recording.changed_ms);
        alone.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(alone)
    }

    async fn expire(
        &self,
        stream: &StreamName,
        show: ShowId,
        first: u64,
    ) -> Result<Option<u64>, RecordingError> {
        let mut tables = self.tables();
        let key = (stream.clone(), show);
        let used = tables.of(&key).map(|(_, (first, _), _)| *first).next().unwrap_or(u64::MAX);
        let row = tables.rows.get_mut(&key).filter(|row| !row.forgotten);
        Ok(row.map(|row| {
            row.first = row.first.max(first.min(row.until).min(used));
            row.first
        }))
    }

    async fn forget(&self, stream: &StreamName, show: ShowId) -> Result<bool, RecordingError> {
        let mut tables = self.tables();
        let row = tables.rows.get_mut(&(stream.clone(), show)).filter(|row| !row.forgotten);
        // What is in use is kept, so nothing is in use here.
        let row = row.filter(|row| row.sealed && row.first == row.until);
        Ok(row.map(|row| row.forgotten = true).is_some())
    }

    async fn hold_for(
        &self,
        asset: &AssetName,
        revision: &Revision,
        stream: &StreamName,
        show: ShowId,
        first: u64,
        last: u64,
    ) -> Result<bool, RecordingError> {
        let mut tables = self.tables();
        let key = (stream.clone(), show);
        let row = tables.rows.get(&key);
        let are_there =
            row.is_some_and(|row| row.first <= first && first <= last && (last < row.until || !row.sealed));
        if are_there {
            tables.uses.insert((key, (first, last), (asset.clone(), revision.clone())));
        }
        Ok(are_there)
    }

    async fn let_go(&self, asset: &AssetName, revision: Option<&Revision>) -> Result<u64, RecordingError> {
        let mut tables = self.tables();
        let before = tables.uses.len();
        tables.uses.retain(|(_, _, (of, number))| of != asset || revision.is_some_and(|one| one != number));
        Ok(u64::try_from(before - tables.uses.len()).unwrap_or(u64::MAX))
    }

    async fn uses(&self, stream: &StreamName, show: ShowId) -> Result<Vec<Use>, RecordingError> {
        let tables = self.tables();
        let used = tables.of(&(stream.clone(), show)).cloned().collect::<Vec<_>>();
        let used = used.into_iter().map(|(_, (first, last), (asset, revision))| Use {
            asset,
            revision,
            first,
            last,
        });
        Ok(used.collect())
    }
}

impl fmt::Debug for MemoryRecordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRecordings").field("tables", &*self.tables()).finish_non_exhaustive()
    }
}

impl Tables {
    /// The uses of a show, in the order of their pages.
    fn of<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Entry> {
        self.uses.iter().filter(move |(of, _, _)| of == key)
    }
}

impl Row {
    /// Nobody has it yet.
    fn new(from: u64, now: i64) -> Self {
        let [first, until] = [from; 2];
        let (held, spans) = (None, Vec::new());
        Self { fence: 0, held, spans, first, until, sealed: false, changed_ms: now, forgotten: false }
    }

    fn recording(&self, (stream, show): &Key, now: i64) -> Recording {
        Recording {
            stream: stream.clone(),
            show: *show,
            spans: self.spans.iter().filter(|span| span.from < self.until).copied().collect(),
            first: self.first,
            until: self.until,
            sealed: self.sealed,
            changed_ms: self.changed_ms,
            is_held: self.held.as_ref().is_some_and(|held| held.holds(now)),
        }
    }
}

impl Held {
    /// Whether its time is not over. More than twice its time can only be left where the clock was set back: then
    /// nobody waits for it.
    fn holds(&self, now: i64) -> bool {
        let left = self.until_ms.saturating_sub(now);
        (1..=self.ttl_ms.saturating_mul(2)).contains(&left)
    }
}

#[cfg(test)]
mod tests;
