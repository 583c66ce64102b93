//! The first channel of a project: where alerts go, and a test that shows whether they arrive.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_notify::Kind;

use super::KindRow;
use super::form::{self, Input};
use crate::api::inside::{Refused, Tested};
use crate::web::Web;
use crate::web::fields::Fields;
use crate::web::forms::Posted;
use crate::web::frame::{Frame, Here, project_path};
use crate::web::pages::{go, missing, only_looking, page, unavailable};
use crate::web::start::{Facts, Step, Way};
use crate::web::viewer::Member;

/// The third step: the kinds to choose from, the form of one, or the test of what was made.
#[derive(Template)]
#[template(path = "start_channel.html")]
struct ChannelPage {
    frame: Frame,
    way: Way,
    kinds: Vec<KindRow>,
    /// The form of one kind.
    form: Option<KindForm>,
    /// A channel that is there already, with its id.
    made: Option<(String, String)>,
    tested: Option<Tested>,
    problem: Option<Refused>,
}

struct KindForm {
    kind: KindRow,
    name: String,
    inputs: Vec<Input>,
}

impl ChannelPage {
    /// What is wrong with a field.
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        (problem.field.as_deref() == Some(field)).then_some(problem.detail.as_str())
    }

    /// What is wrong with something that the form does not show.
    fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let inputs = self.form.iter().flat_map(|form| &form.inputs);
        let mut shown = inputs.map(Input::field).chain(["name".to_owned()]);
        let is_shown = problem
            .field
            .as_ref()
            .is_some_and(|field| shown.any(|name| name == *field));
        (!is_shown).then_some(problem.detail.as_str())
    }
}

pub(in crate::web) fn show(web: &Web, member: &Member, facts: &Facts, fields: &Fields) -> Response {
    let kind = web.api.catalogue.kind(fields.text("kind"));
    let form = kind.map(|kind| KindForm {
        kind: KindRow::of(kind),
        name: kind.name.clone(),
        inputs: form::empty(kind),
    });
    let made = facts.channels.first();
    let made = made.map(|channel| (channel.id.to_string(), channel.name.clone()));
    let made = made.filter(|_| form.is_none());
    let page_of = ChannelPage {
        form,
        made,
        ..template(web, member, facts)
    };
    page(StatusCode::OK, &page_of)
}

fn template(web: &Web, member: &Member, facts: &Facts) -> ChannelPage {
    let frame = web.frame_at(member, Here::Channels);
    ChannelPage {
        way: Way::new(member, &frame, facts, Step::Channel),
        kinds: web.api.catalogue.kinds().map(KindRow::of).collect(),
        form: None,
        made: None,
        tested: None,
        problem: None,
        frame,
    }
}

/// Makes it; or shows its form again.
pub(in crate::web) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let Some(kind) = web.api.catalogue.kind(fields.text("kind")) else {
        return missing(&web, &member.viewer, "kind of channel");
    };
    let inside = member.inside(&web);
    match inside.create_channel(form::new_json(kind, &fields)).await {
        Ok(id) => {
            let path = project_path(member.project.id);
            go(&web, &format!("{path}/start/channel/{id}"))
        }
        Err(problem) => again(&web, &member, kind, &fields, problem).await,
    }
}

async fn again(
    web: &Web,
    member: &Member,
    kind: &Kind,
    fields: &Fields,
    problem: Refused,
) -> Response {
    let facts = match Facts::of(web, member, "").await {
        Ok(facts) => facts,
        Err(error) => return unavailable(web, &error),
    };
    let status = problem.status;
    let again = ChannelPage {
        form: Some(KindForm {
            kind: KindRow::of(kind),
            name: fields.text("name").to_owned(),
            inputs: form::typed(kind, fields),
        }),
        problem: Some(problem),
        ..template(web, member, &facts)
    };
    page(status, &again)
}

/// What was made, with its test.
pub(in crate::web) async fn made(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Path<(String, String)>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    tell_made(&web, &member, &id, Ok(None)).await
}

/// Sends the test, and shows what its receiver said.
pub(in crate::web) async fn test(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Path<(String, String)>,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let said = member.inside(&web).test_channel(&id).await;
    tell_made(&web, &member, &id, said.map(Some)).await
}

async fn tell_made(
    web: &Web,
    member: &Member,
    id: &str,
    said: Result<Option<Tested>, Refused>,
) -> Response {
    let facts = match Facts::of(web, member, "").await {
        Ok(facts) => facts,
        Err(error) => return unavailable(web, &error),
    };
    let channel = match super::find(web, member.project.id, id).await {
        Ok(Some((channel, ..))) => channel,
        Ok(None) => return missing(web, &member.viewer, "channel"),
        Err(error) => return unavailable(web, &error),
    };
    let (tested, problem) = match said {
        Ok(tested) => (tested, None),
        Err(problem) => (None, Some(problem)),
    };
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let page_of = ChannelPage {
        made: Some((channel.id.to_string(), channel.name)),
        tested,
        problem,
        ..template(web, member, &facts)
    };
    page(status, &page_of)
}
