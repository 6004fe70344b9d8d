//! `forebay demo`: from a file, or a live show, to a page that plays it, with everything embedded.

mod film;
mod live;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use authz::{CanonicalPath, Carrier, Claims, Key, KeyId, KeySet, ResourceGlob, Scope, Verb, mint};
use transcoder::ladder::Preset;

use super::daemon::runtime;
use super::output::Output;
use super::{Ended, Failure, logging};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, Limits, Listen, Log, Span, StoreUrl};
use crate::keyring::Keyring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the page is served.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The file to show; a clip is made where none is given.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Send it live, round and round, and watch that; a test picture with the time of day where no file is given.
    #[arg(long)]
    live: bool,
    /// A folder for renditions and catalogue, which stays; a temporary one where none is given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How much work the encoder puts into each frame: ultrafast to slow.
    #[arg(long, default_value = "superfast")]
    preset: Preset,
}

/// How long the link on the page is good.
const TTL: Span = Span::hours(6);

pub(super) fn run(args: Args, output: &Output) -> Ended {
    let config = config(&args);
    logging::start(&config.log);
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("forebay-demo-").tempdir()?),
    };
    let home = args.dir.clone().or(temporary.as_ref().map(|dir| dir.path().to_owned())).unwrap_or_default();
    let config = in_folder(config, &home);
    runtime(&config)?.block_on(async {
        std::fs::create_dir_all(media(&home)).map_err(|e| format!("{}: {e}", home.display()))?;
        match args.live {
            true => live::show(&args, config, output).await,
            false => film::show(&args, config, &home, output).await,
        }
    })
}

/// Signs links with a key of this run.
#[derive(Debug, Clone)]
struct Signer {
    keyring: Arc<Keyring>,
    clock: Clock,
}

impl Signer {
    fn new() -> Result<Self, Failure> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let keys = KeySet::new(vec![Key::generate(KeyId::parse("demo")?, random)])?;
        Ok(Self { keyring: Arc::new(Keyring::new(keys)), clock: Clock::system() })
    }

    /// A path under a token that lets do `verb` with everything that `globs` cover, and when the token ends.
    fn link(&self, verb: Verb, globs: &[&str], path: &str) -> Result<(String, u64), Failure> {
        let expires = self.clock.now().plus(TTL.as_duration());
        let globs = globs.iter().map(|glob| ResourceGlob::parse(&format!("/{glob}")));
        let scope = Scope::new(verb, globs.collect::<Result<Vec<_>, _>>()?)?;
        let keys = self.keyring.current();
        let token = mint(&Claims::new(expires, scope)?, keys.signer().ok_or("no key to sign with")?)?;
        let path = format!("/{path}");
        let link = Carrier::default().url_path(&token, &CanonicalPath::parse(path.as_bytes())?);
        Ok((link.ok_or("paths carry no tokens")?, expires.0))
    }
}

/// What the page calls what it shows.
fn title(args: &Args, without_file: &str) -> String {
    let name = args.input.as_ref().and_then(|input| input.file_name());
    name.map_or_else(|| without_file.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn media(home: &Path) -> PathBuf {
    home.join("media")
}

/// The configuration of a demo, but for its folder.
fn config(args: &Args) -> Config {
    let defaults = Config::default();
    // What happens to a show is to be seen: somebody will kill an encoder.
    let level = if args.live { "warn,forebay_origin::metrics::work=info" } else { "warn" };
    Config {
        listen: Listen { http: args.listen, https: None, admin: SocketAddr::from(([127, 0, 0, 1], 0)) },
        limits: Limits { grace: Span::seconds(2), ..defaults.limits },
        log: Log { level: level.to_owned(), ..Log::default() },
        ..defaults
    }
}

fn in_folder(mut config: Config, home: &Path) -> Config {
    config.store.url = StoreUrl::File(media(home));
    config.database.url = DatabaseUrl::Sqlite(home.join("forebay.db"));
    config
}

#[cfg(test)]
mod tests;
