//! A schedule is looked at before anything uses it.

use serde_json::{Value, json};

use crate::support::Api;

const PATH: &str = "/schedules/preview";

#[tokio::test]
async fn a_cron_expression_says_when_it_runs_and_what_the_clocks_do() {
    let api = Api::new().await;
    let body = json!({
        "schedule": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
        "from": "2027-03-26T12:00:00Z",
        "count": 3,
    });
    let mut answer = api.post(PATH, body).await.is(200);
    let source = answer["zone_data"].take();
    assert!(source == "system" || source == "bundled", "{source}");
    let clocks = "the clocks in Europe/Berlin go";
    assert_eq!(
        answer,
        json!({
            "explanation": "At 02:30 every day, Europe/Berlin",
            "timezone": "Europe/Berlin",
            "zone_data": null,
            "next": [
                "2027-03-27T02:30:00+01:00",
                "2027-03-28T03:00:00+02:00",
                "2027-03-29T02:30:00+02:00",
            ],
            "notes": [
                {
                    "kind": "run_moved",
                    "date": "2027-03-28",
                    "text": format!("on 2027-03-28 {clocks} from 02:00 to 03:00: this runs at 03:00 instead of 02:30"),
                },
                {
                    "kind": "run_once",
                    "date": "2027-10-31",
                    "text": format!("on 2027-10-31 {clocks} back from 03:00 to 02:00: 02:30 comes twice, and this runs the first time only"),
                },
                {
                    "kind": "run_moved",
                    "date": "2028-03-26",
                    "text": format!("on 2028-03-26 {clocks} from 02:00 to 03:00: this runs at 03:00 instead of 02:30"),
                },
            ],
            "mean_distance": 86400.0,
            "smallest_distance": 84600.0,
        })
    );
}

#[tokio::test]
async fn a_timer_and_an_interval_are_looked_at_too() {
    let api = Api::new().await;
    let body = json!({
        "schedule": {"calendar": "*:0/15", "timezone": "Europe/Berlin"},
        "from": "2027-10-31T02:30:00+02:00",
        "count": 3,
    });
    let answer = api.post(PATH, body).await.is(200);
    assert_eq!(
        answer["next"],
        json!([
            "2027-10-31T02:45:00+02:00",
            "2027-10-31T03:00:00+01:00",
            "2027-10-31T03:15:00+01:00",
        ])
    );
    assert_eq!(answer["notes"][0]["kind"], "long_gap");
    let body = json!({"schedule": {"every": 5400}, "from": "2027-03-28T00:00:00.25Z", "count": 2});
    assert_eq!(
        api.post(PATH, body).await.is(200),
        json!({
            "explanation": "Every 90 minutes",
            "timezone": "UTC",
            "zone_data": "bundled",
            "next": ["2027-03-28T01:30:00.25+00:00", "2027-03-28T03:00:00.25+00:00"],
            "notes": [],
            "mean_distance": 5400.0,
            "smallest_distance": 5400.0,
        })
    );
}

#[tokio::test]
async fn a_schedule_that_runs_out_says_what_is_left() {
    let api = Api::new().await;
    let body =
        json!({"schedule": {"calendar": "2027-03-28 12:00"}, "from": "2027-01-01T00:00:00Z"});
    let answer = api.post(PATH, body).await.is(200);
    assert_eq!(answer["next"], json!(["2027-03-28T12:00:00+00:00"]));
    assert_eq!(answer["mean_distance"], Value::Null);
    assert_eq!(answer["smallest_distance"], Value::Null);
    let over =
        json!({"schedule": {"calendar": "2027-03-28 12:00"}, "from": "2028-01-01T00:00:00Z"});
    assert_eq!(api.post(PATH, over).await.is(200)["next"], json!([]));
}

