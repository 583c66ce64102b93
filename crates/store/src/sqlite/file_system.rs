//! Is the file where SQLite can keep its promises?
//!
//! The write-ahead log needs memory that all its users share, and locks and syncs that hold: file systems
//! over a network have one or the other not (<https://sqlite.org/wal.html>, "all processes using a
//! database must be on the same host").

use std::path::Path;

use crate::{Result, StoreError};

/// Refuses a folder that lies on another machine, or may do so.
#[cfg(target_os = "linux")]
pub(super) fn refuse_network(folder: &Path) -> Result<()> {
    let kind = match rustix::fs::statfs(folder) {
        // The kernel's type is a 32-bit number, in a field that is wider, and signed, on some machines.
        Ok(found) => remote(found.f_type as u32),
        Err(error) => {
            let text = format!("cannot use {}: {error}", folder.display());
            return Err(StoreError::Fatal(text));
        }
    };
    match kind {
        None => Ok(()),
        Some(kind) => Err(refused(folder, kind)),
    }
}

/// Elsewhere the kinds have no numbers that we know.
#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_network(_folder: &Path) -> Result<()> {
    Ok(())
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux is asked")
)]
fn refused(folder: &Path, kind: &str) -> StoreError {
    StoreError::Fatal(format!(
        "{} is on {kind}, where SQLite cannot keep what it has stored safe; use a local disk, \
         or allow it with allow_network_file_system = true if you know that it is one",
        folder.display()
    ))
}

/// The kind of a file system that is, or may be, on another machine, by its number
/// (`linux/magic.h`, and the kernel's own sources for those that are not in it).
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux is asked")
)]
fn remote(magic: u32) -> Option<&'static str> {
    REMOTE
        .iter()
        .find(|(known, _)| *known == magic)
        .map(|(_, kind)| *kind)
}

const REMOTE: [(u32, &str); 16] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xff53_4d42, "SMB (CIFS)"),
    (0xfe53_4d42, "SMB 2 or 3"),
    (0x6573_5546, "FUSE, which may be a network file system"),
    (0x0102_1997, "9p, a folder of the host"),
    (0x786f_4256, "a VirtualBox shared folder"),
    (0xbacb_acbc, "a VMware shared folder"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x7461_636f, "OCFS2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_another_machine_is_known_by_its_number() {
        for (magic, word) in [
            (0x6969, "NFS"),
            (0x517b, "SMB"),
            (0xff53_4d42, "SMB"),
            (0xfe53_4d42, "SMB"),
            (0x6573_5546, "FUSE"),
            (0x0102_1997, "9p"),
            (0x00c3_6400, "Ceph"),
        ] {
            let kind = remote(magic).unwrap();
            assert!(kind.contains(word), "{magic:#x}: {kind}");
        }
    }

    #[test]
    fn local_disks_and_memory_may_be_used() {
        // ext4, XFS, btrfs, ZFS, F2FS, tmpfs, overlayfs.
        for magic in [
            0xef53,
            0x5846_5342,
            0x9123_683e,
            0x2fc1_2fc1,
            0xf2f5_2010,
            0x0102_1994,
            0x794c_7630,
        ] {
            assert_eq!(remote(magic), None, "{magic:#x}");
        }
    }

    #[test]
    fn no_number_stands_twice() {
        let mut numbers = REMOTE.map(|(number, _)| number).to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), REMOTE.len());
    }

    #[test]
    fn the_refusal_says_what_to_do() {
        let text = refused(Path::new("/mnt/nas"), "NFS").to_string();
        assert!(text.contains("/mnt/nas is on NFS"), "{text}");
        assert!(text.contains("allow_network_file_system = true"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        refuse_network(folder.path()).unwrap();
        let error = refuse_network(&folder.path().join("missing")).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
