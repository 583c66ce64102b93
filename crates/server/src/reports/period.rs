//! When reports are due, by the calendar and the clocks of a person's time zone. Pure: time is an argument.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};
use nightbeat_domain::UnixMicros;
use nightbeat_store::control::figures::Period;
use nightbeat_store::control::reports::Rhythm;

/// How far back a report looks at most, a season: what was not told for longer is not told any more.
const TOLD_MAX: Duration = Duration::from_secs(92 * 86_400);

/// When reports are due: at an hour of each day, each Monday or each first of the month. Where the clocks skip
/// that hour, it is due as they have gone on; where they repeat it, the first time.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    rhythm: Rhythm,
    hour: i8,
    zone: TimeZone,
}

impl Timetable {
    /// `hour` is 0 to 23; a zone that is not known, or none, is UTC.
    pub(crate) fn new(rhythm: Rhythm, hour: u8, zone: Option<&str>) -> Self {
        Self {
            rhythm,
            hour: i8::try_from(hour.min(23)).unwrap_or(0),
            zone: zone_named(zone),
        }
    }

    /// The first instant after `now` at which a report is due.
    pub(crate) fn next_after(&self, now: UnixMicros) -> UnixMicros {
        let later = self.near(now).into_iter().filter(|due| *due > now);
        // Only at the end of the years that the calendar knows there is none.
        later.min().unwrap_or(UnixMicros::MAX)
    }

    /// What the report tells of that is due at `now`: up to the last instant at which one was due, from the end
    /// of what was told before (`told_until`), or one period. `None`: that is told already.
    pub(crate) fn due(&self, told_until: Option<UnixMicros>, now: UnixMicros) -> Option<Period> {
        let to = self.last_until(now)?;
        if told_until.is_some_and(|told| told >= to) {
            return None;
        }
        let from = match told_until {
            Some(told) => told,
            None => self.last_until(UnixMicros(to.0 - 1))?,
        };
        Some(Period {
            from: from.max(to - TOLD_MAX),
            to,
        })
    }

    /// As long a time as a report tells of, until `now`.
    pub(crate) fn just_now(&self, now: UnixMicros) -> Period {
        let local = now.timestamp().to_zoned(self.zone.clone());
        let from = local.checked_sub(self.step(1));
        Period {
            from: from.map_or(now, |from| from.timestamp().into()),
            to: now,
        }
    }

    /// The last instant until `now`, that included, at which a report was due.
    fn last_until(&self, now: UnixMicros) -> Option<UnixMicros> {
        let past = self.near(now).into_iter().filter(|due| *due <= now);
        past.max()
    }

    /// The instants around `now` at which one is due.
    fn near(&self, now: UnixMicros) -> Vec<UnixMicros> {
        let today = now.timestamp().to_zoned(self.zone.clone()).date();
        let Some(day) = self.day_until(today) else {
            return Vec::new();
        };
        // One to each side would do, but for days that a zone skips or hours beyond midnight.
        let days = (-2..=2).filter_map(|steps| day.checked_add(self.step(steps)).ok());
        days.filter_map(|day| self.on(day)).collect()
    }

    /// The last day until `today` on which one is due.
    fn day_until(&self, today: Date) -> Option<Date> {
        match self.rhythm {
            Rhythm::Daily => Some(today),
            Rhythm::Weekly => {
                let since_monday = i64::from(today.weekday().to_monday_zero_offset());
                today.checked_sub(since_monday.days()).ok()
            }
            Rhythm::Monthly => Some(today.first_of_month()),
        }
    }

    /// The length of so many periods.
    fn step(&self, periods: i64) -> Span {
        match self.rhythm {
            Rhythm::Daily => periods.days(),
            Rhythm::Weekly => periods.weeks(),
            Rhythm::Monthly => periods.months(),
        }
    }

    fn on(&self, day: Date) -> Option<UnixMicros> {
        let due = day
            .at(self.hour, 0, 0, 0)
            .to_zoned(self.zone.clone())
            .ok()?;
        Some(due.timestamp().into())
    }
}

