//! Schedules in plain English.

use nightbeat_calendar::Schedule;

#[test]
fn cron_in_plain_english() {
    for &(expression, english) in CRON {
        let schedule = Schedule::cron(expression, "Europe/Madrid").unwrap();
        assert_eq!(schedule.explain(), english, "{expression:?}");
    }
}

#[test]
fn calendar_events_in_plain_english() {
    for &(expression, english) in CALENDAR {
        let schedule = Schedule::on_calendar(expression, "Europe/Madrid").unwrap();
        assert_eq!(schedule.explain(), english, "{expression:?}");
    }
}

#[test]
fn intervals_in_plain_english() {
    for (seconds, english) in [
        (1, "Every second"),
        (90, "Every 90 seconds"),
        (5400, "Every 90 minutes"),
        (3600, "Every hour"),
        (86_400, "Every day"),
        (604_800, "Every 7 days"),
    ] {
        assert_eq!(Schedule::every_seconds(seconds).unwrap().explain(), english);
    }
}

const CRON: &[(&str, &str)] = &[
    ("0 2 * * 1-5", "At 02:00 on Monday to Friday, Europe/Madrid"),
    ("30 3 * * *", "At 03:30 every day, Europe/Madrid"),
    ("*/5 * * * *", "Every 5 minutes, Europe/Madrid"),
    ("* * * * *", "Every minute, Europe/Madrid"),
    ("0 * * * *", "Every hour, on the hour, Europe/Madrid"),
    ("17 * * * *", "At minute 17 of every hour, Europe/Madrid"),
    (
        "*/15 9-17 * * MON-FRI",
        "Every 15 minutes from 09:00 to 17:59 on Monday to Friday, Europe/Madrid",
    ),
    ("0 0 1 * *", "At 00:00 on day 1 of the month, Europe/Madrid"),
    (
        "0 0 1,15 * *",
        "At 00:00 on days 1 and 15 of the month, Europe/Madrid",
    ),
    (
        "0 0 L * *",
        "At 00:00 on the last day of the month, Europe/Madrid",
    ),
    (
        "0 0 LW * *",
        "At 00:00 on the last workday (Monday to Friday) of the month, Europe/Madrid",
    ),
    (
        "0 12 * * FRI#2",
        "At 12:00 on the 2nd Friday of the month, Europe/Madrid",
    ),
    (
        "0 12 * * 5L",
        "At 12:00 on the last Friday of the month, Europe/Madrid",
    ),
    (
        "0 0 13 * 5",
        "At 00:00 on day 13 of the month or on Friday, whichever comes, Europe/Madrid",
    ),
    (
        "0 0 */2 * 1",
        "At 00:00 on days 1, 3 … 31 of the month, if it is Monday, Europe/Madrid",
    ),
    ("@yearly", "At 00:00 on day 1 of January, Europe/Madrid"),
    (
        "0 0 29 2 *",
        "At 00:00 on day 29 of February, Europe/Madrid",
    ),
    (
        "0 */6 * * *",
        "At 00:00, 06:00, 12:00 and 18:00 every day, Europe/Madrid",
    ),
    (
        "5,35 */2 * * *",
        "At minutes 5 and 35 of hours 0, 2 … 22, Europe/Madrid",
    ),
    ("0 2 1-31 * MON", "At 02:00 every day, Europe/Madrid"),
    (
        "0 9,17 * * 1,3,5",
        "At 09:00 and 17:00 on Monday, Wednesday and Friday, Europe/Madrid",
    ),
    (
        "10 1-23/2 * * *",
        "At minute 10 of hours 1, 3 … 23, Europe/Madrid",
    ),
    (
        "* 2 * * *",
        "Every minute from 02:00 to 02:59, Europe/Madrid",
    ),
    ("0 8 * 6-8 *", "At 08:00 in June to August, Europe/Madrid"),
    (
        "7-59/10 * * * *",
        "At minutes 7, 17 … 57 of every hour, Europe/Madrid",
    ),
    (
        "1,2,3,10 5 * * *",
        "At 05:01, 05:02, 05:03 and 05:10 every day, Europe/Madrid",
    ),
    (
        "0 0 1-7,L * *",
        "At 00:00 on days 1 to 7 and the last day of the month, Europe/Madrid",
    ),
    (
        "0 2 * * 1,FRI#2",
        "At 02:00 on Monday and the 2nd Friday of the month, Europe/Madrid",
    ),
];

const CALENDAR: &[(&str, &str)] = &[
    (
        "Mon..Fri 02:00",
        "At 02:00 on Monday to Friday, Europe/Madrid",
    ),
    ("hourly", "Every hour, on the hour, Europe/Madrid"),
    ("daily", "At 00:00 every day, Europe/Madrid"),
    ("*:0/15", "Every 15 minutes, Europe/Madrid"),
    ("*-*-* *:*:*", "Every second, Europe/Madrid"),
    ("*:*:0/10", "Every 10 seconds, Europe/Madrid"),
    ("*:*:30", "At second 30 of every minute, Europe/Madrid"),
    (
        "*-*~1 12:00",
        "At 12:00 on the last day of the month, Europe/Madrid",
    ),
    (
        "*-*~3",
        "At 00:00 on the 3rd last day of the month, Europe/Madrid",
    ),
    (
        "Mon *-*~7/1 03:00",
        "At 03:00 on the last 7 days of the month, if it is Monday, Europe/Madrid",
    ),
    ("2026-*-* 4:00", "At 04:00 every day in 2026, Europe/Madrid"),
    (
        "2026..2028-1-1",
        "At 00:00 on day 1 of January in 2026 to 2028, Europe/Madrid",
    ),
    (
        "2020/2-1-1",
        "At 00:00 on day 1 of January in 2020, 2022 … 2198, Europe/Madrid",
    ),
    (
        "Sat,Sun 12:00\n*-*-1 8:00 America/New_York",
        "At 12:00 on Saturday and Sunday, Europe/Madrid; At 08:00 on day 1 of the month, America/New_York",
    ),
    (
        "2026-11-23 10:00:05",
        "At 10:00:05 on day 23 of November in 2026, Europe/Madrid",
    ),
    (
        "*:5:10..20",
        "At seconds 10 to 20 of minute 5 of every hour, Europe/Madrid",
    ),
    (
        "*:*:0.5/7.25",
        "At seconds 0.5 to 58.5 in steps of 7.25 of every minute, Europe/Madrid",
    ),
    (
        "Mon *-*-1..7",
        "At 00:00 on days 1 to 7 of the month, if it is Monday, Europe/Madrid",
    ),
    ("@1900000000", "At 17:46:40 on day 17 of March 2030, UTC"),
    (
        "quarterly",
        "At 00:00 on day 1 of January, April, July and October, Europe/Madrid",
    ),
    (
        "Mon..Fri 9..17:0/30",
        "Every 30 minutes from 09:00 to 17:59 on Monday to Friday, Europe/Madrid",
    ),
];
