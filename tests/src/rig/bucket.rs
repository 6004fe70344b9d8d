//! An object storage: a server of the S3 protocol that others wrote, which checks signatures, behind a [wire](super::wire) that
//! counts what goes over it and may be in trouble.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::site::Site;
use super::tool;
use super::wire::{Traffic, Trouble, Wire};

/// A bucket called `media`. The server ends with it.
#[derive(Debug)]
pub struct Bucket {
    address: SocketAddr,
    folder: TempDir,
    wire: Arc<Wire>,
    over: Arc<Notify>,
}

impl Bucket {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("forebay-bucket-").tempdir().unwrap();
        fs::create_dir_all(folder.path().join("objects").join(MEDIA)).unwrap();
        let key = format!("access_key_id = {ID:?}\nsecret_access_key = {SECRET:?}\n");
        let file = folder.path().join("key.toml");
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let objects = s3s_fs::FileSystem::new(folder.path().join("objects")).unwrap();
        let mut builder = S3ServiceBuilder::new(objects);
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let (service, wire, over) = (builder.build(), Arc::<Wire>::default(), Arc::<Notify>::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, is_over) = (Arc::clone(&wire), Arc::clone(&over));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener, service, &shared) => {}
                    () = is_over.notified() => {}
                }
            });
        });
        Self { address, folder, wire, over }
    }

    /// Where it listens, in clear.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A site whose store it is.
    #[must_use]
    pub fn dress(&self, site: Site) -> Site {
        self.dress_by(site, &format!("http://{}", self.address))
    }

    /// A site whose store it is, by way of another endpoint.
    #[must_use]
    pub fn dress_by(&self, site: Site, endpoint: &str) -> Site {
        let quoted = |text: &str| format!("{text:?}");
        let key = self.folder.path().join("key.toml");
        site.with("store", "url", "\"s3://media\"").with("store", "endpoint", &quoted(endpoint)).with(
            "store",
            "credentials",
            &quoted(key.to_str().unwrap()),
        )
    }

    /// Puts what lies in a folder into it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn fill(&self, folder: &Path) {
        let media = self.objects().join(MEDIA);
        tool::bytes(Command::new("cp").arg("-r").arg(folder.join(".")).arg(&media));
        let mut folders = vec![media.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    self.tag(path.strip_prefix(&media).unwrap().to_str().unwrap(), &path);
                }
            }
        }
    }

    /// Puts a file into it under the name of `key`, in the place of what may be there: who reads that meanwhile reads on from the
    /// former, and who asks again is told of another version.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn replace(&self, key: &str, file: &Path) {
        let object = self.objects().join(MEDIA).join(key);
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        let beside = self.folder.path().join("next");
        fs::copy(file, &beside).unwrap();
        let _nobody_looks_it_up = self.wire.objects.blocking_write();
        fs::rename(beside, &object).unwrap();
        self.tag(key, &object);
    }

    /// The objects under a prefix that ends where a folder does, with what is in them.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn contents(&self, prefix: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut all, mut folders) = (BTreeMap::new(), vec![self.objects().join(MEDIA).join(prefix)]);
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                match path.is_dir() {
                    true => folders.push(path),
                    // What is swept in this very moment is none any more.
                    false => drop(fs::read(&path).map(|bytes| all.insert(path, bytes))),
                }
            }
        }
        all
    }

    fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    /// Writes down the entity tag of an object where the server looks for it, as it does of what is put through it: else it reads
    /// all of the object for each answer.
    fn tag(&self, key: &str, file: &Path) {
        let digest = Sha256::digest(fs::read(file).unwrap());
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let [bucket, key] = [MEDIA, key].map(|name| URL_SAFE_NO_PAD.encode(name));
        let note = self.objects().join(format!(".bucket-{bucket}.object-{key}.internal.json"));
        fs::write(note, format!("{{\"e_tag\":{tag:?}}}")).unwrap();
    }

    /// Lets each answer begin so many milliseconds later.
    pub fn is_far(&self, millis: u64) {
        self.wire.is_far(millis);
    }

    /// Cuts the wire, or mends it: a request is a connection that breaks.
    pub fn is_cut(&self, is_cut: bool) {
        self.does(if is_cut { Trouble::Cut } else { Trouble::None });
    }

    /// Brings the wire into trouble, or out of it.
    pub fn does(&self, trouble: Trouble) {
        self.wire.does(trouble);
    }

    /// What went over the wire since this was last asked.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }

    /// How many questions came so far, of whatever kind, answered or not.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.wire.asked()
    }

    /// How many lies were told so far.
    #[must_use]
    pub fn lies(&self) -> u64 {
        self.wire.lies()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.over.notify_one();
    }
}

async fn serve(listener: TcpListener, service: S3Service, wire: &Arc<Wire>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (service, wire) = (service.clone(), Arc::clone(wire));
        let through = service_fn(move |request| {
            let (service, wire) = (service.clone(), Arc::clone(&wire));
            async move { wire.carry(&service, request).await }
        });
        tokio::spawn(async move {
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), through).await;
        });
    }
}

const MEDIA: &str = "media";
const ID: &str = "AKFOREBAY";
const SECRET: &str = "nobody guesses this";
