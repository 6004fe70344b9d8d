//! One track on its way to an origin: a POST as long as the track, made again where it ends early.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body::Frame;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use packager::asset::RenditionName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::cutter::Piece;
use super::{Event, Targets, tell};
use crate::Cause;

/// Sends what comes out of a queue.
pub(super) struct Sender {
    track: RenditionName,
    targets: Targets,
    queue: mpsc::Receiver<Piece>,
    events: mpsc::Sender<Event>,
    header: Option<Bytes>,
    /// The chunks of the last two seconds, which may have been lost with a connection. An origin drops what it has.
    recent: VecDeque<(Instant, Bytes)>,
    has_ended: bool,
}

impl Sender {
    pub(super) fn new(
        track: RenditionName,
        targets: Targets,
        queue: mpsc::Receiver<Piece>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self { track, targets, queue, events, header: None, recent: VecDeque::new(), has_ended: false }
    }

    /// Sends until the queue is closed.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while self.has_something().await {
            let began = Instant::now();
            let what = match self.request().await {
                Ok((status, _)) if status.is_success() && self.has_ended => return,
                Ok((status, text)) => {
                    if status == StatusCode::CONFLICT {
                        // The show is over. What belonged to it must not begin the next one.
                        self.recent.clear();
                    }
                    format!("{status}: {text}")
                }
                Err(error) => error.to_string(),
            };
            if self.has_ended {
                return;
            }
            tell(&self.events, Event::Interrupted(self.track.clone(), what));
            pause = if began.elapsed() > STEADY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits for the header; false where none will come. A request without one would say nothing.
    async fn has_something(&mut self) -> bool {
        while self.header.is_none() {
            match self.queue.recv().await {
                Some(piece) => drop(self.take(piece)),
                None => return false,
            }
        }
        true
    }

    /// One request. Gives the answer's status and the first line of its text.
    async fn request(&mut self) -> Result<(StatusCode, String), Cause> {
        let target = self.targets.of(&self.track)?;
        let connection =
            timeout(PATIENCE, connect(&target)).await.map_err(|_| "expected a connection, found none")??;
        let (mut requests, connection) = http1::handshake(TokioIo::new(connection)).await?;
        // Ends with this request, whatever becomes of it.
        let mut driver = JoinSet::new();
        driver.spawn(connection);

        let (pour, body) = mpsc::channel::<Bytes>(1);
        let frames = futures_util::stream::unfold(body, |mut body| async {
            body.recv().await.map(|bytes| (Ok::<_, Infallible>(Frame::data(bytes)), body))
        });
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        let host = target.authority().map_or("", |authority| authority.as_str());
        let request =
            Request::post(path).header(header::HOST, host).header(header::CONTENT_TYPE, "video/mp4");
        let answer = requests.send_request(request.body(StreamBody::new(frames))?);
        tokio::pin!(answer);
        let early = tokio::select! {
            answer = &mut answer => Some(answer?),
            () = self.pour(pour) => None,
        };
        let answer = match early {
            Some(answer) => answer,
            None => timeout(PATIENCE, answer).await.map_err(|_| "expected an answer, found none")??,
        };
        let status = answer.status();
        let text = timeout(PATIENCE, Limited::new(answer.into_body(), LONGEST_TEXT).collect()).await;
        let text = text.ok().and_then(Result::ok).map(|text| text.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok((status, text.lines().next().unwrap_or_default().to_owned()))
    }

    /// Writes the track into a body until it ends or nobody reads the body any more.
    async fn pour(&mut self, body: mpsc::Sender<Bytes>) {
        let again: Vec<Bytes> =
            self.header.iter().chain(self.recent.iter().map(|(_, chunk)| chunk)).cloned().collect();
        for bytes in again {
            if body.send(bytes).await.is_err() {
                return;
            }
        }
        while let Some(piece) = self.queue.recv().await {
            // Kept before it is sent: where this future is dropped in between, the next request sends it.
            let bytes = self.take(piece);
            if body.send(bytes).await.is_err() {
                return;
            }
        }
        self.has_ended = true;
    }

    /// Keeps a piece for the next request, and gives it back.
    fn take(&mut self, piece: Piece) -> Bytes {
        let now = Instant::now();
        match piece {
            Piece::Header(header) => {
                self.recent.clear();
                self.header = Some(header.clone());
                header
            }
            Piece::Chunk(chunk) => {
                self.recent.push_back((now, chunk.clone()));
                while self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > REPEATED) {
                    self.recent.pop_front();
                }
                chunk
            }
        }
    }
}

async fn connect(target: &Uri) -> Result<TcpStream, Cause> {
    let host = target.host().filter(|_| target.scheme_str() == Some("http"));
    let host = host.ok_or("expected an http URL with a host, found another")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let stream = TcpStream::connect((host, target.port_u16().unwrap_or(80))).await?;
    // A chunk waits for no acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Before a request is made again; twice as long each time it ends soon.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A request that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// How long a connection, and the answer to a whole body, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far back the next request begins.
const REPEATED: Duration = Duration::from_secs(2);
const LONGEST_TEXT: usize = 4096;
