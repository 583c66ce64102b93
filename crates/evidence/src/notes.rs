//! What was found so far: evidence that is still being written, and telltales.

use crate::Tool;
use crate::found::{Evidence, Outcome, Telltale, TelltaleKind, add};
use crate::limits::{EVIDENCES_MAX, TELLTALES_MAX};
use crate::text::shown;
use crate::{Metric, tools};

/// Evidence of one run of one tool, while its output goes on.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// What is known.
    pub(crate) evidence: Evidence,
    /// Its closing words were read: what the tool says next is of another run.
    pub(crate) complete: bool,
    /// It ended without a summary, so none that follows is its own.
    stopped: bool,
    /// Errors that were only seen, not counted by the tool.
    pub(crate) seen_errors: u64,
}

impl Draft {
    fn new(tool: Tool) -> Self {
        Self {
            evidence: Evidence::new(tool),
            complete: false,
            stopped: false,
            seen_errors: 0,
        }
    }

    /// Whether it says anything but what went wrong.
    const fn has_numbers(&self) -> bool {
        let one = &self.evidence;
        one.files_total.is_some()
            || one.files_changed.is_some()
            || one.bytes_total.is_some()
            || one.bytes_added.is_some()
            || one.snapshot.is_some()
    }

    /// Takes over what went wrong in another draft of the same run.
    fn absorb(&mut self, other: Self) {
        self.seen_errors += other.seen_errors;
        let (mine, theirs) = (&mut self.evidence, other.evidence);
        add(&mut mine.errors, theirs.errors);
        add(&mut mine.warnings, theirs.warnings);
        mine.version = mine.version.take().or(theirs.version);
        if theirs.outcome > mine.outcome {
            mine.outcome = theirs.outcome;
            mine.why = theirs.why;
            mine.line = theirs.line;
        }
    }

    /// Adds the numbers of another run.
    fn add_run(&mut self, other: Self) {
        let theirs = &other.evidence;
        let mine = &mut self.evidence;
        add(&mut mine.files_total, theirs.files_total);
        add(&mut mine.files_changed, theirs.files_changed);
        add(&mut mine.bytes_total, theirs.bytes_total);
        add(&mut mine.bytes_added, theirs.bytes_added);
        add(&mut mine.deletes, theirs.deletes);
        if let Some(seconds) = theirs.duration {
            mine.duration = Some(mine.duration.unwrap_or(0.0) + seconds);
        }
        if theirs.dry_run == Some(true) {
            mine.dry_run = Some(true);
        }
        self.absorb(other);
    }
}

/// A telltale, and the tool whose line it is.
#[derive(Debug, Clone)]
struct Sign {
    telltale: Telltale,
    tool: Option<Tool>,
}

/// All that was found so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    drafts: Vec<Draft>,
    signs: Vec<Sign>,
    /// A part of the output is missing: that something never ended says nothing.
    pub(crate) cut: bool,
    /// The tool whose line is being read.
    pub(crate) speaker: Option<Tool>,
    pub(crate) borg: tools::borg::State,
    pub(crate) dumps: tools::dumps::State,
    pub(crate) rclone: tools::rclone::State,
    pub(crate) rsync: tools::rsync::State,
}

impl Notes {
    /// The evidence that the tool is still writing, or a new one.
    pub(crate) fn open(&mut self, tool: Tool) -> &mut Draft {
        self.speaker = Some(tool);
        let newest = self
            .drafts
            .iter()
            .rposition(|draft| draft.evidence.tool == tool);
        let at = match newest {
            Some(at) if !self.drafts[at].complete && !self.drafts[at].stopped => at,
            _ => self.add_draft(tool),
        };
        &mut self.drafts[at]
    }

    /// The tool's newest evidence, complete or not, or a new one.
    pub(crate) fn newest(&mut self, tool: Tool) -> &mut Draft {
        self.speaker = Some(tool);
        let newest = self
            .drafts
            .iter()
            .rposition(|draft| draft.evidence.tool == tool);
        let at = newest.unwrap_or_else(|| self.add_draft(tool));
        &mut self.drafts[at]
    }

    /// The tool's newest evidence, if it has said anything.
    pub(crate) fn known(&self, tool: Tool) -> Option<&Draft> {
        let mut newest_first = self.drafts.iter().rev();
        newest_first.find(|draft| draft.evidence.tool == tool)
    }

    /// A new draft; when there are too many, the numbers of two older runs become one evidence.
    fn add_draft(&mut self, tool: Tool) -> usize {
        if self.drafts.len() >= EVIDENCES_MAX {
            let of_tool = |draft: &Draft| draft.evidence.tool == tool;
            let mut newest_first = (0..self.drafts.len())
                .rev()
                .filter(|&at| of_tool(&self.drafts[at]));
            if let (Some(newest), Some(before)) = (newest_first.next(), newest_first.next()) {
                let run = self.drafts.remove(newest);
                self.drafts[before].add_run(run);
            }
        }
        self.drafts.push(Draft::new(tool));
        self.drafts.len() - 1
    }

