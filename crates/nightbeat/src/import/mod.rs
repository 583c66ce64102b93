//! Taking over from other monitors: each turns what it reads into heartbeats that are wanted, and says of each what
//! cannot be taken. From there on it is a plan like that of `apply`.

pub(crate) mod cronitor;
pub(crate) mod healthchecks;
mod routing;
mod table;
pub(crate) mod uptime_kuma;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nightbeat_agent::Client;
use nightbeat_agent::api::Heartbeat;
use nightbeat_server::api::{DESCRIPTION_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX};
use serde_json::{Map, Value, json};

use crate::code::{Plan, Present, Verdict, WantedHeartbeat, carry_out, heartbeat, settable};
use crate::exit::{Exit, Failure};
use crate::render::clean;
use crate::session::{Session, note};

/// What is found elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Found {
    rows: Vec<Row>,
    /// Where alerts go there and not here, with the kind.
    missing: BTreeSet<(String, String)>,
    /// Where signals go that cannot go where they went.
    new_url: Option<NewUrl>,
}

/// How the URL that a job used there reads here.
#[derive(Debug, Clone, Copy)]
enum NewUrl {
    /// `BASE/api/push/TOKEN`.
    Push,
}

/// One job as it is elsewhere.
#[derive(Debug)]
struct Row {
    name: String,
    /// What it is to be here.
    verdict: Job,
    /// What a person should know about it.
    notes: Vec<String>,
}

#[derive(Debug)]
enum Job {
    /// It becomes this.
    Heartbeat(Box<WantedHeartbeat>),
    /// It cannot be taken, and why.
    Left(String),
    /// It is nothing that waits for signals.
    Other(String),
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Only look.
    Look,
    /// Ask first.
    Ask,
    /// Do not ask.
    Go,
}

impl Row {
    /// A job with these fields of the API, if the API takes them.
    fn new(mut wanted: WantedHeartbeat, mut notes: Vec<String>) -> Self {
        let name = wanted.name().to_owned();
        fit(&mut wanted.fields, &mut notes);
        let verdict = match kept(&wanted) {
            Ok(fields) => {
                wanted.fields = fields;
                Job::Heartbeat(Box::new(wanted))
            }
            Err(why) => Job::Left(why),
        };
        Self {
            name,
            verdict,
            notes,
        }
    }

    fn left(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Job::Left(why.into()),
            notes: Vec::new(),
        }
    }

    fn other(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Job::Other(why.into()),
            notes: Vec::new(),
        }
    }
}

/// Mends what is only for people and cannot be so here: a job is not left unwatched for it.
fn fit(fields: &mut Map<String, Value>, notes: &mut Vec<String>) {
    if let Some(Value::String(name)) = fields.get_mut("name")
        && name.contains(char::is_control)
    {
        *name = name.replace(char::is_control, " ");
        notes.push("its name is without control characters here".to_owned());
    }
    if let Some(Value::String(text)) = fields.get_mut("description")
        && let Some((end, _)) = text.char_indices().nth(DESCRIPTION_CHARS_MAX)
    {
        text.truncate(end);
        notes.push(format!(
            "its description is cut at {DESCRIPTION_CHARS_MAX} characters"
        ));
    }
    if let Some(Value::Array(tags)) = fields.get_mut("tags") {
        let fits = |tag: &Value| {
            tag.as_str()
                .is_some_and(|tag| tag.chars().count() <= TAG_CHARS_MAX)
        };
        let before = tags.len();
        tags.retain(fits);
        tags.truncate(TAGS_MAX);
        if tags.len() < before {
            notes.push(format!("{} tags are left out", before - tags.len()));
        }
    }
}

/// The fields that are said, as the server would keep them; or why it would not take them.
fn kept(wanted: &WantedHeartbeat) -> Result<Map<String, Value>, String> {
    let mut said = wanted.fields.clone();
    let channels = said.remove("channels");
    if let Some(id) = wanted.id {
        said.insert("id".to_owned(), json!(id));
    }
    if let Some(slug) = &wanted.slug {
        said.insert("slug".to_owned(), json!(slug));
    }
    let all = settable(said).map_err(|error| match error.field {
        Some(field) => format!("{field}: {}", error.problem),
        None => error.problem,
    })?;
    let mut kept: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| wanted.fields.contains_key(name))
        .collect();
    kept.extend(channels.map(|channels| ("channels".to_owned(), channels)));
    Ok(kept)
}

/// Shows what would happen, asks, and does it.
pub(crate) async fn run(
    found: Found,
    present: &Present,
    client: &Client,
    session: &Session,
    way: Way,
) -> Result<String, Failure> {
    if !present.writable {
        return Err(Failure::failed(
            "this key of Nightbeat's is read-only, and is not shown which heartbeats there are",
        )
        .hint("an import needs a read-write API key, also to look"));
    }
    if found.rows.is_empty() {
        note("there is nothing to take over");
        return Ok(String::new());
    }
    let mut plan = Plan::default();
    let lines: Vec<table::Line> = found
        .rows
        .into_iter()
        .map(|row| judged(row, present, &mut plan))
        .collect();
    let left = lines.iter().filter(|line| line.is_left()).count();
    crate::print(&table::table(&lines, session.view.colour))?;
    note(&table::summary(&lines));
    tell_missing(&found.missing, present);
    if plan.steps.is_empty() || way == Way::Look {
        return partly(left, lines.len(), String::new());
    }
    agree(session, way, plan.steps.len())?;
    let done = carry_out(client, &plan, present.channel_ids(), true).await?;
    note(&done.summary());
    for (name, why) in &done.refused {
        note(&format!("left out: {}: {}", clean(name), clean(why)));
    }
    let urls = match found.new_url {
        Some(NewUrl::Push) => push_urls(&done.new),
        None => String::new(),
    };
    crate::print(&urls)?;
    partly(left + done.refused.len(), lines.len(), String::new())
}

