//! A new project.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Role};
use nightbeat_store::control::audit;
use serde::Deserialize;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, page};
use super::viewer::Person;
use crate::accounts::{insert_project, project_name_problem};

/// The most projects that an account may own: a stranger who signs up must not fill the disk.
const OWNED_MAX: usize = 100;

#[derive(Template)]
#[template(path = "project_new.html")]
struct NewProject<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    name: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    name: String,
}

pub(super) async fn form(State(web): State<Web>, person: Person) -> Response {
    ask(&web, &person, StatusCode::OK, "", None)
}

pub(super) async fn create(
    State(web): State<Web>,
    person: Person,
    Posted(wish): Posted<Wish>,
) -> Response {
    let name = wish.name.trim().to_owned();
    if let Some(problem) = project_name_problem(&name) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return ask(&web, &person, status, &name, Some(problem));
    }
    let (account, now) = (person.account.id, web.node.now());
    let viewer = person.viewer.clone();
    let created = web.change(move |sql| {
        let all = accounts::projects_of(sql, account)?;
        let owned = all.iter().filter(|(_, role)| *role == Role::Owner).count();
        if owned >= OWNED_MAX {
            let problem = "You own a hundred projects already: give one away first.";
            return Err(StoreError::Conflict(problem.to_owned()));
        }
        let project = insert_project(sql, &name, account, now)?;
        let entry = viewer.entry(Some(project.id), "created the project", &*name, now);
        audit::note(sql, &entry)?;
        Ok(project.id)
    });
    match created.await {
        Ok(id) => web.go_to(&format!("/projects/{id}/settings")),
        Err(error) => web.refused(&error),
    }
}

fn ask(
    web: &Web,
    person: &Person,
    status: StatusCode,
    name: &str,
    problem: Option<&str>,
) -> Response {
    let template = NewProject {
        frame: web.frame_for(&person.viewer),
        problem,
        name,
    };
    page(status, &template)
}
