//! What people write about incidents: what they saw, what they did. Notes are kept as long as their incident,
//! and never changed.

use std::collections::HashMap;

use nightbeat_domain::{IncidentId, ProjectId, UnixMicros};
use uuid::Uuid;

use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError};

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: Uuid,
    /// When it was written.
    pub at: UnixMicros,
    /// By whom: the account's e-mail address as it was then, or a key's name.
    pub who: String,
    /// What it says.
    pub text: String,
}

/// The most notes of one incident.
pub const NOTES_MAX: i64 = 200;

/// How many incidents one query asks about.
const INCIDENTS_AT_ONCE: usize = 100;

const COLUMNS: [&str; 5] = [
    "incident_note.id",
    "incident_note.incident",
    "incident_note.at",
    "incident_note.who",
    "incident_note.text",
];

/// Adds a note to an incident, open or over; whether the project has such a one.
/// [`Conflict`](StoreError::Conflict) when it has [`NOTES_MAX`] already.
pub fn add(
    sql: &mut dyn Sql,
    project: ProjectId,
    incident: IncidentId,
    note: &Note,
) -> Result<bool> {
    let known = "SELECT 1 FROM incident WHERE project = $1 AND id = $2";
    let known = sql.first(known, &[project.into(), incident.into()])?;
    if known.is_none() {
        return Ok(false);
    }
    let count = "SELECT count(*) FROM incident_note WHERE incident = $1";
    let count = sql.first(count, &[incident.into()])?;
    let count: i64 = count.map_or(Ok(0), |row| row.get(0))?;
    if count >= NOTES_MAX {
        let problem = format!("this incident has {NOTES_MAX} notes already, and takes no more");
        return Err(StoreError::Conflict(problem));
    }
    sql.execute(
        "INSERT INTO incident_note (id, incident, at, who, text) VALUES ($1, $2, $3, $4, $5)",
        &[
            note.id.into(),
            incident.into(),
            note.at.into(),
            note.who.as_str().into(),
            note.text.as_str().into(),
        ],
    )?;
    Ok(true)
}

/// The notes of these incidents, which were found through their project; the oldest of each first.
pub fn of(sql: &mut dyn Sql, incidents: &[IncidentId]) -> Result<HashMap<IncidentId, Vec<Note>>> {
    let mut notes: HashMap<IncidentId, Vec<Note>> = HashMap::new();
    for some in incidents.chunks(INCIDENTS_AT_ONCE) {
        // Always as many parameters, so that the statement is prepared once; the same one again finds nothing
        // new.
        let asked = some.iter().chain(some.last().into_iter().cycle());
        let params: Vec<Value> = asked
            .take(INCIDENTS_AT_ONCE)
            .map(|id| (*id).into())
            .collect();
        for row in sql.query(&of_statement(), &params)? {
            let (incident, note) = read(&row)?;
            notes.entry(incident).or_default().push(note);
        }
    }
    Ok(notes)
}

fn of_statement() -> String {
    let places: Vec<String> = (1..=INCIDENTS_AT_ONCE)
        .map(|place| format!("${place}"))
        .collect();
    format!(
        "SELECT {} FROM incident_note WHERE incident_note.incident IN ({})
         ORDER BY incident_note.incident, incident_note.at, incident_note.id",
        COLUMNS.join(", "),
        places.join(", ")
    )
}

fn read(row: &Row) -> Result<(IncidentId, Note)> {
    let fields = Fields::new(&COLUMNS, row);
    let note = Note {
        id: fields.get("incident_note.id")?,
        at: fields.get("incident_note.at")?,
        who: fields.get("incident_note.who")?,
        text: fields.get("incident_note.text")?,
    };
    Ok((fields.get("incident_note.incident")?, note))
}
