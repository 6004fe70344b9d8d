//! Peers of an origin that is built without any: there are none to be asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use packager::range::ByteRange;

use super::object::ObjectRef;

/// The nodes of a service.
pub(crate) enum Peers {}

/// Another node.
pub(super) enum Peer {}

/// Some blocks of an object.
#[expect(dead_code, reason = "nobody reads what nobody is asked")]
pub(super) struct Question {
    pub(super) object: ObjectRef,
    pub(super) range: ByteRange,
    pub(super) block: u64,
}

impl Peers {
    pub(super) fn owner(&self, _: &ObjectRef, _: u64) -> Option<Arc<Peer>> {
        match *self {}
    }
}

impl Peer {
    pub(super) async fn ask(&self, _: &Question, _: Option<Duration>, _: impl FnMut(Bytes)) {
        match *self {}
    }
}
