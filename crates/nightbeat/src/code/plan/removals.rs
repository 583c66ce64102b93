//! What is there and not wanted.

use std::collections::BTreeSet;

use nightbeat_agent::Method;
use serde_json::{Map, Value};

use super::super::present::Present;
use super::super::source::Problems;
use super::super::wanted::Wanted;
use super::windows::span_of;
use super::{Asked, CHANNEL, HEARTBEAT, Mark, Request, Step};

/// What is there, of a kind that is wanted, and not wanted itself: first what names channels, then channels.
pub(super) fn plan(
    wanted: &Wanted,
    present: &Present,
    kept: &BTreeSet<String>,
    asked: &Asked<'_>,
) -> Vec<Step> {
    let step = |noun, name: &str, path: &[&str]| {
        let request = Request::new(Method::DELETE, path, None);
        Step::new(Mark::Remove, noun, name, vec![request])
    };
    let mut removed = Vec::new();
    if wanted.heartbeats.is_some() {
        let unwanted = present.heartbeats.iter();
        let unwanted = unwanted.filter(|old| !kept.contains(&old.slug));
        removed.extend(unwanted.map(|old| {
            let which = old.id.as_deref().unwrap_or(&old.slug);
            step(HEARTBEAT, &old.slug, &["heartbeats", which])
                .with(vec!["with its history".to_owned()])
        }));
    }
    if let Some(windows) = &wanted.windows {
        let unwanted = present.windows.iter();
        let unwanted = unwanted
            .filter(|old| old.to > asked.view.now && !windows.iter().any(|window| window.is(old)));
        removed.extend(unwanted.map(|old| {
            let name = span_of(old.from, old.to, asked.view);
            step("maintenance", &name, &["maintenance", &old.id])
        }));
    }
    if let Some(channels) = &wanted.channels {
        let unwanted = present.channels.iter();
        let unwanted = unwanted.filter(|old| !channels.iter().any(|new| new.name == old.name));
        removed.extend(unwanted.map(|old| step(CHANNEL, &old.name, &["channels", &old.id])));
    }
    removed
}

/// Every channel that is named afterwards must be there.
pub(super) fn check_names(
    wanted: &Wanted,
    present: &Present,
    removed: &[Step],
    prune: bool,
    problems: &mut Problems<'_>,
) {
    let is_removed = |noun, name: &str| {
        let this = |step: &&Step| step.noun == noun && step.name == name;
        prune && removed.iter().any(|step| this(&step))
    };
    let old = present.channels.iter().map(|channel| &channel.name);
    let new = wanted
        .channels
        .iter()
        .flatten()
        .map(|channel| &channel.name);
    let there: BTreeSet<&String> = old
        .filter(|name| !is_removed(CHANNEL, name))
        .chain(new)
        .collect();
    let mut check = |name: &str, at: usize| {
        if !there.contains(&name.to_owned()) {
            let names: Vec<&str> = there.iter().map(|name| name.as_str()).collect();
            let known = match names.as_slice() {
                [] => "there is none".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            problems.add(at, format!("no channel is called `{name}`; {known}"));
        }
    };
    if let Some((name, at)) = &wanted.project.fallback
        && !name.is_empty()
    {
        check(name, *at);
    }
    for heartbeat in wanted.heartbeats.iter().flatten() {
        for name in channel_names(&heartbeat.fields) {
            check(name, heartbeat.at);
        }
    }
    // What stays and is not in the file may name one that goes.
    if wanted.heartbeats.is_none() {
        for old in &present.heartbeats {
            for name in channel_names(&old.fields) {
                if is_removed(CHANNEL, name) {
                    let problem = format!(
                        "the channel `{name}` would be removed, but the heartbeat `{}` names it",
                        old.slug
                    );
                    problems.add(0, problem);
                }
            }
        }
    }
    if let Some(name) = &present.fallback
        && wanted.project.fallback.is_none()
        && is_removed(CHANNEL, name)
    {
        let problem = format!("the channel `{name}` would be removed, but it is the fallback");
        problems.add(0, problem);
    }
}

fn channel_names(fields: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = fields.get("channels").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}
