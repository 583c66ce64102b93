//! What the best-known servers of this kind lost signals and alerts by, each as a test that would see it.
//! Hole A, a state without its alert, is in the store's tests: it is a matter of one transaction. Hole B, an
//! alert that is marked before it is sent, is in `e2e_kill.rs`; hole D, a server that was away, in
//! `e2e_outage.rs`.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Admin, Heartbeat, Receiver, Setup, http, instant, until};
use tokio::task::JoinHandle;

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

/// How many heartbeats have the same deadline.
const RACERS: usize = 200;

/// How often they race.
const RACES: usize = 5;

/// Signals under way.
struct Wave {
    answered: Arc<AtomicUsize>,
    signals: Vec<JoinHandle<()>>,
}

/// Has all these signal at once.
fn signals(admin: &Admin, heartbeats: &[Heartbeat]) -> Wave {
    let answered = Arc::new(AtomicUsize::new(0));
    let one = |heartbeat: &Heartbeat| {
        let (admin, heartbeat) = (admin.clone(), heartbeat.clone());
        let answered = Arc::clone(&answered);
        tokio::spawn(async move {
            assert_eq!(admin.signal(&heartbeat).await, 200);
            answered.fetch_add(1, Ordering::Relaxed);
        })
    };
    let signals = heartbeats.iter().map(one).collect();
    Wave { answered, signals }
}

impl Wave {
    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    async fn finished(self) {
        for signal in self.signals {
            signal.await.unwrap();
        }
    }
}

/// A signal that is committed between the reading of a state and the claim that it is down must not leave a
/// heartbeat down. Many signals race with their own deadline: each either came in time, or it did not.
#[tokio::test(flavor = "multi_thread")]
async fn hole_c_a_signal_that_races_with_its_deadline_leaves_nothing_false_behind() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let mut heartbeats = Vec::new();
    for number in 0..RACERS {
        heartbeats.push(admin.every(&format!("racer {number}"), 2, 1).await);
    }
    let (first, second) = heartbeats.split_at(RACERS / 2);
    for _ in 0..RACES {
        // All at the same instant, so that they have the same deadline.
        let all = signals(&admin, &heartbeats);
        all.finished().await;
        // To the last microsecond before it, and over it while the signals come in.
        server.pass(Duration::from_micros(2_999_999), &nudge).await;
        let wave = signals(&admin, first);
        while wave.answered() < RACERS / 10 {
            tokio::task::yield_now().await;
        }
        server.clock().leap(Duration::from_micros(2));
        let too_late = signals(&admin, second);
        wave.finished().await;
        too_late.finished().await;
        server.pass(Duration::from_secs(1), &nudge).await;
    }

    let (mut in_time, mut late) = (0, 0);
    for heartbeat in &heartbeats {
        let path = format!("/heartbeats/{}", heartbeat.id);
        let mut signals = admin.list(&format!("{path}/signals")).await;
        signals.reverse();
        let stamps = signals.iter().map(|one| instant(&one["received_at"]));
        let stamps: Vec<UnixMicros> = stamps.collect();
        assert_eq!(stamps.len(), 2 * RACES);
        let missed = stamps
            .windows(2)
            .filter(|two| two[1].since(two[0]) > Duration::from_secs(3))
            .count();
        let incidents = admin.list(&format!("{path}/incidents")).await;
        assert_eq!(incidents.len(), missed, "{signals:?} {incidents:?}");
        assert!(incidents.iter().all(|one| !one["closed_at"].is_null()));
        assert_eq!(admin.status(heartbeat).await, "up");
        late += missed;
        in_time += RACES - missed;
    }
    println!("{in_time} in time, {late} too late");
    assert!(
        in_time >= RACES * RACERS / 10,
        "too few were in time: nobody raced"
    );
    receiver
        .until("every alert and every recovery", |all| {
            all.len() == 2 * late
        })
        .await;
    let metrics = http::send(server.address(), http::get(server.address(), "/metrics")).await;
    let metrics = metrics.unwrap().body;
    let false_raises = metrics
        .lines()
        .find(|line| line.starts_with("nightbeat_false_raise_total"))
        .unwrap();
    assert!(false_raises.ends_with(" 0"), "{false_raises}");
}

/// A body that is not text, a header that is not an address: the job has run all the same.
#[tokio::test(flavor = "multi_thread")]
async fn hole_e_what_a_client_sends_besides_never_costs_its_signal() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).with("trusted_proxies", "127.0.0.0/8");
    let admin = setup.init();
    let server = setup.start().await;
    let backup = admin.every("backup", 86_400, 3_600).await;
    let address = server.address();
    let bodies: [&[u8]; 4] = [b"\xff\xfe\x00\x01", b"caf\xe9", b"\0", b"\xed\xa0\x80"];
    let forwarded: [&[u8]; 6] = [
        b"unknown",
        b"1.2.3.4:80:90, ,,",
        b"\"",
        b"caf\xe9",
        b"999.999.999.999",
        b"for=_hidden, [::1%eth0]",
    ];
    let mut sent = 0;
    for body in bodies {
        for header in forwarded {
            let request = http::request("POST", address, &backup.path(), body);
            let request = http::with(request, "x-forwarded-for", header);
            let request = http::with(request, "user-agent", header);
            let answer = http::send(address, request).await.unwrap();
            assert_eq!(answer.status, 200, "{body:?} {header:?}: {}", answer.body);
            sent += 1;
        }
    }
    let recorded = until("all are recorded", async || {
        let recorded = admin
            .list(&format!("/heartbeats/{}/signals", backup.id))
            .await;
        (recorded.len() == sent).then_some(recorded)
    })
    .await;
    assert!(recorded.iter().all(|one| one["ignored"].is_null()));
    assert_eq!(admin.status(&backup).await, "up");
}
