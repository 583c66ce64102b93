//! What happens between the finding and the carrying out of a step.

use nightbeat_domain::{HeartbeatId, UnixMicros};
use rusqlite::Connection;
use uuid::Uuid;

use super::{Logs, Plan, PruneCursor, Retention, plan};
use crate::control::prune_removed;
use crate::migrate::migrate;
use crate::sql::Sql;
use crate::sqlite::portable::Portable;

const BEAT: HeartbeatId = HeartbeatId(Uuid::from_u128(7));
const HOUR: i64 = 3_600_000_000;
const A_MONTH_LATER: UnixMicros = UnixMicros(30 * 24 * HOUR);

/// A heartbeat with signals 1 to 20, ten hours apart. To stay are the newest ten, and 1 to 5 because of an
/// incident.
fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let rows = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        INSERT INTO signal (id, previous, heartbeat, kind, received_at, method, source, user_agent)
        SELECT i, nullif(i - 1, 0), $1, 0, i * 36000000000, 'GET', '', '' FROM n";
    let state = "
        INSERT INTO heartbeat_state (id, settings, phase, armed_at, failures, successes, signals, incidents,
                                     alerts, version, newest_signal)
        VALUES ($1, 1, 1, 0, 0, 0, 20, 0, 0, 0, 20)";
    let incident = "
        INSERT INTO incident (id, project, heartbeat, heartbeat_name, number, cause, claim, opened_at, closed_at,
                              alert)
        VALUES ($1, $1, $1, '', 1, 'failed', 'down', 36000000000, 180000000000, 'null')";
    for sql in [rows, state, incident] {
        let done = Portable::new(&connection).execute(sql, &[BEAT.into()]);
        assert!(done.unwrap() > 0);
    }
    connection
}

fn planned(sql: &mut dyn Sql) -> Plan {
    let retention = Retention {
        signals_max: 10,
        ..Retention::default()
    };
    let cursor = PruneCursor::default();
    plan(sql, &retention, A_MONTH_LATER, &cursor, Logs::Swept).unwrap()
}

fn signals(sql: &mut dyn Sql) -> i64 {
    let row = sql.first("SELECT count(*) FROM signal", &[]).unwrap();
    row.unwrap().get(0).unwrap()
}

#[test]
fn a_plan_that_is_carried_out_twice_changes_nothing_the_second_time() {
    let connection = database();
    let mut sql = Portable::new(&connection);
    let plan = planned(&mut sql);
    assert_eq!(plan.apply(&mut sql).unwrap(), 5);
    assert_eq!(plan.apply(&mut sql).unwrap(), 0);
    assert_eq!(signals(&mut sql), 15);
}

/// Its signals are then deleted from the newest on. Were some taken out of the middle all the same, the
/// older ones would be out of reach for ever.
#[test]
fn a_heartbeat_that_was_removed_meanwhile_is_left_to_the_other_prune() {
    for popped in [5, 10, 12, 17] {
        let connection = database();
        let mut sql = Portable::new(&connection);
        let plan = planned(&mut sql);
        sql.execute(
            "INSERT INTO removed_heartbeat SELECT id, newest_signal, NULL FROM heartbeat_state",
            &[],
        )
        .unwrap();
        sql.execute("DELETE FROM heartbeat_state", &[]).unwrap();
        prune_removed(&mut sql, popped).unwrap();
        plan.apply(&mut sql).unwrap();
        while prune_removed(&mut sql, 3).unwrap() > 0 {}
        assert_eq!(signals(&mut sql), 0, "after {popped}");
    }
}
