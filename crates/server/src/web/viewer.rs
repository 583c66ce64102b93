//! Who looks at a page: a visitor, a viewer who is signed in, a member of a project.
//!
//! Each is an extractor that asks the database anew: a session that was ended, a key that was deleted and a
//! membership that was taken away open nothing from then on.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{HeaderValue, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use nightbeat_domain::{ProjectId, UnixMicros};
pub(super) use nightbeat_store::control::accounts::Theme;
use nightbeat_store::control::accounts::{self, Account, Role};
use nightbeat_store::control::audit;
use nightbeat_store::control::keys::{self, KeyOwner, Scope};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::control::sessions::{self, Session, SessionOwner};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Result, StoreError};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Web;
use super::next::sign_in_path;
use super::pages::{Frame, Notice, page, unavailable};
use crate::accounts::key_hash;
use crate::api::inside::Inside;
use crate::api::{Actor, Who};
use crate::http::Client;
use crate::random;

/// How much of what a browser calls itself is kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;
/// How long a page waits until the use of its session is noted.
const NOTE_TIME: Duration = Duration::from_secs(1);
/// For how long a person who has just proved who they are need not do it again.
const CONFIRMED_TIME: Duration = Duration::from_secs(600);

/// A browser, signed in or not.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who is signed in.
    pub(super) viewer: Option<Viewer>,
    /// What forms that this browser is shown carry.
    pub(super) csrf: String,
    /// The hash of the session's secret that it came with, also of one that has ended.
    pub(super) session_hash: Option<[u8; 32]>,
    /// From where it comes; `None`: a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// What it calls itself, cut.
    pub(super) user_agent: String,
    /// Who it is to a trusted proxy, as an e-mail address; always `None` where no header is configured.
    pub(super) at_proxy: Option<String>,
    /// The cookie that its forms need, where it has none yet.
    new_form_secret: Option<String>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// The account; `None`: the browser has shown an API key.
    pub(super) account: Option<Account>,
    /// The key that was shown.
    pub(super) key: Option<KeyOwner>,
    /// What forms carry.
    pub(super) csrf: String,
    /// How pages look.
    pub(super) theme: Theme,
    /// In which time zone times are read; `None`: the browser's.
    pub(super) time_zone: Option<String>,
    /// The session.
    pub(super) session: Session,
    /// From where this request comes; empty: unknown.
    pub(super) address: String,
}

/// A viewer who may see the project that the path names.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Who looks.
    pub(super) viewer: Viewer,
    /// The project.
    pub(super) project: Project,
    /// What the viewer may do there.
    pub(super) role: Role,
}

/// The last id in a path. What is none does not exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target(pub(super) Uuid);

/// A viewer with an account, for pages that are about it.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// Who looks.
    pub(super) viewer: Viewer,
    /// The account.
    pub(super) account: Account,
}

/// What a session stands for, as the database has it now.
enum Owner {
    Account(Account),
    Key(KeyOwner),
}

