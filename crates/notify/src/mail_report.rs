//! The text of a report: how a person's projects are, and what happened in them since the last one. The worst
//! first; what is fine in one line.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use nightbeat_domain::{Cause, ChannelId, Claim, HeartbeatId, ProjectId, Status, UnixMicros};

use crate::clean::clean_line;
use crate::payload::heartbeat_url;
use crate::render::cause;
use crate::text::{Link, Paragraph, Text};
use crate::words::{Clock, count, duration};

/// What a report tells.
#[derive(Debug, Clone)]
pub struct MailReport {
    /// `Daily`, `Weekly`, `Monthly`.
    pub rhythm: &'static str,
    /// Its reader asked for it; else it comes by itself.
    pub by_hand: bool,
    /// From when on it tells what happened.
    pub from: UnixMicros,
    /// Until when.
    pub to: UnixMicros,
    /// When it is written: how things are is told as of this instant.
    pub now: UnixMicros,
    /// In which zone instants are told.
    pub zone: TimeZone,
    /// Nightbeat's public URL, without a slash at its end.
    pub base_url: String,
    /// Where its reader ends such reports.
    pub unsubscribe: String,
    /// The projects, in any order.
    pub projects: Vec<ProjectReport>,
    /// How many further projects there are, which it does not tell of.
    pub more_projects: u64,
}

/// How a project is, and what happened in it.
#[derive(Debug, Clone)]
pub struct ProjectReport {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// How many of its heartbeats have which status.
    pub statuses: HashMap<Status, u64>,
    /// Heartbeats that need a person, the worst first; not all of them where there are many.
    pub troubles: Vec<Trouble>,
    /// How many incidents opened or ended in the period.
    pub incidents: u64,
    /// There were more: so many were looked at.
    pub incidents_cut: bool,
    /// They missed their time so often.
    pub missed: u64,
    /// The incidents by heartbeat, in any order.
    pub incidents_of: Vec<IncidentsOf>,
    /// How the runs ended that ended in the period.
    pub runs: RunCounts,
    /// How many heartbeats' runs were not counted, because there are too many.
    pub uncounted: u64,
    /// How many heartbeats never signalled.
    pub never: u64,
    /// The names of some of them.
    pub never_names: Vec<String>,
    /// Channels that do not work.
    pub channels: Vec<ChannelTrouble>,
}

/// A heartbeat that needs a person.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Its id, which is a secret.
    pub id: HeartbeatId,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Its status.
    pub status: Status,
    /// Since when, or when it was expected.
    pub since: Option<UnixMicros>,
    /// Why, where there is an incident.
    pub cause: Option<Cause>,
}

/// The incidents of one heartbeat that opened or ended in the period.
#[derive(Debug, Clone)]
pub struct IncidentsOf {
    /// Its id, which is a secret.
    pub id: HeartbeatId,
    /// Its name.
    pub name: String,
    /// Its slug; `None` where it was removed.
    pub slug: Option<String>,
    /// How many.
    pub count: u64,
    /// How long they took together, those that are open until now.
    pub total: Duration,
    /// What they were, each once.
    pub kinds: Vec<(Cause, Claim)>,
    /// One of them is open.
    pub open: bool,
}

/// How runs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Those that were fine.
    pub ok: u64,
    /// Those that ended with a warning.
    pub warning: u64,
    /// Those that failed.
    pub failed: u64,
}

/// A channel that does not work.
#[derive(Debug, Clone)]
pub struct ChannelTrouble {
    /// Its id.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// How many alerts were given up and are not dismissed.
    pub failing: u64,
    /// What the receiver said last.
    pub last_error: Option<String>,
}

/// How many heartbeats with incidents are told of one project; the rest is counted.
const INCIDENTS_TOLD_MAX: usize = 20;
/// Statuses that need a person, the worst first, and how a title tells them.
const BAD: [(Status, &str); 4] = [
    (Status::Down, "down"),
    (Status::Unverified, "unverified"),
    (Status::Warning, "with a warning"),
    (Status::Late, "late"),
];

