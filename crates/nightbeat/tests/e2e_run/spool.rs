//! A server that is away: the job notices nothing, and no signal is lost.

use jiff::Timestamp;

use crate::support::{Beats, ID, Machine, Ran, nobody, silent, until};

/// What is delivered late says when it happened, in the order in which it did.
#[test]
fn what_could_not_be_sent_is_delivered_later_with_its_true_time() {
    let address = nobody();
    let machine = Machine::new(&format!("http://{address}"));
    let before: Timestamp = now();
    let ran = machine.sh(&["--metric", "rows=5"], "echo out; exit 3");
    let after: Timestamp = now();
    assert_eq!((ran.code, ran.text().as_str()), (Some(3), "out\n"));
    assert!(ran.stderr.contains("Connection refused"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("2 of this run's signals wait in "),
        "{}",
        ran.stderr
    );
    assert_eq!(machine.nightbeat(&["flush", "--count"]).text(), "2\n");

    // Let them become late. The helper that the run left behind is at it as well.
    std::thread::sleep(std::time::Duration::from_secs(6));
    let beats = Beats::at(address, "200 OK", 100_000);
    until("all is delivered", || {
        machine.nightbeat(&["flush"]);
        machine.waiting() == 0
    });
    let told = beats.told();
    let [start, end] = &told[..] else {
        panic!("each once: {told:?}");
    };
    assert_eq!((start.tail.as_str(), end.tail.as_str()), ("/start", "/3"));
    assert_eq!(start.get("rid"), end.get("rid"));
    let times = [before, start.at().unwrap(), end.at().unwrap(), after];
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(
        (end.text().as_str(), end.metric("rows")),
        ("out\n", Some(5.0))
    );
}

#[test]
fn the_next_call_delivers_what_waits() {
    let away = nobody();
    let machine = Machine::new(&format!("http://{away}"));
    assert_eq!(
        machine.sh(&["--quiet"], "exit 4").stderr,
        "",
        "it can be told to say nothing"
    );
    assert_eq!(machine.waiting(), 2);
    let beats = Beats::at(away, "200 OK", 100_000);
    // The helper, or this run, whoever comes first; while the job runs there is time for it.
    let ran = machine.sh(&[], "while ! test -e go; do sleep 0.05; test \"$(ls spool | grep -c signal)\" = 0 && exit 0; done");
    assert_eq!(ran.code, Some(0));
    assert_eq!(machine.waiting(), 0);
    let mut tails = beats.tails();
    tails.sort();
    assert_eq!(tails, ["/0", "/4", "/start", "/start"]);
}

#[test]
fn a_ping_waits_as_well_and_says_so() {
    let away = nobody();
    let machine = Machine::new(&format!("http://{away}"));
    let ping = ["ping", ID, "--retry-waits", "0s"];
    let kept = machine.nightbeat(&ping);
    assert_eq!(kept.code, Some(4), "it is not recorded yet");
    assert!(
        kept.stderr.contains("hint: the signal waits in "),
        "{}",
        kept.stderr
    );
    assert_eq!(machine.waiting(), 1);
    let lost = machine.nightbeat(&[&ping[..], &["--no-spool"]].concat());
    assert_eq!((lost.code, machine.waiting()), (Some(4), 1));

    let beats = Beats::at(away, "200 OK", 100_000);
    let ran = machine.nightbeat(&["ping", ID, "--log"]);
    assert_eq!(ran.quietly(0), "");
    assert_eq!(beats.tails(), ["/log", ""]);
    assert_eq!(machine.waiting(), 0);
}

#[test]
fn a_server_that_never_answers_holds_nobody_up() {
    let (_listener, url) = silent();
    let machine = Machine::new(&url);
    let began = steady();
    let ran = machine.sh(&[], "echo ran");
    // One try alone would take ten seconds.
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), "ran\n"));
    assert_eq!(machine.waiting(), 2);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let beats = Beats::answering("503 Service Unavailable");
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&[], "echo ran");
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("503 Service Unavailable"),
        "{}",
        ran.stderr
    );
    assert_eq!(machine.waiting(), 2);
    let told = beats.told();
    assert!(told.len() > 1, "{told:?}");
    assert!(
        told.iter()
            .all(|one| one.get("nonce") == told[0].get("nonce"))
    );
}

#[test]
fn what_the_server_refuses_is_said_and_not_kept() {
    let beats = Beats::answering("404 Not Found");
    let machine = Machine::new(&beats.url());
    let ran = machine.sh(&[], "echo ran; exit 6");
    assert_eq!((ran.code, ran.text().as_str()), (Some(6), "ran\n"));
    assert!(
        ran.stderr
            .contains("no heartbeat has this address on http://127.0.0.1:")
    );
    assert!(
        !ran.stderr.contains(ID),
        "the id is a secret: {}",
        ran.stderr
    );
    assert_eq!(machine.waiting(), 0);
}

#[test]
fn without_a_spool_what_is_lost_is_said() {
    let machine = Machine::new(&format!("http://{}", nobody()));
    let ran = machine.sh(&["--no-spool"], "exit 2");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("2 signals are lost: there is no spool"),
        "{}",
        ran.stderr
    );
}

#[test]
fn many_at_once_deliver_each_signal_once() {
    let away = nobody();
    let machine = Machine::new(&format!("http://{away}"));
    for _ in 0..10 {
        machine.nightbeat(&["ping", ID, "--retry-waits", "0s", "--timeout", "1s"]);
    }
    assert_eq!(machine.waiting(), 10);
    let beats = Beats::at(away, "200 OK", 100_000);
    let all: Vec<Ran> = std::thread::scope(|scope| {
        let flush = || machine.nightbeat(&["flush"]);
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(flush)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(all.iter().any(|ran| ran.code == Some(0)), "{all:?}");
    until("all is delivered", || {
        machine.nightbeat(&["flush"]).code == Some(0)
    });
    let mut nonces: Vec<String> = beats
        .told()
        .iter()
        .map(|told| told.get("nonce").unwrap().to_owned())
        .collect();
    assert_eq!(nonces.len(), 10);
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 10);
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the binary says is compared with the time on this machine"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the waiting of a real process is measured"
)]
fn steady() -> std::time::Instant {
    std::time::Instant::now()
}
