//! The walls between crates and between origin's rooms stand, and the ledger of specifications is true.

use std::path::Path;

use forebay_tests::layering::graph::Graph;
use forebay_tests::layering::ledger::Ledger;
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

#[test]
fn every_clause_of_the_ledger_has_a_test_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |file: &str| std::fs::read_to_string(root.join(file)).ok();
    let ledger = Ledger::read(&text("docs/spec-ledger.md").unwrap());
    let faults = ledger.faults(text);
    assert!(faults.is_empty(), "docs/spec-ledger.md is not true:\n{}", faults.join("\n"));
    assert!(ledger.len() > 100, "only {} clauses were read", ledger.len());
}
