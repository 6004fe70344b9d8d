//! One keep-alive HTTP/1.1 connection.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// The size of a read: more than a server writes at once.
const BUFFER: usize = 512 * 1024;
/// The longest head of an answer.
const HEAD: usize = 16 * 1024;
/// What a slow client takes at once.
const SIP: usize = 16 * 1024;

/// How a connection is made and how fast it reads.
#[derive(Clone)]
pub struct Manner {
    /// The server.
    pub address: SocketAddr,
    /// TLS, where it is wanted.
    pub tls: Option<TlsConnector>,
    /// Bytes a second; as fast as it goes where it is `None`. Then the receive buffer is small too, as the queue of a
    /// real link is, and not the megabytes that loopback would take at once.
    pub rate: Option<u64>,
}

/// The size of one answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Bytes of its body.
    pub body: u64,
    /// From the request to the first byte of the body.
    pub first: Duration,
    /// From the request to the last byte.
    pub took: Duration,
}

/// A connection that is open.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    rate: Option<u64>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Manner {
    /// Connects.
    ///
    /// # Errors
    /// Those of the system and of TLS.
    pub async fn connect(&self) -> std::io::Result<Client> {
        let socket = TcpSocket::new_v4()?;
        if self.rate.is_some() {
            socket.set_recv_buffer_size(64 * 1024)?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                Box::new(tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await?)
            }
        };
        Ok(Client { stream, buffer: vec![0; BUFFER], rate: self.rate })
    }
}

impl Client {
    /// Asks for a path and reads the whole answer.
    ///
    /// # Errors
    /// An answer that is not 200, has no length, or is cut short.
    pub async fn get(&mut self, path: &str) -> std::io::Result<Answer> {
        let start = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let (head, mut got) = self.head().await?;
        let length = length(&self.buffer[..head], path)?;
        let mut first = start.elapsed();
        let mut has_begun = got > 0;
        while got < length {
            let room = match self.rate {
                None => BUFFER,
                Some(rate) => {
                    let due = Duration::from_secs_f64(got as f64 / rate as f64);
                    tokio::time::sleep_until(start + due).await;
                    SIP
                }
            };
            match self.stream.read(&mut self.buffer[..room]).await? {
                0 => {
                    let (took, name) = (start.elapsed(), path.rsplit('/').next().unwrap_or_default());
                    let what = format!("{name}: cut short, {got} of {length} bytes after {took:.1?}");
                    return Err(Error::new(ErrorKind::UnexpectedEof, what));
                }
                read => got += read as u64,
            }
            if !has_begun {
                (first, has_begun) = (start.elapsed(), true);
            }
        }
        match got == length {
            true => Ok(Answer { body: length, first, took: start.elapsed() }),
            false => Err(Error::other(format!("{path}: {got} bytes, announced {length}"))),
        }
    }

    /// Reads until the head is whole; gives its length and how much of the body came along.
    async fn head(&mut self) -> std::io::Result<(usize, u64)> {
        let mut filled = 0;
        let room = if self.rate.is_some() { HEAD } else { BUFFER };
        loop {
            let read = self.stream.read(&mut self.buffer[filled..room]).await?;
            if read == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "no answer"));
            }
            filled += read;
            let found = self.buffer[..filled.min(HEAD)].windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(end) => return Ok((end + 4, (filled - end - 4) as u64)),
                None if filled >= HEAD => return Err(Error::other("a head without an end")),
                None => {}
            }
        }
    }
}

/// The length that a head with status 200 announces.
fn length(head: &[u8], path: &str) -> std::io::Result<u64> {
    let text = std::str::from_utf8(head).map_err(Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(Error::other(format!("{path}: {status}")));
    }
    let lengths = lines.filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let found = lengths.next().and_then(|(_, value)| value.trim().parse().ok());
    found.ok_or_else(|| Error::other(format!("{path}: no length")))
}

/// A TLS 1.3 client that trusts one certificate and asks for AES-128-GCM, which servers would choose differently.
///
/// # Errors
/// A file that is no certificate.
pub fn connector(certificate: &Path) -> Result<TlsConnector, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..ring::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
