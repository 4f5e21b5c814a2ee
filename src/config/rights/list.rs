//! Access lists of files (acl(5)): who beside the owner may do what.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::User;

/// Others than its owner who may read or write an opened file: its mode, if there are any.
///
/// Where a file has an access list, the bits of the group are its mask, and no group may have any
/// right (acl(5)). systemd hands a credential over in this way: the file is root's, and a list of
/// one entry lets the unit's user read it.
pub(in crate::config) fn exposure(file: &File, metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    let is_exposed = match AccessList::of_file(file) {
        None => mode & 0o077 != 0,
        Some(list) => {
            let named = list.entries.iter().filter(|entry| entry.tag == NAMED_USER);
            let may_write = named.clone().any(|entry| entry.rights & WRITE != 0);
            let others = [GROUP, NAMED_GROUP, OTHER].map(|tag| list.of_tag(tag));
            others.into_iter().any(|rights| rights != 0) || may_write || named.count() > 1
        }
    };
    is_exposed.then_some(mode)
}

pub(super) const READ: u32 = 4;
pub(super) const EXECUTE: u32 = 1;
pub(super) const WRITE: u32 = 2;

/// A file's access list (acl(5)), as the kernel writes it; without one, its mode.
#[derive(Debug, Default)]
pub(super) struct AccessList {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    tag: u16,
    rights: u32,
    id: u32,
}

pub(super) const NAMED_USER: u16 = 0x02;
pub(super) const GROUP: u16 = 0x04;
pub(super) const NAMED_GROUP: u16 = 0x08;
pub(super) const MASK: u16 = 0x10;
pub(super) const OTHER: u16 = 0x20;
pub(super) const ATTRIBUTE: &str = "system.posix_acl_access";

impl AccessList {
    pub(super) fn of(path: &Path, metadata: &Metadata) -> Self {
        let mut bytes = [0; 4096];
        let length = rustix::fs::getxattr(path, ATTRIBUTE, &mut bytes[..]);
        Self::parse(length, &bytes).unwrap_or_else(|| {
            let mode = metadata.mode();
            let entry = |tag, rights| Entry { tag, rights, id: 0 };
            Self {
                entries: vec![entry(GROUP, mode >> 3 & 7), entry(OTHER, mode & 7)],
            }
        })
    }

    pub(super) fn of_file(file: &File) -> Option<Self> {
        let mut bytes = [0; 4096];
        let length = rustix::fs::fgetxattr(file, ATTRIBUTE, &mut bytes[..]);
        Self::parse(length, &bytes)
    }

    /// The kernel's form: version 2, then tag, rights and id of each entry, in little-endian order.
    fn parse(length: rustix::io::Result<usize>, bytes: &[u8]) -> Option<Self> {
        let list = bytes.get(..length.ok()?)?.strip_prefix(&[2, 0, 0, 0])?;
        let entry = |bytes: &[u8]| match *bytes {
            [t0, t1, r0, r1, i0, i1, i2, i3] => Some(Entry {
                tag: u16::from_le_bytes([t0, t1]),
                rights: u16::from_le_bytes([r0, r1]).into(),
                id: u32::from_le_bytes([i0, i1, i2, i3]),
            }),
            _ => None,
        };
        let entries: Option<Vec<_>> = list.chunks(8).map(entry).collect();
        let mut entries = entries?;
        let mask = entries.iter().find(|entry| entry.tag == MASK);
        if let Some(mask) = mask.map(|mask| mask.rights) {
            let masked = [NAMED_USER, GROUP, NAMED_GROUP];
            for entry in entries.iter_mut().filter(|it| masked.contains(&it.tag)) {
                entry.rights &= mask;
            }
        }
        entries.retain(|entry| entry.rights != 0 || entry.tag == NAMED_USER);
        Some(Self { entries })
    }

    /// The rights of all entries of a kind together.
    fn of_tag(&self, tag: u16) -> u32 {
        let same = self.entries.iter().filter(|entry| entry.tag == tag);
        same.fold(0, |all, entry| all | entry.rights)
    }

    /// acl(5), "access check algorithm": the first that fits decides, of groups any.
    pub(super) fn allows(&self, user: &User, metadata: &Metadata, right: u32) -> bool {
        if metadata.uid() == user.id {
            return metadata.mode() >> 6 & right == right;
        }
        let own = |entry: &&Entry| entry.tag == NAMED_USER && entry.id == user.id;
        if let Some(entry) = self.entries.iter().find(own) {
            return entry.rights & right == right;
        }
        let is_member = |id: &u32| user.groups.contains(id);
        let mut rights = None;
        if is_member(&metadata.gid()) {
            rights = Some(self.of_tag(GROUP));
        }
        for entry in self.entries.iter().filter(|it| it.tag == NAMED_GROUP) {
            if is_member(&entry.id) {
                rights = Some(rights.unwrap_or_default() | entry.rights);
            }
        }
        rights.unwrap_or_else(|| self.of_tag(OTHER)) & right == right
    }
}
