//! What was promised, asked of what the clients know: it shares nothing with what decides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use nightbeat_domain::UnixMicros;
use nightbeat_testkit::{Received, instant};
use serde_json::Value;

use crate::clients::{Life, Said};
use crate::world::Gap;

/// How soon the silence of a job is told after its deadline and the last trouble: what a gap at the deadline is
/// given (a minute), the claim of a node that died while sending (two), and an overloaded machine's lateness.
const TOLD_WITHIN: Duration = Duration::from_secs(60 + 120 + 30);

/// What is read off two clocks of one machine, the database's and the clients'.
const CLOCKS: Duration = Duration::from_millis(50);

/// Everything that is known at the end.
pub(crate) struct Evidence {
    pub(crate) lives: Vec<Life>,
    pub(crate) received: Vec<Received>,
    pub(crate) gaps: Vec<Gap>,
    /// Each mark in the log of signals, and how often it is there.
    pub(crate) marks: Vec<(String, usize)>,
    /// When the last trouble was over.
    pub(crate) quiet_since: UnixMicros,
    /// What came later is not looked at.
    pub(crate) ends_at: UnixMicros,
}

/// What the checker says.
pub(crate) struct Verdict {
    /// Promises that were not kept.
    pub(crate) broken: Vec<String>,
    /// So many messages came again.
    pub(crate) repeated: usize,
    /// For people.
    pub(crate) figures: String,
}

/// One thing told of one heartbeat.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    at: UnixMicros,
    key: String,
    alone: bool,
    event: String,
    /// What the heartbeat was said to be: `down`, `unverified`, `up`, …
    status: String,
    heartbeat: String,
    incident: String,
    opened_at: UnixMicros,
}

impl Told {
    fn is_alarm(&self) -> bool {
        ["down", "unverified"].contains(&self.status.as_str()) && self.event != "reminder"
    }
}

/// Everything that was told, in the order of its arrival. A digest is taken apart.
pub(crate) fn told(received: &[Received]) -> Vec<Told> {
    let parts = |one: &Received| -> Vec<Told> {
        let parts = match one.body["heartbeats"].as_array() {
            Some(together) => together.clone(),
            None => vec![one.body.clone()],
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |part: &Value| Told {
            at: one.at,
            key: one.key().to_owned(),
            alone: one.body["heartbeats"].is_null(),
            event: one.event().to_owned(),
            status: text(&part["heartbeat"]["status"]),
            heartbeat: text(&part["heartbeat"]["name"]),
            incident: text(&part["incident"]["id"]),
            opened_at: instant(&part["incident"]["opened_at"]),
        };
        parts.iter().map(told).collect()
    };
    received.iter().flat_map(parts).collect()
}

/// The first alarm about a dead job after its last signal.
pub(crate) fn told_of_death<'a>(life: &Life, told: &'a [Told]) -> Option<&'a Told> {
    let last = last_answered(life)?;
    told.iter().find(|one| {
        one.heartbeat == life.job.heartbeat.name && one.is_alarm() && one.opened_at > last.sent_at
    })
}

/// Until when a dead job is told at the latest.
pub(crate) fn told_by(life: &Life, quiet_since: UnixMicros) -> UnixMicros {
    deadline(life).max(quiet_since) + TOLD_WITHIN
}

/// When the silence of a job is too long, counted from its last answer.
fn deadline(life: &Life) -> UnixMicros {
    let last = last_answered(life).and_then(|said| said.answered_at);
    last.unwrap_or(UnixMicros(0)) + life.job.interval + life.job.grace
}

fn last_answered(life: &Life) -> Option<&Said> {
    let mut said = life.said.iter().rev();
    said.find(|said| said.answered_at.is_some())
}

