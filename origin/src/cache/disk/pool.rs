//! Memory that blocks are read into, used again when they are let go.
//!
//! Fresh memory costs more than the read itself: the system gives it page by page, each full of zeros.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Buffers of the usual length that nobody has at the moment.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Free>);

#[derive(Debug, Default)]
struct Free {
    /// The longest that was asked for: most blocks are as long, and the last one of an object does not get so much.
    usual: usize,
    buffers: Vec<Vec<u8>>,
}

/// A block in memory of the pool, where it goes back to.
struct Lent {
    buffer: Vec<u8>,
    pool: Arc<Pool>,
}

impl Pool {
    /// `length` bytes, all of which `fill` writes.
    pub(super) fn fill<E>(
        self: &Arc<Self>,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let buffer = self.free().take(length).unwrap_or_else(|| vec![0; length]);
        let mut lent = Lent { buffer, pool: Arc::clone(self) };
        fill(&mut lent.buffer)?;
        Ok(Bytes::from_owner(lent))
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Free {
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        if length > self.usual {
            self.usual = length;
            self.buffers.clear();
        }
        (length == self.usual).then(|| self.buffers.pop()).flatten()
    }

    fn give(&mut self, buffer: Vec<u8>) {
        if buffer.len() == self.usual && self.buffers.len() < KEPT {
            self.buffers.push(buffer);
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.free().give(std::mem::take(&mut self.buffer));
    }
}

/// Buffers that are kept for the next blocks: 8 MiB, of the usual size.
const KEPT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pool: &Arc<Pool>, byte: u8, length: usize) -> Bytes {
        let fill = |buffer: &mut [u8]| {
            buffer.fill(byte);
            Ok::<_, ()>(())
        };
        pool.fill(length, fill).unwrap()
    }

    #[test]
    fn memory_is_used_again_when_its_block_is_let_go_and_not_before() {
        let pool = Arc::<Pool>::default();
        let first = bytes(&pool, 1, 4_096);
        let part = first.slice(7..9);
        let place = first.as_ptr();
        drop(first);
        let second = bytes(&pool, 2, 4_096);
        assert_ne!(second.as_ptr(), place, "a part of it is still read");
        assert_eq!((part.as_ref(), second.as_ref()), (&[1; 2][..], &[2; 4_096][..]));
        drop(part);
        let third = bytes(&pool, 3, 4_096);
        assert_eq!((third.as_ptr(), third.as_ref()), (place, &[3; 4_096][..]));
    }

    #[test]
    fn nothing_takes_more_memory_than_it_has_bytes_and_no_more_is_kept_than_may_be() {
        let pool = Arc::<Pool>::default();
        drop((0..100).map(|_| bytes(&pool, 0, 4_096)).collect::<Vec<_>>());
        assert_eq!(pool.free().buffers.len(), KEPT);
        drop(bytes(&pool, 1, 100));
        assert_eq!(pool.free().buffers.len(), KEPT, "a short one neither takes nor leaves a buffer");
        assert_eq!(pool.fill(4_096, |_| Err("no")), Err("no"));
        assert_eq!(pool.free().buffers.len(), KEPT);
        drop(bytes(&pool, 1, 8_192));
        assert!(pool.free().buffers.iter().all(|buffer| buffer.len() == 8_192));
    }
}
