//! What the conformance tests cannot see: several nodes, faults, and memory that is freed.

use std::time::Duration;

use nightbeat_domain::nodes::{Lease, NodeId};
use nightbeat_domain::{
    ChannelId, Gap, GapKind, HeartbeatId, Phase, ProjectId, Schedule, Settings, Signal, SignalKind,
    State, UnixMicros,
};
use nightbeat_store::control::channels::Channel;
use nightbeat_store::control::heartbeats::{Details, New};
use nightbeat_store::control::projects::Project;
use nightbeat_store::hot::{Done, Elapse, Record};
use nightbeat_store::outbox::{Claim, DeliveryEnding, FinishedDelivery};
use nightbeat_store::{Arrival, Recorded, StoreError, Target};
use uuid::Uuid;

use super::{Change, Error, Fault, Held, Model, Result};

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
const CHANNEL: ChannelId = ChannelId(Uuid::from_u128(2));
const BACKUP: HeartbeatId = HeartbeatId(Uuid::from_u128(3));
const ONE: NodeId = NodeId(Uuid::from_u128(11));
const TWO: NodeId = NodeId(Uuid::from_u128(12));

/// Seconds after the beginning. The backup is created at 0 and runs each minute, with ten seconds of grace.
fn at(seconds: i64) -> UnixMicros {
    UnixMicros::from_seconds(1_700_000_000 + seconds)
}

fn house() -> Model {
    let mut model = Model::new();
    let project = Project {
        id: PROJECT,
        name: "home".to_owned(),
        ping_key: "key".to_owned(),
        fallback_channel: None,
        created_at: at(0),
    };
    model.create_project(&project).unwrap();
    let channel = Channel {
        id: CHANNEL,
        name: "phone".to_owned(),
        kind: "webhook".to_owned(),
        fields: [].into(),
        created_at: at(0),
        version: 1,
    };
    model.insert_channel(PROJECT, &channel).unwrap();
    let mut settings = Settings::new(Schedule::every_seconds(60).unwrap());
    settings.grace = Duration::from_secs(10);
    let new = New {
        id: BACKUP,
        details: &Details::default(),
        settings: &settings,
        state: &State::new(&settings, at(0)),
        created_at: at(0),
    };
    model.insert_heartbeat(PROJECT, &new).unwrap();
    model
}

fn held(lease: Lease, seconds: i64) -> Held {
    let now = at(seconds);
    Held { lease, now }
}

fn success(seconds: i64) -> Arrival {
    Arrival {
        target: Target::Id(BACKUP),
        signal: Signal::new(SignalKind::Success, at(seconds)),
        nonce: None,
        method: "POST",
        source: String::new(),
        user_agent: String::new(),
        body: None,
        body_bytes: 0,
        mail: None,
    }
}

/// A node records a success of its own second.
fn record(model: &mut Model, lease: Option<Lease>, seconds: i64) -> Result<Done> {
    let batch = Record {
        arrivals: vec![success(seconds)],
        watermark: at(seconds),
        gaps: Vec::new(),
        now: at(seconds),
    };
    model.record(lease.map(|lease| held(lease, seconds)), &batch)
}

fn elapse(model: &mut Model, lease: Option<Lease>, seconds: i64) -> Result<Done> {
    let due = Elapse {
        heartbeats: vec![BACKUP],
        asof: at(seconds),
        gaps: Vec::new(),
        now: at(seconds),
    };
    model.elapse(lease.map(|lease| held(lease, seconds)), &due)
}

fn beat(model: &mut Model, lease: Lease, seconds: i64) -> Result<Done> {
    let batch = Record {
        arrivals: Vec::new(),
        watermark: at(seconds),
        gaps: Vec::new(),
        now: at(seconds),
    };
    model.record(Some(held(lease, seconds)), &batch)
}

fn phase(model: &Model) -> Phase {
    model.state(BACKUP).unwrap().phase
}