    /// The tool says that its run failed, and no summary of it will follow.
    pub(crate) fn stop(&mut self, tool: Tool, why: &str, line: &str) {
        let draft = self.open(tool);
        draft.judge(Outcome::Failed, why, line);
        draft.stopped = true;
    }

    /// The tool goes on, after one thing failed.
    pub(crate) fn error(&mut self, tool: Tool, line: &str) {
        let draft = self.open(tool);
        draft.seen_errors += 1;
        draft.judge(Outcome::Warning, "not everything could be read", line);
    }

    /// The tool goes on, after a warning.
    pub(crate) fn warning(&mut self, tool: Tool, why: &str, line: &str) {
        let draft = self.open(tool);
        add(&mut draft.evidence.warnings, Some(1));
        draft.judge(Outcome::Warning, why, line);
    }

    /// A line that gives something away.
    pub(crate) fn telltale(
        &mut self,
        kind: TelltaleKind,
        outcome: Outcome,
        program: Option<&str>,
        line: &str,
    ) {
        let same = |sign: &&mut Sign| {
            sign.telltale.kind == kind && sign.telltale.program.as_deref() == program
        };
        if let Some(sign) = self.signs.iter_mut().find(same) {
            sign.repeated(outcome, self.speaker, line);
            return;
        }
        if self.signs.len() >= TELLTALES_MAX {
            let mut signs = self.signs.iter_mut();
            if let Some(sign) = signs.find(|sign| sign.telltale.kind == kind) {
                sign.repeated(outcome, self.speaker, line);
                return;
            }
        }
        self.signs.push(Sign {
            telltale: Telltale {
                kind,
                outcome,
                program: program.map(str::to_owned),
                line: shown(line),
                times: 1,
            },
            tool: self.speaker,
        });
    }

    /// Ends the notes: what was only seen is counted, and what belongs together is put together.
    pub(crate) fn finish(mut self) -> (Vec<Evidence>, Vec<Telltale>) {
        tools::finish(&mut self);
        let mut runs: Vec<Draft> = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            let loose = !draft.complete && !draft.stopped && !draft.has_numbers();
            let same_tool = |run: &&mut Draft| run.evidence.tool == draft.evidence.tool;
            match runs.iter_mut().rev().find(same_tool) {
                Some(run) if loose && run.complete => run.absorb(draft),
                _ => runs.push(draft),
            }
        }
        for run in &mut runs {
            if run.evidence.errors.is_none() && run.seen_errors > 0 {
                run.evidence.errors = Some(run.seen_errors);
            }
        }
        let retried = |sign: &Sign| {
            let mut of_tool = runs
                .iter()
                .filter(|run| Some(run.evidence.tool) == sign.tool)
                .peekable();
            let clean = |run: &Draft| {
                run.complete
                    && run.evidence.outcome == Outcome::Ok
                    && run.evidence.errors == Some(0)
            };
            of_tool.peek().is_some() && of_tool.all(clean)
        };
        for sign in &mut self.signs {
            // The tool says that in the end nothing failed, so it has tried again.
            if retried(sign) {
                sign.telltale.outcome = Outcome::Ok;
            }
        }
        let evidence = runs.into_iter().map(|run| run.evidence).collect();
        let telltales = self.signs.into_iter().map(|sign| sign.telltale).collect();
        (evidence, telltales)
    }
}

impl Sign {
    /// The same was said again. The worst line is the one that is shown.
    fn repeated(&mut self, outcome: Outcome, tool: Option<Tool>, line: &str) {
        self.telltale.times = self.telltale.times.saturating_add(1);
        if outcome > self.telltale.outcome {
            self.telltale.outcome = outcome;
            self.telltale.line = shown(line);
        }
        if self.tool != tool {
            self.tool = None;
        }
    }
}

impl Draft {
    /// What the run says of itself, when that is worse than what it said before.
    pub(crate) fn judge(&mut self, outcome: Outcome, why: &str, line: &str) {
        if outcome > self.evidence.outcome {
            self.evidence.outcome = outcome;
            self.evidence.why = Some(shown(why));
            self.evidence.line = shown(line);
        }
    }

    /// The line that shows the numbers, unless there is one that shows a failure.
    pub(crate) fn show(&mut self, line: &str) -> &mut Evidence {
        if self.evidence.outcome == Outcome::Ok {
            self.evidence.line = shown(line);
        }
        &mut self.evidence
    }

    /// One of the other numbers; said twice, the later one counts.
    pub(crate) fn metric(&mut self, name: &str, value: f64) {
        let metrics = &mut self.evidence.metrics;
        if let Some(known) = metrics.iter_mut().find(|metric| metric.name == name) {
            if value.is_finite() {
                known.value = value;
            }
        } else if metrics.len() < Evidence::METRICS_MAX
            && let Some(metric) = Metric::new(name, value)
        {
            metrics.push(metric);
        }
    }

    /// Counts one more of something that the tool does not count itself.
    pub(crate) fn count(&mut self, name: &str) {
        let metrics = &self.evidence.metrics;
        let known = metrics.iter().find(|metric| metric.name == name);
        let value = known.map_or(0.0, |metric| metric.value);
        self.metric(name, value + 1.0);
    }
}
