//! Who may do what: every route, with every kind of key. The table is held against the `OpenAPI` document,
//! which is made from the router: a new route without a row fails.

use std::collections::BTreeSet;

use nightbeat_domain::SignalKind;
use nightbeat_store::outbox::DeliveryEnding;
use serde_json::{Value, json};

use crate::support::{Answer, Api, items};

/// It only looks, though it is a `POST`.
const PREVIEW: &str = "/schedules/preview";

/// What a stranger's key gets of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stranger {
    /// What it names does not exist.
    Nothing,
    /// Its own project.
    Own,
}

/// A request that works with Ana's key.
struct Route {
    method: &'static str,
    /// As the document has it.
    template: &'static str,
    path: String,
    body: Value,
    status: u16,
    stranger: Stranger,
}

/// Ana's project with one of everything, and a request for every route.
#[expect(clippy::too_many_lines, reason = "a table")]
async fn everything() -> (Api, Vec<Route>) {
    use Stranger::{Nothing, Own};

    let api = Api::new().await;
    let hook = api.channel("anas-hook").await;
    let job = api.heartbeat("anas-job").await;
    api.record(
        &job,
        nightbeat_domain::Signal::new(SignalKind::Fail, api.node.now()),
        Some(b"anas-output".to_vec()),
    )
    .await;
    api.deliver(DeliveryEnding::Failed {
        detail: "anas-error".to_owned(),
        next_try_at: None,
    })
    .await;
    let window =
        json!({"from": "2030-01-01T00:00:00Z", "to": "2031-01-01T00:00:00Z", "note": "anas-note"});
    let window = api.post("/maintenance", window).await.is(201);
    let key = json!({"name": "anas-key", "scope": "read-only"});
    let key = api.post("/keys", key).await.is(201);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let (job, hook, window, key) = (id(&job), id(&hook), id(&window), id(&key));
    let incident = id(&items(&api.get("/incidents").await.is(200))[0]);
    let delivery = id(&items(&api.get("/deliveries").await.is(200))[0]);

    let mut routes = Vec::new();
    let mut add = |method, template: &'static str, which: &str, body: Value, status, stranger| {
        let (before, after) = match (template.find('{'), template.find('}')) {
            (Some(begin), Some(end)) => (&template[..begin], &template[end + 1..]),
            _ => (template, ""),
        };
        routes.push(Route {
            method,
            template,
            path: format!("{before}{which}{after}"),
            body,
            status,
            stranger,
        });
    };
    let none = || Value::Null;
    add("GET", "/project", "", none(), 200, Own);
    add("PATCH", "/project", "", json!({"name": "new"}), 200, Own);
    add("GET", "/heartbeats", "", none(), 200, Own);
    add("POST", "/heartbeats", "", json!({"name": "new"}), 201, Own);
    for which in [job.as_str(), "anas-job"] {
        add(
            "GET",
            "/heartbeats/{heartbeat}",
            which,
            none(),
            200,
            Nothing,
        );
        add(
            "PATCH",
            "/heartbeats/{heartbeat}",
            which,
            json!({"name": "new"}),
            200,
            Nothing,
        );
        add(
            "DELETE",
            "/heartbeats/{heartbeat}",
            which,
            none(),
            204,
            Nothing,
        );
        add(
            "POST",
            "/heartbeats/{heartbeat}/pause",
            which,
            none(),
            200,
            Nothing,
        );
        add(
            "POST",
            "/heartbeats/{heartbeat}/resume",
            which,
            none(),
            200,
            Nothing,
        );
        add(
            "GET",
            "/heartbeats/{heartbeat}/signals",
            which,
            none(),
            200,
            Nothing,
        );
        add(
            "GET",
            "/heartbeats/{heartbeat}/runs",
            which,
            none(),
            200,
            Nothing,
        );
        add(
            "GET",
            "/heartbeats/{heartbeat}/incidents",
            which,
            none(),
            200,
            Nothing,
        );
    }
    let until = json!({"until": "2030-01-01T00:00:00Z"});
    add("GET", "/incidents", "", none(), 200, Own);
    add(
        "GET",
        "/incidents/{incident}",
        &incident,
        none(),
        200,
        Nothing,
    );
    add(
        "POST",
        "/incidents/{incident}/acknowledge",
        &incident,
        none(),
        200,
        Nothing,
    );
    add(
        "POST",
        "/incidents/{incident}/snooze",
        &incident,
        until,
        200,
        Nothing,
    );
    add(
        "POST",
        "/incidents/{incident}/notes",
        &incident,
        json!({"text": "seen"}),
        201,
        Nothing,
    );
    let new = json!({"name": "new", "kind": "email", "settings": {"to": "a@b.example"}});
    add("GET", "/channels", "", none(), 200, Own);
    add("POST", "/channels", "", new, 201, Own);
    for which in [hook.as_str(), "anas-hook"] {
        add("GET", "/channels/{channel}", which, none(), 200, Nothing);
        add(
            "PATCH",
            "/channels/{channel}",
            which,
            json!({"name": "new"}),
            200,
            Nothing,
        );
        add("DELETE", "/channels/{channel}", which, none(), 204, Nothing);
        add(
            "POST",
            "/channels/{channel}/test",
            which,
            none(),
            200,
            Nothing,
        );
    }
    add("GET", "/channel-kinds", "", none(), 200, Own);
    let tried = json!({"channel": "anas-hook", "kind": "webhook"});
    add("POST", "/channel-kinds/preview", "", tried, 200, Nothing);
    add("GET", "/deliveries", "", none(), 200, Own);
    add(
        "GET",
        "/deliveries/{delivery}",
        &delivery,
        none(),
        200,
        Nothing,
    );
    add(
        "POST",
        "/deliveries/{delivery}/dismiss",
        &delivery,
        none(),
        200,
        Nothing,
    );
    let new = json!({"from": "2030-01-01T00:00:00Z", "to": "2031-01-01T00:00:00Z"});
    add("GET", "/maintenance", "", none(), 200, Own);
    add("POST", "/maintenance", "", new, 201, Own);
    add(
        "DELETE",
        "/maintenance/{window}",
        &window,
        none(),
        204,
        Nothing,
    );
    let new = json!({"name": "new", "scope": "read-only"});
    add("GET", "/keys", "", none(), 200, Own);
    add("POST", "/keys", "", new, 201, Own);
    add("DELETE", "/keys/{id}", &key, none(), 204, Nothing);
    let schedule = json!({"schedule": {"every": 60}});
    add("POST", PREVIEW, "", schedule, 200, Own);
    (api, routes)
}

