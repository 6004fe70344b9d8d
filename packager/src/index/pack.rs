//! A column of 32-bit numbers, packed to the bits they need, with running sums.
//!
//! ```text
//! values   |-- 128 values --|-- 128 values --|-- rest --|
//! block    { sum of all before, least value, bits a value }
//! words    value i of a block = least + the bits [i*width, (i+1)*width) of its words
//! ```
//!
//! A block of 128 values takes exactly `2 * width` 64-bit words, and a block whose values are all alike takes
//! none. One value costs one look-up; the sum of any range costs two blocks at most.

/// Values in a block.
pub(super) const BLOCK: u32 = 128;
/// More bits than this can't occur: the values are `u32`.
pub(super) const MAX_WIDTH: u8 = 32;

/// The block's description; its words lie where the words of those before it end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Sum of all values in all blocks before this one.
    sum_before: u64,
    /// Index of its first word.
    word: u32,
    /// The least value in it.
    pub(super) base: u32,
    /// Bits a value above `base`.
    pub(super) width: u8,
}

/// The packed column; see the module's drawing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Column {
    len: u32,
    total: u64,
    blocks: Vec<Block>,
    words: Vec<u64>,
}

impl Column {
    /// How many values.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The sum of all values.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes this takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>() + self.words.capacity() * size_of::<u64>()
    }

    /// Value `i`; zero beyond the end.
    pub(crate) fn get(&self, i: u32) -> u32 {
        if i >= self.len {
            return 0;
        }
        match self.block(i / BLOCK) {
            Some(block) => self.unpack(block, i % BLOCK),
            None => 0,
        }
    }

    /// The sum of the values before `i`, or of all where `i` lies beyond the end.
    pub(crate) fn sum_before(&self, i: u32) -> u64 {
        if i >= self.len {
            return self.total;
        }
        let Some(block) = self.block(i / BLOCK) else { return self.total };
        let rest = (0..i % BLOCK).map(|k| u64::from(self.unpack(block, k))).sum::<u64>();
        block.sum_before + rest
    }

    /// The values from `from` on, in order.
    #[cfg(test)]
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = u32> + '_ {
        (from..self.len).map(|i| self.get(i))
    }

    /// Whether each value in `range` is `value`. Blocks of equal values are looked at once.
    pub(crate) fn all_are(&self, range: std::ops::Range<u32>, value: u32) -> bool {
        let end = range.end.min(self.len);
        let mut at = range.start;
        while at < end {
            let Some(block) = self.block(at / BLOCK) else { return false };
            let past = (at / BLOCK + 1).saturating_mul(BLOCK).min(end);
            let alike = match block.width {
                0 => block.base == value,
                _ => (at % BLOCK..at % BLOCK + (past - at)).all(|k| self.unpack(block, k) == value),
            };
            if !alike {
                return false;
            }
            at = past;
        }
        true
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Puts a stored column together again; `None` where the parts don't fit each other.
    pub(super) fn from_parts(len: u32, parts: &[(u32, u8)], words: Vec<u64>) -> Option<Self> {
        let mut column = Self { len: 0, total: 0, blocks: Vec::with_capacity(parts.len()), words };
        if u32::try_from(parts.len()).ok()? != len.div_ceil(BLOCK) {
            return None;
        }
        let mut word = 0u32;
        for &(base, width) in parts {
            if width > MAX_WIDTH {
                return None;
            }
            let count = (len - column.len).min(BLOCK);
            let block = Block { sum_before: column.total, word, base, width };
            word = word.checked_add(words_of(count, width))?;
            if usize::try_from(word).ok()? > column.words.len() {
                return None;
            }
            let sum: u64 = (0..count).map(|k| u64::from(column.unpack(block, k))).sum();
            column.total = column.total.checked_add(sum)?;
            column.blocks.push(block);
            column.len += count;
        }
        (usize::try_from(word).ok()? == column.words.len()).then_some(column)
    }

    fn block(&self, number: u32) -> Option<Block> {
        self.blocks.get(usize::try_from(number).ok()?).copied()
    }

    fn unpack(&self, block: Block, k: u32) -> u32 {
        if block.width == 0 {
            return block.base;
        }
        let width = u32::from(block.width);
        let bit = k * width;
        let word = (block.word + bit / 64) as usize;
        let shift = bit % 64;
        let low = self.words.get(word).copied().unwrap_or(0) >> shift;
        let high = match shift + width > 64 {
            true => self.words.get(word + 1).copied().unwrap_or(0) << (64 - shift),
            false => 0,
        };
        let mask = (1u64 << width) - 1;
        #[expect(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
        let above = ((low | high) & mask) as u32;
        block.base.wrapping_add(above)
    }
}

