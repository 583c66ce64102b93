//! Long lists: every item exactly once, whatever the size of the pages.

use std::collections::BTreeSet;

use nightbeat_domain::SignalKind;
use serde_json::{Value, json};

use crate::support::{Api, items};

/// All ids of a list, page by page.
async fn walk(api: &Api, path: &str, limit: usize, by: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = api
            .get(&format!("{path}{joint}limit={limit}{cursor}"))
            .await;
        let page = page.is(200);
        assert!(items(&page).len() <= limit, "{path}");
        found.extend(items(&page).iter().map(|item| item[by].clone()));
        match page["next_cursor"].as_str() {
            // A page that leads on is full.
            Some(next) => {
                assert_eq!(items(&page).len(), limit, "{path}");
                cursor = format!("&cursor={next}");
            }
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_list_is_walked_exactly_once() {
    const EACH: usize = 11;
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    for n in 1..EACH {
        api.post(
            "/heartbeats",
            json!({"name": format!("job {n}"), "tags": ["t"]}),
        )
        .await
        .is(201);
    }
    api.channel("channel 0").await;
    for _ in 0..EACH {
        api.signal(&job, SignalKind::Fail).await;
        api.signal(&job, SignalKind::Success).await;
    }
    for n in 1..EACH {
        api.channel(&format!("channel {n}")).await;
        let window = json!({"from": "2030-01-01T00:00:00Z", "to": format!("20{}-01-01T00:00:00Z", 31 + n / 4)});
        api.post("/maintenance", window).await.is(201);
        let key = json!({"name": "k", "scope": "read-only"});
        api.post("/keys", key).await.is(201);
    }
    for (path, by, count) in [
        ("/heartbeats", "slug", EACH),
        ("/heartbeats?tag=t&q=job", "slug", EACH - 1),
        ("/heartbeats/job/signals", "id", 2 * EACH),
        ("/heartbeats/job/runs", "id", 2 * EACH),
        ("/heartbeats/job/incidents", "id", EACH),
        ("/incidents", "id", EACH),
        ("/incidents?open=false", "id", EACH),
        ("/channels", "id", EACH),
        ("/deliveries", "id", 2 * EACH),
        ("/deliveries?state=queued&heartbeat=job", "id", 2 * EACH),
        ("/maintenance", "id", EACH - 1),
        ("/keys", "id", EACH + 1),
    ] {
        let whole = walk(&api, path, 1000, by).await;
        assert_eq!(whole.len(), count, "{path}");
        let once: BTreeSet<String> = whole.iter().map(Value::to_string).collect();
        assert_eq!(once.len(), count, "{path}");
        for limit in [1, 2, 3, count - 1, count] {
            let walked = walk(&api, path, limit, by).await;
            assert_eq!(walked, whole, "{path} by {limit}");
        }
    }
}

#[tokio::test]
async fn heartbeats_of_one_microsecond_are_walked_exactly_once() {
    use nightbeat_domain::{HeartbeatId, Schedule, Settings, State};
    use nightbeat_store::control::heartbeats::{self, Details, New};

    let api = Api::new().await;
    let (project, now) = (api.ana.project_id, api.node.now());
    let ids: Vec<HeartbeatId> = (0..200)
        .map(|_| HeartbeatId(nightbeat_server::random::uuid()))
        .collect();
    let writing = api.store.write(move |sql| {
        let settings = Settings::new(Schedule::every_seconds(60).unwrap());
        for id in ids.iter().copied() {
            let details = Details {
                name: id.to_string(),
                slug: id.to_string(),
                ..Details::default()
            };
            let new = New {
                id,
                details: &details,
                settings: &settings,
                state: &State::new(&settings, now),
                created_at: now,
            };
            heartbeats::insert(sql, project, &new)?;
        }
        Ok(())
    });
    writing.await.unwrap();
    let whole = walk(&api, "/heartbeats", 1000, "slug").await;
    assert_eq!(whole.len(), 200);
    assert_eq!(walk(&api, "/heartbeats", 7, "slug").await, whole);
}

/// A read-only key must not find a secret id by asking what stands behind cursors of its own making.
#[tokio::test]
async fn a_cursor_made_by_hand_does_not_feel_for_an_id() {
    let api = Api::new().await;
    let job = api.heartbeat("job").await;
    api.heartbeat("later").await;
    let first = api.look("/heartbeats?limit=1").await.is(200);
    let next = first["next_cursor"].as_str().unwrap();
    let (micros, _) = next.split_once('.').unwrap();
    let id: uuid::Uuid = job["id"].as_str().unwrap().parse().unwrap();
    assert!(!next.contains(&id.simple().to_string()[8..]), "{next}");
    let mut seen = BTreeSet::new();
    for guess in [id.as_u128() - 1, id.as_u128(), id.as_u128() + 1] {
        let guess = uuid::Uuid::from_u128(guess).simple();
        let path = format!("/heartbeats?cursor={micros}.{guess}");
        let page = api.look(&path).await.is(200);
        seen.insert(items(&page).len());
    }
    assert_eq!(seen.len(), 1, "the answers differ: {seen:?}");
}

#[tokio::test]
async fn what_is_added_or_removed_meanwhile_disturbs_no_walk() {
    let api = Api::new().await;
    for n in 0..6 {
        api.heartbeat(&format!("job {n}")).await;
    }
    let first = api.get("/heartbeats?limit=3").await.is(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    // The item that the cursor names is gone, and another is new.
    api.delete("/heartbeats/job-2").await.is(204);
    api.heartbeat("job 6").await;
    let rest = api
        .get(&format!("/heartbeats?limit=10&cursor={cursor}"))
        .await;
    let names = rest.is(200);
    let names: Vec<&Value> = items(&names).iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["job 3", "job 4", "job 5", "job 6"]);
}

#[tokio::test]
async fn what_is_no_page_is_refused() {
    let api = Api::new().await;
    for limit in ["0", "1001", "-1", "ten", "", "1.5", "99999999999999999999"] {
        let answer = api.get(&format!("/heartbeats?limit={limit}")).await;
        answer.refuses(400, Some("limit"));
    }
    for cursor in ["x", "", "1.zz", "%00", "9999999999999999999999"] {
        let answer = api.get(&format!("/heartbeats?cursor={cursor}")).await;
        answer.refuses(400, Some("cursor"));
    }
    let twice = api.get("/heartbeats?limit=1&limit=2").await;
    assert_eq!(
        twice.refuses(400, Some("limit")),
        "limit: is given more than once"
    );
}
