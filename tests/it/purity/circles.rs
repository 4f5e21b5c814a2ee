//! Files of `src` that use each other in a circle.
//!
//! Allowed are two things. A module and those inside it know each other: that is what a module is
//! divided for. And the states of an inbound stream lead to each other, as states do.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use crate::tree;

/// The states of an inbound stream: each names those that may come after it.
const STATES: [&str; 3] = [
    "proto/stream/inbound/dialback",
    "proto/stream/inbound/expect_header",
    "proto/stream/inbound/negotiating",
];

type Module = Vec<String>;

/// The files, by their modules, without tests.
#[derive(Default)]
struct Files {
    code: BTreeMap<Module, String>,
    /// What each gives on to others: the name, and the path that it stands for.
    gives_on: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let files = Files::new(
        tree::files("src", "rs")
            .into_iter()
            .map(|file| (file.path, file.text)),
    );
    let circles: Vec<_> = files
        .circles()
        .into_iter()
        .filter(|circle| *circle != STATES)
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_circle_is_found_through_what_is_given_on() {
    let file = |path: &str, text: &str| (format!("src/{path}"), text.to_owned());
    let files = |c: &str| {
        Files::new([
            file("lib.rs", "mod a; mod b;"),
            file(
                "a/mod.rs",
                "mod one;\nmod two;\npub use one::{First, Second};",
            ),
            file("a/one.rs", "use crate::b::{self, c::Third};"),
            file("a/two.rs", "use super::one::First;"),
            file("b.rs", "pub mod c;"),
            file("b/c.rs", c),
        ])
    };
    let circle = [["a/one", "b/c"]];
    assert_eq!(files("use crate::a::{\n    Second,\n};").circles(), circle);
    assert_eq!(files("use super::super::a::one::First;").circles(), circle);
    let none: [[&str; 0]; 0] = [];
    assert_eq!(files("// use crate::a::Second;").circles(), none);
    assert_eq!(
        files("#[cfg(test)]\nmod tests { use crate::a::Second; }").circles(),
        none
    );
    // A module and its own parts.
    assert_eq!(files("use crate::b::Third;").circles(), none);
}

impl Files {
    fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut found = Self::default();
        for (path, text) in files {
            let Some(module) = module(&path) else {
                continue;
            };
            let code = code(&text);
            let code = code.split("#[cfg(test)]\nmod tests").next().unwrap();
            let names = uses(code)
                .into_iter()
                .filter_map(|path| Some((path.last()?.clone(), path)));
            found.gives_on.insert(module.clone(), names.collect());
            found.code.insert(module, code.to_owned());
        }
        found
    }

    /// The circles, each in the order of its names.
    fn circles(&self) -> Vec<Vec<String>> {
        let uses: BTreeMap<_, _> = self
            .code
            .iter()
            .map(|(module, code)| (module, self.used(module, code)))
            .collect();
        let reach: BTreeMap<_, _> = uses
            .keys()
            .map(|module| (*module, reached(module, &uses)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, there) in &reach {
            let circle: Vec<_> = there
                .iter()
                .filter(|other| reach[*other].contains(*module))
                .map(|other| other.join("/"))
                .collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// The other files that the code of one names, but for those around it and inside it.
    fn used(&self, module: &Module, code: &str) -> BTreeSet<Module> {
        let mut used = BTreeSet::new();
        for first in ["crate::", "super::", "self::"] {
            for (at, _) in code.match_indices(first) {
                let before = code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let mut paths = Vec::new();
                path(&code[at..], &[], &mut paths);
                used.extend(paths.iter().map(|path| self.file_of(module, path, 0)));
            }
        }
        used.retain(|other| {
            self.code.contains_key(other)
                && !other.starts_with(module)
                && !module.starts_with(other)
        });
        used
    }

    /// The file in which what a path names is written.
    fn file_of(&self, module: &Module, path: &[String], depth: usize) -> Module {
        let mut at = module.clone();
        let mut rest = path;
        while let Some((first, more)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                name => {
                    at.push(name.to_owned());
                    if !self.code.contains_key(&at) {
                        at.pop();
                        let given_on = self.gives_on.get(&at).and_then(|names| names.get(name));
                        return match given_on {
                            // A name may be given on by one after the other, but not for ever.
                            Some(path) if depth < 5 => self.file_of(&at, path, depth + 1),
                            _ => at,
                        };
                    }
                }
            }
            rest = more;
        }
        at
    }
}

/// Everything that is reached from a file.
fn reached(from: &Module, uses: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for other in &uses[module] {
            if found.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    found
}

/// The module that a file is; `None` for tests and the program's own file.
fn module(path: &str) -> Option<Module> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Module = path.split('/').map(str::to_owned).collect();
    if path == "main" || parts.iter().any(|part| part.ends_with("tests")) {
        return None;
    }
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    Some(parts)
}

/// What a file gives on: its `pub use` of any extent.
fn uses(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(" use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("pub") {
            path(&code[at + " use ".len()..], &[], &mut paths);
        }
    }
    paths
}

/// Reads a path, or a tree of paths; returns how much of the text it took.
fn path(text: &str, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let blank = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    let mut segments = before.to_vec();
    let mut at = blank(0);
    loop {
        if text[at..].starts_with('{') {
            at += 1;
            loop {
                at = blank(at);
                match text[at..].chars().next() {
                    None | Some('}') => return (at + 1).min(text.len()),
                    Some(',') => at += 1,
                    Some(other) => {
                        let took = path(&text[at..], &segments, paths);
                        at += took.max(other.len_utf8());
                    }
                }
            }
        }
        let name = super::name(&text[at..]);
        if name.is_empty() {
            return at;
        }
        at = blank(at) + name.len();
        segments.push(name);
        if text[at..].starts_with("::") {
            at = blank(at + 2);
            continue;
        }
        if let Some(rest) = text[at..].strip_prefix(" as ") {
            let other = super::name(rest);
            at += " as ".len() + other.len();
        }
        paths.push(segments);
        return at;
    }
}
