//! What changes of the clocks do to a schedule, in words.
//!
//! Nothing here knows how cron or systemd treat a change: the wall times that the expression names around
//! it (the *naive* times) are compared with the instants that the schedule really gives.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
};

use crate::{
    Note, NoteKind, Preview, Zone, english,
    pattern::Wall,
    walk::{Jump, Jumps, Line},
};

/// Most changes of one zone that are looked at: those of 150 years.
const CHANGES_MAX: usize = 300;
/// Up to this many times are named one by one; of more, the first two and the last.
const TIMES_NAMED_MAX: usize = 4;
/// Most distances in one change that are compared: those of a run each 10 seconds of an hour, and more.
const STEPS_COMPARED_MAX: usize = 400;
/// A distance of up to so many times what a change skips or repeats is looked at as a wait: the change
/// makes it longer or shorter by at least its half.
const FREQUENT_JUMPS_MAX: i32 = 2;

/// Notes about the changes from `from` to `until`, one each, the earliest first.
pub(crate) fn notes(lines: &[Line<'_>], from: Timestamp, until: Timestamp) -> Vec<Note> {
    let mut zones: Vec<&Zone> = lines.iter().map(|line| line.zone).collect();
    zones.sort_by_key(|zone| zone.name());
    zones.dedup();
    let mut found: Vec<(Timestamp, Note)> = zones
        .into_iter()
        .flat_map(|zone| Around::new(lines, zone, from).notes(from, until))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, note)| note).collect()
}

/// The lines of one zone.
struct Around<'a> {
    zone: &'a Zone,
    /// What gives the naive times.
    lines: Vec<Line<'a>>,
    /// The lines that have an instant at all. Those that only ever fall into gaps have none, and each
    /// search for one is long.
    running: Vec<Line<'a>>,
}

/// The naive times that one change skips or repeats; at least one.
struct Times {
    /// "02:00, 02:15, 02:30 and 02:45", or "02:00, 02:05 … 02:55".
    text: String,
    several: bool,
    last: Wall,
}

