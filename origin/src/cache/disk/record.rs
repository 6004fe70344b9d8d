//! One block as it lies in a file.
//!
//! ```text
//! 0       4        20       28      36       40          44         48
//! | fbk2  | object | number | epoch | length | of bytes  | of head  | bytes …
//!   magic   16       8        8       4        CRC-32      CRC-32
//! ```
//!
//! Numbers are little-endian. A head that is not whole, or of which the sum is another one, ends a file: it was being written when
//! its process died.

use super::super::ledger::Epoch;
use super::super::object::ObjectId;

/// What stands before a block's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) object: ObjectId,
    pub(super) number: u64,
    /// When the fill began that brought it.
    pub(super) epoch: Epoch,
    pub(super) length: u32,
    /// The sum of the bytes.
    pub(super) sum: u32,
}

impl Head {
    pub(super) fn new(object: ObjectId, number: u64, epoch: Epoch, bytes: &[u8]) -> Option<Self> {
        let length = u32::try_from(bytes.len()).ok()?;
        Some(Self { object, number, epoch, length, sum: crc32fast::hash(bytes) })
    }

    pub(super) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let (number, epoch) = (self.number.to_le_bytes(), self.epoch.0.to_le_bytes());
        let (length, sum) = (self.length.to_le_bytes(), self.sum.to_le_bytes());
        let name = MAGIC.iter().chain(&self.object.0).chain(&number);
        let fields = name.chain(&epoch).chain(&length).chain(&sum);
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = *from);
        let of_head = crc32fast::hash(bytes.get(..SUMMED).unwrap_or_default()).to_le_bytes();
        bytes.iter_mut().skip(SUMMED).zip(of_head).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` for what is no head.
    pub(super) fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let (summed, of_head) = bytes.split_at_checked(SUMMED)?;
        let (magic, rest) = summed.split_first_chunk::<4>()?;
        let (object, rest) = rest.split_first_chunk::<16>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sum, _) = rest.split_first_chunk::<4>()?;
        let is_whole = magic == MAGIC && *of_head == crc32fast::hash(summed).to_le_bytes();
        is_whole.then(|| Self {
            object: ObjectId(*object),
            number: u64::from_le_bytes(*number),
            epoch: Epoch(u64::from_le_bytes(*epoch)),
            length: u32::from_le_bytes(*length),
            sum: u32::from_le_bytes(*sum),
        })
    }
}

/// Bytes of a head.
pub(super) const HEAD: usize = 48;
/// How many of them the last four are the sum of.
const SUMMED: usize = HEAD - 4;
const MAGIC: &[u8; 4] = b"fbk2";

#[cfg(test)]
mod tests {
    use super::super::super::object::ObjectRef;
    use super::*;

    fn head() -> Head {
        let object = ObjectRef::new("vod/a".into(), 10, None, String::new());
        Head::new(object.id(), 7, Epoch(3), b"bytes").unwrap()
    }

    #[test]
    fn a_head_is_read_back_and_one_with_a_flipped_bit_is_none() {
        let bytes = head().to_bytes();
        assert_eq!(Head::read(&bytes), Some(head()));
        for bit in 0..HEAD * 8 {
            let mut torn = bytes;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::read(&torn), None, "{bit}");
        }
        assert_eq!(Head::read(&[0; HEAD]), None);
    }
}
