//! The files of this repository, as the tests about them read them.

use std::path::{Path, PathBuf};

/// A file and its text.
pub(crate) struct Source {
    /// From the top of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Reads one file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads all files below a directory that end in `.extension`, in the order of their paths.
pub(crate) fn files(directory: &str, extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&top().join(directory), extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no .{extension} in {directory}");
    let paths = found.iter().map(|path| path.strip_prefix(top()).unwrap());
    paths
        .map(|path| path.to_str().unwrap())
        .map(|path| Source {
            path: path.to_owned(),
            text: read(path),
        })
        .collect()
}

/// The top of the repository.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}
