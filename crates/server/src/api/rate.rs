//! How often the APIs may be asked: each key for itself, and each address for what it asks without a key that
//! is known. Answers say what is left, in the fields of the IETF's draft (draft-ietf-httpapi-ratelimit-headers):
//! `RateLimit-Policy: "key";q=600;w=60` and `RateLimit: "key";r=599;t=1`.
//!
//! Whose key it is, is found out once, by whoever answers: a request carries a [`Meter`] along, which is told.
//! Signals are not counted here.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{Extensions, HeaderMap, StatusCode};
use nightbeat_domain::UnixMicros;
use nightbeat_store::control::keys::KeyOwner;
use uuid::Uuid;

use super::problem::Problem;
use super::state::ApiState;
use crate::config::neighbourhood;
use crate::http::Client;
use crate::rate::{Allowance, Buckets};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The time that a quota is for.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts requests, at this node.
#[derive(Debug, Default)]
pub(crate) struct ApiRate {
    /// `None`: without limit.
    per_minute: Option<u32>,
    buckets: Buckets<Who>,
}

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Key(Uuid),
    Address(IpAddr),
}

impl Who {
    /// The name of its policy.
    fn policy(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Address(_) => "address",
        }
    }
}

/// Where a counted request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    policy: &'static str,
    quota: u32,
    left: u32,
    /// Nothing is left; else, when all of it is there again.
    refused: bool,
    seconds: u64,
}

impl ApiRate {
    /// So many requests a minute, all of them at once if need be; `None`: without limit.
    pub(crate) fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_minute,
            buckets: Buckets::default(),
        }
    }

    /// Counts a request; `None`: there is no limit.
    fn count(&self, who: Who, now: UnixMicros) -> Option<Standing> {
        let quota = self.per_minute?;
        let allowance = Allowance {
            at_once: quota,
            one_more_after: WINDOW / quota.max(1),
        };
        let policy = who.policy();
        Some(match self.buckets.take(&[(who, allowance)], now) {
            Ok(()) => {
                let left = self.buckets.left(&who, allowance, now);
                Standing {
                    policy,
                    quota,
                    left: left.now,
                    refused: false,
                    seconds: whole_seconds(left.full_in),
                }
            }
            Err(wait) => Standing {
                policy,
                quota,
                left: 0,
                refused: true,
                seconds: whole_seconds(wait).max(1),
            },
        })
    }
}

/// What a request says of itself before it is known whose it is.
#[derive(Debug, Clone)]
struct Meter {
    api: ApiState,
    address: Option<IpAddr>,
    standing: Arc<Mutex<Option<Standing>>>,
}

impl Meter {
    fn count(&self, who: Who) -> Result<(), Problem> {
        let standing = self.api.rate.count(who, self.api.now());
        *self.slot() = standing;
        match standing.filter(|standing| standing.refused) {
            None => Ok(()),
            Some(refused) => Err(refused.problem()),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn problem(self) -> Problem {
        let whose = match self.policy {
            "key" => "with this key",
            _ => "from your address without a known key",
        };
        let (quota, seconds) = (self.quota, self.seconds);
        let requests = if quota == 1 { "request" } else { "requests" };
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{quota} {requests} a minute may come {whose}; try again in {seconds} s"),
        )
    }

    fn tell(self, headers: &mut HeaderMap) {
        let Self {
            policy,
            quota,
            left,
            seconds,
            ..
        } = self;
        let window = WINDOW.as_secs();
        for (name, text) in [
            (POLICY, format!("\"{policy}\";q={quota};w={window}")),
            (LIMIT, format!("\"{policy}\";r={left};t={seconds}")),
        ] {
            // Names and numbers are always a header's value.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
        if self.refused {
            headers.insert(RETRY_AFTER, self.seconds.into());
        }
    }
}

/// Counts what comes by this router, and says in each answer what is left.
pub(crate) fn measured(router: Router, api: ApiState) -> Router {
    router.layer(from_fn_with_state(api, measure))
}

async fn measure(State(api): State<ApiState>, mut request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>();
    let meter = Meter {
        address: client.and_then(|client| client.address),
        api,
        standing: Arc::default(),
    };
    request.extensions_mut().insert(meter.clone());
    let mut response = next.run(request).await;
    let standing = *meter.slot();
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// A request shows this key, whatever the key may do.
pub(crate) fn of_key(request: &Extensions, owner: &KeyOwner) -> Result<(), Problem> {
    let meter = request.get::<Meter>();
    meter.map_or(Ok(()), |meter| meter.count(Who::Key(owner.id)))
}

/// A request shows no key, or one that is not known. Programs on this machine and Unix sockets are not counted:
/// a proxy that nobody told us to trust would lock everybody out.
pub(crate) fn of_address(request: &Extensions) -> Result<(), Problem> {
    let Some(meter) = request.get::<Meter>() else {
        return Ok(());
    };
    let address = meter
        .address
        .filter(|address| !address.to_canonical().is_loopback());
    address.map_or(Ok(()), |address| {
        meter.count(Who::Address(neighbourhood(address)))
    })
}

/// Rounded up: who comes back then is let in.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMicros = UnixMicros(1_795_348_800_000_000);

    fn shown(standing: Option<Standing>) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        standing.unwrap().tell(&mut headers);
        let text = |name| {
            let value: Option<&HeaderValue> = headers.get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let both = format!("{} {}", text(POLICY).unwrap(), text(LIMIT).unwrap());
        (both, text(RETRY_AFTER))
    }

    #[test]
    fn each_answer_says_what_is_left() {
        let rate = ApiRate::new(Some(3));
        let (ana, ben) = (
            Who::Key(Uuid::from_u128(1)),
            Who::Address("192.0.2.7".parse().unwrap()),
        );
        for told in ["r=2;t=20", "r=1;t=40", "r=0;t=60"] {
            let expected = format!("\"key\";q=3;w=60 \"key\";{told}");
            assert_eq!(shown(rate.count(ana, NOON)), (expected, None));
        }
        let (told, retry) = shown(rate.count(ana, NOON + Duration::from_millis(500)));
        assert_eq!(told, "\"key\";q=3;w=60 \"key\";r=0;t=20");
        assert_eq!(retry.as_deref(), Some("20"));
        let (told, _) = shown(rate.count(ben, NOON));
        assert_eq!(told, "\"address\";q=3;w=60 \"address\";r=2;t=20");
        // Who comes when they are told to is let in.
        let later = rate.count(ana, NOON + Duration::from_secs(20));
        assert!(!later.unwrap().refused);
        assert_eq!(ApiRate::new(None).count(ana, NOON), None);
    }
}