/// Two nodes that joined at 0; the backup was heard by the first at 1 s and is due by 71 s.
fn two_nodes() -> (Model, Lease, Lease) {
    let mut model = house();
    let one = model.join(ONE, at(0)).unwrap();
    let two = model.join(TWO, at(0)).unwrap();
    record(&mut model, Some(one), 1).unwrap();
    for second in 1..=70 {
        beat(&mut model, one, second).unwrap();
        beat(&mut model, two, second).unwrap();
    }
    model.take_changes();
    (model, one, two)
}

#[test]
fn nothing_is_judged_that_another_node_may_have_heard() {
    let (mut model, one, two) = two_nodes();
    let done = elapse(&mut model, Some(one), 72).unwrap();
    assert_eq!((phase(&model), done.deliveries), (Phase::Up, 0));
    // It had heard the job, and only stores it now.
    let late = Record {
        arrivals: vec![success(71)],
        watermark: at(72),
        gaps: Vec::new(),
        now: at(73),
    };
    model.record(Some(held(two, 73)), &late).unwrap();
    elapse(&mut model, Some(one), 73).unwrap();
    assert_eq!(phase(&model), Phase::Up);
}

#[test]
fn it_is_judged_once_every_node_has_come_so_far() {
    let (mut model, one, two) = two_nodes();
    beat(&mut model, two, 72).unwrap();
    let done = elapse(&mut model, Some(one), 72).unwrap();
    assert_eq!((phase(&model), done.deliveries), (Phase::Down, 1));
}

#[test]
fn a_lost_node_is_a_gap_and_no_down_is_claimed_across_it() {
    let (mut model, one, two) = two_nodes();
    for second in 71..=79 {
        beat(&mut model, one, second).unwrap();
        elapse(&mut model, Some(one), second).unwrap();
        assert_eq!(phase(&model), Phase::Up, "the other one holds it back");
    }
    let done = elapse(&mut model, Some(one), 80).unwrap();
    let gap = Gap {
        from: at(70),
        to: at(80),
        kind: GapKind::Stopped,
    };
    assert_eq!(model.gaps().all(), [gap]);
    assert_eq!((phase(&model), done.deliveries), (Phase::Up, 0));
    // What it received, it cannot store any more.
    let refused = record(&mut model, Some(two), 80);
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    assert_eq!(model.state(BACKUP).unwrap().signals, 1);
    for second in (85..=140).step_by(5) {
        beat(&mut model, one, second).unwrap();
        elapse(&mut model, Some(one), second).unwrap();
    }
    assert_eq!(phase(&model), Phase::Unverified);
}

#[test]
fn a_fenced_node_neither_claims_nor_finishes() {
    let (mut model, one, two) = two_nodes();
    beat(&mut model, two, 72).unwrap();
    elapse(&mut model, Some(one), 72).unwrap();
    let wish = Claim {
        now: at(73),
        lease_until: at(193),
        per_channel: 10,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    };
    let claimed = model.claim(Some(held(two, 73)), &wish).unwrap();
    assert_eq!(claimed.len(), 1);
    let ended = FinishedDelivery {
        number: claimed[0].number,
        claim: claimed[0].claim,
        began_at: at(74),
        took: Duration::ZERO,
        ending: DeliveryEnding::Sent {
            detail: "200".to_owned(),
        },
    };
    for second in [78, 85, 90] {
        beat(&mut model, one, second).unwrap();
    }
    let late = model.finish(Some(held(two, 90)), std::slice::from_ref(&ended));
    assert!(matches!(late, Err(Error::Fenced(_))), "{late:?}");
    let late = model.claim(Some(held(two, 90)), &wish);
    assert!(matches!(late, Err(Error::Fenced(_))), "{late:?}");
    assert_eq!(model.deliveries_waiting(), 1);
    let again = model.join(TWO, at(91)).unwrap();
    model.finish(Some(held(again, 92)), &[ended]).unwrap();
    assert_eq!(model.deliveries_waiting(), 0);
}

