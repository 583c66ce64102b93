//! Signals in, judgements out: `Store::record` and `Store::elapse`.

use nightbeat_domain::{Claim, IgnoredBecause, Keywords, Phase, Settings, SignalKind};
use nightbeat_store::Recorded::{Broken, Counted, Duplicate, Ignored, Unknown};
use nightbeat_store::control::{PageRequest, signals};
use nightbeat_store::hot::Record;
use nightbeat_store::{Arrival, Mail, Result, Watched};

use crate::cast::{
    ALICE, Engine, HOUR, House, MINUTE, START, batch, due, gap, heartbeat_id, hourly,
    on_each_engine, signal, success,
};

on_each_engine!(
    a_signal_with_the_same_mark_is_recorded_once,
    a_batch_may_hold_several_signals_of_one_heartbeat,
    an_unknown_heartbeat_is_said_so_and_the_others_count,
    where_only_post_counts_other_methods_are_recorded_and_ignored,
    words_in_a_body_say_what_a_signal_means_and_are_what_is_kept_of_it,
    words_in_a_mail_say_what_it_means_and_its_method_does_not,
    a_gap_that_comes_with_a_judgement_counts_in_it,
    without_a_gap_the_same_silence_is_a_down,
    a_failure_opens_an_incident_and_tells_every_channel,
    the_state_and_all_that_follows_from_it_are_stored_together_or_not_at_all,
    a_down_that_was_claimed_too_early_is_counted_and_taken_back,
    calls_take_effect_in_their_order_whoever_is_awaited_first,
    what_nobody_awaits_is_stored_all_the_same,
    a_judgement_says_when_to_look_again_also_when_a_signal_has_moved_it_on,
    a_deadline_whose_turn_has_not_come_is_told_before_the_signal_that_ends_it,
    a_batch_that_knows_of_all_earlier_signals_tells_the_deadline_too,
    a_signal_alone_raises_no_alarm_about_the_time_before_it,
    a_signal_to_a_heartbeat_whose_row_is_broken_is_not_stored,
);

/// When an hourly heartbeat whose last success came at [`START`] is down.
fn deadline() -> nightbeat_domain::UnixMicros {
    START + 2 * HOUR
}

fn marked(arrival: Arrival, nonce: &str) -> Arrival {
    Arrival {
        nonce: Some(nonce.to_owned()),
        ..arrival
    }
}

async fn a_signal_with_the_same_mark_is_recorded_once(engine: Engine) {
    let house = House::on(engine).await;
    let (one, other) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    let first = house
        .record(vec![
            marked(success(one, START), "a"),
            marked(success(one, START + MINUTE), "a"),
            marked(success(one, START + MINUTE), "b"),
            marked(success(other, START), "a"),
        ])
        .await;
    assert_eq!(first.recorded, [Counted, Duplicate, Counted, Counted]);
    let again = house.record(vec![marked(success(one, START), "b")]).await;
    assert_eq!(again.recorded, [Duplicate]);
    assert_eq!(house.count("signal"), 3);
    assert_eq!(house.state(one).await.signals, 2);
}

async fn a_batch_may_hold_several_signals_of_one_heartbeat(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    let done = house
        .record(vec![
            signal(id, SignalKind::Start, START),
            signal(id, SignalKind::Log, START + MINUTE),
            success(id, START + 2 * MINUTE),
            signal(id, SignalKind::Start, START + 3 * MINUTE),
        ])
        .await;
    assert_eq!(done.recorded, [Counted; 4]);
    let state = house.state(id).await;
    assert_eq!((state.signals, state.runs.len()), (4, 1));
    assert_eq!(state.last_success_at, Some(START + 2 * MINUTE));
    assert_eq!(house.count("run"), 1);
    let page = PageRequest::new(10, None);
    let read = house
        .store
        .read(move |sql| signals::list(sql, ALICE, id, &page));
    let kinds: Vec<_> = read.await.unwrap().unwrap().items;
    let kinds: Vec<_> = kinds.iter().map(|signal| signal.kind).collect();
    let expected = [
        SignalKind::Start,
        SignalKind::Success,
        SignalKind::Log,
        SignalKind::Start,
    ];
    assert_eq!(kinds, expected);
}

