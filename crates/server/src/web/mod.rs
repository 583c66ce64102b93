//! The pages, and what machines ask of the server itself: health, metrics, robots.txt.
//!
//! People sign in with their account, or show an API key of a project, which then shows its pages. The browser
//! keeps a session's secret in a cookie. Nobody is trusted for coming from this machine: behind a reverse proxy
//! on it, everybody does.

mod account;
mod assets;
mod channels;
mod confirm;
mod docs;
mod fields;
mod forms;
mod frame;
mod headers;
mod health;
mod heartbeat;
mod incidents;
mod invitations;
mod keys;
mod list;
mod live;
mod log;
mod maintenance;
mod marks;
mod members;
mod next;
mod oidc;
mod overview;
mod pages;
mod passkeys;
mod profile;
mod project_removal;
mod projects;
mod proxied;
mod reports;
mod second_step;
mod session;
mod settings;
mod setup;
mod sign_in;
mod sign_in_code;
mod sign_in_link;
mod sign_up;
mod start;
mod status;
mod time;
mod viewer;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use nightbeat_domain::DeliveryId;
use nightbeat_notify::{IpNet, Letter, Notifier, Paragraph, SendError, Text};
use nightbeat_store::Store;

pub(crate) use setup::Setup;

use crate::accounts::oidc::Provider;
use crate::accounts::passkeys::Passkeys;
use crate::accounts::passwords::Passwords;
use crate::accounts::throttle::Throttle;
use crate::api::ApiState;
use crate::config::{Config, SignUp};
use crate::http::Shutdown;
use crate::metrics::Metrics;
use crate::node::NodeHandle;
use crate::reports::Reports;
use crate::router::RouterParts;
use live::Live;
use pages::{Notice, SignOut, page};
use session::Cookies;
use time::Reader;
use viewer::Viewer;

/// What the pages need. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    store: Store,
    node: NodeHandle,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    setup: Arc<Setup>,
    cookies: Arc<Cookies>,
    /// The verbs behind the API: pages change things through the same ones.
    api: ApiState,
    live: Arc<Live>,
    lists: Arc<list::Lists>,
    status: Arc<status::Cache>,
    passwords: Passwords,
    throttle: Arc<Throttle>,
    /// An OpenID Connect provider.
    provider: Option<Arc<Provider>>,
    /// `None`: browsers have no passkeys for the public URL.
    passkeys: Option<Arc<Passkeys>>,
    sign_up: SignUp,
    sign_in_header: Option<http::HeaderName>,
    notifier: Arc<Notifier>,
    reports: Reports,
    /// Who may read the metrics, besides programs on this machine.
    metrics_allow: Arc<[IpNet]>,
    /// The public URL, without a slash at its end.
    public_url: Arc<str>,
    /// Its path: stands before every link.
    base: Arc<str>,
    /// `--database …` for the command that the setup page shows.
    database: Arc<str>,
}

impl Web {
    /// The pages of the server with this configuration.
    pub(crate) fn new(config: &Config, parts: RouterParts, api: ApiState) -> Self {
        Self {
            store: parts.store,
            node: parts.node,
            metrics: parts.metrics,
            shutdown: parts.shutdown,
            setup: parts.setup,
            cookies: Arc::new(Cookies::new(&config.public_url)),
            api,
            live: Arc::default(),
            lists: Arc::default(),
            status: Arc::default(),
            passwords: Passwords::default(),
            throttle: Arc::default(),
            provider: parts.provider,
            passkeys: Passkeys::new(&config.public_url).map(Arc::new),
            sign_up: config.sign_up,
            sign_in_header: config.sign_in_header.clone(),
            notifier: parts.notifier,
            reports: parts.reports,
            metrics_allow: config.metrics_allow.clone().into(),
            public_url: parts.public_url,
            base: config.public_url.prefix().into(),
            database: config.database.to_string().into(),
        }
    }

    /// Sends a mail about an account: a title, a paragraph and a link.
    async fn mail(
        &self,
        to: &str,
        title: String,
        text: String,
        link: &str,
    ) -> Result<(), SendError> {
        let letter = Letter {
            id: DeliveryId(crate::random::uuid()),
            sent_at: self.node.now(),
            to: to.to_owned(),
            text: Text {
                title,
                paragraphs: vec![Paragraph::Prose(text)],
                link: link.to_owned(),
            },
        };
        self.notifier.mail(&letter).await
    }

