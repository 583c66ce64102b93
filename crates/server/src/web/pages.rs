//! The templates and what all pages have in common.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use nightbeat_store::StoreError;

use super::viewer::{Theme, Viewer};
use super::{Web, assets};
use crate::accounts::Initialised;

/// What the frame around every page needs.
pub(super) struct Frame {
    pub(super) base: String,
    pub(super) style: String,
    /// What forms carry; empty on pages without one.
    pub(super) csrf: String,
    /// `system`, `light` or `dark`.
    pub(super) theme: &'static str,
    /// The reader's time zone; empty: the browser's.
    pub(super) zone: String,
}

impl Web {
    /// For a page that says one thing to anybody.
    pub(super) fn frame(&self) -> Frame {
        Frame {
            base: self.base.to_string(),
            style: assets::style_path(),
            csrf: String::new(),
            theme: Theme::System.as_str(),
            zone: String::new(),
        }
    }

    /// For a page of somebody who is signed in.
    pub(super) fn frame_for(&self, viewer: &Viewer) -> Frame {
        Frame {
            csrf: viewer.csrf.clone(),
            theme: viewer.theme.as_str(),
            zone: viewer.time_zone.clone().unwrap_or_default(),
            ..self.frame()
        }
    }
}

/// Says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice<'a> {
    pub(super) frame: Frame,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Asks who somebody is.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn<'a> {
    pub(super) frame: Frame,
    pub(super) problem: Option<&'a str>,
    pub(super) email: &'a str,
    /// Where to go on.
    pub(super) next: &'a str,
    /// Whether anybody may sign up.
    pub(super) open: bool,
    /// Whether a link can be sent by mail.
    pub(super) mails: bool,
}

/// Asks for the first account and project.
#[derive(Template)]
#[template(path = "setup.html")]
pub(super) struct SetupForm<'a> {
    pub(super) frame: Frame,
    pub(super) problem: Option<&'a str>,
    pub(super) email: &'a str,
    pub(super) project: &'a str,
    pub(super) database: &'a str,
}

/// Shows the keys, once.
#[derive(Template)]
#[template(path = "created.html")]
pub(super) struct Created<'a> {
    pub(super) frame: Frame,
    pub(super) keys: &'a Initialised,
    pub(super) public_url: &'a str,
}

/// One line of the list.
#[derive(Debug)]
pub(super) struct Line {
    /// Where links in alerts point to.
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) tags: Vec<String>,
    pub(super) status: &'static str,
    pub(super) running: Option<When>,
    /// What cannot be read of it.
    pub(super) problem: Option<String>,
    pub(super) schedule: String,
    pub(super) last: Option<When>,
    pub(super) next: Option<When>,
}

/// An instant for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct When {
    /// `3 h ago`, `in 20 min`.
    pub(super) short: String,
    /// RFC 3339.
    pub(super) exact: String,
}

/// The heartbeats of a project.
#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct List {
    pub(super) frame: Frame,
    pub(super) project: String,
    pub(super) project_id: String,
    pub(super) lines: Vec<Line>,
    pub(super) total: u64,
    pub(super) next: Option<String>,
    /// When the list was made, as an absolute time: the page does not change by itself.
    pub(super) now: When,
}

/// A page as a response.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The answer where the database does not answer.
pub(super) fn unavailable(web: &Web, error: &StoreError) -> Response {
    tracing::error!(%error, "a page could not be read from the database");
    let notice = Notice {
        frame: web.frame(),
        title: "Not available now",
        text: "The database does not answer. Signals may be refused meanwhile; the server's log says why.",
    };
    let page = page(StatusCode::SERVICE_UNAVAILABLE, &notice);
    ([(RETRY_AFTER, "5")], page).into_response()
}
