//! The walls between crates and between origin's rooms stand.

use std::path::Path;

use forebay_tests::layering::graph::Graph;
use forebay_tests::layering::rooms;

#[test]
fn crates_import_only_what_the_plan_allows() {
    let violations = Graph::of_workspace().violations();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn rooms_of_origin_import_only_downwards() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../origin/src");
    let violations: Vec<String> = rooms::judge_folder(&src).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
