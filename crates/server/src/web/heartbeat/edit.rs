//! Making and changing a heartbeat: a form that can be looked at, tried and sent.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::Schedule;
use nightbeat_domain::work::{PastRun, trial};
use nightbeat_evidence::rules::RuleSet;
use nightbeat_store::control::{PageRequest, channels, runs};

use super::form::{Form, UNITS};
use super::{find, log, page_path};
use crate::api::inside::Refused;
use crate::web::Web;
use crate::web::fields::Fields;
use crate::web::forms::Posted;
use crate::web::frame::{Frame, Here, project_path};
use crate::web::pages::{go, not_done, only_looking, page};
use crate::web::time::{Reader, When, span};
use crate::web::viewer::Member;

/// How many instants a preview shows.
const INSTANTS_SHOWN: usize = 5;
/// How many channels can be picked.
const CHANNELS_SHOWN: u32 = 200;
/// How many past runs rules are tried on.
const RUNS_TRIED: u32 = 60;
/// How many of those that would have failed are named.
const RUNS_NAMED: usize = 8;

/// The form.
#[derive(Template)]
#[template(path = "heartbeat_form.html")]
struct FormPage {
    frame: Frame,
    /// Where it is sent.
    action: String,
    /// Where it is left to.
    back: String,
    preview_path: String,
    title: String,
    /// It exists.
    is_edit: bool,
    version: String,
    form: Form,
    problem: Option<Refused>,
    preview: Option<Preview>,
    suggestion: Option<(String, String)>,
    channels: Vec<(String, String, bool)>,
    tried: Option<Tried>,
    units: [(&'static str, u64); 4],
}

/// What a schedule does.
#[derive(Template)]
#[template(path = "preview.html")]
pub(super) struct PreviewPart {
    pub(super) preview: Preview,
}

pub(super) struct Preview {
    pub(super) explanation: String,
    pub(super) zone: String,
    /// The instants in the schedule's own zone, and how far they are.
    pub(super) instants: Vec<(String, When)>,
    pub(super) notes: Vec<String>,
    pub(super) distance: Option<String>,
    pub(super) problem: Option<String>,
}

/// What rules would have said.
struct Tried {
    runs: usize,
    /// The newest first.
    broken: Vec<(When, String)>,
    count: usize,
    problem: Option<String>,
}

impl FormPage {
    /// What is wrong with a field.
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let of = problem.field.as_deref()?;
        // `tags[2]` is about the tags.
        let of = of.split(['[', '.']).next().unwrap_or(of);
        (of == field).then_some(problem.detail.as_str())
    }

    /// What is wrong, where no field of the form can say it.
    fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        problem.field.is_none().then_some(problem.detail.as_str())
    }

    /// What is wrong with the schedule, where that is an interval: it is told beside its own field.
    fn problem_of_interval(&self) -> Option<&str> {
        self.problem_of("schedule")
            .filter(|_| self.is_kind("every"))
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.form.kind == kind || (kind == "every" && self.form.kind.is_empty())
    }
}

/// The form for a new one.
pub(in crate::web) async fn form(State(web): State<Web>, member: Member) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let form = Form::new();
    answer(&web, &member, None, form, Fields::default(), None).await
}

/// Makes a new one; or shows the form again, with what its schedule means or its rules say.
pub(in crate::web) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let form = Form::typed(&fields);
    if wants_to_see(&fields) {
        return answer(&web, &member, None, form, fields, None).await;
    }
    let inside = member.inside(&web);
    match inside.create_heartbeat(form.json()).await {
        Ok(slug) => go(&web, &page_path(member.project.id, &slug)),
        Err(problem) => answer(&web, &member, None, form, fields, Some(problem)).await,
    }
}

/// The form for one that exists.
pub(in crate::web) async fn ask(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Path<(String, String)>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    match find(&web, member.project.id, &slug).await {
        Ok(heartbeat) => {
            let form = Form::of(&heartbeat);
            let version = ("version".to_owned(), heartbeat.version.to_string());
            let fields = Fields(vec![version]);
            answer(&web, &member, Some(&slug), form, fields, None).await
        }
        Err(refused) => not_done(&web, &member.viewer, &refused),
    }
}

/// Changes it.
pub(in crate::web) async fn save(
    State(web): State<Web>,
    member: Member,
    Path((_, slug)): Path<(String, String)>,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let form = Form::typed(&fields);
    if wants_to_see(&fields) {
        return answer(&web, &member, Some(&slug), form, fields, None).await;
    }
    let inside = member.inside(&web);
    let version = fields.text("version").parse().ok();
    match inside.change_heartbeat(&slug, version, form.json()).await {
        Ok(slug) => go(&web, &page_path(member.project.id, &slug)),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            not_done(&web, &member.viewer, &problem)
        }
        Err(mut problem) => {
            if problem.status == StatusCode::PRECONDITION_FAILED {
                "Someone else has changed it since you opened this form. Open it again to see how it is now; \
                 nothing of yours was stored."
                    .clone_into(&mut problem.detail);
            }
            answer(&web, &member, Some(&slug), form, fields, Some(problem)).await
        }
    }
}