/// Asks everything.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut told = told(&evidence.received);
    told.retain(|one| one.at <= evidence.ends_at);
    let mut broken = Vec::new();
    let signals = signals(evidence, &mut broken);
    let deaths = deaths(evidence, &told, &mut broken);
    let alarms = alarms(evidence, &told, &mut broken);
    let (repeated, repetitions) = repetitions(&evidence.received, &told, &mut broken);
    let figures = format!(
        "{signals}\n{deaths}\n{alarms}\n{repetitions}\n{} broken",
        broken.len()
    );
    Verdict {
        broken,
        repeated,
        figures,
    }
}

/// No acknowledged signal is lost, none with a nonce is there twice, and none is there that nobody sent.
fn signals(evidence: &Evidence, broken: &mut Vec<String>) -> String {
    let mut logged: HashMap<_, _> = evidence.marks.iter().cloned().collect();
    let (mut answered, mut again, mut twice, mut lost) = (0, 0, 0, 0);
    for life in &evidence.lives {
        for said in &life.said {
            let times = logged.remove(&said.mark).unwrap_or(0);
            if said.answered_at.is_some() {
                answered += 1;
                if times == 0 {
                    lost += 1;
                    broken.push(format!("lost: {said:?} of {:?}", life.job));
                }
            }
            again += usize::from(said.tries > 1);
            twice += usize::from(times > 1);
            if times > 1 && life.job.nonce {
                broken.push(format!(
                    "there {times} times in spite of its nonce: {said:?}"
                ));
            }
            if times > said.tries as usize {
                broken.push(format!("there {times} times: {said:?}"));
            }
        }
    }
    for mark in logged.keys() {
        broken.push(format!("nobody sent {mark}"));
    }
    format!(
        "{answered} signals were answered 200, {lost} of them are lost; {again} needed several tries, \
         {twice} without nonce are there several times"
    )
}

/// Every dead job is told in time, and that is the last thing told of it.
fn deaths(evidence: &Evidence, told: &[Told], broken: &mut Vec<String>) -> String {
    let (mut dead, mut missed, mut longest) = (0, 0, Duration::ZERO);
    let mut after_quiet = Duration::ZERO;
    for life in evidence.lives.iter().filter(|life| life.job.dies.is_some()) {
        dead += 1;
        let found = told_of_death(life, told);
        let by = told_by(life, evidence.quiet_since);
        let Some(found) = found.filter(|found| found.at <= by) else {
            missed += 1;
            broken.push(format!(
                "missed until {by:?}: {:?}, told {found:?}",
                life.job
            ));
            continue;
        };
        let late = found.at.since(deadline(life));
        longest = longest.max(late);
        if deadline(life) > evidence.quiet_since {
            after_quiet = after_quiet.max(late);
        }
        let last = told
            .iter()
            .rev()
            .find(|one| one.heartbeat == found.heartbeat);
        if last.is_some_and(|last| last.event == "up") {
            broken.push(format!("a dead job is said to be up: {last:?}"));
        }
    }
    format!(
        "{dead} jobs died, {missed} alerts missed; told {:.1} s after the deadline at the latest, \
         {:.1} s where that came after the last trouble",
        longest.as_secs_f64(),
        after_quiet.as_secs_f64()
    )
}