async fn an_unknown_heartbeat_is_said_so_and_the_others_count(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    let nobody = success(heartbeat_id(9), START);
    let done = house
        .record(vec![
            nobody.clone(),
            success(id, START),
            marked(nobody.clone(), "a"),
            nobody,
        ])
        .await;
    assert_eq!(done.recorded, [Unknown, Counted, Unknown, Unknown]);
    assert_eq!((house.count("signal"), house.count("signal_nonce")), (1, 0));
}

async fn where_only_post_counts_other_methods_are_recorded_and_ignored(engine: Engine) {
    let house = House::on(engine).await;
    let settings = Settings {
        post_only: true,
        ..hourly()
    };
    let id = house.heartbeat(1, &settings).await;
    let by = |method| Arrival {
        method,
        ..success(id, START)
    };
    let done = house.record(vec![by("GET"), by("HEAD"), by("PUT")]).await;
    assert_eq!(done.recorded, [Ignored(IgnoredBecause::Method); 3]);
    assert_eq!(house.state(id).await.phase, Phase::New);
    assert_eq!(house.count("signal WHERE ignored IS NOT NULL"), 3);
    assert_eq!(house.record(vec![by("POST")]).await.recorded, [Counted]);
    assert_eq!(house.state(id).await.phase, Phase::Up);
}

async fn words_in_a_body_say_what_a_signal_means_and_are_what_is_kept_of_it(engine: Engine) {
    let house = House::on(engine).await;
    let word = |word: &str| vec![word.to_owned()];
    let keywords = Keywords {
        start: word("begin"),
        success: word("done"),
        failure: word("ERROR"),
        in_body: true,
        ..Keywords::default()
    };
    let settings = Settings {
        keywords: Some(Box::new(keywords)),
        ..hourly()
    };
    let id = house.heartbeat(1, &settings).await;
    let with = |kind, body: &str| Arrival {
        body: Some(body.as_bytes().to_vec()),
        body_bytes: body.len() as u64,
        ..signal(id, kind, START)
    };
    for (sent, body, recorded, phase, kept) in [
        (
            SignalKind::Success,
            "what",
            Ignored(IgnoredBecause::Keywords),
            Phase::New,
            0,
        ),
        (SignalKind::Success, "begin", Counted, Phase::New, 1),
        (SignalKind::Fail, "done", Counted, Phase::Up, 0),
        (
            SignalKind::Success,
            "done, with an ERROR",
            Counted,
            Phase::Down,
            2,
        ),
        (SignalKind::Log, "done", Counted, Phase::Up, 0),
    ] {
        let done = house.record(vec![with(sent, body)]).await;
        assert_eq!(done.recorded, [recorded], "{body}");
        assert_eq!(house.state(id).await.phase, phase, "{body}");
        let newest = format!("signal WHERE kind = {kept} AND id = (SELECT max(id) FROM signal)");
        assert_eq!(house.count(&newest), 1, "{body}");
    }
    let done = house.record(vec![success(id, START)]).await;
    assert_eq!(
        done.recorded,
        [Ignored(IgnoredBecause::Keywords)],
        "no body, no word"
    );
}

