//! How long an answer may be kept. Every answer says so, errors too: a CDN's own default for what says nothing can
//! be an hour.

use std::time::Duration;

use authz::{Grant, UnixSeconds};
use http::HeaderValue;

/// How long an answer is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Its URL will never mean anything else: 14 days.
    Immutable,
    /// The door of an asset: half a target duration, and stale for as long again while it is fetched anew.
    Door(u32),
    /// An error that may be over soon: a second.
    Moment,
    /// An error that asks for patience: five seconds.
    Retry,
    /// Kept, but asked about each time.
    Revalidate,
    /// For one viewer alone.
    Never,
    /// What does not change with the content: a day.
    Day,
}

impl Lifetime {
    /// The `Cache-Control` of an answer under `grant`: never longer than the token lives, and nothing stale beyond
    /// its end.
    pub(super) fn header(self, grant: Option<&Grant>, now: UnixSeconds) -> HeaderValue {
        let left = grant.and_then(|g| g.lifetime_left(now)).map_or(u64::MAX, |left| left.as_secs());
        let text = match self {
            Self::Immutable if left >= FORTNIGHT => return HeaderValue::from_static(IMMUTABLE),
            Self::Immutable => format!("public, max-age={left}, immutable"),
            Self::Door(target) => {
                let half = u64::from(target.div_ceil(2)).max(1);
                let age = half.min(left);
                match half.min(left - age) {
                    0 => format!("public, max-age={age}"),
                    stale => format!("public, max-age={age}, stale-while-revalidate={stale}"),
                }
            }
            Self::Moment => return HeaderValue::from_static("public, max-age=1"),
            Self::Retry => return HeaderValue::from_static("public, max-age=5"),
            Self::Revalidate => return HeaderValue::from_static("no-cache"),
            Self::Never => return HeaderValue::from_static("private, no-store"),
            Self::Day => return HeaderValue::from_static("public, max-age=86400"),
        };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"))
    }

    /// `Retry-After`, where the client should wait.
    pub(super) fn retry_after(self) -> Option<Duration> {
        (self == Self::Retry).then_some(Duration::from_secs(5))
    }
}

const FORTNIGHT: u64 = 14 * 24 * 3600;
const IMMUTABLE: &str = "public, max-age=1209600, immutable";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    /// A grant with so many seconds to live, from a real gate.
    fn grant(left: u64) -> Grant {
        use authz::{
            CanonicalPath, Claims, Family, Gate, Key, KeyId, KeySet, Policy, ResourceGlob, Scope, Verb, mint,
        };
        let key = Key::generate(KeyId::parse("k").unwrap(), [7; 32]);
        let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse("/vod/**").unwrap()]).unwrap();
        let token = mint(&Claims::new(UnixSeconds(NOW.0 + left), scope).unwrap(), &key).unwrap();
        let family = Family::guarded("/vod", Verb::Play).unwrap().with_max_ttl(Duration::from_secs(1 << 30));
        let gate = Gate::new(Policy::closed().with(family).unwrap(), KeySet::new(vec![key]).unwrap());
        let path = CanonicalPath::parse(b"/vod/x").unwrap();
        gate.admit(Some(token.as_str()), Verb::Play, &path, NOW).unwrap()
    }

    #[test]
    fn an_answer_never_outlives_its_token() {
        let header =
            |lifetime: Lifetime, left| lifetime.header(Some(&grant(left)), NOW).to_str().unwrap().to_owned();
        assert_eq!(header(Lifetime::Immutable, 100), "public, max-age=100, immutable");
        assert_eq!(header(Lifetime::Immutable, 2 * FORTNIGHT), IMMUTABLE);
        assert_eq!(header(Lifetime::Door(6), 2), "public, max-age=2");
        assert_eq!(header(Lifetime::Door(6), 4), "public, max-age=3, stale-while-revalidate=1");
        assert_eq!(header(Lifetime::Door(6), 600), "public, max-age=3, stale-while-revalidate=3");
    }
}
