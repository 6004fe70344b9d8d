//! Requests that are held until what they ask for is there (RFC 8216bis §6.2.5).
//!
//! ```text
//! ask ─▶ Ready ──────────────────────────────▶ text
//!   └──▶ Wait ─▶ ticket ─▶ changed? ─▶ ask again
//!                  │          └ three target durations pass: 503
//!                  └ too many of this stream or token: 503
//! ```
//!
//! Whoever waits is a future that a channel wakes: no thread, no timer that ticks, and nothing is left of it when its
//! client goes away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use authz::LogId;
use packager::asset::StreamName;
use packager::live::{Answer, DirectiveFault, Directives, Form, Found, Media, View};
use packager::time::Msn;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::archive::Kept;
use super::showing::{Door, Shown};
use super::{Live, LiveError, Place, Showing};
use crate::metrics::{self, Metrics, Present};
use crate::text::Text;

/// What was found, and whether it was waited for.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    pub(crate) waited: bool,
}

/// Who asks: the token's name, if there was one.
pub(crate) type Asker = Option<LogId>;

impl Live {
    /// A media playlist of a view. `asked` is what the query says.
    ///
    /// # Errors
    /// [`LiveError`]. Cancel-safe.
    pub(crate) async fn playlist(
        self: &Arc<Self>,
        at: &Place,
        view: View,
        asked: Result<Directives, DirectiveFault>,
        asker: Asker,
    ) -> Result<Held<(Arc<Shown>, Arc<Text>)>, LiveError> {
        let showing = self.showing_of(at).await?;
        let changes = showing.watch(&at.track).ok_or(LiveError::Absent)?;
        let ask = |shown: Option<&Arc<Shown>>| match shown {
            // A track that has been announced and has nothing to list yet.
            None if showing.has_ended() => Step::Done(Err(LiveError::Absent)),
            None => Step::Wait,
            // Nothing more of it comes: players that are told so at once play another rendition.
            Some(shown) if shown.is_given_up && view == View::Window => Step::Done(Err(LiveError::Absent)),
            Some(shown) if view == View::Whole && !shown.playlist.edge().ended => {
                Step::Done(Err(LiveError::Absent))
            }
            Some(shown) => match shown.of(view).answer(asked) {
                Answer::Ready(form) => Step::Done(Ok((Arc::clone(shown), form))),
                Answer::Wait => Step::Wait,
                Answer::Malformed(fault) => Step::Done(Err(LiveError::Directive(fault))),
                Answer::TooFar => Step::Done(Err(LiveError::TooFar)),
            },
        };
        let held = self.hold(&at.stream, &showing, changes, asker, ask).await?;
        let (shown, form): (Arc<Shown>, Form) = held.value?;
        let text = shown.text(view, form, &self.metrics).await.ok_or(LiveError::Absent)?;
        if held.waited {
            self.metrics.live().woke(shown.since.elapsed());
        }
        Ok(Held { value: (shown, text), waited: held.waited })
    }

    /// A part, which may be hinted only.
    ///
    /// # Errors
    /// [`LiveError`]. Cancel-safe.
    pub(crate) async fn part(
        self: &Arc<Self>,
        at: &Place,
        msn: Msn,
        part: u32,
        asker: Asker,
    ) -> Result<Held<Arc<Media>>, LiveError> {
        let showing = self.showing_of(at).await?;
        let changes = showing.watch(&at.track).ok_or(LiveError::Absent)?;
        let ask = |_: Option<&Arc<Shown>>| Step::of(showing.part(&at.track, msn, part));
        let held = self.hold(&at.stream, &showing, changes, asker, ask).await?;
        Ok(Held { value: held.value?, waited: held.waited })
    }

    /// A whole segment, which may be the next one, or one that is in the archive.
    ///
    /// # Errors
    /// [`LiveError`]. Cancel-safe.
    pub(crate) async fn segment(
        self: &Arc<Self>,
        at: &Place,
        msn: Msn,
        asker: Asker,
    ) -> Result<Held<Whole>, LiveError> {
        let showing = self.showing_of(at).await?;
        let changes = showing.watch(&at.track).ok_or(LiveError::Absent)?;
        let ask = |_: Option<&Arc<Shown>>| match showing.segment(&at.track, msn) {
            Found::Ready(media) => Step::Done(Ok(Whole::Here(media))),
            Found::Stored(stored) => {
                let archive = self.archive.as_ref();
                let kept = archive.and_then(|archive| archive.locate(at, &showing, msn, stored));
                Step::Done(kept.map(Whole::Kept).ok_or(LiveError::Absent))
            }
            Found::Wait => Step::Wait,
            Found::Absent => Step::Done(Err(LiveError::Absent)),
        };
        let held = self.hold(&at.stream, &showing, changes, asker, ask).await?;
        Ok(Held { value: held.value?, waited: held.waited })
    }

