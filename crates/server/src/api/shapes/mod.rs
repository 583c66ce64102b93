//! What the wire sees. These are not the domain's types: they change only with the API's version. The
//! conversions stand beside them.

mod change;
mod channel;
mod delivery;
mod grace;
mod heartbeat;
mod incident;
mod key;
mod keywords;
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
mod words;

pub(crate) use change::Change;
pub(super) use channel::{
    Channel, ChannelChanges, ChannelEdit, ChannelKind, ChannelList, ChannelPreview, MASK,
    NewChannel, TestResult,
};
pub(super) use delivery::{Delivery, DeliveryState};
pub(super) use grace::HeartbeatDetail;
pub(crate) use heartbeat::HeartbeatEdit;
pub use heartbeat::{DESCRIPTION_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX};
pub(super) use heartbeat::{Heartbeat, NewHeartbeat, Status};
pub(super) use incident::{Incident, NewNote, Snooze};
pub(super) use key::{Key, NewKey};
pub(crate) use keywords::Keywords;
pub(super) use list::List;
pub(super) use maintenance::{NewWindow, Window};
pub(super) use preview::{NewPreview, Preview};
pub(super) use project::{Project, ProjectEdit};
pub(crate) use routing::Channels;
pub(super) use run::Run;
pub(crate) use schedule::Schedule;
pub(super) use signal::Signal;
pub(super) use time::Time;
pub(super) use viewer::Viewer;
