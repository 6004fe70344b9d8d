//! A certificate of our own for `localhost`, and clients that trust it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// A self-signed certificate and its key, as PEM files.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate's file.
    pub cert: PathBuf,
    /// The private key's file.
    pub key: PathBuf,
    roots: Arc<RootCertStore>,
}

impl Certificate {
    /// Makes one in `dir`.
    ///
    /// # Panics
    /// When it cannot be made or written.
    #[must_use]
    pub fn make_in(dir: &Path) -> Self {
        let made =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        fs::write(&cert, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        Self { cert, key, roots: Arc::new(roots) }
    }

    /// A client's configuration that trusts this certificate alone and offers `protocols` by ALPN.
    ///
    /// # Panics
    /// Never: the provider knows the default versions.
    #[must_use]
    pub fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
