//! Everything one server needs, in a temporary folder: a store, a catalogue, keys and a config file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::command::{self, Outcome, Running};
use super::daemon::Daemon;
use super::tls::Certificate;
use super::tool;

/// A server's folder. Paths in its config file are relative, so that a copy of the folder is a site of its own.
#[derive(Debug)]
pub struct Site {
    dir: TempDir,
    settings: BTreeMap<(&'static str, &'static str), String>,
}

impl Site {
    /// An empty site with fresh keys.
    ///
    /// # Panics
    /// When `forebay keys gen` fails.
    #[must_use]
    pub fn new() -> Self {
        let site = Self::without_keys();
        command::run(["keys", "gen", "--keys"].map(OsString::from).into_iter().chain([site.keys().into()]))
            .ok();
        site
    }

    /// A site whose store, catalogue and keys are those of another folder: hard links for the media (which nobody
    /// changes), copies of the rest.
    ///
    /// # Panics
    /// When the folder is no site.
    #[must_use]
    pub fn copy_of(folder: &Path) -> Self {
        let site = Self::without_keys();
        fs::remove_dir_all(site.store()).unwrap();
        tool::bytes(Command::new("cp").arg("-al").arg(folder.join(STORE)).arg(site.store()));
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), site.path().join(entry.file_name())).unwrap();
            }
        }
        site.write();
        site
    }

    fn without_keys() -> Self {
        let dir = tempfile::Builder::new().prefix("forebay-site-").tempdir().unwrap();
        fs::create_dir_all(dir.path().join(STORE).join("vod")).unwrap();
        let text = |value: &str| format!("{value:?}");
        let settings = BTreeMap::from([
            (("listen", "http"), text("127.0.0.1:0")),
            (("listen", "admin"), text("127.0.0.1:0")),
            (("store", "url"), text("file://store")),
            (("database", "url"), text("sqlite://forebay.db")),
            (("auth", "keys"), text(KEYS)),
            (("segments", "target"), text("2s")),
            (("transcode", "gop"), text("1s")),
            (("transcode", "preset"), text("ultrafast")),
            (("log", "level"), text("info,forebay_origin=debug")),
        ]);
        let site = Self { dir, settings };
        site.write();
        site
    }

    /// Sets one line of the config file; `value` is TOML.
    #[must_use]
    pub fn with(mut self, section: &'static str, key: &'static str, value: &str) -> Self {
        self.settings.insert((section, key), value.to_owned());
        self.write();
        self
    }

    /// Adds a TLS listener; gives the certificate that its clients must trust.
    #[must_use]
    pub fn with_tls(self) -> (Self, Certificate) {
        let certificate = Certificate::make_in(self.path());
        let site = self.with("listen", "https", "\"127.0.0.1:0\"");
        let site = site.with("tls", "cert", "\"cert.pem\"").with("tls", "key", "\"key.pem\"");
        (site, certificate)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path().join("forebay.toml")
    }

    /// The key file.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path().join(KEYS)
    }

    /// The store's folder.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path().join(STORE)
    }

    /// The folder of an asset.
    #[must_use]
    pub fn asset(&self, name: &str) -> PathBuf {
        self.store().join("vod").join(name)
    }

    /// Puts files into an asset's folder without telling anyone: an asset that nobody registered.
    ///
    /// # Panics
    /// When a file cannot be copied.
    pub fn place(&self, asset: &str, files: &[&Path]) {
        fs::create_dir_all(self.asset(asset)).unwrap();
        for file in files {
            fs::copy(file, self.asset(asset).join(file.file_name().unwrap())).unwrap();
        }
    }

    /// `forebay transcode`, to its end.
    #[must_use]
    pub fn transcode(&self, input: &Path, asset: &str) -> Outcome {
        command::run(self.transcode_args(input, asset))
    }

    /// `forebay transcode`, just started.
    #[must_use]
    pub fn start_transcode(&self, input: &Path, asset: &str) -> Running {
        Running::start(self.transcode_args(input, asset))
    }

    fn transcode_args(&self, input: &Path, asset: &str) -> [OsString; 6] {
        let config = self.config();
        ["transcode".into(), input.into(), "--asset".into(), asset.into(), "--config".into(), config.into()]
    }

    /// `forebay import SOURCE`, to its end.
    #[must_use]
    pub fn import(&self, source: impl AsRef<OsStr>, asset: &str, more: &[&str]) -> Outcome {
        command::run(self.import_args(source.as_ref(), asset, more))
    }

    /// `forebay import SOURCE`, just started.
    #[must_use]
    pub fn start_import(&self, source: impl AsRef<OsStr>, asset: &str) -> Running {
        Running::start(self.import_args(source.as_ref(), asset, &[]))
    }

    fn import_args(&self, source: &OsStr, asset: &str, more: &[&str]) -> Vec<OsString> {
        let config = self.config();
        let words: [OsString; 6] = [
            "import".into(),
            source.into(),
            "--asset".into(),
            asset.into(),
            "--config".into(),
            config.into(),
        ];
        words.into_iter().chain(more.iter().map(OsString::from)).collect()
    }

    /// Makes a stream key.
    ///
    /// # Panics
    /// When `forebay keys stream gen` fails.
    #[must_use]
    pub fn stream_key(&self, stream: &str) -> String {
        let config = self.config();
        let words = ["keys", "stream", "gen", stream, "--config"].map(OsString::from);
        let told = command::run(words.into_iter().chain([config.into()])).ok();
        let line = told.stdout.lines().find_map(|line| line.strip_prefix("stream key"));
        line.expect("a stream key is shown").trim().to_owned()
    }

    /// `forebay work` on this site.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn work(&self) -> Daemon {
        Daemon::start([OsString::from("work"), "--config".into(), self.config().into()])
    }

    /// A token to play what the glob `path` covers for six hours.
    ///
    /// # Panics
    /// When `forebay token mint` fails.
    #[must_use]
    pub fn token(&self, path: &str) -> String {
        self.mint(&["--path", path, "--verb", "play", "--ttl", "6h"])
    }

    /// `forebay token mint ARGS` with this site's keys.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn mint(&self, args: &[&str]) -> String {
        let head = ["token".into(), "mint".into(), "--keys".into(), self.keys().into_os_string()];
        let outcome = command::run(head.into_iter().chain(args.iter().map(OsString::from))).ok();
        let token = outcome.stdout.trim().to_owned();
        assert!(!token.is_empty() && !token.contains(char::is_whitespace), "no token: {:?}", outcome.stdout);
        token
    }

    /// The signed entry of an asset, as a path.
    #[must_use]
    pub fn entry(&self, asset: &str) -> String {
        format!("/t/{}/vod/{asset}/main.m3u8", self.token(&format!("/vod/{asset}/**")))
    }

    /// Where a sender with a token of its own sends the tracks of a live stream: a path.
    #[must_use]
    pub fn ingest(&self, stream: &str) -> String {
        let token =
            self.mint(&["--path", &format!("/ingest/{stream}/**"), "--verb", "publish", "--ttl", "6h"]);
        format!("/t/{token}/ingest/{stream}")
    }

    /// The signed door of a live stream, as a path.
    #[must_use]
    pub fn door(&self, stream: &str) -> String {
        format!("/t/{}/live/{stream}/main.m3u8", self.token(&format!("/live/{stream}/**")))
    }

    /// `forebay serve`.
    #[must_use]
    pub fn serve(&self) -> Daemon {
        Daemon::start(["serve".into(), OsString::from("--config"), self.config().into()])
    }

    fn write(&self) {
        let mut text = String::new();
        let mut open = "";
        for ((section, key), value) in &self.settings {
            if *section != open {
                text.push_str(&format!("[{section}]\n"));
                open = section;
            }
            text.push_str(&format!("{key} = {value}\n"));
        }
        fs::write(self.config(), text).unwrap();
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

const STORE: &str = "store";
const KEYS: &str = "keys.toml";
