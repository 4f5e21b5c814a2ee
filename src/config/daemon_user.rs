//! Whether the daemon's user could read what `check` has read as root.

use std::fs;
use std::path::PathBuf;

use super::problem::Problem;
use super::rights::{Obstacle, User};
use super::state::{State, how_to_make};
use super::{Examination, Place};

impl Examination {
    /// Adds a warning for each file that was read here and that a user cannot read, and for the
    /// state directory, where that user cannot write or cannot make it.
    pub fn try_as(&mut self, user: &User) {
        let name = user.name();
        let mut warn = |place: &Place, what: String, hint: String| {
            let problem = Problem::warning("not-for-the-daemon", place, what, hint);
            self.problems.push(problem);
        };
        // One directory may keep a user from all files below it: that is one thing to mend.
        let mut kept: Vec<Kept<'_>> = Vec::new();
        for (path, place) in &self.files {
            let Err(obstacle) = user.may_read(path) else {
                continue;
            };
            match kept.iter_mut().find(|it| it.obstacle.path == obstacle.path) {
                Some(known) if known.paths.contains(&path) => {}
                Some(known) => known.paths.push(path),
                None => kept.push(Kept {
                    obstacle,
                    paths: vec![path],
                    place,
                }),
            }
        }
        for Kept {
            obstacle,
            paths,
            place,
        } in &kept
        {
            let what = format!("{name} cannot read {}: {obstacle}", named(paths));
            warn(place, what, obstacle.remedy(name));
        }
        let Some(state) = &self.state else {
            return;
        };
        let State { directory, place } = state;
        let above = state.to_be_made_in();
        let (doing, wanted) = match &above {
            Some(above) => ("make", above),
            None => ("write to", directory),
        };
        if let Err(obstacle) = user.may_write_in(wanted)
            && !kept.iter().any(|it| it.obstacle.path == obstacle.path)
        {
            let shown = directory.display();
            let what = format!("{name} cannot {doing} {shown}: {obstacle}");
            // What is above the directory is not to be given away.
            let is_above = fs::canonicalize(wanted).is_ok_and(|it| it != obstacle.path);
            let remedy = match (is_above, &above) {
                (true, _) => obstacle.remedy(name),
                (false, Some(_)) => how_to_make(directory, name),
                (false, None) => format!("run: chown -R {name} {shown}"),
            };
            warn(place, what, remedy);
            return;
        }
        let contacts = state.contacts();
        if let Err(obstacle) = user.may_change(&contacts)
            && !obstacle.is_directory
        {
            let shown = contacts.display();
            let what = format!("{name} cannot write to {shown}: {obstacle}");
            warn(place, what, format!("run: chown {name} {shown}"));
        }
    }
}

/// Files that a user cannot read for one reason.
struct Kept<'a> {
    obstacle: Obstacle,
    paths: Vec<&'a PathBuf>,
    /// Where the first of them is named.
    place: &'a Place,
}

/// The first of some files, and how many more there are.
fn named(paths: &[&PathBuf]) -> String {
    match paths {
        [] => String::new(),
        [one] => one.display().to_string(),
        [one, other] => format!("{} and {}", one.display(), other.display()),
        [one, rest @ ..] => format!("{} and {} other files", one.display(), rest.len()),
    }
}
