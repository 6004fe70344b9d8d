//! Certificates: PEM files in, Pingora's acceptor out. Errors here, where Pingora would panic.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::pingora::listeners::tls::Acceptor;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// Why a TLS listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that is not PEM, or not of the right kind.
    #[error("{path}: expected {expected} in PEM, found {found}")]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the reader said.
        found: String,
    },
    /// Certificate and key do not fit each other, or are of no kind that is served.
    #[error("{path}: the certificate cannot be used with its key")]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// HTTP/2 before HTTP/1.1, TLS 1.3 before 1.2.
pub(super) fn acceptor(files: &Tls) -> Result<Acceptor, TlsError> {
    let mut config = server_config(files)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor::from_server_config(Arc::new(config)))
}

/// A certificate for any protocol.
pub(crate) fn server_config(files: &Tls) -> Result<ServerConfig, TlsError> {
    let chain = chain(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| fault(&files.key, "a private key", &e))?;
    let unusable = |source| TlsError::Unusable { path: files.cert.clone(), source };
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |e| fault(path, "a certificate", &e);
    let chain =
        CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    match chain.is_empty() {
        true => {
            Err(TlsError::File { path: path.to_owned(), expected: "a certificate", found: "none".to_owned() })
        }
        false => Ok(chain),
    }
}

fn fault(path: &Path, expected: &'static str, found: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), expected, found: found.to_string() }
}
