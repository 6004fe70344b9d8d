//! Asking another node.

use std::sync::Arc;
use std::time::Duration;

use authz::UnixSeconds;
use bytes::{Buf as _, Bytes, BytesMut};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout};

use super::question::{Question, SUM, Seal};
use crate::clock::Clock;
use crate::metrics::{Metrics, PeerEnd};
use crate::store::Breaker;

/// Another node. Where it has just failed it is not asked for a moment.
pub(in crate::cache) struct Peer {
    node: Authority,
    breaker: Breaker,
    wire: Arc<Wire>,
}

/// How this node asks: what all its peers have in common.
pub(super) struct Wire {
    client: Client<HttpConnector, Empty<Bytes>>,
    seal: Seal,
    here: HeaderValue,
    /// How long a peer may say nothing.
    patience: Duration,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Why a peer gave less than it was asked for.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("expected a node that listens, found none")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("expected an answer, or more of it, within {0:?}, found none")]
    Late(Duration),
    #[error("expected an answer with blocks, found {0}")]
    Refused(StatusCode),
    #[error("expected an answer to its end, found less")]
    Broken(#[source] Option<hyper::Error>),
    #[error("expected {0}, found another")]
    Corrupt(&'static str),
}

/// An answer under way.
struct Answer {
    body: Incoming,
    /// What has come and was not taken yet.
    frame: Bytes,
    patience: Duration,
}

impl Wire {
    pub(super) fn new(
        seal: Seal,
        here: HeaderValue,
        patience: Duration,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut sockets = HttpConnector::new();
        sockets.set_nodelay(true);
        sockets.set_connect_timeout(Some(CONNECT.min(patience)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(sockets);
        Self { client, seal, here, patience, clock, metrics }
    }
}

impl Peer {
    pub(super) fn new(node: Authority, wire: Arc<Wire>) -> Self {
        Self { node, breaker: Breaker::after(FAILURES), wire }
    }

    /// Gives the blocks that are asked for to `take`, from the first one on, each as soon as it is whole. Those that do not come
    /// are for the caller to get elsewhere. `usual` is what the store takes to answer 95 of 100 reads.
    pub(in crate::cache) async fn ask(
        &self,
        question: &Question,
        usual: Option<Duration>,
        mut take: impl FnMut(Bytes),
    ) {
        let metrics = self.wire.metrics.peers();
        if !self.breaker.admits() {
            return metrics.asked(PeerEnd::PassedOver, 0);
        }
        let mut bytes = 0;
        let ended = self
            .exchange(question, self.patience(usual), |block| {
                bytes += block.len() as u64;
                take(block);
            })
            .await;
        metrics.asked(ended.as_ref().map_or_else(Fault::end, |()| PeerEnd::Whole), bytes);
        self.learn(ended, question);
    }

    /// How long the first block may take. A peer may have to ask the store for it, and is given twice as long as that takes as a
    /// rule, and a second. What takes longer is better asked for here; and where the store is slow altogether, the wait for
    /// the peer is short beside the one for the store.
    pub(super) fn patience(&self, usual: Option<Duration>) -> Duration {
        let longest = self.wire.patience;
        usual.map_or(longest, |usual| usual.saturating_mul(2).saturating_add(ALLOWANCE).min(longest))
    }

    async fn exchange(
        &self,
        question: &Question,
        patience: Duration,
        mut take: impl FnMut(Bytes),
    ) -> Result<(), Fault> {
        let began = Instant::now();
        let answer = timeout(patience, self.open(question)).await.map_err(|_| Fault::Late(patience))??;
        self.wire.metrics.peers().waited(began.elapsed());
        let mut answer =
            Answer { body: answer.into_body(), frame: Bytes::new(), patience: self.wire.patience };
        let mut left = question.range.len();
        while left > 0 {
            let length = left.min(question.block);
            take(answer.block(length).await?);
            left -= length;
        }
        Ok(())
    }

    /// Puts the question; gives an answer that promises what was asked for.
    async fn open(&self, question: &Question) -> Result<Response<Incoming>, Fault> {
        let Wire { client, seal, here, clock, .. } = self.wire.as_ref();
        let answer = client.request(self.request(question, seal, here, clock.now())).await;
        let answer = answer.map_err(Fault::Unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(Fault::Refused(answer.status()));
        }
        let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        match length.and_then(|length| length.parse::<u64>().ok()) == Some(question.length()) {
            true => Ok(answer),
            false => Err(Fault::Corrupt("the length of what was asked for")),
        }
    }

    fn request(
        &self,
        question: &Question,
        seal: &Seal,
        here: &HeaderValue,
        now: UnixSeconds,
    ) -> Request<Empty<Bytes>> {
        let target = question.target();
        let mut headers = HeaderMap::new();
        seal.close(&mut headers, now, here, &target);
        let mut request = Request::new(Empty::new());
        let uri = Uri::builder().scheme("http").authority(self.node.clone()).path_and_query(target).build();
        // A target is made of what may stand in one.
        *request.uri_mut() = uri.unwrap_or_default();
        *request.headers_mut() = headers;
        request
    }

    /// What an answer says of the node, not of the object.
    fn learn(&self, ended: Result<(), Fault>, question: &Question) {
        let is_well = ended.as_ref().map_or_else(Fault::is_of_the_object, |()| true);
        let (node, path) = (&self.node, &question.object.path);
        if let Err(error) = &ended {
            let error = error as &(dyn std::error::Error + 'static);
            tracing::debug!(%node, path, error, "a peer did not give what it was asked for");
        }
        // Only a failure opens it, and only an answer closes it.
        if self.breaker.learns(is_well) {
            self.wire.metrics.peers().passed_over(!is_well);
            match ended {
                Err(error) if !is_well => tracing::warn!(%node, %error, "a peer is passed over for a moment"),
                _ => tracing::info!(%node, "a peer answers again"),
            }
        }
    }
}

impl Answer {
    /// The next block, whose sum is right.
    async fn block(&mut self, length: u64) -> Result<Bytes, Fault> {
        let sum = self.bytes(SUM).await?.get_u32_le();
        let block = self.bytes(length).await?.freeze();
        match crc32fast::hash(&block) == sum {
            true => Ok(block),
            false => Err(Fault::Corrupt("bytes of the sum that came with them")),
        }
    }

    /// So many bytes, in memory of their own: a block that shared it with its neighbours would keep them all from being freed.
    async fn bytes(&mut self, length: u64) -> Result<BytesMut, Fault> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(length);
        while bytes.len() < length {
            if self.frame.is_empty() {
                self.frame = self.frame().await?;
            }
            let taken = self.frame.split_to(self.frame.len().min(length - bytes.len()));
            bytes.extend_from_slice(&taken);
        }
        Ok(bytes)
    }

    async fn frame(&mut self) -> Result<Bytes, Fault> {
        match timeout(self.patience, self.body.frame()).await {
            // What is no data is the end.
            Ok(Some(Ok(frame))) => frame.into_data().map_err(|_| Fault::Broken(None)),
            Ok(Some(Err(error))) => Err(Fault::Broken(Some(error))),
            Ok(None) => Err(Fault::Broken(None)),
            Err(_) => Err(Fault::Late(self.patience)),
        }
    }
}

impl Fault {
    fn end(&self) -> PeerEnd {
        match self {
            Self::Unreachable(_) => PeerEnd::Unreachable,
            Self::Late(_) => PeerEnd::Late,
            Self::Refused(_) => PeerEnd::Refused,
            Self::Broken(_) => PeerEnd::Broken,
            Self::Corrupt(_) => PeerEnd::Corrupt,
        }
    }

    /// Whether it says something of the object, and nothing of the node.
    fn is_of_the_object(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::NOT_FOUND | StatusCode::CONFLICT))
    }
}

/// Failures in a row after which a node is passed over: the store is there in its place.
const FAILURES: u32 = 2;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a connection is kept that nobody needs; nodes keep theirs for longer.
const IDLE: Duration = Duration::from_secs(30);
/// What a peer takes beside what the store takes.
const ALLOWANCE: Duration = Duration::from_secs(1);
