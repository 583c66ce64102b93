//! Healthchecks' management API, versions 1 to 3, as its documentation and its server's behaviour have it.
//!
//! ```text
//! /api/v{1,2,3}/checks/ [UUID or UNIQUE-KEY [/pause, /resume, /pings/ [N/body], /flips/]]
//! /api/v{1,2,3}/channels/, badges/, status/
//! /api/v{1,2,3}/badges/renew                         our own: all links end, and new ones take their place
//! ```
//!
//! With or without the slash at the end, except that `/api/v1/channels` is our own: `/api/v1` is shared, and
//! this is the only name in both. A *check* is a heartbeat, a *ping* a signal, a *flip* the beginning or the
//! end of an incident. `docs/compatibility.md` tells what differs.

mod badges;
mod body;
mod caller;
mod channels;
mod check;
mod checks;
mod error;
mod flips;
mod lookup;
mod pings;
mod spec;
mod time;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use nightbeat_store::control::projects;

use crate::api::{ApiState, rate};
use caller::Right;
use error::Error;
use lookup::Which;
pub(crate) use lookup::unique_key;

/// Which version of the API a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// A running check has the status `started`; slugs are made from names.
    V1,
    /// Slugs are made from names.
    V2,
    /// Slugs are given.
    V3,
}

impl Version {
    /// As it stands in URLs.
    fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Resource {
    Checks,
    Check(Which),
    Pause(Which),
    Resume(Which),
    Pings(Which),
    PingBody(Which, i64),
    Flips(Which),
    Channels,
    Badges,
    BadgesRenew,
    Status,
}

/// The routes of all three versions. They are found before a router that is nested at `/api/v1`.
pub(crate) fn router(state: ApiState) -> Router {
    let shared = [
        "/api/v1/checks",
        "/api/v1/checks/",
        "/api/v1/checks/{*rest}",
        "/api/v1/badges",
        "/api/v1/badges/{*rest}",
        "/api/v1/badges/",
        "/api/v1/channels/",
        "/api/v1/status",
        "/api/v1/status/",
    ];
    let mut router = Router::new();
    for path in shared {
        router = router.route(path, any(v1));
    }
    let router = router
        .route("/api/v2/", any(v2))
        .route("/api/v2/{*rest}", any(v2))
        .route("/api/v3/", any(v3))
        .route("/api/v3/{*rest}", any(v3))
        .with_state(state.clone());
    rate::measured(router, state)
}

async fn v1(State(api): State<ApiState>, request: Request) -> Response {
    answer(&api, Version::V1, request).await
}

async fn v2(State(api): State<ApiState>, request: Request) -> Response {
    answer(&api, Version::V2, request).await
}

async fn v3(State(api): State<ApiState>, request: Request) -> Response {
    answer(&api, Version::V3, request).await
}

/// Answers one request. Every answer may be read by scripts of other sites: a key, not a cookie, opens it.
async fn answer(api: &ApiState, version: Version, request: Request) -> Response {
    let path = request.uri().path();
    let below = format!("/api/{}/", version.as_str());
    let resource = path.strip_prefix(&below).and_then(resource);
    let methods = resource.as_ref().map_or(&[][..], Resource::methods);
    let answered = match resource {
        None => without_key(&request, Error::NOT_FOUND),
        Some(_) if request.method() == Method::OPTIONS => {
            without_key(&request, StatusCode::NO_CONTENT)
        }
        Some(_) if !methods.contains(request.method()) => without_key(&request, Error::METHOD),
        Some(resource) => serve(api, version, resource, request).await,
    };
    let mut response = answered.unwrap_or_else(Error::into_response);
    let headers = response.headers_mut();
    if !methods.is_empty() {
        let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        names.push("OPTIONS");
        // Names of methods are always a header's value.
        let names =
            HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("GET"));
        headers.insert(ALLOW, names.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, names);
    }
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "X-Api-Key, Content-Type"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer for which no key is asked.
fn without_key(request: &Request, answer: impl IntoResponse) -> Result<Response, Error> {
    rate::of_address(request.extensions())?;
    Ok(answer.into_response())
}

async fn serve(
    api: &ApiState,
    version: Version,
    resource: Resource,
    request: Request,
) -> Result<Response, Error> {
    if resource == Resource::Status {
        rate::of_address(request.extensions())?;
        api.read(|sql| Ok(projects::count(sql)?)).await?;
        return Ok("OK".into_response());
    }
    let (head, body) = request.into_parts();
    let looks = matches!(head.method, Method::GET | Method::HEAD);
    let given = if head.method == Method::POST {
        body::object(body, resource.takes_fields()).await?
    } else {
        body::Fields::default()
    };
    let right = if resource.may_be_read_only(looks) {
        Right::Look
    } else {
        Right::Change
    };
    let caller = caller::know(api, &head, &given, right).await?;
    let query = head.uri.query().unwrap_or_default();
    match resource {
        Resource::Checks if looks => checks::list(api, version, caller, query).await,
        Resource::Checks => checks::create(api, version, caller, &given).await,
        Resource::Check(which) if looks => checks::show(api, version, caller, which).await,
        Resource::Check(which) if head.method == Method::DELETE => {
            checks::delete(api, version, caller, which).await
        }
        Resource::Check(which) => checks::change(api, version, caller, which, &given).await,
        Resource::Pause(which) => checks::pause(api, version, caller, which).await,
        Resource::Resume(which) => checks::resume(api, version, caller, which).await,
        Resource::Pings(which) => pings::list(api, version, caller, which).await,
        Resource::PingBody(which, number) => pings::body(api, caller, which, number).await,
        Resource::Flips(which) => flips::list(api, caller, which, query).await,
        Resource::Channels => channels::list(api, caller).await,
        Resource::Badges => badges::list(api, caller).await,
        Resource::BadgesRenew => badges::renew(api, caller).await,
        Resource::Status => Err(Error::NOT_FOUND),
    }
}

/// What the path below the version names.
fn resource(path: &str) -> Option<Resource> {
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let which = |text| Which::parse(text);
    Some(match segments.as_slice() {
        ["checks"] => Resource::Checks,
        ["checks", one] => Resource::Check(which(one)?),
        ["checks", one, "pause"] => Resource::Pause(which(one)?),
        ["checks", one, "resume"] => Resource::Resume(which(one)?),
        ["checks", one, "pings"] => Resource::Pings(which(one)?),
        ["checks", one, "pings", number, "body"] => {
            Resource::PingBody(which(one)?, number.parse().ok()?)
        }
        ["checks", one, "flips"] => Resource::Flips(which(one)?),
        ["channels"] => Resource::Channels,
        ["badges"] => Resource::Badges,
        ["badges", "renew"] => Resource::BadgesRenew,
        ["status"] => Resource::Status,
        _ => return None,
    })
}

impl Resource {
    /// The methods that it knows. Some clients POST where the documentation says GET.
    fn methods(&self) -> &'static [Method] {
        const LOOK: &[Method] = &[Method::GET, Method::HEAD];
        const LOOK_BY_POST: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
        const ACT: &[Method] = &[Method::POST];
        const CHECK: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::DELETE];
        match self {
            Self::Check(Which::Id(_)) => CHECK,
            Self::Checks | Self::Pings(_) | Self::Flips(_) => LOOK_BY_POST,
            Self::Pause(_) | Self::Resume(_) | Self::BadgesRenew => ACT,
            Self::Check(Which::UniqueKey(_))
            | Self::PingBody(..)
            | Self::Channels
            | Self::Badges
            | Self::Status => LOOK,
        }
    }

    /// Whether the fields of a request's body mean something to it.
    fn takes_fields(&self) -> bool {
        matches!(self, Self::Checks | Self::Check(_))
    }

    /// Whether a read-only key opens it, for a request that `looks`.
    fn may_be_read_only(&self, looks: bool) -> bool {
        match self {
            Self::Checks | Self::Check(_) => looks,
            Self::Flips(_) | Self::Badges | Self::Status => true,
            // Bodies and addresses are not for everyone, and channels hold names of people.
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Pings(_)
            | Self::PingBody(..)
            | Self::BadgesRenew
            | Self::Channels => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_something_with_and_without_its_last_slash() {
        let id = "4c1e0a52-7f36-4b2e-9d7c-2f6b1c9e8a10";
        let which = || Which::parse(id).unwrap();
        let key = "0123456789abcdef0123456789abcdef01234567";
        for (path, expected) in [
            ("checks".to_owned(), Resource::Checks),
            (format!("checks/{id}"), Resource::Check(which())),
            (
                format!("checks/{key}"),
                Resource::Check(Which::UniqueKey(key.to_owned())),
            ),
            (format!("checks/{id}/pause"), Resource::Pause(which())),
            (format!("checks/{id}/resume"), Resource::Resume(which())),
            (format!("checks/{id}/pings"), Resource::Pings(which())),
            (
                format!("checks/{id}/pings/17/body"),
                Resource::PingBody(which(), 17),
            ),
            (format!("checks/{id}/flips"), Resource::Flips(which())),
            ("channels".to_owned(), Resource::Channels),
            ("status".to_owned(), Resource::Status),
        ] {
            assert_eq!(resource(&format!("{path}/")), Some(expected), "{path}/");
            assert!(resource(&path).is_some(), "{path}");
        }
        for path in [
            "",
            "/",
            "check",
            "checks//",
            "checks/x",
            "checks/x/pause",
            &format!("checks/{id}/stop"),
            &format!("checks/{id}/pings/x/body"),
            &format!("checks/{id}/pings/1"),
            &format!("checks/{id}/pings/99999999999999999999/body"),
            &format!("checks/{id}/pause/now"),
            "channels/1",
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }
}
