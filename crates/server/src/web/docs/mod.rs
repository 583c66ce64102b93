//! `/docs`: the handbook, from the binary, for everybody.

mod book;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::Web;
use super::fields::Fields;
use super::frame::Frame;
use super::pages::{go, page_without_secrets, refused};
use book::{Chapter, Found, Html, book};

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'a> {
    frame: Frame,
    title: &'a str,
    chapters: Vec<Link<'a>>,
    html: &'a Html,
}

#[derive(Template)]
#[template(path = "docs_search.html")]
struct Search<'a> {
    frame: Frame,
    chapters: Vec<Link<'a>>,
    text: String,
    found: Vec<Found<'a>>,
}

struct Link<'a> {
    name: &'a str,
    title: &'a str,
    is_here: bool,
}

fn links(here: &str) -> Vec<Link<'static>> {
    let links = book().iter().map(|chapter| Link {
        name: chapter.name,
        title: &chapter.title,
        is_here: chapter.name == here,
    });
    links.collect()
}

/// The first chapter; or what a search finds.
pub(super) async fn index(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let Some(text) = fields.filled("q") else {
        return go(&web, &format!("/docs/{}", book()[0].name));
    };
    let search = Search {
        frame: web.frame(),
        chapters: links(""),
        text: text.to_owned(),
        found: book::find(book(), text),
    };
    page_without_secrets(&headers, &search)
}

pub(super) async fn chapter(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let known = book().iter().find(|chapter| chapter.name == name);
    let Some(Chapter { title, html, .. }) = known else {
        let text =
            "The handbook has no such chapter. Perhaps it has another name now: try its search.";
        return refused(&web, StatusCode::NOT_FOUND, "Not in the handbook", text);
    };
    let page = Page {
        frame: web.frame(),
        title,
        chapters: links(&name),
        html,
    };
    page_without_secrets(&headers, &page)
}
