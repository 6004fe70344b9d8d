//! An object storage: a server of the S3 protocol that others wrote, which checks signatures, behind a wire of a given length
//! that counts what goes over it and can be cut.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use http::{Method, header};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::site::Site;
use super::tool;

/// A bucket called `media`. The server ends with it.
#[derive(Debug)]
pub struct Bucket {
    address: SocketAddr,
    folder: TempDir,
    wire: Arc<Wire>,
}

#[derive(Debug, Default)]
struct Wire {
    millis: AtomicU64,
    is_cut: AtomicBool,
    reads: AtomicU64,
    bytes: AtomicU64,
    over: Notify,
}

/// What went over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Answers with bytes of objects.
    pub reads: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Bucket {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("forebay-bucket-").tempdir().unwrap();
        fs::create_dir_all(folder.path().join("objects/media")).unwrap();
        let key = format!("access_key_id = {ID:?}\nsecret_access_key = {SECRET:?}\n");
        let file = folder.path().join("key.toml");
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let objects = s3s_fs::FileSystem::new(folder.path().join("objects")).unwrap();
        let mut builder = S3ServiceBuilder::new(objects);
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let (service, wire) = (builder.build(), Arc::<Wire>::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&wire);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener, service, &shared) => {}
                    () = shared.over.notified() => {}
                }
            });
        });
        Self { address, folder, wire }
    }

    /// A site whose store it is.
    #[must_use]
    pub fn dress(&self, site: Site) -> Site {
        let quoted = |text: &str| format!("{text:?}");
        let key = self.folder.path().join("key.toml");
        site.with("store", "url", "\"s3://media\"")
            .with("store", "endpoint", &quoted(&format!("http://{}", self.address)))
            .with("store", "credentials", &quoted(key.to_str().unwrap()))
    }

    /// Puts what lies in a folder into it.
    pub fn fill(&self, folder: &Path) {
        tool::bytes(
            Command::new("cp").arg("-r").arg(folder.join(".")).arg(self.folder.path().join("objects/media")),
        );
    }

    /// Lets each answer begin so many milliseconds later.
    pub fn is_far(&self, millis: u64) {
        self.wire.millis.store(millis, Ordering::SeqCst);
    }

    /// Cuts the wire, or mends it: a request is a connection that breaks.
    pub fn is_cut(&self, is_cut: bool) {
        self.wire.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// What went over the wire since this was last asked.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let of = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Traffic { reads: of(&self.wire.reads), bytes: of(&self.wire.bytes) }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.wire.over.notify_one();
    }
}

async fn serve(listener: TcpListener, service: S3Service, wire: &Arc<Wire>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (service, wire) = (service.clone(), Arc::clone(wire));
        let through = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (service, wire) = (service.clone(), Arc::clone(&wire));
            async move {
                if wire.is_cut.load(Ordering::SeqCst) {
                    return Err("the wire is cut".to_owned());
                }
                tokio::time::sleep(Duration::from_millis(wire.millis.load(Ordering::SeqCst))).await;
                let is_read = request.method() == Method::GET && !request.uri().path().ends_with("/media");
                let answer = Service::call(&service, request).await.map_err(|error| format!("{error:?}"))?;
                if is_read && answer.status().is_success() {
                    let length = answer.headers().get(header::CONTENT_LENGTH);
                    let length: u64 = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
                    wire.reads.fetch_add(1, Ordering::SeqCst);
                    wire.bytes.fetch_add(length, Ordering::SeqCst);
                }
                Ok(answer)
            }
        });
        tokio::spawn(async move {
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), through).await;
        });
    }
}

const ID: &str = "AKFOREBAY";
const SECRET: &str = "nobody guesses this";
