//! The graph of crates, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each of our crates may import of ours, and what must not be found anywhere below it. A name that ends with `*`
/// is a prefix.
const PLAN: &[(&str, &[&str], &[&str])] = &[
    ("forebay-authz", &[], &["tokio*", "pingora*", "sqlx*", "prometheus*", "object_store", "hyper*"]),
    ("forebay-packager", &[], &["tokio*", "pingora*", "sqlx*", "prometheus*", "object_store", "hyper*"]),
    ("forebay-transcoder", &["forebay-packager", "forebay-authz"], &["pingora*", "sqlx*", "prometheus*"]),
    (
        "forebay-origin",
        &["forebay-transcoder", "forebay-packager", "forebay-authz"],
        &["openssl", "openssl-sys", "native-tls"],
    ),
];

/// Package names by id, and the edges of normal and build dependencies.
#[derive(Debug)]
pub struct Graph {
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo about the workspace this crate was built in.
    ///
    /// # Panics
    /// When cargo fails.
    #[must_use]
    pub fn of_workspace() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--all-features",
                "--manifest-path",
                manifest,
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        Self::from_metadata(&serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Reads the document that `cargo metadata` prints.
    ///
    /// # Panics
    /// When the document is not of that form.
    #[must_use]
    pub fn from_metadata(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let array = |value: &Value| value.as_array().unwrap().clone();
        let names = array(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut edges = BTreeMap::new();
        for node in array(&metadata["resolve"]["nodes"]) {
            let shipped = |dep: &&Value| array(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            let to = array(&node["deps"]).iter().filter(shipped).map(|dep| text(&dep["pkg"])).collect();
            edges.insert(text(&node["id"]), to);
        }
        Self { names, edges }
    }

    /// Every breach of the plan, as one line each.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, ours, forbidden) in PLAN {
            let Some(id) = self.names.iter().find(|(_, known)| known == name).map(|(id, _)| id) else {
                found.push(format!("{name} is not in the workspace"));
                continue;
            };
            for below in self.closure(id) {
                let is_ours = below.starts_with("forebay-");
                if is_ours && !ours.contains(&below.as_str()) {
                    found.push(format!("{name} must not import {below}"));
                }
                if forbidden.iter().any(|pattern| matches(pattern, &below)) {
                    found.push(format!("{name} must not have {below} below it"));
                }
            }
        }
        found
    }

    fn closure(&self, id: &str) -> BTreeSet<String> {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![id.to_owned()]);
        while let Some(next) = todo.pop() {
            for dep in self.edges.get(&next).into_iter().flatten() {
                if seen.insert(dep.clone()) {
                    todo.push(dep.clone());
                }
            }
        }
        seen.iter().filter_map(|id| self.names.get(id)).cloned().collect()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace with our four crates, where `from` has a dependency of `kind` on `to`.
    fn workspace(from: &str, to: &str, kind: Option<&str>) -> Graph {
        let known = [
            "forebay-authz",
            "forebay-packager",
            "forebay-transcoder",
            "forebay-origin",
            "mp4-atom",
            "tokio",
        ];
        let packages: Vec<Value> = known.iter().map(|name| json!({"id": name, "name": name})).collect();
        let edge = json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
        let nodes: Vec<Value> = known
            .iter()
            .map(|name| {
                let mut deps = if *name == from { vec![edge.clone()] } else { Vec::new() };
                if *name == "forebay-packager" {
                    deps.push(json!({"pkg": "mp4-atom", "dep_kinds": [{"kind": null}]}));
                }
                json!({"id": name, "deps": deps})
            })
            .collect();
        Graph::from_metadata(&json!({"packages": packages, "resolve": {"nodes": nodes}}))
    }

    #[test]
    fn what_the_plan_allows_is_no_violation() {
        assert_eq!(workspace("forebay-origin", "forebay-transcoder", None).violations(), [""; 0]);
        assert_eq!(workspace("forebay-transcoder", "tokio", None).violations(), [""; 0]);
    }

    #[test]
    fn a_pure_crate_that_gets_a_runtime_through_another_is_caught() {
        assert_eq!(
            workspace("mp4-atom", "tokio", None).violations(),
            ["forebay-packager must not have tokio below it"]
        );
    }

    #[test]
    fn an_import_against_the_order_is_caught() {
        assert_eq!(
            workspace("forebay-packager", "forebay-authz", None).violations(),
            ["forebay-packager must not import forebay-authz"]
        );
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        assert_eq!(workspace("forebay-packager", "tokio", Some("dev")).violations(), [""; 0]);
    }
}
