//! The `OpenAPI` document.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Api, PUBLIC_URL, items};

async fn document(api: &Api) -> Value {
    api.raw("GET", "/openapi.json", &[], "").await.is(200)
}

/// `docs/openapi.json` is what the server answers, with a public URL made up. To let it follow a change, run this
/// test with `UPDATE_OPENAPI=1`.
#[tokio::test]
async fn the_document_changes_only_on_purpose() {
    let api = Api::new().await;
    let now = format!("{:#}\n", document(&api).await);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    let lines = kept.lines().zip(now.lines());
    let differs = lines.enumerate().find(|(_, (kept, now))| kept != now);
    assert!(
        kept == now,
        "docs/openapi.json is not the server's document any more, from here on: {differs:?}; \
         if it is to change, run this test with UPDATE_OPENAPI=1"
    );
}

#[tokio::test]
async fn the_document_is_complete() {
    let api = Api::new().await;
    let document = document(&api).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["servers"],
        json!([{"url": format!("{PUBLIC_URL}/api/v1")}])
    );
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{what}: {id} is taken");
            assert!(operation["summary"].is_string(), "{what}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{what}"
            );
            assert!(responses.contains_key("default"), "{what}");
            for response in responses.values() {
                assert!(response["description"].is_string(), "{what}");
            }
            let declared = operation["parameters"].as_array();
            let in_path = declared.is_some_and(|all| all.iter().any(|one| one["in"] == "path"));
            assert_eq!(in_path, path.contains('{'), "{what}");
        }
    }
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is not described");
    }
}

#[tokio::test]
async fn every_documented_query_parameter_is_understood_and_no_other() {
    let api = Api::new().await;
    api.heartbeat("job").await;
    api.channel("hook").await;
    let document = document(&api).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(parameters) = item["get"]["parameters"].as_array() else {
            continue;
        };
        let queries: Vec<&Value> = parameters
            .iter()
            .filter(|one| one["in"] == "query")
            .collect();
        let path = path.replace("{heartbeat}", "job");
        for parameter in &queries {
            let name = parameter["name"].as_str().unwrap();
            let value = match name {
                "status" => "up",
                "state" => "sent",
                "open" => "true",
                "heartbeat" => "job",
                "channel" => "hook",
                _ => "1",
            };
            api.get(&format!("{path}?{name}={value}")).await.is(200);
        }
        if !queries.is_empty() {
            let answer = api.get(&format!("{path}?nonsense=1")).await;
            answer.refuses(400, Some("nonsense"));
        }
    }
}

/// What an answer has and what its schema says are the same fields.
#[tokio::test]
async fn answers_have_the_documented_fields() {
    let api = Api::new().await;
    let document = document(&api).await;
    let fields = |name: &str| -> BTreeSet<String> {
        let properties = document["components"]["schemas"][name]["properties"].as_object();
        properties.unwrap().keys().cloned().collect()
    };
    let given = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    // One heartbeat has a field more than those in lists.
    let own = &document["components"]["schemas"]["HeartbeatDetail"]["allOf"][1]["properties"];
    assert_eq!(
        given(&api.heartbeat("job").await),
        &fields("Heartbeat") | &given(own)
    );
    let list = api.get("/heartbeats").await.is(200);
    assert_eq!(given(&items(&list)[0]), fields("Heartbeat"));
    assert_eq!(given(&api.channel("hook").await), fields("Channel"));
    assert_eq!(given(&api.get("/project").await.is(200)), fields("Project"));
    let key = json!({"name": "k", "scope": "read-write"});
    assert_eq!(given(&api.post("/keys", key).await.is(201)), fields("Key"));
    assert_eq!(
        given(&api.get("/nothing").await.is(404)),
        &fields("Problem") - &BTreeSet::from(["field".to_owned()])
    );
}
