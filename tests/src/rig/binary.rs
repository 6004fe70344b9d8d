//! The binary under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::tool;

/// The daemon and command line `forebay`. `FOREBAY_BIN` names one that is already built (`make test` does that);
/// otherwise cargo brings it up to date, once a run.
///
/// # Panics
/// When it does not compile.
pub fn forebay() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os("FOREBAY_BIN") {
        Some(given) => PathBuf::from(given),
        None => {
            build(&["--bin", "forebay"]);
            profile_dir().join("forebay")
        }
    })
}

/// An example of origin, built like [`forebay`].
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    if env::var_os("FOREBAY_BIN").is_none() {
        build(&["--example", name]);
    }
    profile_dir().join("examples").join(name)
}

/// `<target>/debug`, where this test binary itself was built (`<target>/debug/deps/stories-…`).
#[must_use]
pub fn profile_dir() -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// The target folder, for what is kept between runs (made inputs, screenshots).
#[must_use]
pub fn target_dir() -> PathBuf {
    profile_dir().parent().unwrap().to_owned()
}

fn build(what: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "forebay-origin", "--target-dir"])
        .arg(target_dir())
        .args(what);
    tool::bytes(cargo.current_dir(tool::repository()));
}
