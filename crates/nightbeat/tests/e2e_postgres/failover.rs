//! The database's machine dies, and its standby takes over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, ProjectId};
use nightbeat_store::control::{PageRequest, signals};
use nightbeat_store::{Opener, Store};
use nightbeat_testkit::postgres::{Cluster, Settings};
use nightbeat_testkit::{Admin, Binary, Heartbeat, Load, Outcome, Receiver, until};
use tokio::task::JoinHandle;

use crate::support::node;

/// How many jobs signal to each node under load.
const JOBS: usize = 20;
const CLIENTS: usize = 16;
const SIGNALS_EACH: usize = 250;

/// The primary dies when so many signals were answered.
const ANSWERED_BEFORE: usize = 800;

/// A durable primary, and a standby without which it answers no commit.
fn pair() -> (Cluster, Cluster, String) {
    let durable = Settings {
        durable: true,
        tcp: true,
        ..Settings::default()
    };
    let primary = Cluster::private(durable);
    primary.create("nightbeat");
    let standby = primary.standby();
    primary.commit_only_with(&standby);
    let url = format!(
        "postgres://postgres:{}@{},{}/nightbeat?target_session_attrs=read-write",
        primary.password(),
        primary.address().unwrap(),
        standby.address().unwrap(),
    );
    (primary, standby, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_under_load_loses_no_answered_signal_and_tells_nothing_false() {
    let (mut primary, standby, url) = pair();
    let setup = node(&url);
    let admin = setup.init();
    let mut one = setup.start().await;
    let mut two = node(&url).start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let silent = admin.every("silent", 4, 4).await;
    let steady = admin.every("steady", 10, 20).await;
    let mut jobs = Vec::new();
    for number in 0..2 * JOBS {
        jobs.push(admin.every(&format!("job {number}"), 86_400, 3_600).await);
    }
    let beating = Beating::start(&admin, &[&one, &two], &steady);
    let loads = [
        Load::start(one.address(), &jobs[..JOBS], CLIENTS, SIGNALS_EACH),
        Load::start(two.address(), &jobs[JOBS..], CLIENTS, SIGNALS_EACH),
    ];
    while loads[0].answered() + loads[1].answered() < ANSWERED_BEFORE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(admin.signal(&silent).await, 200);
    primary.kill();
    let answered = loads[0].answered() + loads[1].answered();
    standby.promote();
    one.until_ready().await;
    two.until_ready().await;

    let [first, second] = loads;
    let mut outcomes = first.outcomes().await;
    outcomes.extend(second.outcomes().await);
    // Each client has one signal under way: more than these were said to a database that was dead.
    let later = outcomes.len() - answered;
    assert!(later > 2 * CLIENTS, "the load was over before: {later}");
    receiver
        .until("the silence is told", |all| {
            all.iter().any(|it| it.tells("silent"))
        })
        .await;
    beating.stop().await;
    assert_eq!(admin.status(&steady).await, "up");
    let told = receiver.received();
    assert!(told.iter().all(|it| it.tells("silent")), "{told:?}");
    compare(&outcomes, &recorded(&standby, admin.project, &jobs).await);

    // The old primary is back, first in the list and as ready to write as ever: nobody may believe it.
    primary.start();
    standby.cut_off("nightbeat");
    for server in [&one, &two] {
        server
            .logged("another server than the one that was last")
            .await;
        let far = admin.at(server);
        until("a signal is taken again", async || {
            (far.signal(&silent).await == 200).then_some(())
        })
        .await;
    }
    let silent = [silent];
    let stored = recorded(&standby, admin.project, &silent).await;
    let stored: usize = stored.values().sum();
    assert!(
        stored >= 3,
        "one before the failover, and one at each node: {stored}"
    );
}

/// A job that signals twice a second, to whichever node takes it.
struct Beating {
    stop: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Beating {
    fn start(admin: &Admin, nodes: &[&Binary], heartbeat: &Heartbeat) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let admins: Vec<Admin> = nodes.iter().map(|node| admin.at(node)).collect();
        let (heartbeat, stopped) = (heartbeat.clone(), Arc::clone(&stop));
        let work = tokio::spawn(async move {
            for admin in admins.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A refusal is answered by the next round, at the other node.
                admin.signal(&heartbeat).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { stop, work }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.work.await.unwrap();
    }
}

/// Answered is stored, once; what was not answered may be.
fn compare(outcomes: &[Outcome], recorded: &HashMap<(HeartbeatId, String), usize>) {
    for outcome in outcomes {
        let key = (outcome.heartbeat, outcome.mark.clone());
        let times = recorded.get(&key).copied().unwrap_or(0);
        assert!(!outcome.answered || times == 1, "{times}: {outcome:?}");
        assert!(times <= 1, "{times}: {outcome:?}");
    }
    // None, where both nodes were just waiting for the answer to a COMMIT: they look for what became of it,
    // for some seconds, and a quick failover is over by then.
    let refused = outcomes.iter().filter(|one| one.sent > 1 || !one.answered);
    let refused = refused.count();
    println!("{} signals, {refused} of them were refused", outcomes.len());
}

/// How often each signal stands in the log, by its mark.
async fn recorded(
    cluster: &Cluster,
    project: ProjectId,
    heartbeats: &[Heartbeat],
) -> HashMap<(HeartbeatId, String), usize> {
    let opened = Store::open_postgres(&cluster.url("nightbeat"), Opener::Tool).await;
    let store = opened.unwrap().store;
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
                let mark = String::from_utf8(signal.body.unwrap_or_default()).unwrap();
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
