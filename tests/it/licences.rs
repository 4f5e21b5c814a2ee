//! The list of all that is in the package has a licence for each crate: `config/licences` writes them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::tree;

/// Runs it on a list; what it says is wrong.
fn licences(path: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(tree::top().join("config/licences"));
    let ran = command.args(arguments).arg(path).output().unwrap();
    match ran.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

/// The crates that the lock file has, of these names.
fn locked(names: &[&str]) -> Vec<Value> {
    let lock: toml::Table = tree::read("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let named = packages.filter(|it| names.contains(&it["name"].as_str().unwrap()));
    named
        .map(|it| {
            json!({
                "type": "library",
                "name": it["name"].as_str(),
                "version": it["version"].as_str(),
            })
        })
        .collect()
}

fn has_python() -> bool {
    let mut python = Command::new("python3");
    let python = python.arg("--version").stdout(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

#[test]
fn each_crate_in_the_list_of_the_package_has_its_licence() {
    if !has_python() {
        eprintln!("not run: there is no python3 here, and config/licences is written in it");
        return;
    }
    let lab = Lab::new();
    // The second says it as it was said before there was SPDX.
    let crates = locked(&["serde_json", "stringprep"]);
    let own = locked(&["xmpp-edge"]).remove(0);
    let list = json!({ "metadata": { "component": own }, "components": crates });
    lab.write("list.json", &list.to_string(), 0o600);
    let path = lab.path("list.json");
    let missing = licences(&path, &["--check"]).unwrap_err();
    assert!(
        missing.contains("is under `") && missing.contains("and `` is written"),
        "{missing}"
    );
    licences(&path, &[]).unwrap();
    licences(&path, &["--check"]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    for component in written["components"].as_array().unwrap() {
        assert_eq!(
            component["licenses"],
            json!([{ "expression": "MIT OR Apache-2.0" }])
        );
    }
    let own = &written["metadata"]["component"]["licenses"][0]["expression"];
    let manifest: toml::Table = tree::read("Cargo.toml").parse().unwrap();
    assert_eq!(own.as_str(), manifest["package"]["license"].as_str());

    let other = text.replace("MIT OR Apache-2.0", "MIT");
    lab.write("other.json", &other, 0o600);
    let wrong = licences(&lab.path("other.json"), &["--check"]).unwrap_err();
    assert!(wrong.contains("and `MIT` is written"), "{wrong}");
    let unknown = text.replace("stringprep", "no-such-crate");
    lab.write("unknown.json", &unknown, 0o600);
    let wrong = licences(&lab.path("unknown.json"), &[]).unwrap_err();
    assert!(wrong.contains("Cargo.lock has no no-such-crate"), "{wrong}");
}
