//! A running origin: listeners, a signal, and the order in which they end.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;

use transcoder::Cancel;
use transcoder::publishing::WorkerName;

use super::interrupt::interrupted;
use super::work::{Means, Shop};
use super::{End, Ended, Failure, logging};
use crate::Origin;
use crate::cache::Peers;
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::db;
use crate::edge::pingora::{Admin, App, Listener, NOTICE};
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::service::Pages;
use crate::shutdown::Shutdown;
use crate::store::{Patience, Store};

/// Pages beside the media, asked for at each request of one.
pub(super) type PageSource = Box<dyn Fn() -> Arc<Pages> + Send + Sync>;

/// Listeners that are bound, with what they serve.
pub(super) struct Daemon {
    config: Config,
    http: Listener,
    https: Option<Listener>,
    admin: Listener,
    /// Where other nodes ask.
    peers: Option<(Listener, Arc<App>)>,
    public_app: Arc<App>,
    admin_app: Arc<App>,
    origin: Origin,
    /// Where live streams are worked on, if that is done here too.
    shop: Option<Shop>,
    shutdown: Shutdown,
}

impl Daemon {
    /// Opens everything that `config` names, and binds the addresses.
    pub(super) async fn open(
        config: Config,
        keys: Arc<Keyring>,
        pages: Option<PageSource>,
    ) -> Result<Self, Failure> {
        let metrics = Arc::new(Metrics::new(Registry::new())?);
        let patience = Patience {
            deadline: config.store.deadline.as_duration(),
            tries: u32::try_from(config.store.tries)?,
            ..Patience::default()
        };
        let clock = Clock::system();
        let peers =
            Peers::open(&config.peers, &clock, &metrics).map_err(|e| format!("peers.secret_file: {e}"))?;
        let store = Store::open(&config.store.url, patience, Arc::clone(&metrics))?;
        let ports = db::open(&config.database).await?;
        let mut builder = Origin::builder(&config)
            .catalog(Arc::clone(&ports.catalog))
            .shows(Arc::clone(&ports.shows))
            .recordings(Arc::clone(&ports.recordings), holder(&config)?)
            .publishing(Arc::clone(&ports.publishing))
            .opened(store.clone())
            .peers(peers.clone())
            .clock(clock.clone())
            .keys(Arc::clone(&keys))
            .metrics(Arc::clone(&metrics));
        if let Some(pages) = pages {
            builder = builder.pages(pages);
        }
        let origin = builder.build()?;
        let shutdown = Shutdown::new();
        let admin = Admin {
            store,
            catalog: Arc::clone(&ports.catalog),
            metrics: Arc::clone(&metrics),
            signal: shutdown.signal(),
            operations: Some(origin.service()),
        };
        let listen = &config.listen;
        let bind = |address, name: &str| {
            let what = format!("cannot listen on {address} ({name})");
            async move { Listener::clear(address).await.map_err(|e| Failure::from(format!("{what}: {e}"))) }
        };
        let http = bind(listen.http, "listen.http").await?;
        let means = Means { config: &config, ports: &ports, keys, clock, metrics, own: http.address()? };
        let shop = Shop::open(means).await?;
        Ok(Self {
            http,
            shop,
            https: match (listen.https, &config.tls) {
                (Some(address), Some(files)) => Some(Listener::tls(address, files).await?),
                _ => None,
            },
            admin: bind(listen.admin, "listen.admin").await?,
            peers: match (config.peers.listen, peers) {
                (Some(address), Some(peers)) => {
                    let app = App::peers(origin.answering(peers), &config.limits);
                    Some((bind(address, "peers.listen").await?, app))
                }
                _ => None,
            },
            public_app: App::public(origin.clone(), &config.limits),
            admin_app: App::admin(admin, &config.limits),
            origin,
            shutdown,
            config,
        })
    }

    /// Where it listens, on one line: `http=127.0.0.1:8080 admin=127.0.0.1:9080`.
    pub(super) fn addresses(&self) -> Result<String, Failure> {
        let mut text = format!("http={}", self.http.address()?);
        if let Some(https) = &self.https {
            write!(text, " https={}", https.address()?)?;
        }
        if let Some(shop) = &self.shop {
            text.push_str(&shop.addresses()?);
        }
        if let Some((peers, _)) = &self.peers {
            write!(text, " peers={}", peers.address()?)?;
        }
        write!(text, " admin={}", self.admin.address()?)?;
        Ok(text)
    }

