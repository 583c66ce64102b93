//! The first heartbeat of a project, made from a few simple choices, and the wait for its first signal.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_calendar::Schedule;
use nightbeat_store::control::heartbeats::Heartbeat;
use nightbeat_store::control::overview;
use serde_json::Value;

use super::edit::{Preview, PreviewPart, look_ahead};
use super::form::{Form, Span};
use super::page_path;
use super::snippets::{self, Snippet};
use crate::api::inside::Refused;
use crate::web::Web;
use crate::web::fields::Fields;
use crate::web::forms::Posted;
use crate::web::frame::{Frame, Here, project_path};
use crate::web::pages::{go, only_looking, page, unavailable};
use crate::web::start::{Facts, Step, Way};
use crate::web::time::{Reader, When};
use crate::web::viewer::Member;

/// The lines that are offered first, by their names among the snippets.
const LINES: [&str; 4] = ["curl", "cron", "systemd", "nightbeat run"];
/// The fields of a crontab in the snippets, for the heartbeat's own.
const CRON_IN_SNIPPETS: &str = "30 3 * * *";

/// How often it runs: the value of the choice, what a person reads, and an interval with its grace, each as
/// number and unit; none: it is read from other fields.
type Choice = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    (&'static str, &'static str),
);
const CHOICES: [Choice; 5] = [
    ("at", "Every day at", None, ("1", "h")),
    (
        "day",
        "Once a day, at any time",
        Some(("1", "days")),
        ("1", "h"),
    ),
    ("hour", "Every hour", Some(("1", "h")), ("10", "min")),
    (
        "week",
        "Once a week, at any time",
        Some(("7", "days")),
        ("6", "h"),
    ),
    ("cron", "As a crontab says", None, ("1", "h")),
];

/// What stands in the form, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Simple {
    name: String,
    /// One of [`CHOICES`].
    often: String,
    /// `03:30`.
    time: String,
    cron: String,
    timezone: String,
}

impl Simple {
    fn new() -> Self {
        Self {
            name: String::new(),
            often: "at".to_owned(),
            time: "03:30".to_owned(),
            cron: "30 3 * * *".to_owned(),
            timezone: "UTC".to_owned(),
        }
    }

    fn typed(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self {
            name: text("name"),
            often: text("often"),
            time: text("time"),
            cron: text("cron"),
            timezone: text("timezone"),
        }
    }

    /// The same as the whole form has it.
    fn form(&self) -> Form {
        let chosen = CHOICES.iter().find(|(value, ..)| *value == self.often);
        let (_, _, every, grace) = chosen.unwrap_or(&CHOICES[0]);
        let mut form = Form {
            name: self.name.clone(),
            timezone: self.timezone.clone(),
            grace: Span::new(grace),
            ..Form::new()
        };
        if let Some(every) = every {
            form.every = Span::new(every);
            return form;
        }
        "cron".clone_into(&mut form.kind);
        form.cron = match self.often.as_str() {
            "cron" => self.cron.clone(),
            _ => at(&self.time).unwrap_or_else(|| self.time.clone()),
        };
        form
    }

    /// What the API would not say in the form's words.
    fn problem(&self) -> Option<Refused> {
        let is_wrong = self.often == "at" && at(&self.time).is_none();
        is_wrong.then(|| Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            field: Some("schedule".to_owned()),
            detail: "a time of the day is written like 03:30".to_owned(),
        })
    }

    fn json(&self) -> Value {
        self.form().json()
    }

    fn preview(&self, reader: &Reader) -> Preview {
        look_ahead(&self.form(), reader)
    }
}

/// The crontab fields for a time of the day, `03:30`.
fn at(time: &str) -> Option<String> {
    let (hour, rest) = time.split_once(':')?;
    let (hour, minute) = (hour.parse().ok()?, rest.split(':').next()?.parse().ok()?);
    let fits = (0..24_u8).contains(&hour) && (0..60_u8).contains(&minute);
    fits.then(|| format!("{minute} {hour} * * *"))
}

/// The first step.
#[derive(Template)]
#[template(path = "start_heartbeat.html")]
struct FirstPage {
    frame: Frame,
    way: Way,
    form: Simple,
    choices: [Choice; 5],
    preview: Preview,
    problem: Option<Refused>,
}

impl FirstPage {
    fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let of = problem.field.as_deref().unwrap_or_default();
        // `schedule.cron` is about the schedule.
        let of = of.split(['[', '.']).next().unwrap_or(of);
        (of == field).then_some(problem.detail.as_str())
    }

    /// What is wrong with something that the form does not show.
    fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let is_shown = ["name", "schedule"]
            .iter()
            .any(|field| self.problem_of(field).is_some());
        (!is_shown).then_some(problem.detail.as_str())
    }
}

/// The form, with nothing in it yet.
pub(in crate::web) fn ask(web: &Web, member: &Member, facts: &Facts) -> Response {
    tell(web, member, facts, Simple::new(), None)
}

fn tell(
    web: &Web,
    member: &Member,
    facts: &Facts,
    form: Simple,
    problem: Option<Refused>,
) -> Response {
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let frame = web.frame_at(member, Here::Heartbeats);
    let template = FirstPage {
        way: Way::new(member, &frame, facts, Step::Heartbeat),
        preview: form.preview(&web.reader(&member.viewer)),
        choices: CHOICES,
        form,
        problem,
        frame,
    };
    page(status, &template)
}