#[test]
fn what_a_lost_node_was_sending_is_free_when_its_claim_runs_out() {
    let (mut model, one, two) = two_nodes();
    beat(&mut model, two, 72).unwrap();
    elapse(&mut model, Some(one), 72).unwrap();
    let wish = |seconds| Claim {
        now: at(seconds),
        lease_until: at(seconds + 120),
        per_channel: 10,
        skip: Vec::new(),
        digest_kinds: Vec::new(),
    };
    assert_eq!(
        model.claim(Some(held(one, 73)), &wish(73)).unwrap().len(),
        1
    );
    // The other one restarts: the first one may be sending still.
    let again = model.join(TWO, at(75)).unwrap();
    assert_eq!(model.claim(Some(held(again, 76)), &wish(76)).unwrap(), []);
    // Nobody has heard of it for long, but it may be sending all the same.
    let back = model.join(TWO, at(100)).unwrap();
    assert_eq!(model.claim(Some(held(back, 101)), &wish(101)).unwrap(), []);
    // Its claim has run out.
    let back = model.join(TWO, at(192)).unwrap();
    let claimed = model.claim(Some(held(back, 193)), &wish(193)).unwrap();
    assert_eq!((claimed.len(), claimed[0].attempts), (1, 2));
}

#[test]
fn who_leaves_cleanly_holds_nobody_back() {
    let (mut model, one, two) = two_nodes();
    model.leave(held(two, 70), &[]).unwrap();
    elapse(&mut model, Some(one), 72).unwrap();
    assert_eq!((phase(&model), model.gaps().all()), (Phase::Down, &[][..]));
}

#[test]
fn when_everybody_was_away_the_gap_begins_at_the_last_word() {
    let (mut model, one, two) = two_nodes();
    model.leave(held(one, 70), &[]).unwrap();
    model.leave(held(two, 71), &[]).unwrap();
    let back = model.join(TWO, at(500)).unwrap();
    let gap = Gap {
        from: at(71),
        to: at(500),
        kind: GapKind::Stopped,
    };
    assert_eq!(model.gaps().all(), [gap]);
    elapse(&mut model, Some(back), 501).unwrap();
    assert_eq!(phase(&model), Phase::Up, "the job may come back yet");
}

#[test]
fn a_refused_batch_is_a_gap_before_the_next_decision() {
    let mut model = house();
    model.open_alone();
    record(&mut model, None, 1).unwrap();
    model.fail_next(Fault::Refuse);
    let refused = record(&mut model, None, 61);
    assert!(matches!(
        refused,
        Err(Error::Store(StoreError::Unavailable(_)))
    ));
    elapse(&mut model, None, 72).unwrap();
    let gaps = model.gaps().all();
    assert_eq!((gaps[0].from, gaps[0].kind), (at(61), GapKind::Storage));
    assert_ne!(phase(&model), Phase::Down);
}

#[test]
fn a_lost_answer_leaves_everything_stored() {
    let mut model = house();
    model.open_alone();
    model.fail_next(Fault::LoseAnswer);
    let unknown = record(&mut model, None, 1);
    assert!(matches!(unknown, Err(Error::Store(StoreError::Unknown(_)))));
    assert_eq!(model.state(BACKUP).unwrap().signals, 1);
    let changes = model.take_changes();
    assert!(matches!(changes[..], [Change::Signal { number: 1, .. }]));
}

#[test]
fn a_crash_takes_what_only_the_writer_knew() {
    let mut model = house();
    model.open_alone();
    record(&mut model, None, 1).unwrap();
    model.fail_next(Fault::Refuse);
    record(&mut model, None, 61).unwrap_err();
    model.crash(None);
    assert_eq!(model.open_alone(), Some(at(1)));
    elapse(&mut model, None, 72).unwrap();
    assert_eq!(model.gaps().all(), []);
}