impl MailReport {
    /// The report as a mail.
    pub fn text(&self) -> Text {
        let clock = Clock::in_zone(self.zone.clone());
        let mut projects: Vec<&ProjectReport> = self.projects.iter().collect();
        projects.sort_by_key(|project| project.urgency());
        let (fine, troubled): (Vec<&ProjectReport>, Vec<&ProjectReport>) =
            projects.into_iter().partition(|project| project.is_fine());
        let mut paragraphs = vec![Paragraph::Prose(self.lead(&clock, troubled.is_empty()))];
        for project in troubled {
            paragraphs.extend(project.paragraphs(self, &clock));
        }
        if !fine.is_empty() {
            let lines = fine.iter().map(|project| Link {
                text: project.fine_line(),
                url: project.url(&self.base_url),
            });
            paragraphs.push(Paragraph::Links(lines.collect()));
        }
        if self.more_projects > 0 {
            let more = count_of(self.more_projects, "more project");
            let text = format!("You are a member of {more}, which this report leaves out.");
            paragraphs.push(Paragraph::Prose(text));
        }
        paragraphs.extend(self.why());
        Text {
            title: self.title(),
            paragraphs,
            link: format!("{}/", self.base_url),
        }
    }

    /// `Daily report: 2 down, 1 late (Home, 14 jobs)`.
    fn title(&self) -> String {
        format!(
            "{} report: {} ({})",
            self.rhythm,
            self.verdict(),
            self.scope()
        )
    }

    fn verdict(&self) -> String {
        let bad: Vec<String> = BAD
            .iter()
            .map(|(status, word)| (self.sum(|project| project.with(*status)), word))
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        let channels = self.sum(|project| project.channels.len() as u64);
        let incidents = self.sum(|project| project.incidents);
        let jobs = if !bad.is_empty() {
            bad.join(", ")
        } else if self.sum(ProjectReport::total) == 0 {
            "there are no jobs yet".to_owned()
        } else if incidents > 0 {
            format!("all is well now, after {}", count_of(incidents, "incident"))
        } else if channels > 0 {
            "all jobs are fine".to_owned()
        } else {
            "everything is fine".to_owned()
        };
        match channels {
            0 => jobs,
            1 => format!("{jobs}; 1 channel fails"),
            channels => format!("{jobs}; {channels} channels fail"),
        }
    }

    fn scope(&self) -> String {
        let jobs = count_of(self.sum(ProjectReport::total), "job");
        match self.projects.as_slice() {
            [only] if self.more_projects == 0 => {
                format!("{}, {jobs}", clean_line(&only.name, None))
            }
            projects => format!("{}, {jobs}", count(projects.len(), "project")),
        }
    }

    fn lead(&self, clock: &Clock, all_fine: bool) -> String {
        let [now, from, to] = [self.now, self.from, self.to].map(|at| clock.instant(at));
        if self.projects.is_empty() {
            return "You are a member of no project.".to_owned();
        }
        let fine = if all_fine { "Everything is fine. " } else { "" };
        format!("{fine}How things are at {now}, and what happened from {from} to {to}.")
    }

    fn why(&self) -> [Paragraph; 2] {
        let why = match self.rhythm {
            _ if self.by_hand => "You have asked for this report.",
            "Daily" => "This report comes each day, as your profile says.",
            "Weekly" => "This report comes each week, as your profile says.",
            _ => "This report comes each month, as your profile says.",
        };
        let link = |text: &str, url: String| Link {
            text: text.to_owned(),
            url,
        };
        [
            Paragraph::Prose(why.to_owned()),
            Paragraph::Links(vec![
                link(
                    "Another day or hour",
                    format!("{}/profile/reports", self.base_url),
                ),
                link("No more reports", self.unsubscribe.clone()),
            ]),
        ]
    }

