//! A publisher, origins and the relay between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as Track, State};
use axum::routing::post;
use bytes::Bytes;
use forebay_transcoder::ingest::{Tag, TagKind};
use forebay_transcoder::ladder::Preset;
use forebay_transcoder::live::Targets;
use forebay_transcoder::live::relay::{
    Event, Origin, Past, Publication, Relay, Settings, SteadyClock, TRACK_END,
};
use forebay_transcoder::{Cancel, Tools};
use futures_util::StreamExt;
use http::{StatusCode, Uri};
use packager::asset::RenditionName;
use packager::live::{Cadence, Event as Media, Feed, Form, Listing, Plan, Sender, Show, Splitter};
use packager::time::MediaTime;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a publisher would send, from a file.
#[derive(Clone)]
pub(crate) struct Clip(pub(crate) Vec<Tag>);

impl Clip {
    /// Frames whose brightness is one of thirteen steps, each the next one of that before it, with a tone.
    pub(crate) fn steps(folder: &Path, size: &str, rate: u32, options: &str) -> Self {
        let picture = format!("nullsrc=s={size}:r={rate},geq=lum='mod(N*16\\,208)+24':cb=128:cr=128");
        Self::make(folder, &picture, options)
    }

    pub(crate) fn make(folder: &Path, picture: &str, options: &str) -> Self {
        let file = folder.join(format!("{:x}.flv", picture.len() * 1000 + options.len()));
        let tone = "sine=frequency=440:sample_rate=44100";
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone])
            .args("-t 12 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -ac 2 -b:a 64k".split(' '))
            .args(options.split_whitespace())
            .args(["-flvflags", "no_duration_filesize", "-f", "flv"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(tags(&std::fs::read(&file).unwrap()))
    }

    /// HEVC and Opus, as Enhanced RTMP has them.
    pub(crate) fn hevc(folder: &Path) -> Self {
        let codec = "libx265 -preset ultrafast -x265-params \
                     keyint=60:min-keyint=60:scenecut=0:bframes=0:log-level=none";
        // What a picture of it begins with: its composition time.
        Self::enhanced(folder, codec, *b"hvc1", &[0; 3])
    }

    /// The same of AV1.
    pub(crate) fn av1(folder: &Path) -> Self {
        let codec = "libaom-av1 -cpu-used 8 -usage realtime -row-mt 1 -g 60 -keyint_min 60 -lag-in-frames 0 -b:v 300k";
        Self::enhanced(folder, codec, *b"av01", &[])
    }

    /// The same of VP9.
    pub(crate) fn vp9(folder: &Path) -> Self {
        let codec = "libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -g 60 -keyint_min 60 -lag-in-frames 0 -b:v 300k";
        Self::enhanced(folder, codec, *b"vp09", &[])
    }

    fn enhanced(folder: &Path, codec: &str, four: [u8; 4], before: &[u8]) -> Self {
        let file = folder.join("enhanced.mkv");
        let inputs = "-f lavfi -i testsrc2=s=320x240:r=30 -f lavfi -i sine=frequency=440:sample_rate=48000";
        let mut tool = Command::new("ffmpeg");
        tool.args(["-v", "error", "-nostdin", "-y"]).args(inputs.split(' '));
        tool.args("-t 8 -pix_fmt yuv420p -c:v".split(' ')).args(codec.split_whitespace());
        tool.args("-c:a libopus -b:a 64k".split(' '));
        assert!(tool.arg(&file).stderr(Stdio::null()).status().unwrap().success());
        let said = Command::new("ffprobe")
            .args("-v error -show_packets -show_streams -show_data -of json".split(' '))
            .arg(&file)
            .output()
            .unwrap();
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        let tag = |stream: &serde_json::Value, at_ms, head: [u8; 2], rest: &[u8], data: &str| {
            let (kind, first, code) = match stream.as_u64().unwrap() {
                0 => (TagKind::Video, head[0], four),
                _ => (TagKind::Audio, head[1], *b"Opus"),
            };
            let rest = if kind == TagKind::Video { rest } else { &[] };
            Tag { kind, at_ms, data: [&[first][..], &code, rest, &bytes_of(data)].concat().into() }
        };
        let streams = said["streams"].as_array().unwrap().iter();
        // What describes VP9 is in each picture: Matroska may have nothing more.
        let heads = streams.map(|s| {
            let description = s["extradata"].as_str().unwrap_or(VP9_DESCRIPTION);
            tag(&s["index"], 0, [0x90, 0x90], &[], description)
        });
        let packets = said["packets"].as_array().unwrap().iter().map(|packet| {
            let seconds: f64 = packet["pts_time"].as_str().unwrap().parse().unwrap();
            let is_key = packet["flags"].as_str().unwrap().contains('K');
            let head = [if is_key { 0x91 } else { 0xa1 }, 0x91];
            let at_ms = (seconds * 1000.0).round() as i64;
            tag(&packet["stream_index"], at_ms, head, before, packet["data"].as_str().unwrap())
        });
        Self(heads.chain(packets).collect())
    }

    /// The same at other times of the publisher's.
    pub(crate) fn later(&self, by_ms: i64) -> Self {
        Self(self.0.iter().map(|tag| Tag { at_ms: tag.at_ms + by_ms, ..tag.clone() }).collect())
    }
}

