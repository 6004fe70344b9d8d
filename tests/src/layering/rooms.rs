//! The plan of origin's rooms, and the judgement of its source against it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::paths::{self, NamedPath};

/// A place in the source that breaks the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The file, from the crate's `src`.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is named there.
    pub names: String,
    /// Which rule that breaks.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: names {}: {}", self.file.display(), self.line, self.names, self.rule)
    }
}

/// Judges every `.rs` file below `src`, origin's source folder.
///
/// # Panics
/// When a file cannot be read or is no Rust.
#[must_use]
pub fn judge_folder(src: &Path) -> Vec<Violation> {
    let mut files = Vec::new();
    collect(src, &mut files);
    files.sort();
    let mut violations = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let relative = file.strip_prefix(src).unwrap();
        violations
            .extend(judge(relative, &source).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    violations
}

/// Judges one file; `relative` is its path from `src`.
///
/// # Errors
/// When `source` is no Rust.
pub fn judge(relative: &Path, source: &str) -> Result<Vec<Violation>, String> {
    let module = module_of(relative);
    let room = room_of(relative);
    let mut violations = Vec::new();
    let Some(own) = Layer::of(&room) else {
        let rule = format!("room {room} has no place in the plan (tests/src/layering/rooms.rs)");
        return Ok(vec![Violation { file: relative.to_owned(), line: 1, names: room, rule }]);
    };
    for path in paths::read(source, &module)? {
        if let Some(rule) = broken_rule(&room, own, &module, &path) {
            let names = path.segments.join("::");
            violations.push(Violation { file: relative.to_owned(), line: path.line, names, rule });
        }
    }
    Ok(violations)
}

fn broken_rule(room: &str, own: Layer, module: &[String], path: &NamedPath) -> Option<String> {
    if let Some(target) = target_room(module, path) {
        return broken_room_rule(room, own, &target);
    }
    let krate = path.segments.first()?;
    let (_, allowed) = THIRD_PARTIES.iter().find(|(prefix, _)| {
        krate == prefix || krate.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_'))
    })?;
    (!allowed.contains(&room)).then(|| format!("only {} may name {krate}", allowed.join(", ")))
}

fn broken_room_rule(room: &str, own: Layer, target: &str) -> Option<String> {
    if target == room || room == "main" {
        return None;
    }
    if target == "db" && room != "cli" {
        return Some("only cli may name db".to_owned());
    }
    // `lib` declares the rooms and re-exports what is paved; the items it holds itself are judged by its layer.
    let below = Layer::of(target)?;
    if below >= own {
        return Some(format!("{room} is not above {target}; rooms import only downwards"));
    }
    None
}

/// The room inside this crate that `path` leads to, if it leads to one.
fn target_room(module: &[String], path: &NamedPath) -> Option<String> {
    let first = match path.from_root(OWN_NAME) {
        Some(rooted) => rooted.into_iter().next()?,
        // In the root itself a room's name needs no `crate::`.
        None if module.is_empty() => path.segments.first().filter(|name| Layer::of(name).is_some())?.clone(),
        None => return None,
    };
    Some(if Layer::of(&first).is_some() { first } else { "lib".to_owned() })
}

fn module_of(relative: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn room_of(relative: &Path) -> String {
    let first = relative.iter().next().map(Path::new).and_then(Path::file_stem);
    first.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// How high a room stands: it may name what stands lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Layer(u8);

impl Layer {
    fn of(room: &str) -> Option<Self> {
        let height = LAYERS.iter().position(|rooms| rooms.contains(&room))?;
        u8::try_from(height).ok().map(Self)
    }
}

const OWN_NAME: &str = "forebay_origin";

/// From the ground up. Rooms of one layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["clock", "metrics", "config", "shutdown", "text", "upload"],
    &["catalog", "store", "keyring"],
    // It fills its blocks from the store.
    &["cache"],
    // `db` implements the ports of the layer below; that only cli names it has a rule of its own.
    &["vod", "live", "upstream", "db"],
    // What shows recorded becomes assets.
    &["clips"],
    &["service"],
    // `builder` puts a service together, `lib` re-exports what is paved.
    &["builder"],
    // `admin` routes to rooms.
    &["lib", "admin"],
    &["edge"],
    &["demo"],
    &["cli"],
    &["main"],
];

/// Crates that only some rooms may name.
const THIRD_PARTIES: &[(&str, &[&str])] = &[("pingora", &["edge", "cli"]), ("sqlx", &["db"])];

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(file: &str, source: &str) -> Vec<String> {
        judge(Path::new(file), source).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn downward_imports_are_fine() {
        assert_eq!(
            rules("vod/load.rs", "use crate::{cache::Key, store::Store, vod::Plan}; use super::plan;"),
            [""; 0]
        );
        assert_eq!(
            rules("cli/serve.rs", "use crate::{db::sqlite, edge, Origin}; use pingora::server;"),
            [""; 0]
        );
        assert_eq!(rules("lib.rs", "mod cli; mod db; pub use service::Reply;"), [""; 0]);
    }

    #[test]
    fn an_upward_import_is_caught_with_its_line() {
        assert_eq!(
            rules("cache/memory.rs", "use std::sync::Arc;\nuse crate::service::Reply;\n"),
            [
                "cache/memory.rs:2: names crate::service::Reply: cache is not above service; rooms import only downwards"
            ]
        );
    }

    #[test]
    fn an_upward_import_is_caught_through_super_and_in_a_body() {
        assert_eq!(rules("vod/load.rs", "fn f() { super::super::edge::answer() }").len(), 1);
        assert_eq!(rules("keyring.rs", "fn f() { crate::Origin::builder() }").len(), 1);
    }

    #[test]
    fn rooms_of_one_layer_do_not_know_each_other() {
        assert_eq!(rules("store.rs", "use crate::catalog::Catalog;").len(), 1);
    }

    #[test]
    fn pingora_outside_the_edge_is_caught() {
        let source = "use pingora_core::protocols::http::ServerSession;";
        assert_eq!(rules("service/reply.rs", source).len(), 1);
        assert_eq!(rules("edge/pingora.rs", source), [""; 0]);
    }

    #[test]
    fn sqlx_outside_db_and_db_outside_cli_are_caught() {
        assert_eq!(rules("catalog.rs", "fn f(pool: sqlx::SqlitePool) {}").len(), 1);
        assert_eq!(rules("lib.rs", "use crate::db::sqlite;").len(), 1);
        assert_eq!(rules("db/sqlite/mod.rs", "use sqlx::Row; use crate::catalog::Catalog;"), [""; 0]);
    }

    #[test]
    fn a_room_that_is_not_in_the_plan_is_caught() {
        assert_eq!(rules("utils/strings.rs", "").len(), 1);
    }
}