    fn sum(&self, of: impl Fn(&ProjectReport) -> u64) -> u64 {
        self.projects.iter().map(of).sum()
    }
}

impl ProjectReport {
    fn total(&self) -> u64 {
        self.statuses.values().sum()
    }

    fn with(&self, status: Status) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    fn is_fine(&self) -> bool {
        self.urgency() == Self::FINE
    }

    const FINE: usize = BAD.len() + 2;

    /// The lower, the sooner a person should look.
    fn urgency(&self) -> usize {
        let bad = BAD.iter().position(|(status, _)| self.with(*status) > 0);
        let happened =
            self.incidents > 0 || self.runs.failed + self.runs.warning > 0 || self.never > 0;
        match bad {
            // Down and unverified; then alerts that do not arrive; then warnings and what is late.
            Some(place @ 0..=1) => place,
            _ if !self.channels.is_empty() => 2,
            Some(place) => place + 1,
            None if happened => BAD.len() + 1,
            None => Self::FINE,
        }
    }

    fn url(&self, base_url: &str) -> String {
        format!("{base_url}/projects/{}", self.id)
    }

    /// `Home: everything is fine; 12 jobs, 12 runs, all good`.
    fn fine_line(&self) -> String {
        let name = clean_line(&self.name, None);
        if self.total() == 0 {
            return format!("{name}: there are no jobs yet");
        }
        let jobs = count_of(self.total(), "job");
        let runs = match self.runs.ok {
            0 => "no run ended".to_owned(),
            1 => "1 good run".to_owned(),
            runs => format!("{runs} good runs"),
        };
        format!(
            "{name}: everything is fine; {jobs}, {runs}{}",
            self.of_some()
        )
    }

    fn paragraphs(&self, report: &MailReport, clock: &Clock) -> Vec<Paragraph> {
        let url = self.url(&report.base_url);
        let mut paragraphs = vec![Paragraph::Heading(Link {
            text: clean_line(&self.name, None),
            url: url.clone(),
        })];
        let now = self.now_points(report, clock);
        if now.is_empty() {
            paragraphs.push(Paragraph::Prose("All its jobs are fine now.".to_owned()));
        } else {
            paragraphs.push(Paragraph::Links(now));
        }
        if self.incidents > 0 {
            let least = if self.incidents_cut { "At least " } else { "" };
            let incidents = count_of(self.incidents, "incident");
            paragraphs.push(Paragraph::Prose(format!(
                "{least}{incidents} in this time:"
            )));
            paragraphs.push(Paragraph::Links(self.incident_points(&report.base_url)));
        }
        paragraphs.push(Paragraph::Prose(self.run_line()));
        if self.never > 0 {
            paragraphs.push(Paragraph::Prose(self.never_line()));
        }
        if !self.channels.is_empty() {
            let points = self.channels.iter().map(|channel| channel.point(&url));
            paragraphs.push(Paragraph::Links(points.collect()));
        }
        paragraphs
    }

    /// What needs a person now.
    fn now_points(&self, report: &MailReport, clock: &Clock) -> Vec<Link> {
        let mut points: Vec<Link> = self
            .troubles
            .iter()
            .map(|trouble| Link {
                text: trouble.text(report.now, clock),
                url: heartbeat_url(&report.base_url, self.id, &trouble.slug),
            })
            .collect();
        let bad: u64 = BAD.iter().map(|(status, _)| self.with(*status)).sum();
        let more = bad.saturating_sub(points.len() as u64);
        if more > 0 {
            points.push(Link {
                text: format!("and {more} more"),
                url: self.url(&report.base_url),
            });
        }
        points
    }

