//! The spool on a real disk; servers are those of the tests in `tests/`.

use std::os::unix::fs::PermissionsExt;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use std::time::Duration;

use super::*;
use crate::ping::Kind;

/// A port on which nobody listens, as long as the listener is not used.
const NOBODY: &str = "http://127.0.0.1:9/api/heartbeat/4c1e";

fn spool() -> (TempDir, Spool) {
    let folder = TempDir::new().unwrap();
    let spool = Spool::new(folder.path().join("state/spool"));
    (folder, spool)
}

fn signal(at: Timestamp) -> Signal {
    let mut signal = Signal::new(Kind::ExitCode(3), at, "n1".to_owned());
    signal.body = b"line\n\xff\n".to_vec();
    signal.metrics = vec![("rows".to_owned(), 12.5)];
    signal
}

fn address() -> Address {
    Address::whole(NOBODY).unwrap()
}

#[test]
fn what_waits_is_for_its_owner_alone_and_comes_back_as_it_was() {
    let (_folder, spool) = spool();
    assert!(spool.is_empty());
    let kept = signal(clock::wall());
    assert_eq!(spool.put(&address(), &kept).unwrap(), 0);
    let names = spool.names().unwrap();
    let path = spool.folder().join(&names[0]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(spool.folder())), (0o600, 0o700));
    let found = spool.read(&names[0]).unwrap().unwrap();
    assert_eq!((found.address, found.signal), (address(), kept));
}

#[test]
fn they_are_in_the_order_in_which_they_happened() {
    let (_folder, spool) = spool();
    let now = clock::wall();
    for seconds in [20, 30, 10] {
        let at = now - SignedDuration::from_secs(seconds);
        spool.put(&address(), &signal(at)).unwrap();
    }
    let names = spool.names().unwrap();
    let times: Vec<Timestamp> = names
        .iter()
        .map(|name| spool.read(name).unwrap().unwrap().signal.at)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_full_spool_gives_up_the_oldest() {
    let (_folder, spool) = spool();
    let now = clock::wall();
    spool.put(&address(), &signal(now)).unwrap();
    let first = spool.names().unwrap().remove(0);
    for number in 1..FILES_MAX {
        let name = format!(
            "{:020}-{number}{SUFFIX}",
            now.as_microsecond() + number as i64
        );
        fs::copy(spool.folder().join(&first), spool.folder().join(name)).unwrap();
    }
    let newest = signal(now + SignedDuration::from_secs(60));
    assert_eq!(spool.put(&address(), &newest).unwrap(), 1);
    let names = spool.names().unwrap();
    assert_eq!((names.len(), names.contains(&first)), (FILES_MAX, false));
}

#[test]
fn what_is_too_old_or_not_readable_is_given_up() {
    let (_folder, spool) = spool();
    let old = clock::wall() - SignedDuration::from_hours(24 * 8);
    spool.put(&address(), &signal(old)).unwrap();
    fs::write(spool.folder().join("0-x.signal"), b"nonsense").unwrap();
    let delivery = spool.deliver(Duration::from_secs(1), || true).unwrap();
    assert_eq!((delivery.given_up, delivery.waiting), (2, 0));
    assert!(spool.is_empty());
}

#[test]
fn while_the_server_is_away_everything_waits_and_only_one_is_tried() {
    let (_folder, spool) = spool();
    spool.put(&address(), &signal(clock::wall())).unwrap();
    spool.put(&address(), &signal(clock::wall())).unwrap();
    let delivery = spool.deliver(Duration::from_secs(5), || true).unwrap();
    assert_eq!((delivery.sent, delivery.waiting), (0, 2));
    let why = delivery.why_waiting.unwrap();
    assert!(
        why.starts_with("cannot reach http://127.0.0.1:9, tried once"),
        "{why}"
    );
}

#[test]
fn two_do_not_deliver_at_once() {
    let (_folder, spool) = spool();
    spool.put(&address(), &signal(clock::wall())).unwrap();
    let _held = spool.lock().unwrap().unwrap();
    let delivery = spool.deliver(Duration::from_secs(5), || true).unwrap();
    assert!(delivery.busy);
}

#[test]
fn roots_spool_is_the_systems_and_others_have_their_own() {
    let home = Some(PathBuf::from("/home/ann"));
    let of = |uid, state_home: Option<&str>, home: &Option<PathBuf>| {
        let owner = Owner {
            uid,
            state_home: state_home.map(PathBuf::from),
            home: home.clone(),
        };
        owner.folder("spool").display().to_string()
    };
    assert_eq!(of(0, None, &home), "/var/spool/nightbeat/spool");
    assert_eq!(of(7, None, &home), "/home/ann/.local/state/nightbeat/spool");
    assert_eq!(of(7, Some("/state"), &home), "/state/nightbeat/spool");
    assert_eq!(of(7, None, &None), "/var/tmp/nightbeat-7/spool");
}