/// What happens to a job; where something does, it joins the plan.
fn judged(row: Row, present: &Present, plan: &mut Plan) -> table::Line {
    let wanted = match row.verdict {
        Job::Left(why) => return table::Line::left(row.name, &why, row.notes),
        Job::Other(why) => return table::Line::other(row.name, &why),
        Job::Heartbeat(wanted) => wanted,
    };
    match heartbeat(&wanted, present) {
        Verdict::Clash(why) => table::Line::left(row.name, &why, row.notes),
        Verdict::Same => table::Line::same(&wanted, row.notes),
        Verdict::Step(step) => {
            let line = table::Line::step(&wanted, &step, row.notes);
            plan.add(Some(step));
            line
        }
    }
}

fn agree(session: &Session, way: Way, steps: usize) -> Result<(), Failure> {
    if way == Way::Go {
        return Ok(());
    }
    if !session.interactive {
        return Err(Failure::usage("nothing was changed yet")
            .hint("say --yes where nobody can be asked, or --dry-run to look only"));
    }
    let what = if steps == 1 {
        "heartbeat"
    } else {
        "heartbeats"
    };
    if session.confirm(&format!("Create or change {steps} {what}?"))? {
        return Ok(());
    }
    Err(Failure::failed("nothing was changed"))
}

fn tell_missing(missing: &BTreeSet<(String, String)>, present: &Present) {
    if missing.is_empty() {
        return;
    }
    note("");
    note(
        "Alerts also go to these, whose secrets nobody tells. Make them here with the same name, then import again:",
    );
    for (name, kind) in missing {
        let name = clean(name);
        let how = if present.knows_kind(kind) {
            format!("nightbeat channel add {kind} --name '{name}' --set …")
        } else {
            "of a kind that is not here: see docs/channels.md for the webhook".to_owned()
        };
        note(&format!("  {name} ({}): {how}", clean(kind)));
    }
}

/// The line for each new heartbeat whose job must be told another URL.
fn push_urls(new: &[Heartbeat]) -> String {
    let mut text = String::new();
    for heartbeat in new {
        let url = heartbeat.ping_url.as_deref().unwrap_or_default();
        if let Some((base, id)) = url.rsplit_once("/api/heartbeat/") {
            let token = id.replace('-', "");
            let name = clean(&heartbeat.name);
            let _ = writeln!(text, "{name}\t{base}/api/push/{token}");
        }
    }
    if !text.is_empty() {
        note("the push URLs of what is new, for their jobs:");
    }
    text
}

fn partly(left: usize, all: usize, data: String) -> Result<String, Failure> {
    match left {
        0 => Ok(data),
        left => Err(Failure::new(
            Exit::Partly,
            format!("{left} of {all} could not be taken; the table says why"),
        )),
    }
}

/// Gives each job a slug of its own: what is wanted where it is free, with a number where another job of the same
/// source has it.
#[derive(Debug, Default)]
struct Slugs {
    given: BTreeMap<String, usize>,
}

impl Slugs {
    /// The slug, and whether it is the one that was asked for.
    fn give(&mut self, wanted: &str) -> (String, bool) {
        let mut number = self.given.get(wanted).copied().unwrap_or(0) + 1;
        let mut slug = numbered(wanted, number);
        while self.given.contains_key(&slug) && number > 1 {
            number += 1;
            slug = numbered(wanted, number);
        }
        self.given.insert(wanted.to_owned(), number);
        self.given.entry(slug.clone()).or_insert(1);
        let same = slug == wanted;
        (slug, same)
    }
}

/// The longest slug.
const SLUG_CHARS_MAX: usize = 100;

fn numbered(slug: &str, number: usize) -> String {
    if number == 1 {
        return slug.to_owned();
    }
    let end = format!("-{number}");
    let room = SLUG_CHARS_MAX - end.len();
    let slug = slug.get(..room).unwrap_or(slug);
    format!("{}{end}", slug.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_jobs_share_a_slug() {
        let mut slugs = Slugs::default();
        let given: Vec<String> = ["a", "a", "a-2", "b", "a"]
            .iter()
            .map(|wanted| slugs.give(wanted).0)
            .collect();
        assert_eq!(given, ["a", "a-2", "a-2-2", "b", "a-3"]);
        let long = "x".repeat(100);
        assert_eq!(slugs.give(&long).0, long);
        assert_eq!(slugs.give(&long).0, format!("{}-2", "x".repeat(98)));
    }
}