impl Visitor {
    async fn of(parts: &mut Parts, web: &Web) -> std::result::Result<Self, Response> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let visitor = Self::read(&parts.headers, parts.extensions.get(), web).await;
        let visitor = visitor.map_err(|error| unavailable(web, &error))?;
        parts.extensions.insert(visitor.clone());
        Ok(visitor)
    }

    async fn read(headers: &HeaderMap, client: Option<&Client>, web: &Web) -> Result<Self> {
        let address = client.and_then(|client| client.address);
        let user_agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
        let user_agent = String::from_utf8_lossy(user_agent.unwrap_or_default());
        let user_agent: String = user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT_CHARS_MAX)
            .collect();
        let secret = web.cookies.session_secret(headers);
        let session_hash = secret.map(key_hash);
        let now = web.node.now();
        let known = match session_hash {
            Some(hash) => {
                let reading = web.store.read(move |sql| session_of(sql, &hash, now));
                reading.await?
            }
            None => None,
        };
        let mut visitor = Self {
            viewer: None,
            csrf: String::new(),
            session_hash,
            address,
            user_agent,
            at_proxy: web.at_proxy(headers, client),
            new_form_secret: None,
        };
        let known = known.filter(|(_, owner)| visitor.is_the_proxys(owner));
        if let (Some((session, owner)), Some(secret)) = (known, secret) {
            visitor.csrf = csrf_of(secret);
            note_use(web, &session, &visitor, now).await;
            visitor.viewer = Some(Viewer::new(session, owner, &visitor));
        } else if let Some(secret) = web.cookies.form_secret(headers) {
            visitor.csrf = csrf_of(secret);
        } else {
            let secret = random::key("");
            visitor.csrf = csrf_of(&secret);
            visitor.new_form_secret = Some(secret);
        }
        Ok(visitor)
    }

    /// Who has signed in at the proxy as somebody else is somebody else here, too.
    fn is_the_proxys(&self, owner: &Owner) -> bool {
        match (&self.at_proxy, owner) {
            (Some(email), Owner::Account(account)) => *email == account.email,
            (Some(_), Owner::Key(_)) | (None, _) => true,
        }
    }

    /// The address as it is written down; empty: unknown.
    pub(super) fn address_text(&self) -> String {
        let address = self.address.map(|address| address.to_canonical());
        address
            .map(|address| address.to_string())
            .unwrap_or_default()
    }

    /// A page with a form, for somebody who may not be signed in: with the cookie that the form needs.
    pub(super) fn with_cookie(&self, web: &Web, mut response: Response) -> Response {
        let cookie = self.new_form_secret.as_deref();
        let cookie = cookie.map(|secret| web.cookies.keep_form(secret));
        if let Some(Ok(value)) = cookie.map(HeaderValue::try_from) {
            response.headers_mut().append(SET_COOKIE, value);
        }
        response
    }
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        web: &Web,
    ) -> std::result::Result<Self, Response> {
        Self::of(parts, web).await
    }
}

impl Viewer {
    fn new(session: Session, owner: Owner, visitor: &Visitor) -> Self {
        let (account, key) = match owner {
            Owner::Account(account) => (Some(account), None),
            Owner::Key(key) => (None, Some(key)),
        };
        Self {
            theme: account
                .as_ref()
                .map_or(Theme::System, |account| account.theme),
            time_zone: account
                .as_ref()
                .and_then(|account| account.time_zone.clone()),
            account,
            key,
            csrf: visitor.csrf.clone(),
            session,
            address: visitor.address_text(),
        }
    }

    /// The projects that the viewer may see, by name, and what they may do there.
    pub(super) async fn projects(&self, web: &Web) -> Result<Vec<(Project, Role)>> {
        let viewer = self.clone();
        let reading = web.store.read(move |sql| {
            if let Some(account) = &viewer.account {
                return projects::of_account(sql, account.id);
            }
            let Some(key) = viewer.key else {
                return Ok(Vec::new());
            };
            let role = viewer.role_in(sql, key.project)?;
            let found = projects::get(sql, key.project)?.zip(role);
            Ok(found.into_iter().collect())
        });
        reading.await
    }

    /// Whether the person has proved who they are within the last ten minutes.
    pub(super) fn is_confirmed(&self, now: UnixMicros) -> bool {
        now <= self.session.confirmed_at + CONFIRMED_TIME
    }

    /// What the audit log says of something that the viewer does now.
    pub(super) fn entry(
        &self,
        project: Option<ProjectId>,
        action: &str,
        about: impl Into<String>,
        now: UnixMicros,
    ) -> audit::Entry {
        let account = self.account.as_ref();
        audit::Entry {
            id: random::uuid(),
            at: now,
            project,
            account: account.map(|account| account.id),
            who: account.map_or_else(|| "an API key".to_owned(), |account| account.email.clone()),
            action: action.to_owned(),
            about: about.into(),
            address: self.address.clone(),
        }
    }

