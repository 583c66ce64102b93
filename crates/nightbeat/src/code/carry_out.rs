//! Carries a plan out, one request after the other.

use std::collections::BTreeMap;

use nightbeat_agent::api::Heartbeat;
use nightbeat_agent::{Answer, Client, ClientError, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Mark, Plan, Request, Step};
use crate::exit::Failure;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    created: usize,
    changed: usize,
    removed: usize,
    /// The heartbeats that were created.
    pub(crate) new: Vec<Heartbeat>,
    /// Steps that the server refused, by the name of their thing, and why.
    pub(crate) refused: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
    name: String,
}

/// Carries `plan` out. `channels` are the ids of those that are there, by name. What the server refuses (a slug
/// that is taken meanwhile) is passed over where `go_on`; everything else ends it, and says how far it came.
pub(crate) async fn carry_out(
    client: &Client,
    plan: &Plan,
    mut channels: BTreeMap<String, String>,
    go_on: bool,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    for step in &plan.steps {
        match take(client, step, &mut channels, &mut done).await {
            Ok(()) => done.count(step.mark),
            Err(ClientError::Refused(problem)) if go_on && matches!(problem.status, 409 | 422) => {
                done.refused.push((step.name.clone(), problem.to_string()));
            }
            Err(error) => return Err(broken_off(step, error, &done, plan)),
        }
    }
    Ok(done)
}

async fn take(
    client: &Client,
    step: &Step,
    channels: &mut BTreeMap<String, String>,
    done: &mut Done,
) -> Result<(), ClientError> {
    for request in &step.requests {
        let Request { method, path, body } = request;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let body = body.as_ref().map(|body| with_ids(body, channels));
        let answer = match client.send(method.clone(), &path, body.as_ref()).await {
            // Somebody else removed it meanwhile.
            Err(ClientError::Refused(problem))
                if problem.status == 404 && step.mark == Mark::Remove =>
            {
                continue;
            }
            answer => answer?,
        };
        if *method == Method::POST {
            note_created(&path, &answer, channels, done)?;
        }
    }
    Ok(())
}

fn note_created(
    path: &[&str],
    answer: &Answer,
    channels: &mut BTreeMap<String, String>,
    done: &mut Done,
) -> Result<(), ClientError> {
    match path {
        ["channels"] => {
            let Created { id, name } = answer.parse()?;
            channels.insert(name, id);
        }
        ["heartbeats"] => done.new.push(answer.parse()?),
        _ => {}
    }
    Ok(())
}

/// The body with the ids of the channels that it names.
fn with_ids(body: &Value, channels: &BTreeMap<String, String>) -> Value {
    let id = |name: &Value| match name.as_str().and_then(|name| channels.get(name)) {
        Some(id) => json!(id),
        // The server says of it that there is no such channel.
        None => name.clone(),
    };
    let mut body = body.clone();
    if let Some(Value::Array(names)) = body.get_mut("channels") {
        for name in names {
            *name = id(name);
        }
    }
    if let Some(name) = body.get_mut("fallback_channel") {
        *name = id(name);
    }
    body
}

fn broken_off(step: &Step, error: ClientError, done: &Done, plan: &Plan) -> Failure {
    let failure = Failure::from(error);
    let made = done.created + done.changed + done.removed;
    Failure {
        message: format!("{}: {}", step.title(), failure.message),
        ..failure
    }
    .hint(format!(
        "{made} of {} changes are made; the same command goes on from here",
        plan.steps.len()
    ))
}

impl Done {
    fn count(&mut self, mark: Mark) {
        match mark {
            Mark::Create => self.created += 1,
            Mark::Change => self.changed += 1,
            Mark::Remove => self.removed += 1,
        }
    }

    /// What was done, in a line.
    pub(crate) fn summary(&self) -> String {
        let parts = [
            (self.created, "created"),
            (self.changed, "changed"),
            (self.removed, "removed"),
        ];
        let said = parts.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match said.as_slice() {
            [] => "nothing was changed".to_owned(),
            said => format!("done: {}", said.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_channels_become_ids() {
        let channels = BTreeMap::from([("ops".to_owned(), "c1".to_owned())]);
        let body = json!({"name": "ops", "channels": ["ops", "gone"], "fallback_channel": "ops"});
        assert_eq!(
            with_ids(&body, &channels),
            json!({"name": "ops", "channels": ["c1", "gone"], "fallback_channel": "c1"})
        );
        let body = json!({"channels": "all", "fallback_channel": null});
        assert_eq!(with_ids(&body, &channels), body);
    }
}
