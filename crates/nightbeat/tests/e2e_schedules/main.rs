//! Schedules by the wall clock, end to end: the binary, its database, and a clock that stands where a test
//! puts it. Every instant is written down, as crontab(5), cron(8) and systemd.time(7) give it; none is
//! computed by the code under test.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod clock_changes;
mod edits;
mod story;
mod zone_rules;