/// 64-bit words that `count` values of `width` bits take.
pub(super) fn words_of(count: u32, width: u8) -> u32 {
    (count * u32::from(width)).div_ceil(64)
}

/// Packs values as they come, block by block, so that no expanded table ever exists.
#[derive(Debug, Default)]
pub(crate) struct ColumnBuilder {
    column: Column,
    open: Vec<u32>,
}

impl ColumnBuilder {
    /// Appends a value. The caller bounds the count (see `LIMIT` of the sample table).
    pub(crate) fn push(&mut self, value: u32) {
        self.open.push(value);
        if self.open.len() == BLOCK as usize {
            self.close();
        }
    }

    /// How many values were pushed.
    pub(crate) fn len(&self) -> u32 {
        self.column.len + u32::try_from(self.open.len()).unwrap_or(0)
    }

    /// The finished column.
    pub(crate) fn finish(mut self) -> Column {
        self.close();
        self.column.blocks.shrink_to_fit();
        self.column.words.shrink_to_fit();
        self.column
    }

    fn close(&mut self) {
        let Some(&base) = self.open.iter().min() else { return };
        let most = self.open.iter().max().map_or(0, |max| max - base);
        #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
        let width = (u32::BITS - most.leading_zeros()) as u8;
        let word = u32::try_from(self.column.words.len()).unwrap_or(u32::MAX);
        self.column.blocks.push(Block { sum_before: self.column.total, word, base, width });
        let mut filled = 0u32;
        let mut bits = 0u64;
        for value in &self.open {
            let above = u64::from(value - base);
            bits |= above.checked_shl(filled).unwrap_or(0);
            filled += u32::from(width);
            if filled >= 64 {
                self.column.words.push(bits);
                filled -= 64;
                bits = above.checked_shr(u32::from(width) - filled).unwrap_or(0);
            }
        }
        if filled > 0 {
            self.column.words.push(bits);
        }
        self.column.total += self.open.iter().copied().map(u64::from).sum::<u64>();
        self.column.len += u32::try_from(self.open.len()).unwrap_or(0);
        self.open.clear();
    }
}

impl FromIterator<u32> for Column {
    fn from_iter<I: IntoIterator<Item = u32>>(values: I) -> Self {
        let mut builder = ColumnBuilder::default();
        values.into_iter().for_each(|value| builder.push(value));
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<u32>> {
        (0u32..32).prop_flat_map(|bits| prop::collection::vec(0..=(u32::MAX >> bits), 0..600))
    }

    proptest! {
        #[test]
        fn a_column_gives_back_what_it_was_given(values in values()) {
            let column: Column = values.iter().copied().collect();
            prop_assert_eq!(column.iter_from(0).collect::<Vec<_>>(), values.clone());
            let mut sum = 0;
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(column.sum_before(i as u32), sum);
                sum += u64::from(*value);
            }
            prop_assert_eq!(column.total(), sum);
        }

        #[test]
        fn a_run_of_equal_values_is_seen(before in 0u32..300, run in 1u32..300, after in 0u32..300) {
            let values = std::iter::repeat_n(7, before as usize).chain(std::iter::repeat_n(9, run as usize));
            let column: Column = values.chain(std::iter::repeat_n(7, after as usize)).collect();
            prop_assert!(column.all_are(before..before + run, 9));
            prop_assert_eq!(column.all_are(0..before + 1, 7), false);
            prop_assert_eq!(column.all_are(before..before + run + 1, 9), after == 0);
        }

        #[test]
        fn parts_make_the_same_column(values in values()) {
            let column: Column = values.iter().copied().collect();
            let parts: Vec<_> = column.blocks().iter().map(|b| (b.base, b.width)).collect();
            prop_assert_eq!(Column::from_parts(column.len(), &parts, column.words().to_vec()), Some(column));
        }
    }

    #[test]
    fn equal_values_take_no_words() {
        let column: Column = std::iter::repeat_n(512, 100_000).collect();
        assert!(column.words().is_empty());
        assert_eq!(column.get(99_999), 512);
        assert_eq!(column.get(100_000), 0);
    }
}
