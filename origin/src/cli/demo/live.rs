//! A camera that publishes to this server as any encoder would, and its show watched with little delay.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use authz::Verb;
use http::StatusCode;
use packager::playlist::MULTIVARIANT;
use tokio::sync::mpsc;
use transcoder::camera::{Camera, Clock, Event, Scene};
use transcoder::publishing::{NewKey, StreamSecret};
use transcoder::source::Source;
use transcoder::{Cancel, Tools};

use super::super::ask::Peer;
use super::super::daemon::{Daemon, PageSource};
use super::super::interrupt::interrupted;
use super::super::output::Output;
use super::super::{End, Ended, Failure};
use super::{Args, Signer, TTL, title};
use crate::config::{Config, Rtmp, Work};
use crate::db;
use crate::demo::{Face, Stage, Story};

/// What the stream is called.
const STREAM: &str = "demo";
/// Where encoders expect an RTMP server.
const RTMP: u16 = 1935;

/// Serves, publishes and tells where to look, until the process is told to end.
pub(super) async fn show(args: &Args, config: Config, output: &Output) -> Ended {
    let (signer, tools) = (Signer::new()?, Tools::default());
    let config = taking_publishers(config, args);
    let secret = stream_key(&config).await?;
    // Before the work: an address that is taken should be said at once.
    let daemon = Daemon::open(config, signer.keyring.clone(), Some(story(args, &signer)?)).await?;
    let Some(scene) = scene(args, &tools).await? else { return Ok(End::Interrupted) };
    let (http, addresses) = (daemon.http()?, daemon.addresses()?);
    let rtmp = daemon.rtmp().ok_or("expected a door for publishers, found none")?;
    let clock = signer.clock.clone();
    let camera = Camera {
        scene,
        preset: args.preset,
        tools,
        clock: Clock::new(move || Duration::from_millis(clock.now_millis())),
        url: format!("{}/{}", server(rtmp), secret.reveal()),
    };
    let (cancel, (events, told)) = (Cancel::new(), mpsc::channel(EVENTS));
    // What ends well leaves it to the daemon to say when all is over.
    let filming = async {
        match camera.run(&events, &cancel).await {
            Ok(()) => std::future::pending().await,
            Err(error) => Failure::from(error),
        }
    };
    let stopping = async {
        match interrupted().await {
            Ok(()) => cancel.cancel(),
            Err(error) => return Failure::from(error),
        }
        std::future::pending().await
    };
    let greeting = async {
        let studio = Studio { server: server(rtmp), secret: secret.reveal() };
        match greet(&signer, http, &addresses, &studio, output).await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    };
    tokio::select! {
        ended = daemon.serve() => ended,
        error = filming => Err(error),
        error = stopping => Err(error),
        error = greeting => Err(error),
        never = report(told, output) => never,
    }
}

/// With a door for publishers beside the page.
fn taking_publishers(config: Config, args: &Args) -> Config {
    let usual = SocketAddr::new(args.listen.ip(), RTMP);
    // Who asks for any port gets any for publishers too.
    let port = if args.listen.port() > 0 && TcpListener::bind(usual).is_ok() { RTMP } else { 0 };
    let listen = Some(SocketAddr::new(args.listen.ip(), port));
    Config {
        rtmp: Rtmp { listen, ..config.rtmp },
        work: Work { preset: args.preset, max_height: 360, ..config.work },
        ..config
    }
}

/// A new key for the stream.
async fn stream_key(config: &Config) -> Result<StreamSecret, Failure> {
    let mut random = [0; 20];
    getrandom::fill(&mut random)?;
    let secret = StreamSecret::of(random);
    let new = NewKey { stream: STREAM.parse()?, label: None, lifetime: Some(TTL.as_duration()) };
    db::open(&config.database).await?.stream_keys.create(&secret.fingerprint(), &new).await?;
    Ok(secret)
}

fn server(rtmp: SocketAddr) -> String {
    format!("rtmp://{}/live", Peer::at(rtmp))
}

/// What is shown; `None` where somebody interrupted the look into the file.
async fn scene(args: &Args, tools: &Tools) -> Result<Option<Scene>, Failure> {
    let Some(input) = &args.input else { return Ok(Some(Scene::test()?)) };
    let cancel = Cancel::new();
    tokio::select! {
        source = Source::probe(input, tools, &cancel) => Ok(Some(Scene::file(source?)?)),
        stop = interrupted() => {
            stop?;
            cancel.cancel();
            Ok(None)
        }
    }
}

/// What a creator enters.
struct Studio {
    server: String,
    secret: String,
}

/// Says where to look, once there is something to see.
async fn greet(
    signer: &Signer,
    http: SocketAddr,
    addresses: &str,
    studio: &Studio,
    output: &Output,
) -> Result<(), Failure> {
    let (playlist, _) = door(signer)?;
    let peer = Peer::at(http);
    while !matches!(peer.get(&playlist).await, Ok(answer) if answer.status == StatusCode::OK) {
        tokio::time::sleep(LOOK).await;
    }
    output.line(format_args!("forebay: listening {addresses}"));
    output.line(format_args!("\n  watch it     http://{peer}/\n  signed link  http://{peer}{playlist}\n"));
    output.line(format_args!(
        "To be on air yourself, in OBS: Settings, Stream, Service Custom; the test picture makes room."
    ));
    output.line(format_args!("\n  Server       {}\n  Stream Key   {}\n", studio.server, studio.secret));
    output.line(format_args!("Link and key are good for {TTL}. Ctrl-C ends it all."));
    Ok(())
}

/// Tells what happens to the show.
async fn report(mut told: mpsc::Receiver<Event>, output: &Output) -> Ended {
    while let Some(event) = told.recv().await {
        match event {
            Event::Started => {}
            Event::Stopped(why) => {
                output.complain(format_args!("the camera ended and is started again: {why}"))
            }
            Event::TakenOver => output.note("another publisher is on air; the test picture is off"),
        }
    }
    // The camera holds the other end as long as it is on.
    std::future::pending().await
}

/// The page, which tells a signed link, and what time it is here: the clock of a phone may be seconds away.
fn story(args: &Args, signer: &Signer) -> Result<PageSource, Failure> {
    let (stage, title) = (Stage::new(Face::Live), title(args, "forebay test picture"));
    let (signer, first) = (signer.clone(), door(signer)?);
    Ok(Box::new(move || {
        // A link that could not be signed is told as the first one; the page then says that it has expired.
        let (playlist, expires) = door(&signer).unwrap_or_else(|_| first.clone());
        let now_ms = Some(signer.clock.now_millis());
        let clip = scissors(&signer).ok();
        stage.with(&Story { title: title.clone(), playlist, expires, now_ms, clip })
    }))
}

/// A signed link to the stream, and when it ends.
fn door(signer: &Signer) -> Result<(String, u64), Failure> {
    let link = format!("live/{STREAM}");
    // Under the same token its clips are watched.
    signer.link(Verb::Play, &[&format!("{link}/**"), "vod/**"], &format!("{link}/{MULTIVARIANT}"))
}

/// A signed path to where clips of the stream are made.
fn scissors(signer: &Signer) -> Result<String, Failure> {
    let path = format!("clips/{STREAM}");
    Ok(signer.link(Verb::Manage, &[&path], &path)?.0)
}

/// Events that wait to be told; what is more is not told.
const EVENTS: usize = 64;
/// Between two looks whether there is something to see.
const LOOK: Duration = Duration::from_millis(100);
