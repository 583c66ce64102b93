//! A project's API keys and its ping key.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::StoreError;
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::control::{PageRequest, audit, projects};
use serde::Deserialize;
use uuid::Uuid;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, page, unavailable};
use super::profile::Nothing;
use super::time::{Reader, When};
use super::viewer::{Member, Target};
use crate::accounts::{API_KEY_PREFIX, PING_KEY_PREFIX, key_hash};
use crate::random;

/// The longest name of a key.
const NAME_CHARS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    project: &'a str,
    project_id: String,
    public_url: &'a str,
    ping_key: &'a str,
    keys: Vec<Line>,
    /// The key that was just made, and its name: shown this once.
    made: Option<(&'a str, &'a str)>,
}

struct Line {
    id: String,
    name: String,
    scope: &'static str,
    created: When,
    used: Option<When>,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    name: String,
    scope: Scope,
}

pub(super) async fn show(State(web): State<Web>, member: Member) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    tell(&web, &member, StatusCode::OK, None, None).await
}

async fn tell(
    web: &Web,
    member: &Member,
    status: StatusCode,
    problem: Option<&str>,
    made: Option<(&str, &str)>,
) -> Response {
    let id = member.project.id;
    let request = PageRequest::new(PageRequest::ITEMS_MAX, None);
    let found = web.store.read(move |sql| keys::list(sql, id, &request));
    let found = match found.await {
        Ok(found) => found.items,
        Err(error) => return unavailable(web, &error),
    };
    let reader = web.reader(&member.viewer);
    let template = KeysPage {
        frame: web.settings_frame(member),
        problem,
        project: &member.project.name,
        project_id: id.to_string(),
        public_url: &web.public_url,
        ping_key: &member.project.ping_key,
        keys: found.into_iter().map(|key| line(key, &reader)).collect(),
        made,
    };
    page(status, &template)
}

fn line(key: Key, reader: &Reader) -> Line {
    Line {
        id: key.id.to_string(),
        name: key.name,
        scope: key.scope.as_str(),
        created: reader.when(key.created_at),
        used: key.last_used_at.map(|at| reader.when(at)),
    }
}

impl Member {
    fn keys_path(&self) -> String {
        format!("/projects/{}/settings/keys", self.project.id)
    }

    /// The answer to those who may not change keys, or have not proved lately who they are.
    fn may_change_keys(&self, web: &Web) -> Option<Response> {
        let refused = self.must_manage(web);
        refused.or_else(|| web.must_be_confirmed(&self.viewer, &self.keys_path()))
    }
}

pub(super) async fn create(
    State(web): State<Web>,
    member: Member,
    Posted(wish): Posted<Wish>,
) -> Response {
    if let Some(refused) = member.may_change_keys(&web) {
        return refused;
    }
    let name = wish.name.trim();
    let is_fine =
        (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
    if !is_fine {
        let problem = Some("A key's name is 1 to 200 characters, in one line.");
        return tell(
            &web,
            &member,
            StatusCode::UNPROCESSABLE_ENTITY,
            problem,
            None,
        )
        .await;
    }
    let now = web.node.now();
    let key = Key {
        id: random::uuid(),
        name: name.to_owned(),
        scope: wish.scope,
        created_at: now,
        last_used_at: None,
    };
    let (id, secret) = (member.project.id, random::key(API_KEY_PREFIX));
    let hash = key_hash(&secret);
    let entry = member.viewer.entry(Some(id), "made an API key", name, now);
    let made = web.change(move |sql| {
        keys::insert(sql, id, &key, &hash)?;
        audit::note(sql, &entry)
    });
    match made.await {
        Ok(()) => {
            let made = Some((name, secret.as_str()));
            tell(&web, &member, StatusCode::CREATED, None, made).await
        }
        Err(error) => web.refused(&error),
    }
}

/// A new key with the name and scope of an old one, which opens nothing from then on.
pub(super) async fn rotate(
    State(web): State<Web>,
    member: Member,
    Target(old): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.may_change_keys(&web) {
        return refused;
    }
    let (id, now) = (member.project.id, web.node.now());
    let (new, secret) = (random::uuid(), random::key(API_KEY_PREFIX));
    let hash = key_hash(&secret);
    let viewer = member.viewer.clone();
    let rotated = web.change(move |sql| {
        let Some(found) = keys::get(sql, id, old)? else {
            return Ok(None);
        };
        keys::delete(sql, id, old)?;
        let key = Key {
            id: new,
            created_at: now,
            last_used_at: None,
            ..found
        };
        keys::insert(sql, id, &key, &hash)?;
        let entry = viewer.entry(Some(id), "rotated an API key", &*key.name, now);
        audit::note(sql, &entry)?;
        Ok(Some(key.name))
    });
    match rotated.await {
        Ok(Some(name)) => {
            let made = Some((name.as_str(), secret.as_str()));
            tell(&web, &member, StatusCode::CREATED, None, made).await
        }
        Ok(None) => web.no_such_page(),
        Err(error) => web.refused(&error),
    }
}

pub(super) async fn revoke(
    State(web): State<Web>,
    member: Member,
    Target(key): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.may_change_keys(&web) {
        return refused;
    }
    match revoked(&web, &member, key).await {
        Ok(true) => web.go_to(&member.keys_path()),
        Ok(false) => web.no_such_page(),
        Err(error) => web.refused(&error),
    }
}

async fn revoked(web: &Web, member: &Member, key: Uuid) -> Result<bool, StoreError> {
    let (id, now) = (member.project.id, web.node.now());
    let viewer = member.viewer.clone();
    let revoking = web.change(move |sql| {
        let Some(found) = keys::get(sql, id, key)? else {
            return Ok(false);
        };
        let entry = viewer.entry(Some(id), "revoked an API key", found.name, now);
        audit::note(sql, &entry)?;
        keys::delete(sql, id, key)
    });
    revoking.await
}

/// Another ping key: every signal URL with the old one stops working at once.
pub(super) async fn rotate_ping_key(
    State(web): State<Web>,
    member: Member,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.may_change_keys(&web) {
        return refused;
    }
    let (id, now) = (member.project.id, web.node.now());
    let key = random::key(PING_KEY_PREFIX);
    let entry = member
        .viewer
        .entry(Some(id), "rotated the ping key", "", now);
    let rotated = web.change(move |sql| {
        projects::set_ping_key(sql, id, &key)?;
        audit::note(sql, &entry)
    });
    match rotated.await {
        Ok(()) => web.go_to(&member.keys_path()),
        Err(error) => web.refused(&error),
    }
}