async fn words_in_a_mail_say_what_it_means_and_its_method_does_not(engine: Engine) {
    let house = House::on(engine).await;
    let keywords = Keywords {
        success: vec!["done".to_owned()],
        failure: vec!["ERROR".to_owned()],
        in_mail_subject: true,
        ..Keywords::default()
    };
    let settings = Settings {
        keywords: Some(Box::new(keywords)),
        post_only: true,
        ..hourly()
    };
    let id = house.heartbeat(1, &settings).await;
    let mail = |subject: &str| Arrival {
        method: Arrival::BY_MAIL,
        mail: Some(Box::new(Mail {
            subject: subject.to_owned(),
            text: b"done".to_vec(),
        })),
        ..success(id, START)
    };
    let done = house.record(vec![mail("what")]).await;
    assert_eq!(done.recorded, [Ignored(IgnoredBecause::Keywords)]);
    assert_eq!(house.record(vec![mail("done")]).await.recorded, [Counted]);
    assert_eq!(house.state(id).await.phase, Phase::Up);
    assert_eq!(house.record(vec![mail("ERROR")]).await.recorded, [Counted]);
    assert_eq!(house.state(id).await.phase, Phase::Down);
    assert_eq!(house.count("signal WHERE method = 'MAIL'"), 3);
}

async fn a_gap_that_comes_with_a_judgement_counts_in_it(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let away = gap(START + HOUR, START + 3 * HOUR);
    // Back for long enough to speak, not for long enough to be sure.
    let asof = START + 3 * HOUR + 11 * MINUTE;
    house.elapse(id, asof, vec![away]).await;
    let state = house.state(id).await;
    assert_eq!(state.phase, Phase::Unverified);
    assert_eq!(state.incident.unwrap().claim, Claim::Unverified);
    // Told again, it is stored once; and it is known to later judgements.
    house.elapse(id, asof, vec![away]).await;
    assert_eq!(house.count("gap"), 1);
    house.elapse(id, START + 9 * HOUR, vec![]).await;
    assert_eq!(house.state(id).await.phase, Phase::Down);
}

async fn without_a_gap_the_same_silence_is_a_down(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    house.elapse(id, deadline(), vec![]).await;
    assert_eq!(house.state(id).await.phase, Phase::Down);
}

async fn a_failure_opens_an_incident_and_tells_every_channel(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    let failed = Arrival {
        body: Some(b"copying\nno space left on device\n".to_vec()),
        body_bytes: 32,
        ..signal(id, SignalKind::Fail, START)
    };
    let done = house.record(vec![failed]).await;
    assert_eq!(done.deliveries, 2);
    assert_eq!(
        house.count("incident WHERE cause = 'failed' AND closed_at IS NULL"),
        1
    );
    assert_eq!(house.count("delivery WHERE state = 'queued'"), 2);
    assert_eq!(
        house.one::<i64>("SELECT count(DISTINCT channel) FROM delivery"),
        2
    );
    let snapshot: String = house.one("SELECT snapshot FROM delivery LIMIT 1");
    assert!(snapshot.contains("no space left on device"), "{snapshot}");
}

async fn the_state_and_all_that_follows_from_it_are_stored_together_or_not_at_all(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.refuse("delivery");
    let arrivals = vec![signal(id, SignalKind::Fail, START)];
    let refused = house.record(arrivals.clone()).await;
    assert_eq!(refused.recorded, [Broken]);
    for table in ["signal", "run", "incident", "delivery"] {
        assert_eq!(house.count(table), 0, "{table}");
    }
    assert_eq!(house.state(id).await.phase, Phase::New);

    house.allow("delivery");
    assert_eq!(house.record(arrivals).await.deliveries, 2);
    assert_eq!(house.state(id).await.signals, 1);
}

async fn a_down_that_was_claimed_too_early_is_counted_and_taken_back(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let judged = house.elapse(id, deadline() + MINUTE, vec![]).await;
    assert_eq!((judged.deliveries, judged.false_raises), (2, 0));
    // It had reached us in time: the judge was told otherwise.
    let late = house.record(vec![success(id, deadline() - MINUTE)]).await;
    assert_eq!(late.false_raises, 1);
    assert_eq!(house.state(id).await.phase, Phase::Up);
    assert_eq!(house.count("incident WHERE closing = 'retracted'"), 1);
}

