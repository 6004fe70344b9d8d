//! Stream keys at the door of the RTMP side.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::ingest::{Admission, Publishers, Refusal, Request, ShowPolicy};
use crate::publishing::{Admission as Key, StreamKeys, StreamSecret};

/// Lets in who has a stream key of the database.
pub struct KeyedPublishers {
    keys: Arc<dyn StreamKeys>,
    policy: ShowPolicy,
}

impl KeyedPublishers {
    /// Looks keys up in `keys`; shows are run by `policy`.
    pub fn new(keys: Arc<dyn StreamKeys>, policy: ShowPolicy) -> Self {
        Self { keys, policy }
    }
}

#[async_trait]
impl Publishers for KeyedPublishers {
    async fn admit(&self, request: &Request) -> Result<Admission, Refusal> {
        // What is not spelt like a key is none; the database is not asked.
        let secret = StreamSecret::parse(request.key.expose()).ok_or(Refusal::WrongKey)?;
        match self.keys.admit(&secret.fingerprint()).await {
            Ok(Key::Admitted { stream, key }) => {
                tracing::info!(%stream, %key, peer = %request.peer, client = request.client, "admitted");
                Ok(Admission { stream, policy: self.policy })
            }
            Ok(Key::Refused(why)) => {
                let key = why.key().map(tracing::field::display);
                tracing::info!(reason = why.as_str(), key, peer = %request.peer, "refused");
                Err(Refusal::WrongKey)
            }
            Err(error) => {
                tracing::warn!(%error, peer = %request.peer, "a stream key cannot be looked up");
                Err(Refusal::Unavailable)
            }
        }
    }
}

impl fmt::Debug for KeyedPublishers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedPublishers").field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Query, StreamKey};
    use crate::publishing::{MemoryStreamKeys, NewKey};

    fn asks(key: &str) -> Request {
        Request {
            app: "live".into(),
            key: StreamKey::new(key),
            query: Query::default(),
            peer: ([127, 0, 0, 1], 1).into(),
            client: "OBS".into(),
        }
    }

    #[tokio::test]
    async fn a_key_opens_its_stream_until_it_is_revoked() {
        let keys = Arc::new(MemoryStreamKeys::new(|| 1_800_000_000_000));
        let publishers = KeyedPublishers::new(Arc::clone(&keys) as _, ShowPolicy::default());
        let (secret, other) = (StreamSecret::of([7; 20]), StreamSecret::of([8; 20]));
        let new = NewKey { stream: "gala".parse().unwrap(), label: None, lifetime: None };
        let key = keys.create(&secret.fingerprint(), &new).await.unwrap();
        let pasted = format!(" {}\n", secret.reveal().to_uppercase());
        let admission = publishers.admit(&asks(&pasted)).await.unwrap();
        assert_eq!((admission.stream, admission.policy), (new.stream, ShowPolicy::default()));
        for wrong in [other.reveal().as_str(), "", "gala", "fb-"] {
            assert_eq!(publishers.admit(&asks(wrong)).await, Err(Refusal::WrongKey), "{wrong}");
        }
        keys.revoke(key.id).await.unwrap();
        assert_eq!(publishers.admit(&asks(&secret.reveal())).await, Err(Refusal::WrongKey));
    }
}
