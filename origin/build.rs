//! Finds hls.js for the demo page, so that the binary carries its player along.
//!
//! hls.js comes from npm and is not kept in the repository. This script hands the places of the library and of its
//! licence to `src/demo/assets.rs`, and says in one line what to do where they are missing. Without the feature `demo`
//! nothing is asked for.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_DEMO").is_none() {
        return;
    }
    let package = manifest_dir().join("node_modules").join("hls.js");
    let places = FILES.map(|(variable, file)| (variable, package.join(file)));
    for (_, place) in &places {
        println!("cargo::rerun-if-changed={}", place.display());
    }
    if let Some((_, missing)) = places.iter().find(|(_, place)| !place.is_file()) {
        println!(
            "cargo::error=the demo page needs hls.js, and {} is missing: run `make setup`, or build without the feature `demo`",
            missing.display()
        );
        return;
    }
    for (variable, place) in &places {
        println!("cargo::rustc-env={variable}={}", place.display());
    }
}

/// The folder of this crate's Cargo.toml; cargo always names it.
fn manifest_dir() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from)
}

/// What the page needs of hls.js: the variable that `assets.rs` reads, and the file in the npm package.
const FILES: [(&str, &str); 2] =
    [("FOREBAY_HLS_JS", "dist/hls.min.js"), ("FOREBAY_HLS_JS_LICENSE", "LICENSE")];