#[test]
fn what_is_forgotten_changes_no_decision() {
    let mut model = house();
    model.open_alone();
    for second in 0..1_000 {
        let done = record(&mut model, None, second * 60).unwrap();
        assert_eq!(done.recorded, [Recorded::Counted]);
    }
    let before = model.state(BACKUP).cloned();
    model.forget_before(at(59_000));
    assert_eq!(model.state(BACKUP).cloned(), before);
    let dump = model.dump();
    assert_eq!(dump.heartbeats[0].signals.len(), 16);
    assert_eq!(dump.heartbeats[0].runs.len(), 16);
    record(&mut model, None, 60_000).unwrap();
    assert_eq!(model.dump().heartbeats[0].signals.len(), 17);
}

#[test]
fn a_gap_is_kept_as_long_as_a_heartbeat_is_silent_since_before_it() {
    let mut model = house();
    model.open_alone();
    record(&mut model, None, 1).unwrap();
    model.fail_next(Fault::Refuse);
    record(&mut model, None, 61).unwrap_err();
    elapse(&mut model, None, 72).unwrap();
    let gaps = model.gaps().all().to_vec();
    assert_eq!(gaps.len(), 1);
    model.forget_before(at(1_000_000));
    assert_eq!(model.gaps().all(), gaps);
    record(&mut model, None, 5_000).unwrap();
    model.forget_before(at(1_000_000));
    assert_eq!(model.gaps().all(), []);
}

#[cfg(feature = "mutants")]
mod mutants {
    use super::*;
    use crate::model::ModelMutant;

    #[test]
    fn without_partial_gaps_a_lost_node_makes_a_false_down() {
        let (mut model, one, _) = two_nodes();
        model.mutate(Some(ModelMutant::NoPartialGap));
        for second in 71..=80 {
            beat(&mut model, one, second).unwrap();
        }
        elapse(&mut model, Some(one), 80).unwrap();
        assert_eq!(phase(&model), Phase::Down);
    }

    #[test]
    fn without_a_fence_a_lost_node_still_writes() {
        let (mut model, one, two) = two_nodes();
        for second in 71..=80 {
            beat(&mut model, one, second).unwrap();
        }
        elapse(&mut model, Some(one), 80).unwrap();
        model.mutate(Some(ModelMutant::UnfencedLease));
        record(&mut model, Some(two), 81).unwrap();
        assert_eq!(model.state(BACKUP).unwrap().signals, 2);
    }

    #[test]
    fn a_split_transition_can_lose_its_deliveries() {
        let mut model = house();
        model.open_alone();
        record(&mut model, None, 1).unwrap();
        model.mutate(Some(ModelMutant::SplitTransition));
        assert_eq!(elapse(&mut model, None, 72).unwrap().deliveries, 1);
        assert_eq!(
            (phase(&model), model.deliveries_waiting()),
            (Phase::Down, 0)
        );
        assert!(model.has_second_half());
        let mut crashed = house();
        crashed.lose_second_half();
        model.commit_second_half().unwrap();
        assert_eq!(model.deliveries_waiting(), 1);
    }

    #[test]
    fn a_judgement_that_compares_the_status_only_makes_a_false_down() {
        let mut model = house();
        model.open_alone();
        record(&mut model, None, 1).unwrap();
        model.mutate(Some(ModelMutant::StatusOnly));
        let due = Elapse {
            heartbeats: vec![BACKUP],
            asof: at(72),
            gaps: Vec::new(),
            now: at(72),
        };
        let read = model.elapse_read(&due);
        record(&mut model, None, 71).unwrap();
        model.elapse_write(None, &due, &read).unwrap();
        assert_eq!(phase(&model), Phase::Down);
        let state = model.state(BACKUP).unwrap();
        assert!(
            state.expected_at.unwrap() > at(72),
            "down, with a deadline ahead"
        );
    }
}
