//! Where live streams are worked on: doors for publishers, and what makes their shows.
//!
//! ```text
//! rtmp, rtmps ─▶ Ingest ─▶ Worker ─▶ Relay ─▶ http://origin/t/<token>/ingest/<stream>/<track>
//!                   └ stream keys     └ leases
//! ```

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authz::{CanonicalPath, Carrier, Claims, ResourceGlob, Scope, Verb, mint};
use http::Uri;
use http::uri::Authority;
use packager::asset::{RenditionName, StreamName};
use packager::time::Bitrate;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use transcoder::ingest::{Ingest, KeyedPublishers, Limits, Publications, ShowPolicy};
use transcoder::live::Targets;
use transcoder::live::relay::{Origin, Relay, Settings, Silence, SteadyClock};
use transcoder::publishing::WorkerName;
use transcoder::worker::{Crew, Worker};
use transcoder::{Cancel, Cause};

use super::super::Failure;
use super::super::ask::Peer;
use crate::clock::Clock;
use crate::config::{Config, Filler};
use crate::db::Ports;
use crate::edge::pingora::server_config;
use crate::keyring::Keyring;
use crate::metrics::Metrics;

/// Doors that are open, and who works behind them.
pub(in crate::cli) struct Shop {
    ingest: Ingest,
    publications: Publications,
    clear: Option<TcpListener>,
    secure: Option<(TcpListener, TlsAcceptor)>,
    worker: Worker,
    metrics: Arc<Metrics>,
}

/// What a shop is opened with.
pub(in crate::cli) struct Means<'a> {
    pub(in crate::cli) config: &'a Config,
    pub(in crate::cli) ports: &'a Ports,
    /// The keys with which the way to origins is signed.
    pub(in crate::cli) keys: Arc<Keyring>,
    pub(in crate::cli) clock: Clock,
    pub(in crate::cli) metrics: Arc<Metrics>,
    /// The origin that is fed where the configuration names none.
    pub(in crate::cli) own: SocketAddr,
}

impl Shop {
    /// Opens the doors that the configuration names; `None` where it names none.
    pub(in crate::cli) async fn open(means: Means<'_>) -> Result<Option<Self>, Failure> {
        let Means { config, ports, keys, clock, metrics, own } = means;
        let rtmp = &config.rtmp;
        if rtmp.listen.is_none() && rtmp.listen_tls.is_none() {
            return Ok(None);
        }
        let policy = ShowPolicy { window: rtmp.reconnect.as_duration() };
        let publishers = KeyedPublishers::new(Arc::clone(&ports.stream_keys), policy);
        let (ingest, publications) = Ingest::new(limits(config), Arc::new(publishers));
        let bind = |address: SocketAddr, name: &'static str| async move {
            let bound = TcpListener::bind(address).await;
            bound.map_err(|e| Failure::from(format!("cannot listen on {address} ({name}): {e}")))
        };
        let clear = match rtmp.listen {
            Some(address) => Some(bind(address, "rtmp.listen").await?),
            None => None,
        };
        let secure = match (rtmp.listen_tls, &rtmp.tls) {
            (Some(address), Some(files)) => {
                let acceptor = TlsAcceptor::from(Arc::new(server_config(files)?));
                Some((bind(address, "rtmp.listen_tls").await?, acceptor))
            }
            _ => None,
        };
        let worker = Worker {
            name: name(config)?,
            leases: Arc::clone(&ports.leases),
            ttl: TTL,
            shows: Arc::clone(&ports.shows),
            crew: crew(config, keys, clock, own)?,
            watcher: metrics.work().watcher(),
        };
        Ok(Some(Self { ingest, publications, clear, secure, worker, metrics }))
    }

    /// Where publishers come in, as it stands behind other addresses on a line: ` rtmp=127.0.0.1:1935`.
    pub(in crate::cli) fn addresses(&self) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(clear) = &self.clear {
            write!(text, " rtmp={}", clear.local_addr()?)?;
        }
        if let Some((secure, _)) = &self.secure {
            write!(text, " rtmps={}", secure.local_addr()?)?;
        }
        Ok(text)
    }

    /// Where publishers come in in clear.
    #[cfg(feature = "demo")]
    pub(in crate::cli) fn rtmp(&self) -> Option<SocketAddr> {
        self.clear.as_ref().and_then(|clear| clear.local_addr().ok())
    }

    /// Works until `stop` is thrown. What publishers send then is still sent on for a moment; their shows go on where they
    /// connect next.
    pub(in crate::cli) async fn run(self, stop: &Cancel) {
        let Self { ingest, publications, clear, secure, worker, metrics } = self;
        let counted = async {
            loop {
                metrics.work().counts(&ingest.counts());
                tokio::select! {
                    () = tokio::time::sleep(COUNTED_EVERY) => {}
                    () = stop.cancelled() => break,
                }
            }
        };
        let clear = async {
            if let Some(listener) = clear {
                ingest.serve(listener, stop).await;
            }
        };
        let secure = async {
            if let Some((listener, acceptor)) = secure {
                ingest.serve_through(listener, stop, |stream| acceptor.accept(stream)).await;
            }
        };
        tokio::join!(counted, clear, secure, worker.run(publications, stop));
    }
}

