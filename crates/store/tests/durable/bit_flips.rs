//! Bits that flip in the database file or in its log: SQLite keeps no sums over pages, so what can be seen
//! is that a page makes no sense. One bit at a time, on every kind of page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nightbeat_domain::{SignalKind, UnixMicros};
use nightbeat_store::hot::Record;
use nightbeat_store::sql::Sql;
use nightbeat_store::{Opened, Opener, Result, Store, StoreError};
use tempfile::TempDir;

use crate::cast::{HOUR, House, MINUTE, START, heartbeat_id, hourly, signal, success};

/// So many that the tables of heartbeats and their indexes need more than one page.
const HEARTBEATS: u32 = 150;
/// Signals with bodies that need overflow pages.
const SIGNALS: u32 = 40;
/// How many pages of each kind are harmed.
const PAGES_PER_KIND: usize = 2;
/// One bit in so many bytes, where rows are.
const CONTENT_STEP: usize = 131;

const PAGE: usize = 4_096;
const FILE_HEADER: usize = 100;

/// What a bit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    FileHeader,
    PageHeader,
    CellPointers,
    /// Rows, keys, and what is left between them.
    Content,
    Overflow,
    Freelist,
}

/// What came of a flipped bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The server does not start on it.
    Refused,
    /// It starts, and what cannot be read is an error, or it says that something is wrong.
    Told,
    /// Every row is as it was.
    Harmless,
    /// A row says something else, and no page makes less sense for it.
    Unseen,
}

/// In memory where there is such a file system.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A closed database with pages of each kind.
async fn image() -> Vec<u8> {
    let mut house = House::new().await;
    for number in 0..HEARTBEATS {
        house.heartbeat(number, &hourly()).await;
    }
    let signals = (0..SIGNALS).map(|number| {
        let mut arrival = success(heartbeat_id(number), START + MINUTE);
        let kibibytes = 1 + number as usize % 9;
        arrival.body_bytes = kibibytes as u64 * 1_024;
        arrival.body = Some(vec![b'a' + number as u8 % 26; kibibytes * 1_024]);
        arrival
    });
    house.record(signals.collect()).await;
    let failed = signal(heartbeat_id(1), SignalKind::Fail, START + 2 * MINUTE);
    house.record(vec![failed]).await;
    house.raw(
        "CREATE TABLE junk (text TEXT);
         INSERT INTO junk VALUES (hex(zeroblob(20000)));
         DROP TABLE junk;",
    );
    let path = house.path();
    let away = tempfile::tempdir().unwrap();
    let folder = std::mem::replace(&mut house.folder, away);
    drop(house);
    let image = std::fs::read(&path).unwrap();
    drop(folder);
    assert_eq!(image.len() % PAGE, 0);
    image
}

fn number(image: &[u8], at: usize, bytes: usize) -> usize {
    image[at..at + bytes]
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// What each page is; the trunks of the free list apart from its leaves.
fn kinds(image: &[u8]) -> BTreeMap<&'static str, Vec<usize>> {
    let mut kinds = BTreeMap::<&str, Vec<usize>>::new();
    let mut free = Vec::new();
    let mut trunk = number(image, 32, 4);
    while trunk != 0 {
        let at = (trunk - 1) * PAGE;
        kinds.entry("free trunk").or_default().push(trunk);
        let leaves = number(image, at + 4, 4);
        free.push(trunk);
        free.extend((0..leaves).map(|leaf| number(image, at + 8 + 4 * leaf, 4)));
        trunk = number(image, at, 4);
    }
    for page in 1..=image.len() / PAGE {
        let at = (page - 1) * PAGE + if page == 1 { FILE_HEADER } else { 0 };
        let kind = match image[at] {
            _ if free.contains(&page) => continue,
            2 => "index interior",
            5 => "table interior",
            10 => "index leaf",
            13 => "table leaf",
            _ => "overflow",
        };
        kinds.entry(kind).or_default().push(page);
    }
    kinds
}

