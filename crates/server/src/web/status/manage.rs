//! Where a project says what everybody may see.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::StoreError;
use nightbeat_store::control::audit;
use nightbeat_store::control::overview;
use nightbeat_store::control::status_pages::{self, StatusPage};
use serde::Deserialize;
use uuid::Uuid;

use crate::random;
use crate::web::Web;
use crate::web::forms::Posted;
use crate::web::frame::Frame;
use crate::web::pages::{missing, page, unavailable};
use crate::web::profile::Nothing;
use crate::web::viewer::{Member, Target};

/// The shortest and the longest address of one's own. One that nobody can guess has 32 characters.
pub(super) const PATH_CHARS: (usize, usize) = (3, 60);
/// The longest title.
const TITLE_CHARS_MAX: usize = 100;

/// The project's pages, and the form for one more; or the form for one of them.
#[derive(Template)]
#[template(path = "status_pages.html")]
struct StatusPages<'a> {
    frame: Frame,
    project: &'a str,
    project_id: String,
    /// Where status pages are: what stands before their own part.
    public: String,
    pages: Vec<StatusPage>,
    tags: Vec<String>,
    /// Which page the form is for; `None`: a new one.
    editing: Option<StatusPage>,
    typed: &'a Wish,
    problem: Option<(&'static str, String)>,
}

impl StatusPages<'_> {
    fn problem_of(&self, field: &str) -> Option<&str> {
        let (of, text) = self.problem.as_ref()?;
        (*of == field).then_some(text.as_str())
    }
}

/// What the form holds.
#[derive(Debug, Default, Clone, Deserialize)]
pub(in crate::web) struct Wish {
    #[serde(default)]
    title: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    path: String,
}

impl Wish {
    fn trimmed(&self) -> Self {
        Self {
            title: self.title.trim().to_owned(),
            tag: self.tag.trim().to_owned(),
            path: self.path.trim().to_owned(),
        }
    }

    /// The page that it means. `before`: how it was.
    fn page(&self, id: Uuid, before: Option<&StatusPage>, web: &Web) -> StatusPage {
        StatusPage {
            id,
            path: if self.path.is_empty() {
                // 122 random bits: nobody finds it by trying.
                random::uuid().simple().to_string()
            } else {
                self.path.clone()
            },
            tag: self.tag.clone(),
            title: self.title.clone(),
            created_at: before.map_or_else(|| web.node.now(), |page| page.created_at),
        }
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        let (shortest, longest) = PATH_CHARS;
        let has_title = (1..=TITLE_CHARS_MAX).contains(&self.title.chars().count());
        if !has_title || self.title.contains(char::is_control) {
            let text = format!("A title has 1 to {TITLE_CHARS_MAX} characters, in one line.");
            return Some(("title", text));
        }
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits =
            (shortest..=longest).contains(&self.path.len()) && self.path.bytes().all(is_plain);
        if !self.path.is_empty() && !fits {
            let text = format!(
                "An address of your own has {shortest} to {longest} of a–z, 0–9 and -. Leave it empty for one \
                 that nobody can guess."
            );
            return Some(("path", text));
        }
        None
    }
}

pub(in crate::web) async fn list(State(web): State<Web>, member: Member) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    tell(&web, &member, None, &Wish::default(), None).await
}

pub(in crate::web) async fn one(
    State(web): State<Web>,
    member: Member,
    Target(id): Target,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    match find(&web, &member, id).await {
        Ok(Some(found)) => {
            let wish = Wish {
                title: found.title.clone(),
                tag: found.tag.clone(),
                path: found.path.clone(),
            };
            tell(&web, &member, Some(found), &wish, None).await
        }
        Ok(None) => missing(&web, &member.viewer, "status page"),
        Err(error) => unavailable(&web, &error),
    }
}

async fn find(web: &Web, member: &Member, id: Uuid) -> nightbeat_store::Result<Option<StatusPage>> {
    let project = member.project.id;
    let reading = web
        .store
        .read(move |sql| status_pages::get(sql, project, id));
    reading.await
}

