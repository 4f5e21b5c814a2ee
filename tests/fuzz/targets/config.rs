//! Both configuration files, whatever stands in them: they are understood or refused, and what is
//! refused can be shown.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rustls::pki_types::UnixTime;
use tempfile::TempDir;
use xmpp_edge::config::{Config, Severity, report};
use xmpp_edge_fuzz::pki::NOW;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    // In memory, where there is such a place.
    let memory = PathBuf::from("/dev/shm");
    match memory.is_dir() {
        true => TempDir::new_in(memory).expect("a directory"),
        false => TempDir::new().expect("a directory"),
    }
});

/// Between `edge.toml` and `partners.toml` in an input.
const SEPARATOR: &str = "\n----\n";

fuzz_target!(|text: &str| {
    // The fuzzer must not read devices, nor the files of its machine.
    if text.contains("/d") || text.contains("\\") || text.contains("..") {
        return;
    }
    let (edge, partners) = text.split_once(SEPARATOR).unwrap_or((text, ""));
    let path = DIRECTORY.path().join("edge.toml");
    fs::write(&path, edge).expect("the file is ours");
    fs::write(DIRECTORY.path().join("partners.toml"), partners).expect("the file is ours");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let examination = Config::examine(&path, now);
    for problem in &examination.problems {
        let shown = report::render(problem, false);
        assert!(!shown.is_empty() && !shown.contains('\u{1b}'), "{shown}");
    }
    let refused = examination
        .problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    assert_eq!(examination.config.is_none(), refused);
});
