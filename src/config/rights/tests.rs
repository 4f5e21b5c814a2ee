use std::os::unix::fs::PermissionsExt as _;

use std::fs::File;

use super::list::*;
use super::*;

/// What the kernel keeps of an access list: `u::rw-`, the entries, the mask, `o::---`.
fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0];
    let owner = (0x01, 6, u32::MAX);
    for (tag, rights, id) in std::iter::once(&owner).chain(entries) {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn file(directory: &Path, mode: u32, acl: &[(u16, u16, u32)]) -> File {
    let path = directory.join("secret");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    if !acl.is_empty() {
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&path, ATTRIBUTE, &list(acl), none).unwrap();
    }
    File::open(path).unwrap()
}

const NOBODY: u32 = u32::MAX;

/// systemd's way to hand a credential to a unit's user.
#[test]
fn an_access_list_with_one_reader_exposes_nothing_though_the_mode_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let other = (OTHER, 0, NOBODY);
    let reader = (NAMED_USER, 4, 998);
    let no_group = (GROUP, 0, NOBODY);
    let mask = |rights| (MASK, rights, NOBODY);
    for (acl, want) in [
        (vec![reader, no_group, mask(4), other], false),
        // The mask takes it away.
        (vec![reader, (GROUP, 4, NOBODY), mask(0), other], false),
        (vec![reader, (GROUP, 4, NOBODY), mask(4), other], true),
        (
            vec![reader, (NAMED_USER, 4, 999), no_group, mask(4), other],
            true,
        ),
        (vec![(NAMED_USER, 6, 998), no_group, mask(6), other], true),
        (
            vec![reader, no_group, (NAMED_GROUP, 4, 7), mask(4), other],
            true,
        ),
        (vec![reader, no_group, mask(4), (OTHER, 4, NOBODY)], true),
    ] {
        let file = file(directory.path(), 0o400, &acl);
        let metadata = file.metadata().unwrap();
        let found = exposure(&file, &metadata);
        assert_eq!(found.is_some(), want, "{acl:?}: {found:?}");
    }
}

#[test]
fn without_a_list_the_mode_counts() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, want) in [(0o600, None), (0o640, Some(0o640)), (0o604, Some(0o604))] {
        let file = file(directory.path(), mode, &[]);
        assert_eq!(exposure(&file, &file.metadata().unwrap()), want);
    }
}

#[test]
fn who_may_read_follows_the_rules_of_the_kernel() {
    let directory = tempfile::tempdir().unwrap();
    let metadata = |file: &File| file.metadata().unwrap();
    let user = |id, groups: &[u32]| User {
        name: "user".to_owned(),
        id,
        groups: groups.to_vec(),
    };
    let own = metadata(&file(directory.path(), 0o600, &[]));
    let (uid, gid) = (own.uid(), own.gid());
    // An owner without the right does not get it as one of the others.
    for (mode, who, want) in [
        (0o600, user(uid, &[]), true),
        (0o044, user(uid, &[gid]), false),
        (0o640, user(998, &[gid]), true),
        (0o604, user(998, &[gid]), false),
        (0o604, user(998, &[7]), true),
        (0o640, user(998, &[7]), false),
    ] {
        let file = file(directory.path(), mode, &[]);
        let path = directory.path().join("secret");
        let list = AccessList::of(&path, &metadata(&file));
        assert_eq!(
            list.allows(&who, &metadata(&file), READ),
            want,
            "{mode:o} {who:?}"
        );
    }
    let acl = [
        (NAMED_USER, 4, 998),
        (GROUP, 0, NOBODY),
        (MASK, 4, NOBODY),
        (OTHER, 0, NOBODY),
    ];
    let file = file(directory.path(), 0o400, &acl);
    let list = AccessList::of_file(&file).unwrap();
    assert!(list.allows(&user(998, &[]), &metadata(&file), READ));
    assert!(!list.allows(&user(999, &[gid]), &metadata(&file), READ));
}

#[test]
fn a_user_is_found_by_its_name() {
    let root = User::named("root").unwrap();
    assert_eq!((root.id, root.name()), (0, "root"));
    assert!(root.groups.contains(&0));
    assert_eq!(User::named("no such user"), None);
    assert_eq!(name_in(USERS, 0), "root");
    assert_eq!(name_in(USERS, 4_000_000_000), "4000000000");
}