/// Makes it; or shows the form again.
pub(in crate::web) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let form = Simple::typed(&fields);
    let mut problem = form.problem();
    if !fields.ticked("show") && problem.is_none() {
        let inside = member.inside(&web);
        match inside.create_heartbeat(form.json()).await {
            Ok(slug) => {
                let path = project_path(member.project.id);
                return go(&web, &format!("{path}/start?step=line&h={slug}"));
            }
            Err(refused) => problem = Some(refused),
        }
    }
    match Facts::of(&web, &member, "").await {
        Ok(facts) => tell(&web, &member, &facts, form, problem),
        Err(error) => unavailable(&web, &error),
    }
}

/// What the choices mean, as a part of a page.
pub(in crate::web) async fn preview(
    State(web): State<Web>,
    member: Member,
    Posted(fields): Posted<Fields>,
) -> Response {
    let preview = Simple::typed(&fields).preview(&web.reader(&member.viewer));
    page(StatusCode::OK, &PreviewPart { preview })
}

/// The second step: its line, and the wait for the first signal.
#[derive(Template)]
#[template(path = "start_line.html")]
struct LinePage {
    frame: Frame,
    way: Way,
    name: String,
    /// The heartbeat's page, with the public URL's path.
    path: String,
    /// This very page.
    address: String,
    version: String,
    status: &'static str,
    heard: Option<When>,
    deadline: Option<When>,
    lines: Vec<Snippet>,
}

pub(in crate::web) async fn line(web: &Web, member: &Member, facts: &Facts) -> Response {
    let Some(beat) = &facts.beat else {
        return ask(web, member, facts);
    };
    let (project, id) = (member.project.id, beat.id);
    let reader = web.reader(&member.viewer);
    let now = reader.now();
    let reading = web
        .store
        .read(move |sql| overview::heartbeat_version(sql, project, id, now));
    let version = match reading.await {
        Ok(version) => version,
        Err(error) => return unavailable(web, &error),
    };
    let frame = web.frame_at(member, Here::Heartbeats);
    let status = beat.status(now);
    let slug = &beat.details.slug;
    let template = LinePage {
        way: Way::new(member, &frame, facts, Step::Line),
        name: beat.details.name.clone(),
        path: format!("{}{}", frame.base, page_path(project, slug)),
        address: format!(
            "{}{}/start?step=line&h={slug}",
            frame.base,
            project_path(project)
        ),
        version: version.to_string(),
        status: status.as_str(),
        heard: beat.state.last_signal_at.map(|at| reader.when(at)),
        deadline: beat
            .state
            .deadline(&beat.settings)
            .map(|at| reader.when(at)),
        lines: lines(web, beat),
        frame: Frame {
            icon: web.icon(Some(status)),
            ..frame
        },
    };
    page(StatusCode::OK, &template)
}

/// What to copy, with the heartbeat's own times in a crontab's line.
fn lines(web: &Web, beat: &Heartbeat) -> Vec<Snippet> {
    let all = snippets::for_heartbeat(&web.public_url, &beat.id.to_string(), None);
    let offered = all.into_iter().filter(|one| LINES.contains(&one.name));
    let mut lines: Vec<Snippet> = offered
        .map(|one| match &beat.settings.schedule {
            Schedule::Cron(cron) => Snippet {
                text: one.text.replace(CRON_IN_SNIPPETS, cron.expression()),
                ..one
            },
            _ => one,
        })
        .collect();
    lines.sort_by_key(|one| LINES.iter().position(|name| *name == one.name));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_choice_is_a_schedule_and_a_grace() {
        for (often, schedule, grace) in [
            (
                "at",
                json!({ "cron": "5 4 * * *", "timezone": "Europe/Madrid" }),
                3_600,
            ),
            ("day", json!({ "every": 86_400 }), 3_600),
            ("hour", json!({ "every": 3_600 }), 600),
            ("week", json!({ "every": 604_800 }), 21_600),
            (
                "cron",
                json!({ "cron": "0 6 * * 1", "timezone": "Europe/Madrid" }),
                3_600,
            ),
            (
                "never",
                json!({ "cron": "5 4 * * *", "timezone": "Europe/Madrid" }),
                3_600,
            ),
        ] {
            let form =
                format!("name=x&often={often}&time=04:05&cron=0+6+*+*+1&timezone=Europe%2FMadrid");
            let json = Simple::typed(&Fields::parse(form.as_bytes())).json();
            assert_eq!(json["schedule"], schedule, "{often}");
            assert_eq!(json["grace"], grace, "{often}");
        }
        assert!(
            CHOICES
                .iter()
                .any(|(value, ..)| *value == Simple::new().often)
        );
    }

    #[test]
    fn a_time_of_the_day_becomes_minutes_and_hours() {
        for (time, cron) in [
            ("03:30", Some("30 3 * * *")),
            ("00:00", Some("0 0 * * *")),
            ("23:59:00", Some("59 23 * * *")),
            ("24:00", None),
            ("12:60", None),
            ("-1:00", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(at(time).as_deref(), cron, "{time}");
        }
    }
}
