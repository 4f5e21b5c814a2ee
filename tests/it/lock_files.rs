//! Each lock file of the tree has what the manifests beside it ask for: `--locked` would refuse another.
//! The fuzzers and the core alone are workspaces of their own, and nothing else in `cargo test` reads their
//! lock files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tree;

/// Each lock file, and the manifests of the packages that it names without a source.
const LOCK_FILES: [(&str, &[&str]); 3] = [
    ("Cargo.lock", &["Cargo.toml"]),
    (
        "tests/fuzz/Cargo.lock",
        &["tests/fuzz/Cargo.toml", "Cargo.toml"],
    ),
    (
        "tests/pure/Cargo.lock",
        &[
            "tests/pure/Cargo.toml",
            "tests/pure/rustls/Cargo.toml",
            "tests/pure/webpki/Cargo.toml",
        ],
    ),
];

#[test]
fn each_lock_file_has_what_its_manifests_ask_for() {
    for (lock, manifests) in LOCK_FILES {
        let packages = packages(lock);
        for path in manifests {
            let manifest = table(path);
            let name = manifest["package"]["name"].as_str().unwrap();
            let own = packages.iter().find(|it| it["name"].as_str() == Some(name));
            let own = own.unwrap_or_else(|| panic!("{lock} has no package {name}"));
            // What tests need is locked only where the package is the workspace itself.
            let with_tests = Path::new(path).parent() == Path::new(lock).parent();
            let asked = asked(&manifest, with_tests);
            assert_eq!(
                asked.keys().cloned().collect::<BTreeSet<_>>(),
                locked(own),
                "{lock} is not of {path}: run `cargo fetch` beside it, and commit it"
            );
            for (name, requirement) in asked {
                let mut versions = packages
                    .iter()
                    .filter(|it| it["name"].as_str() == Some(&name));
                assert!(
                    versions.any(|it| fits(it["version"].as_str().unwrap(), &requirement)),
                    "{lock} has no {name} that fits `{requirement}` of {path}"
                );
            }
        }
    }
}

#[test]
fn a_version_fits_what_is_asked_for() {
    for (version, requirement) in [
        ("1.2.3", "1.2"),
        ("1.3.0", "1.2.9"),
        ("0.26.3", "0.26.3"),
        ("7.0.0", ""),
    ] {
        assert!(fits(version, requirement), "{version} {requirement}");
    }
    for (version, requirement) in [
        ("1.2.3", "1.3"),
        ("2.0.0", "1.2"),
        ("0.27.0", "0.26.3"),
        ("0.26.2", "0.26.3"),
    ] {
        assert!(!fits(version, requirement), "{version} {requirement}");
    }
}

fn table(path: &str) -> toml::Table {
    tree::read(path).parse().unwrap()
}

fn packages(lock: &str) -> Vec<toml::Value> {
    table(lock)["package"].as_array().unwrap().clone()
}

/// The crates that a manifest asks for, each with the version that it needs: empty for a path.
fn asked(manifest: &toml::Table, with_tests: bool) -> BTreeMap<String, String> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let kinds: &[&str] = match with_tests {
        true => &["dependencies", "build-dependencies", "dev-dependencies"],
        false => &["dependencies", "build-dependencies"],
    };
    let lists = tables
        .iter()
        .flat_map(|it| kinds.iter().filter_map(|kind| it.get(*kind)?.as_table()));
    let crates = lists.flatten().map(|(name, how)| {
        let version = how.as_str().or_else(|| how.get("version")?.as_str());
        // A crate may go by another name here.
        let name = how
            .get("package")
            .and_then(toml::Value::as_str)
            .unwrap_or(name);
        (name.to_owned(), version.unwrap_or_default().to_owned())
    });
    crates.collect()
}

/// What the lock file says that a package needs; some entries name a version beside the crate.
fn locked(package: &toml::Value) -> BTreeSet<String> {
    let list = package.get("dependencies").and_then(toml::Value::as_array);
    let entries = list.into_iter().flatten().filter_map(toml::Value::as_str);
    entries
        .map(|it| it.split(' ').next().unwrap().to_owned())
        .collect()
}

/// Whether a version is one that a requirement without a sign admits: not older, and equal in the first
/// number that is not 0.
fn fits(version: &str, requirement: &str) -> bool {
    let (version, asked) = (numbers(version), numbers(requirement));
    let first = asked
        .iter()
        .position(|it| *it != 0)
        .map_or(asked.len(), |at| at + 1);
    version >= asked
        && version
            .iter()
            .zip(&asked)
            .take(first)
            .all(|(one, other)| one == other)
}

/// The numbers of `1.2.3` or `1.1.3+spec-1.1.0`.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['+', '-']).next().unwrap();
    plain.split('.').filter_map(|it| it.parse().ok()).collect()
}