#[tokio::test]
async fn ten_instants_from_now_on_where_nothing_else_is_asked_for() {
    let api = Api::new().await;
    let before = api.node.now().timestamp();
    let body = json!({"schedule": {"cron": "* * * * *"}});
    let answer = api.post(PATH, body).await.is(200);
    let next: Vec<jiff::Timestamp> = answer["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(next.len(), 10);
    assert!(next[0] > before);
    let minute = jiff::SignedDuration::from_mins(1);
    assert!(
        next.windows(2)
            .all(|pair| pair[1].duration_since(pair[0]) == minute)
    );
    let most = json!({"schedule": {"cron": "* * * * *"}, "count": 100});
    let answer = api.post(PATH, most).await.is(200);
    assert_eq!(answer["next"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn the_ends_of_time_are_no_trouble() {
    let api = Api::new().await;
    for from in [
        "9999-12-30T21:59:59Z",
        "-009999-01-03T00:00:00Z",
        "1800-01-01T00:00:00Z",
    ] {
        for schedule in [
            json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin"}),
            json!({"calendar": "*:*:0/0.5", "timezone": "Australia/Lord_Howe"}),
            json!({"every": 315_360_000}),
        ] {
            let body = json!({"schedule": schedule, "from": from, "count": 100});
            api.post(PATH, body).await.is(200);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_field() {
    let api = Api::new().await;
    for (body, field, detail) in [
        (json!({}), "schedule", "schedule: is missing"),
        (
            json!({"schedule": {"cron": "0 24 * * *"}}),
            "schedule",
            r#"schedule: cron: hour 24: 0 to 23 (column 3); did you mean "0 0 * * *"?"#,
        ),
        (
            json!({"schedule": {"cron": "@reboot"}}),
            "schedule",
            "schedule: cron: @reboot is the start of the machine, not a time: there is no instant to wait for (column 1)",
        ),
        (
            json!({"schedule": {"calendar": "2am"}}),
            "schedule",
            r#"schedule: calendar: "am" is left over after the date (column 2); did you mean "02:00"?"#,
        ),
        (
            json!({"schedule": {"cron": "0 2 * * *", "timezone": "Europe/Madird"}}),
            "schedule",
            r#"schedule: timezone: there is no time zone "Europe/Madird"; did you mean "Europe/Madrid"?"#,
        ),
        (
            json!({"schedule": {"every": 0}}),
            "schedule",
            "schedule: every: an interval of 0 seconds is outside 1 second to 10 years (315360000 seconds)",
        ),
        (
            json!({"schedule": {"every": 60, "cron": "* * * * *"}}),
            "schedule",
            r#"schedule: a schedule has exactly one of "every", "cron" and "calendar""#,
        ),
        (
            json!({"schedule": {"every": 60}, "count": 0}),
            "count",
            "count: 0 is outside 1 to 100",
        ),
        (
            json!({"schedule": {"every": 60}, "count": 101}),
            "count",
            "count: 101 is outside 1 to 100",
        ),
        (
            json!({"schedule": {"every": 60}, "count": -1}),
            "count",
            "count: invalid value: integer `-1`, expected a whole number, not negative",
        ),
        (
            json!({"schedule": {"every": 60}, "count": null}),
            "count",
            "count: invalid type: null, expected a whole number, not negative",
        ),
        (
            json!({"schedule": {"every": 60}, "from": "tomorrow"}),
            "from",
            r#"from: "tomorrow" is not a time; write it as 2026-11-22T02:00:00Z"#,
        ),
        (
            json!({"schedule": {"every": 60}, "from": "2027-03-28T02:30:00"}),
            "from",
            r#"from: "2027-03-28T02:30:00" is not a time; write it as 2026-11-22T02:00:00Z"#,
        ),
        (
            json!({"schedule": {"every": 60}, "cuont": 3}),
            "cuont",
            r#"cuont: is not known here; did you mean "count"?"#,
        ),
    ] {
        let refused = api.post(PATH, body.clone()).await;
        assert_eq!(refused.refuses(422, Some(field)), detail, "{body}");
    }
}
