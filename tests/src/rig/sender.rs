//! A sender of live shows (DASH-IF Live Media Ingest, interface 1): the tracks of a show, each over a connection of its own,
//! to one origin or several at once, at the pace of the clock or faster.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::deadline::PATIENCE;
use super::raw::RawAnswer;
use super::reel::{self, Piece, Reel};
use super::upload::Upload;

/// How a track's bytes are put into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One request for the whole track: POST, header first.
    Long,
    /// One request for the header, and one for each segment of two seconds: PUT.
    Objects,
}

/// How a sender ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The last chunk says that it is the last (`lmsg`), and the body ends.
    Last,
    /// The body ends.
    Plain,
    /// The connection breaks behind a whole chunk.
    Cut,
}

/// What to send, where to and how. Changed by its methods, played by [`Sender::start`].
#[derive(Debug, Clone)]
pub struct Sender {
    folder: String,
    tracks: Vec<(String, Arc<Reel>)>,
    origins: Vec<SocketAddr>,
    start: u64,
    from: Duration,
    to: Option<Duration>,
    speed: f64,
    is_wall_clock: bool,
    has_header: bool,
    form: Form,
    ending: Ending,
    holds_its_end: bool,
    sizes: Vec<usize>,
}

impl Sender {
    /// A sender of these tracks, each as a path below `folder` (`/t/TOKEN/ingest/show`), on a timeline that starts at
    /// zero, at the pace of the clock, until it is stopped.
    #[must_use]
    pub fn new(folder: &str, tracks: &[(&str, Arc<Reel>)]) -> Self {
        let tracks = tracks.iter().map(|(name, reel)| ((*name).to_owned(), Arc::clone(reel))).collect();
        Self {
            folder: folder.to_owned(),
            tracks,
            origins: Vec::new(),
            start: 0,
            from: Duration::ZERO,
            to: None,
            speed: 1.0,
            is_wall_clock: false,
            has_header: true,
            form: Form::Long,
            ending: Ending::Last,
            holds_its_end: false,
            sizes: Vec::new(),
        }
    }

    /// Sends to this origin too.
    #[must_use]
    pub fn to(mut self, origin: SocketAddr) -> Self {
        self.origins.push(origin);
        self
    }

    /// Puts the show on the timeline of the wall clock: decode times are Unix time, rounds begin at whole multiples of
    /// eight seconds of it, and the first chunk is that of the two seconds that are running now. With another beginning
    /// ([`Sender::since`], [`Sender::from`]) what is due already goes out at once.
    ///
    /// # Panics
    /// When the clock stands before 1970.
    #[must_use]
    pub fn by_the_wall_clock(mut self) -> Self {
        let now = unix_time().as_secs();
        self.start = now - now % ROUND;
        self.from = Duration::from_secs(now % ROUND / GROUP * GROUP);
        self.is_wall_clock = true;
        self
    }

    /// Puts the show on a timeline of Unix time that began at `start`, a multiple of eight seconds; the clock does not
    /// matter.
    #[must_use]
    pub fn since(mut self, start: u64) -> Self {
        self.start = start;
        self
    }

    /// Begins with the chunks that start this long after the timeline's start.
    #[must_use]
    pub fn from(mut self, offset: Duration) -> Self {
        self.from = offset;
        self
    }

    /// Ends before the chunks that start this long after the timeline's start.
    #[must_use]
    pub fn until(mut self, offset: Duration) -> Self {
        self.to = Some(offset);
        self
    }

    /// Sends this many times faster than the clock; `f64::INFINITY` is as fast as the origin takes it.
    #[must_use]
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// Sends one request for each segment.
    #[must_use]
    pub fn in_objects(mut self) -> Self {
        self.form = Form::Objects;
        self
    }

    /// Begins without a header, as a sender does that only lost its connection.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// Ends like this; without it, with `lmsg`.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Keeps each track's last chunk back until it is let go ([`Sending::let_go`]): without a clock a track could end
    /// before the origin has heard of the next.
    #[must_use]
    pub fn holding_its_end(mut self) -> Self {
        self.holds_its_end = true;
        self
    }

    /// Cuts what it sends into pieces of these sizes, taken round and round, wherever that falls.
    #[must_use]
    pub fn cut_by(mut self, sizes: &[usize]) -> Self {
        self.sizes = sizes.to_vec();
        self
    }

