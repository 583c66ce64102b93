//! For tests only: the binary under test, and the world around it.
//!
//! - [`Binary`]: the server as a process of its own, which can be stopped, killed and told what time it is
//! - [`Admin`]: what a person does with it, through its API
//! - [`Receiver`]: where alerts arrive; it can misbehave at every step. [`MailServer`]: the same for mails
//! - [`Load`]: many jobs that signal at once, and what each of them was answered
//! - [`postgres`]: real PostgreSQL servers; [`proxy`]: what happens to connections on their way to them
//! - [`SmallDisk`], [`RealCron`]: parts of a real machine, for tests that run as root
//!
//! Everything panics when it cannot go on, with what it saw: a test has nothing better to do. Waiting is
//! always for a condition, and only a test that hangs waits for [`HANGING`].
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on ends here, and says where"
)]

mod address;
mod admin;
mod binary;
mod clock;
mod cron;
mod disk;
pub mod http;
mod load;
mod mail;
pub mod oidc;
pub mod postgres;
pub mod proxy;
mod random;
mod receiver;
mod wait;

pub use admin::{Admin, Heartbeat, instant};
pub use binary::{Binary, Setup};
pub use clock::{TestClock, wall_now};
pub use cron::RealCron;
pub use disk::{SmallDisk, is_root};
pub use load::{Load, Outcome};
pub use mail::{Mail, MailServer, SmtpStep};
pub use random::Random;
pub use receiver::{Behaviour, Received, Receiver};
pub use wait::{HANGING, until};
