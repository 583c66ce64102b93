//! The API's verbs for the pages: the same checks and the same effects, without HTTP around them. A page that
//! changes something calls the handler that a program would have reached.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use nightbeat_domain::ProjectId;
use nightbeat_store::control::heartbeats::Heartbeat;
use serde_json::Value;

use super::actor::Actor;
use super::caller::Caller;
use super::input::{self, Given};
use super::problem::Problem;
use super::version::IfMatch;
use super::{ApiState, channels, deliveries, heartbeats, incidents, maintenance};

/// Someone who may change a project, with its verbs at hand.
#[derive(Debug, Clone)]
pub(crate) struct Inside {
    api: ApiState,
    caller: Caller,
}

/// Why a verb did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What kind of problem it is.
    pub(crate) status: StatusCode,
    /// The field that is wrong, by its name in the API.
    pub(crate) field: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) detail: String,
}

/// What a channel's receiver said to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tested {
    /// It was accepted.
    pub(crate) ok: bool,
    /// What the receiver answered, or what went wrong.
    pub(crate) detail: String,
    /// How long it took, in milliseconds.
    pub(crate) took_ms: u64,
}

type Done<T> = Result<T, Refused>;

impl ApiState {
    /// The verbs for a page that looks at this project.
    pub(crate) fn inside(&self, project: ProjectId) -> Inside {
        Inside {
            api: self.clone(),
            caller: Caller {
                project,
                secrets: true,
                actor: None,
            },
        }
    }
}

impl Inside {
    /// The verbs for someone who may change the project; the log says what they did.
    pub(crate) fn by(mut self, actor: Actor) -> Self {
        self.caller.actor = Some(actor);
        self
    }

    /// Creates a heartbeat as the API's JSON describes it; its slug.
    pub(crate) async fn create_heartbeat(&self, json: Value) -> Done<String> {
        let asked = input::Json(input::object(json)?);
        let created = heartbeats::create_heartbeat(self.state(), self.caller, asked).await?;
        Ok(created.body.body.slug().to_owned())
    }

    /// Changes what the JSON names; the slug that it has then. `version`: that of the form, so that nobody
    /// overwrites an edit that they have not seen.
    pub(crate) async fn change_heartbeat(
        &self,
        which: &str,
        version: Option<i64>,
        json: Value,
    ) -> Done<String> {
        let asked = input::Json(input::object(json)?);
        let seen = version.map_or(IfMatch::Any, IfMatch::version);
        let which = Given(which.to_owned());
        let changed =
            heartbeats::change_heartbeat(self.state(), self.caller, which, seen, asked).await?;
        Ok(changed.body.slug().to_owned())
    }

    /// The heartbeat with this id or slug.
    pub(crate) async fn heartbeat(&self, which: &str) -> Done<Heartbeat> {
        let (project, which) = (self.caller.project, which.to_owned());
        let reading = self
            .api
            .read(move |sql| heartbeats::find(sql, project, &which));
        Ok(reading.await?)
    }

    /// Which grace fits it, in seconds, and why; `None` until enough runs say something about it.
    pub(crate) async fn suggested_grace(&self, which: &str) -> Done<Option<(u64, String)>> {
        let which = Given(which.to_owned());
        let shown = heartbeats::show_heartbeat(self.state(), self.caller, which).await?;
        Ok(shown.body.suggested_grace())
    }

    /// Deletes a heartbeat.
    pub(crate) async fn delete_heartbeat(&self, which: &str) -> Done<()> {
        let which = Given(which.to_owned());
        heartbeats::delete_heartbeat(self.state(), self.caller, which, IfMatch::Any).await?;
        Ok(())
    }

    /// Pauses a heartbeat.
    pub(crate) async fn pause(&self, which: &str) -> Done<()> {
        let which = Given(which.to_owned());
        heartbeats::pause_heartbeat(self.state(), self.caller, which).await?;
        Ok(())
    }

    /// Resumes a heartbeat.
    pub(crate) async fn resume(&self, which: &str) -> Done<()> {
        let which = Given(which.to_owned());
        heartbeats::resume_heartbeat(self.state(), self.caller, which).await?;
        Ok(())
    }

    /// Says that an incident is seen; with a note, unless it is empty.
    pub(crate) async fn acknowledge(&self, incident: &str, note: &str) -> Done<()> {
        let note = match note.trim() {
            "" => None,
            text => Some(incidents::new_note(&self.api, text)?),
        };
        let which = incident.to_owned();
        let _shown = incidents::acknowledge(&self.api, self.caller, which, note).await?;
        Ok(())
    }

    /// Adds a note to an incident.
    pub(crate) async fn note(&self, incident: &str, text: &str) -> Done<()> {
        let note = incidents::new_note(&self.api, text)?;
        let which = incident.to_owned();
        let _shown = incidents::add_note(&self.api, self.caller, which, note).await?;
        Ok(())
    }

    /// Holds an incident's alerts back, until the time that the JSON names.
    pub(crate) async fn snooze(&self, incident: &str, json: Value) -> Done<()> {
        let asked = input::Json(input::object(json)?);
        let which = Given(incident.to_owned());
        let _shown = incidents::snooze_incident(self.state(), self.caller, which, asked).await?;
        Ok(())
    }

    /// Creates a channel; its id.
    pub(crate) async fn create_channel(&self, json: Value) -> Done<String> {
        let asked = input::Json(input::object(json)?);
        let created = channels::create_channel(self.state(), self.caller, asked).await?;
        Ok(created.body.body.id().to_string())
    }

    /// Changes what the JSON names of a channel.
    pub(crate) async fn change_channel(
        &self,
        which: &str,
        version: Option<i64>,
        json: Value,
    ) -> Done<()> {
        let asked = input::Json(input::object(json)?);
        let seen = version.map_or(IfMatch::Any, IfMatch::version);
        let which = Given(which.to_owned());
        channels::change_channel(self.state(), self.caller, which, seen, asked).await?;
        Ok(())
    }

    /// Deletes a channel.
    pub(crate) async fn delete_channel(&self, which: &str) -> Done<()> {
        let which = Given(which.to_owned());
        channels::delete_channel(self.state(), self.caller, which, IfMatch::Any).await?;
        Ok(())
    }

    /// Sends a test through a channel; what its receiver said.
    pub(crate) async fn test_channel(&self, which: &str) -> Done<Tested> {
        let which = Given(which.to_owned());
        let Json(said) = channels::test_channel(self.state(), self.caller, which).await?;
        Ok(Tested {
            ok: said.ok,
            detail: said.detail,
            took_ms: said.duration_ms,
        })
    }

    /// Need not be shown as failing any more.
    pub(crate) async fn dismiss(&self, delivery: &str) -> Done<()> {
        let which = Given(delivery.to_owned());
        let _shown = deliveries::dismiss_delivery(self.state(), self.caller, which).await?;
        Ok(())
    }

    /// Enters a maintenance window.
    pub(crate) async fn create_maintenance(&self, json: Value) -> Done<()> {
        let asked = input::Json(input::object(json)?);
        maintenance::create_maintenance(self.state(), self.caller, asked).await?;
        Ok(())
    }

    /// Deletes a maintenance window.
    pub(crate) async fn delete_maintenance(&self, which: &str) -> Done<()> {
        let which = Given(which.to_owned());
        maintenance::delete_maintenance(self.state(), self.caller, which).await?;
        Ok(())
    }

    fn state(&self) -> State<ApiState> {
        State(self.api.clone())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        problem.told()
    }
}
