//! Schedules and what is said of them.

/// Expression, zone, and the notes about the changes of the clocks in the year from November 2026 on,
/// without the words that all of them begin with.
pub(crate) type Changes = &'static [(&'static str, &'static str, &'static [&'static str])];

pub(crate) const CRON_CHANGES: Changes = &[
    ("30 2 * * *", "UTC", &[]),
    // No daylight saving since 2019.
    ("30 2 * * *", "America/Sao_Paulo", &[]),
    ("30 12 * * *", "Europe/Berlin", &[]),
    (
        "*/5 * * * *",
        "Europe/Berlin",
        &[
            "steady: 02:00, 02:05 … 02:55 do not exist, but the distance between runs stays 5 minutes",
            "steady: 02:00, 02:05 … 02:55 come twice, and the distance between runs stays 5 minutes",
        ],
    ),
    (
        "5,50 * * * *",
        "Europe/Berlin",
        &[
            "steady: 02:05 and 02:50 do not exist, but the distances between runs stay as they are",
            "steady: 02:05 and 02:50 come twice, and the distances between runs stay as they are",
        ],
    ),
    (
        "0,10,20,30,40,45,50 * * * *",
        "Europe/Berlin",
        &[
            "steady: 02:00, 02:10 … 02:50 do not exist, but the distances between runs stay as they are",
            "steady: 02:00, 02:10 … 02:50 come twice, and the distances between runs stay as they are",
        ],
    ),
    (
        "*/5 * * * *",
        "Australia/Lord_Howe",
        &[
            "steady: 01:30, 01:35 … 01:55 come twice, and the distance between runs stays 5 minutes",
            "steady: 02:00, 02:05 … 02:25 do not exist, but the distance between runs stays 5 minutes",
        ],
    ),
    (
        "0 * * * *",
        "Europe/Berlin",
        &[
            "steady: there is no 02:00, but the distance between runs stays 1 hour",
            "steady: 02:00 comes twice, and the distance between runs stays 1 hour",
        ],
    ),
    (
        "0 * * * *",
        "Australia/Lord_Howe",
        &[
            "long_gap: 90 minutes without a run between 01:00 and 02:00",
            "run_left_out: there is no 02:00, so cron leaves this run out; the next is at 03:00",
        ],
    ),
    (
        "*/15 2 * * *",
        "Europe/Berlin",
        &[
            "run_left_out: 02:00, 02:15, 02:30 and 02:45 do not exist, so cron leaves these runs out; the next is at 02:00 on 2027-03-29",
            "run_twice: 02:00, 02:15, 02:30 and 02:45 come twice, and this runs both times",
        ],
    ),
    (
        "*/15 2 * * *",
        "Australia/Lord_Howe",
        &[
            "run_left_out: 02:00 and 02:15 do not exist, so cron leaves these runs out; the next is at 02:30",
        ],
    ),
    (
        "0 */2 * * *",
        "Europe/Berlin",
        &[
            "run_left_out: there is no 02:00, so cron leaves this run out; the next is at 04:00",
            "run_twice: 02:00 comes twice, and this runs both times",
        ],
    ),
    (
        "0 */2 * * *",
        "Australia/Lord_Howe",
        &["run_left_out: there is no 02:00, so cron leaves this run out; the next is at 04:00"],
    ),
    (
        "0 2,3 * * *",
        "Europe/Berlin",
        &[
            "run_left_out: there is no 02:00, so cron leaves this run out; the next is at 03:00",
            "long_gap: 02:00 comes twice and cron runs the first time only: 2 hours without a run between 02:00 and 03:00",
        ],
    ),
    (
        "0 2,3 * * *",
        "Australia/Lord_Howe",
        &["run_moved: this runs at 02:30 instead of 02:00"],
    ),
    (
        "0,30 2 * * *",
        "Europe/Berlin",
        &[
            "run_moved: this runs once at 03:00 instead of 02:00 and 02:30",
            "run_once: 02:00 and 02:30 come twice, and this runs the first time only",
        ],
    ),
    (
        "0,30 2 * * *",
        "Australia/Lord_Howe",
        &["run_left_out: there is no 02:00, so cron leaves this run out; the next is at 02:30"],
    ),
    (
        "0-59/5 1-4 * * *",
        "Europe/Berlin",
        &[
            "steady: 02:00, 02:05 … 02:55 do not exist, but the distance between runs stays 5 minutes",
            "long_gap: 02:00, 02:05 … 02:55 come twice and cron runs the first time only: 65 minutes without a run between 02:55 and 03:00",
        ],
    ),
    (
        "0-59/5 1-4 * * *",
        "Australia/Lord_Howe",
        &[
            "long_gap: 01:30, 01:35 … 01:55 come twice and cron runs the first time only: 35 minutes without a run between 01:55 and 02:00",
            "steady: 02:00, 02:05 … 02:25 do not exist, but the distance between runs stays 5 minutes",
        ],
    ),
    (
        "0 1-23/2 * * *",
        "Europe/Berlin",
        &["long_gap: 3 hours without a run between 01:00 and 03:00"],
    ),
];

pub(crate) const CALENDAR_CHANGES: Changes = &[
    (
        "2:30",
        "Europe/Berlin",
        &[
            "run_left_out: there is no 02:30, so systemd leaves this run out; the next is at 02:30 on 2027-03-29",
            "run_once: 02:30 comes twice, and this runs the first time only",
        ],
    ),
    ("2:30", "Australia/Lord_Howe", &[]),
    (
        "*:0/15",
        "Europe/Berlin",
        &[
            "steady: 02:00, 02:15, 02:30 and 02:45 do not exist, but the distance between runs stays 15 minutes",
            "long_gap: 02:00, 02:15, 02:30 and 02:45 come twice and systemd runs the first time only: 75 minutes without a run between 02:45 and 03:00",
        ],
    ),
    (
        "*:0/15",
        "Australia/Lord_Howe",
        &[
            "long_gap: 01:30 and 01:45 come twice and systemd runs the first time only: 45 minutes without a run between 01:45 and 02:00",
            "steady: 02:00 and 02:15 do not exist, but the distance between runs stays 15 minutes",
        ],
    ),
    (
        "hourly",
        "Europe/Berlin",
        &[
            "steady: there is no 02:00, but the distance between runs stays 1 hour",
            "long_gap: 02:00 comes twice and systemd runs the first time only: 2 hours without a run between 02:00 and 03:00",
        ],
    ),
    (
        "hourly",
        "Australia/Lord_Howe",
        &[
            "long_gap: 90 minutes without a run between 01:00 and 02:00",
            "run_left_out: there is no 02:00, so systemd leaves this run out; the next is at 03:00",
        ],
    ),
    (
        "*-3-28 2:30",
        "Europe/Berlin",
        &[
            "run_left_out: there is no 02:30, so systemd leaves this run out; the next is at 02:30 on 2028-03-28",
        ],
    ),
    ("*-3-28 2:30", "Australia/Lord_Howe", &[]),
    (
        "2:30\n2:45 UTC",
        "Europe/Berlin",
        &[
            "run_left_out: there is no 02:30, so systemd leaves this run out; the next is at 02:30 on 2027-03-29",
            "run_once: 02:30 comes twice, and this runs the first time only",
        ],
    ),
    ("2:30\n2:45 UTC", "Australia/Lord_Howe", &[]),
    (
        "2:00\n2:20\n2:40",
        "Europe/Berlin",
        &[
            "run_left_out: 02:00, 02:20 and 02:40 do not exist, so systemd leaves these runs out; the next is at 02:00 on 2027-03-29",
            "run_once: 02:00, 02:20 and 02:40 come twice, and this runs the first time only",
        ],
    ),
    (
        "2:00\n2:20\n2:40",
        "Australia/Lord_Howe",
        &[
            "run_left_out: 02:00 and 02:20 do not exist, so systemd leaves these runs out; the next is at 02:40",
        ],
    ),
    (
        "*:*:0/0.5",
        "Europe/Berlin",
        &[
            "steady: 02:00, 02:00:00.5 … 02:59:59.5 do not exist, but the distance between runs stays 0.5 seconds",
            "long_gap: 02:00, 02:00:00.5 … 02:59:59.5 come twice and systemd runs the first time only: 1 hour without a run between 02:59:59.5 and 03:00",
        ],
    ),
    (
        "*:*:0/0.5",
        "Australia/Lord_Howe",
        &[
            "long_gap: 01:30, 01:30:00.5 … 01:59:59.5 come twice and systemd runs the first time only: 30 minutes without a run between 01:59:59.5 and 02:00",
            "steady: 02:00, 02:00:00.5 … 02:29:59.5 do not exist, but the distance between runs stays 0.5 seconds",
        ],
    ),
    (
        "2027-03-28 02:30:05",
        "Europe/Berlin",
        &["run_left_out: there is no 02:30:05, so systemd leaves this run out, and none follows"],
    ),
    ("2027-03-28 02:30:05", "Australia/Lord_Howe", &[]),
];

/// Expression and the notes in UTC.
pub(crate) type Expressions = &'static [(&'static str, &'static [&'static str])];

