//! The wire form of the native token, pinned by tokens that another program made (`golden/native.py`).

#[cfg(test)]
mod tests {
    use forebay_authz::{
        Claims, Family, Gate, Inspection, Key, KeyId, KeySet, KeyState, Policy, ResourceGlob, Scope,
        SessionId, Subject, UnixSeconds, Verb, VerbSet, inspect, mint,
    };

    struct Vector {
        secret: Vec<u8>,
        token: &'static str,
    }

    fn vector(name: &str) -> Vector {
        let line =
            include_str!("golden/native.txt").lines().find(|line| line.split(' ').next() == Some(name));
        let fields: Vec<&'static str> = line.unwrap().split(' ').collect();
        let secret = fields[1].as_bytes().chunks(2);
        let secret =
            secret.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
        Vector { secret, token: fields[3] }
    }

    fn scope(verbs: &[Verb], resources: &[&str]) -> Scope {
        Scope::new(
            VerbSet::of(verbs),
            resources.iter().map(|glob| ResourceGlob::parse(glob).unwrap()).collect(),
        )
        .unwrap()
    }

    /// Minting gives the token to the byte, inspecting gives the claims back, and the gate believes it.
    fn agrees(name: &str, kid: &str, claims: &Claims) {
        let Vector { secret, token } = vector(name);
        let key = Key::new(KeyId::parse(kid).unwrap(), &secret, KeyState::Active).unwrap();
        assert_eq!(mint(claims, &key).unwrap().as_str(), token);
        let inspection: Inspection = inspect(token).unwrap();
        assert_eq!((inspection.kid().as_str(), inspection.claims()), (kid, claims));
        let policy = Policy::closed().with(Family::guarded("/", Verb::Play).unwrap()).unwrap();
        let gate = Gate::new(policy, KeySet::new(vec![key]).unwrap());
        assert_eq!(gate.examine(token, UnixSeconds(1_800_000_000)).as_ref(), Ok(claims));
    }

    #[test]
    fn the_least_token_is_what_another_program_makes() {
        let claims =
            Claims::new(UnixSeconds(1_800_003_600), scope(&[Verb::Play], &["/vod/show/**"])).unwrap();
        agrees("least", "2027-01", &claims);
    }

    #[test]
    fn the_whole_token_is_what_another_program_makes() {
        let scope = scope(&Verb::ALL, &["/live/ev1/main.m3u8", "/live/ev1/s7/**"]);
        let claims = Claims::new(UnixSeconds(1_800_003_600), scope)
            .and_then(|claims| claims.with_not_before(UnixSeconds(1_800_000_000)))
            .unwrap()
            .with_subject(Subject::parse("Ana Žižić").unwrap())
            .with_session(SessionId::parse("s-1_A").unwrap());
        agrees("whole", "k", &claims);
    }

    #[test]
    fn wide_numbers_and_texts_are_what_another_program_makes() {
        let long = format!("/{}", "a".repeat(30));
        let claims = Claims::new(UnixSeconds::LAST, scope(&[Verb::Publish], &[&long])).unwrap();
        agrees("wide", "2027-01", &claims);
    }
}
