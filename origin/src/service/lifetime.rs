//! How long an answer may be kept. Every answer says so, errors too: a CDN's own default for what says nothing can
//! be an hour.

use std::time::Duration;

use authz::{Grant, Transport, UnixSeconds};
use http::HeaderValue;

/// How long an answer is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Its URL will never mean anything else: 14 days.
    Immutable,
    /// The door of an asset: half a target duration, and stale for as long again while it is fetched anew.
    Door(u32),
    /// A live playlist that a client asked to wait for: no other answer to that URL will be right. Six target durations
    /// (RFC 8216bis App. B.1).
    Held(u32),
    /// A live playlist of the moment: half a target duration, at most a second.
    Edge(u32),
    /// A playlist that will not change any more, but may be taken down: a minute.
    Over,
    /// An error that may be over soon: a second.
    Moment,
    /// An error of a hold that lasted too long: a second, and again.
    Again,
    /// An error that asks for patience: five seconds.
    Retry,
    /// Kept, but asked about each time.
    Revalidate,
    /// For one viewer alone.
    Never,
    /// What does not change with the content: a day.
    Day,
}

/// Under what an answer is given.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) grant: Grant,
    /// Where the token was, if there was one.
    pub(super) transport: Option<Transport>,
}

impl Admission {
    /// Whether a shared cache would give the answer to those who bring no token: the URL does not hold it, and
    /// `public` lifts the rule that keeps answers to `Authorization` out of such a cache (RFC 9111 §3.5).
    fn is_private(&self) -> bool {
        matches!(self.transport, Some(Transport::Header | Transport::Cookie))
    }
}

impl Lifetime {
    /// The `Cache-Control` of an answer under `admission`: never longer than the token lives, nothing stale beyond
    /// its end, and shared only with those who have the URL that holds it.
    pub(super) fn header(self, admission: Option<&Admission>, now: UnixSeconds) -> HeaderValue {
        let left = admission.and_then(|a| a.grant.lifetime_left(now)).map_or(u64::MAX, |left| left.as_secs());
        let whose = if admission.is_some_and(Admission::is_private) { "private" } else { "public" };
        let text = match self {
            Self::Immutable => format!("{whose}, max-age={}, immutable", FORTNIGHT.min(left)),
            Self::Door(target) => {
                let half = u64::from(target.div_ceil(2)).max(1);
                let age = half.min(left);
                match half.min(left - age) {
                    0 => format!("{whose}, max-age={age}"),
                    stale => format!("{whose}, max-age={age}, stale-while-revalidate={stale}"),
                }
            }
            Self::Held(target) => format!("{whose}, max-age={}", (6 * u64::from(target)).min(left)),
            // Half of the shortest target duration is less than the header can say.
            Self::Edge(_) => format!("{whose}, max-age={}", left.min(1)),
            Self::Over => format!("{whose}, max-age={}", left.min(60)),
            Self::Moment => format!("{whose}, max-age={}", left.min(1)),
            Self::Again => format!("{whose}, max-age={}", left.min(1)),
            Self::Retry => format!("{whose}, max-age={}", left.min(5)),
            Self::Revalidate => return HeaderValue::from_static("no-cache"),
            Self::Never => return HeaderValue::from_static("private, no-store"),
            Self::Day => format!("{whose}, max-age={}", left.min(24 * 3600)),
        };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"))
    }

    /// `Retry-After`, where the client should wait.
    pub(super) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Retry => Some(Duration::from_secs(5)),
            Self::Again => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

const FORTNIGHT: u64 = 14 * 24 * 3600;

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

    fn written(lifetime: Lifetime, left: u64, transport: Transport) -> String {
        let admission = Admission { grant: grant(left), transport: Some(transport) };
        lifetime.header(Some(&admission), NOW).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_that_is_not_in_the_url_keeps_the_answer_out_of_shared_caches() {
        for transport in [Transport::Header, Transport::Cookie] {
            for lifetime in [Lifetime::Immutable, Lifetime::Door(6), Lifetime::Moment, Lifetime::Retry] {
                let text = written(lifetime, 100, transport);
                assert!(text.starts_with("private, "), "{text}");
            }
        }
        assert!(written(Lifetime::Immutable, 100, Transport::Query).starts_with("public, "));
    }

    #[test]
    fn an_answer_never_outlives_its_token() {
        let header = |lifetime, left| written(lifetime, left, Transport::Path);
        assert_eq!(header(Lifetime::Immutable, 100), "public, max-age=100, immutable");
        assert_eq!(header(Lifetime::Immutable, 2 * FORTNIGHT), "public, max-age=1209600, immutable");
        assert_eq!(header(Lifetime::Door(6), 2), "public, max-age=2");
        assert_eq!(header(Lifetime::Door(6), 4), "public, max-age=3, stale-while-revalidate=1");
        assert_eq!(header(Lifetime::Retry, 2), "public, max-age=2");
        assert_eq!(header(Lifetime::Door(6), 600), "public, max-age=3, stale-while-revalidate=3");
    }
}