impl<'a> Around<'a> {
    fn new(lines: &[Line<'a>], zone: &'a Zone, from: Timestamp) -> Self {
        let lines = lines.iter().filter(|line| line.zone == zone).copied();
        let lines: Vec<Line<'a>> = lines.collect();
        let running = lines.iter().filter(|line| line.next_after(from).is_some());
        let running = running.copied().collect();
        Self {
            zone,
            lines,
            running,
        }
    }

    fn notes(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Note)> {
        let mut notes = Vec::new();
        // The first naive time after the start of a change: most changes concern none.
        let mut upcoming: Option<Wall> = None;
        for jump in Jump::following(self.zone.rules(), from).take(CHANGES_MAX) {
            if jump.at > until || notes.len() == Preview::NOTES_MAX {
                break;
            }
            if upcoming.is_none_or(|wall| wall < jump.start()) {
                upcoming = self.named_from(jump.start());
            }
            let Some(first) = upcoming else { break };
            let told = if first >= jump.end() {
                self.wait(&jump, first)
            } else if jump.skips() {
                self.gap(&jump, first)
            } else {
                self.fold(&jump, first)
            };
            notes.extend(told.map(|(kind, text)| (jump.at, self.note(&jump, kind, &text))));
        }
        notes
    }

    /// No time is skipped or repeated; but clocks that go back lengthen the wait for the `next` one.
    fn wait(&self, jump: &Jump, next: Wall) -> Option<(NoteKind, String)> {
        let last = self.named_until(jump.before_start()?)?;
        if jump.skips() || !frequent(jump, between(last, next)) {
            return None;
        }
        let (from, to) = (self.last_before(jump.at)?, self.next_from(jump.at)?);
        Some((NoteKind::LongGap, self.long_gap(from, to)))
    }

    /// The times from `first` on are skipped.
    fn gap(&self, jump: &Jump, first: Wall) -> Option<(NoteKind, String)> {
        let times = self.times(jump, first)?;
        let (missing, runs) = if times.several {
            (format!("{} do not exist", times.text), "these runs")
        } else {
            (format!("there is no {}", times.text), "this run")
        };
        let left_out = format!("{missing}, so {} leaves {runs} out", self.who());
        let Some(next) = self.next_from(jump.at) else {
            return Some((
                NoteKind::RunLeftOut,
                format!("{left_out}, and none follows"),
            ));
        };
        if !self.names(next) {
            let once = if times.several { "once " } else { "" };
            let at = clock(self.shown(next));
            let text = format!("this runs {once}at {at} instead of {}", times.text);
            return Some((NoteKind::RunMoved, text));
        }
        let last = self.last_before(jump.at);
        let distance = last.map(|last| next.duration_since(last));
        let usual = last.map(|last| between(self.wall(last), first));
        if let Some(distance) = distance.filter(|&it| Some(it) == usual && frequent(jump, it)) {
            let steady = self.steady(first, times.last, distance);
            let text = format!("{missing}, but {steady}");
            return Some((NoteKind::Steady, text));
        }
        let next = self.date_and_clock(next, jump);
        let text = format!("{left_out}; the next is at {next}");
        Some((NoteKind::RunLeftOut, text))
    }

    /// The times from `first` on are repeated.
    fn fold(&self, jump: &Jump, first: Wall) -> Option<(NoteKind, String)> {
        let times = self.times(jump, first)?;
        let twice = if times.several {
            format!("{} come twice", times.text)
        } else {
            format!("{} comes twice", times.text)
        };
        let last = self.last_before(jump.at)?;
        let usual = self.named_from(Wall::after(times.last.datetime()));
        let usual = usual.map(|next| between(times.last, next));
        let next = self.next_from(jump.at);
        let second_pass_ends = jump.at.checked_add(jump.length()).ok()?;
        if let Some(next) = next.filter(|&next| next < second_pass_ends) {
            let distance = next.duration_since(last);
            if Some(distance) == usual {
                let steady = self.steady(first, times.last, distance);
                let text = format!("{twice}, and {steady}");
                return Some((NoteKind::Steady, text));
            }
            return Some((
                NoteKind::RunTwice,
                format!("{twice}, and this runs both times"),
            ));
        }
        if let (Some(next), Some(usual)) = (next, usual)
            && frequent(jump, usual)
        {
            let long_gap = self.long_gap(last, next);
            let who = self.who();
            let text = format!("{twice} and {who} runs the first time only: {long_gap}");
            return Some((NoteKind::LongGap, text));
        }
        let text = format!("{twice}, and this runs the first time only");
        Some((NoteKind::RunOnce, text))
    }

    fn note(&self, jump: &Jump, kind: NoteKind, text: &str) -> Note {
        let (before, after) = jump.shown();
        let on = before.date().min(after.date());
        let (from, to) = (clock_on(before, on), clock_on(after, on));
        let go = if jump.skips() { "go" } else { "go back" };
        let zone = self.zone;
        Note {
            kind,
            on: Some(on),
            text: format!("on {on} the clocks in {zone} {go} from {from} to {to}: {text}"),
        }
    }

    /// "75 minutes without a run between 02:45 and 03:00".
    fn long_gap(&self, from: Timestamp, to: Timestamp) -> String {
        let length = length(to.duration_since(from));
        let (from, to) = (clock(self.shown(from)), clock(self.shown(to)));
        format!("{length} without a run between {from} and {to}")
    }

    /// "the distance between runs stays 15 minutes", where it is that before, between and after the naive
    /// times from `first` to `last`.
    fn steady(&self, first: Wall, last: Wall, distance: SignedDuration) -> String {
        let later = |&wall: &Wall| self.named_from(Wall::after(wall.datetime()));
        let walls: Vec<Wall> = std::iter::successors(Some(first), later)
            .take_while(|wall| *wall <= last)
            .take(STEPS_COMPARED_MAX)
            .collect();
        if walls
            .iter()
            .all(|wall| later(wall).is_none_or(|next| between(*wall, next) == distance))
        {
            format!("the distance between runs stays {}", length(distance))
        } else {
            "the distances between runs stay as they are".to_owned()
        }
    }

    fn who(&self) -> &'static str {
        let calendar = self.lines.iter().any(|line| line.jumps == Jumps::Calendar);
        if calendar { "systemd" } else { "cron" }
    }

