//! The system's time zones. Looked for here, and not by jiff: it takes its own copy where it finds none,
//! and does not say so.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;

/// Where systems keep their time zones.
const FOLDERS: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// The first folder that holds time zones, and what is in it. Found once, when it is first asked for.
static SYSTEM: LazyLock<Option<(PathBuf, TimeZoneDatabase)>> = LazyLock::new(|| {
    let named = std::env::var_os("TZDIR").map(PathBuf::from);
    let folders = named.into_iter().chain(FOLDERS.map(PathBuf::from));
    folders.into_iter().find_map(open)
});

fn open(folder: PathBuf) -> Option<(PathBuf, TimeZoneDatabase)> {
    let zones = TimeZoneDatabase::from_dir(&folder).ok()?;
    let empty = zones.available().next().is_none();
    (!empty).then_some((folder, zones))
}

/// The folder that the system's time zones are read from: `TZDIR`, else the first of the usual ones that
/// holds any. `None`: the system has none, and those in the binary are used.
pub fn system_zones() -> Option<&'static Path> {
    SYSTEM.as_ref().map(|(folder, _)| folder.as_path())
}

/// The system's time zones, where it has any.
pub(super) fn database() -> Option<&'static TimeZoneDatabase> {
    SYSTEM.as_ref().map(|(_, zones)| zones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_time_zones_is_none() {
        let empty = std::env::temp_dir().join(format!("no-zones-{}", std::process::id()));
        std::fs::create_dir_all(&empty).unwrap();
        assert!(open(empty.clone()).is_none());
        assert!(open(empty.join("not there")).is_none());
        std::fs::remove_dir_all(empty).unwrap();
    }
}