    /// What people see.
    pub(crate) fn pages(&self) -> Router {
        Router::new()
            .route("/", get(overview::show))
            .merge(doors())
            .merge(own_pages())
            .merge(management())
            .route("/status/{secret}", get(status::show))
            .route("/docs", get(docs::index))
            .route("/docs/{chapter}", get(docs::chapter))
            .route(assets::ASSETS_ROUTE, get(assets::serve))
            .merge(project())
            .merge(first_steps())
            .merge(incident_pages())
            .layer(axum::middleware::map_response(headers::secure))
            .with_state(self.clone())
    }

    /// Where nothing is.
    pub(crate) async fn not_found(&self) -> Response {
        let notice = Notice {
            frame: self.frame(),
            title: "Nothing is here",
            text: "The address is not complete, or what it led to was removed.",
        };
        headers::secure(page(StatusCode::NOT_FOUND, &notice)).await
    }

    /// How instants are told to this viewer.
    fn reader(&self, viewer: &Viewer) -> Reader {
        Reader::new(self.node.now(), viewer.time_zone.as_deref())
    }

    /// What machines ask of the server itself, whatever its roles are.
    pub(crate) fn probes(self) -> Router {
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .route("/robots.txt", get(assets::robots))
            .with_state(self)
    }
}

/// How people get in and out.
fn doors() -> Router<Web> {
    Router::new()
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-in/code", post(sign_in_code::check))
        .route("/sign-in/link", post(sign_in_link::send))
        .route(
            "/sign-in/link/{secret}",
            get(sign_in_link::show).post(sign_in_link::enter),
        )
        .route("/sign-in/passkey/ask", post(passkeys::ask))
        .route("/sign-in/passkey", post(passkeys::enter))
        .route("/sign-in/oidc", get(oidc::begin))
        .route("/sign-in/oidc/callback", get(oidc::back))
        .route("/sign-out", get(sign_out).post(sign_in::sign_out))
        .route("/sign-up", get(sign_up::form).post(sign_up::send))
        .route(
            "/sign-up/{secret}",
            get(sign_up::show).post(sign_up::sign_up),
        )
        .route(
            "/reports/{secret}",
            get(reports::ask_to_end).post(reports::end),
        )
        .route("/setup/{secret}", get(setup::form).post(setup::create))
        .route(
            "/invitations/{secret}",
            get(invitations::show).post(invitations::accept),
        )
        .route("/invitations/{secret}/sign-up", post(invitations::sign_up))
}

/// What belongs to the person.
fn own_pages() -> Router<Web> {
    Router::new()
        .route("/confirm", get(confirm::form).post(confirm::confirm))
        .route("/profile", get(profile::show))
        .route("/profile/account", get(account::show))
        .route("/profile/address", post(account::ask_address))
        .route(
            "/profile/address/{secret}",
            get(account::ask_use).post(account::use_address),
        )
        .route("/profile/delete", post(account::delete))
        .route("/profile/appearance", post(profile::set_appearance))
        .route("/profile/password", post(profile::set_password))
        .route("/profile/second-step", get(second_step::show))
        .route("/profile/second-step/begin", post(second_step::begin))
        .route("/profile/second-step/confirm", post(second_step::confirm))
        .route("/profile/second-step/codes", post(second_step::new_codes))
        .route("/profile/second-step/remove", post(second_step::remove))
        .route(
            "/profile/passkeys",
            get(passkeys::show).post(passkeys::create),
        )
        .route("/profile/passkeys/begin", post(passkeys::begin))
        .route("/profile/passkeys/{passkey}/remove", post(passkeys::remove))
        .route("/profile/reports", get(reports::show).post(reports::choose))
        .route("/profile/reports/now", post(reports::send_now))
        .route("/profile/sessions/others/end", post(profile::end_others))
        .route(
            "/profile/sessions/{session}/end",
            post(profile::end_session),
        )
        .route("/projects/new", get(projects::form).post(projects::create))
}