/// The zone of that IANA name; UTC where there is none.
pub(crate) fn zone_named(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMicros {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn shown(at: UnixMicros) -> String {
        at.to_string()
    }

    fn told(period: Option<Period>) -> (String, String) {
        let period = period.unwrap();
        (shown(period.from), shown(period.to))
    }

    fn from_to(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn each_rhythm_is_due_by_the_clocks_of_the_zone() {
        for (rhythm, zone, now, next) in [
            // 08:00 in Berlin is 07:00 UTC in winter.
            (
                Rhythm::Daily,
                Some("Europe/Berlin"),
                "2026-11-23T06:59:59Z",
                "2026-11-23T07:00:00Z",
            ),
            (
                Rhythm::Daily,
                Some("Europe/Berlin"),
                "2026-11-23T07:00:00Z",
                "2026-11-24T07:00:00Z",
            ),
            (
                Rhythm::Daily,
                None,
                "2026-11-23T07:00:00Z",
                "2026-11-23T08:00:00Z",
            ),
            // Another day there than in UTC.
            (
                Rhythm::Daily,
                Some("Pacific/Auckland"),
                "2026-11-22T20:00:00Z",
                "2026-11-23T19:00:00Z",
            ),
            // 2026-11-23 is a Monday.
            (
                Rhythm::Weekly,
                Some("Europe/Berlin"),
                "2026-11-22T23:00:00Z",
                "2026-11-23T07:00:00Z",
            ),
            (
                Rhythm::Weekly,
                Some("Europe/Berlin"),
                "2026-11-23T07:00:00Z",
                "2026-11-30T07:00:00Z",
            ),
            (
                Rhythm::Monthly,
                Some("Europe/Berlin"),
                "2026-11-23T07:00:00Z",
                "2026-12-01T07:00:00Z",
            ),
            (
                Rhythm::Monthly,
                Some("Europe/Berlin"),
                "2026-12-31T23:30:00Z",
                "2027-01-01T07:00:00Z",
            ),
        ] {
            let timetable = Timetable::new(rhythm, 8, zone);
            assert_eq!(
                shown(timetable.next_after(at(now))),
                next,
                "{rhythm:?} {zone:?} {now}"
            );
        }
    }

    #[test]
    fn days_are_as_long_as_the_clocks_make_them() {
        let berlin = Timetable::new(Rhythm::Daily, 8, Some("Europe/Berlin"));
        // The clocks went back on 2026-10-25, and go on 2027-03-28.
        let long = berlin.due(None, at("2026-10-25T07:00:00Z"));
        assert_eq!(
            told(long),
            from_to("2026-10-24T06:00:00Z", "2026-10-25T07:00:00Z")
        );
        let short = berlin.due(None, at("2027-03-28T06:30:00Z"));
        assert_eq!(
            told(short),
            from_to("2027-03-27T07:00:00Z", "2027-03-28T06:00:00Z")
        );
    }

    #[test]
    fn an_hour_that_is_skipped_or_repeated_is_due_once() {
        let berlin = Timetable::new(Rhythm::Daily, 2, Some("Europe/Berlin"));
        let mut now = at("2027-03-27T02:00:00Z");
        let mut due = Vec::new();
        for _ in 0..3 {
            now = berlin.next_after(now);
            due.push(shown(now));
        }
        // 02:00 CET, then 03:00 CEST in place of 02:00, then 02:00 CEST.
        let expected = [
            "2027-03-28T01:00:00Z",
            "2027-03-29T00:00:00Z",
            "2027-03-30T00:00:00Z",
        ];
        assert_eq!(due, expected);
        let repeated = berlin.next_after(at("2026-10-24T12:00:00Z"));
        assert_eq!(shown(repeated), "2026-10-25T00:00:00Z");
        assert_eq!(shown(berlin.next_after(repeated)), "2026-10-26T01:00:00Z");
    }

    #[test]
    fn after_an_outage_one_report_tells_all_of_it() {
        let daily = Timetable::new(Rhythm::Daily, 8, None);
        let told_until = Some(at("2026-11-20T08:00:00Z"));
        let late = daily.due(told_until, at("2026-11-23T15:20:00Z"));
        assert_eq!(
            told(late),
            from_to("2026-11-20T08:00:00Z", "2026-11-23T08:00:00Z")
        );
        assert_eq!(
            daily.due(late.map(|period| period.to), at("2026-11-23T15:20:00Z")),
            None
        );
        // But not more than a season.
        let long_ago = Some(at("2020-01-01T08:00:00Z"));
        let late = daily.due(long_ago, at("2026-11-23T15:20:00Z"));
        assert_eq!(
            told(late),
            from_to("2026-08-23T08:00:00Z", "2026-11-23T08:00:00Z")
        );
    }

    #[test]
    fn what_is_told_already_is_not_due() {
        let daily = Timetable::new(Rhythm::Daily, 8, None);
        let now = at("2026-11-23T08:00:00Z");
        assert_eq!(daily.due(Some(now), now), None);
        // The person has moved: their last report told more than the last one of here would.
        assert_eq!(daily.due(Some(at("2026-11-23T09:00:00Z")), now), None);
    }

    #[test]
    fn a_report_by_hand_tells_one_period_until_now() {
        let now = at("2026-03-31T10:00:00Z");
        for (rhythm, from) in [
            (Rhythm::Daily, "2026-03-30T10:00:00Z"),
            (Rhythm::Weekly, "2026-03-24T10:00:00Z"),
            (Rhythm::Monthly, "2026-02-28T10:00:00Z"),
        ] {
            let period = Timetable::new(rhythm, 8, None).just_now(now);
            assert_eq!((shown(period.from), period.to), (from.to_owned(), now));
        }
    }

    #[test]
    fn every_instant_has_a_report_before_and_after_it_in_every_zone() {
        for zone in [
            "Pacific/Apia",
            "Australia/Lord_Howe",
            "America/St_Johns",
            "Africa/Casablanca",
        ] {
            for rhythm in [Rhythm::Daily, Rhythm::Weekly, Rhythm::Monthly] {
                for hour in [0, 2, 23] {
                    let timetable = Timetable::new(rhythm, hour, Some(zone));
                    let mut now = at("2011-11-01T00:00:00Z");
                    let mut told_until = None;
                    for _ in 0..120 {
                        let next = timetable.next_after(now);
                        let period = timetable.due(told_until, next).unwrap();
                        assert_eq!(period.to, next, "{zone} {rhythm:?} {hour}");
                        assert!(period.from < period.to);
                        assert!(told_until.is_none_or(|told| told == period.from));
                        told_until = Some(period.to);
                        now = next;
                    }
                }
            }
        }
    }
}