async fn tell(
    web: &Web,
    member: &Member,
    editing: Option<StatusPage>,
    typed: &Wish,
    problem: Option<(&'static str, String)>,
) -> Response {
    let project = member.project.id;
    let reading = web.store.read(move |sql| {
        let pages = status_pages::list(sql, project)?;
        Ok((pages, overview::tags(sql, project)?))
    });
    let (pages, mut tags) = match reading.await {
        Ok(read) => read,
        Err(error) => return unavailable(web, &error),
    };
    // One that no heartbeat has any more is still the one that is chosen.
    if !typed.tag.is_empty() {
        tags.insert(typed.tag.clone());
    }
    let status = match &problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let template = StatusPages {
        frame: web.settings_frame(member),
        project: &member.project.name,
        project_id: project.to_string(),
        public: format!("{}/status", web.public_url),
        pages,
        tags: tags.into_iter().collect(),
        editing,
        typed,
        problem,
    };
    page(status, &template)
}

impl Member {
    fn status_pages_path(&self) -> String {
        format!("/projects/{}/settings/status-pages", self.project.id)
    }
}

pub(in crate::web) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(wish): Posted<Wish>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let wish = wish.trimmed();
    if let Some(problem) = wish.problem() {
        return tell(&web, &member, None, &wish, Some(problem)).await;
    }
    let (project, new) = (member.project.id, wish.page(random::uuid(), None, &web));
    let about = about(&new);
    let entry = member
        .viewer
        .entry(Some(project), "made a status page", about, new.created_at);
    let made = web.change(move |sql| {
        status_pages::insert(sql, project, &new)?;
        audit::note(sql, &entry)
    });
    match made.await {
        Ok(()) => web.go_to(&member.status_pages_path()),
        Err(StoreError::Conflict(text)) => {
            tell(&web, &member, None, &wish, Some(("path", text))).await
        }
        Err(error) => unavailable(&web, &error),
    }
}

pub(in crate::web) async fn change(
    State(web): State<Web>,
    member: Member,
    Target(id): Target,
    Posted(wish): Posted<Wish>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let before = match find(&web, &member, id).await {
        Ok(Some(found)) => found,
        Ok(None) => return missing(&web, &member.viewer, "status page"),
        Err(error) => return unavailable(&web, &error),
    };
    let wish = wish.trimmed();
    if let Some(problem) = wish.problem() {
        return tell(&web, &member, Some(before), &wish, Some(problem)).await;
    }
    let (project, new) = (member.project.id, wish.page(id, Some(&before), &web));
    let now = web.node.now();
    let entry = member
        .viewer
        .entry(Some(project), "changed a status page", about(&new), now);
    let paths = [before.path.clone(), new.path.clone()];
    let changed = web.change(move |sql| {
        let changed = status_pages::update(sql, project, &new)?;
        if changed {
            audit::note(sql, &entry)?;
        }
        Ok(changed)
    });
    let changed = changed.await;
    for path in &paths {
        web.status.forget(path);
    }
    match changed {
        Ok(true) => web.go_to(&member.status_pages_path()),
        Ok(false) => missing(&web, &member.viewer, "status page"),
        Err(StoreError::Conflict(text)) => {
            tell(&web, &member, Some(before), &wish, Some(("path", text))).await
        }
        Err(error) => unavailable(&web, &error),
    }
}

pub(in crate::web) async fn delete(
    State(web): State<Web>,
    member: Member,
    Target(id): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let (project, now) = (member.project.id, web.node.now());
    let viewer = member.viewer.clone();
    let deleting = web.change(move |sql| {
        let Some(found) = status_pages::get(sql, project, id)? else {
            return Ok(None);
        };
        status_pages::delete(sql, project, id)?;
        let entry = viewer.entry(Some(project), "took a status page down", about(&found), now);
        audit::note(sql, &entry)?;
        Ok(Some(found.path))
    });
    match deleting.await {
        Ok(Some(path)) => {
            web.status.forget(&path);
            web.go_to(&member.status_pages_path())
        }
        Ok(None) => missing(&web, &member.viewer, "status page"),
        Err(error) => unavailable(&web, &error),
    }
}

/// What the audit log calls a page. Its address may be a secret, and is not in it.
fn about(page: &StatusPage) -> String {
    match page.tag.as_str() {
        "" => format!("{}, of all heartbeats", page.title),
        tag => format!("{}, of those with the tag {tag}", page.title),
    }
}
