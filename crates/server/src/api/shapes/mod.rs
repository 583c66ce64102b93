//! What the wire sees. These are not the domain's types: they change only with the API's version. The
//! conversions stand beside them.

mod change;
mod channel;
mod delivery;
mod grace;
mod heartbeat;
mod incident;
mod key;
mod list;
mod maintenance;
mod preview;
mod project;
mod routing;
mod run;
mod schedule;
mod signal;
mod time;
mod viewer;

pub(super) use change::Change;
pub(super) use channel::{Channel, ChannelEdit, ChannelKind, MASK, NewChannel, TestResult};
pub(super) use delivery::{Delivery, DeliveryState};
pub(super) use grace::HeartbeatDetail;
pub(super) use heartbeat::{Heartbeat, HeartbeatEdit, NewHeartbeat, Status};
pub(super) use incident::{Incident, Snooze};
pub(super) use key::{Key, NewKey};
pub(super) use list::List;
pub(super) use maintenance::{NewWindow, Window};
pub(super) use preview::{NewPreview, Preview};
pub(super) use project::{Project, ProjectEdit};
pub(super) use run::Run;
pub(super) use signal::Signal;
pub(super) use time::Time;
pub(super) use viewer::Viewer;
