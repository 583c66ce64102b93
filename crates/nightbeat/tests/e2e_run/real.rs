//! The wrapper and the server: what one sends, the other understands.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nightbeat_testkit::{Receiver, Setup, wall_now};
use serde_json::json;

use crate::support::{Machine, nobody};

/// How long a signal must wait before it says by itself that it is late.
const LATE: Duration = Duration::from_secs(6);

/// The network is back: what is sent to `from` reaches `to` from now on.
fn connect(from: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(from).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(to).unwrap());
            let (mut from_server, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut client, &mut server));
            std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
        }
    });
}

/// The job ran in time, but its network was cut: the server had to believe that it did not run.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_late_closes_the_incident() {
    // The client's clock, which is this machine's, says `now` when the job runs.
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let setup = setup.clock_at(wall_now() - Duration::from_secs(50));
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let backup = admin.every("backup", 60, 10).await;
    assert_eq!(admin.signal(&backup).await, 200);
    server.pass(Duration::from_secs(50), &nudge).await;

    let address = nobody();
    let machine = Machine::new(&format!("http://{address}"));
    let id = backup.id.to_string();
    let ran = machine.nightbeat(&["run", &id, "--", "echo", "backup complete"]);
    assert_eq!(
        (ran.code, machine.waiting()),
        (Some(0), 2),
        "{}",
        ran.stderr
    );
    server.pass(Duration::from_secs(21), &nudge).await;
    receiver.told("down", "backup").await;

    tokio::time::sleep(LATE).await;
    connect(address, server.address());
    while machine.waiting() > 0 {
        machine.nightbeat(&["flush"]);
    }
    let up = receiver.told("up", "backup").await;
    let text = up.body.to_string();
    assert!(text.contains("late"), "it says why it is up: {text}");
    let signals = admin.list(&format!("/heartbeats/{id}/signals")).await;
    let bodies: Vec<&str> = signals
        .iter()
        .filter_map(|one| one["body"].as_str())
        .collect();
    assert!(
        bodies
            .iter()
            .any(|body| body.starts_with("backup complete\n")),
        "{signals:?}"
    );
}

/// Nobody told the server of the end: the run overruns.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_that_is_killed_leaves_a_run_that_overruns() {
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat")).clock_at(wall_now());
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;
    let nudge = admin.every("nudge", 86_400, 3_600).await;
    let fields = json!({"schedule": {"every": 86_400}, "grace": 3_600, "max_run_time": 60});
    let backup = admin.heartbeat("backup", fields).await;

    let machine = Machine::new(&format!("http://{}", server.address()));
    let mut begun = machine.begin_for(&backup.id.to_string(), &[], "echo ready; sleep 1000");
    assert_eq!(begun.line(), "ready");
    nightbeat_testkit::until("the run has begun", async || {
        let running = admin.show(&backup).await["running_since"].is_string();
        running.then_some(())
    })
    .await;
    begun.signal("KILL");
    assert_eq!(begun.end().code, None);
    server.pass(Duration::from_secs(62), &nudge).await;
    let down = receiver.told("down", "backup").await;
    assert!(down.body.to_string().contains("overran"), "{}", down.body);
}
