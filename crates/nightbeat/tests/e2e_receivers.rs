//! Receivers that misbehave: they hold up nobody else, they are tried again on schedule, and in the end they
//! get everything, in order.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{
    Admin, Behaviour, Binary, Heartbeat, Received, Receiver, Setup, instant, until,
};
use serde_json::{Value, json};

/// 2026-11-22T03:00:00Z.
const NIGHT: UnixMicros = UnixMicros::from_seconds(1_795_316_400);

/// What a delivery waits after its first, second, … failure, in seconds.
const PAUSES: [u64; 9] = [5, 15, 45, 120, 300, 600, 900, 900, 900];

/// A server with a heartbeat that is up, and one that only moves the server's loop.
struct Scene {
    server: Binary,
    admin: Admin,
    backup: Heartbeat,
    nudge: Heartbeat,
}

impl Scene {
    /// `patience` is how long one try may take.
    async fn with_patience(patience: &str) -> Self {
        let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"))
            .with("outgoing.timeout", patience)
            .clock_at(NIGHT);
        let admin = setup.init();
        let server = setup.start().await;
        let backup = admin.every("backup", 60, 10).await;
        let nudge = admin.every("nudge", 86_400, 3_600).await;
        assert_eq!(admin.signal(&backup).await, 200);
        Self {
            server,
            admin,
            backup,
            nudge,
        }
    }

    async fn pass(&self, seconds: u64) {
        let span = Duration::from_secs(seconds);
        self.server.pass(span, &self.nudge).await;
    }

    /// The backup does not come.
    async fn let_it_fall(&self) {
        self.pass(75).await;
        self.admin.until_status(&self.backup, "down").await;
    }

    /// Its deliveries to this channel, the oldest first.
    async fn deliveries_to(&self, channel: &str) -> Vec<Value> {
        let mut all = self.admin.deliveries(&self.backup).await;
        all.retain(|one| one["channel_name"] == channel);
        all
    }

    /// Its one delivery to this channel once it was tried so often.
    async fn tried(&self, channel: &str, times: usize) -> Value {
        let what = format!("{channel} was tried {times} times");
        until(&what, async || {
            let delivery = self.deliveries_to(channel).await.remove(0);
            let tried = delivery["attempts"].as_array().unwrap().len();
            assert!(tried <= times, "{tried} tries: {delivery}");
            (tried == times).then_some(delivery)
        })
        .await
    }
}

