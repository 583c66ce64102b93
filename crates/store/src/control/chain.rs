//! Logs whose rows link back: each names the one before it of the same heartbeat.

use nightbeat_domain::{HeartbeatId, ProjectId};

use super::page::{Cursor, Page, PageRequest};
use super::query::select;
use crate::Result;
use crate::sql::{Row, Sql, Value};

/// A log of heartbeats.
pub(super) struct Chain {
    /// Its table, with the columns `id`, `previous` and `heartbeat`.
    pub(super) table: &'static str,
    /// The column of `heartbeat_state` that names the newest row.
    pub(super) head: &'static str,
    /// The columns to read; `id` and `previous` are the first two.
    pub(super) columns: &'static [&'static str],
    /// How many bytes of a row count against `bytes_max`, in SQL.
    pub(super) bytes: &'static str,
    /// A page ends with the row that brings it here.
    pub(super) bytes_max: i64,
}

impl Chain {
    /// The rows of one page, newest first, and where the next page begins. `None`: the project has no
    /// such heartbeat.
    pub(super) fn page<T>(
        &self,
        sql: &mut dyn Sql,
        (project, heartbeat): (ProjectId, HeartbeatId),
        request: &PageRequest,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<Page<T>>> {
        let head = format!(
            "SELECT heartbeat_state.{} FROM heartbeat
             JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id
             WHERE heartbeat.project = $1 AND heartbeat.id = $2",
            self.head
        );
        let Some(newest) = sql.first(&head, &[project.into(), heartbeat.into()])? else {
            return Ok(None);
        };
        let newest: Option<i64> = newest.get(0)?;
        let from = request.after().map(|cursor| cursor.number).or(newest);
        let rows = self.walk(sql, heartbeat, from, request.limit())?;
        let previous: Option<i64> = rows.last().map_or(Ok(None), |row| row.get(1))?;
        Ok(Some(Page {
            items: rows.iter().map(read).collect::<Result<_>>()?,
            next: match previous {
                Some(id) if self.holds(sql, heartbeat, id)? => Some(Cursor::number(id)),
                _ => None,
            },
        }))
    }

    /// From row `from` of the heartbeat back, newest first.
    pub(super) fn walk(
        &self,
        sql: &mut dyn Sql,
        heartbeat: HeartbeatId,
        from: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let Some(from) = from else {
            return Ok(Vec::new());
        };
        let params: [Value; 4] = [
            from.into(),
            heartbeat.into(),
            (limit as i64).into(),
            self.bytes_max.into(),
        ];
        sql.query(&self.statement(), &params)
    }

    /// From row `$1` of heartbeat `$2` back, at most `$3` rows, ending with the one that reaches `$4`
    /// bytes.
    fn statement(&self) -> String {
        let Self { table, bytes, .. } = self;
        let chain = format!(
            "WITH RECURSIVE chain (id, previous, depth, bytes) AS (
                 SELECT id, previous, 1, CAST({bytes} AS BIGINT) FROM {table} WHERE id = $1 AND heartbeat = $2
                 UNION ALL
                 SELECT {table}.id, {table}.previous, chain.depth + 1, chain.bytes + {bytes}
                 FROM chain JOIN {table} ON {table}.id = chain.previous
                 WHERE {table}.heartbeat = $2 AND chain.depth < $3 AND chain.bytes < $4
             ) "
        );
        let rest = format!("FROM chain JOIN {table} ON {table}.id = chain.id ORDER BY chain.depth");
        chain + &select(self.columns, &rest)
    }

    /// Old rows are pruned, so the last link may lead nowhere.
    fn holds(&self, sql: &mut dyn Sql, heartbeat: HeartbeatId, id: i64) -> Result<bool> {
        let query = format!(
            "SELECT 1 FROM {} WHERE id = $1 AND heartbeat = $2",
            self.table
        );
        Ok(sql.first(&query, &[id.into(), heartbeat.into()])?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::{runs, signals};
    use crate::migrate::migrate;
    use crate::sql::{Sql, Value};
    use crate::sqlite::portable::Portable;

    #[test]
    fn a_page_costs_look_ups_by_key_however_long_the_log() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut sql = Portable::new(&connection);
        for chain in [signals::CHAIN, runs::CHAIN] {
            let explain = format!("EXPLAIN QUERY PLAN {}", chain.statement());
            let params = [
                Value::Int(1),
                Value::Blob(vec![0]),
                Value::Int(9),
                Value::Int(9),
            ];
            let plan = sql.query(&explain, &params).unwrap();
            let steps: Vec<String> = plan.iter().map(|row| row.get(3).unwrap()).collect();
            let scan = format!("SCAN {}", chain.table);
            assert!(steps.iter().all(|step| !step.contains(&scan)), "{steps:#?}");
            let search = format!("SEARCH {} USING INTEGER PRIMARY KEY", chain.table);
            assert_eq!(
                steps.iter().filter(|step| step.contains(&search)).count(),
                3
            );
        }
    }
}
