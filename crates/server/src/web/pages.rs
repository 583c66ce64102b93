//! The templates and answers that several pages share.

use std::sync::OnceLock;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use bytes::Bytes;
use flate2::Compression;
use http::header::{CONTENT_ENCODING, RETRY_AFTER, VARY};
use http::{HeaderMap, StatusCode};
use nightbeat_store::StoreError;
use sha2::{Digest as _, Sha256};

pub(super) use super::frame::Frame;
use super::viewer::Viewer;
use super::{Web, assets};
use crate::accounts::Initialised;
use crate::api::inside::Refused;

/// Says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice<'a> {
    pub(super) frame: Frame,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Asks whether to sign out.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub(super) struct SignOut {
    pub(super) frame: Frame,
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
    /// What the OpenID Connect provider is called, where there is one.
    pub(super) provider: Option<&'a str>,
    /// Whether browsers have passkeys for this server.
    pub(super) passkeys: bool,
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
    pub(super) project: &'a str,
    pub(super) keys: &'a Initialised,
    pub(super) public_url: &'a str,
}

/// A page as a response.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => broken(&error),
    }
}

/// A page in which nothing is a secret, compressed where the browser takes that. Any page with a token, an id or
/// a signal URL must not be: its length would tell what is in it to whoever may add to it.
pub(super) fn page_without_secrets(headers: &HeaderMap, template: &impl Template) -> Response {
    match Rendered::of(template) {
        Ok(rendered) => rendered.response(headers),
        Err(error) => broken(&error),
    }
}

/// A page without secrets, which may be sent to several browsers.
#[derive(Debug)]
pub(super) struct Rendered {
    html: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Rendered {
    /// # Errors
    /// The template could not be filled in.
    pub(super) fn of(template: &impl Template) -> Result<Self, askama::Error> {
        Ok(Self {
            html: template.render()?.into(),
            gzip: OnceLock::new(),
        })
    }

    /// What names it: another one has another name. Weak, as it is the same for both encodings.
    pub(super) fn etag(&self) -> String {
        let hash = Sha256::digest(&self.html);
        let hash = hash[..8]
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        format!("W/\"{hash}\"")
    }

    /// For the browser that sent these headers.
    pub(super) fn response(&self, headers: &HeaderMap) -> Response {
        let varies = [(VARY, "accept-encoding, hx-request")];
        if !assets::takes_gzip(headers) {
            return (varies, Html(self.html.clone())).into_response();
        }
        let pack = || assets::gzip(&self.html, Compression::fast()).into();
        let gzip = self.gzip.get_or_init(pack).clone();
        (varies, [(CONTENT_ENCODING, "gzip")], Html(gzip)).into_response()
    }
}

/// The answer where a template could not be filled in.
pub(super) fn broken(error: &askama::Error) -> Response {
    tracing::error!(%error, "a page could not be made");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// To another page, below the public URL's path. After a form: loading that one again sends nothing.
pub(super) fn go(web: &Web, path: &str) -> Response {
    Redirect::to(&format!("{}{path}", web.base)).into_response()
}

/// Says why something is refused.
pub(super) fn refused(web: &Web, status: StatusCode, title: &str, text: &str) -> Response {
    let notice = Notice {
        frame: web.frame(),
        title,
        text,
    };
    page(status, &notice)
}

/// There is no such thing, or it is none of theirs: nobody learns which.
pub(super) fn missing(web: &Web, viewer: &Viewer, what: &str) -> Response {
    let text = format!(
        "There is no such {what} here, or it is not yours to see. Perhaps it was deleted, or the address was \
         cut on its way."
    );
    let notice = Notice {
        frame: web.frame_for(viewer),
        title: "Not found",
        text: &text,
    };
    page(StatusCode::NOT_FOUND, &notice)
}

/// What may only be done by those who may change things.
pub(super) fn only_looking(web: &Web, viewer: &Viewer) -> Response {
    let notice = Notice {
        frame: web.frame_for(viewer),
        title: "You may only look",
        text: "Your access to this project is read-only. Whoever manages it can change that.",
    };
    page(StatusCode::FORBIDDEN, &notice)
}

/// What a verb refused that has no form to say it in.
pub(super) fn not_done(web: &Web, viewer: &Viewer, refused: &Refused) -> Response {
    let notice = Notice {
        frame: web.frame_for(viewer),
        title: match refused.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::SERVICE_UNAVAILABLE => "Not available now",
            _ => "Not done",
        },
        text: &refused.detail,
    };
    page(refused.status, &notice)
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
