//! Putting an origin together from its collaborators.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use http::{HeaderMap, Method, Request};
use object_store::ObjectStore;
use packager::time::MediaTime;
use prometheus::Registry;
use tokio::sync::watch;
use transcoder::publishing::{MemoryShows, Publishing, Shows, WorkerName};

#[cfg(feature = "peers")]
use crate::cache::Answering;
use crate::cache::{Disk, Ledger, Peers, Supply};
use crate::catalog::{Catalog, MemoryRecordings, Recordings};
use crate::clips::{Clips, Policy};
use crate::clock::Clock;
use crate::config::Config;
use crate::keyring::Keyring;
use crate::live::{Archive, Live, Spool, Tenures};
use crate::metrics::Metrics;
use crate::service::{
    Answers, AskedFrom, Failure, Foreign, HeadLimits, Pages, PurgeError, PurgeRequest, Purged, Rates, Reply,
    Service, Upload,
};
use crate::store::{Patience, Store};
use crate::vod::Vod;

/// A media origin. Clones are the same origin.
#[derive(Clone)]
pub struct Origin(Arc<Service>);

impl Origin {
    /// Starts to build an origin with the limits, lifetimes and policies of `config`. Addresses, certificates, paths
    /// and the URLs of store and database in it are not looked at: those collaborators are given as values.
    pub fn builder(config: &Config) -> Builder<'_> {
        Builder {
            config,
            catalog: None,
            shows: None,
            recordings: None,
            publishing: None,
            objects: None,
            store: None,
            peers: None,
            keys: None,
            clock: None,
            metrics: None,
            pages: None,
        }
    }

    /// Answers a request. Whatever goes wrong is an answer too. The body of the request is read as it arrives, and
    /// only where a route takes one; what is left of it then is dropped. An [`AskedFrom`] in the extensions is who asks.
    ///
    /// Needs a tokio runtime around it. Cancel-safe: fills of the cache go on for those who ask next.
    pub async fn handle<B>(&self, request: Request<B>) -> Reply
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let from = head.extensions.get().map(|AskedFrom(address)| *address);
        let body = pin!(body);
        let mut upload = Foreign::new(body);
        self.answer_to(from, &head.method, target, &head.headers, &mut upload).await
    }

    /// Answers a request by the parts of its head, and its body. `target` is the request target in origin-form, as
    /// received: nothing may have decoded or normalised it.
    pub async fn answer(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> Reply {
        self.answer_to(None, method, target, headers, upload).await
    }

    /// The same, to whom it is known where they are.
    pub(crate) async fn answer_to(
        &self,
        from: Option<IpAddr>,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> Reply {
        self.0.answer(from, method, target, headers, upload).await
    }

    /// Says that this origin is ending: requests of senders are over (503), so that they go to another origin, and so are
    /// those that are held. What is here already is served as before.
    pub fn leave(&self) {
        self.0.live.leave();
    }

    /// Looks after what was recorded here or elsewhere, for as long as it is polled. Shows that nobody looks after any more are
    /// ended: their origin died, and their sender did not come back. Shows that have ended go into the catalogue, and those that are
    /// too old go for good, as the configuration says. One origin of a service that does it is enough.
    pub async fn tend(&self) {
        let shelving = async {
            if let Some(clips) = &self.0.clips {
                clips.tend().await;
            }
        };
        tokio::join!(self.0.live.tend_archives(), shelving);
    }

    /// Lets go of the shows that this origin records, so that another one that has them goes on at once: the last thing to do
    /// before the process ends. It records nothing after that. Takes two seconds at most for each.
    pub async fn stop_recording(&self) {
        self.0.live.let_go_of_archives().await;
    }

    /// Purges what is kept: for whoever asks from now on, in every tier, and for what is on its way.
    ///
    /// # Errors
    /// [`PurgeError`] where something is named that could not be served here; then nothing was purged.
    pub async fn purge(&self, request: &PurgeRequest) -> Result<Purged, PurgeError> {
        self.0.purge(request).await
    }

    /// What the operators' listener asks.
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon has such a listener"))]
    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.0)
    }

    /// What answers other nodes, which `peers` are of this one as well.
    #[cfg(feature = "peers")]
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon has peers"))]
    pub(crate) fn answering(&self, peers: Arc<Peers>) -> Answering {
        Answering::new(Arc::clone(self.0.vod.blocks()), peers)
    }

    /// The counters, for doors.
    #[cfg_attr(not(feature = "pingora"), expect(dead_code, reason = "only the daemon's door counts"))]
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Answers a request whose head a door could not read, or may not pass on.
    #[cfg_attr(
        not(feature = "pingora"),
        expect(dead_code, reason = "only the daemon's door reads heads itself")
    )]
    pub(crate) fn refuse(&self, failure: &Failure) -> Reply {
        self.0.refuse(failure)
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
    }
}

