//! What is to be done about maintenance windows. They do not change: one is entered, or removed.

use jiff::Timestamp;
use nightbeat_agent::Method;
use serde_json::json;

use super::super::present::{Present, PresentWindow};
use super::super::wanted::WantedWindow;
use super::{Asked, Mark, Plan, Request, Step};
use crate::render::moment;
use crate::session::View;

/// What is to be entered.
pub(super) fn plan(
    wanted: Option<&[WantedWindow]>,
    present: &Present,
    asked: &Asked<'_>,
    plan: &mut Plan,
) {
    for window in wanted.into_iter().flatten() {
        let there = present.windows.iter().any(|old| window.is(old));
        // One that is over was entered, or is none of anybody's business any more.
        if there || window.to <= asked.view.now {
            plan.add(None);
            continue;
        }
        let body = json!({"from": window.from, "to": window.to, "note": window.note});
        let request = Request::new(Method::POST, &["maintenance"], Some(body));
        let name = span_of(window.from, window.to, asked.view);
        plan.add(Some(Step::new(
            Mark::Create,
            "maintenance",
            &name,
            vec![request],
        )));
    }
}

/// From when to when, for a person.
pub(super) fn span_of(from: Timestamp, to: Timestamp, view: &View) -> String {
    format!(
        "from {} to {}",
        moment(from, &view.zone),
        moment(to, &view.zone)
    )
}

impl WantedWindow {
    /// Whether it is this one.
    pub(super) fn is(&self, old: &PresentWindow) -> bool {
        (self.from, self.to, self.note.as_str()) == (old.from, old.to, old.note.as_str())
    }
}