    fn times(&self, jump: &Jump, first: Wall) -> Option<Times> {
        let last = self.named_until(jump.before_end()?)?;
        let later = |&wall: &Wall| self.named_from(Wall::after(wall.datetime()));
        let some: Vec<Wall> = std::iter::successors(Some(first), later)
            .take_while(|wall| *wall <= last)
            .take(TIMES_NAMED_MAX + 1)
            .collect();
        let shown = |wall: &Wall| clock(wall.datetime());
        let text = match &some[..] {
            [one, two, rest @ ..] if rest.len() + 2 > TIMES_NAMED_MAX => {
                format!("{}, {} … {}", shown(one), shown(two), shown(&last))
            }
            all => english::and(&all.iter().map(shown).collect::<Vec<_>>()),
        };
        Some(Times {
            text,
            several: first < last,
            last,
        })
    }

    /// The first naive time at or after `least`.
    fn named_from(&self, least: Wall) -> Option<Wall> {
        let found = self
            .lines
            .iter()
            .filter_map(|line| line.pattern.at_or_after(least));
        found.min()
    }

    /// The last naive time at or before `most`.
    fn named_until(&self, most: Wall) -> Option<Wall> {
        let found = self
            .lines
            .iter()
            .filter_map(|line| line.pattern.at_or_before(most));
        found.max()
    }

    /// Whether the wall shows a naive time then.
    fn names(&self, at: Timestamp) -> bool {
        let wall = self.wall(at);
        self.named_from(wall) == Some(wall)
    }

    /// The first instant at or after `at`.
    fn next_from(&self, at: Timestamp) -> Option<Timestamp> {
        let before = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        self.running
            .iter()
            .filter_map(|line| line.next_after(before))
            .min()
    }

    /// The last instant before `at`.
    fn last_before(&self, at: Timestamp) -> Option<Timestamp> {
        self.running
            .iter()
            .filter_map(|line| line.previous_before(at))
            .max()
    }

    fn shown(&self, at: Timestamp) -> DateTime {
        self.zone.rules().to_datetime(at)
    }

    fn wall(&self, at: Timestamp) -> Wall {
        Wall::floor(self.shown(at))
    }

    fn date_and_clock(&self, at: Timestamp, jump: &Jump) -> String {
        let (before, after) = jump.shown();
        clock_on(self.shown(at), before.date().min(after.date()))
    }
}

fn between(from: Wall, to: Wall) -> SignedDuration {
    to.datetime().duration_since(from.datetime())
}

/// Whether runs are so close together that a jump matters for the wait between two of them.
fn frequent(jump: &Jump, distance: SignedDuration) -> bool {
    distance <= jump.length() * FREQUENT_JUMPS_MAX
}

/// "02:30"; seconds only where there are some.
fn clock(time: DateTime) -> String {
    if time.second() == 0 && time.subsec_nanosecond() == 0 {
        time.strftime("%H:%M").to_string()
    } else {
        time.time().to_string()
    }
}

/// "02:30", or "02:30 on 2027-03-29" where that is another day.
fn clock_on(time: DateTime, today: Date) -> String {
    let clock = clock(time);
    if time.date() == today {
        clock
    } else {
        format!("{clock} on {}", time.date())
    }
}

/// "75 minutes", to the second; "0.5 seconds" for less than one.
fn length(distance: SignedDuration) -> String {
    match distance.as_secs() {
        0 => format!("{} seconds", distance.as_secs_f64()),
        seconds => english::length(seconds.unsigned_abs()),
    }
}
