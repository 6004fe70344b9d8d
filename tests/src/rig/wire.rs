//! What lies between a server and its store: a wire of a given length that counts, is cut, falls silent, is held up, or carries lies.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::Service;
use s3s::Body;
use s3s::service::S3Service;
use tokio::sync::RwLock;

/// What the wire does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// A request is a connection that breaks.
    Cut,
    /// A request is never answered.
    Silence,
    /// One question in so many is refused with this status, and told to come back after so many seconds.
    Busy {
        /// 503 or 429.
        status: u16,
        /// `Retry-After`.
        seconds: u64,
        /// 1 for all of them.
        one_in: u64,
    },
    /// One read in so many is answered with a lie: each [`Lie`] in turn.
    Lies {
        /// 1 for all of them.
        one_in: u64,
    },
}

/// What can be wrong with an answer to a read that looks good at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The connection breaks in the middle of the body.
    Torn,
    /// Half of the body, and a head which says that this is all.
    Short,
    /// More than was asked for.
    Long,
    /// The whole object, with status 200.
    Whole,
    /// Status 500.
    Failed,
}

/// What went over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Answers with bytes of objects.
    pub reads: u64,
    /// Their bytes.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Wire {
    millis: AtomicU64,
    trouble: Mutex<Trouble>,
    asked: AtomicU64,
    lies: AtomicU64,
    reads: AtomicU64,
    bytes: AtomicU64,
    /// Held while an object is looked up, and alone while one is replaced: a look-up sees the one or the other.
    pub(super) objects: RwLock<()>,
}

impl Lie {
    const ALL: [Self; 5] = [Self::Torn, Self::Short, Self::Long, Self::Whole, Self::Failed];
}

impl Wire {
    pub(super) fn is_far(&self, millis: u64) {
        self.millis.store(millis, Ordering::SeqCst);
    }

    pub(super) fn does(&self, trouble: Trouble) {
        *self.trouble() = trouble;
    }

    pub(super) fn traffic(&self) -> Traffic {
        let of = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Traffic { reads: of(&self.reads), bytes: of(&self.bytes) }
    }

    /// Every question that was put, whatever came of it.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn lies(&self) -> u64 {
        self.lies.load(Ordering::SeqCst)
    }

    /// Carries a question and its answer.
    pub(super) async fn carry(
        &self,
        service: &S3Service,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, String> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let trouble = *self.trouble();
        let is_read = request.method() == Method::GET && !request.uri().path().ends_with("/media");
        let mut lie = None;
        match trouble {
            Trouble::Cut => return Err("the wire is cut".to_owned()),
            Trouble::Silence => std::future::pending().await,
            Trouble::Busy { status, seconds, one_in } if number.is_multiple_of(one_in) => {
                return Ok(refusal(status, Some(seconds)));
            }
            Trouble::Lies { one_in } if is_read && number.is_multiple_of(one_in) => {
                let told = self.lies.fetch_add(1, Ordering::SeqCst);
                lie = Lie::ALL.get(usize::try_from(told).unwrap() % Lie::ALL.len()).copied();
            }
            Trouble::None | Trouble::Busy { .. } | Trouble::Lies { .. } => {}
        }
        tokio::time::sleep(Duration::from_millis(self.millis.load(Ordering::SeqCst))).await;
        match lie {
            Some(Lie::Failed) => return Ok(refusal(500, None)),
            Some(Lie::Whole) => drop(request.headers_mut().remove(header::RANGE)),
            _ => {}
        }
        let answer = {
            let _none_is_replaced = self.objects.read().await;
            Service::call(service, request).await.map_err(|error| format!("{error:?}"))?
        };
        if !is_read || !answer.status().is_success() {
            return Ok(answer);
        }
        let length = answer.headers().get(header::CONTENT_LENGTH);
        let length: u64 = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(length, Ordering::SeqCst);
        match lie {
            Some(lie) => told(lie, answer).await,
            None => Ok(answer),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap()
    }
}

fn refusal(status: u16, seconds: Option<u64>) -> Response<Body> {
    let mut answer = Response::new(Body::from("<Error><Code>SlowDown</Code></Error>".to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer.headers_mut().extend(seconds.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
    answer
}

/// The answer as a liar gives it.
async fn told(lie: Lie, answer: Response<Body>) -> Result<Response<Body>, String> {
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let body = match lie {
        Lie::Torn => torn(bytes.slice(..bytes.len() / 2)),
        Lie::Short => Body::from(bytes.slice(..bytes.len() / 2)),
        Lie::Long => Body::from([&bytes[..], b"and"].concat()),
        Lie::Whole | Lie::Failed => Body::from(bytes.clone()),
    };
    let length = match lie {
        Lie::Torn | Lie::Whole | Lie::Failed => bytes.len(),
        Lie::Short => bytes.len() / 2,
        Lie::Long => bytes.len() + 3,
    };
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(Response::from_parts(head, body))
}

/// A body that breaks behind these bytes.
fn torn(bytes: Bytes) -> Body {
    let pieces = stream::unfold(Some(bytes), |bytes| async {
        match bytes? {
            bytes if !bytes.is_empty() => Some((Ok(Frame::data(bytes)), Some(Bytes::new()))),
            _ => {
                // What has been said is on its way by then.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    Body::http_body_unsync(StreamBody::new(pieces))
}
