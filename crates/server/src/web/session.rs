//! Sessions: browsers that are signed in, and the cookies that say so.

use http::HeaderMap;
use http::header::COOKIE;
use nightbeat_domain::UnixMicros;
use nightbeat_store::control::audit;
use nightbeat_store::control::sessions::{self, Session, SessionOwner};

use super::Web;
use super::viewer::Visitor;
use crate::accounts::key_hash;
use crate::config::PublicUrl;
use crate::random;

/// How long the browser keeps a cookie: as long as browsers do at most. When a session ends, the server decides
/// (two weeks after its last use).
const COOKIE_SECONDS: u64 = 400 * 86_400;
/// How long the cookie of somebody who is not signed in is kept, for the forms that they were shown.
const FORM_COOKIE_SECONDS: u64 = 86_400;

/// The cookies, as strict as the public URL allows.
#[derive(Debug)]
pub(super) struct Cookies {
    /// Its secret is a session's.
    session: &'static str,
    /// Its secret ties the forms before the sign-in to the browser that they were shown to.
    form: &'static str,
    attributes: String,
}

impl Cookies {
    pub(super) fn new(public_url: &PublicUrl) -> Self {
        let secure = if public_url.is_https() {
            "; Secure"
        } else {
            ""
        };
        let host_only = public_url.is_https() && public_url.prefix().is_empty();
        let (session, form) = if host_only {
            ("__Host-nightbeat", "__Host-nightbeat-form")
        } else {
            ("nightbeat", "nightbeat-form")
        };
        let path = public_url.prefix();
        Self {
            session,
            form,
            attributes: format!("; Path={path}/; HttpOnly; SameSite=Lax{secure}"),
        }
    }

    pub(super) fn session_secret<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, self.session)
    }

    pub(super) fn form_secret<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, self.form)
    }

    fn begin_session(&self, secret: &str) -> String {
        let (name, attributes) = (self.session, &self.attributes);
        format!("{name}={secret}{attributes}; Max-Age={COOKIE_SECONDS}")
    }

    /// The `Set-Cookie` that removes the session's cookie.
    pub(super) fn end_session(&self) -> String {
        format!("{}={}; Max-Age=0", self.session, self.attributes)
    }

    pub(super) fn keep_form(&self, secret: &str) -> String {
        let (name, attributes) = (self.form, &self.attributes);
        format!("{name}={secret}{attributes}; Max-Age={FORM_COOKIE_SECONDS}")
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let mut cookies = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='));
    let found = cookies.find(|(known, _)| *known == name);
    found.map(|(_, value)| value)
}

/// What the audit log says of a sign-in.
pub(super) struct SignedIn {
    /// The account's e-mail address, or the key's name.
    pub(super) who: String,
    /// `by password`.
    pub(super) how: &'static str,
}

impl Web {
    /// Begins a session with a new secret, ends the one that the browser came with, and writes it down. The
    /// `Set-Cookie` for it.
    pub(super) async fn begin_session(
        &self,
        visitor: &Visitor,
        owner: SessionOwner,
        signed_in: SignedIn,
    ) -> nightbeat_store::Result<String> {
        let now = self.node.now();
        let secret = random::key("");
        let hash = key_hash(&secret);
        let old = visitor.session_hash;
        let session = Session {
            id: random::uuid(),
            owner,
            created_at: now,
            seen_at: now,
            confirmed_at: now,
            address: visitor.address_text(),
            user_agent: visitor.user_agent.clone(),
        };
        let entry = entry(&session, &signed_in, now);
        self.change(move |sql| {
            if let Some(old) = &old {
                sessions::end(sql, old)?;
            }
            sessions::begin(sql, &session, &hash)?;
            if let Some(entry) = &entry {
                audit::note(sql, entry)?;
            }
            Ok(())
        })
        .await?;
        Ok(self.cookies.begin_session(&secret))
    }

    /// Ends this browser's session.
    pub(super) async fn end_session(&self, visitor: &Visitor) -> nightbeat_store::Result<()> {
        let Some(hash) = visitor.session_hash else {
            return Ok(());
        };
        self.change(move |sql| sessions::end(sql, &hash).map(drop))
            .await
    }
}

/// A key is shown often, and it is no person: only people's sign-ins are written down.
fn entry(session: &Session, signed_in: &SignedIn, now: UnixMicros) -> Option<audit::Entry> {
    let SessionOwner::Account(account) = session.owner else {
        return None;
    };
    Some(audit::Entry {
        id: random::uuid(),
        at: now,
        project: None,
        account: Some(account),
        who: signed_in.who.clone(),
        action: "signed in".to_owned(),
        about: signed_in.how.to_owned(),
        address: session.address.clone(),
    })
}
