//! `kill -9`: what was answered 200 is there, once; what was decided is told.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, ProjectId, UnixMicros};
use nightbeat_store::control::{PageRequest, signals};
use nightbeat_store::{Opener, Store};
use nightbeat_testkit::{Behaviour, Heartbeat, Load, Outcome, Random, Receiver, Setup, until};

const SIGNALS: usize = 20_000;
const KILLS: usize = 20;
const CLIENTS: usize = 40;
const HEARTBEATS: usize = 50;

/// Decides at which moments the server is killed.
const SEED: u64 = 20_261_122;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_signal_survives_twenty_kills_and_none_is_there_twice() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let admin = setup.init();
    let database = setup.database().to_owned();
    let mut server = setup.start().await;
    let mut heartbeats = Vec::new();
    for number in 0..HEARTBEATS {
        heartbeats.push(admin.every(&format!("job {number}"), 86_400, 3_600).await);
    }
    println!("seed {SEED}");
    let mut random = Random::new(SEED);
    let mut moments: Vec<usize> = (0..KILLS)
        .map(|_| random.below(SIGNALS as u64 * 9 / 10) as usize)
        .collect();
    moments.sort_unstable();

    let load = Load::start(server.address(), &heartbeats, CLIENTS, SIGNALS / CLIENTS);
    for moment in moments {
        while load.answered() < moment && !load.is_done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Anywhere in the life of a batch, not only just after an answer.
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        server.kill();
        server.restart().await;
    }
    let outcomes = load.outcomes().await;
    server.terminate().await;

    assert_eq!(outcomes.len(), SIGNALS);
    let recorded = recorded(&database, admin.project, &heartbeats).await;
    compare(&outcomes, &recorded);
}

fn compare(outcomes: &[Outcome], recorded: &HashMap<(HeartbeatId, String), usize>) {
    let mut known = 0;
    for outcome in outcomes {
        let key = (outcome.heartbeat, outcome.mark.clone());
        let times = recorded.get(&key).copied().unwrap_or(0);
        known += times;
        if outcome.answered {
            assert_eq!(
                times, 1,
                "answered 200, but recorded {times} times: {outcome:?}"
            );
        } else {
            assert!(times <= 1, "said once, recorded {times} times: {outcome:?}");
        }
    }
    let all: usize = recorded.values().sum();
    assert_eq!(all, known, "signals that nobody sent");
    let again = outcomes
        .iter()
        .filter(|one| one.answered && one.sent > 1)
        .count();
    let unanswered = outcomes.iter().filter(|one| !one.answered).count();
    println!("{all} recorded; {again} needed several tries, {unanswered} were never answered");
    assert!(
        again + unanswered > 0,
        "no signal met a kill: the test shows nothing"
    );
}

/// How often each signal stands in the log, by its mark.
async fn recorded(
    database: &Path,
    project: ProjectId,
    heartbeats: &[Heartbeat],
) -> HashMap<(HeartbeatId, String), usize> {
    let store = Store::open_sqlite(database, Opener::Tool).unwrap().store;
    let mut found = HashMap::new();
    for heartbeat in heartbeats.iter().map(|heartbeat| heartbeat.id) {
        let mut after = None;
        loop {
            let request = PageRequest::new(PageRequest::ITEMS_MAX, after);
            let page = store
                .read(move |sql| signals::list(sql, project, heartbeat, &request))
                .await
                .unwrap()
                .unwrap();
            for signal in page.items {
                let mark = String::from_utf8(signal.body.unwrap()).unwrap();
                *found.entry((heartbeat, mark)).or_insert(0) += 1;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    found
}

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

#[tokio::test(flavor = "multi_thread")]
async fn hole_b_a_kill_between_a_deadline_and_its_delivery_costs_no_alert() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::usually(Behaviour::HangBeforeHeaders).await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 60, 10).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    assert_eq!(admin.signal(&backup).await, 200);

    // The alert is on its way, and the receiver has it, but nobody knows.
    server.pass(Duration::from_secs(75), &nudge).await;
    receiver
        .until("the alert is on its way", |all| !all.is_empty())
        .await;
    server.kill();
    receiver.behave(Behaviour::Take);
    server.restart().await;

    // Who sent it is dead, which is only known when the claim has run out.
    let told = until("the alert arrives again", async || {
        server.clock().leap(Duration::from_secs(3));
        server.turn(&nudge).await;
        let all = receiver.received();
        (all.len() > 1).then_some(all)
    })
    .await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].key(), told[1].key());
    assert_eq!((told[1].event(), told[1].heartbeat()), ("down", "backup"));
    until("it is marked as sent", async || {
        let deliveries = admin.deliveries(&backup).await;
        assert_eq!(deliveries.len(), 1, "{deliveries:?}");
        (deliveries[0]["state"] == "sent").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_anything_was_sent_costs_no_alert() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(NIGHT);
    let admin = setup.init();
    let mut server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let backup = admin.every("backup", 60, 10).await;
    assert_eq!(admin.signal(&backup).await, 200);

    // Two seconds to the deadline when it dies; ten seconds after it when it is back.
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    server.pass(Duration::from_secs(68), &nudge).await;
    server.kill();
    server.clock().leap(Duration::from_secs(12));
    server.restart().await;
    // It was away at the deadline itself: the job may be trying again this very moment, so it has a minute.
    server.pass(Duration::from_secs(55), &nudge).await;
    assert_eq!(receiver.received().len(), 0, "{:?}", receiver.received());
    server.pass(Duration::from_secs(10), &nudge).await;
    let told = receiver
        .until("the alert arrives", |all| !all.is_empty())
        .await;
    assert!(told[0].tells("backup"), "{told:?}");
    admin.until_status(&backup, "unverified").await;
}
