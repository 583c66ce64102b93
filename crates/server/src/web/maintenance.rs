//! Maintenance windows: times in which nobody is told of jobs that do not run.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nightbeat_store::control::PageRequest;
use nightbeat_store::control::maintenance::{self, Window};
use serde_json::{Value, json};

use super::Web;
use super::fields::Fields;
use super::forms::Posted;
use super::frame::{Frame, Here, project_path};
use super::pages::{go, not_done, only_looking, page, unavailable};
use super::time::{Reader, When, took};
use super::viewer::Member;
use crate::api::inside::Refused;

/// How many windows are listed: those that end last.
const WINDOWS_SHOWN: u32 = 100;

#[derive(Template)]
#[template(path = "maintenance.html")]
struct Maintenance {
    frame: Frame,
    path: String,
    may_change: bool,
    windows: Vec<Row>,
    from: String,
    to: String,
    timezone: String,
    note: String,
    problem: Option<Refused>,
}

struct Row {
    id: String,
    /// `now`, `to come`, `over`.
    state: &'static str,
    mark: &'static str,
    from: When,
    to: When,
    length: String,
    note: String,
}

impl Maintenance {
    /// What is wrong with a field; where no field is named, above all of them.
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let named = problem.field.as_deref().unwrap_or_default();
        (named == field).then_some(problem.detail.as_str())
    }
}

pub(super) async fn show(State(web): State<Web>, member: Member) -> Response {
    answer(&web, &member, &Fields::default(), None).await
}

pub(super) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let made = match json_of(&fields) {
        Ok(json) => member.inside(&web).create_maintenance(json).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(()) => go(
            &web,
            &format!("{}/maintenance", project_path(member.project.id)),
        ),
        Err(problem) => answer(&web, &member, &fields, Some(problem)).await,
    }
}

pub(super) async fn delete(
    State(web): State<Web>,
    member: Member,
    Path((_, id)): Path<(String, String)>,
    _form: Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    match member.inside(&web).delete_maintenance(&id).await {
        Ok(()) => go(
            &web,
            &format!("{}/maintenance", project_path(member.project.id)),
        ),
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

/// The form as the API's JSON has it.
fn json_of(fields: &Fields) -> Result<Value, Refused> {
    let wrong = |field: &str, detail: String| Refused {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        field: Some(field.to_owned()),
        detail,
    };
    let name = fields.filled("timezone").unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| {
        let detail = format!("there is no time zone {name:?}; write it like Europe/Madrid");
        wrong("timezone", detail)
    })?;
    let instant = |field| {
        let text = fields.text(field);
        let local: Result<DateTime, _> = text.parse();
        let at = local.and_then(|local| local.to_zoned(zone.clone()));
        at.map(|at| at.timestamp().to_string()).map_err(|_| {
            wrong(
                field,
                format!("{text:?} is not a day and time; write it like 2027-03-28T02:00"),
            )
        })
    };
    Ok(json!({
        "from": instant("from")?,
        "to": instant("to")?,
        "note": fields.text("note").replace("\r\n", "\n"),
    }))
}

async fn answer(web: &Web, member: &Member, fields: &Fields, problem: Option<Refused>) -> Response {
    let project = member.project.id;
    let request = PageRequest::new(WINDOWS_SHOWN, None);
    let reading = web
        .store
        .read(move |sql| maintenance::list(sql, project, &request));
    let windows = match reading.await {
        Ok(page) => page.items,
        Err(error) => return unavailable(web, &error),
    };
    let reader = web.reader(&member.viewer);
    let frame = web.frame_at(member, Here::Maintenance);
    let zone = member.viewer.time_zone.clone();
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let text = |name| fields.text(name).to_owned();
    let template = Maintenance {
        path: format!("{}{}/maintenance", frame.base, project_path(project)),
        may_change: member.may_change(),
        windows: windows
            .into_iter()
            .map(|window| row(window, &reader))
            .collect(),
        from: text("from"),
        to: text("to"),
        timezone: fields
            .filled("timezone")
            .map(str::to_owned)
            .or(zone)
            .unwrap_or_else(|| "UTC".to_owned()),
        note: text("note"),
        problem,
        frame,
    };
    page(status, &template)
}

fn row(window: Window, reader: &Reader) -> Row {
    let now = reader.now();
    let (state, mark) = if window.to <= now {
        ("over", "paused")
    } else if window.from <= now {
        ("now", "warning")
    } else {
        ("to come", "late")
    };
    Row {
        id: window.id.to_string(),
        state,
        mark,
        from: reader.when(window.from),
        to: reader.when(window.to),
        length: took(window.to.since(window.from)),
        note: window.note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_typed_in_the_zone_that_is_named() {
        let fields =
            Fields::parse(b"from=2026-11-22T02:00&to=2026-11-22T04:30&timezone=Europe/Madrid");
        let json = json_of(&fields).unwrap();
        assert_eq!(json["from"], "2026-11-22T01:00:00Z");
        assert_eq!(json["to"], "2026-11-22T03:30:00Z");
        let wrong = json_of(&Fields::parse(b"from=soon&to=later")).unwrap_err();
        assert_eq!(wrong.field.as_deref(), Some("from"));
        let nowhere = json_of(&Fields::parse(b"timezone=Nowhere")).unwrap_err();
        assert!(nowhere.detail.contains("Europe/Madrid"), "{nowhere:?}");
    }
}
