//! Who may read a file, in words: what its mode, its owner and its access list say.

mod list;

use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub(super) use self::list::exposure;
use self::list::{AccessList, EXECUTE, READ, WRITE};

/// A user of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: String,
    id: u32,
    groups: Vec<u32>,
}

impl User {
    /// By the name that stands in `/etc/passwd`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let users = fs::read_to_string(USERS).ok()?;
        let [_, id, group] = entries(&users).find(|[own, ..]| *own == name)?;
        let mut groups = vec![group.parse().ok()?];
        let all = fs::read_to_string(GROUPS).unwrap_or_default();
        groups.extend(all.lines().filter_map(|line| {
            let mut cells = line.split(':').skip(2);
            let (id, members) = (cells.next()?, cells.next()?);
            let is_member = members.split(',').any(|member| member == name);
            is_member.then(|| id.parse::<u32>().ok())?
        }));
        Some(Self {
            name: name.to_owned(),
            id: id.parse().ok()?,
            groups,
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this user may read a file; else what is in the way.
    ///
    /// # Errors
    /// The file, or the directory on the way to it.
    pub(super) fn may_read(&self, path: &Path) -> Result<(), Obstacle> {
        self.reaches(path, READ)
    }

    /// Whether this user may make files in a directory; else what is in the way.
    ///
    /// # Errors
    /// The directory, or one on the way to it.
    pub(super) fn may_write_in(&self, directory: &Path) -> Result<(), Obstacle> {
        self.reaches(directory, WRITE | EXECUTE)
    }

    /// Whether this user may read and change a file; else what is in the way.
    ///
    /// # Errors
    /// The file, or a directory on the way to it.
    pub(super) fn may_change(&self, path: &Path) -> Result<(), Obstacle> {
        self.reaches(path, READ | WRITE)
    }

    fn reaches(&self, path: &Path, right: u32) -> Result<(), Obstacle> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directories: Vec<_> = path.ancestors().skip(1).collect();
        for directory in directories.into_iter().rev() {
            self.has(EXECUTE, directory)?;
        }
        self.has(right, &path)
    }

    fn has(&self, right: u32, path: &Path) -> Result<(), Obstacle> {
        // What is not there is nobody's fault here.
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(());
        };
        let list = AccessList::of(path, &metadata);
        if self.id == 0 || list.allows(self, &metadata, right) {
            return Ok(());
        }
        Err(Obstacle {
            is_directory: metadata.is_dir(),
            path: path.to_owned(),
            owners: Owners::of(&metadata),
        })
    }
}

/// A file that cannot be read, or a directory on the way to it that cannot be entered.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) path: PathBuf,
    pub(super) is_directory: bool,
    pub(super) owners: Owners,
}

impl Obstacle {
    /// What keeps this process from reading a file: the file itself, where it can be looked at, or
    /// the first directory above it that can.
    pub(super) fn here(path: &Path) -> Option<Self> {
        let above = std::path::absolute(path).ok()?;
        let mut found = above.ancestors().skip(1);
        let (path, metadata) = match fs::metadata(path) {
            Ok(metadata) => (path.to_owned(), metadata),
            Err(_) => found.find_map(|it| Some((it.to_owned(), fs::metadata(it).ok()?)))?,
        };
        Some(Self {
            is_directory: metadata.is_dir(),
            path,
            owners: Owners::of(&metadata),
        })
    }

    /// How to let a user read what is kept from it.
    pub(super) fn remedy(&self, user: &str) -> String {
        let path = self.path.display();
        if self.is_directory {
            format!("let {user} enter that directory: chgrp {user} {path} && chmod g+x {path}")
        } else {
            format!("run: chown {user} {path}; or hand over a copy: LoadCredential= in the unit")
        }
    }
}

/// `mode 0640, owner root:ssl-cert`.
#[derive(Debug)]
pub(super) struct Owners {
    mode: u32,
    user: u32,
    group: u32,
}

impl Owners {
    fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode() & 0o7777,
            user: metadata.uid(),
            group: metadata.gid(),
        }
    }
}

impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = name_in(USERS, self.user);
        let group = name_in(GROUPS, self.group);
        write!(f, "mode {:04o}, owner {user}:{group}", self.mode)
    }
}

/// The name of the user that this process runs as.
pub(super) fn own_name() -> String {
    name_in(USERS, rustix::process::geteuid().as_raw())
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// Name, id and group of each line of the files of users and of groups.
fn entries(text: &str) -> impl Iterator<Item = [&str; 3]> {
    text.lines().filter_map(|line| {
        let mut cells = line.split(':');
        let (name, _, id) = (cells.next()?, cells.next()?, cells.next()?);
        Some([name, id, cells.next()?])
    })
}

fn name_in(file: &str, id: u32) -> String {
    let number = id.to_string();
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = entries(&text).find(|[_, id, _]| *id == number);
    let name = found.map(|[name, ..]| name.to_owned());
    name.unwrap_or(number)
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, owners, .. } = self;
        if self.is_directory {
            write!(f, "the directory {} has {owners}", path.display())
        } else {
            write!(f, "the file has {owners}")
        }
    }
}

#[cfg(test)]
mod tests;
