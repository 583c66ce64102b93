//! The difference between what is wanted and what is there, as steps. Nothing is changed here.

mod channels;
mod heartbeats;
mod removals;
mod windows;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use nightbeat_agent::{Client, Method};
use serde_json::{Map, Value, json};

use super::present::Present;
use super::show::change;
use super::source::Problems;
use super::wanted::Wanted;
use crate::exit::Failure;
use crate::render::{Paint, clean};
use crate::session::View;
use heartbeats::find;
pub(crate) use heartbeats::heartbeat;

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Create,
    Change,
    Remove,
}

/// A request to the API. In its body, `channels` and `fallback_channel` are names: what has them may only be
/// created on the way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) body: Option<Value>,
}

/// One thing that becomes another one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) mark: Mark,
    /// `channel`, `heartbeat`, …
    pub(super) noun: &'static str,
    pub(crate) name: String,
    /// What changes: a line each.
    pub(crate) details: Vec<String>,
    pub(super) requests: Vec<Request>,
}

/// Everything that is to be done, in this order.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// How many things are as they should be.
    pub(crate) unchanged: usize,
    /// What is there, of a kind that is wanted, and is not wanted itself.
    unwanted: Vec<String>,
}

/// What is to be done about a heartbeat.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is not as wanted.
    Step(Step),
    /// It is as wanted.
    Same,
    /// It cannot be had.
    Clash(String),
}

impl Request {
    fn new(method: Method, path: &[&str], body: Option<Value>) -> Self {
        let path = path.iter().map(|part| (*part).to_owned());
        Self {
            method,
            path: path.collect(),
            body,
        }
    }
}

impl Step {
    fn new(mark: Mark, noun: &'static str, name: &str, requests: Vec<Request>) -> Self {
        Self {
            mark,
            noun,
            name: name.to_owned(),
            details: Vec::new(),
            requests,
        }
    }

    fn with(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// What it is about, in words.
    pub(crate) fn title(&self) -> String {
        match self.name.as_str() {
            "" => self.noun.to_owned(),
            name => format!("{} {}", self.noun, clean(name)),
        }
    }
}

impl Plan {
    /// Adds what is to be done about one thing.
    pub(crate) fn add(&mut self, step: Option<Step>) {
        match step {
            Some(step) => self.steps.push(step),
            None => self.unchanged += 1,
        }
    }

    /// How many things it removes.
    pub(crate) fn removals(&self) -> usize {
        let removed = |step: &&Step| step.mark == Mark::Remove;
        self.steps.iter().filter(removed).count()
    }

    /// As it is shown before it is carried out.
    pub(crate) fn show(&self, colour: bool) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let (sign, paint) = match step.mark {
                Mark::Create => ("+", Paint::Green),
                Mark::Change => ("~", Paint::Yellow),
                Mark::Remove => ("-", Paint::Red),
            };
            let _ = writeln!(text, "{} {}", paint.apply(sign, colour), step.title());
            for detail in &step.details {
                let _ = writeln!(text, "    {detail}");
            }
        }
        let _ = writeln!(text, "= {} unchanged", self.unchanged);
        if !self.unwanted.is_empty() {
            let _ = writeln!(
                text,
                "{} not in the file, left alone without --prune: {}",
                self.unwanted.len(),
                self.unwanted.join(", ")
            );
        }
        text
    }
}

/// Who asks, and what for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// To ask the server what it would say to a channel.
    pub(crate) client: &'a Client,
    /// Remove what is not wanted.
    pub(crate) prune: bool,
    /// Now, and how times are shown.
    pub(crate) view: &'a View,
}

/// Makes the plan. What cannot be is added to `problems`.
pub(crate) async fn plan(
    wanted: &Wanted,
    present: &Present,
    asked: &Asked<'_>,
    problems: &mut Problems<'_>,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    for channel in wanted.channels.iter().flatten() {
        let step = channels::plan(channel, present, asked.client, problems).await?;
        plan.add(step);
    }
    plan_project(wanted, present, &mut plan);
    let (mut kept, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for heartbeat_wanted in wanted.heartbeats.iter().flatten() {
        if let Some(found) = find(heartbeat_wanted, present)
            && !kept.insert(found.slug.clone())
        {
            let problem = format!("the heartbeat `{}` is named twice", found.slug);
            problems.add(heartbeat_wanted.at, problem);
            continue;
        }
        if let Some(id) = heartbeat_wanted.id
            && !ids.insert(id)
        {
            problems.add(heartbeat_wanted.at, format!("the id {id} is said twice"));
            continue;
        }
        match heartbeat(heartbeat_wanted, present) {
            Verdict::Step(step) => plan.add(Some(step)),
            Verdict::Same => plan.add(None),
            Verdict::Clash(problem) => problems.add(heartbeat_wanted.at, problem),
        }
    }
    // A slug that is given up must be free before another takes it.
    plan.steps
        .sort_by_key(|step| step.noun == HEARTBEAT && step.mark == Mark::Create);
    let windows = wanted.windows.as_deref();
    windows::plan(windows, present, asked, &mut plan);
    let removed = removals::plan(wanted, present, &kept, asked);
    removals::check_names(wanted, present, &removed, asked.prune, problems);
    if asked.prune {
        plan.steps.extend(removed);
    } else {
        plan.unwanted = removed.iter().map(Step::title).collect();
    }
    Ok(plan)
}

/// What steps call a heartbeat.
const HEARTBEAT: &str = "heartbeat";
/// What steps call a channel.
const CHANNEL: &str = "channel";

fn plan_project(wanted: &Wanted, present: &Present, plan: &mut Plan) {
    let mut body = Map::new();
    let mut details = Vec::new();
    let wanted = &wanted.project;
    if let Some(name) = wanted.name.as_ref().filter(|name| **name != present.name) {
        details.push(change("name", &json!(present.name), &json!(name)));
        body.insert("name".to_owned(), json!(name));
    }
    if let Some((name, _)) = &wanted.fallback {
        let new = Some(name).filter(|name| !name.is_empty());
        if new != present.fallback.as_ref() {
            let (old, new) = (json!(present.fallback), json!(new));
            details.push(change("fallback_channel", &old, &new));
            body.insert("fallback_channel".to_owned(), new);
        }
    }
    if body.is_empty() {
        return;
    }
    let request = Request::new(Method::PATCH, &["project"], Some(Value::Object(body)));
    plan.add(Some(
        Step::new(Mark::Change, "project", "", vec![request]).with(details),
    ));
}

#[cfg(test)]
mod tests;
