//! The section `[peers]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::read::{Section, expected, string};
use super::{Listen, OriginUrl, Rtmp, Span, files, net};

/// `[peers]`: the other nodes that have the same store. Nothing is asked of others, and nobody answered, where none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    /// For the other nodes, in clear. Never public.
    pub listen: Option<SocketAddr>,
    /// What the others reach this node by.
    pub here: Option<OriginUrl>,
    /// All nodes; this one may be among them.
    pub nodes: Vec<OriginUrl>,
    /// The file of the secret that all of them share.
    pub secret_file: Option<PathBuf>,
    /// How long another node may say nothing before the store is asked.
    pub timeout: Span,
    /// Open connections of other nodes.
    pub connections: u64,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            listen: None,
            here: None,
            nodes: Vec::new(),
            secret_file: None,
            timeout: Span::seconds(2),
            connections: 1_000,
        }
    }
}

impl Peers {
    pub(super) fn read(section: &Section<'_, '_>, base: &Path, listen: &Listen, rtmp: &Rtmp) -> Self {
        let default = Self::default();
        let url = |text: &str| OriginUrl::parse(text);
        let secret = |text: &str| files::peer_secret(&base.join(text)).map(|_| base.join(text));
        let peers = Self {
            listen: section.text("listen", net::address),
            here: section.text("here", url),
            nodes: section.take("nodes", nodes).unwrap_or(default.nodes),
            secret_file: section.text("secret_file", secret),
            timeout: section
                .span("timeout", Span::millis(100)..=Span::seconds(60))
                .unwrap_or(default.timeout),
            connections: section.number("connections", 1..100_001).unwrap_or(default.connections),
        };
        comes_whole(section);
        let mut taken = listen.addresses();
        taken.extend(rtmp.addresses());
        if let Some(address) = peers.listen {
            net::has_its_own_port(section, "listen", address, &taken);
        }
        peers
    }

    /// What works but is probably not meant.
    pub(super) fn warnings(&self, has_folder: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(what) = self.secret_file.as_deref().and_then(files::open_to_others) {
            warnings.push(format!("peers.secret_file: {what}"));
        }
        if self.listen.is_some() && has_folder {
            warnings.push(
                "peers.nodes: the store is a folder; other nodes are of use only where they have the same one"
                    .to_owned(),
            );
        }
        if let Some(here) = &self.here
            && !self.nodes.iter().any(|node| node.name() != here.name())
        {
            warnings.push(format!("peers.nodes: no node but {here} itself"));
        }
        warnings
    }
}

/// Any of the four without the others is a mistake.
fn comes_whole(section: &Section<'_, '_>) {
    let keys = [
        ("listen", "an address"),
        ("here", "the URL of this node"),
        ("nodes", "the URLs of all nodes"),
        ("secret_file", "the path of a file"),
    ];
    if keys.iter().any(|(key, _)| section.has(key)) {
        for (key, wish) in keys.into_iter().filter(|(key, _)| !section.has(key)) {
            let what = "found nothing: listen, here, nodes and secret_file come together";
            section.missing(key, format!("expected {wish}, {what}"));
        }
    }
}

/// The nodes in an array, each once.
fn nodes(value: &DeValue<'_>) -> Result<Vec<OriginUrl>, String> {
    let array = value.as_array().ok_or_else(|| expected("an array of URLs", value))?;
    let mut nodes: Vec<OriginUrl> = Vec::new();
    for value in array {
        let node = OriginUrl::parse(string(value.get_ref())?).map_err(|fault| fault.to_string())?;
        if nodes.iter().any(|known| known.name() == node.name()) {
            return Err(format!("expected each node once, found {node} twice"));
        }
        nodes.push(node);
    }
    match nodes.len() {
        1..=MOST_NODES => Ok(nodes),
        0 => Err("expected at least one node, found none".to_owned()),
        count => Err(format!("expected at most {MOST_NODES} nodes, found {count}")),
    }
}

/// Each is weighed for each read.
const MOST_NODES: usize = 256;
