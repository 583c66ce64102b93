//! What speaks against a tar archive. Source: the "Basic Tar Format" of GNU tar's manual.

/// A block, in bytes: headers and contents fill whole ones.
const BLOCK_BYTES: usize = 512;

/// An archive ends with two blocks of zeros, in bytes.
const END_BYTES: usize = 2 * BLOCK_BYTES;

/// The least that GNU tar writes, in bytes: twenty blocks.
const ARCHIVE_BYTES_MIN: u64 = 20 * BLOCK_BYTES as u64;

/// Where `ustar` stands in a header.
const MAGIC: std::ops::Range<usize> = 257..262;

/// Where a member's size stands in its header, in octal digits.
const SIZE: std::ops::Range<usize> = 124..136;

/// Where a member's type stands in its header.
const TYPE_AT: usize = 156;

/// The types that are no file: a folder, and what is said of the next member (pax, long names).
const NO_FILES: &[u8] = b"5xgLK";

/// What is wrong with the archive that begins with `head` and ends with `tail`, as in `is not whole: …`. Nothing
/// where it is none.
pub(super) fn problem(head: &[u8], tail: &[u8], total: u64) -> Option<&'static str> {
    let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let without_file = "is an archive without a file in it";
    if total == ARCHIVE_BYTES_MIN && zeros(head) && zeros(tail) {
        return Some(without_file);
    }
    if head.get(MAGIC).is_none_or(|magic| magic != b"ustar") {
        return None;
    }
    let end = tail.len().saturating_sub(END_BYTES);
    if total < END_BYTES as u64 || !zeros(&tail[end..]) {
        return Some("is not whole: the archive does not end with its end mark");
    }
    (!holds_files(head)).then_some(without_file)
}

/// Whether a member is a file, as far as the head goes.
fn holds_files(head: &[u8]) -> bool {
    let mut at = 0;
    while let Some(header) = head.get(at..at + BLOCK_BYTES) {
        if header[0] == 0 {
            return false;
        }
        if !NO_FILES.contains(&header[TYPE_AT]) {
            return true;
        }
        let digits = String::from_utf8_lossy(&header[SIZE]);
        let digits = digits.trim_matches(['\0', ' ']);
        // A size that is written in another way is that of something large.
        let Ok(bytes) = usize::from_str_radix(digits, 8) else {
            return true;
        };
        at += BLOCK_BYTES + bytes.next_multiple_of(BLOCK_BYTES);
    }
    // More folders than can be looked at: nothing speaks against it.
    true
}
