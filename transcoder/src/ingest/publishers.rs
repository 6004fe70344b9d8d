//! The port through which a publisher is admitted.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;
use sha2::{Digest, Sha256};

use crate::publishing::StreamKeyId;

/// Who may publish, and what. [`super::conformance::run`] tests an implementation.
///
/// A call ends in bounded time; it is dropped after [`super::Limits::answer`].
#[async_trait]
pub trait Publishers: Debug + Send + Sync {
    /// Looks up the key. How long that takes must not depend on how much of a key is right. It is asked again for a
    /// publisher that goes on, every [`super::Limits::recheck`].
    ///
    /// # Errors
    /// [`Refusal::WrongKey`] for a key that opens nothing, [`Refusal::Unavailable`] where it cannot be looked up.
    async fn admit(&self, request: &Request) -> Result<Permit, Refusal>;
}

/// What a publisher asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The application: the part of the URL between host and key, often `live`. At most 512 characters.
    pub app: String,
    /// The key, without what follows a question mark.
    pub secret: Secret,
    /// What follows the question mark, empty where there is none. It may hold secrets as well.
    pub query: Query,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it calls itself (`flashVer`), without control characters.
    pub client: String,
}

/// What a right key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The stream.
    pub stream: StreamName,
    /// How its shows are run.
    pub policy: ShowPolicy,
    /// The number of the key, where keys have numbers.
    pub key: Option<StreamKeyId>,
}

/// How the shows of a stream are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShowPolicy {
    /// A publisher that returns within this time goes on with the same show.
    pub window: Duration,
}

impl Default for ShowPolicy {
    fn default() -> Self {
        Self { window: Duration::from_secs(60) }
    }
}

/// Why a publisher is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The key opens nothing.
    #[error("the stream key is not valid")]
    WrongKey,
    /// There were too many wrong keys from this address.
    #[error("too many wrong stream keys, wait a minute")]
    Penalty,
    /// Another publisher is active on this stream, and streams are not taken over that often.
    #[error("the stream has another publisher")]
    Busy,
    /// The key cannot be looked up now, or nobody takes the show.
    #[error("the server cannot take the stream now, try again")]
    Unavailable,
}

impl Refusal {
    /// One stable word for logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong_key",
            Self::Penalty => "penalty",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What a publisher gave as its key: a secret, or an attempt at one. It is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Spaces at both ends belong to how it was pasted, not to the key.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256, the form to keep and to look up.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// Four digits of the key's hash: enough to see in a log that two attempts were the same, too little to find a key by.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, ..] = self.digest();
        write!(f, "secret#{first:02x}{second:02x}")
    }
}

/// What follows the question mark of a publisher's URL.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Query(String);

impl Query {
    /// As it was sent.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query of {} bytes", self.0.len())
    }
}

/// Publishers without a database, for tests and for embedders with keys of their own.
#[derive(Debug, Default)]
pub struct MemoryPublishers(HashMap<[u8; 32], Permit>);

impl MemoryPublishers {
    /// Lets nobody in.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a key that opens a stream.
    #[must_use]
    pub fn with(mut self, key: &Secret, permit: Permit) -> Self {
        self.0.insert(key.digest(), permit);
        self
    }
}

#[async_trait]
impl Publishers for MemoryPublishers {
    async fn admit(&self, request: &Request) -> Result<Permit, Refusal> {
        self.0.get(&request.secret.digest()).cloned().ok_or(Refusal::WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    fn memory(keys: &[(Secret, Permit)]) -> MemoryPublishers {
        keys.iter().fold(MemoryPublishers::new(), |known, (key, permit)| known.with(key, permit.clone()))
    }

    #[tokio::test]
    async fn it_conforms() {
        conformance::run(memory).await.unwrap();
    }

    /// Compares as far as the shorter of the two goes: the fault that the suite must find.
    #[derive(Debug)]
    struct Prefix(Vec<(Secret, Permit)>);

    #[async_trait]
    impl Publishers for Prefix {
        async fn admit(&self, request: &Request) -> Result<Permit, Refusal> {
            let given = request.secret.expose();
            let known = self.0.iter().find(|(key, _)| key.expose().starts_with(given));
            known.map(|(_, permit)| permit.clone()).ok_or(Refusal::WrongKey)
        }
    }

    #[tokio::test]
    async fn the_suite_finds_a_key_that_is_not_read_to_its_end() {
        let broken = conformance::run(|keys| Prefix(keys.to_vec())).await.unwrap_err();
        assert!(broken.starts_with("another_key_opens_nothing"), "{broken}");
    }

    #[test]
    fn neither_key_nor_query_is_printed() {
        let request = Request {
            app: "live".into(),
            secret: Secret::new(" sk-secret\n"),
            query: Query::new("token=secret"),
            peer: ([127, 0, 0, 1], 1).into(),
            client: "OBS".into(),
        };
        assert_eq!(request.secret.expose(), "sk-secret");
        let printed = format!("{request:?}");
        assert!(!printed.contains("sk-") && !printed.contains("token"), "{printed}");
        assert!(printed.contains("secret#") && printed.contains("query of 12 bytes"), "{printed}");
    }
}