/// How a project is managed.
fn management() -> Router<Web> {
    Router::new()
        .route(
            "/projects/{project}/settings",
            get(settings::show).post(settings::change),
        )
        .route(
            "/projects/{project}/settings/delete",
            get(project_removal::ask).post(project_removal::delete),
        )
        .route("/projects/{project}/settings/members", get(members::show))
        .route(
            "/projects/{project}/settings/members/invite",
            post(members::invite),
        )
        .route(
            "/projects/{project}/settings/members/leave",
            post(members::leave),
        )
        .route(
            "/projects/{project}/settings/members/{account}/role",
            post(members::change_role),
        )
        .route(
            "/projects/{project}/settings/members/{account}/remove",
            post(members::remove),
        )
        .route(
            "/projects/{project}/settings/members/{account}/transfer",
            post(members::transfer),
        )
        .route(
            "/projects/{project}/settings/invitations/{invitation}/revoke",
            post(members::revoke),
        )
        .route(
            "/projects/{project}/settings/keys",
            get(keys::show).post(keys::create),
        )
        .route(
            "/projects/{project}/settings/keys/{key}/rotate",
            post(keys::rotate),
        )
        .route(
            "/projects/{project}/settings/keys/{key}/revoke",
            post(keys::revoke),
        )
        .route(
            "/projects/{project}/settings/ping-key/rotate",
            post(keys::rotate_ping_key),
        )
        .route(
            "/projects/{project}/settings/status-pages",
            get(status::list).post(status::create),
        )
        .route(
            "/projects/{project}/settings/status-pages/{page}",
            get(status::one).post(status::change),
        )
        .route(
            "/projects/{project}/settings/status-pages/{page}/delete",
            post(status::delete),
        )
        .route("/projects/{project}/settings/log", get(log::show))
}

/// The pages of one project.
fn project() -> Router<Web> {
    Router::new()
        .route("/projects/{project}", get(list::show))
        .route("/projects/{project}/events", get(live::project_events))
        .route(
            "/projects/{project}/heartbeats/change",
            get(list::ask).post(list::change),
        )
        .route(
            "/projects/{project}/heartbeats/new",
            get(heartbeat::new).post(heartbeat::create),
        )
        .route(
            "/projects/{project}/heartbeats/preview",
            post(heartbeat::preview),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}",
            get(heartbeat::show),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/events",
            get(live::heartbeat_events),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/edit",
            get(heartbeat::edit).post(heartbeat::save),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/pause",
            post(heartbeat::pause),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/resume",
            post(heartbeat::resume),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/test",
            post(heartbeat::test),
        )
        .route(
            "/projects/{project}/heartbeats/{heartbeat}/delete",
            post(heartbeat::delete),
        )
        .route("/projects/{project}/channels", get(channels::list))
        .route(
            "/projects/{project}/channels/new",
            get(channels::ask).post(channels::create),
        )
        .route(
            "/projects/{project}/channels/{channel}",
            get(channels::show).post(channels::save),
        )
        .route(
            "/projects/{project}/channels/{channel}/test",
            post(channels::test),
        )
        .route(
            "/projects/{project}/channels/{channel}/delete",
            post(channels::delete),
        )
        .route(
            "/projects/{project}/deliveries/{delivery}/dismiss",
            post(channels::dismiss),
        )
        .route(
            "/projects/{project}/maintenance",
            get(maintenance::show).post(maintenance::create),
        )
        .route(
            "/projects/{project}/maintenance/{window}/delete",
            post(maintenance::delete),
        )
}

/// The first steps in a project.
fn first_steps() -> Router<Web> {
    Router::new()
        .route("/projects/{project}/start", get(start::show))
        .route(
            "/projects/{project}/start/heartbeat",
            post(heartbeat::first::create),
        )
        .route(
            "/projects/{project}/start/preview",
            post(heartbeat::first::preview),
        )
        .route(
            "/projects/{project}/start/channel",
            post(channels::first::create),
        )
        .route(
            "/projects/{project}/start/channel/{channel}",
            get(channels::first::made),
        )
        .route(
            "/projects/{project}/start/channel/{channel}/test",
            post(channels::first::test),
        )
}

/// Its incidents.
fn incident_pages() -> Router<Web> {
    Router::new()
        .route("/projects/{project}/incidents", get(incidents::show))
        .route(
            "/projects/{project}/incidents/{incident}",
            get(incidents::show_one),
        )
        .route(
            "/projects/{project}/incidents/{incident}/acknowledge",
            post(incidents::acknowledge),
        )
        .route(
            "/projects/{project}/incidents/{incident}/snooze",
            post(incidents::snooze),
        )
        .route(
            "/projects/{project}/incidents/{incident}/notes",
            post(incidents::note),
        )
}

/// Asks whether to sign out: no page needs a form for it.
async fn sign_out(State(web): State<Web>, viewer: Viewer) -> Response {
    let ask = SignOut {
        frame: web.frame_for(&viewer),
    };
    page(StatusCode::OK, &ask)
}
