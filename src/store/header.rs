//! The first bytes of the file, looked at before redb believes them.
//!
//! redb keeps two commit slots there, each with a checksum, and goes back to the older one where
//! a page of the newer one is damaged: also to a slot whose own checksum is wrong. It then takes
//! garbage for page numbers. The rest has no checksum at all, and may tell redb to trust what it has
//! not verified. So redb is never shown anything there that is not known to be right.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use twox_hash::XxHash3_128;

/// Makes the header of a file right, where enough of it is. Of what is damaged beyond that redb
/// speaks itself: a file that is none of its own, or two damaged slots.
///
/// The rest of the file is not touched, and a sound header neither.
pub(super) fn mend(file: &File) -> io::Result<()> {
    let mut header = [0; LENGTH];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        read => read?,
    }
    match mended(&header) {
        Some(mended) if mended != header => file.write_all_at(&mended, 0),
        _ => Ok(()),
    }
}

fn mended(header: &[u8; LENGTH]) -> Option<[u8; LENGTH]> {
    let (start, slots) = header.split_first_chunk::<START>()?;
    let (older, newer) = slots.split_first_chunk::<SLOT>()?;
    let newer = newer.first_chunk::<SLOT>()?;
    if !start.starts_with(MAGIC) {
        return None;
    }
    // Who has one slot only must not be sent to another.
    let [first, second] = match (is_sound(older), is_sound(newer)) {
        (true, true) => [older, newer],
        (true, false) => [older, older],
        (false, true) => [newer, newer],
        (false, false) => return None,
    };
    let mut flags = start.get(FLAGS).copied()?;
    // Whether the last commit was in two phases, and closed in order: ours never were, save between
    // opening and the first commit. Then redb would not verify the pages.
    flags &= PRIMARY;
    flags |= RECOVERY_REQUIRED;
    let before = start.get(..FLAGS)?;
    let geometry = GEOMETRY.map(u32::to_le_bytes);
    // How many regions there are is counted anew from the length, since recovery is required.
    let after = start.get(REGIONS..)?;
    let parts: [&[u8]; 6] = [
        before,
        &[flags, 0, 0],
        geometry.as_flattened(),
        after,
        first,
        second,
    ];
    parts.concat().try_into().ok()
}

/// Whether a slot's checksum is right, and its version the one that redb writes.
fn is_sound(slot: &[u8; SLOT]) -> bool {
    let Some((content, checksum)) = slot.split_last_chunk::<16>() else {
        return false;
    };
    slot.first() == Some(&VERSION)
        && XxHash3_128::oneshot(content) == u128::from_le_bytes(*checksum)
}

const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Where the byte of flags stands.
const FLAGS: usize = MAGIC.len();
const PRIMARY: u8 = 1;
const RECOVERY_REQUIRED: u8 = 2;
/// The length of a page, pages of a region's own, and of its data: the same in every file of ours.
const GEOMETRY: [u32; 3] = [4096, 0, 1 << 20];
/// Where the number of regions stands, behind the geometry.
const REGIONS: usize = FLAGS + 3 + 4 * GEOMETRY.len();
/// What stands before the slots.
const START: usize = 64;
const SLOT: usize = 128;
const LENGTH: usize = START + 2 * SLOT;
const VERSION: u8 = 3;
