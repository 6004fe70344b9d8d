//! A bucket of an object storage that speaks the S3 protocol.
//!
//! The protocol, signatures and uploads in parts are `object_store`'s; the connections are ours (see `wire`), so that what
//! the store says with 429 and 503 is heard, and TLS is the one that the rest of the process has.
//!
//! Nothing here needs the store to keep conditions: who publishes what is decided in the database, and each
//! revision has names of its own.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};

use super::pace::Pace;
use crate::config::{Addressing, Bucket, BucketKey};
use wire::Connector;

/// What a client is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Somebody waits: it tries once, for so long, and who asks it tries again.
    Reading { patience: Duration },
    /// Jobs: it tries for minutes by itself.
    Writing,
}

/// Opens a bucket. Asks nobody.
pub(super) fn open(
    bucket: &Bucket,
    key: &BucketKey,
    purpose: Purpose,
    pace: &Arc<Pace>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let (retry, patience) = match purpose {
        Purpose::Reading { patience } => (RetryConfig { max_retries: 0, ..RetryConfig::default() }, patience),
        Purpose::Writing => (RetryConfig::default(), LONGEST_WRITE),
    };
    let is_clear = bucket.endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme_str() == Some("http"));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&key.id)
        .with_secret_access_key(key.secret.as_str())
        .with_virtual_hosted_style_request(bucket.addressing == Addressing::Host)
        .with_allow_http(is_clear)
        // Whether OCI keeps them is not said anywhere.
        .with_conditional_put(S3ConditionalPut::Disabled)
        // A body of a checksum that not every service knows, for objects that are deleted one by one.
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_http_connector(Connector { patience, is_clear, pace: Arc::clone(pace) });
    if let Some(session) = &key.session {
        builder = builder.with_token(session.as_str());
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint.to_string().trim_end_matches('/'));
    }
    let objects = Arc::new(builder.build()?);
    Ok(match bucket.prefix.as_str() {
        "" => objects,
        prefix => Arc::new(PrefixStore::new(objects, Path::from(prefix))),
    })
}

/// How long the answer to a part of an upload may take.
const LONGEST_WRITE: Duration = Duration::from_secs(120);

#[cfg(test)]
pub(super) mod tests;