fn limits(config: &Config) -> Limits {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let default = Limits::default();
    Limits {
        connections: count(config.rtmp.connections),
        pending: default.pending.min(count(config.rtmp.connections)),
        per_address: count(config.rtmp.per_address),
        takeovers: count(config.rtmp.takeovers),
        ..default
    }
}

/// What this worker is called: as configured, or as the machine is.
fn name(config: &Config) -> Result<WorkerName, Failure> {
    if let Some(name) = &config.work.name {
        return Ok(name.clone());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let name = host.trim().parse();
    name.map_err(|fault| {
        format!("work.name is not set, and the name of this machine is none: {fault}").into()
    })
}

/// How the shows of all streams are made.
fn crew(config: &Config, keys: Arc<Keyring>, clock: Clock, own: SocketAddr) -> Result<Crew, Failure> {
    let work = &config.work;
    let segment = config.live.segment.as_duration().as_millis();
    let settings = Settings {
        segment_ms: u32::try_from(segment)?,
        max_height: u32::try_from(work.max_height)?,
        rungs: usize::try_from(work.rungs)?,
        preset: work.preset,
        pass_through: work.pass.then_some(MOST_PASSED),
        silence: match work.filler {
            Filler::Slate => Silence::Slate,
            Filler::Gap => Silence::Gap,
        },
        ..Settings::default()
    };
    let carrier = Arc::new(config.auth.carrier()?);
    let authorities = match work.origins.is_empty() {
        true => vec![Peer::at(own).to_string().parse()?],
        false => work.origins.iter().map(|origin| origin.authority().clone()).collect(),
    };
    let (tools, scratch) = (work.tools(), std::env::temp_dir());
    Ok(Crew::new(move |stream, window| {
        let origins = authorities.iter().map(|authority: &Authority| {
            let way = Way {
                stream: stream.clone(),
                authority: authority.clone(),
                keys: Arc::clone(&keys),
                carrier: Arc::clone(&carrier),
                clock: clock.clone(),
            };
            Origin { name: authority.to_string(), targets: Targets::new(move |track| way.to(track)) }
        });
        Relay {
            tools: tools.clone(),
            scratch: scratch.clone(),
            clock: SteadyClock::starting_at(Duration::from_millis(clock.now_millis())),
            settings: Settings { reconnect: window, ..settings.clone() },
            origins: origins.collect(),
            past: None,
        }
    }))
}

/// The way of a stream to one origin.
struct Way {
    stream: StreamName,
    authority: Authority,
    keys: Arc<Keyring>,
    carrier: Arc<Carrier>,
    clock: Clock,
}

impl Way {
    /// Where a track is sent, under a token of its own. Where no key can sign, the origin must ask for none.
    fn to(&self, track: &RenditionName) -> Result<Uri, Cause> {
        let plain = format!("/ingest/{}/{track}", self.stream);
        let keys = self.keys.current();
        let path = match keys.signer() {
            None => plain,
            Some(signer) => {
                let expires = self.clock.now().plus(TOKEN);
                let scope = Scope::new(Verb::Publish, vec![ResourceGlob::parse(&plain)?])?;
                let token = mint(&Claims::new(expires, scope)?, signer)?;
                let path = CanonicalPath::parse(plain.as_bytes())?;
                self.carrier
                    .url_path(&token, &path)
                    .ok_or("expected auth.path, found paths that carry no tokens")?
            }
        };
        Ok(Uri::try_from(format!("http://{}{path}", self.authority))?)
    }
}

/// How long a stream stays with a worker that is gone, where its publisher is gone too.
const TTL: Duration = Duration::from_secs(10);
/// How long the token of a track's request is good. The request ends with it, and is made again.
const TOKEN: Duration = Duration::from_secs(6 * 3600);
/// A publisher's own picture is passed on up to this rate: what the rung of its size may take at most, twice over.
const MOST_PASSED: Bitrate = Bitrate(8_000_000);
const COUNTED_EVERY: Duration = Duration::from_secs(1);
