//! `forebay token`: tokens, made and looked into.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use authz::{CanonicalPath, Carrier, Family, Gate, KeySet, Policy, Verb as Action, VerbSet};

use super::output::Output;
use super::utc::Utc;
use super::{End, Ended, Failure};
use crate::clock::Clock;
use crate::config::{Config, Span};
use crate::keyring;

mod mint;

pub(super) use mint::signed_url;

/// What can be done with tokens.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Make a token, or a signed URL.
    Mint(mint::Args),
    /// Say whether a token lets do something with a path, as the gate would.
    Verify(Verify),
    /// Print what a token says. Whether it is genuine is not checked.
    Inspect(Inspect),
}

/// Where keys come from.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Source {
    /// The key file.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// A configuration, whose key file and rules are used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The token, or `-` to read it from standard input, where other users do not see it.
    token: String,
    /// The path, for instance /vod/show/main.m3u8.
    #[arg(long)]
    path: String,
    /// What is to be done with it: play, publish or manage.
    #[arg(long, default_value = "play")]
    verb: Action,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The token, or `-` to read it from standard input.
    token: String,
}

/// What tokens are made and checked with.
struct Rules {
    keys: KeySet,
    policy: Policy,
    carrier: Carrier,
    /// The longest life that is accepted, if a configuration says so.
    max_ttl: Option<Span>,
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    match verb {
        Verb::Mint(args) => mint::run(&args, &Clock::system(), output),
        Verb::Verify(args) => verify(&args, &Clock::system(), output),
        Verb::Inspect(args) => {
            let token = token(args.token, std::io::stdin().lock())?;
            output.line(authz::inspect(&token)?.to_string().trim_end());
            Ok(End::Done)
        }
    }
}

fn verify(args: &Verify, clock: &Clock, output: &Output) -> Ended {
    let token = token(args.token.clone(), std::io::stdin().lock())?;
    let rules = args.source.rules()?;
    let path = CanonicalPath::parse(args.path.as_bytes())?;
    let gate = Gate::new(rules.policy, rules.keys);
    match gate.admit(Some(&token), args.verb, &path, clock.now()) {
        Ok(grant) => {
            match grant.expires() {
                Some(expires) => output.line(format_args!("ok until {} ({expires})", Utc(expires))),
                None => output.line("ok: the path needs no token"),
            }
            Ok(End::Done)
        }
        Err(denial) => {
            output.complain(format_args!("denied: {}: {denial}", denial.reason()));
            Ok(End::Refused)
        }
    }
}

impl Source {
    fn rules(&self) -> Result<Rules, Failure> {
        match (&self.keys, &self.config) {
            (Some(keys), _) => Rules::of_keys(keys),
            (None, Some(config)) => Rules::of_config(config),
            (None, None) => Err("expected --keys or --config, found neither".into()),
        }
    }
}

impl Rules {
    /// With keys alone, every path needs a token and every lifetime is accepted.
    fn of_keys(path: &Path) -> Result<Self, Failure> {
        let everything =
            Family::guarded("/", VerbSet::of(&Action::ALL))?.with_max_ttl(std::time::Duration::MAX);
        Ok(Self {
            keys: keyring::read(path)?.keys,
            policy: Policy::closed().with(everything)?,
            carrier: Carrier::default(),
            max_ttl: None,
        })
    }

    fn of_config(path: &Path) -> Result<Self, Failure> {
        let config = Config::load(path)?;
        let Some(keys) = &config.auth.keys else {
            return Err(format!("{}: expected auth.keys, found none", path.display()).into());
        };
        Ok(Self {
            keys: keyring::read(keys)?.keys,
            policy: config.auth.policy()?,
            carrier: config.auth.carrier()?,
            max_ttl: Some(config.auth.max_ttl),
        })
    }
}

/// A token of the command line; `-` stands for the first line of `input`.
fn token(argument: String, input: impl BufRead) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut line = String::new();
    // Twice as long as any token: what is cut off there is none.
    input.take(8192).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_the_first_line_of_the_input() {
        let input = |text: &'static str| token("-".to_owned(), text.as_bytes()).map_err(|_| ());
        assert_eq!(input("v1.a.b.c\nmore\n"), Ok("v1.a.b.c".to_owned()));
        assert_eq!(input("  v1.a.b.c"), Ok("v1.a.b.c".to_owned()));
        assert_eq!(token("v1.x".to_owned(), &b"v1.y"[..]).map_err(|_| ()), Ok("v1.x".to_owned()));
    }
}
