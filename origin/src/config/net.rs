//! Sections of the network: `[listen]`, `[tls]`, `[limits]`, `[cors]`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::read::{Document, Section};
use super::{ByteSize, Config, Network, Span, files, network};

/// `[listen]`: addresses, each an IP address with a port. Port 0 lets the system choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// For viewers and CDNs, in clear.
    pub http: SocketAddr,
    /// For viewers and CDNs, over TLS; needs `[tls]`.
    pub https: Option<SocketAddr>,
    /// For operators: health, readiness, metrics. Never public.
    pub admin: SocketAddr,
}

/// `[tls]`: PEM files (RFC 7468).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate with its chain, leaf first.
    pub cert: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}

/// `[limits]`: what one client, and all of them together, may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; more are not accepted until one is closed.
    pub connections: u64,
    /// Those from one address, or for IPv6 from one /64; zero counts nobody.
    pub connections_per_address: u64,
    /// From where others' requests are brought: their connections are those of many, and who asks through them is named in
    /// `X-Forwarded-For`.
    pub proxies: Vec<Network>,
    /// How long the head of a request may take, from its first byte on.
    pub head_timeout: Span,
    /// A request's head, all headers together.
    pub header_bytes: ByteSize,
    /// A request's path with its query.
    pub url_bytes: ByteSize,
    /// How long one write to a client may stand still.
    pub write_timeout: Span,
    /// Bytes per second below which a client is too slow and is let go; zero lets everyone be as slow as
    /// they like.
    pub min_send_rate: ByteSize,
    /// Requests per second of one address, or for IPv6 of one /64; zero counts nobody.
    pub requests_per_address: u64,
    /// Requests per second under one token; zero counts nobody.
    pub requests_per_token: u64,
    /// Answers that are made or sent at once.
    pub answers: u64,
    /// How long an idle connection is kept.
    pub keepalive: Span,
    /// How long requests may go on once the process was told to end.
    pub grace: Span,
    /// Threads that serve; zero is one for each core.
    pub threads: u64,
}

/// `[cors]`: which pages may play what is served here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Whom `Access-Control-Allow-Origin` names.
    pub allow_origin: AllowOrigin,
}

/// Whom `Access-Control-Allow-Origin` names (Fetch standard, §3.3.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowOrigin {
    /// Every page: `*`.
    #[default]
    Any,
    /// No page of another origin: `none`.
    None,
    /// The pages of one origin: `https://example.com`.
    One(String),
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self { http: local(8080), https: None, admin: local(9080) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 0,
            proxies: Vec::new(),
            head_timeout: Span::seconds(10),
            header_bytes: ByteSize::kib(64),
            url_bytes: ByteSize::kib(8),
            write_timeout: Span::seconds(30),
            min_send_rate: ByteSize::kib(1),
            requests_per_address: 0,
            requests_per_token: 0,
            answers: 8_000,
            keepalive: Span::seconds(320),
            grace: Span::seconds(30),
            threads: 0,
        }
    }
}

impl Listen {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let default = Self::default();
        let listen = Self {
            http: section.text("http", address).unwrap_or(default.http),
            https: section.text("https", address),
            admin: section.text("admin", address).unwrap_or(default.admin),
        };
        let all = listen.addresses();
        for (place, (name, address)) in all.iter().enumerate() {
            let key = name.trim_start_matches("listen.");
            has_its_own_port(section, key, *address, all.get(..place).unwrap_or_default());
        }
        listen
    }

    /// The addresses by their keys.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let all = [("http", Some(self.http)), ("https", self.https), ("admin", Some(self.admin))];
        all.into_iter().filter_map(|(key, address)| Some((format!("listen.{key}"), address?))).collect()
    }
}

impl Tls {
    pub(super) fn read(document: &Document<'_>, base: &Path) -> Option<Self> {
        let section = document.section("tls");
        let tls = Self::of_keys(&section, base);
        if document.has("tls") {
            for key in ["cert", "key"].into_iter().filter(|key| !section.has(key)) {
                section.missing(key, "expected the path of a PEM file, found nothing");
            }
        }
        tls
    }