    /// What the viewer may do in a project; `None`: to this viewer it does not exist.
    pub(super) fn role_in(&self, sql: &mut dyn Sql, project: ProjectId) -> Result<Option<Role>> {
        if let Some(account) = &self.account {
            return accounts::role(sql, project, account.id);
        }
        let key = self.key.filter(|key| key.project == project);
        // A key is no person: it does not manage people and keys, whatever it may do by the API.
        Ok(key.map(|key| match key.scope {
            Scope::ReadWrite => Role::Member,
            Scope::ReadOnly => Role::ReadOnly,
        }))
    }
}

impl FromRequestParts<Web> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        web: &Web,
    ) -> std::result::Result<Self, Response> {
        let visitor = Visitor::of(parts, web).await?;
        visitor.viewer.ok_or_else(|| asked_to_sign_in(parts, web))
    }
}

impl FromRequestParts<Web> for Person {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        web: &Web,
    ) -> std::result::Result<Self, Response> {
        let viewer = Viewer::from_request_parts(parts, web).await?;
        if let Some(account) = viewer.account.clone() {
            return Ok(Self { viewer, account });
        }
        let notice = Notice {
            frame: web.frame_for(&viewer),
            title: "This needs an account",
            text: "You have signed in with an API key, which belongs to a project and to nobody. Sign out, and sign \
                   in as yourself.",
        };
        Err(page(StatusCode::FORBIDDEN, &notice))
    }
}

/// A page that is looked at leads to the sign-in and back; anything else would lose what was typed.
fn asked_to_sign_in(parts: &Parts, web: &Web) -> Response {
    let is_page = matches!(parts.method, Method::GET | Method::HEAD)
        && !parts.headers.contains_key("hx-request");
    if is_page {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        return Redirect::to(&format!("{}{}", web.base, sign_in_path(path))).into_response();
    }
    let notice = Notice {
        frame: web.frame(),
        title: "Sign in first",
        text: "You are not signed in, or not any more: nothing was changed. Sign in, and do it again.",
    };
    page(StatusCode::UNAUTHORIZED, &notice)
}

impl Member {
    /// The verbs that change the project, by this member: the log says what they did.
    pub(super) fn inside(&self, web: &Web) -> Inside {
        let inside = web.api.inside(self.project.id);
        let account = self.viewer.account.as_ref();
        let key = self.viewer.key.as_ref();
        let who = account.map(|account| Who::Account(account.id));
        match who.or_else(|| key.map(|key| Who::Key(key.id))) {
            Some(who) => inside.by(Actor {
                project: self.project.id,
                who,
                address: self.viewer.address.parse().ok(),
            }),
            None => inside,
        }
    }

    /// Whether the viewer may change heartbeats, channels and incidents.
    pub(super) fn may_change(&self) -> bool {
        self.role != Role::ReadOnly
    }

    /// Whether the viewer may change members, keys and settings.
    pub(super) fn may_manage(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Manager)
    }

    /// Whether the project is the viewer's.
    pub(super) fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    /// The answer to those who may not manage the project.
    pub(super) fn must_manage(&self, web: &Web) -> Option<Response> {
        let refused = || self.may_not(web, "Its owners and managers may: ask one of them.");
        (!self.may_manage()).then(refused)
    }

    /// The answer to a member who may not do this.
    pub(super) fn may_not(&self, web: &Web, who_may: &str) -> Response {
        let role = self.role.as_str();
        let text =
            format!("In this project your role is {role}, which does not include this. {who_may}");
        let notice = Notice {
            frame: web.settings_frame(self),
            title: "You may not do this",
            text: &text,
        };
        page(StatusCode::FORBIDDEN, &notice)
    }
}

