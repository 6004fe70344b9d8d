//! The `forebay` daemon.
fn main() {}
