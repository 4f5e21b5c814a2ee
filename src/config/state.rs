//! Whether the daemon could keep what it learns: tried by `check`, for a start must not fail on it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::problem::{Place, Problem};
use super::{Examination, Severity};
use crate::proto::words;

/// The state directory, and where it is named.
#[derive(Debug)]
pub(super) struct State {
    pub(super) directory: PathBuf,
    pub(super) place: Place,
}

impl Examination {
    /// Writes a file into the state directory and removes it; adds a problem if it cannot. What may
    /// pass, such as a full disk, is a warning.
    ///
    /// A directory that is not there yet is made when the daemon starts.
    pub fn try_state_directory(&mut self) {
        let Some(State { directory, place }) = &self.state else {
            return;
        };
        let Err(error) = try_to_write(directory) else {
            return;
        };
        let message = format!(
            "cannot write to {}: {}",
            directory.display(),
            words::of_error(&error)
        );
        let code = "state-directory-unwritable";
        let problem = match error.kind() {
            io::ErrorKind::NotADirectory => {
                let hint = "name a directory, or a path where there is nothing yet";
                Problem::error(code, place, message, hint)
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

/// More than a file system puts into its own records, so that it needs a block of the disk.
const BLOCK: [u8; 4096] = [0; 4096];

fn try_to_write(directory: &Path) -> io::Result<()> {
    if !directory.try_exists()? {
        return Ok(());
    }
    let mut file = tempfile::Builder::new()
        .prefix(".check-")
        .tempfile_in(directory)?;
    file.write_all(&BLOCK)?;
    file.as_file().sync_all()
}
