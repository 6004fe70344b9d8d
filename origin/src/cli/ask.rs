//! One question to a running daemon, over clear HTTP.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Failure;
use crate::config::Config;

/// Which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Daemon {
    /// The daemon's configuration, whose admin listener is asked.
    #[arg(long, value_name = "FILE", required_unless_present = "admin")]
    config: Option<PathBuf>,
    /// The admin listener, instead of a configuration's.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
}

/// One of a daemon's listeners.
pub(super) struct Peer(SocketAddr);

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Daemon {
    /// Its configuration, where that was named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    pub(super) fn peer(&self) -> Result<Peer, Failure> {
        let address = match (self.admin, &self.config) {
            (Some(address), _) => address,
            (None, Some(path)) => Config::load(path)?.listen.admin,
            (None, None) => return Err("expected --config or --admin, found neither".into()),
        };
        Ok(Peer::at(address))
    }
}

impl Peer {
    /// The listener that was bound to `address`. One that listens on all addresses is asked on this machine's own.
    pub(super) fn at(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self(SocketAddr::new(ip, address.port()))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(Method::GET, path, String::new()).await
    }

    /// `body` is JSON.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<Answer, Failure> {
        self.ask(Method::POST, path, body).await
    }

    /// The same, where the answer may take its time.
    pub(super) async fn post_within(
        &self,
        path: &str,
        body: String,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        self.ask_within(Method::POST, path, body, patience).await
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Answer, Failure> {
        self.ask_within(method, path, body, PATIENCE).await
    }

    async fn ask_within(
        &self,
        method: Method,
        path: &str,
        body: String,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        match timeout(patience, self.exchange(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(format!("{self}: expected an answer within {} s, found none", patience.as_secs()).into())
            }
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<Answer, Failure> {
        let stream = TcpStream::connect(self.0).await.map_err(|error| self.absent(&error))?;
        let strange = |error| format!("{self}: expected an answer over HTTP, found none: {error}");
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(strange)?;
        // Ends with this question.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.0.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = requests.send_request(request).await.map_err(strange)?;
        let status = answer.status();
        let fault = |error| format!("{self}: expected a whole answer, found {error}");
        let text = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(fault)?.to_bytes();
        Ok(Answer { status, text: String::from_utf8_lossy(&text).into_owned() })
    }

    fn absent(&self, error: &io::Error) -> String {
        format!("{self}: expected a daemon that listens there, found none: {error}")
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The status, and the first line of what was said.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line: String = self.text.lines().next().unwrap_or_default().chars().take(LONGEST_LINE).collect();
        match line.trim() {
            "" => self.status.fmt(f),
            line => write!(f, "{}: {line}", self.status),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Thousands of streams.
const LONGEST: usize = 64 << 20;
const LONGEST_LINE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_this_machine_s_own() {
        for (bound, asked) in [
            ("0.0.0.0:9080", "127.0.0.1:9080"),
            ("[::]:9080", "[::1]:9080"),
            ("10.0.0.7:9080", "10.0.0.7:9080"),
        ] {
            assert_eq!(Peer::at(bound.parse().unwrap()).to_string(), asked);
        }
    }
}
