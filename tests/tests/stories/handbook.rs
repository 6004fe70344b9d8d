//! What the handbook says of metrics is what the binary has.

use std::collections::BTreeSet;
use std::path::Path;

use forebay_tests::rig::client;
use forebay_tests::rig::site::Site;

#[test]
fn every_metric_is_in_the_handbook_and_no_other() {
    let site = Site::new();
    let daemon = site.serve();
    let exposed = client::get(daemon.admin(), "/metrics").is(200).text();
    let families: BTreeSet<String> = exposed
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let handbook = std::fs::read_to_string(file).unwrap();
    let rows = handbook.lines().filter(|line| line.starts_with("| `forebay_"));
    let told: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert!(families.len() > 30, "{families:?}");
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    assert_eq!(only(&families, &told), Vec::<String>::new(), "not in docs/operations.md");
    assert_eq!(only(&told, &families), Vec::<String>::new(), "not in the binary");
    // The closed sets of labels, too.
    for value in exposed.lines().filter_map(|line| line.split_once("route=\"")?.1.split('"').next()) {
        assert!(handbook.contains(&format!("`{value}`")), "route {value}");
    }
    for value in exposed.lines().filter_map(|line| line.split_once("reason=\"")?.1.split('"').next()) {
        assert!(handbook.contains(&format!("`{value}`")), "reason {value}");
    }
}
