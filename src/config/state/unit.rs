//! What the service manager makes before it starts the daemon: `StateDirectory=` of the unit.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where units stand, the ones that count first.
const ROOTS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const UNIT: &str = "xmpp-edge.service";
/// What `StateDirectory=` is relative to.
const STATE: &str = "/var/lib";

/// Whether the unit on this host has this directory made, or one above it, or may have: what its specifiers stand for
/// is not known here.
pub(super) fn makes(directory: &Path) -> bool {
    let Ok(directory) = std::path::absolute(directory) else {
        return false;
    };
    let is_plain = !directory.components().any(|it| it == Component::ParentDir);
    let made = made(&ROOTS.map(Path::new));
    let has_it = |made: &PathBuf| directory.starts_with(made) || has_specifier(made);
    is_plain && made.iter().any(has_it)
}

fn made(roots: &[&Path]) -> Vec<PathBuf> {
    let mut units = roots.iter().map(|root| root.join(UNIT));
    let Some(unit) = units.find_map(|it| fs::read_to_string(it).ok()) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for text in std::iter::once(unit).chain(drop_ins(roots)) {
        let settings = text.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "StateDirectory").then(|| value.trim().to_owned())
        });
        for value in settings {
            // An empty one takes back what was said before.
            if value.is_empty() {
                names.clear();
            }
            names.extend(value.split_whitespace().map(str::to_owned));
        }
    }
    // Behind a colon stands the name of a link to it.
    let names = names.iter().flat_map(|it| it.split(':'));
    names.map(|it| Path::new(STATE).join(it)).collect()
}

fn has_specifier(path: &Path) -> bool {
    path.to_str().is_some_and(|it| it.contains('%'))
}

/// What changes the unit, in the order of the names; of those that are alike the first counts.
fn drop_ins(roots: &[&Path]) -> Vec<String> {
    let mut found: Vec<(OsString, PathBuf)> = Vec::new();
    for root in roots {
        let entries = fs::read_dir(root.join(format!("{UNIT}.d")));
        for entry in entries.into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let is_one = path.extension().is_some_and(|it| it == "conf");
            if is_one && !found.iter().any(|(known, _)| *known == name) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    let texts = found.into_iter();
    texts
        .filter_map(|(_, path)| fs::read_to_string(path).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_and_its_drop_ins_say_what_is_made() {
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let roots = [first.path(), second.path()];
        assert!(made(&roots).is_empty());
        let write = |root: usize, name: &str, text: &str| {
            let path = roots[root].join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let all = |names: &[&str]| -> Vec<_> {
            names.iter().map(|it| Path::new(STATE).join(it)).collect()
        };
        let own = "[Service]\nStateDirectory=xmpp-edge\nStateDirectoryMode=0700\n";
        write(1, UNIT, own);
        assert_eq!(made(&roots), all(&["xmpp-edge"]));
        write(
            1,
            "xmpp-edge.service.d/b.conf",
            "StateDirectory = more:link\n",
        );
        write(0, "xmpp-edge.service.d/notes", "StateDirectory=none\n");
        assert_eq!(made(&roots), all(&["xmpp-edge", "more", "link"]));
        write(0, "xmpp-edge.service.d/a.conf", "StateDirectory=\n");
        assert_eq!(made(&roots), all(&["more", "link"]));
        write(0, "xmpp-edge.service.d/b.conf", "#StateDirectory=more\n");
        assert_eq!(made(&roots), all(&[]));
    }

    /// The unit that is installed with the daemon has the default directory made.
    #[test]
    fn the_default_directory_is_made_by_our_unit() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"));
        assert_eq!(made(&[root]), [PathBuf::from("/var/lib/xmpp-edge")]);
    }
}
