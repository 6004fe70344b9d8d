//! Live shows: what publishers send, made into renditions and sent to origins as CMAF (DASH-IF Live Media Ingest, interface 1).
//!
//! [`relay`] is the way of one show; here is what names its tracks and where they go.

mod cutter;
pub mod relay;

use std::fmt;
use std::sync::Arc;

use http::Uri;
use packager::asset::RenditionName;

use crate::{Cause, Error};

/// Where each track is sent: an `http` URL, asked for at each request, so that its token may be a fresh one.
#[derive(Clone)]
pub struct Targets(Arc<Target>);

type Target = dyn Fn(&RenditionName) -> Result<Uri, Cause> + Send + Sync;

impl Targets {
    /// Asks `target` at each request.
    pub fn new(target: impl Fn(&RenditionName) -> Result<Uri, Cause> + Send + Sync + 'static) -> Self {
        Self(Arc::new(target))
    }

    fn of(&self, track: &RenditionName) -> Result<Uri, Cause> {
        (self.0)(track)
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A target may carry a token.
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

fn name(text: &str) -> Result<RenditionName, Error> {
    text.parse().map_err(|_| Error::Setting {
        name: "rendition name",
        expected: "1 to 64 of a-z 0-9 -, starting with a letter",
        found: text.to_owned(),
    })
}

const SOUND: &str = "audio";
