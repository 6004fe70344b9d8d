//! A show that is made on the spot, sent to this origin as any encoder would, and watched with little delay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authz::Verb;
use http::{StatusCode, Uri};
use packager::asset::RenditionName;
use packager::playlist::MULTIVARIANT;
use tokio::sync::mpsc;
use transcoder::live::{Broadcast, Clock, Event, Scene, Targets};
use transcoder::source::Source;
use transcoder::{Cancel, Cause, Tools};

use super::super::ask::Peer;
use super::super::daemon::{Daemon, PageSource};
use super::super::interrupt::interrupted;
use super::super::output::Output;
use super::super::{End, Ended, Failure};
use super::{Args, Signer, TTL, title};
use crate::config::Config;
use crate::demo::{Face, Stage, Story};

/// What the stream is called.
const STREAM: &str = "demo";

/// Serves, sends and tells where to look, until the process is told to end.
pub(super) async fn show(args: &Args, config: Config, output: &Output) -> Ended {
    let (signer, tools) = (Signer::new()?, Tools::default());
    // Before the work: an address that is taken should be said at once.
    let daemon = Daemon::open(config, Arc::clone(&signer.keyring), Some(story(args, &signer)?)).await?;
    let Some(scene) = scene(args, &tools).await? else { return Ok(End::Interrupted) };
    let (http, addresses) = (daemon.http()?, daemon.addresses()?);
    let clock = signer.clock.clone();
    let broadcast = Broadcast {
        scene,
        preset: args.preset,
        tools,
        clock: Clock::new(move || Duration::from_millis(clock.now_millis())),
        targets: targets(&signer, http),
    };
    let (cancel, (events, told)) = (Cancel::new(), mpsc::channel(EVENTS));
    // What ends well leaves it to the daemon to say when all is over.
    let sending = async {
        match broadcast.run(&events, &cancel).await {
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
        match greet(&signer, http, &addresses, output).await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    };
    tokio::select! {
        ended = daemon.serve() => ended,
        error = sending => Err(error),
        error = stopping => Err(error),
        error = greeting => Err(error),
        never = report(told, output) => never,
    }
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

/// The ingest of this origin, under a token of its own for each request.
fn targets(signer: &Signer, http: SocketAddr) -> Targets {
    let (signer, peer) = (signer.clone(), Peer::at(http));
    Targets::new(move |track: &RenditionName| {
        let link = signer.link(Verb::Publish, &format!("ingest/{STREAM}"), &track.to_string());
        let (path, _) = link.map_err(|Failure(error)| -> Cause { error })?;
        Ok(Uri::try_from(format!("http://{peer}{path}"))?)
    })
}

/// Says where to look, once there is something to see.
async fn greet(signer: &Signer, http: SocketAddr, addresses: &str, output: &Output) -> Result<(), Failure> {
    let (playlist, _) = door(signer)?;
    let peer = Peer::at(http);
    while !matches!(peer.get(&playlist).await, Ok(answer) if answer.status == StatusCode::OK) {
        tokio::time::sleep(LOOK).await;
    }
    output.line(format_args!("forebay: listening {addresses}"));
    output.line(format_args!("\n  watch it     http://{peer}/\n  signed link  http://{peer}{playlist}\n"));
    output.line(format_args!("The link is good for {TTL}. Ctrl-C ends it all."));
    Ok(())
}

/// Tells what happens to the show.
async fn report(mut told: mpsc::Receiver<Event>, output: &Output) -> Ended {
    while let Some(event) = told.recv().await {
        match event {
            Event::Started => {}
            Event::Stopped(why) => output.complain(format_args!("ffmpeg ended and is started again: {why}")),
            Event::Interrupted(track, why) => {
                output.complain(format_args!("{track} was interrupted and is sent again: {why}"));
            }
        }
    }
    // The broadcast holds the other end as long as it is sent.
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
        stage.with(&Story { title: title.clone(), playlist, expires, now_ms })
    }))
}

/// A signed link to the stream, and when it ends.
fn door(signer: &Signer) -> Result<(String, u64), Failure> {
    signer.link(Verb::Play, &format!("live/{STREAM}"), MULTIVARIANT)
}

/// Events that wait to be told; what is more is not told.
const EVENTS: usize = 64;
/// Between two looks whether there is something to see.
const LOOK: Duration = Duration::from_millis(100);
