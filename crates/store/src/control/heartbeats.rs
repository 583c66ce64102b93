//! Heartbeats: what a person sees and edits, read together with the state that signals change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use nightbeat_domain::{HeartbeatId, ProjectId, Settings, State, Status, UnixMicros};

use super::page::{Cursor, Page, PageRequest};
use super::query::{Query, contains};
use super::{Routing, channels, settings, taken};
use crate::codec::{Columns, json, phase_code};
use crate::fields::Fields;
use crate::sql::{Row, Sql, Value};
use crate::{Result, StoreError, broken, effects};

/// What a person edits, besides the [`Settings`] that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Its name.
    pub name: String,
    /// What stands for it in slug URLs; [`is_slug`](super::is_slug) holds. Several heartbeats may share
    /// one: signals to it are then refused as ambiguous.
    pub slug: String,
    /// Anything worth knowing about it.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where its alerts go.
    pub channels: Routing,
}

/// A heartbeat, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Its id: a secret.
    pub id: HeartbeatId,
    /// The project it lives in.
    pub project: ProjectId,
    /// What a person edits.
    pub details: Details,
    /// When it was created.
    pub created_at: UnixMicros,
    /// Grows with each edit of the details: the `ETag`.
    pub version: i64,
    /// The id of the settings, see [`settings::load`].
    pub settings_id: i64,
    /// What decides how it behaves.
    pub settings: Arc<Settings>,
    /// What is known of it.
    pub state: State,
    /// What of it cannot be read.
    pub unreadable: Unreadable,
}

/// What of a stored heartbeat cannot be read, so that a stand-in is in its place: the usual value for what a
/// person edits, nothing for what is known of it. An edit replaces what it names, and the rest by the
/// stand-ins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreadable {
    /// Its settings. Nobody watches it.
    pub settings: bool,
    /// Its state. Nobody watches it.
    pub state: bool,
    /// What is wrong: table, column and row.
    pub problems: Vec<String>,
}

impl Unreadable {
    /// Whether all of it was read.
    pub fn is_nothing(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether nothing can be decided about it.
    pub fn is_unwatched(&self) -> bool {
        self.settings || self.state
    }

    /// `read`, or what stands in where it is broken.
    fn or<T>(&mut self, read: Result<T>, stand_in: impl FnOnce() -> T) -> Result<T> {
        match read {
            Err(StoreError::Broken(problem)) => {
                self.problems.push(problem);
                Ok(stand_in())
            }
            read => read,
        }
    }
}

impl Heartbeat {
    /// What a person is shown at `now`: *unverified* where it cannot be read.
    pub fn status(&self, now: UnixMicros) -> Status {
        if self.unreadable.is_unwatched() {
            return Status::Unverified;
        }
        self.state.status(now)
    }
}

/// A heartbeat that is about to be.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// A fresh random id.
    pub id: HeartbeatId,
    /// What a person edits.
    pub details: &'a Details,
    /// What decides how it behaves.
    pub settings: &'a Settings,
    /// Where it begins.
    pub state: &'a State,
    /// Now.
    pub created_at: UnixMicros,
}

/// Which heartbeats of a project are wanted: those for which all of this holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// It has every one of these tags.
    pub tags: Vec<String>,
    /// It has this status now.
    pub status: Option<Status>,
    /// This occurs in its name, slug or description; upper and lower case of A to Z are the same.
    pub text: Option<String>,
    /// It has this slug.
    pub slug: Option<String>,
}

/// The heartbeats that a slug names.
#[derive(Debug, Clone, PartialEq)]
pub enum BySlug {
    /// None has it.
    None,
    /// One has it.
    One(Box<Heartbeat>),
    /// Several have it, so it names none of them.
    Several,
}

/// One without a state is broken, not gone.
pub(super) const FROM: &str =
    "FROM heartbeat LEFT JOIN heartbeat_state ON heartbeat_state.id = heartbeat.id";

pub(super) const COLUMNS: [&str; 26] = [
    "heartbeat.id",
    "heartbeat.project",
    "heartbeat.name",
    "heartbeat.slug",
    "heartbeat.description",
    "heartbeat.tags",
    "heartbeat.channels",
    "heartbeat.created_at",
    "heartbeat.version",
    "heartbeat_state.settings",
    "heartbeat_state.phase",
    "heartbeat_state.armed_at",
    "heartbeat_state.last_signal_at",
    "heartbeat_state.last_success_at",
    "heartbeat_state.expected_at",
    "heartbeat_state.wake_at",
    "heartbeat_state.failures",
    "heartbeat_state.successes",
    "heartbeat_state.signals",
    "heartbeat_state.incidents",
    "heartbeat_state.alerts",
    "heartbeat_state.version",
    "heartbeat_state.run_started_at",
    "heartbeat_state.run_ended_at",
    "heartbeat_state.run_outcome",
    "heartbeat_state.rare",
];