async fn calls_take_effect_in_their_order_whoever_is_awaited_first(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let signalled = house.store.record(batch(vec![success(id, deadline())]));
    let judged = house.store.elapse(due(vec![id], deadline(), vec![]));
    let judged = judged.await.unwrap();
    assert_eq!(judged.deliveries, 0, "the signal came first");
    assert_eq!(signalled.await.unwrap().recorded, [Counted]);
    assert_eq!(house.count("incident"), 0);
}

async fn what_nobody_awaits_is_stored_all_the_same(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    drop(house.store.record(batch(vec![success(id, START)])));
    house.record(vec![]).await;
    assert_eq!(house.state(id).await.signals, 1);
}

async fn a_judgement_says_when_to_look_again_also_when_a_signal_has_moved_it_on(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    house.record(vec![success(id, START + HOUR)]).await;
    let done = house.elapse(id, deadline(), vec![]).await;
    let look_again = Watched {
        heartbeat: id,
        wake_at: Some(START + 3 * HOUR),
    };
    assert_eq!(done.watched, [look_again]);
    assert_eq!(done.deliveries, 0);
    let unknown = house.elapse(heartbeat_id(9), deadline(), vec![]).await;
    assert_eq!(unknown.watched, []);
}

/// Many deadlines in one second take several judgements; a signal must not slip in between and make one
/// unseen.
async fn a_deadline_whose_turn_has_not_come_is_told_before_the_signal_that_ends_it(engine: Engine) {
    let house = House::on(engine).await;
    let (early, late) = (
        house.heartbeat(1, &hourly()).await,
        house.heartbeat(2, &hourly()).await,
    );
    house
        .record(vec![success(early, START), success(late, START)])
        .await;
    let asof = deadline() + MINUTE;
    house.elapse(early, asof, vec![]).await;
    let done = house.record(vec![success(late, asof + MINUTE)]).await;
    assert_eq!(done.deliveries, 4, "down and up, on two channels");
    assert_eq!(done.false_raises, 0);
    let read = house.store.read(move |sql| {
        let query = "SELECT event FROM delivery WHERE heartbeat = $1 ORDER BY number";
        let rows = sql.query(query, &[late.into()])?;
        rows.iter()
            .map(|row| row.get(0))
            .collect::<Result<Vec<String>>>()
    });
    let events = read.await.unwrap();
    assert_eq!(events, ["down", "down", "up", "up"]);
    assert_eq!(house.state(late).await.phase, Phase::Up);
}

async fn a_batch_that_knows_of_all_earlier_signals_tells_the_deadline_too(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let knowing = |watermark, at| Record {
        watermark,
        ..batch(vec![success(id, at)])
    };
    // Exactly at the deadline is in time.
    let record = house.store.record(knowing(deadline() + MINUTE, deadline()));
    assert_eq!(record.await.unwrap().deliveries, 0);
    let at = deadline() + 2 * HOUR + MINUTE;
    let record = house.store.record(knowing(at, at));
    assert_eq!(record.await.unwrap().deliveries, 4, "down and up");
}

/// Nobody says yet that every signal up to the deadline has come: another may still be on its way.
async fn a_signal_alone_raises_no_alarm_about_the_time_before_it(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.record(vec![success(id, START)]).await;
    let done = house.record(vec![success(id, deadline() + MINUTE)]).await;
    assert_eq!(done.deliveries, 0);
    let done = house.record(vec![success(id, deadline() - MINUTE)]).await;
    assert_eq!((done.deliveries, done.false_raises), (0, 0));
}

async fn a_signal_to_a_heartbeat_whose_row_is_broken_is_not_stored(engine: Engine) {
    let house = House::on(engine).await;
    let id = house.heartbeat(1, &hourly()).await;
    house.raw("UPDATE heartbeat_state SET phase = 77");
    let done = house.record(vec![success(id, START)]).await;
    assert_eq!(done.recorded, [Broken]);
    assert_eq!(house.count("signal"), 0);
}
