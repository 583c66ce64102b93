//! `nightbeat flush`

use std::time::Duration;

use clap::Args;
use nightbeat_agent::spool::Delivery;

use crate::beside::Beside;
use crate::exit::{Exit, Failure};
use crate::tell::note;

/// How long one signal is tried.
const ONE_TRY: Duration = Duration::from_secs(10);

/// Deliver the signals that wait for a server that was away
///
/// Every `nightbeat run` and `nightbeat ping` that reaches the server does this too. They keep the time at
/// which they happened. Exits with 4 while some still wait.
#[derive(Debug, Args)]
pub(crate) struct Flush {
    /// Only say how many wait
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    beside: Beside,
}

impl Flush {
    pub(super) fn run(self) -> Result<String, Failure> {
        let spool = self.beside.any_spool()?;
        if self.count {
            return Ok(format!("{}\n", spool.len()?));
        }
        let delivery = spool.deliver(ONE_TRY, || true)?;
        tell(&delivery);
        if delivery.busy {
            return Err(Failure::new(
                Exit::Unreachable,
                "somebody else is delivering these signals right now",
            ));
        }
        match delivery.waiting {
            0 => Ok(String::new()),
            waiting => {
                let why = delivery.why_waiting.unwrap_or_default();
                let text = format!("{} not delivered: {why}", signals(waiting));
                Err(Failure::new(Exit::Unreachable, text)
                    .hint("they stay for seven days, and each further call tries again"))
            }
        }
    }
}

fn tell(delivery: &Delivery) {
    if delivery.sent > 0 {
        note(&format!("{} delivered", signals(delivery.sent)));
    }
    for refused in &delivery.refused {
        note(&format!("refused, and kept for a day: {}", refused.reason));
    }
    if delivery.given_up > 0 {
        let what = signals(delivery.given_up);
        note(&format!(
            "{what} given up: too old, refused for a day, or not readable"
        ));
    }
}

fn signals(count: usize) -> String {
    match count {
        1 => "1 signal".to_owned(),
        more => format!("{more} signals"),
    }
}
