//! Runs every file of the corpus (`corpus/make.py`) through the fuzz body of its folder.

#[cfg(test)]
mod tests {
    use std::path::Path;

    use forebay_transcoder::fuzzing;
    use proptest::prelude::*;

    fn files(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| std::fs::read(file).unwrap()).collect()
    }

    #[test]
    fn rtmp_peers_are_held_to_their_bounds() {
        let files = files("rtmp");
        assert!(files.len() >= 50);
        let mut tags = 0;
        for mut file in files {
            tags += fuzzing::rtmp(&file);
            // Byte by byte as well.
            if let Some(first) = file.first_mut() {
                *first &= 0x80;
                fuzzing::rtmp(&file);
            }
        }
        assert!(tags > 250, "what encoders sent is read: {tags}");
    }

    proptest! {
        #[test]
        fn encoders_that_change_a_little_on_the_way_are_too(
            index in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let files = files("rtmp");
            let mut file = index.get(&files).clone();
            for (place, byte) in changes {
                if !file.is_empty() {
                    let place = place.index(file.len());
                    file[place] = byte;
                }
            }
            file.truncate(file.len() - cut.index(file.len() + 1) / 4);
            fuzzing::rtmp(&file);
        }
    }
}