impl FromRequestParts<Web> for Member {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        web: &Web,
    ) -> std::result::Result<Self, Response> {
        let viewer = Viewer::from_request_parts(parts, web).await?;
        let params = RawPathParams::from_request_parts(parts, web).await;
        let params = params.map_err(axum::response::IntoResponse::into_response)?;
        let named = params.iter().find(|(name, _)| *name == "project");
        let id = named.and_then(|(_, value)| value.parse().ok());
        let Some(id) = id.map(ProjectId) else {
            return Err(web.no_such_page());
        };
        let asking = viewer.clone();
        let found = web.store.read(move |sql| {
            let Some(role) = asking.role_in(sql, id)? else {
                return Ok(None);
            };
            Ok(projects::get(sql, id)?.map(|project| (project, role)))
        });
        match found.await {
            Ok(Some((project, role))) => Ok(Self {
                viewer,
                project,
                role,
            }),
            Ok(None) => Err(web.no_such_page()),
            Err(error) => Err(unavailable(web, &error)),
        }
    }
}

impl FromRequestParts<Web> for Target {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        web: &Web,
    ) -> std::result::Result<Self, Response> {
        let params = RawPathParams::from_request_parts(parts, web).await;
        let params = params.map_err(axum::response::IntoResponse::into_response)?;
        let last = params.iter().last().and_then(|(_, id)| id.parse().ok());
        last.map(Self).ok_or_else(|| web.no_such_page())
    }
}

impl Web {
    /// The same for what is not there and for what is not for this viewer.
    pub(super) fn no_such_page(&self) -> Response {
        let notice = Notice {
            frame: self.frame(),
            title: "There is no such page",
            text: "It may have been removed, or it belongs to a project that you are not a member of.",
        };
        page(StatusCode::NOT_FOUND, &notice)
    }
}

fn session_of(
    sql: &mut dyn Sql,
    hash: &[u8; 32],
    now: UnixMicros,
) -> Result<Option<(Session, Owner)>> {
    let Some(session) = sessions::find(sql, hash, now)? else {
        return Ok(None);
    };
    let owner = match session.owner {
        SessionOwner::Account(id) => accounts::get(sql, id)?.map(Owner::Account),
        SessionOwner::Key(id) => keys::owner(sql, id)?.map(Owner::Key),
    };
    Ok(owner.map(|owner| (session, owner)))
}

/// What forms carry: only who has the cookie can know it, and the cookie cannot be learned from it.
fn csrf_of(secret: &str) -> String {
    let hash = Sha256::digest(format!("csrf {secret}").as_bytes());
    hash.iter()
        .take(16)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Notes that a session was used, at most each five minutes. It must not keep a reader waiting while nothing
/// can be written.
async fn note_use(web: &Web, session: &Session, visitor: &Visitor, now: UnixMicros) {
    if !session.needs_touch(now) {
        return;
    }
    let id = session.id;
    let (address, user_agent) = (visitor.address_text(), visitor.user_agent.clone());
    let noting = web
        .store
        .write(move |sql| sessions::touch(sql, id, now, &address, &user_agent));
    match tokio::time::timeout(NOTE_TIME, noting).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the use of a session is not noted"),
        Err(_) => tracing::warn!("the use of a session is noted later: the store is slow"),
    }
}

impl Web {
    /// The frame of a page with a form that may be shown to anybody.
    pub(super) fn frame_of(&self, visitor: &Visitor) -> Frame {
        match &visitor.viewer {
            Some(viewer) => self.frame_for(viewer),
            None => Frame {
                csrf: visitor.csrf.clone(),
                ..self.frame()
            },
        }
    }

    /// Changes something in one transaction, also when the browser goes away meanwhile. `verb` may be run
    /// again.
    pub(super) async fn change<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Sql) -> Result<T> + Send + 'static,
    {
        let store = self.store.clone();
        let task = tokio::spawn(async move { store.write(verb).await });
        match task.await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// The answer to a change that the store did not make.
    pub(super) fn refused(&self, error: &StoreError) -> Response {
        let StoreError::Conflict(text) = error else {
            return unavailable(self, error);
        };
        let notice = Notice {
            frame: self.frame(),
            title: "This was not changed",
            text,
        };
        page(StatusCode::CONFLICT, &notice)
    }
}