/// The bits to flip, each by its byte in the file.
fn bits(image: &[u8]) -> Vec<(&'static str, Part, usize, u8)> {
    let mut bits = Vec::new();
    for at in 0..FILE_HEADER {
        bits.extend([0, 3, 7].map(|bit| ("file header", Part::FileHeader, at, bit)));
    }
    let mut add = |kind, part, from: usize, to: usize, step: usize| {
        for (place, at) in (from..to).step_by(step).enumerate() {
            bits.push((kind, part, at, (place % 8) as u8));
            if part == Part::PageHeader {
                bits.push((kind, part, at, ((place + 4) % 8) as u8));
            }
        }
    };
    for (kind, pages) in kinds(image) {
        // The first one and the last: page 1 is one of the former.
        let ends = [pages[0], pages[pages.len() - 1]];
        for page in &ends[..PAGES_PER_KIND.min(pages.len())] {
            let end = page * PAGE;
            let start = end - PAGE + if *page == 1 { FILE_HEADER } else { 0 };
            match kind {
                "overflow" => {
                    add(kind, Part::Overflow, start, start + 8, 1);
                    add(kind, Part::Overflow, start + 8, end, CONTENT_STEP);
                }
                "free trunk" => {
                    add(kind, Part::Freelist, start, start + 24, 1);
                    add(kind, Part::Freelist, start + 24, end, 8 * CONTENT_STEP);
                }
                _ => {
                    let header = start + if kind.ends_with("leaf") { 8 } else { 12 };
                    let pointers = header + 2 * number(image, start + 3, 2);
                    add(kind, Part::PageHeader, start, header, 1);
                    add(kind, Part::CellPointers, header, pointers, 5);
                    add(kind, Part::Content, pointers, end, CONTENT_STEP);
                }
            }
        }
    }
    bits
}

/// All rows of all tables.
fn rows(sql: &mut dyn Sql) -> Result<String> {
    let tables = sql.query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
        &[],
    )?;
    let mut all = String::new();
    for table in &tables {
        let table: String = table.get(0)?;
        for row in sql.query(&format!("SELECT * FROM {table}"), &[])? {
            writeln!(all, "{table} {:?}", row.values).unwrap();
        }
    }
    Ok(all)
}

fn is_clear(error: &StoreError) {
    let said = error.to_string();
    assert!(said.len() > 30, "{said}");
    assert!(!matches!(error, StoreError::Unknown(_)), "{said}");
}

