//! axum example.
fn main() {}
