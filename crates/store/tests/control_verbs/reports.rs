//! Who wants reports and when they are due, and the figures that stand in them.

use nightbeat_domain::{HeartbeatId, IncidentId, Phase, ProjectId, State};
use nightbeat_store::control::accounts::{self, Account, Theme};
use nightbeat_store::control::figures::{self, Period, Runs};
use nightbeat_store::control::reports::{self, Report, Rhythm, Untold, Wish};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, named, on_each_engine, state};

on_each_engine!(
    a_wish_is_kept_and_changed,
    a_report_is_claimed_once_and_told_once,
    a_claim_that_is_void_hands_nothing_over,
    what_was_not_told_is_due_again,
    whoever_has_the_link_ends_them_and_nothing_else,
    reports_go_with_their_account,
    incidents_are_told_that_opened_or_ended_in_the_period,
    heartbeats_that_never_signalled_are_named,
    runs_are_counted_by_when_they_ended,
    runs_of_many_heartbeats_are_counted_in_parts,
    days_that_lie_in_the_period_count_whole,
);

const ANA: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);

fn world(engine: Engine) -> World {
    let world = World::new(engine);
    for (id, email) in [(ANA, "ana@example.org"), (BEN, "ben@example.org")] {
        let account = Account {
            id,
            email: email.to_owned(),
            password_hash: None,
            created_at: at(0),
            verified_at: None,
            theme: Theme::System,
            time_zone: None,
        };
        accounts::create(&mut world.sql(), &account).unwrap();
    }
    world
}

fn choose(world: &World, account: Uuid, rhythm: Option<Rhythm>, hour: u8, next_at: Option<i64>) {
    let wish = Wish {
        rhythm,
        hour,
        next_at: next_at.map(at),
        fresh_secret: format!("secret {account} {hour}"),
    };
    reports::choose(&mut world.sql(), account, &wish).unwrap();
}

fn get(world: &World, account: Uuid) -> Report {
    reports::get(&mut world.sql(), account).unwrap().unwrap()
}

fn due(world: &World, now: i64) -> Vec<Uuid> {
    reports::due(&mut world.sql(), at(now), 10).unwrap()
}

fn claim(world: &World, row: (Uuid, i64), now: i64, until: i64) -> bool {
    reports::claim(&mut world.sql(), row, at(now), at(until)).unwrap()
}

fn hand_over(world: &World, row: (Uuid, i64), told_until: i64, next_at: i64) -> bool {
    let (told_until, next_at, now) = (at(told_until), at(next_at), at(told_until + 3));
    reports::hand_over(&mut world.sql(), row, told_until, next_at, now).unwrap()
}

fn a_wish_is_kept_and_changed(engine: Engine) {
    let world = world(engine);
    assert_eq!(reports::get(&mut world.sql(), ANA).unwrap(), None);
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(100));
    let first = get(&world, ANA);
    assert_eq!(
        (first.rhythm, first.hour, first.next_at, first.told_until),
        (Some(Rhythm::Daily), 8, Some(at(100)), None)
    );
    assert!(!format!("{first:?}").contains("secret"), "{first:?}");
    assert!(claim(&world, (ANA, 0), 100, 200));
    assert!(hand_over(&world, (ANA, 1), 100, 300));
    // Another hour: what was told stays told. Another rhythm tells of its own period.
    choose(&world, ANA, Some(Rhythm::Daily), 20, Some(250));
    let later = get(&world, ANA);
    assert_eq!(
        (later.hour, later.next_at, later.told_until),
        (20, Some(at(250)), Some(at(100)))
    );
    assert_eq!(
        later.secret, first.secret,
        "links in older mails go on working"
    );
    choose(&world, ANA, Some(Rhythm::Monthly), 20, Some(900));
    assert_eq!(get(&world, ANA).told_until, None);
    choose(&world, ANA, None, 20, None);
    let none = get(&world, ANA);
    assert_eq!((none.rhythm, none.next_at), (None, None));
    assert_eq!(due(&world, 10_000), Vec::<Uuid>::new());
}

