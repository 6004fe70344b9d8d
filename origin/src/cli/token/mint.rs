//! `forebay token mint`.

use std::path::Path;

use authz::{
    CanonicalPath, Claims, KeyId, ResourceGlob, Scope, SessionId, Subject, Token, Verb as Action, VerbSet,
};
use packager::asset::{self, AssetName};

use super::{Rules, Source};
use crate::cli::output::Output;
use crate::cli::{End, Ended, Failure};
use crate::clock::Clock;
use crate::config::Span;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    source: Source,
    /// What the token is good for: /vod/show/** covers everything below, * one segment. Several may be given.
    #[arg(long = "path", value_name = "GLOB", required_unless_present = "asset")]
    paths: Vec<String>,
    /// What it lets do with it: play, publish or manage. Several may be given.
    #[arg(long = "verb", value_name = "VERB", default_value = "play")]
    verbs: Vec<Action>,
    /// How long it is good, for instance 90m.
    #[arg(long, default_value = "6h")]
    ttl: Span,
    /// Whom it is for.
    #[arg(long)]
    subject: Option<String>,
    /// The session it belongs to.
    #[arg(long)]
    session: Option<String>,
    /// The key to sign with; the newest active one if not given.
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// The asset it is good for, instead of paths.
    #[arg(long, value_name = "NAME")]
    asset: Option<AssetName>,
    /// Print a signed URL of the asset under this scheme and host, for instance https://media.example.com.
    #[arg(long, value_name = "URL", requires = "asset")]
    base_url: Option<String>,
}

pub(super) fn run(args: &Args, clock: &Clock, output: &Output) -> Ended {
    let rules = args.source.rules()?;
    let token = mint(args, &rules, clock)?;
    match (&args.base_url, &args.asset) {
        (Some(base), Some(asset)) => output.line(url(base, asset, &token, &rules)?),
        _ => output.line(token.as_str()),
    }
    Ok(End::Done)
}

/// A signed URL of an asset, by the rules and the keys of a configuration.
pub(in crate::cli) fn signed_url(
    config: &Path,
    asset: &AssetName,
    ttl: Span,
    base_url: &str,
) -> Result<String, Failure> {
    let rules = Rules::of_config(config)?;
    let args = Args {
        source: Source { keys: None, config: None },
        paths: Vec::new(),
        verbs: vec![Action::Play],
        ttl,
        subject: None,
        session: None,
        kid: None,
        asset: Some(asset.clone()),
        base_url: None,
    };
    url(base_url, asset, &mint(&args, &rules, &Clock::system())?, &rules)
}

fn mint(args: &Args, rules: &Rules, clock: &Clock) -> Result<Token, Failure> {
    if let Some(most) = rules.max_ttl.filter(|most| args.ttl > *most) {
        return Err(format!("expected a ttl of at most auth.max_ttl = {most}, found {}", args.ttl).into());
    }
    if args.ttl.as_secs() == 0 {
        return Err(format!("expected a ttl of at least 1s, found {}", args.ttl).into());
    }
    let key = match &args.kid {
        Some(kid) => rules.keys.find(KeyId::parse(kid)?.as_str()),
        None => rules.keys.signer(),
    };
    let key = key.ok_or("expected a key to sign with, found none that is active")?;
    let mut globs = args.paths.iter().map(|path| ResourceGlob::parse(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(asset) = &args.asset {
        globs.push(ResourceGlob::parse(&format!("/{}/**", asset::folder(asset)))?);
    }
    let scope = Scope::new(VerbSet::of(&args.verbs), globs)?;
    let mut claims = Claims::new(clock.now().plus(args.ttl.as_duration()), scope)?;
    if let Some(subject) = &args.subject {
        claims = claims.with_subject(Subject::parse(subject)?);
    }
    if let Some(session) = &args.session {
        claims = claims.with_session(SessionId::parse(session)?);
    }
    Ok(authz::mint(&claims, key)?)
}

fn url(base: &str, asset: &AssetName, token: &Token, rules: &Rules) -> Result<String, Failure> {
    let base = base.trim_end_matches('/');
    let host = base.strip_prefix("https://").or(base.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        return Err(format!("expected a base url such as https://media.example.com, found {base:?}").into());
    }
    let path = format!("/{}/main.m3u8", asset::folder(asset));
    let path = rules.carrier.url_path(token, &CanonicalPath::parse(path.as_bytes())?);
    let path = path.ok_or("expected auth.path = true for a signed url, found that paths carry no tokens")?;
    Ok(format!("{base}{path}"))
}
