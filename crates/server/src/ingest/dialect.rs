//! Signal URLs of other products, so that a move is the edit of one URL. Pure; nothing here reads more than
//! its arguments.
//!
//! ```text
//! BASE/api/push/WHO?status=up|down&msg=&ping=                   Uptime Kuma's push monitors
//! BASE/p/KEY/WHO[/STATE]?state=&message=&metric=&series=        Cronitor's telemetry
//! BASE/api/v1/heartbeat/WHO[/fail|/CODE]                        Better Stack's heartbeats
//! SNITCH-HOST/WHO?m=&s=CODE, or the same as a form              Dead Man's Snitch
//! ```
//!
//! `WHO` is a heartbeat's id, with or without dashes, or `PING-KEY/SLUG`; in Cronitor's form, whose `KEY` is
//! the ping key, a slug or an id.

use nightbeat_domain::{HeartbeatId, RunId, SignalKind};
use uuid::Uuid;

use super::query::SignalQuery;
use super::text::{decoded, pairs};
use super::url::{
    Forms, SignalUrl, UrlProblem, UrlTarget, any_uuid, check_slug, is_host, is_ping_key,
    parse_action, parse_tail, target,
};

/// Whose way of writing a signal URL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Ours, and Healthchecks'.
    Own,
    /// Uptime Kuma's push monitors.
    UptimeKuma,
    /// Cronitor's telemetry.
    Cronitor,
    /// Better Stack's heartbeats.
    BetterStack,
    /// Dead Man's Snitch.
    Snitch,
}

/// What a URL of any dialect says.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    /// Whom it is for, and what it says.
    pub url: SignalUrl,
    /// A message for people, which stands for a body where there is none.
    pub message: Option<String>,
}

impl Forms {
    /// Whose signal URL a path is, and its tail; `None` where it is no signal's.
    pub fn place<'a>(&self, host: Option<&str>, path: &'a str) -> Option<(Dialect, &'a str)> {
        if let Some(tail) = self.tail(host, path) {
            return Some((Dialect::Own, tail));
        }
        let path = self.without_prefix(path);
        for (beginning, dialect) in [
            ("/api/push/", Dialect::UptimeKuma),
            ("/api/v1/heartbeat/", Dialect::BetterStack),
            ("/p/", Dialect::Cronitor),
        ] {
            if let Some(tail) = path.strip_prefix(beginning) {
                return Some((dialect, tail));
            }
        }
        let snitch_host = self.snitch_host.as_deref()?;
        let tail = path.strip_prefix('/')?;
        // Short names are pages of ours, on whatever host.
        let is_one = is_host(host?, snitch_host)
            && any_uuid(tail.split('/').next().unwrap_or_default()).is_some();
        is_one.then_some((Dialect::Snitch, tail))
    }
}

/// What a URL of this dialect says, from its tail on.
pub fn parse(dialect: Dialect, tail: &str, query: Option<&str>) -> Result<Spoken, UrlProblem> {
    let query = query.unwrap_or_default();
    match dialect {
        Dialect::Own => {
            let url = parse_tail(tail, Some(query))?;
            Ok(Spoken { url, message: None })
        }
        Dialect::UptimeKuma => uptime_kuma(tail, query),
        Dialect::Cronitor => cronitor(tail, query),
        Dialect::BetterStack => better_stack(tail),
        Dialect::Snitch => snitch(tail, query),
    }
}

/// `status` is `up` where it is not said; whatever else it says is a failure, as there.
fn uptime_kuma(tail: &str, query: &str) -> Result<Spoken, UrlProblem> {
    let mut said = Said::of(whom(tail)?, SignalKind::Success);
    for (name, value) in decoded_pairs(query) {
        match name.as_str() {
            "status" if value == "up" => said.kind = SignalKind::Success,
            "status" => said.kind = SignalKind::Fail,
            "msg" => said.message = Some(value),
            "ping" => said.query.metric(Some(("ping", value.as_str()))),
            _ => {}
        }
    }
    Ok(said.spoken())
}

