//! Shows without a database, for tests and for an origin that forgets them when it ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::time::Msn;

use super::{Anchor, Opening, Show, Shows};
use crate::Error;

/// Counts and remembers for as long as it lives.
pub struct MemoryShows {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    streams: Mutex<BTreeMap<StreamName, Vec<Row>>>,
}

/// A show stands at the place of its number less one.
#[derive(Debug)]
struct Row {
    show: Show,
    inits: BTreeMap<(RenditionName, Msn), String>,
}

impl MemoryShows {
    /// Knows no stream yet. `now` is its clock: milliseconds since 1970-01-01 UTC.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), streams: Mutex::default() }
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<StreamName, Vec<Row>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with one show under the lock.
    fn with<T>(
        &self,
        stream: &StreamName,
        id: ShowId,
        action: &'static str,
        work: impl FnOnce(&mut Row) -> T,
    ) -> Result<T, Error> {
        let mut streams = self.streams();
        let row = streams.get_mut(stream).and_then(|rows| rows.get_mut(place(id)?));
        row.map(work).ok_or_else(|| unknown(action, stream, id))
    }
}

#[async_trait]
impl Shows for MemoryShows {
    async fn open(&self, stream: &StreamName, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let now = (self.now)();
        let mut streams = self.streams();
        Ok(newest_running(streams.entry(stream.clone()).or_default(), stream, opening, now))
    }

    async fn succeed(&self, former: &Show, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let now = (self.now)();
        let mut streams = self.streams();
        let found = streams.get_mut(&former.stream).and_then(|rows| {
            rows.get_mut(place(former.id)?)?.show.ended = true;
            Some(rows)
        });
        let rows = found.ok_or_else(|| unknown("open the next show", &former.stream, former.id))?;
        Ok(newest_running(rows, &former.stream, opening, now))
    }

    async fn note(&self, stream: &StreamName, show: ShowId, last: Msn) -> Result<(), Error> {
        let action = "note a segment";
        numbered(action, last)?;
        self.with(stream, show, action, |row| {
            if !row.show.ended {
                row.show.last = row.show.last.max(Some(last));
            }
        })
    }

    async fn end(&self, stream: &StreamName, show: ShowId) -> Result<bool, Error> {
        self.with(stream, show, "end a show", |row| !std::mem::replace(&mut row.show.ended, true))
    }

    async fn current(&self, stream: &StreamName) -> Result<Option<Show>, Error> {
        Ok(self.streams().get(stream).and_then(|rows| rows.last()).map(|row| row.show.clone()))
    }

    async fn running(&self, limit: u32) -> Result<Vec<Show>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let streams = self.streams();
        let newest = streams.values().filter_map(|rows| rows.last());
        Ok(newest.filter(|row| !row.show.ended).take(limit).map(|row| row.show.clone()).collect())
    }

    async fn identify(
        &self,
        stream: &StreamName,
        show: ShowId,
        track: &RenditionName,
        msn: Msn,
        init: &str,
    ) -> Result<(), Error> {
        let action = "record an init segment";
        numbered(action, msn)?;
        if !is_init(init) {
            return Err(Error::catalogue(action, format!("expected 1 to 64 of a-z 0-9, found {init:?}")));
        }
        self.with(stream, show, action, |row| {
            let until = (track.clone(), msn);
            let mut before = row.inits.range((track.clone(), Msn(0))..=until.clone());
            let in_force = before.next_back().map(|(_, known)| known.as_str());
            if !row.show.ended && in_force != Some(init) {
                row.inits.entry(until).or_insert_with(|| init.to_owned());
            }
        })
    }

    async fn inits(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Vec<(RenditionName, Msn, String)>, Error> {
        let streams = self.streams();
        let row = streams.get(stream).and_then(|rows| rows.get(place(show)?));
        let mut changes: Vec<(RenditionName, Msn, String)> = Vec::new();
        for ((track, msn), init) in row.into_iter().flat_map(|row| &row.inits) {
            if changes.last().is_none_or(|(of, _, before)| (of, before) != (track, init)) {
                changes.push((track.clone(), *msn, init.clone()));
            }
        }
        Ok(changes)
    }
}

impl fmt::Debug for MemoryShows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryShows").field("streams", &*self.streams()).finish_non_exhaustive()
    }
}

/// The running show of a stream; opened now where none is.
fn newest_running(rows: &mut Vec<Row>, stream: &StreamName, opening: &Opening, now: i64) -> Show {
    if let Some(row) = rows.last().filter(|row| !row.show.ended) {
        return row.show.clone();
    }
    let show = Show {
        stream: stream.clone(),
        id: ShowId(u64::try_from(rows.len()).unwrap_or(u64::MAX).saturating_add(1)),
        anchor_ms: match opening.anchor {
            Anchor::Epoch => 0,
            Anchor::Now => now.saturating_sub(opening.media_ms),
        },
        segment_ms: opening.segment_ms,
        parts: opening.parts,
        started_ms: now,
        ended: false,
        last: None,
    };
    rows.push(Row { show: show.clone(), inits: BTreeMap::new() });
    show
}

