//! One track on its way to one origin: a POST as long as the track, made again where it ends early.
//!
//! ```text
//!       ┌──────────────── the request ended ────────────────┐
//!       ▼                                                   │
//! Wait for media ─▶ ask where the track ends there ─▶ send header, then chunks from there on
//! ```
//!
//! Before it sends, it asks: a request without a body is answered with [`TRACK_END`](super::TRACK_END), and an origin that has
//! nothing of the track, since it was started again, gets all that is on the reel. So does one that does not know the
//! question: receivers drop what they have (DASH-IF Live Media Ingest), and better too much than too little.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use packager::asset::RenditionName;
use packager::time::MediaTime;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::closing::last_segment;
use super::line::{PATIENCE, first_line, open, post, track_end};
use super::reel::{Chunk, Found, Reel};
use super::{Event, Origin, tell};
use crate::Cause;

/// Sends what is on a reel.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) origin: Origin,
    pub(super) track: RenditionName,
    pub(super) reel: Reel,
    pub(super) events: mpsc::Sender<Event>,
    /// The number of the chunk that comes next.
    place: u64,
    /// Nothing before this is sent again: it belonged to a show that is over, or overlaps with this.
    floor: u64,
}

/// Why nothing more is written into a body.
#[derive(Debug, PartialEq, Eq)]
enum Poured {
    /// The track has ended, and all of it is written.
    All,
    /// What follows needs another request: it begins before the end of what was sent, or will not come for a while.
    Pause,
    /// Nobody reads the body.
    Unread,
}

impl Outlet {
    pub(super) fn new(origin: Origin, track: RenditionName, reel: Reel, events: mpsc::Sender<Event>) -> Self {
        Self { origin, track, reel, events, place: 0, floor: 0 }
    }