    /// The keys `cert` and `key` of a section.
    pub(super) fn of_keys(section: &Section<'_, '_>, base: &Path) -> Option<Self> {
        let pem = |key, kind| {
            section.text(key, |text| files::pem(&base.join(text), kind).map(|()| base.join(text)))
        };
        let (cert, key) = (pem("cert", files::CERTIFICATE), pem("key", files::PRIVATE_KEY));
        Some(Self { cert: cert?, key: key? })
    }
}

/// One without the other is a mistake in either direction.
pub(super) fn tls_and_https_come_together(document: &Document<'_>, config: &Config) {
    let listen = document.section("listen");
    match (config.listen.https, document.has("tls")) {
        (Some(_), false) => listen.missing("https", "expected a section [tls] with cert and key, found none"),
        (None, true) if !listen.has("https") => {
            document.section("tls").whole("expected listen.https to use the certificate, found none");
        }
        _ => {}
    }
}

impl Limits {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let default = Self::default();
        let kib = ByteSize::kib;
        Self {
            connections: section.number("connections", 1..1_000_001).unwrap_or(default.connections),
            connections_per_address: section
                .number("connections_per_address", 0..1_000_001)
                .unwrap_or(default.connections_per_address),
            proxies: network::read(section, "proxies").unwrap_or(default.proxies),
            head_timeout: section
                .span("head_timeout", Span::seconds(1)..=Span::seconds(300))
                .unwrap_or(default.head_timeout),
            header_bytes: section.size("header_bytes", kib(1)..=kib(64)).unwrap_or(default.header_bytes),
            url_bytes: section.size("url_bytes", ByteSize::bytes(256)..=kib(8)).unwrap_or(default.url_bytes),
            write_timeout: section
                .span("write_timeout", Span::seconds(1)..=Span::seconds(3600))
                .unwrap_or(default.write_timeout),
            min_send_rate: section
                .size("min_send_rate", ByteSize::bytes(0)..=ByteSize::mib(1))
                .unwrap_or(default.min_send_rate),
            requests_per_address: section
                .number("requests_per_address", 0..1_000_001)
                .unwrap_or(default.requests_per_address),
            requests_per_token: section
                .number("requests_per_token", 0..1_000_001)
                .unwrap_or(default.requests_per_token),
            answers: section.number("answers", 10..1_000_001).unwrap_or(default.answers),
            keepalive: section
                .span("keepalive", Span::seconds(1)..=Span::hours(2))
                .unwrap_or(default.keepalive),
            grace: section.span("grace", Span::seconds(0)..=Span::hours(1)).unwrap_or(default.grace),
            threads: section.number("threads", 0..1025).unwrap_or(default.threads),
        }
    }
}

impl Cors {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        Self { allow_origin: section.text("allow_origin", str::parse).unwrap_or_default() }
    }
}

impl FromStr for AllowOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        let plain = |host: &str| {
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
        };
        match (text, host) {
            ("*", _) => Ok(Self::Any),
            ("none", _) => Ok(Self::None),
            (_, Some(host)) if plain(host) => Ok(Self::One(text.to_owned())),
            _ => Err(format!(
                "expected \"*\", \"none\" or an origin such as \"https://example.com\", found {text:?}"
            )),
        }
    }
}

impl fmt::Display for AllowOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::None => f.write_str("none"),
            Self::One(origin) => f.write_str(origin),
        }
    }
}

/// An address of a listener.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("expected an address such as \"127.0.0.1:8080\" or \"[::]:8080\", found {text:?}")
    })
}

/// Names a listener whose port another one has.
pub(super) fn has_its_own_port(
    section: &Section<'_, '_>,
    key: &str,
    address: SocketAddr,
    taken: &[(String, SocketAddr)],
) {
    if let Some((other, _)) = taken.iter().find(|(_, other)| clash(*other, address)) {
        section.fault(key, format!("expected a port of its own, found {address}, which {other} has"));
    }
}

fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let same = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same
}

/// A load balancer that keeps idle connections for 300 s needs a back end that keeps them longer, or it
/// sends a request into a connection that is being closed.
pub(super) const BALANCER_KEEPALIVE: Span = Span::seconds(310);
