//! The configuration file: TOML in, a typed [`Config`] or every fault of the file out.
//!
//! The file is read once, at the door; what comes out needs no further check. Defaults stand in the
//! `Default` of each section's type and nowhere else. Paths are relative to the file they stand in.
//!
//! ```
//! use forebay_origin::config::{Config, ByteSize};
//!
//! let text = "[auth]\nrequired = false\n[cache]\nmemory = \"1GiB\"\n";
//! let config = Config::parse(text, "/etc/forebay/forebay.toml".as_ref()).unwrap();
//! assert_eq!(config.cache.memory, ByteSize::mib(1024));
//!
//! let faults = Config::parse("[cache]\nmemory = \"lots\"\nblok = 1\n", "forebay.toml".as_ref()).unwrap_err();
//! assert_eq!(faults[1].line, 2);
//! assert_eq!(faults[2].to_string(), "line 3: cache.blok: unknown key; did you mean block?");
//! ```

use std::io;
use std::path::{Path, PathBuf};

mod archive;
mod auth;
mod bucket;
mod data;
mod fault;
mod files;
mod live;
mod log;
mod media;
mod net;
mod network;
mod peers;
mod postgres;
mod read;
mod rtmp;
mod size;
mod span;
mod url;
mod work;

pub use archive::Archive;
pub use auth::Auth;
pub use bucket::{Addressing, Bucket};
pub use data::{Cache, Database, Store};
pub use fault::Fault;
pub use live::Live;
pub use log::{Log, LogFormat};
pub use media::{Segments, Transcode};
pub use net::{AllowOrigin, Cors, Limits, Listen, Tls};
pub use network::{Network, NetworkError};
pub use peers::Peers;
pub use postgres::{Password, PostgresUrl, Server, TlsMode};
pub use rtmp::Rtmp;
pub use size::{ByteSize, SizeError};
pub use span::{Span, SpanError};
pub use url::{DatabaseUrl, OriginUrl, StoreUrl, UrlError};
pub use work::{Filler, Work};

#[cfg(feature = "postgres")]
pub(crate) use files::password;
#[cfg(feature = "peers")]
pub(crate) use files::peer_secret;
#[cfg(feature = "s3")]
pub(crate) use files::{BucketKey, bucket_key};
use read::Document;

/// Everything that can be set. The default serves what needs no keys and no certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `[listen]`: addresses.
    pub listen: Listen,
    /// `[tls]`: the certificate of `listen.https`.
    pub tls: Option<Tls>,
    /// `[store]`: where the objects are.
    pub store: Store,
    /// `[database]`: where the catalogue is.
    pub database: Database,
    /// `[auth]`: who may see what.
    pub auth: Auth,
    /// `[cache]`: what is kept in memory.
    pub cache: Cache,
    /// `[peers]`: other nodes that have the same store.
    pub peers: Peers,
    /// `[limits]`: what a client may take.
    pub limits: Limits,
    /// `[segments]`: how media is cut.
    pub segments: Segments,
    /// `[live]`: how live streams are cut, kept and waited for.
    pub live: Live,
    /// `[archive]`: whether live shows are recorded.
    pub archive: Archive,
    /// `[rtmp]`: where publishers of live streams come in.
    pub rtmp: Rtmp,
    /// `[work]`: how live streams are worked on.
    pub work: Work,
    /// `[transcode]`: how renditions are made.
    pub transcode: Transcode,
    /// `[cors]`: which pages may play.
    pub cors: Cors,
    /// `[log]`: what the process tells.
    pub log: Log,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file has faults; there is at least one.
    #[error("{path}: {count} faults, the first: {first}", count = faults.len(), first = first(faults))]
    Faults {
        /// Which file.
        path: PathBuf,
        /// All of them, by line.
        faults: Vec<Fault>,
    },
}

impl Config {
    /// Reads a configuration. `path` is where `text` comes from: relative paths start in its folder. The
    /// files that it names are opened, so that a missing certificate or a broken key file is found now and
    /// on its line. Blocks on the disk.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Vec<Fault>> {
        let document = Document::new(text);
        let base = path.parent().unwrap_or(Path::new(""));
        let config = Self::walk(&document, base);
        match document.finish() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(faults),
        }
    }

    /// Reads a configuration file. Blocks on the disk.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path).map_err(|faults| ConfigError::Faults { path: path.to_owned(), faults })
    }

    /// What works but is probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |what: String| warnings.push(what);
        if self.listen.admin.ip().is_unspecified() {
            warn(format!(
                "listen.admin: {} is reachable on every interface; it must never be public",
                self.listen.admin
            ));
        }
        if !self.auth.required {
            warn("auth.required: false serves everything to everyone, and everyone may publish".to_owned());
        }
        self.live.warnings(self.archive.record).into_iter().for_each(&mut warn);
        self.rtmp.warnings(&self.live).into_iter().for_each(&mut warn);
        let has_folder = matches!(self.store.url, StoreUrl::File(_));
        self.peers.warnings(has_folder).into_iter().for_each(&mut warn);
        if self.limits.keepalive <= net::BALANCER_KEEPALIVE {
            warn(format!(
                "limits.keepalive: behind a load balancer that keeps idle connections for 300s, {} gives 502s; \
                 use more than {}",
                self.limits.keepalive,
                net::BALANCER_KEEPALIVE
            ));
        }
        if let Some(keys) = &self.auth.keys
            && let Some(what) = files::open_to_others(keys)
        {
            warn(format!("auth.keys: {what}"));
        }
        if let StoreUrl::S3(Bucket { credentials: Some(path), .. }) = &self.store.url
            && let Some(what) = files::open_to_others(path)
        {
            warn(format!("store.credentials: {what}"));
        }
        if let Some(path) = &self.database.password_file
            && let Some(what) = files::open_to_others(path)
        {
            warn(format!("database.password_file: {what}"));
        }
        if let Some(tls) = &self.tls
            && let Some(what) = files::open_to_others(&tls.key)
        {
            warn(format!("tls.key: {what}"));
        }
        warnings
    }

    fn walk(document: &Document<'_>, base: &Path) -> Self {
        let segments = Segments::read(&document.section("segments"));
        let listen = Listen::read(&document.section("listen"));
        let rtmp = Rtmp::read(&document.section("rtmp"), base, &listen);
        let config = Self {
            archive: Archive::read(&document.section("archive"), base),
            peers: Peers::read(&document.section("peers"), base, &listen, &rtmp),
            rtmp,
            work: Work::read(&document.section("work"), base),
            listen,
            tls: Tls::read(document, base),
            store: Store::read(&document.section("store"), base),
            database: Database::read(&document.section("database"), base),
            auth: Auth::read(&document.section("auth"), base),
            cache: Cache::read(&document.section("cache"), base),
            limits: Limits::read(&document.section("limits")),
            transcode: Transcode::read(&document.section("transcode"), base, &segments),
            segments,
            live: Live::read(&document.section("live")),
            cors: Cors::read(&document.section("cors")),
            log: Log::read(&document.section("log")),
        };
        net::tls_and_https_come_together(document, &config);
        config
    }
}

fn first(faults: &[Fault]) -> String {
    faults.first().map(Fault::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests;
