//! What a reader must type to run this very program.

use std::env;
use std::path::{Path, PathBuf};

/// The program as the shell finds it from `directory`: by name, by relative or by absolute path.
pub(super) fn program(directory: Option<&Path>) -> String {
    let Ok(executable) = env::current_exe() else {
        return "xmpp-edge".to_owned();
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let searched: Vec<_> = env::split_paths(&path).collect();
    shown(&executable, &searched, directory)
}

fn shown(executable: &Path, searched: &[PathBuf], directory: Option<&Path>) -> String {
    let is_found = executable
        .parent()
        .is_some_and(|parent| searched.iter().any(|place| place == parent));
    let relative = directory.and_then(|directory| executable.strip_prefix(directory).ok());
    let shown = match (executable.file_name(), relative) {
        (Some(name), _) if is_found => Path::new(name),
        // Without a slash the shell would search for it.
        (_, Some(relative)) if relative.components().count() > 1 => relative,
        _ => executable,
    };
    shown.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        let searched = ["/usr/bin".into(), "/bin".into()];
        for (executable, directory, want) in [
            ("/usr/bin/xmpp-edge", Some("/src"), "xmpp-edge"),
            (
                "/src/target/release/xmpp-edge",
                Some("/src"),
                "target/release/xmpp-edge",
            ),
            ("/src/xmpp-edge", Some("/src"), "/src/xmpp-edge"),
            ("/opt/xmpp-edge", Some("/src"), "/opt/xmpp-edge"),
            ("/opt/xmpp-edge", None, "/opt/xmpp-edge"),
        ] {
            let directory = directory.map(Path::new);
            assert_eq!(shown(Path::new(executable), &searched, directory), want);
        }
    }
}