    /// Whether a segment is one that nobody who watches live asks for.
    pub(crate) fn is_behind(&self, at: &Place, msn: Msn) -> bool {
        let shown = self.known(&at.stream, at.show).and_then(|showing| showing.watch(&at.track));
        shown.is_some_and(|shown| shown.borrow().as_ref().is_some_and(|shown| shown.playlist.is_behind(msn)))
    }

    /// The multivariant playlist of a show, as soon as its tracks are known.
    ///
    /// # Errors
    /// [`LiveError`]. Cancel-safe.
    pub(crate) async fn door(
        &self,
        stream: &StreamName,
        showing: &Showing,
        asker: Asker,
    ) -> Result<Held<Arc<Door>>, LiveError> {
        let ask = |door: Option<&Arc<Door>>| door.map_or(Step::Wait, |door| Step::Done(Arc::clone(door)));
        self.hold(stream, showing, showing.watch_door(), asker, ask).await
    }

    /// Asks now, and each time something has changed, until there is an answer.
    async fn hold<S, T>(
        &self,
        stream: &StreamName,
        showing: &Showing,
        mut changes: watch::Receiver<Option<Arc<S>>>,
        asker: Asker,
        mut ask: impl FnMut(Option<&Arc<S>>) -> Step<T>,
    ) -> Result<Held<T>, LiveError> {
        // Seen before it is asked: a change in between is not missed.
        let first = changes.borrow_and_update().clone();
        if let Step::Done(value) = ask(first.as_ref()) {
            return Ok(Held { value, waited: false });
        }
        drop(first);
        let mut ticket = self.ticket(stream, asker)?;
        if self.is_leaving() {
            ticket.ends(metrics::Held::Gone);
            return Err(LiveError::Expired);
        }
        let deadline = tokio::time::Instant::now() + showing.patience();
        loop {
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    ticket.ends(metrics::Held::Gone);
                    return Err(LiveError::Absent);
                }
                Err(_) => {
                    ticket.ends(metrics::Held::Expired);
                    return Err(LiveError::Expired);
                }
            }
            let shown = changes.borrow_and_update().clone();
            if let Step::Done(value) = ask(shown.as_ref()) {
                ticket.ends(metrics::Held::Answered);
                return Ok(Held { value, waited: true });
            }
            if self.is_leaving() {
                ticket.ends(metrics::Held::Gone);
                return Err(LiveError::Expired);
            }
        }
    }

    /// A place among those who wait.
    fn ticket(&self, stream: &StreamName, asker: Asker) -> Result<Ticket, LiveError> {
        let crowded = |whose| {
            self.metrics.live().refused();
            LiveError::Crowded(whose)
        };
        let stream = self.stream(stream).ok_or(LiveError::Absent)?;
        let permit = Arc::clone(&stream.waiters).try_acquire_owned().map_err(|_| crowded("stream"))?;
        let share = match asker {
            None => None,
            Some(id) => {
                Some(self.askers.enter(id, self.rules.waiters_per_grant).ok_or_else(|| crowded("token"))?)
            }
        };
        Ok(Ticket {
            began: Instant::now(),
            outcome: metrics::Held::Left,
            metrics: Arc::clone(&self.metrics),
            _counted: self.metrics.live().wait(),
            _permit: permit,
            _share: share,
        })
    }
}

/// A whole segment.
#[derive(Debug, Clone)]
pub(crate) enum Whole {
    /// In memory.
    Here(Arc<Media>),
    /// In the archive, or on its way there.
    Kept(Kept),
}

enum Step<T> {
    Done(T),
    Wait,
}

impl Step<Result<Arc<Media>, LiveError>> {
    fn of(found: Found) -> Self {
        match found {
            Found::Ready(media) => Self::Done(Ok(media)),
            Found::Wait => Self::Wait,
            Found::Stored(_) | Found::Absent => Self::Done(Err(LiveError::Absent)),
        }
    }
}

/// A place among those who wait; counted when it is given up, whatever the reason.
struct Ticket {
    began: Instant,
    outcome: metrics::Held,
    metrics: Arc<Metrics>,
    _counted: Present,
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

impl Ticket {
    fn ends(&mut self, outcome: metrics::Held) {
        self.outcome = outcome;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.metrics.live().held(self.outcome, self.began.elapsed());
    }
}

/// How many requests of each token wait. Only those that wait take memory.
#[derive(Debug, Default)]
pub(super) struct Askers(Arc<Mutex<HashMap<LogId, usize>>>);

impl Askers {
    fn enter(&self, id: LogId, limit: usize) -> Option<Share> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(id).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Share { id, all: Arc::clone(&self.0) })
    }
}

/// One request of a token that waits.
struct Share {
    id: LogId,
    all: Arc<Mutex<HashMap<LogId, usize>>>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut waiting = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(&self.id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                waiting.remove(&self.id);
            }
        }
    }
}