/// What the schedule in the form means, as a part of a page.
pub(in crate::web) async fn preview(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    let reader = web.reader(&member.viewer);
    let preview = look_ahead(&Form::typed(&fields), &reader);
    page(StatusCode::OK, &PreviewPart { preview })
}

/// The buttons that only show something.
fn wants_to_see(fields: &Fields) -> bool {
    fields.ticked("show")
}

/// The form; with what went wrong, and what was asked to be shown.
async fn answer(
    web: &Web,
    member: &Member,
    slug: Option<&str>,
    form: Form,
    fields: Fields,
    problem: Option<Refused>,
) -> Response {
    let project = member.project.id;
    let reader = web.reader(&member.viewer);
    let listed = PageRequest::new(CHANNELS_SHOWN, None);
    let known = web
        .store
        .read(move |sql| channels::list(sql, project, &listed))
        .await;
    let known = match known {
        Ok(page) => page.items,
        Err(error) => return crate::web::pages::unavailable(web, &error),
    };
    let channels = known.into_iter().map(|channel| {
        let id = channel.id.to_string();
        let is_picked = form.channels.contains(&id);
        (id, channel.name, is_picked)
    });
    let mut suggestion = None;
    let mut tried = None;
    if let Some(slug) = slug {
        let inside = web.api.inside(project);
        suggestion = inside.suggested_grace(slug).await.ok().flatten();
        if fields.text("show") == "rules" {
            tried = try_rules(web, member, slug, &form, &reader).await;
        }
    }
    let frame = web.frame_at(member, Here::Heartbeats);
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let below = |path: String| format!("{}{path}", frame.base);
    let (action, back, title) = if let Some(slug) = slug {
        let own = page_path(project, slug);
        (format!("{own}/edit"), own, format!("Edit {}", form.name))
    } else {
        let all = project_path(project);
        (
            format!("{all}/heartbeats/new"),
            all,
            "New heartbeat".to_owned(),
        )
    };
    let template = FormPage {
        action: below(action),
        back: below(back),
        preview_path: below(format!("{}/heartbeats/preview", project_path(project))),
        title,
        is_edit: slug.is_some(),
        version: fields.text("version").to_owned(),
        preview: Some(look_ahead(&form, &reader)),
        problem,
        suggestion: suggestion
            .map(|(seconds, text)| (span(std::time::Duration::from_secs(seconds)), text)),
        channels: channels.collect(),
        tried,
        units: UNITS,
        form,
        frame,
    };
    page(status, &template)
}

/// What the schedule in the form means from now on.
pub(super) fn look_ahead(form: &Form, reader: &Reader) -> Preview {
    let schedule = serde_json::from_value::<Schedule>(form.schedule());
    let schedule = match schedule {
        Ok(schedule) => schedule,
        Err(error) => {
            return Preview {
                explanation: String::new(),
                zone: String::new(),
                instants: Vec::new(),
                notes: Vec::new(),
                distance: None,
                problem: Some(error.to_string()),
            };
        }
    };
    let now = reader.now().timestamp();
    let preview = schedule.preview(now, INSTANTS_SHOWN);
    let spacing = schedule.spacing_after(now);
    let instants = preview.instants.into_iter().map(|at| {
        let told = at.strftime("%a %d %b %Y, %H:%M:%S %Z").to_string();
        (told, reader.when(at.timestamp().into()))
    });
    Preview {
        explanation: preview.explanation,
        zone: preview.zone.name().to_owned(),
        instants: instants.collect(),
        notes: preview
            .notes
            .into_iter()
            .map(|note| sentence(&note.text))
            .collect(),
        distance: spacing.map(|spacing| span(spacing.smallest)),
        problem: None,
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

/// What the rules in the form would have said of the heartbeat's past runs.
async fn try_rules(
    web: &Web,
    member: &Member,
    slug: &str,
    form: &Form,
    reader: &Reader,
) -> Option<Tried> {
    let nothing = |problem| Tried {
        runs: 0,
        broken: Vec::new(),
        count: 0,
        problem: Some(problem),
    };
    let rules = match RuleSet::parse(&form.rules()) {
        Ok(rules) => rules,
        Err(error) => return Some(nothing(error.to_string())),
    };
    let project = member.project.id;
    let id = find(web, project, slug).await.ok()?.id;
    let request = PageRequest::new(RUNS_TRIED, None);
    let reading = web
        .store
        .read(move |sql| runs::list(sql, project, id, &request));
    let mut found = reading.await.ok()??.items;
    found.reverse();
    let past: Vec<(PastRun, Option<u8>)> = found
        .iter()
        .map(|run| (log::past(run), run.exit_code))
        .collect();
    if past.is_empty() {
        return Some(nothing("There is no run yet to try them on.".to_owned()));
    }
    let told = trial(&rules, &past);
    let mut broken: Vec<(When, String)> = Vec::new();
    for ((run, _), rules) in past.iter().zip(&told).rev() {
        for rule in rules {
            broken.push((
                reader.when(run.ended_at),
                format!("{}: {}", rule.rule, rule.explanation),
            ));
        }
    }
    let count = told.iter().filter(|rules| !rules.is_empty()).count();
    broken.truncate(RUNS_NAMED);
    Some(Tried {
        runs: past.len(),
        broken,
        count,
        problem: None,
    })
}