    /// The address for clear HTTP.
    #[cfg(any(feature = "demo", test))]
    pub(super) fn http(&self) -> Result<std::net::SocketAddr, Failure> {
        Ok(self.http.address()?)
    }

    /// Where publishers come in in clear.
    #[cfg(feature = "demo")]
    pub(super) fn rtmp(&self) -> Option<std::net::SocketAddr> {
        self.shop.as_ref().and_then(Shop::rtmp)
    }

    /// Serves until the process is told to end, and then until the last answer is sent or the grace is over. A
    /// second wish to end is the end.
    pub(super) async fn serve(self) -> Ended {
        let Self { config, http, https, admin, peers, public_app, admin_app, origin, shop, shutdown } = self;
        let limits = &config.limits;
        let grace = limits.grace.as_duration();
        let public = async {
            let clear = http.serve(Arc::clone(&public_app), limits, shutdown.signal());
            let secure = async {
                if let Some(https) = https {
                    https.serve(Arc::clone(&public_app), limits, shutdown.signal()).await;
                }
            };
            let others = async {
                if let Some((peers, app)) = peers {
                    let limits = Limits { connections: config.peers.connections, ..limits.clone() };
                    peers.serve(app, &limits, shutdown.signal()).await;
                }
            };
            tokio::join!(clear, secure, others);
            // Nothing is left to wait for.
            shutdown.stop();
        };
        let operators = async {
            // Probes and the last scrape are answered until the end.
            tokio::select! {
                () = admin.serve(admin_app, limits, Shutdown::new().signal()) => {}
                () = async { shutdown.signal().stopping().await } => {}
            }
        };
        let leaving = async {
            let signal = shutdown.signal();
            signal.draining().await;
            // As long as requests may still be sent here.
            let _ = tokio::time::timeout(NOTICE.min(grace / 2), signal.stopping()).await;
            origin.leave();
        };
        let working = async {
            let Some(shop) = shop else { return };
            let (signal, stop) = (shutdown.signal(), Cancel::new());
            let stopping = async {
                signal.draining().await;
                stop.cancel();
            };
            tokio::join!(shop.run(&stop), stopping);
        };
        let ending = async {
            interrupted().await?;
            tracing::info!(grace_s = grace.as_secs(), "draining");
            tokio::select! {
                () = shutdown.wind_down(grace) => {}
                again = interrupted() => {
                    again?;
                    shutdown.stop();
                }
            }
            Ok::<(), std::io::Error>(())
        };
        let tending = async {
            tokio::select! {
                () = origin.tend() => {}
                () = async { shutdown.signal().stopping().await } => {}
            }
        };
        let ((), (), (), (), (), ended) = tokio::join!(public, operators, leaving, working, tending, ending);
        ended?;
        origin.stop_recording().await;
        tracing::info!("stopped");
        Ok(End::Done)
    }
}

/// Who this origin is among those that record shows: its machine and its port, and where that is any, its process. Under the
/// same name it goes on at once after a restart.
fn holder(config: &Config) -> Result<WorkerName, Failure> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let port = match config.listen.http.port() {
        0 => format!("p{}", std::process::id()),
        port => port.to_string(),
    };
    // As much of it as a name may have.
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        .take(50)
        .collect();
    Ok(format!("{host}-{port}").to_ascii_lowercase().parse()?)
}

/// The configuration, with its log begun and what is probably not meant in it.
pub(super) fn configured(path: &Path) -> Result<Config, Failure> {
    let config = Config::load(path)?;
    logging::start(&config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// The keys that the configuration names; none where it needs none.
pub(super) fn keyring(config: &Config) -> Result<Arc<Keyring>, Failure> {
    Ok(Arc::new(match &config.auth.keys {
        Some(path) => Keyring::load(path)?,
        None => Keyring::new(authz::KeySet::empty()),
    }))
}

/// A runtime with the configuration's threads.
pub(super) fn runtime(config: &Config) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = usize::try_from(config.limits.threads).ok().filter(|n| *n > 0) {
        builder.worker_threads(threads);
    }
    builder.thread_name("forebay").thread_keep_alive(Duration::from_secs(10)).enable_all().build()
}
