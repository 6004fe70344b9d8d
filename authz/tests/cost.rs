//! What a check costs. Not part of the usual run:
//!
//! ```text
//! cargo test --release -p forebay-authz --test cost -- --ignored --nocapture
//! ```
#![expect(clippy::disallowed_methods, reason = "the crate is pure, its measurements need a clock")]

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use forebay_authz::{
        CanonicalPath, Carrier, Claims, Family, Gate, Key, KeyId, KeySet, Policy, ResourceGlob, Scope,
        SessionId, Token, UnixSeconds, Verb, mint,
    };

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const PATH: &str = "/live/championship-final/s42/video-720/1234.m4s";

    /// The shortest of many rounds: what the work takes when nothing disturbs it.
    fn cost(name: &str, mut work: impl FnMut()) -> Duration {
        const CALLS: u32 = 2_000;
        let round = |work: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| work());
            start.elapsed() / CALLS
        };
        let best = (0..200).map(|_| round(&mut work)).min().unwrap();
        println!("{name:<44} {:>6} ns", best.as_nanos());
        best
    }

    fn key() -> Key {
        Key::generate(KeyId::parse("2027-01").unwrap(), [7; 32])
    }

    /// A token for a live show of about 200 characters.
    fn token(session: bool) -> Token {
        let globs = ["/live/championship-final/main.m3u8", "/live/championship-final/s42/**"];
        let globs = globs.iter().map(|glob| ResourceGlob::parse(glob).unwrap()).collect();
        let mut claims =
            Claims::new(UnixSeconds(NOW.0 + 3600), Scope::new(Verb::Play, globs).unwrap()).unwrap();
        if session {
            claims = claims.with_session(SessionId::parse("0f8fad5b-d9cb-469f").unwrap());
        }
        mint(&claims, &key()).unwrap()
    }

    #[test]
    #[ignore = "a measurement, for a release build on a quiet machine"]
    fn a_token_check_takes_at_most_a_microsecond() {
        let policy = ["/vod", "/live", "/ingest"].into_iter().fold(Policy::closed(), |policy, prefix| {
            policy.with(Family::guarded(prefix, Verb::Play).unwrap()).unwrap()
        });
        let gate = Gate::new(policy, KeySet::new(vec![key()]).unwrap());
        let path = CanonicalPath::parse(PATH.as_bytes()).unwrap();
        let plain = token(false);
        let named = token(true);
        println!("token: {} characters, with session {}", plain.as_str().len(), named.as_str().len());

        let admit = |token: &str| gate.admit(Some(black_box(token)), Verb::Play, black_box(&path), NOW);
        assert!(admit(plain.as_str()).is_ok() && admit(named.as_str()).is_ok());
        let good = cost("admit", || drop(black_box(admit(plain.as_str()))));
        let session = cost("admit, token names a session", || drop(black_box(admit(named.as_str()))));

        let forged = format!("{}A", &plain.as_str()[..plain.as_str().len() - 1]);
        let forged = cost("deny, another signature", || drop(black_box(admit(&forged))));
        let unknown = plain.as_str().replacen("2027", "2028", 1);
        let unknown = cost("deny, unknown key", || drop(black_box(admit(&unknown))));

        let parse =
            cost("parse the path", || drop(black_box(CanonicalPath::parse(black_box(PATH.as_bytes())))));
        let carrier = Carrier::default();
        let url = carrier.url_path(&plain, &path).unwrap();
        let headers = http::HeaderMap::new();
        cost("lift the token, parse the path", || drop(black_box(carrier.lift(black_box(&url), &headers))));

        for taken in [good, session, forged, unknown] {
            assert!(taken <= Duration::from_micros(1), "{taken:?}");
        }
        assert!(parse <= Duration::from_micros(1), "{parse:?}");
    }
}
