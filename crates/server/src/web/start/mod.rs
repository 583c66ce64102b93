//! The first steps in a project: a heartbeat, its line in the job, the first signal, a channel with a test.
//!
//! Nothing is remembered of it: where somebody is follows from what there is, so that each step can be left out,
//! done elsewhere, and come back to. The steps themselves stand beside what they make, in `first.rs` of
//! `heartbeat` and `channels`.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use nightbeat_store::control::channels::{self, Channel};
use nightbeat_store::control::heartbeats::{self, BySlug, Filter, Heartbeat};
use nightbeat_store::control::overview::{self, Part, Sort};
use nightbeat_store::control::{PageRequest, is_slug};

use super::Web;
use super::channels::first as channel;
use super::fields::Fields;
use super::frame::{Frame, Here, project_path};
use super::heartbeat::first as heartbeat;
use super::pages::{only_looking, page, unavailable};
use super::viewer::Member;

/// How many channels are looked at: one is enough.
const CHANNELS_SHOWN: u32 = 20;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Say what is watched.
    Heartbeat,
    /// Put its line into the job, and see it arrive.
    Line,
    /// Say where alerts go.
    Channel,
    /// What to do next.
    Done,
}

impl Step {
    const ALL: [Self; 4] = [Self::Heartbeat, Self::Line, Self::Channel, Self::Done];

    /// Its name in an address.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Line => "line",
            Self::Channel => "channel",
            Self::Done => "done",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Heartbeat => "First heartbeat",
            Self::Line => "Its line",
            Self::Channel => "Alerts",
            Self::Done => "Done",
        }
    }
}

/// What there is of the project.
pub(super) struct Facts {
    /// The heartbeat that it is about: the one that was named, else one that was never heard of, else any.
    pub(super) beat: Option<Heartbeat>,
    /// The first channels.
    pub(super) channels: Vec<Channel>,
}

impl Facts {
    pub(super) async fn of(
        web: &Web,
        member: &Member,
        slug: &str,
    ) -> nightbeat_store::Result<Self> {
        let (project, now) = (member.project.id, web.node.now());
        let slug = Some(slug.to_owned()).filter(|slug| is_slug(slug));
        let reading = web.store.read(move |sql| {
            let named = match &slug {
                Some(slug) => heartbeats::by_slug(sql, project, slug)?,
                None => BySlug::None,
            };
            // Those that were never heard of first.
            let part = Part {
                sort: Sort::LastSignal,
                reversed: true,
                skip: 0,
                limit: 1,
            };
            let beat = match named {
                BySlug::One(named) => Some(*named),
                BySlug::None | BySlug::Several => {
                    overview::part(sql, project, &Filter::default(), now, part)?.pop()
                }
            };
            let some = PageRequest::new(CHANNELS_SHOWN, None);
            Ok(Self {
                beat,
                channels: channels::list(sql, project, &some)?.items,
            })
        });
        reading.await
    }

    fn is_heard(&self) -> bool {
        let beat = self.beat.as_ref();
        beat.is_some_and(|beat| beat.state.signals > 0)
    }

    fn is_done(&self, step: Step) -> bool {
        match step {
            Step::Heartbeat => self.beat.is_some(),
            Step::Line => self.is_heard(),
            Step::Channel => !self.channels.is_empty(),
            Step::Done => false,
        }
    }

    /// The step that was asked for, where it makes sense; else the first one that is not done.
    fn step(&self, asked: &str) -> Step {
        let asked = Step::ALL.into_iter().find(|step| step.as_str() == asked);
        let open = Step::ALL.into_iter().find(|step| !self.is_done(*step));
        let asked = asked.filter(|step| self.makes_sense(*step));
        asked.or(open).unwrap_or(Step::Done)
    }

    /// There is no line without a heartbeat.
    fn makes_sense(&self, step: Step) -> bool {
        step != Step::Line || self.beat.is_some()
    }
}

/// What stands on top of each step.
pub(super) struct Way {
    /// The project's page, with the public URL's path.
    pub(super) path: String,
    pub(super) project: String,
    pub(super) legs: Vec<Leg>,
    /// Where the next step is.
    pub(super) next: String,
}

pub(super) struct Leg {
    pub(super) title: &'static str,
    pub(super) link: String,
    pub(super) is_done: bool,
    pub(super) is_here: bool,
}

impl Way {
    pub(super) fn new(member: &Member, frame: &Frame, facts: &Facts, here: Step) -> Self {
        let path = format!("{}{}", frame.base, project_path(member.project.id));
        let slug = facts.beat.as_ref().map(|beat| &beat.details.slug);
        let link = |step: Step| {
            let about = slug.map_or_else(String::new, |slug| format!("&h={slug}"));
            format!("{path}/start?step={}{about}", step.as_str())
        };
        let legs = Step::ALL.into_iter().filter(|step| *step != Step::Done);
        let legs = legs.map(|step| Leg {
            title: step.title(),
            link: link(step),
            is_done: facts.is_done(step),
            is_here: step == here,
        });
        let mut later = Step::ALL.into_iter().filter(|step| *step > here);
        let next = later.find(|step| facts.makes_sense(*step));
        Self {
            legs: legs.collect(),
            next: link(next.unwrap_or(Step::Done)),
            project: member.project.name.clone(),
            path,
        }
    }
}

/// The last step.
#[derive(Template)]
#[template(path = "start_done.html")]
struct DonePage {
    frame: Frame,
    way: Way,
    may_manage: bool,
    beat: Option<(String, String)>,
    is_heard: bool,
    channels: Vec<String>,
}

pub(super) async fn show(
    State(web): State<Web>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if !member.may_change() {
        return only_looking(&web, &member.viewer);
    }
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let facts = match Facts::of(&web, &member, fields.text("h")).await {
        Ok(facts) => facts,
        Err(error) => return unavailable(&web, &error),
    };
    match facts.step(fields.text("step")) {
        Step::Heartbeat => heartbeat::ask(&web, &member, &facts),
        Step::Line => heartbeat::line(&web, &member, &facts).await,
        Step::Channel => channel::show(&web, &member, &facts, &fields),
        Step::Done => done(&web, &member, facts),
    }
}

fn done(web: &Web, member: &Member, facts: Facts) -> Response {
    let frame = web.frame_at(member, Here::Heartbeats);
    let template = DonePage {
        way: Way::new(member, &frame, &facts, Step::Done),
        may_manage: member.may_manage(),
        is_heard: facts.is_heard(),
        beat: facts
            .beat
            .map(|beat| (beat.details.name, beat.details.slug)),
        channels: facts
            .channels
            .into_iter()
            .map(|channel| channel.name)
            .collect(),
        frame,
    };
    page(StatusCode::OK, &template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_anything_every_way_leads_to_the_first_step_or_where_one_asked_to_go() {
        let nothing = Facts {
            beat: None,
            channels: Vec::new(),
        };
        for (asked, step) in [
            ("", Step::Heartbeat),
            ("nonsense", Step::Heartbeat),
            ("line", Step::Heartbeat),
            ("channel", Step::Channel),
            ("done", Step::Done),
        ] {
            assert_eq!(nothing.step(asked), step, "{asked}");
        }
    }
}
