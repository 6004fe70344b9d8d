//! Files that a configuration names, looked into while its lines are at hand.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use authz::KeySet;

use super::Password;

/// What a PEM file must hold: a phrase for the fault and the label (RFC 7468 §4) that must occur.
pub(super) type Kind = (&'static str, &'static str);
pub(super) const CERTIFICATE: Kind = ("a PEM certificate", "CERTIFICATE-----");
/// PKCS #8, PKCS #1 and SEC 1 keys all end their label this way.
pub(super) const PRIVATE_KEY: Kind = ("a PEM private key", "PRIVATE KEY-----");

/// Whether a file is PEM of a kind. Whether certificate and key fit is found when TLS is set up.
pub(super) fn pem(path: &Path, (wish, label): Kind) -> Result<(), String> {
    let text = text(path, wish)?;
    let found = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(label));
    found.then_some(()).ok_or_else(|| format!("expected {wish}, found none in {}", path.display()))
}

/// Whether a file is a key file with a key that verifies.
pub(super) fn keys(path: &Path) -> Result<(), String> {
    let text = text(path, "a key file")?;
    KeySet::parse(&text).map(drop).map_err(|fault| format!("{}: {}", path.display(), chain(&fault)))
}

/// The password in a file. Blocks on the disk.
pub(crate) fn password(path: &Path) -> Result<Password, String> {
    let wish = "the file of a password";
    let password = Password::of_file(&text(path, wish)?);
    let is_one = !password.expose().is_empty() && !password.expose().chars().any(char::is_control);
    is_one
        .then_some(password)
        .ok_or_else(|| format!("expected {wish}: one line, found none in {}", path.display()))
}

/// The secret that nodes share, in a file. Blocks on the disk.
pub(crate) fn peer_secret(path: &Path) -> Result<zeroize::Zeroizing<String>, String> {
    let wish = format!("the file of a secret: one line of at least {LEAST_SECRET} characters");
    let text = text(path, &wish)?;
    let secret =
        text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    let is_one = secret.chars().count() >= LEAST_SECRET && !secret.chars().any(char::is_control);
    is_one
        .then(|| zeroize::Zeroizing::new(secret.to_owned()))
        .ok_or_else(|| format!("expected {wish}, found another in {}", path.display()))
}

/// The key of an object storage.
#[cfg(feature = "s3")]
pub(crate) struct BucketKey {
    pub(crate) id: String,
    pub(crate) secret: zeroize::Zeroizing<String>,
    /// Of a key that is good for a while only.
    pub(crate) session: Option<zeroize::Zeroizing<String>>,
}

/// The key in a file, or else in the environment under the names that all tools for S3 know. Blocks on the disk.
///
/// # Errors
/// What was expected and where; never what was found.
#[cfg(feature = "s3")]
#[expect(clippy::disallowed_methods, reason = "where all tools of object storages look for their key")]
pub(crate) fn bucket_key(path: Option<&Path>) -> Result<BucketKey, String> {
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    let Some(path) = path else {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let wanted = |name: &str| {
            named(name).ok_or_else(|| {
                format!("expected store.credentials, or {name} in the environment, found neither")
            })
        };
        return Ok(BucketKey {
            id: wanted("AWS_ACCESS_KEY_ID")?,
            secret: secret(&wanted("AWS_SECRET_ACCESS_KEY")?),
            session: named("AWS_SESSION_TOKEN").map(|token| secret(&token)),
        });
    };
    let wish = "a file with access_key_id = \"…\" and secret_access_key = \"…\"";
    let text = text(path, wish)?;
    let strange = || format!("expected {wish}, found another in {}", path.display());
    let table: toml::Table = text.parse().map_err(|_| strange())?;
    let of = |name: &str| table.get(name).and_then(toml::Value::as_str).filter(|value| !value.is_empty());
    Ok(BucketKey {
        id: of("access_key_id").ok_or_else(strange)?.to_owned(),
        secret: secret(of("secret_access_key").ok_or_else(strange)?),
        session: of("session_token").map(secret),
    })
}

/// What is wrong with the mode of a secret file, if others than its owner may read it.
#[cfg(unix)]
pub(super) fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0)
        .then(|| format!("expected mode 0600 of {}, found {mode:04o}: others may read it", path.display()))
}

#[cfg(not(unix))]
pub(super) fn open_to_others(_: &Path) -> Option<String> {
    None
}

fn text(path: &Path, wish: &str) -> Result<zeroize::Zeroizing<String>, String> {
    let fault = |cause: &std::io::Error| {
        format!("expected {wish}, found that {} cannot be read: {}", path.display(), cause.kind())
    };
    let file = File::open(path).map_err(|cause| fault(&cause))?;
    // Room for all of it at once: growing would leave copies of a secret behind.
    let size = fs::metadata(path).map_or(0, |found| found.len().min(LIMIT));
    let mut text = zeroize::Zeroizing::new(String::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
    file.take(LIMIT).read_to_string(&mut text).map_err(|cause| fault(&cause))?;
    Ok(text)
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What nobody guesses, if it was drawn at random.
const LEAST_SECRET: usize = 32;
/// Chains of certificates and sets of keys are far below it.
const LIMIT: u64 = 1 << 20;
