//! Channels: secrets, edits, tests; and their kinds.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Api, PUBLIC_URL, each, items};

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let api = Api::new().await;
    let made = api.channel("hook").await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({
            "id": id, "name": "hook", "kind": "webhook",
            "settings": {"url": "http://127.0.0.1:9/", "method": "POST", "headers": "•••"},
            "created_at": made["created_at"],
            "health": {"last_sent_at": null, "last_error": null, "failing": 0},
        })
    );
    for path in [format!("/channels/{id}"), "/channels/hook".to_owned()] {
        let shown = api.get(&path).await;
        assert_eq!(shown.is(200), made);
        assert_eq!(shown.header("etag"), Some("\"1\""));
    }
    let listed = api.get("/channels").await.is(200);
    assert_eq!(items(&listed), std::slice::from_ref(&made));

    let stored = async || {
        let (project, id) = (api.ana.project_id, id.parse().unwrap());
        let reading = api
            .store
            .read(move |sql| nightbeat_store::control::channels::get(sql, project, id));
        reading.await.unwrap().unwrap().fields
    };
    // What was read may be sent back as it was.
    let back = json!({"name": "hook", "settings": made["settings"]});
    api.patch("/channels/hook", back).await.is(200);
    assert_eq!(stored().await["headers"], "Authorization: Bearer s3cret");
    // Only what is named changes.
    let change = json!({"settings": {"url": "http://127.0.0.1:10/"}});
    let changed = api.patch("/channels/hook", change).await;
    assert_eq!(changed.is(200)["settings"]["headers"], "•••");
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(stored().await["headers"], "Authorization: Bearer s3cret");
    assert_eq!(stored().await["url"], "http://127.0.0.1:10/");
    let change = json!({"settings": {"headers": null, "method": null}});
    let cleared = api.patch("/channels/hook", change).await.is(200);
    let settings = json!({"url": "http://127.0.0.1:10/", "method": "POST"});
    assert_eq!(cleared["settings"], settings);
}

#[tokio::test]
async fn what_a_channel_cannot_take_is_said() {
    let api = Api::new().await;
    api.channel("hook").await;
    for (body, status, field) in [
        (
            json!({"name": "hook", "kind": "webhook", "settings": {"url": "http://h.example/"}}),
            409,
            "name",
        ),
        (
            json!({"name": "a", "kind": "webhok", "settings": {}}),
            422,
            "kind",
        ),
        (json!({"name": "a", "kind": "webhook"}), 422, "settings.url"),
        (
            json!({"name": "a", "kind": "webhook", "settings": {"url": "ftp://h/"}}),
            422,
            "settings.url",
        ),
        (
            json!({"name": "a", "kind": "webhook", "settings": {"ulr": "http://h/"}}),
            422,
            "settings.ulr",
        ),
        (
            json!({"name": "a", "kind": "webhook", "settings": {"url": 5}}),
            422,
            "settings.url",
        ),
        (
            json!({"name": "a", "kind": "ntfy", "settings": {"topic": "t", "token": "•••"}}),
            422,
            "settings.token",
        ),
        (
            json!({"name": "a", "kind": "email", "settings": {"to": "nobody"}}),
            422,
            "settings.to",
        ),
        (
            json!({"name": " ", "kind": "email", "settings": {"to": "a@b.example"}}),
            422,
            "name",
        ),
        (
            json!({"kind": "email", "settings": {"to": "a@b.example"}}),
            422,
            "name",
        ),
    ] {
        api.post("/channels", body)
            .await
            .refuses(status, Some(field));
    }
    for (body, status, field) in [
        (json!({"settings": {"url": null}}), 422, "settings.url"),
        (json!({"settings": {"url": "•••"}}), 422, "settings.url"),
        (json!({"settings": null}), 422, "settings"),
        (json!({"name": null}), 422, "name"),
        (json!({"kind": "email"}), 422, "kind"),
    ] {
        api.patch("/channels/hook", body)
            .await
            .refuses(status, Some(field));
    }
    assert_eq!(
        api.get("/channels/hook").await.header("etag"),
        Some("\"1\"")
    );
    api.channel("other").await;
    let renamed = api.patch("/channels/hook", json!({"name": "other"})).await;
    renamed.refuses(409, Some("name"));
}

