//! Errors point at the place and say what would be right.

use nightbeat_calendar::{Cron, OnCalendar, Schedule, Zone};

#[test]
fn a_slip_in_a_cron_expression_is_named_and_placed() {
    for &(expression, message) in CRON {
        let error = Cron::parse(expression, &Zone::utc()).unwrap_err();
        assert_eq!(error.to_string(), message, "{expression:?}");
        let accepted = |it: &str| Schedule::cron(it, "UTC").is_ok();
        assert!(error.suggestion().is_none_or(accepted), "{expression:?}");
    }
}

#[test]
fn a_slip_in_a_calendar_event_is_named_and_placed() {
    for &(expression, message) in CALENDAR {
        let error = OnCalendar::parse(expression, &Zone::utc()).unwrap_err();
        assert_eq!(error.to_string(), message, "{expression:?}");
        let accepted = |it: &str| Schedule::on_calendar(it, "UTC").is_ok();
        assert!(error.suggestion().is_none_or(accepted), "{expression:?}");
    }
}

#[test]
fn a_schedule_in_json_says_which_key_is_wrong() {
    for &(json, message) in JSON {
        let error = serde_json::from_str::<Schedule>(json).unwrap_err();
        assert_eq!(error.to_string(), message, "{json}");
    }
}

#[test]
fn an_error_draws_carets_under_the_wrong_part() {
    let error = Cron::parse("0 24 * * *", &Zone::utc()).unwrap_err();
    let drawn = "0 24 * * *\n  ^^\nhour 24: 0 to 23; did you mean \"0 0 * * *\"?";
    assert_eq!(error.pointed(), drawn);
    assert_eq!((error.column(), error.place()), (3, 2..4));
    // Columns count characters, places bytes, and line breaks do not break the drawing.
    let error = OnCalendar::parse("daily\r\n25:00", &Zone::utc()).unwrap_err();
    assert!(error.pointed().starts_with("daily  25:00\n     ^\n"));
}