    fn incident_points(&self, base_url: &str) -> Vec<Link> {
        let mut all: Vec<&IncidentsOf> = self.incidents_of.iter().collect();
        all.sort_by_key(|of_one| std::cmp::Reverse((of_one.total, of_one.count)));
        let list = format!("{}/incidents", self.url(base_url));
        let mut points: Vec<Link> = all
            .iter()
            .take(INCIDENTS_TOLD_MAX)
            .map(|of_one| Link {
                text: of_one.text(),
                url: match &of_one.slug {
                    Some(slug) => heartbeat_url(base_url, self.id, slug),
                    None => list.clone(),
                },
            })
            .collect();
        let more = all.len().saturating_sub(points.len());
        if more > 0 {
            points.push(Link {
                text: format!("and of {} more", count(more, "job")),
                url: list,
            });
        }
        points
    }

    /// `Runs: 120 good, 2 with a warning, 3 failed. Missed: 1.`
    fn run_line(&self) -> String {
        let runs = self.runs;
        let parts = [
            (runs.ok, "good"),
            (runs.warning, "with a warning"),
            (runs.failed, "failed"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        let runs = if parts.is_empty() {
            "No run ended in this time".to_owned()
        } else {
            format!("Runs: {}", parts.join(", "))
        };
        let missed = match self.missed {
            0 => String::new(),
            times => format!(" Missed: {times}."),
        };
        format!("{runs}{}.{missed}", self.of_some())
    }

    /// Says so where not all runs were counted.
    fn of_some(&self) -> String {
        match self.uncounted {
            0 => String::new(),
            left_out => format!(" (not counted: those of {})", count_of(left_out, "job")),
        }
    }

    fn never_line(&self) -> String {
        let mut names: Vec<String> = self
            .never_names
            .iter()
            .map(|name| clean_line(name, None))
            .collect();
        let more = self.never.saturating_sub(names.len() as u64);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        format!("Never heard of: {}.", names.join(", "))
    }
}

impl Trouble {
    /// `DOWN: nightly backup, for 5 h 12 min, since 2026-11-23 03:04 CET (missed)`.
    fn text(&self, now: UnixMicros, clock: &Clock) -> String {
        let name = clean_line(&self.name, Some(self.id));
        let status = self.status.as_str().to_uppercase();
        let since = self.since.map(|since| {
            let at = clock.instant(since);
            if self.status == Status::Late {
                format!(", expected at {at}")
            } else {
                format!(", for {}, since {at}", duration(now.since(since)))
            }
        });
        let why = self.cause.map(|why| format!(" ({})", cause(why)));
        format!(
            "{status}: {name}{}{}",
            since.unwrap_or_default(),
            why.unwrap_or_default()
        )
    }
}

impl IncidentsOf {
    /// `nightly backup: 2 incidents, 3 h 2 min in all (missed, failed)`.
    fn text(&self) -> String {
        let name = clean_line(&self.name, Some(self.id));
        let mut kinds: Vec<&str> = Vec::new();
        for (why, claim) in &self.kinds {
            let kind = match claim {
                Claim::Unverified => "unverified",
                Claim::Warning => "warning",
                Claim::Down => cause(*why),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let total = duration(self.total);
        let length = match self.count {
            1 => total,
            _ => format!("{}, {total} in all", count_of(self.count, "incident")),
        };
        let open = if self.open { ", still open" } else { "" };
        format!("{name}: {length} ({}){open}", kinds.join(", "))
    }
}

impl ChannelTrouble {
    /// `The channel “phone” fails: 3 alerts were given up. Its receiver said: HTTP 404`.
    fn point(&self, project_url: &str) -> Link {
        let name = clean_line(&self.name, None);
        let given_up = match self.failing {
            0 => "alerts wait for it".to_owned(),
            1 => "1 alert was given up".to_owned(),
            alerts => format!("{alerts} alerts were given up"),
        };
        let said = self
            .last_error
            .as_deref()
            .map(|error| clean_line(error, None));
        let said = said.map(|said| format!("; the last answer: {said}"));
        Link {
            text: format!(
                "The channel “{name}” fails: {given_up}{}",
                said.unwrap_or_default()
            ),
            url: format!("{project_url}/channels/{}", self.id),
        }
    }
}

/// `1 job`, `3 jobs`.
fn count_of(number: u64, one: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), one)
}