#[tokio::test]
async fn a_channel_that_a_heartbeat_names_is_not_deleted() {
    let api = Api::new().await;
    let hook = api.channel("hook 備").await;
    let body = json!({"name": "job", "channels": [hook["id"]]});
    api.post("/heartbeats", body).await.is(201);
    let path = "/channels/hook%20%E5%82%99";
    let detail = api.delete(path).await.refuses(409, None);
    assert!(
        detail.starts_with("1 heartbeat names this channel"),
        "{detail}"
    );
    api.patch("/heartbeats/job", json!({"channels": []}))
        .await
        .is(200);
    let headers = [
        ("x-api-key", api.ana.api_key.as_str()),
        ("if-match", "\"7\""),
    ];
    api.raw("DELETE", path, &headers, "")
        .await
        .refuses(412, None);
    api.delete(path).await.is(204);
    api.get(path).await.refuses(404, None);
    api.delete(path).await.refuses(404, None);
    let body = json!({"channels": [hook["id"]]});
    let detail = api
        .patch("/heartbeats/job", body)
        .await
        .refuses(422, Some("channels"));
    assert!(detail.contains(hook["id"].as_str().unwrap()), "{detail}");
}

/// A receiver of one request, which it answers with `answer`.
async fn receiver(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let receiving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        // The body ends with the JSON's last brace.
        while !bytes.ends_with(b"}") {
            let mut part = [0; 1_000];
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "the request broke off");
            bytes.extend_from_slice(&part[..length]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(bytes).unwrap()
    });
    (url, receiving)
}

#[tokio::test]
async fn a_test_is_the_real_message_and_the_real_answer() {
    let api = Api::new().await;
    api.channel("hook").await;
    for (answer, ok, says) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngood",
            true,
            "200",
        ),
        (
            "HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\nConnection: close\r\n\r\nshort",
            false,
            "418",
        ),
    ] {
        let (url, receiving) = receiver(answer).await;
        let change = json!({"settings": {"url": url}});
        api.patch("/channels/hook", change).await.is(200);
        let result = api.post("/channels/hook/test", Value::Null).await.is(200);
        assert_eq!(result["ok"], ok, "{result}");
        assert!(
            result["detail"].as_str().unwrap().contains(says),
            "{result}"
        );
        assert!(result["duration_ms"].is_u64());
        let request = receiving.await.unwrap();
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("Bearer s3cret"), "{request}");
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["event"], "test");
    }
    let change = json!({"settings": {"url": "http://10.0.0.1/"}});
    api.patch("/channels/hook", change).await.is(200);
    let refused = api.post("/channels/hook/test", Value::Null).await.is(200);
    assert_eq!(refused["ok"], false);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("outgoing.allow")
    );
    let missing = api.post("/channels/nobody/test", Value::Null).await;
    missing.refuses(404, None);
}

#[tokio::test]
async fn the_catalogue_says_what_to_fill_in() {
    let api = Api::new().await;
    let kinds = api.look("/channel-kinds").await.is(200);
    assert_eq!(kinds["next_cursor"], Value::Null);
    assert_eq!(each(&kinds, "name"), ["email", "ntfy", "webhook"]);
    let webhook = &items(&kinds)[2];
    assert_eq!(webhook["digest_seconds"], 0);
    let fields = webhook["fields"].as_array().unwrap();
    let named = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(named("headers")["secret"], true);
    assert_eq!(named("url")["required"], true);
    assert_eq!(named("url")["type"], "url_template");
    assert_eq!(named("url")["default"], Value::Null);
    assert_eq!(
        named("method")["choices"],
        json!(["POST", "PUT", "PATCH", "GET"])
    );
}

#[tokio::test]
async fn a_new_channel_says_where_it_is() {
    let api = Api::new().await;
    let body =
        json!({"name": "me", "kind": "email", "settings": {"to": "a@b.example;c@d.example"}});
    let made = api.post("/channels", body).await;
    let id = made.is(201)["id"].as_str().unwrap().to_owned();
    let url = format!("{PUBLIC_URL}/api/v1/channels/{id}");
    assert_eq!(made.header("location"), Some(url.as_str()));
    assert_eq!(
        made.is(201)["settings"],
        json!({"to": "a@b.example, c@d.example"})
    );
}
