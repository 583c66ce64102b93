//! Data as people read it. Pure: the time, the zone and the wish for colour are arguments.

mod card;
mod incidents;
mod paint;
mod runs;
mod signals;
mod table;
mod words;

pub(crate) use card::card;
pub(crate) use incidents::incidents;
pub(crate) use paint::{Paint, clean, status_paint};
pub(crate) use runs::runs;
pub(crate) use signals::{bodies, signals};
pub(crate) use table::{Cell, Table};
pub(crate) use words::{ago, moment, schedule, span, towards};
