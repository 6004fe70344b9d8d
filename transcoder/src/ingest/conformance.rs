//! What every implementation of [`Publishers`] must do. Each case gives its name and what went wrong.

use std::time::Duration;

use packager::asset::StreamName;

use super::{Permit, Publishers, Query, Refusal, Request, Secret, ShowPolicy};
use crate::publishing::{StreamKeyId, StreamSecret};

/// Runs all cases. `make` builds an implementation that knows these keys and no others.
///
/// # Errors
/// The first case that did not hold, and why.
pub async fn run<P: Publishers>(make: impl Fn(&[(Secret, Permit)]) -> P) -> Result<(), String> {
    let keys = keys()?;
    let publishers = make(&keys);
    a_key_opens_its_stream(&publishers, &keys).await?;
    another_key_opens_nothing(&publishers, &keys).await?;
    nobody_is_let_in_without_keys(&make(&[])).await
}

async fn a_key_opens_its_stream(
    publishers: &impl Publishers,
    keys: &[(Secret, Permit)],
) -> Result<(), String> {
    let case = "a_key_opens_its_stream";
    // Twice, since nothing is used up, and whatever else the request says.
    for (app, query) in [("live", ""), ("other", "a=1")] {
        for (key, permit) in keys {
            let request = Request { app: app.into(), query: Query::new(query), ..request(key.expose()) };
            let found = publishers.admit(&request).await;
            if found.as_ref() != Ok(permit) {
                return Err(format!("{case}: expected {permit:?}, found {found:?}"));
            }
        }
    }
    Ok(())
}

async fn another_key_opens_nothing(
    publishers: &impl Publishers,
    keys: &[(Secret, Permit)],
) -> Result<(), String> {
    let case = "another_key_opens_nothing";
    let other = StreamSecret::of([9; 20]).reveal();
    let mut wrong =
        vec![String::new(), "%".into(), "' or 1=1 --".into(), "k\u{e9}y".into(), "a".repeat(512), other];
    for (key, permit) in keys {
        let key = key.expose();
        wrong.extend([
            format!("{key}x"),
            format!("x{key}"),
            format!("{key}{key}"),
            permit.stream.to_string(),
        ]);
        wrong.push(key.chars().take(key.chars().count() - 1).collect());
    }
    for key in wrong {
        let found = publishers.admit(&request(&key)).await;
        if found != Err(Refusal::WrongKey) {
            return Err(format!("{case}: {key:?}: expected a refusal, found {found:?}"));
        }
    }
    Ok(())
}

async fn nobody_is_let_in_without_keys(publishers: &impl Publishers) -> Result<(), String> {
    match publishers.admit(&request(&StreamSecret::of([1; 20]).reveal())).await {
        Err(Refusal::WrongKey) => Ok(()),
        found => Err(format!("nobody_is_let_in_without_keys: expected a refusal, found {found:?}")),
    }
}

fn keys() -> Result<Vec<(Secret, Permit)>, String> {
    let key = |number: u8, stream: &str| {
        let stream: StreamName = stream.parse().map_err(|error| format!("a name: {error}"))?;
        let policy = ShowPolicy { window: Duration::from_secs(5) };
        let permit = Permit { stream, policy, key: Some(StreamKeyId(number.into())) };
        Ok::<_, String>((Secret::new(&StreamSecret::of([number; 20]).reveal()), permit))
    };
    // Two keys of one stream, as when a key is changed and the old one is still in an encoder.
    Ok(vec![key(1, "one")?, key(2, "one")?, key(3, "two")?])
}

fn request(key: &str) -> Request {
    Request {
        app: "live".into(),
        secret: Secret::new(key),
        query: Query::default(),
        peer: ([192, 0, 2, 1], 40_000).into(),
        client: "conformance".into(),
    }
}
