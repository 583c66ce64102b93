//! The days of a month on which a schedule runs, as bit masks: bit d is day d, bit 0 is unused.

/// The days of one month, from its length and the weekday it begins with.
#[derive(Debug, Clone)]
pub(crate) enum Days {
    /// cron: two fields, of which both or one must match.
    Cron(CronDays),
    /// systemd: a date that must also be one of the weekdays.
    Calendar(CalendarDays),
}

/// The day-of-month and day-of-week fields of a cron expression.
#[derive(Debug, Clone, Default)]
pub(crate) struct CronDays {
    /// Bit d: day d.
    pub(crate) days: u32,
    /// `L`: the last day of the month.
    pub(crate) last: bool,
    /// `LW`: the last day of the month that is Monday to Friday.
    pub(crate) last_workday: bool,
    /// Bit w: every weekday w of the month, Sunday = 0.
    pub(crate) weekdays: u8,
    /// `nth[w]` bit n: the n-th weekday w of the month (`FRI#2`), n = 1 to 5; bit 0: the last (`5L`).
    pub(crate) nth: [u8; 7],
    /// Both fields must match; else one is enough.
    pub(crate) both: bool,
}

/// The date part of a calendar event.
#[derive(Debug, Clone)]
pub(crate) struct CalendarDays {
    /// The days of months of 28, 29, 30 and 31 days: `~` counts from the end, so they differ.
    pub(crate) days: [u32; 4],
    /// Bit w: weekday w, Sunday = 0.
    pub(crate) weekdays: u8,
}

impl Days {
    /// The days of a month of `length` days that begins with weekday `first` (Sunday = 0).
    pub(crate) fn in_month(&self, length: u32, first: u32) -> u32 {
        match self {
            Self::Cron(days) => days.in_month(length, first),
            Self::Calendar(days) => {
                days.days[length as usize - 28] & every(days.weekdays, first) & all(length)
            }
        }
    }
}

impl CronDays {
    fn in_month(&self, length: u32, first: u32) -> u32 {
        let by_date = self.by_date(length, first);
        let by_weekday = self.by_weekday(length, first);
        let days = if self.both {
            by_date & by_weekday
        } else {
            by_date | by_weekday
        };
        days & all(length)
    }

    fn by_date(&self, length: u32, first: u32) -> u32 {
        let mut days = self.days;
        if self.last {
            days |= 1 << length;
        }
        if self.last_workday {
            let back = match (first + length - 1) % 7 {
                0 => 2,
                6 => 1,
                _ => 0,
            };
            days |= 1 << (length - back);
        }
        days
    }

    fn by_weekday(&self, length: u32, first: u32) -> u32 {
        let mut days = every(self.weekdays, first);
        for (weekday, nth) in (0..).zip(self.nth) {
            if nth == 0 {
                continue;
            }
            let all_of_it = every(1 << weekday, first);
            for n in 1..=5 {
                if nth >> n & 1 == 1 {
                    days |= all_of_it & week(n);
                }
            }
            if nth & 1 == 1 {
                days |= all_of_it & !all(length - 7);
            }
        }
        days
    }
}

/// All days of the month that are one of `weekdays`, when day 1 is weekday `first`.
fn every(weekdays: u8, first: u32) -> u32 {
    /// Days 1, 8, 15, 22 and 29.
    const WEEKLY: u32 = 1 << 1 | 1 << 8 | 1 << 15 | 1 << 22 | 1 << 29;
    if weekdays & 0x7f == 0x7f {
        return all(31);
    }
    (0..7)
        .filter(|weekday| weekdays >> weekday & 1 == 1)
        .fold(0, |days, weekday| {
            days | WEEKLY << ((weekday + 7 - first) % 7)
        })
}

/// Days 1 to `length`, which is at most 31.
fn all(length: u32) -> u32 {
    (u32::MAX >> (31 - length)) & !1
}

/// Days `7n - 6` to `7n`.
fn week(n: u32) -> u32 {
    0b1111_1110_u32.checked_shl(7 * (n - 1)).unwrap_or(0)
}
