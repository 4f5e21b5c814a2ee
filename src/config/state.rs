//! Whether the daemon could keep what it learns: tried by `check`, for a start must not fail on it.

mod unit;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::problem::{Place, Problem};
use super::rights::{Obstacle, own_name};
use super::{Examination, Severity};
use crate::proto::words;

/// The state directory, and where it is named.
#[derive(Debug)]
pub(super) struct State {
    pub(super) directory: PathBuf,
    pub(super) place: Place,
}

impl State {
    /// What the daemon has kept there. A copy that was put back as root may be root's.
    pub(super) fn contacts(&self) -> PathBuf {
        self.directory.join("contacts.redb")
    }

    /// The directory that the daemon would have to make it in: where it is absent, and the service
    /// manager does not make it before the daemon is started.
    pub(super) fn to_be_made_in(&self) -> Option<PathBuf> {
        let is_absent = self.directory.try_exists().is_ok_and(|it| !it);
        if !is_absent || unit::makes(&self.directory) {
            return None;
        }
        above(&self.directory).ok()
    }
}

impl Examination {
    /// Writes a file into the state directory and removes it; adds a problem if it cannot. What may
    /// pass, such as a full disk, is a warning.
    ///
    /// A directory that is not there yet is made when the daemon starts, or by the service manager
    /// before: it is not made here, but whether this user could make it is asked.
    pub fn try_state_directory(&mut self) {
        let Some(state) = &self.state else {
            return;
        };
        let State { directory, place } = state;
        let (doing, tried) = match directory.try_exists() {
            Ok(false) if unit::makes(directory) => return,
            Ok(false) => ("make", try_to_make(directory)),
            Ok(true) => ("write to", try_to_write(directory)),
            Err(error) => ("write to", Err(error)),
        };
        let contacts = state.contacts();
        let (shown, error) = match (tried, try_to_change(&contacts)) {
            (Err(error), _) => (directory.display(), error),
            (Ok(()), Err(error)) => (contacts.display(), error),
            (Ok(()), Ok(())) => return,
        };
        let message = format!("cannot {doing} {shown}: {}", words::of_error(&error));
        let code = "state-directory-unwritable";
        let problem = match error.kind() {
            io::ErrorKind::NotADirectory => {
                let hint = "name a directory, or a path where there is nothing yet";
                Problem::error(code, place, message, hint)
            }
            io::ErrorKind::PermissionDenied if doing == "make" => {
                let user = own_name();
                let obstacle = Obstacle::here(directory);
                let obstacle = obstacle.map(|it| it.to_string());
                let obstacle = obstacle.unwrap_or_else(|| words::of_error(&error));
                let message = format!("{user} cannot make {shown}: {obstacle}");
                let hint = format!(
                    "{}; if the daemon runs as another user than {user}, run this as that one",
                    how_to_make(directory, &user)
                );
                // The daemon may well be another user's, on another host.
                Problem::warning(code, place, message, hint)
            }
            io::ErrorKind::PermissionDenied => {
                let hint = "give it to the user that the daemon runs as (chown), with mode 0700, \
                            and run this as that user";
                Problem::error(code, place, message, hint)
            }
            _ => {
                let hint = "make room on the disk, or make it writable: the daemon does not start \
                            before";
                Problem::warning(code, place, message, hint)
            }
        };
        if problem.severity == Severity::Error {
            self.config = None;
        }
        self.problems.push(problem);
    }
}

/// What makes a directory that a user cannot make.
pub(super) fn how_to_make(directory: &Path, user: &str) -> String {
    format!(
        "run as root: install -d -m 700 -o {user} {}; a unit that runs the daemon has to name it, too",
        directory.display()
    )
}

/// Whether this process could make a directory that is not there.
fn try_to_make(directory: &Path) -> io::Result<()> {
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    Ok(accessat(CWD, above(directory)?, rights, AtFlags::EACCESS)?)
}

/// The first directory above one that is not there.
fn above(directory: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(directory)?;
    for above in path.ancestors() {
        match fs::symlink_metadata(above) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            // A link that leads nowhere is in the way, too.
            Ok(_) if above.is_dir() => return Ok(above.to_owned()),
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Whether this process could change a file, where it is there.
fn try_to_change(file: &Path) -> io::Result<()> {
    match accessat(
        CWD,
        file,
        Access::READ_OK | Access::WRITE_OK,
        AtFlags::EACCESS,
    ) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => Ok(done?),
    }
}

/// More than a file system puts into its own records, so that it needs a block of the disk.
const BLOCK: [u8; 4096] = [0; 4096];

fn try_to_write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".check-")
        .tempfile_in(directory)?;
    file.write_all(&BLOCK)?;
    file.as_file().sync_all()
}
