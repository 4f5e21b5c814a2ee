//! The shape of `src`: arrows between modules run one way, and the core is pure.

mod circles;

use std::collections::BTreeSet;

use crate::tree;

/// Each top-level module, and which of the others it may use: only such as stand below it, so
/// there can be no circle.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    ("cli", &["net", "config", "ops", "store", "proto"]),
    ("net", &["config", "ops", "store", "proto"]),
    ("config", &["ops", "proto"]),
    ("ops", &["proto"]),
    ("store", &["proto"]),
    ("proto", &[]),
];

/// The folders and files of `net`, and which of the others each may use: only such as stand below it.
const NET: &[&str] = &[
    "lab", "daemon", "bounds", "drained", "admin", "prepare", "accept", "session", "edge", "relay",
    "live", "guard", "io",
];

/// What the core does not know: waiting, I/O, clocks, randomness, the environment.
const IMPURE: &[&str] = &[
    ".await",
    "async fn",
    "async move",
    "async {",
    "getrandom",
    "Instant::now",
    "listenfd",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "tokio",
    "tracing",
    "UdpSocket",
    "UnixStream",
];

const LONGEST: usize = 500;

/// Queues without a bound: clippy denies their types, and this finds what makes them.
const UNBOUNDED: &[&str] = &[
    "unbounded_channel",
    "UnboundedSender",
    "std::sync::mpsc::channel",
    "use std::sync::mpsc::{channel",
    "use std::sync::mpsc::{Receiver, channel",
    "unbounded(",
];

/// The compiler denies `unsafe`, save where a line says that it is expected.
#[test]
fn nothing_is_unsafe_but_the_name_of_the_allocators_settings_and_a_look_at_a_socket() {
    let places: Vec<_> = tree::files("src", "rs")
        .into_iter()
        .filter(|file| code(&file.text).contains("unsafe"))
        .map(|file| (file.path, file.text.matches("unsafe_code").count()))
        .collect();
    let known = ["src/main.rs", "src/net/io/transport/window.rs"];
    assert_eq!(places, known.map(|path| (path.to_owned(), 1)));
}

#[test]
fn modules_use_only_what_they_may() {
    let mut faults = Vec::new();
    for file in tree::files("src", "rs") {
        let own = top_module(&file.path);
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == own) else {
            faults.push(format!("{}: `{own}` is not in the table", file.path));
            continue;
        };
        for used in used_modules(&file.path, &code(&file.text)) {
            if used != own && !allowed.contains(&used.as_str()) {
                faults.push(format!("{}: `{own}` uses `{used}`", file.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn arrows_inside_net_run_one_way() {
    let place = |name: &str| NET.iter().position(|wing| *wing == name);
    let mut faults = Vec::new();
    for file in tree::files("src/net", "rs") {
        let own = file.path.trim_start_matches("src/net/");
        let own = own.split('/').next().unwrap().trim_end_matches(".rs");
        if own == "mod" {
            continue;
        }
        let Some(own_place) = place(own) else {
            faults.push(format!("{}: `{own}` is not in the table", file.path));
            continue;
        };
        for used in code(&file.text).split("crate::net::").skip(1) {
            let end = used.find(|c: char| !c.is_alphanumeric() && c != '_');
            let used = &used[..end.unwrap_or(used.len())];
            if used != own && place(used).is_none_or(|place| place < own_place) {
                faults.push(format!("{}: `{own}` uses `{used}`", file.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    for (index, (module, allowed)) in MAY_USE.iter().enumerate() {
        for used in *allowed {
            let later = MAY_USE.iter().skip(index + 1);
            assert!(
                later.map(|(name, _)| name).any(|name| name == used),
                "{module} uses {used}"
            );
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut faults = Vec::new();
    for file in tree::files("src/proto", "rs") {
        if file.path.ends_with("/tests.rs") {
            continue;
        }
        let code = code(&file.text);
        let product = code.split("#[cfg(test)]\nmod tests").next().unwrap();
        for word in IMPURE.iter().filter(|word| product.contains(**word)) {
            faults.push(format!("{}: {word}", file.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_queue_is_without_a_bound() {
    let mut faults = Vec::new();
    for file in tree::files("src", "rs") {
        let code = code(&file.text);
        for word in UNBOUNDED.iter().filter(|word| code.contains(**word)) {
            faults.push(format!("{}: {word}", file.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// With a clock of their own, timers and deadlines would part in the fault laboratory.
#[test]
fn the_shell_asks_one_clock_and_one_chance() {
    let mut faults = Vec::new();
    for file in tree::files("src/net", "rs") {
        let is_test = file.path.contains("/tests") || file.path.contains("/lab");
        if is_test
            || ["clock.rs", "chance.rs"]
                .iter()
                .any(|name| file.path.ends_with(name))
        {
            continue;
        }
        let code = code(&file.text);
        let product = code.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (at, word) in product.match_indices("Instant::now") {
            if !product[..at].ends_with("tokio::time::")
                && !product.contains("use tokio::time::{Instant")
            {
                faults.push(format!("{}: {word}", file.path));
            }
        }
        if product.contains("getrandom::fill") {
            faults.push(format!("{}: getrandom", file.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_long() {
    for file in tree::files("src", "rs") {
        let lines = file.text.lines().count();
        assert!(lines <= LONGEST, "{}: {lines} lines", file.path);
    }
}

#[test]
fn the_scanner_sees_every_way_to_name_a_module() {
    let text = "
        use crate::{
            config::{Config, partners::{Raw, Shape}},
            proto,
        };
        use crate::net::relay::hub;
        // crate::cli is only mentioned
        /// [`crate::store`] too
        fn f() { crate::ops::log(); super::super::tls::close(); \"xmpp_edge::decision\" }
    ";
    let text = code(text);
    let found = used_modules("src/net/driver.rs", &text);
    let want = ["config", "net", "ops", "proto", "tls"];
    assert_eq!(found.iter().collect::<Vec<_>>(), want);
    assert!(!used_modules("src/net/dial/order.rs", &text).contains("tls"));
    let found = used_modules("src/main.rs", "xmpp_edge::cli::main()");
    assert_eq!(found.iter().collect::<Vec<_>>(), ["cli"]);
}

/// The text without comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(start) if !line[..start].ends_with(':') => &line[..start],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn top_module(path: &str) -> String {
    let inside = path.strip_prefix("src/").unwrap();
    let first = inside.split('/').next().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// How many `super` lead from a file's module to the root of the crate.
fn depth(path: &str) -> usize {
    path.split('/')
        .filter(|part| !matches!(*part, "src" | "mod.rs" | "lib.rs" | "main.rs"))
        .count()
}

/// The top-level modules that the code of a file names, from the root or upwards.
fn used_modules(path: &str, code: &str) -> BTreeSet<String> {
    let root = if path == "src/main.rs" {
        "xmpp_edge::"
    } else {
        "crate::"
    };
    let upwards = "super::".repeat(depth(path));
    let mut used = BTreeSet::new();
    for prefix in [root, &upwards] {
        for (start, _) in code.match_indices(prefix).filter(|_| !prefix.is_empty()) {
            used.extend(first_names(&code[start + prefix.len()..]));
        }
    }
    used.retain(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
    used.remove("super");
    used
}

/// The first segment of a path, or the first segments of a group of paths.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = vec![name(group)];
    let mut level = 0;
    for (index, character) in group.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => names.push(name(&group[index + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn name(text: &str) -> String {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    text[..end.unwrap_or(text.len())].to_owned()
}