/// Adds a heartbeat with its settings and state. [`Conflict`](crate::StoreError::Conflict) when the id exists, or a
/// channel is not one of the project's own.
pub fn insert(sql: &mut dyn Sql, project: ProjectId, new: &New<'_>) -> Result<()> {
    let details = new.details;
    know_channels(sql, project, &details.channels)?;
    let settings = settings::intern(sql, new.settings)?;
    sql.execute(
        "INSERT INTO heartbeat
             (id, project, name, slug, description, tags, channels, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
        &[
            new.id.into(),
            project.into(),
            details.name.as_str().into(),
            details.slug.as_str().into(),
            details.description.as_str().into(),
            json(&details.tags)?.into(),
            details.channels.to_string().into(),
            new.created_at.into(),
        ],
    )
    .map_err(|error| taken(error, || "there is a heartbeat with this id".to_owned()))?;
    effects::insert_state(sql, new.id, settings, new.state)
}

/// The project's heartbeat with this id.
pub fn get(sql: &mut dyn Sql, project: ProjectId, id: HeartbeatId) -> Result<Option<Heartbeat>> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("heartbeat.project", project);
    query.and_equal("heartbeat.id", id);
    let rows = query.run(sql, "")?;
    Ok(read_all(sql, &rows)?.pop())
}

/// The project's heartbeat with this slug.
pub fn by_slug(sql: &mut dyn Sql, project: ProjectId, slug: &str) -> Result<BySlug> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("heartbeat.project", project);
    query.and_equal("heartbeat.slug", slug);
    let rows = query.run(sql, "LIMIT 2")?;
    let mut found = read_all(sql, &rows)?;
    Ok(match (found.pop(), found.is_empty()) {
        (None, _) => BySlug::None,
        (Some(heartbeat), true) => BySlug::One(Box::new(heartbeat)),
        (Some(_), false) => BySlug::Several,
    })
}

/// The first of the project's heartbeats, the oldest first, whose id `is` the one: for what is made of an id
/// and cannot be looked up.
pub fn find_id(
    sql: &mut dyn Sql,
    project: ProjectId,
    is: impl Fn(HeartbeatId) -> bool,
) -> Result<Option<HeartbeatId>> {
    let mut after = Cursor::FIRST;
    loop {
        let rows = sql.query(
            "SELECT heartbeat.created_at, heartbeat.id FROM heartbeat
             WHERE heartbeat.project = $1 AND (heartbeat.created_at, heartbeat.id) > ($2, $3)
             ORDER BY heartbeat.created_at, heartbeat.id LIMIT $4",
            &[
                project.into(),
                after.number.into(),
                after.id.into(),
                i64::from(PageRequest::ITEMS_MAX).into(),
            ],
        )?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        let last: (i64, HeartbeatId) = (last.get(0)?, last.get(1)?);
        after = Cursor {
            number: last.0,
            id: last.1.0,
        };
        for row in &rows {
            let id = row.get(1)?;
            if is(id) {
                return Ok(Some(id));
            }
        }
    }
}

/// The project's heartbeats that the filter lets through, the oldest first. `now` decides who is late.
pub fn list(
    sql: &mut dyn Sql,
    project: ProjectId,
    filter: &Filter,
    now: UnixMicros,
    page: &PageRequest,
) -> Result<Page<Heartbeat>> {
    let mut query = Query::new(&COLUMNS, FROM);
    query.and_equal("heartbeat.project", project);
    apply(&mut query, filter, now)?;
    if let Some(after) = page.after() {
        let (at, id) = (query.bind(after.number), query.bind(after.id));
        query.and(&format!(
            "(heartbeat.created_at, heartbeat.id) > ({at}, {id})"
        ));
    }
    let limit = query.bind(page.probe());
    let order = format!("ORDER BY heartbeat.created_at, heartbeat.id LIMIT {limit}");
    let rows = query.run(sql, &order)?;
    let heartbeats = read_all(sql, &rows)?;
    Ok(Page::cut(heartbeats, page, |heartbeat| Cursor {
        number: heartbeat.created_at.0,
        id: heartbeat.id.0,
    }))
}