    /// Sends until the track has ended.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut is_interrupted = false;
        while self.has_something().await {
            let began = Instant::now();
            let mut sent = 0_u64;
            let why = match self.request(&mut sent, &mut is_interrupted).await {
                Ok((Poured::All, status, _)) if status.is_success() => return,
                Ok((Poured::Pause, status, _)) if status.is_success() => {
                    // Nothing is wrong.
                    pause = FIRST_PAUSE;
                    continue;
                }
                Ok((_, status, text)) => {
                    if status == StatusCode::CONFLICT {
                        // The show is over. What belonged to it must not begin the next one.
                        self.floor = self.reel.next();
                        self.place = self.floor;
                    }
                    format!("{status}: {text}")
                }
                Err(error) => error.to_string(),
            };
            if !is_interrupted {
                let (origin, track) = (self.origin.name.clone(), self.track.clone());
                tell(&self.events, Event::Interrupted { origin, track, why });
                is_interrupted = true;
            }
            pause = if began.elapsed() > STEADY || sent > 0 {
                FIRST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until there is something to send; false where nothing will be.
    async fn has_something(&mut self) -> bool {
        let mut news = self.reel.watch();
        loop {
            news.mark_unchanged();
            match self.reel.at(self.place) {
                Found::Chunk(_) | Found::Gone(_) => return true,
                // All was sent but that it was all.
                Found::Ended => return self.place > 0 && self.reel.is_over(),
                Found::Wait => {
                    if news.changed().await.is_err() {
                        return false;
                    }
                }
            }
        }
    }

    /// One request, after asking where to begin. Gives what became of the body, the answer's status and the first line of
    /// its text.
    async fn request(
        &mut self,
        sent: &mut u64,
        is_interrupted: &mut bool,
    ) -> Result<(Poured, StatusCode, String), Cause> {
        let target = self.origin.targets.of(&self.track)?;
        let end = track_end(&target).await?;
        self.place = self.reel.place_after(end).max(self.floor);
        let (mut requests, _driver) = open(&target).await?;
        let (pour, body) = mpsc::channel::<Bytes>(1);
        let frames = futures_util::stream::unfold(body, |mut body| async {
            body.recv().await.map(|bytes| (Ok::<_, Infallible>(Frame::data(bytes)), body))
        });
        let mut answer = pin!(requests.send_request(post(&target, BoxBody::new(StreamBody::new(frames)))?));
        let (poured, answer) = tokio::select! {
            answer = &mut answer => (Poured::Unread, answer?),
            poured = self.pour(pour, sent, is_interrupted) => {
                let answer = timeout(PATIENCE, answer).await;
                (poured, answer.map_err(|_| "expected an answer, found none")??)
            }
        };
        let status = answer.status();
        Ok((poured, status, first_line(answer).await))
    }

    /// Writes the track into a body.
    async fn pour(&mut self, body: mpsc::Sender<Bytes>, sent: &mut u64, is_interrupted: &mut bool) -> Poured {
        let mut news = self.reel.watch();
        let (mut header, mut end): (Option<Bytes>, Option<MediaTime>) = (None, None);
        loop {
            news.mark_unchanged();
            let chunk = match self.reel.at(self.place) {
                Found::Chunk(chunk) => chunk,
                Found::Gone(further) => {
                    let chunks = further.saturating_sub(self.place);
                    self.place = further;
                    // At the first chunk of a request nothing that was sent is missing.
                    if header.is_some() {
                        let (origin, track) = (self.origin.name.clone(), self.track.clone());
                        tell(&self.events, Event::Skipped { origin, track, chunks });
                    }
                    continue;
                }
                Found::Ended => return self.close(&body, end).await,
                Found::Wait => match timeout(IDLE, news.changed()).await {
                    Ok(Ok(())) => continue,
                    // Receivers give up on requests that say nothing.
                    Ok(Err(_)) | Err(_) => return Poured::Pause,
                },
            };
            if end.is_some_and(|end| end.since(chunk.start) > MediaTime::from_millis(OVERLAP_MS)) {
                // The next request begins with it: with what is before it, it would end here again.
                self.floor = self.place;
                return Poured::Pause;
            }
            if write(&body, &mut header, &chunk).await.is_none() {
                return Poured::Unread;
            }
            if std::mem::take(is_interrupted) {
                let (origin, track) = (self.origin.name.clone(), self.track.clone());
                tell(&self.events, Event::Resumed { origin, track });
            }
            *sent = sent.saturating_add(1);
            end = Some(chunk.end);
            self.place = self.place.saturating_add(1);
        }
    }

    /// Says that nothing follows, where the show is over rather than made elsewhere.
    async fn close(&self, body: &mpsc::Sender<Bytes>, end: Option<MediaTime>) -> Poured {
        let end = end.or_else(|| self.reel.end()).filter(|_| self.reel.is_over());
        match end {
            Some(end) if push(body, last_segment(end)).await.is_none() => Poured::Unread,
            _ => Poured::All,
        }
    }
}

/// Writes a chunk, after its header where that is not the one before. `None` where nobody reads.
async fn write(body: &mpsc::Sender<Bytes>, header: &mut Option<Bytes>, chunk: &Chunk) -> Option<()> {
    if header.as_ref() != Some(&chunk.header) {
        push(body, chunk.header.clone()).await?;
        *header = Some(chunk.header.clone());
    }
    push(body, chunk.bytes.clone()).await
}

/// Hands bytes to the connection. `None` where it takes none for too long, or is gone.
async fn push(body: &mpsc::Sender<Bytes>, bytes: Bytes) -> Option<()> {
    timeout(STALL, body.send(bytes)).await.ok()?.ok()
}

/// Before a request is made again; twice as long each time it ends without having sent anything.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A request that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// How long a connection may take nothing of what there is. Its other end may be gone without a word.
const STALL: Duration = Duration::from_secs(8);
/// How long a request goes on without media.
const IDLE: Duration = Duration::from_secs(4);
/// By how much a chunk may begin before the end of the one before it, in milliseconds: the rounding of times.
const OVERLAP_MS: i64 = 20;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::routing::post;
    use http::Uri;
    use tokio::task::JoinSet;

    use super::*;
    use crate::live::Targets;

    type Bodies = Arc<Mutex<Vec<Bytes>>>;

    async fn take(State(bodies): State<Bodies>, body: Bytes) {
        bodies.lock().unwrap().push(body);
    }

    /// What an origin gets, in the order of its requests, of a track of these chunks: start and end in milliseconds, and
    /// what stands for the bytes.
    async fn sent(chunks: &[(i64, i64, &'static str)], is_over: bool) -> Vec<String> {
        let (bodies, reel) = (Bodies::default(), Reel::after(None));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/{track}", post(take)).with_state(Arc::clone(&bodies));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let targets = Targets::new(move |track| Ok(Uri::try_from(format!("http://{address}/{track}"))?));
        let origin = Origin { name: "one".into(), targets };
        let (events, mut told) = mpsc::channel(8);
        for (start, end, bytes) in chunks {
            reel.push(Chunk {
                header: Bytes::from_static(b"H"),
                bytes: Bytes::from_static(bytes.as_bytes()),
                start: MediaTime::from_millis(*start),
                end: MediaTime::from_millis(*end),
                is_key: true,
            });
        }
        reel.finish(is_over);
        let outlet = Outlet::new(origin, "video".parse().unwrap(), reel, events);
        timeout(Duration::from_secs(10), outlet.run()).await.unwrap();
        assert!(told.try_recv().is_err(), "nothing goes wrong");
        let bodies = bodies.lock().unwrap();
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }

    #[tokio::test]
    async fn a_track_is_asked_for_and_sent_with_its_header_and_its_end() {
        let bodies = sent(&[(0, 200, "a"), (200, 400, "b")], true).await;
        assert_eq!((bodies.len(), &*bodies[0], &bodies[1][..3]), (2, "", "Hab"));
        assert!(bodies[1].contains("lmsg"));
    }

    #[tokio::test]
    async fn a_track_that_somebody_else_goes_on_with_has_no_end() {
        assert_eq!(sent(&[(0, 200, "a"), (200, 400, "b")], false).await, ["", "Hab"]);
    }

    #[tokio::test]
    async fn what_overlaps_with_what_was_sent_gets_a_request_of_its_own() {
        let bodies = sent(&[(0, 200, "a"), (100, 300, "b"), (300, 500, "c")], false).await;
        assert_eq!(bodies, ["", "Ha", "", "Hbc"]);
    }
}
