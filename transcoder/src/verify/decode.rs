//! Decoding every object from its first byte to its last.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::Object;
use crate::process::Running;
use crate::{Cancel, Error, Tools, command};

/// At most two at a time: each decoder has threads of its own.
pub(super) async fn decode(objects: &[Object], tools: &Tools, cancel: &Cancel) -> Result<(), Error> {
    stream::iter(objects.iter().map(|object| one(object, tools, cancel)))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn one(object: &Object, tools: &Tools, cancel: &Cancel) -> Result<(), Error> {
    let arguments = command::decode(&object.path);
    let ended = Running::start(tools, &tools.ffmpeg, arguments, Box::new(|_| {}))?.end(cancel).await?;
    // Concealed errors do not make the decoder fail, but it does complain of them.
    if ended.success() && !ended.log().is_faulty() {
        return Ok(());
    }
    Err(Error::rendition(
        &object.name,
        format!("expected an object that decodes, found {}", ended.complaint()),
    ))
}

const AT_ONCE: usize = 2;