fn a_report_is_claimed_once_and_told_once(engine: Engine) {
    let world = world(engine);
    choose(&world, ANA, Some(Rhythm::Weekly), 8, Some(100));
    choose(&world, BEN, Some(Rhythm::Daily), 8, Some(90));
    assert_eq!(due(&world, 89), Vec::<Uuid>::new());
    assert_eq!(due(&world, 99), [BEN]);
    assert_eq!(due(&world, 100), [BEN, ANA]);
    assert!(!claim(&world, (ANA, 0), 99, 400), "it is not due");
    assert!(claim(&world, (ANA, 0), 100, 400));
    assert!(!claim(&world, (ANA, 0), 100, 400), "another node has it");
    assert_eq!(due(&world, 399), [BEN]);
    let claimed = get(&world, ANA);
    assert_eq!((claimed.claim, claimed.attempts), (1, 1));
    assert!(hand_over(&world, (ANA, 1), 100, 700));
    let told = get(&world, ANA);
    assert_eq!(
        (told.told_until, told.next_at, told.sent_at, told.attempts),
        (Some(at(100)), Some(at(700)), Some(at(103)), 0)
    );
    assert_eq!(due(&world, 699), [BEN]);
}

fn a_claim_that_is_void_hands_nothing_over(engine: Engine) {
    let world = world(engine);
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(100));
    assert!(claim(&world, (ANA, 0), 100, 400));
    // Its node stood still until the claim was over, and another one has taken it.
    assert!(claim(&world, (ANA, 1), 400, 800));
    assert!(!hand_over(&world, (ANA, 1), 100, 700));
    assert!(hand_over(&world, (ANA, 2), 100, 700));
    let untold = Untold {
        told_until: None,
        sent_at: None,
        attempts: 1,
        next_at: at(500),
        problem: "no such user".to_owned(),
    };
    reports::untold(&mut world.sql(), (ANA, 1), &untold).unwrap();
    assert_eq!(get(&world, ANA).told_until, Some(at(100)));
    // Nor is one sent that nobody wants any more, or that is due at another time now.
    assert!(claim(&world, (ANA, 2), 700, 900));
    choose(&world, ANA, None, 8, None);
    assert!(!hand_over(&world, (ANA, 3), 700, 1_300));
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(900));
    assert!(claim(&world, (ANA, 5), 900, 1_000));
    reports::move_to(&mut world.sql(), ANA, at(1_200)).unwrap();
    assert!(!hand_over(&world, (ANA, 6), 900, 1_500));
    assert_eq!(due(&world, 1_199), Vec::<Uuid>::new());
}

fn what_was_not_told_is_due_again(engine: Engine) {
    let world = world(engine);
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(100));
    assert!(claim(&world, (ANA, 0), 100, 400));
    assert!(hand_over(&world, (ANA, 1), 100, 700));
    let untold = Untold {
        told_until: None,
        sent_at: None,
        attempts: 1,
        next_at: at(160),
        problem: "451 try again later".to_owned(),
    };
    reports::untold(&mut world.sql(), (ANA, 1), &untold).unwrap();
    let again = get(&world, ANA);
    assert_eq!(
        (again.told_until, again.sent_at, again.attempts),
        (None, None, 1)
    );
    assert_eq!(again.problem.as_deref(), Some("451 try again later"));
    assert_eq!(due(&world, 160), [ANA]);
    reports::put_off(&mut world.sql(), (ANA, 1), at(700)).unwrap();
    assert_eq!(due(&world, 699), Vec::<Uuid>::new());
    assert_eq!(get(&world, ANA).attempts, 0);
    assert!(claim(&world, (ANA, 1), 700, 900));
    assert!(hand_over(&world, (ANA, 2), 700, 1_300));
    reports::in_doubt(&mut world.sql(), (ANA, 2), "no answer").unwrap();
    let doubt = get(&world, ANA);
    assert_eq!(
        (doubt.told_until, doubt.problem.as_deref()),
        (Some(at(700)), Some("no answer"))
    );
}

