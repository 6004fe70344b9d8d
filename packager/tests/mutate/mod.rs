//! Changes to a sound file that break readers.

/// Where the boxes lie that say something: all that is not media.
pub(crate) fn places(file: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at + 8 <= file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let end = if &file[at + 4..at + 8] == b"mdat" { at + 8 } else { at + size };
        places.extend(at..end.min(file.len()));
        at += size.max(8);
    }
    places
}

/// One to four changes of the kinds that break readers.
pub(crate) fn mutate(sound: &[u8], places: &[usize], mut random: Random) -> Vec<u8> {
    let mut file = sound.to_vec();
    for _ in 0..=random.below(4) {
        let at = places[random.below(places.len())].min(file.len().saturating_sub(1));
        let word = at..(at + 4).min(file.len());
        match random.below(8) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => file[word].fill(0xff),
            3 => file[word].fill(0),
            4 => file[word].rotate_left(1),
            5 => file.truncate(at.max(1)),
            6 => drop(file.drain(at..(at + random.below(64)).min(file.len()))),
            _ => {
                let piece = file[at..(at + random.below(200)).min(file.len())].to_vec();
                file.splice(at..at, piece);
            }
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

/// Marsaglia's xorshift: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