/// The conditions of the filter.
pub(super) fn apply(query: &mut Query, filter: &Filter, now: UnixMicros) -> Result<()> {
    for tag in &filter.tags {
        // Inside a JSON string every quote is escaped: only a whole element follows "[" or "," at once.
        let tag = json(tag)?;
        let (first, later) = (query.bind(format!("[{tag}")), query.bind(format!(",{tag}")));
        let first = contains("heartbeat.tags", &first);
        let later = contains("heartbeat.tags", &later);
        query.and(&format!("{first} OR {later}"));
    }
    if let Some(status) = filter.status {
        let condition = has_status(query, status, now);
        query.and(&condition);
    }
    if let Some(text) = filter.text.as_ref().filter(|text| !text.is_empty()) {
        // Here, because an engine may know more letters than A to Z.
        let text = query.bind(text.to_ascii_lowercase());
        let places = ["heartbeat.name", "heartbeat.slug", "heartbeat.description"];
        let places = places.map(|place| contains(&format!("lower({place})"), &text));
        query.and(&places.join(" OR "));
    }
    if let Some(slug) = &filter.slug {
        query.and_equal("heartbeat.slug", slug.as_str());
    }
    Ok(())
}

/// [`State::status`] in SQL.
fn has_status(query: &mut Query, status: Status, now: UnixMicros) -> String {
    use nightbeat_domain::Phase;

    let in_time = match status {
        Status::Up | Status::Warning | Status::Late => query.bind(now),
        Status::New | Status::Down | Status::Unverified | Status::Paused => String::new(),
    };
    let mut phase = |phase| {
        let code = query.bind(phase_code(phase));
        format!("heartbeat_state.phase = {code}")
    };
    let on_time =
        format!("(heartbeat_state.expected_at IS NULL OR heartbeat_state.expected_at > {in_time})");
    match status {
        Status::New => phase(Phase::New),
        Status::Down => phase(Phase::Down),
        Status::Unverified => phase(Phase::Unverified),
        Status::Paused => phase(Phase::Paused),
        Status::Up => format!("{} AND {on_time}", phase(Phase::Up)),
        Status::Warning => format!("{} AND {on_time}", phase(Phase::Warning)),
        Status::Late => format!(
            "({} OR {}) AND NOT {on_time}",
            phase(Phase::Up),
            phase(Phase::Warning)
        ),
    }
}

/// Every tag of the project's heartbeats, once, in their order.
pub fn tags(sql: &mut dyn Sql, project: ProjectId) -> Result<BTreeSet<String>> {
    const COLUMNS: [&str; 1] = ["heartbeat.tags"];
    let rows = sql.query(
        "SELECT DISTINCT heartbeat.tags FROM heartbeat WHERE heartbeat.project = $1",
        &[project.into()],
    )?;
    let mut tags = BTreeSet::new();
    for row in &rows {
        let list: Vec<String> = match Fields::new(&COLUMNS, row).json("heartbeat.tags") {
            // One broken row hides no other.
            Err(StoreError::Broken(_)) => continue,
            read => read?,
        };
        tags.extend(list);
    }
    Ok(tags)
}

