//! A project is deleted while its jobs go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nightbeat_domain::HeartbeatId;
use nightbeat_store::control::{projects, prune_removed};
use nightbeat_store::dump::dump;

use crate::people::{House, PASSWORD, house};
use crate::support::talk;

impl House {
    fn delete_path(&self) -> String {
        format!("/projects/{}/settings/delete", self.home)
    }

    async fn signal(&self, path: &str) -> u16 {
        self.nightbeat
            .get(&format!("/api/heartbeat/{path}"))
            .await
            .status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_deleted_by_an_owner_who_means_it() {
    let house = house(|_| {}).await;
    let path = house.delete_path();
    for email in ["ben@example.org", "cleo@example.org", "dora@example.org"] {
        let mut browser = house.browser(email).await;
        browser.get("/profile").await;
        assert_eq!(browser.get(&path).await.status, 403, "{email}");
        let deleted = browser.post(&path, &[("sure", "Home")]).await;
        assert_eq!(deleted.status, 403, "{email}");
        let settings = format!("/projects/{}/settings", house.home);
        assert!(
            !browser
                .get(&settings)
                .await
                .body
                .contains("settings/delete")
        );
    }
    house.nightbeat.heartbeat("nightly").await;
    let mut ana = house.browser("ana@example.org").await;
    let settings = format!("/projects/{}/settings", house.home);
    assert!(ana.get(&settings).await.body.contains("settings/delete"));
    assert!(ana.get(&path).await.body.contains("Its one heartbeat goes"));
    house.let_an_hour_pass(&ana).await;
    let sure = [("sure", " Home ")];
    let asked = ana.post(&path, &sure).await;
    assert!(
        asked
            .header("location")
            .unwrap()
            .starts_with("/confirm?next=")
    );
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    for other in ["", "home", "Lair"] {
        assert_eq!(
            ana.post(&path, &[("sure", other)]).await.status,
            422,
            "{other}"
        );
    }
    let deleted = ana.post(&path, &sure).await;
    assert_eq!(
        (deleted.status, deleted.header("location")),
        (303, Some("/"))
    );
    assert_eq!(ana.get(&settings).await.status, 404);
    let profile = ana.get("/profile").await.body;
    assert!(
        profile.contains("deleted the project <strong>Home</strong>"),
        "{profile}"
    );
    let key = &house.nightbeat.keys.api_key;
    let request = format!(
        "GET /api/v1/project HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(house.nightbeat.talk(request).await.status, 401);
    // Now she may go, too.
    ana.get("/profile/account").await;
    let gone = ana
        .post("/profile/delete", &[("sure", "ana@example.org")])
        .await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    let lair = house.lair;
    let mut eve = house.browser("eve@example.org").await;
    assert_eq!(
        eve.get(&format!("/projects/{lair}/settings")).await.status,
        200
    );
}

/// Jobs signal without a pause while their project goes: each signal is taken or unknown, and unknown from then on.
#[tokio::test(flavor = "multi_thread")]
async fn signals_that_arrive_meanwhile_are_taken_or_unknown_and_unknown_after_it() {
    let house = house(|_| {}).await;
    let mut heartbeats = Vec::new();
    for number in 0..10 {
        heartbeats.push(house.nightbeat.heartbeat(&format!("job-{number}")).await);
    }
    let (address, ping_key) = (
        house.nightbeat.address(),
        house.nightbeat.keys.ping_key.clone(),
    );
    let deleted = Arc::new(AtomicBool::new(false));
    let mut jobs = Vec::new();
    for (number, HeartbeatId(id)) in heartbeats.iter().copied().enumerate() {
        let (deleted, ping_key) = (Arc::clone(&deleted), ping_key.clone());
        jobs.push(tokio::spawn(async move {
            let by_id = format!("/api/heartbeat/{id}/start");
            let by_name = format!("/api/heartbeat/{ping_key}/job-{number}?create=1");
            let mut said = Vec::new();
            loop {
                let is_last = deleted.load(Ordering::Acquire);
                for path in [&by_id, &by_name] {
                    let request =
                        format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
                    said.push((is_last, talk(address, request.as_bytes()).await.status));
                }
                if is_last {
                    return said;
                }
            }
        }));
    }
    let mut ana = house.browser("ana@example.org").await;
    ana.get(&house.delete_path()).await;
    let answer = ana.post(&house.delete_path(), &[("sure", "Home")]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    deleted.store(true, Ordering::Release);
    for job in jobs {
        for (is_after, status) in job.await.unwrap() {
            // 201: the name was free for a moment, while the project was still there.
            let expected: &[u16] = if is_after { &[404] } else { &[200, 201, 404] };
            assert!(expected.contains(&status), "{status}, after it: {is_after}");
        }
    }
    // Judging what is gone harms nobody: the other project's jobs go on.
    let lair = house.lair;
    let store = house.nightbeat.server.store();
    let key = store.read(move |sql| projects::get(sql, lair)).await;
    let key = key.unwrap().unwrap().ping_key;
    assert_eq!(house.signal(&format!("{key}/job?create=1")).await, 201);
    while store.write(|sql| prune_removed(sql, 50)).await.unwrap() > 0 {}
    let left = store.read(dump).await.unwrap();
    let projects: Vec<_> = left.projects.iter().map(|one| one.id).collect();
    assert_eq!(projects, [lair]);
    let [job] = &left.heartbeats[..] else {
        panic!("one heartbeat is left: {left}");
    };
    assert_eq!(job.signals.len(), 1);
    assert!(
        left.removed.is_empty() && left.incidents.is_empty(),
        "{left}"
    );
}
