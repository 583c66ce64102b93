//! What is to be done about heartbeats.

use nightbeat_agent::Method;
use serde_json::{Map, Value, json};

use super::super::present::{Present, PresentHeartbeat};
use super::super::show::change;
use super::super::wanted::WantedHeartbeat;
use super::{HEARTBEAT, Mark, Request, Step, Verdict};

/// The one that is meant.
pub(super) fn find<'p>(
    wanted: &WantedHeartbeat,
    present: &'p Present,
) -> Option<&'p PresentHeartbeat> {
    let id = wanted.id.map(|id| id.to_string());
    let by_id = id.and_then(|id| present.by_id(&id));
    by_id.or_else(|| present.by_slug(wanted.slug.as_deref()?))
}

/// What is to be done about a heartbeat.
pub(crate) fn heartbeat(wanted: &WantedHeartbeat, present: &Present) -> Verdict {
    let Some(old) = find(wanted, present) else {
        return Verdict::Step(creation(wanted));
    };
    let other_id = |id: &String| wanted.id.is_some_and(|wanted| wanted.to_string() != *id);
    if old.id.as_ref().is_some_and(other_id) {
        return Verdict::Clash(format!(
            "there is a heartbeat `{}` with another id, and an id does not change",
            old.slug
        ));
    }
    if let Some(slug) = &wanted.slug
        && *slug != old.slug
        && present.by_slug(slug).is_some()
    {
        return Verdict::Clash(format!("another heartbeat has the slug `{slug}`"));
    }
    alteration(wanted, old)
}

fn creation(wanted: &WantedHeartbeat) -> Step {
    let mut body = wanted.fields.clone();
    body.extend(wanted.when_new.clone());
    let mut details = Vec::new();
    if let Some(slug) = &wanted.slug {
        body.insert("slug".to_owned(), json!(slug));
    }
    if let Some(id) = wanted.id {
        body.insert("id".to_owned(), json!(id));
    }
    if wanted.paused == Some(true) {
        body.insert("paused".to_owned(), json!(true));
    }
    if body.get("paused") == Some(&json!(true)) {
        details.push("paused".to_owned());
    }
    let name = wanted.slug.as_deref().unwrap_or(wanted.name());
    let request = Request::new(Method::POST, &["heartbeats"], Some(Value::Object(body)));
    Step::new(Mark::Create, HEARTBEAT, name, vec![request]).with(details)
}

fn alteration(wanted: &WantedHeartbeat, old: &PresentHeartbeat) -> Verdict {
    let mut body = Map::new();
    let mut details = Vec::new();
    if let Some(slug) = wanted.slug.as_ref().filter(|slug| **slug != old.slug) {
        details.push(change("slug", &json!(old.slug), &json!(slug)));
        body.insert("slug".to_owned(), json!(slug));
    }
    for (name, new) in &wanted.fields {
        let value = old.fields.get(name).unwrap_or(&Value::Null);
        if value != new {
            details.push(change(name, value, new));
            body.insert(name.clone(), new.clone());
        }
    }
    if old.problem.is_some() && !wanted.fields.is_empty() {
        // What cannot be read is mended by naming it.
        details.push("what the server cannot read is written anew".to_owned());
        body.extend(wanted.fields.clone());
    }
    let which = old.id.as_deref().unwrap_or(&old.slug);
    let mut requests = Vec::new();
    if !body.is_empty() {
        let body = Some(Value::Object(body));
        requests.push(Request::new(Method::PATCH, &["heartbeats", which], body));
    }
    if let Some(paused) = wanted.paused.filter(|paused| *paused != old.paused) {
        details.push(change("paused", &json!(old.paused), &json!(paused)));
        let verb = if paused { "pause" } else { "resume" };
        // A new slug is its name by then.
        let which = old
            .id
            .as_deref()
            .or(wanted.slug.as_deref())
            .unwrap_or(which);
        requests.push(Request::new(
            Method::POST,
            &["heartbeats", which, verb],
            None,
        ));
    }
    if requests.is_empty() {
        return Verdict::Same;
    }
    Verdict::Step(Step::new(Mark::Change, HEARTBEAT, &old.slug, requests).with(details))
}