/// How many heartbeats the project has.
pub fn count(sql: &mut dyn Sql, project: ProjectId) -> Result<u64> {
    let query = "SELECT count(*) FROM heartbeat WHERE project = $1";
    let row = sql.first(query, &[project.into()])?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Replaces what a person edits, and grows the version. The new version; `None` when there is no such
/// heartbeat in the project, or its version is not `if_match`. [`Conflict`](crate::StoreError::Conflict) when a channel
/// is not one of the project's own.
///
/// Settings and state are no business of this: they change by the domain's decisions.
pub fn update(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: HeartbeatId,
    if_match: Option<i64>,
    details: &Details,
) -> Result<Option<i64>> {
    know_channels(sql, project, &details.channels)?;
    let mut params: Vec<Value> = vec![
        id.into(),
        project.into(),
        details.name.as_str().into(),
        details.slug.as_str().into(),
        details.description.as_str().into(),
        json(&details.tags)?.into(),
        details.channels.to_string().into(),
    ];
    let matching = if if_match.is_some() {
        "AND version = $8"
    } else {
        ""
    };
    params.extend(if_match.map(Value::from));
    let statement = format!(
        "UPDATE heartbeat SET name = $3, slug = $4, description = $5, tags = $6, channels = $7,
             version = version + 1
         WHERE id = $1 AND project = $2 {matching} RETURNING version"
    );
    let changed = sql.first(&statement, &params)?;
    changed.map(|row| row.get(0)).transpose()
}

/// Removes a heartbeat: its name, its state, and with them its signal URL. Its open incident is closed;
/// its incidents, and alerts that are on their way, stay. Its signals and runs are left to
/// [`prune_removed`](super::prune_removed). Whether it was removed: not when the project has none with
/// this id, or its version is not `if_match`.
pub fn delete(
    sql: &mut dyn Sql,
    project: ProjectId,
    id: HeartbeatId,
    if_match: Option<i64>,
    now: UnixMicros,
) -> Result<bool> {
    let mut params: Vec<Value> = vec![id.into(), project.into()];
    let matching = if if_match.is_some() {
        "AND version = $3"
    } else {
        ""
    };
    params.extend(if_match.map(Value::from));
    let statement = format!("DELETE FROM heartbeat WHERE id = $1 AND project = $2 {matching}");
    if sql.execute(&statement, &params)? == 0 {
        return Ok(false);
    }
    sql.execute(
        "INSERT INTO removed_heartbeat (id, newest_signal, newest_run)
         SELECT id, newest_signal, newest_run FROM heartbeat_state WHERE id = $1",
        &[id.into()],
    )?;
    sql.execute("DELETE FROM heartbeat_state WHERE id = $1", &[id.into()])?;
    sql.execute(
        "UPDATE incident SET closed_at = $2 WHERE heartbeat = $1 AND closed_at IS NULL",
        &[id.into(), now.into()],
    )?;
    broken::forget(sql, id)?;
    Ok(true)
}

fn know_channels(sql: &mut dyn Sql, project: ProjectId, routing: &Routing) -> Result<()> {
    match routing {
        Routing::All => Ok(()),
        Routing::Only(wanted) => channels::all_known(sql, project, wanted),
    }
}

/// The id of no settings: those of a heartbeat without a state.
const NO_SETTINGS: i64 = 0;

/// Heartbeats of one page mostly share a few settings: each is loaded once.
pub(super) fn read_all(sql: &mut dyn Sql, rows: &[Row]) -> Result<Vec<Heartbeat>> {
    let mut loaded: HashMap<i64, Arc<Settings>> = HashMap::new();
    let mut heartbeats = Vec::with_capacity(rows.len());
    for row in rows {
        let fields = Fields::new(&COLUMNS, row);
        // Without a state there is none.
        let settings_id: Option<i64> = fields.get("heartbeat_state.settings")?;
        let settings_id = settings_id.unwrap_or(NO_SETTINGS);
        let settings = match loaded.get(&settings_id) {
            Some(settings) => Ok(Arc::clone(settings)),
            None => settings::load(sql, settings_id).map(Arc::new),
        };
        if let Ok(settings) = &settings {
            loaded.insert(settings_id, Arc::clone(settings));
        }
        heartbeats.push(read(&fields, settings_id, settings)?);
    }
    Ok(heartbeats)
}

/// One that cannot be read in full is shown all the same: else one broken row would hide all others.
fn read(
    fields: &Fields<'_>,
    settings_id: i64,
    settings: Result<Arc<Settings>>,
) -> Result<Heartbeat> {
    let id = fields.get("heartbeat.id")?;
    let created_at = fields.get("heartbeat.created_at")?;
    let mut unreadable = Unreadable::default();
    let tags = unreadable.or(fields.json("heartbeat.tags"), Vec::new)?;
    let channels = unreadable.or(fields.parsed("heartbeat.channels"), Routing::default)?;
    let usual = Arc::new(broken::stand_in()?);
    let known = unreadable.problems.len();
    let settings = unreadable.or(settings, || usual)?;
    unreadable.settings = unreadable.problems.len() > known;
    let state = Columns::from_fields(fields).and_then(|columns| columns.into_state(id));
    let known = unreadable.problems.len();
    let state = unreadable.or(state, || unknown(&settings, created_at))?;
    unreadable.state = unreadable.problems.len() > known;
    Ok(Heartbeat {
        id,
        project: fields.get("heartbeat.project")?,
        details: Details {
            name: fields.get("heartbeat.name")?,
            slug: fields.get("heartbeat.slug")?,
            description: fields.get("heartbeat.description")?,
            tags,
            channels,
        },
        created_at,
        version: fields.get("heartbeat.version")?,
        settings_id,
        settings,
        state,
        unreadable,
    })
}

/// What stands for a state that cannot be read: nothing is known, and nothing expected.
fn unknown(settings: &Settings, created_at: UnixMicros) -> State {
    State {
        expected_at: None,
        wake_at: None,
        ..State::new(settings, created_at)
    }
}
