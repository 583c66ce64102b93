//! Whether a folder lies on a disk of its own.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One line of `/proc/self/mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    kind: String,
}

/// `Err` says in a sentence that `dest` is on the root disk, or that what should be mounted there is not.
///
/// Any folder of a mounted disk will do, not only the mount point itself: backups stand in folders there.
pub(super) fn check(dest: &Path) -> Result<(), String> {
    let shown = dest.display();
    let unknown =
        |error: std::io::Error| format!("whether {shown} is mounted is not known: {error}");
    let real = fs::canonicalize(dest).map_err(unknown)?;
    let device = fs::metadata(&real).map_err(unknown)?.dev();
    let root = fs::metadata("/").map_err(unknown)?.dev();
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(unknown)?;
    let Some(mount) = holding(&mounts, &real) else {
        return Err(format!(
            "whether {shown} is mounted is not known: it is in no mount"
        ));
    };
    if mount.kind == "autofs" {
        let point = mount.point.display();
        return Err(format!(
            "nothing is mounted on {point}: the automounter could not mount it"
        ));
    }
    if mount.point == Path::new("/") || device == root {
        return Err(format!(
            "{shown} is not mounted: it is a folder of the root disk"
        ));
    }
    Ok(())
}

/// The mount that a path is in: of those whose points lead to it the longest, and of those the last.
fn holding(mounts: &str, path: &Path) -> Option<Mount> {
    let mounts = mounts.lines().filter_map(parse);
    mounts
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.as_os_str().len())
}

/// See proc(5): the fifth field is the mount point, and the first after the `-` is the kind.
fn parse(line: &str) -> Option<Mount> {
    let point = line.split(' ').nth(4)?;
    let (_, after) = line.split_once(" - ")?;
    Some(Mount {
        point: unescaped(point),
        kind: after.split(' ').next()?.to_owned(),
    })
}

/// Spaces and the like stand there as `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let (b'\\', Some(byte)) = (first, escaped) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /mnt/nas rw - autofs systemd-1 rw,fd=44
41 40 0:50 / /mnt/nas rw - nfs4 nas:/volume rw
42 22 8:17 / /mnt/my\\040disk rw shared:3 - ext4 /dev/sdb1 rw
43 22 0:36 / /mnt/away rw - autofs systemd-1 rw";

    #[test]
    fn the_last_mount_on_a_point_is_what_one_sees() {
        let kind = |path: &str| holding(MOUNTS, Path::new(path)).unwrap().kind;
        assert_eq!(kind("/mnt/nas/backup"), "nfs4");
        assert_eq!(kind("/mnt/away/backup"), "autofs");
        assert_eq!(kind("/mnt/my disk"), "ext4");
        let root = holding(MOUNTS, Path::new("/mnt/nasty")).unwrap();
        assert_eq!(root.point, Path::new("/"));
    }

    #[test]
    fn a_folder_of_this_machine_is_not_a_mounted_disk_and_proc_is() {
        assert_eq!(check(Path::new("/proc")), Ok(()));
        let root = check(Path::new("/etc")).unwrap_err();
        assert_eq!(root, "/etc is not mounted: it is a folder of the root disk");
    }
}