fn whoever_has_the_link_ends_them_and_nothing_else(engine: Engine) {
    let world = world(engine);
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(100));
    choose(&world, BEN, Some(Rhythm::Daily), 8, Some(100));
    let secret = get(&world, ANA).secret;
    let found = reports::by_secret(&mut world.sql(), &secret).unwrap();
    assert_eq!(found.map(|report| report.account), Some(ANA));
    assert_eq!(reports::by_secret(&mut world.sql(), "guess").unwrap(), None);
    assert!(!reports::end(&mut world.sql(), "guess").unwrap());
    assert!(claim(&world, (ANA, 0), 100, 400));
    assert!(reports::end(&mut world.sql(), &secret).unwrap());
    assert!(
        reports::end(&mut world.sql(), &secret).unwrap(),
        "twice is once"
    );
    assert!(!hand_over(&world, (ANA, 1), 100, 700));
    assert_eq!(due(&world, 10_000), [BEN]);
}

fn reports_go_with_their_account(engine: Engine) {
    let world = world(engine);
    choose(&world, ANA, Some(Rhythm::Daily), 8, Some(100));
    world.raw("DELETE FROM account WHERE id = $1", &[ANA.into()]);
    assert_eq!(due(&world, 10_000), Vec::<Uuid>::new());
}

fn incident(
    world: &World,
    (project, heartbeat): (ProjectId, HeartbeatId),
    number: u32,
    opened: i64,
    closed: Option<i64>,
) {
    world.raw(
        "INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at,
                               closed_at, closing, alert)
         VALUES ($1, $2, $3, 'backup', $4, 'missed', 'unverified', $5, $6, NULL, 'null')",
        &[
            IncidentId::derive(heartbeat, number).into(),
            project.into(),
            heartbeat.into(),
            number.into(),
            at(opened).into(),
            closed.map(at).into(),
        ],
    );
}

fn incidents_are_told_that_opened_or_ended_in_the_period(engine: Engine) {
    let world = World::new(engine);
    let backup = world.heartbeat(1, &named("backup"));
    let gone = HeartbeatId(Uuid::from_u128(77));
    incident(&world, (ALICE, backup), 1, 100, Some(199)); // over before
    incident(&world, (ALICE, backup), 2, 150, Some(250)); // ended in it
    incident(&world, (ALICE, backup), 3, 160, None); // open all the time
    incident(&world, (ALICE, backup), 4, 200, Some(210)); // opened and ended
    incident(&world, (ALICE, gone), 1, 299, None); // opened, and its heartbeat was removed
    incident(&world, (ALICE, backup), 5, 300, None); // after it
    incident(&world, (ALICE, backup), 6, 170, Some(310)); // went on beyond it
    incident(&world, (MALLORY, gone), 2, 250, None);
    let period = Period {
        from: at(200),
        to: at(300),
    };
    let found = figures::incidents(&mut world.sql(), ALICE, period).unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.opened_at, one.closed_at, one.slug.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (at(299), None, None),
            (at(200), Some(at(210)), Some("backup")),
            (at(170), Some(at(310)), Some("backup")),
            (at(150), Some(at(250)), Some("backup")),
        ]
    );
    assert_eq!(found[0].name, "backup");
}

fn heartbeats_that_never_signalled_are_named(engine: Engine) {
    let world = World::new(engine);
    world.heartbeat(10, &named("silent"));
    let heard = State {
        signals: 1,
        ..state()
    };
    world.heartbeat_in(11, &named("heard of"), &heard);
    let paused = State {
        phase: Phase::Paused,
        ..state()
    };
    world.heartbeat_in(12, &named("paused"), &paused);
    world.heartbeat(13, &named("too new"));
    let never = |project| figures::never_signalled(&mut world.sql(), project, at(13)).unwrap();
    let (count, found) = never(ALICE);
    let names: Vec<_> = found.iter().map(|one| one.slug.as_str()).collect();
    assert_eq!((count, names), (1, vec!["silent"]));
    assert_eq!(never(MALLORY), (0, Vec::new()));
    for number in 20..40 {
        world.heartbeat(number, &named(&format!("job {number}")));
    }
    let (count, found) = figures::never_signalled(&mut world.sql(), ALICE, at(99)).unwrap();
    assert_eq!((count, found.len()), (22, figures::NAMES_MAX as usize));
}