const CRON: &[(&str, &str)] = &[
    (
        "0 24 * * *",
        r#"hour 24: 0 to 23 (column 3); did you mean "0 0 * * *"?"#,
    ),
    (
        "60 * * * *",
        r#"minute 60: 0 to 59 (column 1); did you mean "0 * * * *"?"#,
    ),
    (
        "0 0 2 * * *",
        r#"6 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 11); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * * *",
        r#"6 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 11); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * * root",
        r#"6 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 11); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * * /bin/backup.sh --all",
        r#"7 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 11); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 0 12 ? * MON-FRI",
        r#"6 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 12); did you mean "0 12 * * MON-FRI"?"#,
    ),
    (
        "0 0 12 ? * MON-FRI 2026",
        r#"7 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 12); did you mean "0 12 * * MON-FRI"?"#,
    ),
    (
        "@reboot",
        "@reboot is the start of the machine, not a time: there is no instant to wait for (column 1)",
    ),
    (
        "@Daily",
        r#""@Daily" is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually (column 1); did you mean "@daily"?"#,
    ),
    (
        "@every 5m",
        r#""@every" is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually (column 1); did you mean "*/5 * * * *"?"#,
    ),
    (
        "2am",
        r#"1 field: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "0 2 * * *"?"#,
    ),
    (
        "2:30 pm",
        r#"2 fields: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "30 14 * * *"?"#,
    ),
    (
        "daily at 02:30",
        r#"3 fields: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "30 2 * * *"?"#,
    ),
    (
        "0 2 * * *\r",
        r#"a carriage return (a Windows line end) is in the way (column 10); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * *\r\n",
        r#"a carriage return (a Windows line end) is in the way (column 10); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * *\n",
        r#"a line break: a cron expression is one line (column 10); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * * %",
        r#"% stands for a line break in a crontab's command, never in its times (column 11); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * MONDAY",
        r#"day of week "MONDAY": 0 to 7 or SUN to SAT (column 9); did you mean "0 2 * * MON"?"#,
    ),
    (
        "0 2 * JANUARY MON-Friday",
        r#"month "JANUARY": 1 to 12 or JAN to DEC (column 7); did you mean "0 2 * JAN MON-FRI"?"#,
    ),
    (
        "0 22-4 * * *",
        r#"hour 22-4: a range goes from the smaller to the greater value (column 3); did you mean "0 22-23,0-4 * * *"?"#,
    ),
    (
        "0 2 * * FRI-MON",
        r#"day of week FRI-MON: a range goes from the smaller to the greater value (column 9); did you mean "0 2 * * FRI-SAT,SUN-MON"?"#,
    ),
    (
        "*/5",
        r#"1 field: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "*/5 * * * *"?"#,
    ),
    (
        "30 2",
        r#"2 fields: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "30 2 * * *"?"#,
    ),
    ("", "the expression is empty (column 1)"),
    (
        "every 15 minutes",
        r#"3 fields: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "*/15 * * * *"?"#,
    ),
    (
        "0 1, 13 * * *",
        r#"6 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 13); did you mean "0 1,13 * * *"?"#,
    ),
    (
        "0 0 31 2 *",
        r#""31 2 *" names no day that exists (column 5)"#,
    ),
    (
        "0 0 30 2 *",
        r#""30 2 *" names no day that exists (column 5)"#,
    ),
    (
        "0 2 * * 8",
        "day of week 8: 0 to 7 or SUN to SAT (column 9)",
    ),
    ("0 2 0 * *", "day of month 0: 1 to 31 (column 5)"),
    ("*/0 * * * *", "a step of 0: 1 or more (column 3)"),
    ("5* * * * *", r#"minute: "*" is left over (column 2)"#),
    (
        "0 0 * * 5#6",
        r#""6" after #: 1 to 5, which of them in the month (column 11)"#,
    ),
    (
        "0 0 * * MONL",
        r#"day of week "MONL": 0 to 7 or SUN to SAT (column 9); did you mean "0 0 * * 1L"?"#,
    ),
    (
        "0 2–4 * * *",
        r#"a dash that is not a plain hyphen is in the way (column 4); did you mean "0 2-4 * * *"?"#,
    ),
    (
        "\"0 2 * * *\"",
        r#"a quotation mark is in the way (column 1); did you mean "0 2 * * *"?"#,
    ),
    ("0 0 1W * *", r#"day of month: "W" is left over (column 6)"#),
    (
        "H 2 * * *",
        r#"H is Jenkins's hash of the job's name; cron wants a number (column 1); did you mean "0 2 * * *"?"#,
    ),
    (
        "H/15 2 * * *",
        r#"H is Jenkins's hash of the job's name; cron wants a number (column 1); did you mean "*/15 2 * * *"?"#,
    ),
    (
        "CRON_TZ=Europe/Berlin 0 2 * * *",
        r#"a setting of the crontab, not a part of the expression: give the time zone beside it (column 1); did you mean "0 2 * * *"?"#,
    ),
    (
        "Mon..Fri 02:00",
        "this looks like a systemd calendar event: a cron expression has five fields (minute, hour, day of month, month, day of week) (column 1)",
    ),
    (
        "14 30 * * *",
        r#"hour 30: 0 to 23 (column 4); did you mean "30 14 * * *"?"#,
    ),
    ("0 25 * * *", "hour 25: 0 to 23 (column 3)"),
    (
        "0 2am * * *",
        r#"hour: "am" is left over (column 4); did you mean "0 2 * * *"?"#,
    ),
    (
        "0 2 * * weekdays",
        r#"day of week "weekdays": 0 to 7 or SUN to SAT (column 9); did you mean "0 2 * * MON-FRI"?"#,
    ),
    (
        "15 minutes",
        r#"2 fields: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "*/15 * * * *"?"#,
    ),
    (
        "1,,2 * * * *",
        "minute: a value is missing at the comma (column 3)",
    ),
    ("a b c d e", r#"minute "a": 0 to 59 (column 1)"#),
    (
        "# 0 2 * * *",
        "a # begins a comment in a crontab (column 1)",
    ),
    (
        "0 2 * * *  # nightly",
        r#"7 fields: cron has five and knows neither seconds nor years; a command does not belong here (column 12); did you mean "0 2 * * *"?"#,
    ),
    ("- * * * *", r#"minute "-": 0 to 59 (column 1)"#),
    (
        "nightly",
        r#"1 field: a cron expression has five (minute, hour, day of month, month, day of week) (column 1); did you mean "@daily"?"#,
    ),
];

const CALENDAR: &[(&str, &str)] = &[
    (
        "2am",
        r#""am" is left over after the date (column 2); did you mean "02:00"?"#,
    ),
    (
        "Mon 2am",
        r#""am" is left over after the date (column 6); did you mean "Mon 02:00"?"#,
    ),
    (
        "24:00",
        r#"hour 24: 0 to 23 (column 1); did you mean "00:00"?"#,
    ),
    (
        "Mon..Fri 24:00",
        r#"hour 24: 0 to 23 (column 10); did you mean "Mon..Fri 00:00"?"#,
    ),
    (
        "0 2 * * *",
        "this looks like cron: a calendar event is [weekdays] [date] [time] [zone] (column 1)",
    ),
    (
        "*/15",
        r#""/15" is left over after the date (column 2); did you mean "*:0/15"?"#,
    ),
    (
        "*-*-* 12",
        r#"a time needs minutes: hour:minute, such as 02:00 (column 9); did you mean "*-*-* 12:00"?"#,
    ),
    (
        "Fri..Mon 02:00",
        r#"a range of weekdays goes from Monday towards Sunday (column 6); did you mean "Fri..Sun,Mon 02:00"?"#,
    ),
    (
        "Tues 02:00",
        r#""Tues" is not a weekday: Mon to Sun, or Monday to Sunday (column 1); did you mean "Tue 02:00"?"#,
    ),
    (
        "Mon 02:00 europe/madrid",
        r#"there is no time zone "europe/madrid" (column 11); did you mean "Mon 02:00 Europe/Madrid"?"#,
    ),
    (
        "Mon 02:00 Europe/Madird",
        r#"there is no time zone "Europe/Madird" (column 11); did you mean "Mon 02:00 Europe/Madrid"?"#,
    ),
    (
        "Mon 02:00 CEST",
        r#"there is no time zone "CEST"; names look like Europe/Madrid or UTC (column 11)"#,
    ),
    (
        "Sun..Mon 2:00",
        r#"a range of weekdays goes from Monday towards Sunday (column 6); did you mean "Sun,Mon 2:00"?"#,
    ),
    (
        "Mon, Tue 2:00",
        r#""Tue" is not a number (column 6); did you mean "Mon,Tue 2:00"?"#,
    ),
    (
        "*:*/5",
        r#""/5" is left over after the time (column 4); did you mean "*:0/5"?"#,
    ),
    (
        "*-*-*/2 2:00",
        r#""/2 2:00" is left over after the date (column 6); did you mean "*-*-1/2 2:00"?"#,
    ),
    (
        "*-*-L 2:00",
        r#""L" is not a number (column 5); did you mean "*-*~1 2:00"?"#,
    ),
    (
        "@reboot",
        "@reboot is the start of the machine, not a time: there is no instant to wait for (column 1)",
    ),
    (
        "02:00 UTC+1",
        r#"there is no time zone "UTC+1"; names look like Europe/Madrid or UTC (column 7)"#,
    ),
    ("", "the expression is empty (column 1)"),
    (
        "daily ",
        r#"a blank at the end (column 6); did you mean "daily"?"#,
    ),
    (
        "daily\n",
        r#"a line is empty (column 7); did you mean "daily"?"#,
    ),
    (
        "daily\r\nhourly",
        r#"a carriage return (a Windows line end) is in the way (column 6); did you mean "daily\nhourly"?"#,
    ),
    (
        "daily\r\nMon 02:00\r\n",
        r#"a carriage return (a Windows line end) is in the way (column 6); did you mean "daily\nMon 02:00"?"#,
    ),
    (
        "FRI#2 02:00",
        r#"a blank is missing after the weekdays (column 4); did you mean "Fri *-*-8..14 02:00"?"#,
    ),
    (
        "OnCalendar=daily",
        r#"only what follows OnCalendar= belongs here (column 1); did you mean "daily"?"#,
    ),
    (
        "@daily",
        r#"@ begins a Unix time in seconds; a number is missing (column 1); did you mean "daily"?"#,
    ),
    (
        "midnight",
        r#""midnight" is not a weekday: Mon to Sun, or Monday to Sunday (column 1); did you mean "daily"?"#,
    ),
    ("*-02-30", "this never fires from 2000 on (column 1)"),
    ("1999-1-1", "this never fires from 2000 on (column 1)"),
    ("*:60", "minute 60: 0 to 59 (column 3)"),
    ("25:00", "hour 25: 0 to 23 (column 1)"),
    ("*-13-01", "month 13: 1 to 12 (column 3)"),
    ("*-*-32", "day 32: 1 to 31 (column 5)"),
    (
        "*-*~29",
        "day from the end of the month 29: 1 to 28 (column 5)",
    ),
    (
        "*:5/55",
        "minute 5/55: the repetition does not fit in 0 to 59 (column 3)",
    ),
    (
        "Mon 02:00 Madrid",
        r#"there is no time zone "Madrid" (column 11); did you mean "Mon 02:00 Europe/Madrid"?"#,
    ),
    (
        "Mon 02:00 america/new york",
        r#"" america/new york" is left over after the time (column 10)"#,
    ),
    (
        "every 15 minutes",
        r#""every" is not a weekday: Mon to Sun, or Monday to Sunday (column 1); did you mean "*:0/15"?"#,
    ),
    (
        "Mon,Wednesdy 3:00",
        r#""Wednesdy" is not a weekday: Mon to Sun, or Monday to Sunday (column 5); did you mean "Mon,Wed 3:00"?"#,
    ),
    ("12:00:61", "second 61: 0 to 59.999999 (column 7)"),
    (
        "2..1:00",
        "hour 2..1: a range goes from the smaller to the greater value (column 1)",
    ),
    ("Mon...Fri 2:00", "a weekday is missing (column 6)"),
    ("9-17:00", r#"":00" is left over after the date (column 5)"#),
    ("*-*-1,,2", "a number is missing (column 7)"),
    (
        "tomorrow",
        r#""tomorrow" is not a weekday: Mon to Sun, or Monday to Sunday (column 1)"#,
    ),
    (
        "Mon 2:00 AM",
        r#"" AM" is left over after the time (column 9); did you mean "Mon 02:00"?"#,
    ),
];

const JSON: &[(&str, &str)] = &[
    (
        r#"{"cron":"0 24 * * *"}"#,
        r#"cron: hour 24: 0 to 23 (column 3); did you mean "0 0 * * *"?"#,
    ),
    (
        r#"{"cron":"0 2 * * *","timezone":"Europe/madrid"}"#,
        r#"timezone: there is no time zone "Europe/madrid"; did you mean "Europe/Madrid"?"#,
    ),
    // The zone Etc/GMT+1 lies west of Greenwich; who writes GMT+1 means east.
    (
        r#"{"cron":"0 2 * * *","timezone":"GMT+1"}"#,
        r#"timezone: there is no time zone "GMT+1"; names look like Europe/Madrid or UTC"#,
    ),
    (
        r#"{"cron":"0 2 * * *","calendar":"daily"}"#,
        r#"a schedule has exactly one of "every", "cron" and "calendar""#,
    ),
    (
        "{}",
        r#"a schedule has exactly one of "every", "cron" and "calendar""#,
    ),
    (
        r#"{"every":0}"#,
        "every: an interval of 0 seconds is outside 1 second to 10 years (315360000 seconds)",
    ),
    (
        r#"{"evry":5}"#,
        "unknown field `evry`, expected one of `every`, `cron`, `calendar`, `timezone` at line 1 column 7",
    ),
    (
        r#"{"every":5,"timezone":"UTC"}"#,
        r#"an interval has no time zone: remove "timezone""#,
    ),
    (
        r#"{"timezone":"UTC"}"#,
        r#"a schedule has exactly one of "every", "cron" and "calendar""#,
    ),
    (
        "5",
        r#"invalid type: integer `5`, expected a schedule like {"every": 3600} at line 1 column 1"#,
    ),
    (
        r#"{"cron":5}"#,
        "invalid type: integer `5`, expected a string at line 1 column 9",
    ),
];
