//! Runs every file of the corpus (`corpus/make.py`) through the fuzz body of its folder.
#![expect(clippy::disallowed_methods, reason = "the crate is pure, its tests read their files")]

#[cfg(test)]
mod tests {
    use std::path::Path;

    use forebay_authz::fuzzing;

    /// How many files went through.
    fn run(target: &str, body: fn(&[u8])) -> usize {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| body(&std::fs::read(file).unwrap())).count()
    }

    #[test]
    fn tokens_and_claims_keep_their_promises() {
        assert!(run("token", fuzzing::token) >= 20);
    }

    #[test]
    fn paths_keep_their_promises() {
        assert!(run("path", fuzzing::path) >= 40);
    }

    #[test]
    fn key_files_keep_their_promises() {
        assert!(run("key_file", fuzzing::key_file) >= 15);
    }

    #[test]
    fn carried_tokens_keep_their_promises() {
        assert!(run("carrier", fuzzing::carrier) >= 20);
    }
}
