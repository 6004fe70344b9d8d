//! moto, a server of the S3 protocol in Python: another reading of it than that of [`Bucket`](super::bucket::Bucket). It keeps
//! conditions, and checks no signatures.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::client;
use super::deadline::until;
use super::fleet::free_address;
use super::site::Site;
use super::tool;

/// A running moto with an empty bucket; killed when dropped.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Moto {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("forebay-moto-").tempdir().unwrap();
        let key = folder.path().join("key.toml");
        fs::write(&key, "access_key_id = \"AKFOREBAY\"\nsecret_access_key = \"any\"\n").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let address = free_address();
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new(tool::python());
        command.args(["-m", "moto.server", "-H", &host, "-p", &port]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("moto is missing: run `make setup`");
        until("moto to listen", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "moto ended: {}", ended.unwrap());
            std::net::TcpStream::connect(address).ok()
        });
        assert_eq!(client::request(address, "PUT", "/media", &[("content-length", "0")]).status, 200);
        Self { child, address, folder }
    }

    /// A site whose store it is.
    #[must_use]
    pub fn dress(&self, site: Site) -> Site {
        let quoted = |text: &str| format!("{text:?}");
        let key = self.folder.path().join("key.toml");
        site.with("store", "url", "\"s3://media/some/where\"")
            .with("store", "endpoint", &quoted(&format!("http://{}", self.address)))
            .with("store", "credentials", &quoted(key.to_str().unwrap()))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
