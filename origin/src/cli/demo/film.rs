//! `forebay demo`: from a file to a page that plays it, with everything embedded.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use authz::{CanonicalPath, Carrier, Claims, Key, KeyId, KeySet, ResourceGlob, Scope, Verb, mint};
use packager::asset::{self, AssetName};
use transcoder::job::{Job, Options};
use transcoder::ladder::{Preset, Settings};
use transcoder::{Cancel, Tools, clip};

use super::daemon::{Daemon, PageSource, runtime};
use super::interrupt::interrupted;
use super::output::Output;
use super::transcode::{Plan, transcode};
use super::{End, Ended, Failure, logging};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, Limits, Listen, Log, Span, StoreUrl};
use crate::demo::{Stage, Story};
use crate::keyring::Keyring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the page is served.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The file to show; a clip is made where none is given.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// A folder for renditions and catalogue, which stays; a temporary one where none is given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How much work the encoder puts into each frame: ultrafast to slow.
    #[arg(long, default_value = "superfast")]
    preset: Preset,
}

/// How long the link on the page is good.
const TTL: Span = Span::hours(6);
/// Seconds of the clip that is made where no file is given.
const CLIP: u32 = 60;
/// What the asset is called.
const ASSET: &str = "demo";

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
        // Before the work: an address that is taken should be said at once.
        let (keys, pages) = story(&args)?;
        let signer = Arc::clone(&keys);
        std::fs::create_dir_all(media(&home)).map_err(|e| format!("{}: {e}", home.display()))?;
        let daemon = Daemon::open(config.clone(), keys, Some(pages)).await?;
        match prepare(&args, &config, &home, output).await? {
            End::Done => {}
            other => return Ok(other),
        }
        let site = format!("http://{}", daemon.http()?);
        let (playlist, _) = link(&signer, &Clock::system())?;
        output.line(format_args!("forebay: listening {}", daemon.addresses()?));
        output.line(format_args!("\n  watch it     {site}/\n  signed link  {site}{playlist}\n"));
        output.line(format_args!("The link is good for {TTL}. Ctrl-C ends it all."));
        daemon.serve().await
    })
}

/// Makes the renditions, with progress shown.
async fn prepare(args: &Args, config: &Config, home: &Path, output: &Output) -> Ended {
    let tools = Tools::default();
    let input = match &args.input {
        Some(input) => input.clone(),
        None => {
            let to = home.join("clip.mp4");
            output.note(format_args!("making a clip of {CLIP} s"));
            let cancel = Cancel::new();
            let made = clip::make(&tools, &to, CLIP, &cancel);
            tokio::select! {
                made = made => made?,
                stop = interrupted() => {
                    stop?;
                    cancel.cancel();
                    return Ok(End::Interrupted);
                }
            }
            to
        }
    };
    let settings = Settings { preset: args.preset, ..config.transcode.settings(&config.segments) };
    let options = Options { scratch: home.to_owned(), tools, settings };
    let plan = Plan {
        job: Job { input, asset: asset_name()?, options },
        store: config.store.url.clone(),
        database: config.database.url.clone(),
        log: config.log.clone(),
    };
    transcode(&plan, output, interrupted()).await
}

/// A key of this run, and the page that tells a link signed with it.
fn story(args: &Args) -> Result<(Arc<Keyring>, PageSource), Failure> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let keys = KeySet::new(vec![Key::generate(KeyId::parse("demo")?, random)])?;
    let keyring = Arc::new(Keyring::new(keys));
    let title = match &args.input {
        Some(input) => input.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        None => "forebay test clip".to_owned(),
    };
    let (signer, stage, clock) = (Arc::clone(&keyring), Stage::new(), Clock::system());
    let first = link(&signer, &clock)?;
    let pages = move || {
        // A link that could not be signed is told as none; the page then says that it cannot play.
        let (playlist, expires) = link(&signer, &clock).unwrap_or_else(|_| first.clone());
        stage.with(&Story { title: title.clone(), playlist, expires })
    };
    Ok((keyring, Box::new(pages)))
}

/// A signed link to the asset, and when it ends.
fn link(keyring: &Keyring, clock: &Clock) -> Result<(String, u64), Failure> {
    let name = asset_name()?;
    let folder = asset::folder(&name);
    let expires = clock.now().plus(TTL.as_duration());
    let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse(&format!("/{folder}/**"))?])?;
    let keys = keyring.current();
    let token = mint(&Claims::new(expires, scope)?, keys.signer().ok_or("no key to sign with")?)?;
    let door = format!("/{folder}/{}", packager::playlist::MULTIVARIANT);
    let link = Carrier::default().url_path(&token, &CanonicalPath::parse(door.as_bytes())?);
    Ok((link.ok_or("paths carry no tokens")?, expires.0))
}

fn asset_name() -> Result<AssetName, Failure> {
    Ok(ASSET.parse()?)
}

fn media(home: &Path) -> PathBuf {
    home.join("media")
}

/// The configuration of a demo, but for its folder.
fn config(args: &Args) -> Config {
    let defaults = Config::default();
    Config {
        listen: Listen { http: args.listen, https: None, admin: SocketAddr::from(([127, 0, 0, 1], 0)) },
        limits: Limits { grace: Span::seconds(2), ..defaults.limits },
        log: Log { level: "warn".to_owned(), ..Log::default() },
        ..defaults
    }
}

fn in_folder(mut config: Config, home: &Path) -> Config {
    config.store.url = StoreUrl::File(media(home));
    config.database.url = DatabaseUrl::Sqlite(home.join("forebay.db"));
    config
}