/// Each way to misbehave, with what the delivery then says of it.
fn misbehaviours() -> Vec<(&'static str, Behaviour, &'static str)> {
    let metadata = Behaviour::Redirect("http://169.254.169.254/latest/meta-data/".to_owned());
    vec![
        ("deaf", Behaviour::HangBeforeReading, "no answer"),
        ("silent", Behaviour::HangBeforeHeaders, "no answer"),
        ("stuck in its header", Behaviour::HangInHeaders, "no answer"),
        ("stuck in its body", Behaviour::HangInBody, "500"),
        ("broken", Behaviour::Status(500), "500"),
        ("busy", Behaviour::RetryAfter(429, 7), "429"),
        ("elsewhere", metadata, "redirects are not followed"),
        ("abrupt", Behaviour::Reset, ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_hang_delay_no_other() {
    // Longer than the rest of this test takes: whoever waited for them would not be told in it.
    let scene = Scene::with_patience("40s").await;
    let mut hanging = Vec::new();
    for (name, behaviour, _) in misbehaviours() {
        let receiver = Receiver::usually(behaviour).await;
        scene.admin.webhook(name, &receiver.url()).await;
        hanging.push((name, receiver));
    }
    let unreachable = Receiver::that_nobody_can_connect_to().await;
    scene.admin.webhook("unreachable", &unreachable.url()).await;
    let good = Receiver::start().await;
    scene.admin.webhook("good", &good.url()).await;

    scene.let_it_fall().await;
    good.told("down", "backup").await;
    for name in ["deaf", "silent", "stuck in its header", "unreachable"] {
        let delivery = scene.deliveries_to(name).await.remove(0);
        assert_eq!(delivery["state"], "sending", "{name}: {delivery}");
        assert_eq!(delivery["attempts"], json!([]), "{name}: {delivery}");
    }
    // Not only the first time.
    assert_eq!(scene.admin.signal(&scene.backup).await, 200);
    good.told("up", "backup").await;
    assert_eq!(good.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_did_it_gets_everything_in_order_once_it_is_mended() {
    let scene = Scene::with_patience("1s").await;
    let mut receivers = Vec::new();
    for (name, behaviour, says) in misbehaviours() {
        let receiver = Receiver::usually(behaviour).await;
        scene.admin.webhook(name, &receiver.url()).await;
        receivers.push((name, receiver, says));
    }
    scene.let_it_fall().await;
    for (name, _, says) in &receivers {
        let delivery = scene.tried(name, 1).await;
        let attempt = &delivery["attempts"][0];
        assert_eq!(attempt["ok"], false, "{name}: {attempt}");
        let detail = attempt["detail"].as_str().unwrap();
        assert!(
            !detail.is_empty() && detail.contains(says),
            "{name}: {detail}"
        );
        println!("{name}: {detail}");
        assert_eq!(delivery["state"], "queued", "{name}");
    }
    // The recovery is queued behind the alert that has not arrived.
    assert_eq!(scene.admin.signal(&scene.backup).await, 200);
    for (_, receiver, _) in &receivers {
        receiver.behave(Behaviour::Take);
    }
    // Past the first retry of each, and not to the next deadline.
    scene.pass(45).await;
    for (name, receiver, _) in &receivers {
        receiver.told("up", "backup").await;
        let received = receiver.received();
        // The first was read by all but the deaf one, and not taken.
        let taken: Vec<&str> = received.iter().map(Received::event).collect();
        let wanted: &[&str] = match *name {
            "deaf" => &["down", "up"],
            _ => &["down", "down", "up"],
        };
        assert_eq!(taken, wanted, "{name}");
        let down: Vec<&str> = received
            .iter()
            .filter(|one| one.event() == "down")
            .map(|one| one.key())
            .collect();
        assert!(
            down.windows(2).all(|two| two[0] == two[1]),
            "{name}: {down:?}"
        );
        assert_ne!(down[0], received.last().unwrap().key());
    }
    for (name, _, _) in &receivers {
        until(&format!("{name}: both are sent"), async || {
            let deliveries = scene.deliveries_to(name).await;
            let sent = deliveries.iter().filter(|one| one["state"] == "sent");
            (sent.count() == 2).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_follow_their_schedule_and_not_a_second_earlier() {
    let scene = Scene::with_patience("10s").await;
    let receiver = Receiver::usually(Behaviour::Status(500)).await;
    scene.admin.webhook("broken", &receiver.url()).await;
    scene.let_it_fall().await;
    for (failures, pause) in (1..).zip(PAUSES) {
        let delivery = scene.tried("broken", failures).await;
        assert_eq!(receiver.received().len(), failures);
        let tried_at = instant(&delivery["attempts"][failures - 1]["at"]);
        let next = instant(&delivery["next_try_at"]);
        let waits = next.since(tried_at).as_secs_f64();
        let pause = pause as f64;
        assert!(
            (0.8 * pause..=1.2 * pause).contains(&waits),
            "after failure {failures} it waits {waits} s, not {pause} s ± 20 %"
        );
        // A second before its time nothing happens, however often the loop turns.
        let now = scene.server.clock().now();
        scene
            .server
            .clock()
            .leap((next - Duration::from_secs(1)).since(now));
        for _ in 0..5 {
            scene.server.turn(&scene.nudge).await;
        }
        assert_eq!(scene.tried("broken", failures).await["state"], "queued");
        // And at its time it does.
        scene.pass(2).await;
    }
    receiver.behave(Behaviour::Take);
    scene.tried("broken", PAUSES.len() + 1).await;
    let keys: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.key().to_owned())
        .collect();
    assert!(keys.windows(2).all(|two| two[0] == two[1]), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_ask_for_a_pause_of_up_to_an_hour() {
    let scene = Scene::with_patience("10s").await;
    let receiver = Receiver::start().await;
    receiver.next([
        Behaviour::RetryAfter(429, 90),
        Behaviour::RetryAfter(503, 86_400),
        Behaviour::RetryAfter(429, 1),
    ]);
    scene.admin.webhook("busy", &receiver.url()).await;
    scene.let_it_fall().await;
    for (failures, asked) in [(1, Some(90)), (2, Some(3_600)), (3, None)] {
        let delivery = scene.tried("busy", failures).await;
        let tried_at = instant(&delivery["attempts"][failures - 1]["at"]);
        let next = instant(&delivery["next_try_at"]);
        let waits = next.since(tried_at);
        match asked {
            Some(seconds) => assert_eq!(waits, Duration::from_secs(seconds)),
            None => assert!(
                waits >= Duration::from_secs(36),
                "never less than our own: {waits:?}"
            ),
        }
        let now = scene.server.clock().now();
        scene
            .server
            .clock()
            .leap(next.since(now) + Duration::from_secs(1));
        scene.server.turn(&scene.nudge).await;
    }
    let all = receiver.until("it is taken", |all| all.len() == 4).await;
    assert!(all.iter().all(|one| one.key() == all[0].key()));
}