fn better_stack(tail: &str) -> Result<Spoken, UrlProblem> {
    let (target, action) = target(tail, true)?;
    let (kind, exit_code) = match action {
        Some(action) => parse_action(&action)?,
        None => (SignalKind::Success, None),
    };
    let mut said = Said::of(target, kind);
    said.exit_code = exit_code;
    Ok(said.spoken())
}

/// `s` is an exit code, 0 where it is not said; what is no number is a failure.
fn snitch(tail: &str, query: &str) -> Result<Spoken, UrlProblem> {
    let mut said = Said::of(whom(tail)?, SignalKind::Success);
    for (name, value) in decoded_pairs(query) {
        match name.as_str() {
            "s" => said.exit_status(&value),
            "m" => said.message = Some(value),
            _ => {}
        }
    }
    Ok(said.spoken())
}

/// What a form says at Dead Man's Snitch besides its URL: `curl -d s=$? -d m=done …` is how its users tell an exit
/// code. `None` where it is no such form, but output.
pub(super) fn snitch_form(url: &SignalUrl, form: &[u8]) -> Option<Spoken> {
    let form = String::from_utf8_lossy(form);
    let mut said = Said::of(url.target.clone(), url.kind);
    said.exit_code = url.exit_code;
    for (name, value) in decoded_pairs(&form) {
        match name.as_str() {
            "s" => said.exit_status(&value),
            "m" => said.message = Some(value),
            _ => return None,
        }
    }
    Some(said.spoken())
}

fn cronitor(tail: &str, query: &str) -> Result<Spoken, UrlProblem> {
    let mut segments = tail.strip_suffix('/').unwrap_or(tail).split('/');
    let mut next = || segments.next().map(|segment| decoded(segment, false));
    let ping_key = next().unwrap_or_default();
    let monitor = next().ok_or(UrlProblem::NotFound)?;
    let state = next();
    if next().is_some() || !is_ping_key(&ping_key) {
        return Err(UrlProblem::NotFound);
    }
    let target = if let Some(id) = any_uuid(&monitor) {
        UrlTarget::Id(HeartbeatId(id))
    } else {
        check_slug(&monitor)?;
        UrlTarget::Slug {
            ping_key: ping_key.into_owned(),
            slug: monitor.into_owned(),
        }
    };
    let mut said = Said::of(
        target,
        cronitor_state(state.as_deref().unwrap_or_default())?,
    );
    let mut status_code = None;
    for (name, value) in decoded_pairs(query) {
        match name.as_str() {
            "state" => said.kind = cronitor_state(&value)?,
            "message" | "msg" => said.message = Some(value),
            "metric" => said.query.metric(value.split_once(':')),
            "series" if !value.is_empty() => said.query.rid = Some(run_of(&value)),
            "status_code" | "stat" => status_code = Some(value),
            _ => {}
        }
    }
    // Only an end has one.
    if let Some(code) = status_code.filter(|_| said.kind == SignalKind::Success) {
        said.exit_status(&code);
    }
    Ok(said.spoken())
}

fn cronitor_state(state: &str) -> Result<SignalKind, UrlProblem> {
    match state {
        "run" => Ok(SignalKind::Start),
        "" | "complete" | "ok" | "tick" => Ok(SignalKind::Success),
        "fail" => Ok(SignalKind::Fail),
        _ => Err(UrlProblem::Parameter {
            parameter: "state",
            problem: "write run, complete, fail or ok".into(),
        }),
    }
}

/// The run that a client gave any name: the name where it is a UUID, else one made of it.
pub(crate) fn run_of(name: &str) -> RunId {
    RunId(any_uuid(name).unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())))
}

/// Whom a tail without anything behind it names.
fn whom(tail: &str) -> Result<UrlTarget, UrlProblem> {
    match target(tail, true)? {
        (target, None) => Ok(target),
        (_, Some(_)) => Err(UrlProblem::NotFound),
    }
}

