//! Rows that this version cannot have written: the error names table, column and row.

use nightbeat_domain::HeartbeatId;
use nightbeat_store::StoreError;
use nightbeat_store::control::{deliveries, heartbeats, keys, signals};
use nightbeat_store::sql::Value;

use crate::world::{ALICE, Engine, World, at, first_page, named, on_each_engine};

on_each_engine!(
    a_broken_heartbeat_is_named_without_giving_its_secret_away,
    broken_settings_are_named,
    a_broken_signal_is_named,
    an_unknown_name_is_named,
    a_broken_delivery_is_named_by_its_number,
);

fn complaint<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Broken(text)) => text,
        other => panic!("expected a broken row, got {other:?}"),
    }
}

fn with_heartbeat(engine: Engine) -> (World, HeartbeatId) {
    let world = World::new(engine);
    let heartbeat = world.heartbeat(1, &named("backup"));
    (world, heartbeat)
}

fn a_broken_heartbeat_is_named_without_giving_its_secret_away(engine: Engine) {
    for (change, place) in [
        (
            "heartbeat SET tags = 'prod'",
            "table heartbeat, column tags",
        ),
        (
            "heartbeat SET channels = 'some'",
            "table heartbeat, column channels",
        ),
        (
            "heartbeat_state SET phase = 9",
            "table heartbeat_state, column phase",
        ),
        (
            "heartbeat_state SET failures = -1",
            "table heartbeat_state, column failures",
        ),
        (
            "heartbeat_state SET rare = '{'",
            "table heartbeat_state, column rare",
        ),
    ] {
        let (world, heartbeat) = with_heartbeat(engine);
        world.raw(&format!("UPDATE {change}"), &[]);
        let found = heartbeats::get(&mut world.sql(), ALICE, heartbeat).unwrap();
        let unreadable = found.unwrap().unreadable;
        let text = unreadable.problems.join("\n");
        assert_eq!(
            unreadable.state,
            place.contains("heartbeat_state"),
            "{text}"
        );
        assert!(!unreadable.settings, "{text}");
        assert!(
            text.contains(&format!("{place}, row 00000000…: ")),
            "{text}"
        );
        assert!(!text.contains(&heartbeat.to_string()), "{text}");
        let list = heartbeats::list(
            &mut world.sql(),
            ALICE,
            &heartbeats::Filter::default(),
            at(0),
            &first_page(9),
        );
        assert_eq!(list.unwrap().items[0].unreadable, unreadable);
    }
}

fn broken_settings_are_named(engine: Engine) {
    let (world, heartbeat) = with_heartbeat(engine);
    world.raw("UPDATE settings SET json = '{}'", &[]);
    let problems = || {
        let found = heartbeats::get(&mut world.sql(), ALICE, heartbeat).unwrap();
        let unreadable = found.unwrap().unreadable;
        assert!(unreadable.settings && !unreadable.state);
        unreadable.problems.join("\n")
    };
    let text = problems();
    assert!(
        text.contains("table settings, column json, row 1: missing field"),
        "{text}"
    );
    world.raw("UPDATE heartbeat_state SET settings = 77", &[]);
    let text = problems();
    assert!(
        text.contains("table settings, column id, row 77: is missing"),
        "{text}"
    );
}

fn a_broken_signal_is_named(engine: Engine) {
    for (change, column) in [
        ("kind = 4", "kind"),
        ("ignored = 5", "ignored"),
        ("exit_code = 256", "exit_code"),
        ("rid = $1", "rid"),
        ("metrics = '[]'", "metrics"),
        ("body_bytes = -1", "body_bytes"),
    ] {
        let (world, heartbeat) = with_heartbeat(engine);
        world.signal(heartbeat, 17, None);
        let short: &[Value] = if column == "rid" {
            &[Value::Blob(vec![0])]
        } else {
            &[]
        };
        world.raw(&format!("UPDATE signal SET {change}"), short);
        let text = complaint(signals::list(
            &mut world.sql(),
            ALICE,
            heartbeat,
            &first_page(9),
        ));
        let place = format!("table signal, column {column}, row 17: ");
        assert!(text.contains(&place), "{text}");
    }
}

fn an_unknown_name_is_named(engine: Engine) {
    let world = World::new(engine);
    let key = keys::Key {
        id: uuid::Uuid::from_u128(1 << 96),
        name: "key".to_owned(),
        scope: keys::Scope::ReadOnly,
        created_at: at(0),
        last_used_at: None,
    };
    keys::insert(&mut world.sql(), ALICE, &key, &[1; 32]).unwrap();
    world.raw("UPDATE api_key SET scope = 'admin'", &[]);
    let text = complaint(keys::find_by_hash(&mut world.sql(), &[1; 32]));
    let expected = "table api_key, column scope, row 00000001…: \"admin\" is not known";
    assert!(text.contains(expected), "{text}");
}

fn a_broken_delivery_is_named_by_its_number(engine: Engine) {
    let world = World::new(engine);
    world.raw(
        "INSERT INTO delivery (number, id, project, channel, heartbeat, event, digest, snapshot, state,
                               created_at, attempts, claim, fallback)
         VALUES (5, $2, $1, $1, $1, 'down', 0, '{}', 'lost', 0, 0, 0, 0)",
        &[ALICE.into(), Value::Blob(vec![5])],
    );
    let list = deliveries::list(
        &mut world.sql(),
        ALICE,
        &deliveries::Filter::default(),
        &first_page(9),
    );
    let text = complaint(list);
    assert!(
        text.contains("table delivery, column id, row 5: "),
        "{text}"
    );
}
