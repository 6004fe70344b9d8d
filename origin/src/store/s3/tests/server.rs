//! A server of the S3 protocol that others wrote, over a folder; it checks signatures.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::super::{Patience, Store};
use crate::config::{Config, StoreUrl};
use crate::metrics::Metrics;

/// The server, on a port of its own, with one bucket.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("objects/media")).unwrap();
        let key = "access_key_id = \"AKFOREBAY\"\nsecret_access_key = \"a secret\"\n";
        fs::write(folder.path().join("key.toml"), key).unwrap();
        fs::write(folder.path().join("wrong.toml"), key.replace("a secret", "another")).unwrap();
        let mut builder =
            S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path().join("objects")).unwrap());
        builder.set_auth(SimpleAuth::from_single("AKFOREBAY", "a secret"));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, folder, _task: task }
    }

    /// The bucket as a configuration names it, reached at `address`.
    pub(crate) fn url(&self, address: SocketAddr, key: &str, prefix: &str) -> StoreUrl {
        let text = format!(
            "[auth]\nrequired = false\n[store]\nurl = \"s3://media{prefix}\"\nendpoint = \"http://{address}\"\ncredentials = \"{key}\"\n"
        );
        let file: PathBuf = self.folder.path().join("forebay.toml");
        Config::parse(&text, &file).unwrap().store.url
    }

    pub(crate) fn store_at(
        &self,
        address: SocketAddr,
        patience: Patience,
        metrics: &std::sync::Arc<Metrics>,
    ) -> Store {
        Store::open(&self.url(address, "key.toml", ""), patience, std::sync::Arc::clone(metrics)).unwrap()
    }
}