    /// Begins to send.
    #[must_use]
    pub fn start(self) -> Sending {
        // A wall clock's timeline has begun before us: what is due already goes out at once.
        let media = if self.is_wall_clock { unix_time() } else { self.begins() };
        let clock = Clock { at: Instant::now(), media, speed: self.speed };
        let to = self.to.map(|to| Duration::from_secs(self.start) + to);
        let span = Span { until: to, is_held: self.holds_its_end };
        let state = Arc::new(State { span: Mutex::new(span), changed: Condvar::new() });
        let sender = Arc::new(self);
        let mut tracks = Vec::new();
        for (number, (name, _)) in sender.tracks.iter().enumerate() {
            for origin in sender.origins.clone() {
                let track =
                    Track { sender: Arc::clone(&sender), number, origin, clock, state: Arc::clone(&state) };
                let name = name.clone();
                tracks.push(thread::Builder::new().name(name).spawn(move || track.play()).unwrap());
            }
        }
        Sending { clock, state, tracks }
    }

    fn begins(&self) -> Duration {
        Duration::from_secs(self.start) + self.from
    }
}

/// A show that is being sent. Dropped, it goes on until its end or the end of the process.
#[derive(Debug)]
pub struct Sending {
    clock: Clock,
    state: Arc<State>,
    tracks: Vec<JoinHandle<Ended>>,
}

/// How a track ended at an origin.
#[derive(Debug)]
pub struct Ended {
    /// The track.
    pub track: String,
    /// The origin.
    pub origin: SocketAddr,
    /// The last answer, or the first that was not 200; none where the connection was cut.
    pub answer: Option<RawAnswer>,
    /// How many chunks were sent.
    pub chunks: u64,
    /// Behind the last chunk's decode times, as time since the timeline's zero.
    pub end: Duration,
}

impl Sending {
    /// Waits until all tracks have ended by themselves.
    ///
    /// # Panics
    /// When a track's own thread did.
    #[must_use]
    pub fn finish(self) -> Vec<Ended> {
        self.tracks.into_iter().map(|track| track.join().unwrap()).collect()
    }

    /// Ends all tracks at the same media time, a moment from now.
    ///
    /// # Panics
    /// As [`Sending::finish`].
    #[must_use]
    pub fn stop(self) -> Vec<Ended> {
        // Far enough that each track has at least one more chunk to mark as its last.
        let moment = MOMENT.mul_f64(self.clock.speed.min(100.0));
        self.state.span.lock().unwrap().until = Some(self.clock.now() + moment);
        self.state.changed.notify_all();
        self.finish()
    }

    /// Lets the last chunks go that were kept back.
    ///
    /// # Panics
    /// When a track's own thread did.
    pub fn let_go(&self) {
        self.state.span.lock().unwrap().is_held = false;
        self.state.changed.notify_all();
    }

    /// Whether a track has ended, which before its time means that it was refused.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.tracks.iter().any(JoinHandle::is_finished)
    }
}

/// Which media time it is.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: Instant,
    media: Duration,
    speed: f64,
}

impl Clock {
    fn now(&self) -> Duration {
        let gone = self.at.elapsed();
        self.media + if self.speed.is_finite() { gone.mul_f64(self.speed) } else { Duration::ZERO }
    }

    /// How long to wait for this media time.
    fn wait(&self, media: Duration) -> Duration {
        let due = self.at + media.saturating_sub(self.media).div_f64(self.speed);
        due.saturating_duration_since(Instant::now())
    }
}

#[derive(Debug)]
struct State {
    span: Mutex<Span>,
    changed: Condvar,
}

/// Where the show ends, if that is known, and whether its last chunks are kept back.
#[derive(Debug)]
struct Span {
    until: Option<Duration>,
    is_held: bool,
}

impl Span {
    fn is_over_at(&self, piece: &Piece) -> bool {
        self.until.is_some_and(|until| piece.times.start >= until)
    }
}

impl State {
    /// Waits until it is time for `piece`, which `next` follows; false when the show ends before it.
    fn wait(&self, clock: &Clock, piece: &Piece, next: &Piece) -> bool {
        let mut span = self.span.lock().unwrap();
        loop {
            if span.is_over_at(piece) {
                return false;
            }
            let left = clock.wait(piece.times.end);
            if span.is_held && span.is_over_at(next) {
                span = self.changed.wait(span).unwrap();
            } else if left.is_zero() {
                return true;
            } else {
                span = self.changed.wait_timeout(span, left).unwrap().0;
            }
        }
    }

