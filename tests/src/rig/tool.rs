//! Tools that the set-up command installs, and running them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Python that has the packages of `tests/requirements.txt`.
#[must_use]
pub fn python() -> PathBuf {
    installed(repository().join(".setup/venv/bin/python"))
}

/// A Node that is new enough for the packages of `tests/package.json`.
#[must_use]
pub fn node() -> PathBuf {
    installed(repository().join(".setup/bin/node"))
}

/// A script of `tests/oracles`, run by Python or Node according to its name.
#[must_use]
pub fn oracle(script: &str) -> Command {
    let path = repository().join("tests/oracles").join(script);
    let runner = if path.extension().is_some_and(|extension| extension == "py") { python() } else { node() };
    let mut command = Command::new(runner);
    command.arg(installed(path));
    command
}

/// A tool that the set-up command built.
#[must_use]
pub fn installed_tool(name: &str) -> Command {
    Command::new(installed(repository().join(".setup/bin").join(name)))
}

/// A tool found on the path.
#[must_use]
pub fn tool(name: &str) -> Command {
    Command::new(name)
}

/// Where a Python package is installed.
#[must_use]
pub fn python_package(module: &str) -> PathBuf {
    let find =
        format!("import importlib.util as u; print(u.find_spec('{module}').submodule_search_locations[0])");
    PathBuf::from(text(Command::new(python()).args(["-c", &find])).trim())
}

/// Runs a command that must succeed, and gives what it wrote on standard output.
///
/// # Panics
/// When it cannot be started or fails; its own words are in the message.
pub fn bytes(command: &mut Command) -> Vec<u8> {
    output(command.stdin(Stdio::null())).stdout
}

/// As [`bytes`], as text.
pub fn text(command: &mut Command) -> String {
    String::from_utf8(bytes(command)).unwrap()
}

/// As [`text`], with what it wrote on standard error beside it.
pub fn text_and_complaints(command: &mut Command) -> (String, String) {
    let output = output(command.stdin(Stdio::null()));
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a command that must succeed, fed with `input`.
///
/// # Panics
/// As [`bytes`].
pub fn fed(command: &mut Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    output(command.stdin(file)).stdout
}

fn output(command: &mut Command) -> Output {
    let name = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error} (run `make setup`)"));
    assert!(
        output.status.success(),
        "{name}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}
