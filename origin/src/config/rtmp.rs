//! The section `[rtmp]`.

use std::net::SocketAddr;
use std::path::Path;

use super::net::{self, Listen};
use super::read::Section;
use super::{Live, Span, Tls, files};

/// `[rtmp]`: where publishers come in, and what they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtmp {
    /// For publishers, in clear.
    pub listen: Option<SocketAddr>,
    /// For publishers, over TLS (RTMPS); needs `tls`.
    pub listen_tls: Option<SocketAddr>,
    /// The certificate of `listen_tls`: `cert` and `key`.
    pub tls: Option<Tls>,
    /// How long a publisher may be away and still go on with the same show.
    pub reconnect: Span,
    /// Open connections.
    pub connections: u64,
    /// Those from one address; for IPv6, from one /64.
    pub per_address: u64,
    /// How often a minute one active publisher may take a stream over from another.
    pub takeovers: u64,
}

impl Default for Rtmp {
    fn default() -> Self {
        Self {
            listen: None,
            listen_tls: None,
            tls: None,
            reconnect: Span::seconds(60),
            connections: 2_000,
            per_address: 100,
            takeovers: 3,
        }
    }
}

impl Rtmp {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path, others: &Listen) -> Self {
        let default = Self::default();
        let rtmp = Self {
            listen: section.text("listen", net::address),
            listen_tls: section.text("listen_tls", net::address),
            tls: Tls::of_keys(section, base),
            reconnect: section
                .span("reconnect", Span::seconds(0)..=Span::hours(12))
                .unwrap_or(default.reconnect),
            connections: section.number("connections", 1..100_001).unwrap_or(default.connections),
            per_address: section.number("per_address", 1..100_001).unwrap_or(default.per_address),
            takeovers: section.number("takeovers", 0..1001).unwrap_or(default.takeovers),
        };
        rtmp.tls_comes_whole(section);
        let ours = [("listen", rtmp.listen), ("listen_tls", rtmp.listen_tls)];
        let mut taken = others.addresses();
        for (key, address) in ours.into_iter().filter_map(|(key, address)| Some((key, address?))) {
            net::has_its_own_port(section, key, address, &taken);
            taken.push((format!("rtmp.{key}"), address));
        }
        rtmp
    }

    /// The addresses by their keys.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (String, SocketAddr)> {
        let all = [("listen", self.listen), ("listen_tls", self.listen_tls)];
        all.into_iter().filter_map(|(key, address)| Some((format!("rtmp.{key}"), address?)))
    }

    /// Any of the three without the others is a mistake.
    fn tls_comes_whole(&self, section: &Section<'_, '_>) {
        let keys = ["listen_tls", "cert", "key"];
        if keys.iter().any(|key| section.has(key)) {
            for (key, wish) in
                keys.into_iter().zip(["an address", "the path of a PEM file", "the path of a PEM file"])
            {
                if !section.has(key) {
                    section.missing(
                        key,
                        format!("expected {wish}, found nothing: listen_tls, cert and key come together"),
                    );
                }
            }
        }
    }

    /// What works but is probably not meant.
    pub(super) fn warnings(&self, live: &Live) -> Vec<String> {
        let mut warnings = Vec::new();
        let is_on = self.listen.is_some() || self.listen_tls.is_some();
        if is_on && self.reconnect > live.reconnect {
            warnings.push(format!(
                "rtmp.reconnect: a publisher may be away for {}, and its show is ended after live.reconnect = {}",
                self.reconnect, live.reconnect
            ));
        }
        if let Some(tls) = &self.tls
            && let Some(what) = files::open_to_others(&tls.key)
        {
            warnings.push(format!("rtmp.key: {what}"));
        }
        warnings
    }
}