#[tokio::test]
async fn every_route_has_its_row() {
    let (api, routes) = everything().await;
    let document = api.raw("GET", "/openapi.json", &[], "").await.is(200);
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let listed: BTreeSet<_> = routes
        .iter()
        .map(|route| (route.method.to_owned(), route.template.to_owned()))
        .collect();
    assert_eq!(documented, listed);
}

#[tokio::test]
async fn the_right_key_opens_every_route() {
    let (_, routes) = everything().await;
    for number in 0..routes.len() {
        let (api, routes) = everything().await;
        let Route {
            method,
            path,
            body,
            status,
            ..
        } = &routes[number];
        let key = &api.ana.api_key;
        api.send(key, method, path, body).await.is(*status);
    }
}

#[tokio::test]
async fn without_a_known_key_nothing_opens() {
    let (api, routes) = everything().await;
    let before = all_of_anas(&api).await;
    let almost = &api.ana.api_key[..48];
    let ping_key = &api.ana.ping_key;
    let unknown = format!("{}x", api.ana.api_key);
    let bearer = format!("Bearer {unknown}");
    let basic = format!("Basic {}", api.ana.api_key);
    let bare = api.ana.api_key.clone();
    let headers: [&[(&str, &str)]; 9] = [
        &[],
        &[("x-api-key", "")],
        &[("x-api-key", almost)],
        &[("x-api-key", ping_key)],
        &[("x-api-key", &unknown)],
        &[("authorization", &bearer)],
        &[("authorization", &basic)],
        &[("authorization", &bare)],
        &[("x-api-key", &unknown), ("authorization", &bare)],
    ];
    for Route {
        method, path, body, ..
    } in &routes
    {
        for headers in headers {
            let answer = api.raw(method, path, headers, body.to_string()).await;
            answer.refuses(401, None);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            no_secrets(&api, &answer);
        }
    }
    assert_eq!(all_of_anas(&api).await, before);
}

#[tokio::test]
async fn a_stranger_sees_and_changes_nothing_of_anas() {
    let (api, routes) = everything().await;
    let before = all_of_anas(&api).await;
    for Route {
        method,
        path,
        body,
        status,
        stranger,
        ..
    } in &routes
    {
        let answer = api.send(&api.ben.api_key, method, path, body).await;
        match stranger {
            Stranger::Nothing => drop(answer.refuses(404, None)),
            Stranger::Own => drop(answer.is(*status)),
        }
        let text = answer.text.replace("explanation", "");
        assert!(!text.contains("ana"), "{method} {path}: {text}");
        no_secrets(&api, &answer);
        assert_eq!(all_of_anas(&api).await, before, "{method} {path}");
    }
    // Nor by naming what is Ana's in a body or a query.
    let channels = api.get("/channels").await.is(200);
    let hook = &items(&channels)[0]["id"];
    let ben = &api.ben.api_key;
    for (method, path, body, field) in [
        (
            "POST",
            "/heartbeats",
            json!({"name": "x", "channels": [hook]}),
            "channels",
        ),
        (
            "PATCH",
            "/heartbeats/new",
            json!({"channels": [hook]}),
            "channels",
        ),
        (
            "PATCH",
            "/project",
            json!({"fallback_channel": hook}),
            "fallback_channel",
        ),
    ] {
        let answer = api.send(ben, method, path, &body).await;
        answer.refuses(422, Some(field));
    }
    let path = format!("/deliveries?channel={}", hook.as_str().unwrap());
    let found = api.send(ben, "GET", &path, &Value::Null).await.is(200);
    assert!(items(&found).is_empty(), "{found}");
}