    fn is_last(&self, next: &Piece) -> bool {
        self.span.lock().unwrap().is_over_at(next)
    }
}

/// One track on its way to one origin.
struct Track {
    sender: Arc<Sender>,
    number: usize,
    origin: SocketAddr,
    clock: Clock,
    state: Arc<State>,
}

impl Track {
    fn play(self) -> Ended {
        let (name, reel) = &self.sender.tracks[self.number];
        let mut number = reel.number_at(self.sender.from);
        let first = number;
        let mut requests =
            Requests { track: &self, path: format!("{}/{name}", self.sender.folder), open: None };
        let mut end = self.sender.begins();
        let mut refused = requests.begin(reel);
        let mut group = None;
        while refused.is_none() {
            let piece = reel.piece(self.sender.start, number);
            let next = reel.piece(self.sender.start, number + 1);
            if !self.state.wait(&self.clock, &piece, &next) {
                break;
            }
            let own = piece.times.start.as_secs() / GROUP;
            if group.replace(own) != Some(own) {
                refused = requests.segment(own);
                requests.send(&reel::styp(b"cmfs"));
            }
            if self.sender.ending == Ending::Last && self.state.is_last(&next) {
                requests.send(&reel::styp(b"lmsg"));
            }
            let micros = u64::try_from(unix_time().as_micros()).unwrap();
            requests.send(&reel::prft(piece.ticks.start, micros));
            requests.send(&piece.bytes);
            end = piece.times.end;
            number += 1;
            refused = refused.or_else(|| requests.refusal());
        }
        let answer = match (refused, self.sender.ending) {
            (Some(answer), _) => Some(answer),
            (None, Ending::Cut) => None,
            (None, _) => requests.end(),
        };
        Ended { track: name.clone(), origin: self.origin, answer, chunks: number - first, end }
    }
}

/// The requests of one track.
struct Requests<'a> {
    track: &'a Track,
    path: String,
    open: Option<Upload>,
}

impl Requests<'_> {
    /// Sends the header; gives an answer that refuses it.
    fn begin(&mut self, reel: &Reel) -> Option<RawAnswer> {
        let is_long = self.track.sender.form == Form::Long;
        let (method, path) =
            if is_long { ("POST", self.path.clone()) } else { ("PUT", format!("{}/init.mp4", self.path)) };
        if !is_long && !self.track.sender.has_header {
            return None;
        }
        self.open = Some(Upload::open(self.track.origin, method, &path));
        if self.track.sender.has_header {
            self.send(reel.header());
        }
        if is_long { None } else { self.end().filter(|answer| answer.status() != 200) }
    }

    /// Begins the request for a segment, where each has its own; gives an answer that refuses the one before.
    fn segment(&mut self, number: u64) -> Option<RawAnswer> {
        if self.track.sender.form == Form::Long {
            return None;
        }
        let former = self.end().filter(|answer| answer.status() != 200);
        self.open = Some(Upload::open(self.track.origin, "PUT", &format!("{}/{number}.m4s", self.path)));
        former
    }

    fn send(&mut self, bytes: &[u8]) {
        let Some(upload) = &mut self.open else { return };
        match self.track.sender.sizes.as_slice() {
            [] => upload.send(bytes),
            sizes => upload.dribble(bytes, sizes),
        }
    }

    /// An answer that came before the end of the body.
    fn refusal(&mut self) -> Option<RawAnswer> {
        let upload = self.open.take_if(|upload| upload.is_answered())?;
        Some(upload.answer(PATIENCE))
    }

    fn end(&mut self) -> Option<RawAnswer> {
        self.open.take().map(|upload| upload.finish(PATIENCE))
    }
}

