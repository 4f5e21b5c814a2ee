//! Whether the daemon's user could read what `check` has read as root.

use std::fs;

use super::problem::Problem;
use super::rights::User;
use super::state::State;
use super::{Examination, Place};

impl Examination {
    /// Adds a warning for each file that was read here and that a user cannot read, and for the
    /// state directory, where that user cannot write.
    pub fn try_as(&mut self, user: &User) {
        let name = user.name();
        let mut warn = |place: &Place, what: String, hint: String| {
            let problem = Problem::warning("not-for-the-daemon", place, what, hint);
            self.problems.push(problem);
        };
        for (path, place) in &self.files {
            if let Err(obstacle) = user.may_read(path) {
                let what = format!("{name} cannot read {}: {obstacle}", path.display());
                warn(place, what, obstacle.remedy(name));
            }
        }
        if let Some(State { directory, place }) = &self.state
            && let Err(obstacle) = user.may_write_in(directory)
        {
            let shown = directory.display();
            let what = format!("{name} cannot write to {shown}: {obstacle}");
            // What is above the directory is not to be given away.
            let is_above = fs::canonicalize(directory).is_ok_and(|it| it != obstacle.path);
            let remedy = match is_above {
                true => obstacle.remedy(name),
                false => format!("run: chown -R {name} {shown}"),
            };
            warn(place, what, remedy);
        }
    }
}
