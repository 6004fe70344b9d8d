//! `forebay keys`: the keys that tokens are signed with, and those that live streams are published with.

use std::path::PathBuf;

use authz::{Key, KeyId, KeySet};

use super::output::Output;
use super::{End, Ended};
use crate::keyring;

mod stream;

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Make a key and add it to a key file; a file that is not there yet is made. New tokens are signed
    /// with it from now on, those of the other keys stay good.
    Gen(Gen),
    /// List the keys of a key file. Their secrets are never shown.
    List(List),
    /// Make, list and revoke stream keys: what creators type into their encoders.
    #[command(subcommand)]
    Stream(stream::Verb),
}

#[derive(Debug, clap::Args)]
pub(super) struct Gen {
    /// The key file.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The name of the new key, 1 to 64 characters of A-Z a-z 0-9 _ -; a random one if not given.
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// Print the new key with its secret, as a key file.
    #[arg(long)]
    show: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// The key file.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

pub(super) fn run(verb: Verb, output: &Output) -> Ended {
    match verb {
        Verb::Gen(args) => generate(&args, output),
        Verb::List(args) => list(&args, output),
        Verb::Stream(verb) => stream::run(verb, output),
    }
}

fn generate(args: &Gen, output: &Output) -> Ended {
    let kid = match &args.kid {
        Some(kid) => KeyId::parse(kid)?,
        None => random_id()?,
    };
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let key = Key::generate(kid, random);
    keyring::extend(&args.keys, key.clone())?;
    match args.show {
        true => output.line(KeySet::new(vec![key])?.to_json().trim_end()),
        false => output.line(key.id()),
    }
    Ok(End::Done)
}

fn list(args: &List, output: &Output) -> Ended {
    let file = keyring::read(&args.keys)?;
    if let Some(warning) = &file.warning {
        output.complain(format_args!("warning: {warning}"));
    }
    let signer = file.keys.signer().map(Key::id);
    for key in &file.keys {
        let signs = if signer == Some(key.id()) { "  signs" } else { "" };
        output.line(format_args!("{:<10}{}{signs}", key.state().as_str(), key.id()));
    }
    Ok(End::Done)
}

/// 64 random bits: two keys that were made apart will not have one name.
fn random_id() -> Result<KeyId, super::Failure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(KeyId::parse(&format!("k{:016x}", u64::from_be_bytes(random)))?)
}