/// A signal that is being read.
struct Said {
    target: UrlTarget,
    kind: SignalKind,
    exit_code: Option<u8>,
    query: SignalQuery,
    message: Option<String>,
}

impl Said {
    fn of(target: UrlTarget, kind: SignalKind) -> Self {
        Self {
            target,
            kind,
            exit_code: None,
            query: SignalQuery::default(),
            message: None,
        }
    }

    fn exit_status(&mut self, text: &str) {
        let text = text.trim();
        self.exit_code = text.parse().ok();
        self.kind = match self.exit_code {
            Some(0) => SignalKind::Success,
            None if text.is_empty() => SignalKind::Success,
            _ => SignalKind::Fail,
        };
    }

    fn spoken(self) -> Spoken {
        Spoken {
            url: SignalUrl {
                target: self.target,
                kind: self.kind,
                exit_code: self.exit_code,
                query: self.query,
            },
            message: self.message.filter(|message| !message.is_empty()),
        }
    }
}

fn decoded_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    pairs(query).map(|(name, value)| {
        let text = |part| decoded(part, true).into_owned();
        (text(name), text(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c1e0a52-7f36-4b2e-9d7c-2f6b1c9e8a10";
    const UNDASHED: &str = "4c1e0a527f364b2e9d7c2f6b1c9e8a10";

    fn forms() -> Forms {
        Forms {
            prefix: "/beats".to_owned(),
            ping_host: None,
            snitch_host: Some("snitch.example.org".to_owned()),
        }
    }

    /// What a URL on `host` says, in short.
    fn said(host: &str, url: &str) -> String {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let Some((dialect, tail)) = forms().place(Some(host), path) else {
            return "no signal".to_owned();
        };
        match parse(dialect, tail, Some(query)) {
            Err(problem) => problem.to_string(),
            Ok(spoken) => described(spoken),
        }
    }

    fn described(Spoken { url, message }: Spoken) -> String {
        let mut text = match url.target {
            UrlTarget::Id(id) if id.to_string() == ID => "id".to_owned(),
            UrlTarget::Id(_) => "another id".to_owned(),
            UrlTarget::Slug { ping_key, slug } => format!("{ping_key}/{slug}"),
        };
        text = format!("{text} {}", url.kind.as_str());
        if let Some(code) = url.exit_code {
            text = format!("{text} {code}");
        }
        for metric in url.query.metrics {
            text = format!("{text} {}={}", metric.name, metric.value);
        }
        if url.query.rid.is_some() {
            text.push_str(" rid");
        }
        message.map_or(text.clone(), |message| format!("{text}: {message}"))
    }

    #[test]
    fn a_push_monitor_is_up_unless_it_says_otherwise() {
        for (tail, expected) in [
            (ID.to_owned(), "id success"),
            (UNDASHED.to_owned(), "id success"),
            (format!("{ID}?status=up&msg=OK&ping="), "id success: OK"),
            (
                format!("{ID}?status=down&msg=no+room%21&ping=12.5"),
                "id fail ping=12.5: no room!",
            ),
            (format!("{ID}?status=maybe"), "id fail"),
            ("key/nightly/?status=down".to_owned(), "key/nightly fail"),
            (format!("{ID}/fail"), "not found"),
            ("abcdef1234".to_owned(), "not found"),
            (String::new(), "not found"),
        ] {
            assert_eq!(said("h", &format!("/api/push/{tail}")), expected, "{tail}");
        }
    }

    #[test]
    fn telemetry_says_its_state_in_the_path_or_in_the_query() {
        for (tail, expected) in [
            ("key/nightly", "key/nightly success"),
            ("key/nightly/run", "key/nightly start"),
            ("key/nightly?state=run&series=abc", "key/nightly start rid"),
            (
                "key/nightly?state=complete&metric=count:12&metric=x&status_code=0",
                "key/nightly success 0 count=12",
            ),
            (
                "key/nightly/complete?status_code=3&message=oh",
                "key/nightly fail 3: oh",
            ),
            ("key/nightly?state=fail&msg=oh", "key/nightly fail: oh"),
            ("key/nightly?state=run&status_code=1", "key/nightly start"),
            ("key/nightly/fail/", "key/nightly fail"),
            ("key/4c1e0a52-7f36-4b2e-9d7c-2f6b1c9e8a10/ok", "id success"),
            (
                "key/nightly?state=what",
                "invalid state: write run, complete, fail or ok",
            ),
            ("key/Nightly", "invalid url format"),
            ("key/nightly/run/now", "not found"),
            ("key", "not found"),
            ("k%20y/nightly", "not found"),
        ] {
            assert_eq!(said("h", &format!("/p/{tail}")), expected, "{tail}");
        }
    }

    #[test]
    fn a_run_keeps_its_name_or_gets_one_that_is_always_the_same() {
        let id: Uuid = ID.parse().unwrap();
        assert_eq!(run_of(ID), RunId(id));
        assert_eq!(run_of(UNDASHED), RunId(id));
        assert_eq!(run_of("17"), run_of("17"));
        assert_ne!(run_of("17"), run_of("18"));
    }

    #[test]
    fn a_heartbeat_of_better_stack_fails_or_ends_with_a_code() {
        for (tail, expected) in [
            (UNDASHED.to_owned(), "id success"),
            (format!("{UNDASHED}/fail"), "id fail"),
            (format!("{ID}/0/"), "id success 0"),
            (format!("{ID}/24"), "id fail 24"),
            (format!("{ID}/256"), "invalid url format"),
            ("key/nightly/fail".to_owned(), "key/nightly fail"),
            (format!("{ID}/what"), "not found"),
        ] {
            assert_eq!(
                said("h", &format!("/beats/api/v1/heartbeat/{tail}")),
                expected,
                "{tail}"
            );
        }
    }

    #[test]
    fn a_snitch_has_its_own_host() {
        let host = "snitch.example.org:443";
        for (tail, expected) in [
            (ID.to_owned(), "id success"),
            (format!("{UNDASHED}?m=all+done"), "id success: all done"),
            (format!("{UNDASHED}?s=0"), "id success 0"),
            (format!("{UNDASHED}?s=&m="), "id success"),
            (format!("{UNDASHED}?s=2&m=no"), "id fail 2: no"),
            (format!("{UNDASHED}?s=500"), "id fail"),
            (format!("{UNDASHED}?s=x"), "id fail"),
            ("healthz".to_owned(), "no signal"),
            (format!("{ID}/1"), "not found"),
        ] {
            assert_eq!(said(host, &format!("/{tail}")), expected, "{tail}");
        }
        assert_eq!(said("h", &format!("/{ID}")), "no signal");
    }

    #[test]
    fn a_snitch_is_told_the_same_by_a_form() {
        for (form, expected) in [
            ("s=3", Some("id fail 3")),
            ("s=0&m=all+done", Some("id success 0: all done")),
            ("m=50%25", Some("id success: 50%")),
            ("s=", Some("id success")),
            ("s=x", Some("id fail")),
            ("all done", None),
            ("s=3&other=1", None),
        ] {
            let Spoken { url, .. } = parse(Dialect::Snitch, ID, None).unwrap();
            let found = snitch_form(&url, form.as_bytes()).map(described);
            assert_eq!(found.as_deref(), expected, "{form}");
        }
    }

    #[test]
    fn our_own_urls_stay_what_they_are() {
        for url in [
            format!("/api/heartbeat/{ID}/fail"),
            format!("/beats/ping/{ID}/fail?m=x&s=0"),
        ] {
            assert_eq!(said("h", &url), "id fail", "{url}");
        }
        assert_eq!(said("h", &format!("/ping/{UNDASHED}")), "not found");
        for path in ["/", "/api/v1/heartbeats", "/api/pushy/x", "/projects/x"] {
            assert_eq!(said("h", path), "no signal", "{path}");
        }
    }
}
