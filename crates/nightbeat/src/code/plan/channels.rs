//! What is to be done about channels. The server is asked what it would say: it knows their kinds, and the
//! secrets that it does not show.

use std::collections::BTreeMap;

use nightbeat_agent::{Client, ClientError, Method, Problem};
use serde::Deserialize;
use serde_json::json;

use super::super::present::{MASK, Present, PresentChannel};
use super::super::show::short;
use super::super::source::Problems;
use super::super::wanted::{Setting, WantedChannel};
use super::{CHANNEL, Mark, Request, Step};
use crate::exit::Failure;
use crate::render::clean;

/// What would change about a channel, as the server says.
#[derive(Deserialize)]
struct Changes {
    changes: Vec<String>,
}

/// What is to be done about a channel; `None`: nothing.
pub(super) async fn plan(
    wanted: &WantedChannel,
    present: &Present,
    client: &Client,
    problems: &mut Problems<'_>,
) -> Result<Option<Step>, Failure> {
    let old = present.channel(&wanted.name);
    let settings = match old {
        Some(old) if as_it_is(wanted, old, present) => return Ok(None),
        Some(old) => changed_settings(wanted, old, present),
        None => said(wanted),
    };
    let mut body = json!({"kind": wanted.kind, "settings": settings});
    if let Some(old) = old {
        body["channel"] = json!(old.id);
    }
    let answer = client
        .send(Method::POST, &["channel-kinds", "preview"], Some(&body))
        .await;
    let changes = match answer {
        Ok(answer) => answer.parse::<Changes>()?.changes,
        Err(ClientError::Refused(problem)) if problem.status == 422 => {
            tell_refused(wanted, &problem, problems);
            return Ok(None);
        }
        // A read-only key may look, but secrets cannot be compared with it.
        Err(ClientError::Refused(problem)) if problem.status == 403 => unhidden(wanted, &settings),
        Err(error) => return Err(error.into()),
    };
    if changes.is_empty() {
        return Ok(None);
    }
    Ok(Some(match old {
        None => {
            let body = json!({"name": wanted.name, "kind": wanted.kind, "settings": settings});
            let request = Request::new(Method::POST, &["channels"], Some(body));
            Step::new(Mark::Create, CHANNEL, &wanted.name, vec![request])
                .with(vec![format!("kind: {}", short(&wanted.kind))])
        }
        Some(old) => {
            let details = changes
                .iter()
                .map(|name| setting_change(name, wanted, old, present));
            let details = details.collect();
            let body = json!({"settings": settings});
            let request = Request::new(Method::PATCH, &["channels", &old.id], Some(body));
            Step::new(Mark::Change, CHANNEL, &wanted.name, vec![request]).with(details)
        }
    }))
}

/// Nothing is said that is not so already, as far as it can be seen.
fn as_it_is(wanted: &WantedChannel, old: &PresentChannel, present: &Present) -> bool {
    wanted.kind == old.kind && {
        let changed = changed_settings(wanted, old, present);
        changed.is_empty()
    }
}

/// What is said of a channel that is not there yet.
fn said(wanted: &WantedChannel) -> BTreeMap<String, Option<String>> {
    let settings = wanted.settings.iter();
    settings
        .filter_map(|(name, setting)| Some((name.clone(), Some(setting.value.clone()?))))
        .collect()
}

/// What is said and is not there, or is a secret; and what is there and not said. A secret that is not said
/// stays: it is not shown, so a file that was exported does not have it.
fn changed_settings(
    wanted: &WantedChannel,
    old: &PresentChannel,
    present: &Present,
) -> BTreeMap<String, Option<String>> {
    let mut changed = said(wanted);
    let masked = |name: &str| old.settings.get(name).is_some_and(|value| value == MASK);
    changed.retain(|name, value| {
        let value = value.as_deref().unwrap_or_default().trim();
        match old.settings.get(name) {
            // Nothing can be compared with what a read-only key is not shown.
            Some(_) if masked(name) && !present.writable => false,
            old => old.map(String::as_str) != Some(value),
        }
    });
    for (name, value) in &old.settings {
        let usual = present
            .field(&wanted.kind, name)
            .and_then(|field| field.default.as_ref());
        let stays = wanted.settings.contains_key(name) || masked(name) || usual == Some(value);
        if !stays {
            changed.insert(name.clone(), None);
        }
    }
    changed
}

/// Of the changed settings, those that are no secrets.
fn unhidden(wanted: &WantedChannel, settings: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let hidden = |name: &str| wanted.settings.get(name).is_some_and(|it| it.hidden);
    let names = settings.keys().filter(|name| !hidden(name));
    names.cloned().collect()
}

fn setting_change(
    name: &str,
    wanted: &WantedChannel,
    old: &PresentChannel,
    present: &Present,
) -> String {
    let new = wanted.settings.get(name);
    let hidden = |setting: &Setting| setting.hidden;
    if present.is_secret(&wanted.kind, name) || new.is_some_and(hidden) {
        return format!("{name}: another secret");
    }
    let text = |text: Option<&String>| text.map_or_else(|| "none".to_owned(), |text| short(text));
    let new = new.and_then(|setting| setting.value.as_ref());
    format!("{name}: {} → {}", text(old.settings.get(name)), text(new))
}

fn tell_refused(wanted: &WantedChannel, refused: &Problem, problems: &mut Problems<'_>) {
    let setting = refused.field.as_deref();
    let setting = setting.and_then(|field| field.strip_prefix("settings."));
    let setting = setting.and_then(|name| wanted.settings.get(name));
    let at = setting.map_or(wanted.at, |setting| setting.at);
    problems.add(at, format!("channels.{}: {refused}", clean(&wanted.name)));
}
