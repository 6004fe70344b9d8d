//! Publishers whose keys are in the catalogue.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Permit, Publishers, Refusal, Request, ShowPolicy};
use crate::publishing::{Admission, StreamKeys, StreamSecret};

/// Lets in who has a secret of [`StreamKeys`]. What is no secret at all does not reach the catalogue.
#[derive(Debug, Clone)]
pub struct KeyedPublishers {
    keys: Arc<dyn StreamKeys>,
    policy: ShowPolicy,
}

impl KeyedPublishers {
    /// With one policy for all streams.
    pub fn new(keys: Arc<dyn StreamKeys>, policy: ShowPolicy) -> Self {
        Self { keys, policy }
    }
}

#[async_trait]
impl Publishers for KeyedPublishers {
    async fn admit(&self, request: &Request) -> Result<Permit, Refusal> {
        let Some(secret) = StreamSecret::parse(request.secret.expose()) else {
            return Err(Refusal::WrongKey);
        };
        match self.keys.admit(&secret.fingerprint()).await {
            Ok(Admission::Admitted { stream, key }) => {
                Ok(Permit { stream, policy: self.policy, key: Some(key) })
            }
            Ok(Admission::Refused(refusal)) => {
                let key = refusal.key().map(|key| key.0);
                tracing::info!(peer = %request.peer, key, reason = refusal.as_str(), "a stream key does not admit");
                Err(Refusal::WrongKey)
            }
            Err(error) => {
                tracing::warn!(peer = %request.peer, %error, "a stream key cannot be looked up");
                Err(Refusal::Unavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Secret, conformance};
    use super::*;
    use crate::publishing::{MemoryStreamKeys, NewKey};

    /// A catalogue in which these keys were made, in this order.
    fn keyed(keys: &[(Secret, Permit)]) -> KeyedPublishers {
        let catalogue = MemoryStreamKeys::new(|| 0);
        for (secret, permit) in keys {
            let secret = StreamSecret::parse(secret.expose()).unwrap();
            let new = NewKey { stream: permit.stream.clone(), label: None, lifetime: None };
            let made = futures_util::FutureExt::now_or_never(catalogue.create(&secret.fingerprint(), &new));
            assert_eq!(made.unwrap().unwrap().id, permit.key.unwrap());
        }
        let policy = keys.first().map(|(_, permit)| permit.policy).unwrap_or_default();
        KeyedPublishers::new(Arc::new(catalogue), policy)
    }

    #[tokio::test]
    async fn it_conforms() {
        conformance::run(keyed).await.unwrap();
    }
}