/// Where a show stands among those of its stream.
fn place(id: ShowId) -> Option<usize> {
    usize::try_from(id.0.checked_sub(1)?).ok()
}

/// Numbers are what a database can hold.
fn numbered(action: &'static str, msn: Msn) -> Result<(), Error> {
    match i64::try_from(msn.0) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Error::catalogue(action, format!("expected a segment's number below 2^63, found {msn}")))
        }
    }
}

fn is_init(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn unknown(action: &'static str, stream: &StreamName, id: ShowId) -> Error {
    Error::catalogue(action, format!("expected a show that was opened, found {stream}/{id}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::conformance;
    use super::*;

    fn twice(shows: impl Shows + 'static) -> conformance::Both {
        let shows: Arc<dyn Shows> = Arc::new(shows);
        [Arc::clone(&shows), shows]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_conforms() {
        conformance::run(async || twice(MemoryShows::new(|| 1_800_000_000_000))).await.unwrap();
    }

    #[tokio::test]
    async fn a_show_starts_when_its_clock_says() {
        let clock = Arc::new(AtomicI64::new(5_000));
        let hand = Arc::clone(&clock);
        let shows = MemoryShows::new(move || hand.load(Ordering::Relaxed));
        let stream = "show".parse().unwrap();
        let opening = Opening { media_ms: 7_000, anchor: Anchor::Now, segment_ms: 2000, parts: 6 };
        let first = shows.open(&stream, &opening).await.unwrap();
        assert_eq!((first.started_ms, first.anchor_ms), (5_000, -2_000));
        clock.store(9_000, Ordering::Relaxed);
        assert_eq!(shows.open(&stream, &opening).await.unwrap(), first);
        let second = shows.succeed(&first, &opening).await.unwrap();
        assert_eq!((second.started_ms, second.anchor_ms), (9_000, 2_000));
    }

    /// A mistake that an implementation could make.
    #[derive(Debug, Clone, Copy)]
    enum Mistake {
        /// Takes the newest note instead of the highest.
        Backwards,
        /// Opens a show for each who asks.
        Unfenced,
        /// Says to everyone that it was him who ended the show.
        Generous,
        /// Lets the last writer of an init win.
        Overwriting,
    }

    #[derive(Debug)]
    struct Broken(MemoryShows, Mistake);

    #[async_trait]
    impl Shows for Broken {
        async fn open(&self, stream: &StreamName, opening: &Opening) -> Result<Show, Error> {
            self.0.open(stream, opening).await
        }

        async fn succeed(&self, former: &Show, opening: &Opening) -> Result<Show, Error> {
            let newest = self.0.current(&former.stream).await?;
            match (self.1, newest) {
                (Mistake::Unfenced, Some(newest)) => self.0.succeed(&newest, opening).await,
                _ => self.0.succeed(former, opening).await,
            }
        }

        async fn note(&self, stream: &StreamName, show: ShowId, last: Msn) -> Result<(), Error> {
            if let Mistake::Backwards = self.1 {
                self.0.with(stream, show, "", |row| row.show.last = None)?;
            }
            self.0.note(stream, show, last).await
        }

        async fn end(&self, stream: &StreamName, show: ShowId) -> Result<bool, Error> {
            Ok(self.0.end(stream, show).await? || matches!(self.1, Mistake::Generous))
        }

        async fn current(&self, stream: &StreamName) -> Result<Option<Show>, Error> {
            self.0.current(stream).await
        }

        async fn running(&self, limit: u32) -> Result<Vec<Show>, Error> {
            self.0.running(limit).await
        }

        async fn identify(
            &self,
            stream: &StreamName,
            show: ShowId,
            track: &RenditionName,
            msn: Msn,
            init: &str,
        ) -> Result<(), Error> {
            if let Mistake::Overwriting = self.1 {
                self.0.with(stream, show, "", |row| row.inits.remove(&(track.clone(), msn)))?;
            }
            self.0.identify(stream, show, track, msn, init).await
        }

        async fn inits(
            &self,
            stream: &StreamName,
            show: ShowId,
        ) -> Result<Vec<(RenditionName, Msn, String)>, Error> {
            self.0.inits(stream, show).await
        }
    }

    #[tokio::test]
    async fn the_suite_finds_the_mistakes() {
        for (mistake, rule) in [
            (Mistake::Backwards, "progress_never_goes_back_and_stops_at_the_end: the last: "),
            (Mistake::Unfenced, "whoever_succeeds_late_gets_the_show_that_runs: theirs: "),
            (Mistake::Generous, "the_next_show_ends_the_former: whether the former ran: "),
            (Mistake::Overwriting, "the_first_init_of_a_segment_stays: inits: "),
        ] {
            let broken = async || twice(Broken(MemoryShows::new(|| 0), mistake));
            let found = conformance::run(broken).await.unwrap_err();
            assert!(found.starts_with(rule), "{mistake:?}: {found}");
        }
    }
}