const BEYOND: &str = "beyond_crontab: a/n, L, LW, 5L and FRI#2 are not in crontab(5): Debian's cron refuses them or reads them otherwise";

pub(crate) const CRON_EXPRESSIONS: Expressions = &[
    (
        "0 0 31 * *",
        &[
            "missing_day: no run on day 31 in February, April, June, September and November, as they are shorter",
        ],
    ),
    (
        "0 0 30 * *",
        &["missing_day: no run on day 30 in February, as it is shorter"],
    ),
    (
        "0 0 29 2 *",
        &["leap_day: 29 February exists in leap years only; the next is 2028-02-29"],
    ),
    (
        "0 0 29 * *",
        &["missing_day: no run on day 29 in February except in leap years"],
    ),
    ("0 0 28-31 * *", &[]),
    ("0 0 31 1,3 *", &[]),
    (
        "0 0 15,31 * *",
        &[
            "missing_day: no run on day 31 in February, April, June, September and November, as they are shorter",
        ],
    ),
    (
        "0 0 30 2,3 *",
        &["missing_day: no run on day 30 in February, as it is shorter"],
    ),
    (
        "0 0 1 * 1",
        &[
            "day_or_weekday: this runs on day 1 of the month and also on Monday: cron joins day of month and day of week with OR unless one of them begins with *",
        ],
    ),
    (
        "0 0 */2 * 1",
        &[
            "day_and_weekday: this runs on days 1, 3 … 31 of the month only if it is Monday: cron joins day of month and day of week with AND when one of them begins with *",
        ],
    ),
    ("0 0 1-31 * FRI", &[]),
    (
        "0 0 * * FRI#5",
        &[
            "missing_day: not every month has a 5th Friday; 5L is the last one of the month",
            BEYOND,
        ],
    ),
    (
        "*/7 * * * *",
        &[
            "uneven_steps: the steps begin anew each hour: from minute 56 to minute 0 it is 4 minutes, not 7",
        ],
    ),
    ("*/7 2 * * *", &[]),
    (
        "*/45 * * * *",
        &[
            "uneven_steps: the steps begin anew each hour: from minute 45 to minute 0 it is 15 minutes, not 45",
        ],
    ),
    (
        "0 */5 * * *",
        &[
            "uneven_steps: the steps begin anew each day: from hour 20 to hour 0 it is 4 hours, not 5",
        ],
    ),
    ("0 */5 * * 1", &[]),
    (
        "0 0 */2 * *",
        &["uneven_steps: the steps begin anew each month: from day 31 to day 1 it is 1 day, not 2"],
    ),
    (
        "0 0 1 */5 *",
        &[
            "uneven_steps: the steps begin anew each year: from month 11 to month 1 it is 2 months, not 5",
        ],
    ),
    ("5,50 * * * *", &[]),
    ("0 0 L * *", &[BEYOND]),
    ("0 0 31,L * *", &[BEYOND]),
    ("5/15 * * * *", &[BEYOND]),
    ("5-50/15 * * * *", &[]),
    ("*/15 * * * *", &[]),
    ("0 9-17/2 * * *", &[]),
];

pub(crate) const CALENDAR_EXPRESSIONS: Expressions = &[
    (
        "*-*-31 2:30",
        &[
            "missing_day: no run on day 31 in February, April, June, September and November, as they are shorter; *-*~1 is the last day of every month",
        ],
    ),
    (
        "*-2-29",
        &["leap_day: 29 February exists in leap years only; the next is 2028-02-29"],
    ),
    ("*-*~1", &[]),
    (
        "*:0/7",
        &[
            "uneven_steps: the steps begin anew each hour: from minute 56 to minute 0 it is 4 minutes, not 7",
        ],
    ),
    ("Mon *-*-1..7", &[]),
    (
        "0/5:00\n*-*-31 2:30",
        &[
            "uneven_steps: the steps begin anew each day: from hour 20 to hour 0 it is 4 hours, not 5",
            "missing_day: no run on day 31 in February, April, June, September and November, as they are shorter; *-*~1 is the last day of every month",
        ],
    ),
    ("*:*:0/7", &[]),
];