/// The time since 1970.
///
/// # Panics
/// When the clock stands before it.
#[must_use]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Seconds of a round of [`crate::inputs::live::ladder`].
const ROUND: u64 = 8;
/// Seconds of a segment.
const GROUP: u64 = 2;
/// How far the end is from the moment a show is stopped.
const MOMENT: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::inputs::live;
    use crate::rig::boxes;
    use crate::rig::host::{Host, Reply};

    type Bodies = Arc<Mutex<BTreeMap<String, (Vec<u8>, bool)>>>;

    fn sink() -> (Host, Bodies) {
        let bodies = Bodies::default();
        let kept = Arc::clone(&bodies);
        let host = Host::start(move |asked| {
            let name = format!("{} {}", asked.method, asked.target);
            kept.lock().unwrap().insert(name, (asked.body.clone(), asked.is_whole));
            Reply::of("text/plain", "")
        });
        (host, bodies)
    }

    fn kinds(bytes: &[u8]) -> Vec<String> {
        let kind = |place: &boxes::Place| String::from_utf8(place.kind.to_vec()).unwrap();
        boxes::walk(bytes, 0, bytes.len()).iter().map(kind).collect()
    }

    #[test]
    fn each_track_is_one_body_with_all_chunks_however_it_is_cut() {
        let mut all = Vec::new();
        for sizes in [&[][..], &[1, 7, 1000, 3]] {
            let (host, bodies) = sink();
            let sender = Sender::new("/ingest/show", &live::ladder()).to(host.address()).since(800);
            let sender = sender.until(Duration::from_secs(6)).speed(f64::INFINITY).cut_by(sizes);
            let ended = sender.start().finish();
            assert!(ended.iter().all(|ended| ended.answer.as_ref().unwrap().status() == 200), "{ended:?}");
            let bodies = bodies.lock().unwrap().clone();
            assert_eq!(bodies.len(), 3);
            let (video, is_whole) = &bodies["POST /ingest/show/video-360"];
            assert!(is_whole);
            let kinds = kinds(video);
            assert_eq!(kinds[..6], ["ftyp", "moov", "styp", "prft", "moof", "mdat"]);
            assert_eq!(kinds.iter().filter(|kind| *kind == "moof").count(), 30);
            assert_eq!(video.windows(4).filter(|window| window == b"lmsg").count(), 2);
            all.push(without_prft(video));
        }
        assert!(all[0] == all[1], "the bytes depend on how they are cut");
    }

    #[test]
    fn a_segment_can_be_an_object() {
        let (host, bodies) = sink();
        let tracks = &live::ladder()[..1];
        let sender = Sender::new("/ingest/show", tracks).to(host.address()).in_objects();
        let _ = sender.until(Duration::from_secs(4)).speed(f64::INFINITY).start().finish();
        let bodies = bodies.lock().unwrap();
        let names: Vec<&String> = bodies.keys().collect();
        assert_eq!(
            names,
            ["0.m4s", "1.m4s", "init.mp4"]
                .map(|n| format!("PUT /ingest/show/video-360/{n}"))
                .iter()
                .collect::<Vec<_>>()
        );
        assert_eq!(kinds(&bodies["PUT /ingest/show/video-360/init.mp4"].0), ["ftyp", "moov"]);
        assert_eq!(kinds(&bodies["PUT /ingest/show/video-360/1.m4s"].0).len(), 10 * 3 + 2);
    }

    #[test]
    fn it_keeps_the_pace_of_the_clock_and_ends_where_it_is_stopped() {
        let (host, bodies) = sink();
        let sender = Sender::new("/ingest/show", &live::ladder()).to(host.address()).by_the_wall_clock();
        let before = unix_time();
        let sending = sender.start();
        thread::sleep(Duration::from_millis(700));
        assert!(!sending.has_ended());
        let ended = sending.stop();
        let after = unix_time();
        for ended in &ended {
            // A chunk lasts up to 214 ms, and the end lies 400 ms behind the stop.
            assert!(ended.end > before + Duration::from_millis(800), "{ended:?}");
            assert!(ended.end < after + Duration::from_millis(250), "{ended:?}");
        }
        assert!(bodies.lock().unwrap().values().all(|(_, is_whole)| *is_whole));
    }

    #[test]
    fn a_cut_leaves_the_body_open() {
        let (host, bodies) = sink();
        let sender =
            Sender::new("/ingest/show", &live::ladder()[..1]).to(host.address()).speed(f64::INFINITY);
        let ended = sender
            .from(Duration::from_secs(4))
            .until(Duration::from_secs(5))
            .ending(Ending::Cut)
            .without_header();
        assert!(ended.start().finish()[0].answer.is_none());
        let whole =
            crate::rig::deadline::until("the body", || bodies.lock().unwrap().values().next().cloned());
        assert!(!whole.1 && whole.0[4..8] == *b"styp");
    }

    fn without_prft(bytes: &[u8]) -> Vec<u8> {
        let places = boxes::walk(bytes, 0, bytes.len());
        places
            .iter()
            .filter(|place| place.kind != *b"prft")
            .flat_map(|p| bytes[p.start..p.end].to_vec())
            .collect()
    }
}
