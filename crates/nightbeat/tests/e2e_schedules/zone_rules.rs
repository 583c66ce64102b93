//! The server stops, the machine gets other time zones, the server starts again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Admin, Binary, Heartbeat, Receiver, Setup, instant};
use serde_json::json;

use crate::story::{MINUTE, at, told};

const HOUR_AHEAD: &str = "TST-1";
/// 02:30 is half an hour earlier.
const EARLIER: &str = "TST-1:30";
/// 02:30 is half an hour later.
const LATER: &str = "TST-0:30";
/// The job runs at 02:30 on its wall clock.
const CITY: &str = "Test/City";

/// Longer than rules here move an instant, with the grace and what a success may come early: no leap excuses
/// a silence.
const LEAST_STEPPED: Duration = Duration::from_secs(36 * 60);

/// A machine whose time zones are in a folder of its own.
struct Machine {
    zones: tempfile::TempDir,
    server: Binary,
    admin: Admin,
    nudge: Heartbeat,
    _receiver: Receiver,
}

impl Machine {
    async fn start(now: &str) -> Self {
        let zones = tempfile::tempdir().unwrap();
        write_zone(zones.path(), CITY, HOUR_AHEAD);
        fs::write(zones.path().join("tzdata.zi"), "# version 2031a\n").unwrap();
        let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"))
            .variable("TZDIR", zones.path().to_str().unwrap())
            .clock_at(at(now));
        let admin = setup.init();
        let server = setup.start().await;
        let receiver = Receiver::start().await;
        admin.webhook("pager", &receiver.url()).await;
        let nudge = admin.every("nudge", 315_360_000, 3_600).await;
        Self {
            zones,
            server,
            admin,
            nudge,
            _receiver: receiver,
        }
    }

    /// A job in the city, with a grace of five minutes, that has just run.
    async fn job(&self, name: &str) -> Heartbeat {
        let schedule = json!({"cron": "30 2 * * *", "timezone": CITY});
        let fields = json!({"schedule": schedule, "grace": 300});
        let job = self.admin.heartbeat(name, fields).await;
        assert_eq!(self.admin.signal(&job).await, 200);
        job
    }

    async fn expected(&self, job: &Heartbeat) -> UnixMicros {
        instant(&self.admin.show(job).await["expected_at"])
    }

    /// The city gets these rules, or is no more, while the server is away for a minute.
    async fn restart_with(&mut self, rules: Option<&str>) {
        assert!(self.server.terminate().await.success());
        match rules {
            Some(rules) => write_zone(self.zones.path(), CITY, rules),
            None => fs::remove_file(self.zones.path().join(CITY)).unwrap(),
        }
        self.server.clock().leap(MINUTE);
        self.server.restart().await;
    }

    /// Lets time pass until `time`; what lies long before it at once.
    async fn pass_until(&self, time: &str) {
        let left = || at(time).since(self.server.clock().now());
        if left() > LEAST_STEPPED {
            self.server
                .clock()
                .leap(left().saturating_sub(LEAST_STEPPED));
            self.server.turn(&self.nudge).await;
        }
        self.server.pass(left(), &self.nudge).await;
    }
}

