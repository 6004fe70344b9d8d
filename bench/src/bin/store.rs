//! An object store of the S3 protocol over a folder, so many milliseconds away, that writes down what it was asked.
//!
//! The protocol is that of s3s, which checks the signatures of those who sign; peers that cannot sign need not. Only what a
//! server of media asks is answered: objects, whole or a range, their heads, and lists. `GET /-/asked` tells of each question
//! since it was last asked: what, when from and until in microseconds, how many bytes.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CommonPrefix, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, StreamingBlob,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::net::TcpListener;

#[derive(Parser)]
struct Args {
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// What is in the bucket, whatever its name.
    #[arg(long)]
    folder: PathBuf,
    /// Milliseconds before each answer.
    #[arg(long, default_value_t = 25)]
    far: u64,
    /// The key that signatures are made with.
    #[arg(long)]
    id: String,
    /// Its secret.
    #[arg(long)]
    secret: String,
}

/// A folder as a bucket.
struct Folder(PathBuf);

/// Whoever does not sign may read as well.
struct Everybody;

/// A file that is an object.
struct Found {
    file: fs::File,
    size: u64,
    tag: ETag,
    modified: std::time::SystemTime,
}

/// What was asked.
#[derive(Default)]
struct Notes(Mutex<Vec<serde_json::Value>>);

#[async_trait::async_trait]
impl S3Access for Everybody {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

impl Folder {
    fn find(&self, key: &str) -> S3Result<Found> {
        if key.split('/').any(|part| part == "..") {
            return Err(s3_error!(NoSuchKey));
        }
        let file = fs::File::open(self.0.join(key)).map_err(|_| s3_error!(NoSuchKey))?;
        let about = file.metadata().map_err(|_| s3_error!(NoSuchKey))?;
        if !about.is_file() {
            return Err(s3_error!(NoSuchKey));
        }
        let modified = about.modified().map_err(|_| s3_error!(InternalError))?;
        let age = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let tag = ETag::Strong(format!("{:x}-{:x}", about.len(), age.as_micros()));
        Ok(Found { file, size: about.len(), tag, modified })
    }
}

#[async_trait::async_trait]
impl S3 for Folder {
    async fn get_object(&self, asked: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let Found { file, size, tag, modified } = self.find(&asked.input.key)?;
        let range = match asked.input.range {
            Some(range) => range.check(size)?,
            None => 0..size,
        };
        let content_range = asked
            .input
            .range
            .map(|_| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
        let length = range.end - range.start;
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut bytes, range.start).map(|()| bytes)
        });
        let bytes =
            read.await.map_err(|_| s3_error!(InternalError))?.map_err(|_| s3_error!(InternalError))?;
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(Body::from(bytes))),
            content_length: i64::try_from(length).ok(),
            content_range,
            e_tag: Some(tag),
            last_modified: Some(modified.into()),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, asked: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let found = self.find(&asked.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(found.size).ok(),
            e_tag: Some(found.tag),
            last_modified: Some(found.modified.into()),
            ..HeadObjectOutput::default()
        }))
    }

    /// What lies directly in a folder, and the folders in it.
    async fn list_objects_v2(
        &self,
        asked: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let prefix = asked.input.prefix.unwrap_or_default();
        let (mut objects, mut folders) = (Vec::new(), BTreeSet::new());
        for entry in fs::read_dir(self.0.join(&prefix)).into_iter().flatten().flatten() {
            let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.insert(format!("{key}/"));
                continue;
            }
            let found = self.find(&key)?;
            objects.push(Object {
                key: Some(key),
                size: i64::try_from(found.size).ok(),
                e_tag: Some(found.tag),
                last_modified: Some(found.modified.into()),
                ..Object::default()
            });
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        let folders = folders.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(asked.input.bucket),
            key_count: i32::try_from(objects.len()).ok(),
            contents: Some(objects),
            common_prefixes: Some(folders.collect()),
            is_truncated: Some(false),
            prefix: Some(prefix),
            ..ListObjectsV2Output::default()
        }))
    }
}

impl Notes {
    fn add(&self, note: serde_json::Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    fn take(&self) -> serde_json::Value {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut builder = S3ServiceBuilder::new(Folder(args.folder));
    builder.set_auth(SimpleAuth::from_single(args.id, args.secret));
    builder.set_access(Everybody);
    let (service, notes, began) = (builder.build(), Arc::<Notes>::default(), Instant::now());
    let far = Duration::from_millis(args.far);
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(args.listen)?;
    let listener: TcpListener = socket.listen(4096)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, notes) = (service.clone(), Arc::clone(&notes));
        let answer = service_fn(move |request| {
            let (service, notes) = (service.clone(), Arc::clone(&notes));
            async move { answer(&service, &notes, request, far, began).await }
        });
        tokio::spawn(async move {
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    service: &S3Service,
    notes: &Notes,
    request: Request<Incoming>,
    far: Duration,
    began: Instant,
) -> Result<Response<Body>, String> {
    if request.uri().path() == "/-/asked" {
        return Ok(Response::new(Body::from(notes.take().to_string())));
    }
    let (from, what) = (began.elapsed(), format!("{} {}", request.method(), request.uri()));
    tokio::time::sleep(far).await;
    let is_get = request.method() == http::Method::GET;
    let answer = service.call(request.map(Body::from)).await.map_err(|error| format!("{error:?}"))?;
    let length = answer.headers().get(http::header::CONTENT_LENGTH).filter(|_| is_get);
    let length: u64 = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    notes.add(serde_json::json!({
        "what": what, "status": answer.status().as_u16(), "bytes": length,
        "from": from.as_micros() as u64, "until": began.elapsed().as_micros() as u64,
    }));
    Ok(answer)
}