/// A `vpcC` of profile 0, level 1.1, 8 bits, 4:2:0 (VP Codec ISO Media File Format Binding), as a dump.
const VP9_DESCRIPTION: &str = "\n00000000: 0100 0000 000b 8201 0101 0000  .\n";

/// The bytes of a hexadecimal dump: lines of an offset, a colon, groups of digits, and, two blanks behind them, the text.
fn bytes_of(dump: &str) -> Vec<u8> {
    let lines = dump.lines().filter_map(|line| line.split_once(": ")?.1.split("  ").next());
    let digits: String = lines.flat_map(|line| line.chars().filter(char::is_ascii_hexdigit)).collect();
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// The tags of an FLV file.
fn tags(file: &[u8]) -> Vec<Tag> {
    let (mut tags, mut at) = (Vec::new(), 13);
    while at + 11 <= file.len() {
        let head = &file[at..at + 11];
        let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
        let at_ms = i64::from(u32::from_be_bytes([head[7], head[4], head[5], head[6]]));
        let kind = match head[0] {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            _ => TagKind::Script,
        };
        let data = Bytes::copy_from_slice(&file[at + 11..at + 11 + length]);
        tags.push(Tag { kind, at_ms, data });
        at += 11 + length + 4;
    }
    tags
}

/// An origin that keeps what is sent.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Kept>>);

#[derive(Default)]
pub(crate) struct Kept {
    /// The bodies of each track that were not empty, in the order of their requests.
    pub(crate) bodies: BTreeMap<String, Vec<Vec<u8>>>,
    /// Whether bodies are read no further.
    pub(crate) is_stuck: bool,
    /// Whether questions are answered.
    pub(crate) answers: bool,
    /// After how many bytes the next body is answered with what.
    pub(crate) refusal: Option<(usize, StatusCode)>,
}

/// An origin that can be reached. Dropping it breaks its connections.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Sink {
    pub(crate) async fn open(&self, address: Option<SocketAddr>) -> Serving {
        let address = address.unwrap_or(([127, 0, 0, 1], 0).into());
        // The one before it may be about to go.
        let listener = within(5, async {
            loop {
                match tokio::net::TcpListener::bind(address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/ingest/show/{track}", post(take)).with_state(self.clone());
        let mut task = JoinSet::new();
        // Each connection is a task of its own here, so that they end with the origin.
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let service = hyper_util::service::TowerToHyperService::new(app.clone());
                connections.spawn(async move {
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ended =
                        hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Serving { address, _task: task }
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bodies(&self, track: &str) -> Vec<Vec<u8>> {
        self.look().bodies.get(track).cloned().unwrap_or_default()
    }

    /// The headers and samples of all bodies of a track.
    pub(crate) fn all(&self, track: &str) -> (Vec<Vec<u8>>, Vec<Sample>) {
        let bodies = self.bodies(track);
        let read: Vec<_> = bodies.iter().map(|body| read(body)).collect();
        let headers = read.iter().flat_map(|(headers, ..)| headers.clone()).collect();
        (headers, read.into_iter().flat_map(|(_, samples, _)| samples).collect())
    }

    /// Waits until a track has come to `seconds` after its first sample.
    pub(crate) async fn reaches(&self, track: &str, seconds: i64) {
        let is_there = || {
            let samples: Vec<Sample> = self.bodies(track).iter().flat_map(|body| read(body).1).collect();
            let first = samples.iter().map(|sample| sample.micros).min();
            first.is_some_and(|first| {
                samples.iter().any(|sample| sample.micros >= first + seconds * 1_000_000)
            })
        };
        within(30, async {
            while !is_there() {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        })
        .await;
    }
}

async fn take(
    State(sink): State<Sink>,
    Track(track): Track<String>,
    body: Body,
) -> (StatusCode, [(http::HeaderName, String); 1], &'static str) {
    let mut body = body.into_data_stream();
    let mut number = None;
    while let Some(Ok(bytes)) = body.next().await {
        while sink.look().is_stuck {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut kept = sink.look();
        let bodies = kept.bodies.entry(track.clone()).or_default();
        let number = *number.get_or_insert_with(|| {
            bodies.push(Vec::new());
            bodies.len() - 1
        });
        bodies[number].extend_from_slice(&bytes);
        let length = bodies[number].len();
        if let Some((_, status)) = kept.refusal.take_if(|(after, _)| length > *after) {
            return (status, [(TRACK_END, String::new())], "no more of this\nsecond line\n");
        }
    }
    let kept = sink.look();
    let end = kept.bodies.get(&track).and_then(|bodies| {
        bodies.iter().flat_map(|body| read(body).1).map(|sample| sample.micros + sample.lasts).max()
    });
    let end = end.filter(|_| kept.answers).map_or_else(String::new, |end| end.to_string());
    (StatusCode::OK, [(TRACK_END, end)], "")
}

/// A sample of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) decode: i64,
    pub(crate) end: i64,
    pub(crate) micros: i64,
    pub(crate) lasts: i64,
    /// When it is shown, in microseconds.
    pub(crate) shown: i64,
    pub(crate) sync: bool,
}

/// What a body holds: its headers, its samples, and whether it says that it is the last. It may be cut anywhere.
pub(crate) fn read(body: &[u8]) -> (Vec<Vec<u8>>, Vec<Sample>, bool) {
    let mut splitter = Splitter::new();
    splitter.feed(Bytes::copy_from_slice(body));
    let (mut headers, mut samples, mut last) = (Vec::new(), Vec::new(), false);
    while let Ok(Some(event)) = splitter.next() {
        match event {
            Media::Header(header) => headers.push(header.init().to_vec()),
            Media::Chunk(chunk) => {
                last |= chunk.last;
                let scale = splitter.header().unwrap().timescale();
                samples.extend(chunk.samples.iter().map(|sample| {
                    let at = |ticks| MediaTime::new(ticks, scale).as_micros();
                    let (decode, end) = (sample.decode, sample.decode_end());
                    let (lasts, shown) = (at(end) - at(decode), at(sample.presented()));
                    Sample { decode, end, micros: at(decode), lasts, shown, sync: sample.sync }
                }));
            }
        }
    }
    (headers, samples, last)
}

/// The playlist of a track that an origin makes of the bodies of all.
pub(crate) fn playlist(sink: &Sink, track: &str) -> String {
    let cadence = Cadence::new(NonZeroU32::new(2_000).unwrap(), NonZeroU32::new(6).unwrap());
    let mut show = Show::new(Plan {
        cadence,
        listing: Listing::Event,
        anchor_ms: 0,
        tracks: 8,
        begins: true,
        last: None,
        inits: Vec::new(),
        keeping: None,
        past: std::collections::BTreeMap::new(),
        ranges: Vec::new(),
    });
    let bodies = sink.look().bodies.clone();
    for (number, (name, body)) in
        (0..).zip(bodies.iter().flat_map(|(name, bodies)| bodies.iter().map(move |body| (name, body))))
    {
        let name: RenditionName = name.parse().unwrap();
        let (mut feed, mut splitter) = (Feed::new(Sender(number)), Splitter::new());
        splitter.feed(Bytes::copy_from_slice(body));
        while let Ok(Some(event)) = splitter.next() {
            match event {
                Media::Header(header) => show.greet(&name, &header).unwrap(),
                Media::Chunk(chunk) => {
                    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                    feed.read_with(splitter.header().unwrap().clone());
                    let now_ms = i64::try_from(now.as_millis()).unwrap();
                    let times: Vec<_> =
                        chunk.samples.iter().map(|s| (s.decode, s.duration, s.sync)).collect();
                    let taken = show.push(&name, &mut feed, chunk, now_ms).unwrap();
                    assert_eq!(taken.dropped, 0, "{name}: {times:?}");
                }
            }
        }
    }
    show.playlist(&track.parse().unwrap()).unwrap().render(Form::Full)
}

/// Each sample begins where the one before it ends.
pub(crate) fn assert_unbroken(what: &str, samples: &[Sample]) {
    for pair in samples.windows(2) {
        assert_eq!(pair[1].decode, pair[0].end, "{what} {pair:?}");
    }
}

/// Keyframes are at all whole multiples of two seconds, and else only at `others`.
pub(crate) fn assert_on_grid(what: &str, samples: &[Sample], others: usize) {
    assert_eq!(off_grid(what, samples), others, "{what}: keyframes off the grid");
}

/// How many keyframes there are beside those at all whole multiples of two seconds.
pub(crate) fn off_grid(what: &str, samples: &[Sample]) -> usize {
    let mut found = 0;
    for sample in samples {
        let is_boundary = sample.micros % 2_000_000 == 0;
        assert!(sample.sync || !is_boundary, "{what}: no keyframe at {}", sample.micros);
        found += usize::from(sample.sync && !is_boundary);
    }
    found
}

/// The brightness of each frame of a body, in steps of sixteen.
pub(crate) fn steps(folder: &Path, body: &[u8]) -> Vec<u8> {
    let file = folder.join("decoded.mp4");
    std::fs::write(&file, body).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-fflags", "+discardcorrupt", "-i"])
        .arg(&file)
        .args(
            "-fps_mode passthrough -vf crop=64:64,extractplanes=y,scale=1:1:flags=area -f rawvideo -"
                .split(' '),
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.iter().map(|luma| (luma.saturating_sub(16)) / 16).collect()
}

/// A show that is made of what a publisher sends.
pub(crate) struct Air {
    pub(crate) folder: TempDir,
    pub(crate) relay: Relay,
    publications: mpsc::Sender<Publication>,
    incoming: Option<mpsc::Receiver<Publication>>,
    pub(crate) cancel: Cancel,
    events: mpsc::Sender<Event>,
    told: mpsc::Receiver<Event>,
    running: JoinSet<()>,
    publishers: JoinSet<()>,
}

impl Air {
    pub(crate) fn new(settings: Settings, origins: &[&Serving]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let origin = |serving: &&Serving| {
            let address = serving.address;
            let target = move |track: &RenditionName| {
                Ok(Uri::try_from(format!("http://{address}/ingest/show/{track}"))?)
            };
            Origin { name: address.to_string(), targets: Targets::new(target) }
        };
        let relay = Relay {
            tools: told_by_pid(folder.path()),
            scratch: folder.path().to_owned(),
            clock: SteadyClock::starting_at(now),
            settings: Settings { preset: Preset::Ultrafast, ..settings },
            origins: origins.iter().map(origin).collect(),
            past: None,
        };
        let (publications, incoming) = mpsc::channel(4);
        let (events, told) = mpsc::channel(256);
        Self {
            folder,
            relay,
            publications,
            incoming: Some(incoming),
            cancel: Cancel::new(),
            events,
            told,
            running: JoinSet::new(),
            publishers: JoinSet::new(),
        }
    }

    /// Connects a publisher that sends a clip at its own pace, and hangs up after so many milliseconds of it.
    pub(crate) async fn publish(&mut self, clip: &Clip, lasts_ms: i64) {
        let (tags, publication) = mpsc::channel(64);
        self.publications.send(publication).await.unwrap();
        if let Some(mut incoming) = self.incoming.take() {
            let (relay, events, cancel) = (self.relay.clone(), self.events.clone(), self.cancel.clone());
            self.running.spawn(async move { relay.run(&mut incoming, &events, &cancel).await.unwrap() });
        }
        let clip = clip.clone();
        self.publishers.spawn(async move {
            let (began, first) = (tokio::time::Instant::now(), clip.0[0].at_ms);
            for tag in clip.0.into_iter().take_while(|tag| tag.at_ms - first < lasts_ms) {
                let due = Duration::from_millis(u64::try_from((tag.at_ms - first).max(0)).unwrap());
                tokio::time::sleep_until(began + due).await;
                if tags.send(tag).await.is_err() {
                    return;
                }
            }
        });
    }

    /// The show that a worker goes on with which comes when this one dies, by a clock that is `later`. What had been sent to
    /// the origins is there.
    pub(crate) async fn succeeded(self, tracks: &[&str], later: Duration) -> Self {
        let Self { relay, running, .. } = self;
        drop(running);
        let tracks: Vec<RenditionName> = tracks.iter().map(|track| track.parse().unwrap()).collect();
        let mut next = Self::new(relay.settings.clone(), &[]);
        next.relay.origins = relay.origins;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        next.relay.clock = SteadyClock::starting_at(now + later);
        next.relay.past = Some(Past::ask(&next.relay.origins, &tracks, None).await);
        next
    }

    /// Stops the show, and gives what was told.
    pub(crate) async fn stop(mut self) -> Vec<Event> {
        self.cancel.cancel();
        self.over().await
    }

    /// Waits until the show is over.
    pub(crate) async fn over(&mut self) -> Vec<Event> {
        within(30, async { while self.running.join_next().await.is_some_and(|ended| ended.is_ok()) {} })
            .await;
        let mut all = Vec::new();
        while let Ok(event) = self.told.try_recv() {
            all.push(event);
        }
        all
    }

    /// Sends a signal to the encoder.
    pub(crate) fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).unwrap();
        let status = Command::new("kill").args(["-s", name, pid.trim()]).status().unwrap();
        assert!(status.success());
    }
}

/// The encoder; the same tests can be run for another version of it.
pub(crate) fn encoder() -> String {
    std::env::var("FOREBAY_TEST_FFMPEG").unwrap_or_else(|_| "ffmpeg".to_owned())
}

/// ffmpeg, which writes the number of its process into a file if it is fed from a pipe.
fn told_by_pid(folder: &Path) -> Tools {
    let (script, pid): (PathBuf, PathBuf) = (folder.join("ffmpeg"), folder.join("pid"));
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *pipe:3*) echo $$ > {};; esac\nexec {} \"$@\"\n",
        pid.display(),
        encoder()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Tools { ffmpeg: script, ..Tools::default() }
}

pub(crate) async fn within<T>(seconds: u64, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), wait).await.expect("it happens in time")
}