/// A zone file (RFC 8536, version 2) without a clock change but those of its POSIX TZ string.
fn write_zone(folder: &Path, name: &str, rules: &str) {
    let mut file = Vec::new();
    for _ in 0..2 {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        // Of indicators, leap seconds and changes none; one type, four characters.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            file.extend(count.to_be_bytes());
        }
        let offset: i32 = match rules {
            HOUR_AHEAD => 3_600,
            EARLIER => 5_400,
            LATER => 1_800,
            _ => panic!("{rules}"),
        };
        file.extend(offset.to_be_bytes());
        file.extend(b"\0\0TST\0");
    }
    file.extend(format!("\n{rules}\n").bytes());
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, file).unwrap();
    fs::rename(fresh, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_instant_is_expected_and_no_machine_is_called_late() {
    let mut machine = Machine::start("2027-03-01T12:00:00Z").await;
    let dead = machine.job("dead").await;
    let old_rules = machine.job("still has the old rules").await;
    let new_rules = machine.job("has the new rules").await;
    assert_eq!(machine.expected(&dead).await, at("2027-03-02T01:30:00Z"));

    machine.restart_with(Some(LATER)).await;
    for job in [&dead, &old_rules, &new_rules] {
        assert_eq!(machine.expected(job).await, at("2027-03-02T02:00:00Z"));
    }
    let log = machine.server.log();
    assert!(log.contains("it is expected later"), "{log}");
    machine.pass_until("2027-03-02T01:30:10Z").await;
    assert_eq!(machine.admin.signal(&old_rules).await, 200);
    machine.pass_until("2027-03-02T02:00:10Z").await;
    assert_eq!(machine.admin.signal(&new_rules).await, 200);
    machine.pass_until("2027-03-02T02:06:00Z").await;
    assert_eq!(
        told(&machine.admin, &dead).await,
        ["down 2027-03-02T02:05:00Z"]
    );
    for job in [&old_rules, &new_rules] {
        assert_eq!(told(&machine.admin, job).await, [""; 0]);
        assert_eq!(machine.expected(job).await, at("2027-03-03T02:00:00Z"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_instant_counts_from_the_next_time_on() {
    let mut machine = Machine::start("2027-03-01T12:00:00Z").await;
    let dead = machine.job("dead").await;
    let old_rules = machine.job("still has the old rules").await;
    let new_rules = machine.job("has the new rules").await;

    machine.restart_with(Some(EARLIER)).await;
    assert_eq!(machine.expected(&dead).await, at("2027-03-02T01:30:00Z"));
    machine.pass_until("2027-03-02T01:00:10Z").await;
    assert_eq!(machine.admin.signal(&new_rules).await, 200);
    machine.pass_until("2027-03-02T01:30:10Z").await;
    assert_eq!(machine.admin.signal(&old_rules).await, 200);
    machine.pass_until("2027-03-02T01:36:00Z").await;
    assert_eq!(
        told(&machine.admin, &dead).await,
        ["down 2027-03-02T01:35:00Z"]
    );
    for job in [&old_rules, &new_rules] {
        assert_eq!(told(&machine.admin, job).await, [""; 0]);
        assert_eq!(machine.expected(job).await, at("2027-03-03T01:00:00Z"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_gone_silences_nothing() {
    let mut machine = Machine::start("2027-03-02T01:20:00Z").await;
    let dead = machine.job("dead").await;
    let well = machine.job("well").await;

    machine.restart_with(None).await;
    let log = machine.server.log();
    assert!(
        log.contains("nobody knows these time zones any more"),
        "{log}"
    );
    assert!(log.contains(CITY), "{log}");
    // What was promised holds.
    assert_eq!(machine.expected(&dead).await, at("2027-03-02T01:30:00Z"));
    machine.pass_until("2027-03-02T01:30:10Z").await;
    assert_eq!(machine.admin.signal(&well).await, 200);
    machine.pass_until("2027-03-02T01:36:00Z").await;
    // Without rules, any run since the last one could have been the one: also one during the restart.
    assert_eq!(
        told(&machine.admin, &dead).await,
        ["down 2027-03-02T01:35:00Z"]
    );
    assert_eq!(machine.admin.status(&dead).await, "unverified");
    // What goes on is well for as long as its clock may need, and what is stored stays what it was.
    machine.pass_until("2027-03-03T01:30:10Z").await;
    assert_eq!(machine.admin.signal(&well).await, 200);
    assert_eq!(told(&machine.admin, &well).await, [""; 0]);
    let shown = machine.admin.show(&well).await;
    assert_eq!(shown["schedule"]["timezone"], CITY);
    assert_eq!(shown["schedule"]["cron"], "30 2 * * *");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_where_the_rules_come_from() {
    let mut machine = Machine::start("2027-03-01T12:00:00Z").await;
    machine.job("in the city").await;
    let schedule = json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin"});
    let fields = json!({"schedule": schedule});
    machine.admin.heartbeat("in Berlin", fields).await;
    machine.restart_with(Some(HOUR_AHEAD)).await;
    let log = machine.server.log();
    let line = |text: &str| {
        let found = log.lines().rev().find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text}: {log}"))
    };
    let source = line("time zones come from the system");
    assert!(source.contains("2031a"), "{source}");
    assert!(
        source.contains(machine.zones.path().to_str().unwrap()),
        "{source}"
    );
    let fell_back = line("the rules in the binary are used");
    assert!(
        fell_back.contains("Europe/Berlin") && !fell_back.contains(CITY),
        "{fell_back}"
    );
    assert!(!log.contains("it is expected later"), "{log}");
}