async fn outcome(path: &Path, sound: &str) -> Outcome {
    let Opened { store, setback, .. } = match Store::open_sqlite(path, Opener::Server) {
        Ok(opened) => opened,
        Err(error) => {
            is_clear(&error);
            return Outcome::Refused;
        }
    };
    let found = store.read(rows).await;
    let report = store.check().await;
    match (found, report) {
        _ if setback.is_some() => Outcome::Told,
        (Ok(found), Ok(report)) if report.is_ok() => {
            if found == sound {
                Outcome::Harmless
            } else {
                Outcome::Unseen
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            is_clear(&error);
            Outcome::Told
        }
        (Ok(_), Ok(_)) => Outcome::Told,
    }
}

struct Lab {
    folder: TempDir,
}

impl Lab {
    fn path(&self) -> PathBuf {
        self.folder.path().join("beats.db")
    }

    /// The only thing in the folder.
    fn put(&self, image: &[u8]) {
        for left in std::fs::read_dir(self.folder.path()).unwrap() {
            std::fs::remove_file(left.unwrap().path()).unwrap();
        }
        std::fs::write(self.path(), image).unwrap();
    }
}

#[tokio::test]
async fn a_flipped_bit_is_refused_told_or_harmless_unless_it_is_within_a_value() {
    let sound = image().await;
    let lab = Lab { folder: folder() };
    lab.put(&sound);
    let expected = {
        let store = Store::open_sqlite(&lab.path(), Opener::Server)
            .unwrap()
            .store;
        store.read(rows).await.unwrap()
    };
    let bits = bits(&sound);
    let kinds_met: std::collections::BTreeSet<_> = bits.iter().map(|it| it.0).collect();
    assert_eq!(kinds_met.len(), 7, "{kinds_met:?}");
    let mut outcomes = BTreeMap::<(Part, Outcome), usize>::new();
    for (kind, part, at, bit) in bits {
        let mut harmed = sound.clone();
        harmed[at] ^= 1 << bit;
        lab.put(&harmed);
        let outcome = outcome(&lab.path(), &expected).await;
        *outcomes.entry((part, outcome)).or_default() += 1;
        let seen = outcome != Outcome::Unseen || matches!(part, Part::Content | Part::Overflow);
        assert!(
            seen,
            "{kind}, {part:?}: bit {bit} of byte {} of page {}",
            at % PAGE,
            at / PAGE + 1
        );
    }
    for ((part, outcome), count) in &outcomes {
        println!("{part:?} {outcome:?} {count}");
    }
    let met = |outcome| outcomes.keys().any(|(_, met)| *met == outcome);
    assert!(met(Outcome::Refused) && met(Outcome::Harmless));
}

/// The same under a server that runs: it reads on, or says so; and the daily look finds what has lost its
/// structure.
#[tokio::test]
async fn a_page_that_is_harmed_under_a_running_server_is_found() {
    let sound = image().await;
    let lab = Lab { folder: folder() };
    let mut found = 0;
    for (kind, part, at, bit) in bits(&sound) {
        if part != Part::PageHeader || at < PAGE || at % 3 != 0 {
            continue;
        }
        lab.put(&sound);
        let store = Store::open_sqlite(&lab.path(), Opener::Server)
            .unwrap()
            .store;
        let expected = store.read(rows).await.unwrap();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(lab.path())
            .unwrap();
        file.write_all_at(&[sound[at] ^ 1 << bit], at as u64)
            .unwrap();

        let damage = store.damage().await;
        found += usize::from(!matches!(&damage, Ok(problems) if problems.is_empty()));
        let recorded = store.record(batch(1)).await;
        if let Err(error) = &recorded {
            is_clear(error);
        }
        drop(store);
        // The next start: what it can read is what was there.
        let Ok(opened) = Store::open_sqlite(&lab.path(), Opener::Server) else {
            continue;
        };
        let again = opened.store.read(rows).await;
        let told = damage.is_err() || damage.is_ok_and(|problems| !problems.is_empty());
        let kept =
            |line: &&str| !line.starts_with("service") && !line.starts_with("heartbeat_state");
        match again {
            Ok(again) if !told => {
                let lost: Vec<&str> = expected
                    .lines()
                    .filter(kept)
                    .filter(|line| !again.contains(line))
                    .collect();
                assert_eq!(lost, Vec::<&str>::new(), "{kind} {at} {bit}");
            }
            Ok(_) => {}
            Err(error) => is_clear(&error),
        }
    }
    assert!(found > 20, "{found}");
}

fn batch(hours: u32) -> Record {
    let at = START + hours * HOUR;
    Record {
        arrivals: vec![success(heartbeat_id(hours), at)],
        watermark: UnixMicros::MIN,
        gaps: Vec::new(),
        now: at,
    }
}

/// Each frame of the log bears a sum over all before it: SQLite stops where one is wrong, and takes what
/// follows for never committed. That would be silent.
#[tokio::test]
async fn a_flipped_bit_in_the_log_is_a_setback_or_harmless() {
    let house = House::new().await;
    for number in 1..=6 {
        house.heartbeat(number, &hourly()).await;
    }
    for hours in 1..=6 {
        house.store.record(batch(hours)).await.unwrap();
    }
    let beside = |suffix: &str| format!("{}{suffix}", house.path().display());
    let read = |suffix| std::fs::read(beside(suffix)).unwrap();
    let (database, log, lock) = (read(""), read("-wal"), read(".lock"));
    let lab = Lab { folder: folder() };
    let (mut setbacks, mut harmless) = (0, 0);
    let header = (0..32 + 24).step_by(3);
    for at in header.chain((56..log.len()).step_by(1_021)) {
        lab.put(&database);
        let mut harmed = log.clone();
        harmed[at] ^= 1 << (at % 8);
        let to = lab.path().display().to_string();
        std::fs::write(format!("{to}-wal"), harmed).unwrap();
        std::fs::write(format!("{to}.lock"), &lock).unwrap();
        match Store::open_sqlite(&lab.path(), Opener::Server) {
            Ok(opened) => {
                let recorded = "SELECT count(*) FROM signal";
                let count = opened
                    .store
                    .read(move |sql| sql.query(recorded, &[])?[0].get::<i64>(0));
                if count.await.is_ok_and(|count| count == 6) {
                    harmless += 1;
                } else {
                    let said = opened.setback.expect("what was acknowledged is gone");
                    assert!(said.contains("older than it was"), "{said}");
                    setbacks += 1;
                }
            }
            Err(error) => is_clear(&error),
        }
    }
    println!("{setbacks} setbacks, {harmless} harmless");
    assert!(setbacks > 20, "{setbacks}");
}
