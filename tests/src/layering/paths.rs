//! Every path that a Rust source file names, with the line it stands on.

use std::iter::Peekable;
use std::slice::Iter;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it is written, flattened: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The module it stands in, from the crate's root: the file's own module and the inline modules around it.
    pub module: Vec<String>,
    /// Its segments; a glob ends with `*`.
    pub segments: Vec<String>,
    /// The line of its first segment, from 1.
    pub line: usize,
}

impl NamedPath {
    /// The path from the crate's root, when it is written so that it can only mean that (`crate`, `self`, `super`).
    /// `own_name` is how the crate's other targets (its binary, its tests) call it.
    #[must_use]
    pub fn from_root(&self, own_name: &str) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = self.segments.iter().peekable();
        match rest.next()?.as_str() {
            "crate" => base.clear(),
            name if name == own_name => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
            }
            _ => return None,
        }
        while rest.next_if(|segment| *segment == "super").is_some() {
            base.pop();
        }
        base.extend(rest.cloned());
        Some(base)
    }
}

/// Reads all paths of `source`, the file of module `module`.
///
/// # Errors
/// The tokeniser's message when `source` is no Rust.
pub fn read(source: &str, module: &[String]) -> Result<Vec<NamedPath>, String> {
    let tokens: TokenStream = source.parse().map_err(|error| format!("not Rust: {error}"))?;
    let mut found = Vec::new();
    walk(tokens, module, &mut found);
    Ok(found)
}

fn walk(tokens: TokenStream, module: &[String], found: &mut Vec<NamedPath>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = trees.iter().peekable();
    let mut inline_module = None;
    while let Some(tree) = rest.next() {
        match tree {
            TokenTree::Ident(ident) if ident == "mod" => {
                inline_module =
                    rest.next_if(|next| matches!(next, TokenTree::Ident(_))).map(ToString::to_string);
                continue;
            }
            TokenTree::Ident(ident) if ident == "use" => use_tree(&mut rest, &[], module, found),
            TokenTree::Ident(ident) => {
                let (segments, line) = (vec![ident.to_string()], ident.span().start().line);
                path(&mut rest, segments, line, module, found);
            }
            TokenTree::Group(group) => {
                let mut inner = module.to_vec();
                inner.extend(inline_module.take());
                walk(group.stream(), &inner, found);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        inline_module = None;
    }
}

type Rest<'a> = Peekable<Iter<'a, TokenTree>>;

/// Goes on with a path outside a `use`: as long as `::` and a name follow.
fn path(
    rest: &mut Rest<'_>,
    mut segments: Vec<String>,
    line: usize,
    module: &[String],
    found: &mut Vec<NamedPath>,
) {
    while double_colon(rest) {
        let Some(name) = rest.next_if(|next| matches!(next, TokenTree::Ident(_))) else { break };
        segments.push(name.to_string());
    }
    if segments.len() > 1 {
        found.push(NamedPath { module: module.to_vec(), segments, line });
    }
}

/// One `use` tree after `prefix`, up to the comma or semicolon that ends it.
fn use_tree(rest: &mut Rest<'_>, prefix: &[String], module: &[String], found: &mut Vec<NamedPath>) {
    let mut segments = prefix.to_vec();
    let mut line = 0;
    double_colon(rest);
    while let Some(tree) = rest.next() {
        match tree {
            TokenTree::Ident(name) if name == "as" => {
                rest.next();
            }
            TokenTree::Ident(name) => {
                line = name.span().start().line;
                // `a::{self}` names `a`.
                if name != "self" || segments.is_empty() {
                    segments.push(name.to_string());
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let trees: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inner = trees.iter().peekable();
                while inner.peek().is_some() {
                    use_tree(&mut inner, &segments, module, found);
                }
                segments.clear();
            }
            TokenTree::Punct(punct) if punct.as_char() == '*' => {
                line = punct.span().start().line;
                segments.push("*".to_owned());
            }
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => break,
            _ => {}
        }
    }
    if line > 0 && !segments.is_empty() {
        found.push(NamedPath { module: module.to_vec(), segments, line });
    }
}

fn double_colon(rest: &mut Rest<'_>) -> bool {
    let is_colon = |tree: &&TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    // A single colon ends a name for good (`field: Type`), so taking it loses nothing.
    rest.next_if(is_colon).is_some() && rest.next_if(is_colon).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(source: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<String> = module.iter().map(ToString::to_string).collect();
        let paths = read(source, &module).unwrap();
        paths.iter().filter_map(|path| path.from_root("own")).map(|path| path.join("::")).collect()
    }

    #[test]
    fn use_trees_are_flattened() {
        let source = "use crate::{vod::{self, Plan as P, index::*}, store};\nuse std::fmt;";
        assert_eq!(roots(source, &["a"]), ["vod", "vod::Plan", "vod::index::*", "store"]);
    }

    #[test]
    fn self_and_super_are_followed_from_the_file_and_from_inline_modules() {
        let source = "use super::db::Open; mod tests { use super::super::cli; fn f() { self::x::y() } }";
        assert_eq!(roots(source, &["vod", "load"]), ["vod::db::Open", "vod::cli", "vod::load::tests::x::y"]);
    }

    #[test]
    fn paths_inside_bodies_macros_and_types_are_seen() {
        let source = "fn f(x: &crate::db::Pool) -> Vec<own::cli::A> { m!(a, crate::edge::B { c: 1 }) }";
        assert_eq!(roots(source, &["vod"]), ["db::Pool", "cli::A", "edge::B"]);
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        let source =
            "// crate::db::A\n/// [`crate::db::B`]\nfn f() { g(\"crate::db::C\", r#\"crate::db::D\"#) }";
        assert_eq!(roots(source, &["vod"]), Vec::<String>::new());
    }

    #[test]
    fn the_line_is_that_of_the_name() {
        let paths = read("\n\nuse crate::{\n    a,\n    b::c,\n};", &[]).unwrap();
        assert_eq!(paths.iter().map(|path| path.line).collect::<Vec<_>>(), [4, 5]);
    }
}
