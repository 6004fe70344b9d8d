//! A job in the foreground: watched while it runs, stopped when somebody interrupts it, told of when it has ended.

use std::future::Future;
use std::io;

use packager::asset::{AssetName, Revision};
use packager::manifest::Manifest;
use tokio::sync::mpsc;
use transcoder::publishing::Published;
use transcoder::{Cancel, Error};

use super::output::Output;
use super::{End, Ended};

/// Runs `job` to its end and shows its events; throws `cancel` when `interrupt` is ready.
pub(super) async fn watch<E, T>(
    job: impl Future<Output = T>,
    mut told: mpsc::Receiver<E>,
    mut show: impl FnMut(&E),
    interrupt: impl Future<Output = io::Result<()>>,
    cancel: &Cancel,
) -> io::Result<T> {
    tokio::pin!(job, interrupt);
    loop {
        tokio::select! {
            // The interrupt first: a tool that the terminal interrupted with us has not failed.
            biased;
            interrupted = &mut interrupt, if !cancel.is_cancelled() => {
                interrupted?;
                cancel.cancel();
            }
            Some(event) = told.recv() => show(&event),
            ended = &mut job => return Ok(ended),
        }
    }
}

/// Says how a job ended that was to publish a revision.
pub(super) fn tell(
    asset: &AssetName,
    ended: Result<(Revision, Published, Manifest), Error>,
    interrupted: bool,
    output: &Output,
) -> Ended {
    match ended {
        Ok((revision, Published::Current, manifest)) => {
            output.line(format_args!("{asset} {revision}: {} tracks published", manifest.tracks.len()));
            Ok(End::Done)
        }
        Ok((revision, Published::Superseded, _)) => {
            output.complain(format_args!("{asset} {revision}: not published, a newer revision was first"));
            Ok(End::Refused)
        }
        Err(_) if interrupted => {
            output.complain("interrupted: nothing was published");
            Ok(End::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

/// Events that wait to be shown; what is more is not shown.
pub(super) const EVENTS: usize = 64;