/// Why an origin cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A collaborator is missing.
    #[error("expected {0}, found none")]
    Missing(&'static str),
    /// The policy or the carrier of the configuration cannot be had.
    #[error("the configuration's [auth] cannot be used")]
    Auth(#[from] authz::Error),
    /// The folder of the cache's disk cannot be used.
    #[error("cache.disk: expected a folder that can be written to at {folder}")]
    Disk {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder of the spool cannot be used.
    #[error("archive.spool: expected a folder that can be written to at {folder}")]
    Spool {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The metrics' names are taken in this registry.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

type PageSource = Arc<dyn Fn() -> Arc<Pages> + Send + Sync>;

/// Collects what an [`Origin`] works with.
#[must_use]
pub struct Builder<'a> {
    config: &'a Config,
    catalog: Option<Arc<dyn Catalog>>,
    shows: Option<Arc<dyn Shows>>,
    recordings: Option<(Arc<dyn Recordings>, WorkerName)>,
    publishing: Option<Arc<dyn Publishing>>,
    objects: Option<Arc<dyn ObjectStore>>,
    store: Option<Store>,
    peers: Option<Arc<Peers>>,
    keys: Option<Arc<Keyring>>,
    clock: Option<Clock>,
    metrics: Option<Arc<Metrics>>,
    pages: Option<PageSource>,
}

impl Builder<'_> {
    /// Who knows which revision is current. Required.
    pub fn catalog(mut self, catalog: Arc<dyn Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Who numbers the shows of live streams, for all origins that are fed with the same streams. Where none is given,
    /// this origin numbers its own, and forgets them when it ends.
    pub fn shows(mut self, shows: Arc<dyn Shows>) -> Self {
        self.shows = Some(shows);
        self
    }

    /// Where it stands how far shows are recorded, for all origins that have the same store, and who this one is among them.
    /// Where none is given, this origin remembers it for itself, and forgets it when it ends.
    pub fn recordings(mut self, recordings: Arc<dyn Recordings>, holder: WorkerName) -> Self {
        self.recordings = Some((recordings, holder));
        self
    }

    /// Where clips and shows that have ended are published, in the catalogue that [`Self::catalog`] reads. Where none is given,
    /// there are no clips.
    pub fn publishing(mut self, publishing: Arc<dyn Publishing>) -> Self {
        self.publishing = Some(publishing);
        self
    }

    /// Where the objects lie. Required.
    pub fn store(mut self, objects: Arc<dyn ObjectStore>) -> Self {
        self.objects = Some(objects);
        self
    }

    /// A store that is open already, in place of [`Self::store`].
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon opens stores"))]
    pub(crate) fn opened(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Other nodes that have the same store.
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon has peers"))]
    pub(crate) fn peers(mut self, peers: Option<Arc<Peers>>) -> Self {
        self.peers = peers;
        self
    }

    /// The keys that tokens are checked with. Without any, nothing that asks for a token is served.
    pub fn keys(mut self, keys: Arc<Keyring>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The clock; the machine's where none is given.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Counters that were registered already.
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Registers the counters in a registry; a private one where none is given.
    ///
    /// # Errors
    /// [`BuildError::Metrics`] where another origin has registered there.
    pub fn registry(mut self, registry: Registry) -> Result<Self, BuildError> {
        self.metrics = Some(Arc::new(Metrics::new(registry)?));
        Ok(self)
    }

    /// Pages that stand beside the media; asked for at each request of one.
    pub fn pages(mut self, pages: impl Fn() -> Arc<Pages> + Send + Sync + 'static) -> Self {
        self.pages = Some(Arc::new(pages));
        self
    }

    /// The origin. Blocks on the disk where the cache has one.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<Origin, BuildError> {
        let config = self.config;
        let metrics = match self.metrics {
            Some(metrics) => metrics,
            None => Arc::new(Metrics::new(Registry::new())?),
        };
        let clock = self.clock.unwrap_or_else(Clock::system);
        let patience = Patience {
            deadline: config.store.deadline.as_duration(),
            tries: u32::try_from(config.store.tries).unwrap_or(u32::MAX),
            ..Patience::default()
        };
        let given = self.objects.map(|objects| Store::new(objects, patience, Arc::clone(&metrics)));
        let store = self.store.or(given).ok_or(BuildError::Missing("a store"))?;
        let catalog = self.catalog.ok_or(BuildError::Missing("a catalogue"))?;
        let target =
            MediaTime::from_millis(i64::try_from(config.segments.target.as_millis()).unwrap_or(i64::MAX));
        let ledger = Arc::<Ledger>::default();
        let disk = match &config.cache.disk {
            Some(folder) => {
                let limit = config.cache.disk_size.as_u64();
                let unusable = |source| BuildError::Disk { folder: folder.clone(), source };
                let open = Disk::open(folder, limit, Arc::clone(&ledger), Arc::clone(&metrics));
                Some(open.map_err(unusable)?)
            }
            None => None,
        };
        let (peers, counted, written) = (self.peers, Arc::clone(&metrics), store.clone());
        let supply = Supply { store, disk, peers, ledger: Arc::clone(&ledger), metrics: counted };
        let vod = Arc::new(Vod::new(catalog, &config.cache, target, supply));
        let shows = self.shows.unwrap_or_else(|| {
            let clock = clock.clone();
            Arc::new(MemoryShows::new(move || i64::try_from(clock.now_millis()).unwrap_or(i64::MAX)))
        });
        let archive = match config.archive.record {
            true => {
                let (recordings, holder) = match self.recordings {
                    Some(given) => given,
                    None => {
                        let clock = clock.clone();
                        let now = move || i64::try_from(clock.now_millis()).unwrap_or(i64::MAX);
                        let holder = "alone".parse().map_err(|_| BuildError::Missing("a name"))?;
                        (Arc::new(MemoryRecordings::new(now)) as Arc<dyn Recordings>, holder)
                    }
                };
                let spool = match &config.archive.spool {
                    Some(folder) => {
                        let limit = config.archive.spool_size.as_u64();
                        let unusable = |source| BuildError::Spool { folder: folder.clone(), source };
                        Some(Arc::new(Spool::open(folder, limit, Arc::clone(&metrics)).map_err(unusable)?))
                    }
                    None => None,
                };
                let (blocks, metrics) = (Arc::clone(vod.blocks()), Arc::clone(&metrics));
                let sealed = watch::Sender::new(0);
                let tenures = Tenures::default();
                let store = written;
                Some(Arc::new(Archive { recordings, store, blocks, spool, holder, sealed, tenures, metrics }))
            }
            false => None,
        };
        let recorded =
            archive.as_ref().map(|archive| (Arc::clone(&archive.recordings), archive.store.clone()));
        let keep = config.archive.keep.map(|keep| keep.as_duration());
        let live =
            Live::new(shows, &config.live, clock.clone(), &ledger, Arc::clone(&metrics), archive, keep);
        let clips = recorded.zip(self.publishing).map(|((recordings, store), publishing)| {
            let policy = Policy { publish: config.archive.publish, keep, target };
            Arc::new(Clips::new(Arc::clone(&live), publishing, recordings, store, policy, clock.clone()))
        });
        let mut policy = config.auth.policy()?;
        if self.pages.is_some() {
            // Pages are for whoever comes; media below them has a family of its own.
            policy = policy.with(authz::Family::open("/")?)?;
        }
        let none = Arc::new(Pages::new());
        Ok(Origin(Arc::new(Service {
            vod,
            live,
            clips,
            keyring: self.keys.unwrap_or_else(|| Arc::new(Keyring::new(authz::KeySet::empty()))),
            policy: Arc::new(policy),
            carrier: config.auth.carrier()?,
            clock,
            rates: Rates::new(&config.limits, Arc::clone(&metrics)),
            answers: Answers::new(config.limits.answers, Arc::clone(&metrics)),
            metrics,
            pages: self.pages.unwrap_or_else(|| Arc::new(move || Arc::clone(&none))),
            cors: config.cors.allow_origin.clone(),
            limits: HeadLimits {
                target: usize::try_from(config.limits.url_bytes.as_u64()).unwrap_or(usize::MAX),
                headers: usize::try_from(config.limits.header_bytes.as_u64()).unwrap_or(usize::MAX),
            },
        })))
    }
}