/// No job is called down that signalled, or tried to, in time; unverified only where a gap touches.
fn alarms(evidence: &Evidence, told: &[Told], broken: &mut Vec<String>) -> String {
    let lives = evidence.lives.iter();
    let lives: HashMap<_, _> = lives
        .map(|life| (life.job.heartbeat.name.as_str(), life))
        .collect();
    let (mut down, mut unverified, mut of_living) = (0, 0, 0);
    let (mut wrong, mut not_let_in, mut without_gap) = (0, 0, 0);
    for one in told.iter().filter(|one| one.is_alarm()) {
        let life = lives[one.heartbeat.as_str()];
        let about = || {
            let all = told.iter().filter(|other| other.heartbeat == one.heartbeat);
            let all: Vec<_> = all
                .map(|one| (one.at, &one.status, &one.incident))
                .collect();
            let said = around(life, one);
            format!("{one:?} of {:?}: {said:?}; all told: {all:?}", life.job)
        };
        of_living += usize::from(told_of_death(life, std::slice::from_ref(one)).is_none());
        let silent_for = life.job.interval + life.job.grace;
        let since = UnixMicros(one.opened_at.0 - silent_for.as_micros() as i64);
        if one.status == "unverified" {
            unverified += 1;
            let touches = |gap: &Gap| gap.from <= one.opened_at.0 && gap.to >= since.0 - 1_000_000;
            if !evidence.gaps.iter().any(touches) {
                without_gap += 1;
                broken.push(format!("unverified without a gap: {}", about()));
            }
            continue;
        }
        down += 1;
        let within =
            |from: UnixMicros, to: UnixMicros| from > since + CLOCKS && to + CLOCKS < one.opened_at;
        let answered = |said: &Said| said.answered_at.is_some_and(|at| within(said.sent_at, at));
        if life.said.iter().any(answered) {
            wrong += 1;
            broken.push(format!("false, it was answered 200 in time: {}", about()));
        } else if life
            .said
            .iter()
            .any(|said| within(said.tried_at, said.tried_at))
        {
            not_let_in += 1;
            broken.push(format!("false, it tried in time: {}", about()));
        }
    }
    format!(
        "{down} told down, {unverified} unverified, {of_living} of these about jobs that lived on; \
         false: {wrong} after a 200 in time, {not_let_in} after a try in time, {without_gap} unverified \
         without a gap ({} in the ledger)",
        evidence.gaps.len()
    )
}

/// What the job said in the two minutes around an alarm.
fn around<'a>(life: &'a Life, one: &Told) -> Vec<&'a Said> {
    let near = |said: &&Said| (said.tried_at.0 - one.opened_at.0).abs() < 120_000_000;
    life.said.iter().filter(near).collect()
}

/// A key is one message, however often it comes; what was told alone has one key. How many came again.
fn repetitions(received: &[Received], told: &[Told], broken: &mut Vec<String>) -> (usize, String) {
    let mut contents: BTreeMap<&str, (&Received, usize)> = BTreeMap::new();
    for one in received {
        let (first, times) = contents.entry(one.key()).or_insert((one, 0));
        *times += 1;
        if said(first) != said(one) {
            broken.push(format!(
                "one key, two messages: {:?}, {:?}",
                first.body, one.body
            ));
        }
    }
    let mut keys = HashMap::new();
    for one in told
        .iter()
        .filter(|one| one.alone && one.event != "reminder")
    {
        let what = (&one.incident, &one.event, &one.status);
        let first = keys.entry(what).or_insert(&one.key);
        if **first != one.key {
            broken.push(format!("told again with another key than {first}: {one:?}"));
        }
    }
    let again: usize = contents.values().map(|(_, times)| times - 1).sum();
    let figures = format!(
        "{} messages arrived, {again} of them repetitions with the key of the first; {} parts of digests came \
         again in another one",
        received.len(),
        moved(told)
    );
    (again, figures)
}

/// How often something stood in one digest and in another one: such a digest is another message.
fn moved(told: &[Told]) -> usize {
    let mut keys: HashMap<_, HashSet<&str>> = HashMap::new();
    for one in told.iter().filter(|one| !one.alone) {
        let what = (&one.heartbeat, &one.incident, &one.event, &one.status);
        keys.entry(what).or_default().insert(&one.key);
    }
    keys.values().map(|keys| keys.len() - 1).sum()
}

/// What a message says, without when it was sent, by whom (each of these nodes has a public URL of its own) and
/// in which order a digest tells it.
fn said(one: &Received) -> Value {
    let mut body = one.body.clone();
    body["sent_at"].take();
    body["heartbeat"]["url"].take();
    if let Some(parts) = body["heartbeats"].as_array_mut() {
        for part in parts.iter_mut() {
            part["heartbeat"]["url"].take();
        }
        parts.sort_by_key(Value::to_string);
    }
    body
}