/// A run as the hot path writes it.
fn run(world: &World, heartbeat: HeartbeatId, id: i64, ended: i64, outcome: i64) {
    world.raw(
        "INSERT INTO run (id, previous, heartbeat, ended_at, outcome)
         VALUES ($1, (SELECT newest_run FROM heartbeat_state WHERE id = $2), $2, $3, $4)",
        &[
            id.into(),
            heartbeat.into(),
            at(ended).into(),
            outcome.into(),
        ],
    );
    world.raw(
        "UPDATE heartbeat_state SET newest_run = $2 WHERE id = $1",
        &[heartbeat.into(), id.into()],
    );
}

fn all_runs(world: &World, project: ProjectId, period: Period) -> (Runs, u64, u32) {
    let (mut runs, mut heartbeats, mut parts, mut after) = (Runs::default(), 0, 0, None);
    loop {
        let part = figures::runs(&mut world.sql(), project, period, after).unwrap();
        runs.ok += part.runs.ok;
        runs.warning += part.runs.warning;
        runs.failed += part.runs.failed;
        heartbeats += part.heartbeats;
        parts += 1;
        after = part.next;
        if after.is_none() {
            return (runs, heartbeats, parts);
        }
    }
}

fn runs_are_counted_by_when_they_ended(engine: Engine) {
    let world = World::new(engine);
    let backup = world.heartbeat(1, &named("backup"));
    let (from, to) = (1_000, 2_000);
    // In the order of arrival: two of them were delivered late.
    for (id, ended, outcome) in [
        (1, 900, 0),
        (2, 1_000, 0),
        (3, 1_100, 2),
        (4, 800, 0),
        (5, 700, 2),
        (6, 1_200, 1),
        (7, 1_999, 0),
        (8, 2_000, 0),
    ] {
        run(&world, backup, id, ended, outcome);
    }
    let period = Period {
        from: at(from),
        to: at(to),
    };
    let expected = Runs {
        ok: 2,
        warning: 1,
        failed: 1,
    };
    assert_eq!(all_runs(&world, ALICE, period), (expected, 1, 1));
    assert_eq!(all_runs(&world, MALLORY, period), (Runs::default(), 0, 1));
}

fn runs_of_many_heartbeats_are_counted_in_parts(engine: Engine) {
    let world = World::new(engine);
    let many = figures::HEARTBEATS_AT_ONCE * 2 + 1;
    for number in 1..=many {
        let id = world.heartbeat(number, &named(&format!("job {number}")));
        run(&world, id, i64::from(number), 1_500, 0);
    }
    let period = Period {
        from: at(1_000),
        to: at(2_000),
    };
    let (runs, heartbeats, parts) = all_runs(&world, ALICE, period);
    assert_eq!((runs.ok, heartbeats), (u64::from(many), u64::from(many)));
    assert_eq!(parts, 3);
}

fn days_that_lie_in_the_period_count_whole(engine: Engine) {
    const DAY: i64 = 86_400;
    let world = World::new(engine);
    let backup = world.heartbeat(1, &named("backup"));
    for day in 0..4_i64 {
        world.raw(
            "INSERT INTO run_day (heartbeat, day, ok, warning, failed, timed, duration_total, duration_longest)
             VALUES ($1, $2, 100, 10, 1, 0, 0, 0)",
            &[backup.into(), day.into()],
        );
    }
    run(&world, backup, 1, 3 * DAY - 1, 0);
    // From the middle of the first day to the middle of the last.
    let period = Period {
        from: at(DAY / 2),
        to: at(3 * DAY + DAY / 2),
    };
    let expected = Runs {
        ok: 201,
        warning: 20,
        failed: 2,
    };
    assert_eq!(all_runs(&world, ALICE, period).0, expected);
}