#[tokio::test]
async fn a_read_only_key_looks_and_sees_no_secret() {
    let (api, routes) = everything().await;
    let before = all_of_anas(&api).await;
    let key = &api.ana.read_only_key;
    for Route {
        method, path, body, ..
    } in &routes
    {
        let answer = api.send(key, method, path, body).await;
        if *method == "GET" || path == PREVIEW {
            answer.is(200);
        } else {
            answer.refuses(403, None);
        }
        no_secrets(&api, &answer);
    }
    assert_eq!(all_of_anas(&api).await, before);
    // A list that goes on must not tell the id of its last item either.
    for n in 0..4 {
        api.heartbeat(&format!("job {n}")).await;
    }
    let mut path = "/heartbeats?limit=1".to_owned();
    for _ in 0..5 {
        let page = api.look(&path).await;
        let ids = all_ids(&api).await;
        let plain = page.text.replace('-', "");
        for id in ids {
            assert!(!plain.contains(&id.replace('-', "")[9..]), "{}", page.text);
        }
        let page = page.is(200);
        let cursor = page["next_cursor"].as_str().unwrap_or("");
        path = format!("/heartbeats?limit=1&cursor={cursor}");
    }
    let head = api
        .raw("HEAD", "/heartbeats", &[("x-api-key", key)], "")
        .await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_key_goes_in_either_header() {
    let api = Api::new().await;
    let key = &api.ana.api_key;
    let bearer = format!("Bearer {key}");
    let lower = format!("bearer   {key} ");
    let padded = format!(" {key} ");
    let headers: [&[(&str, &str)]; 6] = [
        &[("authorization", &bearer)],
        &[("authorization", &lower)],
        &[("x-api-key", key)],
        &[("X-API-KEY", &padded)],
        // A proxy's own sign-in stands beside ours.
        &[("x-api-key", key), ("authorization", "Basic YTpi")],
        &[("x-api-key", key), ("authorization", "Bearer another")],
    ];
    for headers in headers {
        let answer = api.raw("GET", "/project", headers, "").await;
        assert_eq!(answer.is(200)["name"], "Ana's", "{headers:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let api = Api::new().await;
    for path in [
        "/nothing",
        "/heartbeats/",
        "/heartbeats/a/b",
        "/heartbeats/a/signals/1",
    ] {
        api.get(path).await.refuses(404, None);
    }
    for (method, path, allowed) in [
        ("PUT", "/heartbeats", "GET,HEAD,POST"),
        ("OPTIONS", "/heartbeats", "GET,HEAD,POST"),
        ("POST", "/heartbeats/a", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/heartbeats/a/pause", "POST"),
        ("DELETE", "/project", "GET,HEAD,PATCH"),
        ("POST", "/openapi.json", "GET,HEAD"),
    ] {
        let answer = api.send(&api.ana.api_key, method, path, &Value::Null).await;
        answer.refuses(405, None);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}

/// Everything that Ana's key sees. When keys were used is not compared: the clock goes on.
async fn all_of_anas(api: &Api) -> Value {
    let mut all = json!({});
    for path in [
        "/project",
        "/heartbeats",
        "/incidents",
        "/channels",
        "/deliveries",
        "/maintenance",
        "/keys",
    ] {
        all[path] = api.get(path).await.is(200);
    }
    for key in all["/keys"]["items"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("last_used_at");
    }
    all
}

async fn all_ids(api: &Api) -> Vec<String> {
    let list = api.get("/heartbeats").await.is(200);
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    items(&list).iter().map(id).collect()
}

/// An answer tells neither a signal URL, nor what it is made of, nor where a channel leads or its secret, nor a
/// key.
fn no_secrets(api: &Api, answer: &Answer) {
    let ana = &api.ana;
    for secret in [&ana.api_key, &ana.read_only_key, &ana.ping_key] {
        assert!(!answer.text.contains(secret.as_str()), "{}", answer.text);
    }
    for secret in ["s3cret", "127.0.0.1:9/"] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    let is_ana = answer.text.contains("anas-job");
    let shows = is_ana && answer.text.contains("/api/heartbeat/");
    assert!(!shows, "{}", answer.text);
}
