//! What a command knows of the process it runs in: the time, the zone, the terminal.

use std::io::{BufRead, IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::exit::Failure;
pub(crate) use crate::tell::{hint, note};

/// The surroundings of one command.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// How data is shown to people.
    pub(crate) view: View,
    /// Somebody sits there who can be asked: stdin and stderr are terminals.
    pub(crate) interactive: bool,
}

/// How data is shown to people.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The time when the command began; everything relative is relative to it.
    pub(crate) now: Timestamp,
    /// The zone in which times are shown.
    pub(crate) zone: TimeZone,
    /// stdout is a terminal that wants colours.
    pub(crate) colour: bool,
}

impl Session {
    /// The surroundings of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the command line reads the clock"
    )]
    pub(crate) fn of_process() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            view: View {
                now: Timestamp::now(),
                zone: TimeZone::system(),
                colour: std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
            },
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        }
    }

    /// A yes or no from the person at the terminal. Only an explicit yes is one.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// A line from the person at the terminal.
    pub(crate) fn ask(&self, prompt: &str) -> Result<String, Failure> {
        debug_assert!(self.interactive, "asking where nobody can answer");
        let broken =
            |error: std::io::Error| Failure::failed(format!("cannot ask at the terminal: {error}"));
        let mut terminal = std::io::stderr();
        write!(terminal, "{prompt}").map_err(broken)?;
        terminal.flush().map_err(broken)?;
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(broken)?;
        Ok(line.trim().to_owned())
    }

    /// A secret from the person at the terminal, not shown while it is typed.
    pub(crate) fn ask_secret(&self, prompt: &str) -> Result<String, Failure> {
        debug_assert!(self.interactive, "asking where nobody can answer");
        rpassword::prompt_password(prompt)
            .map(|secret| secret.trim().to_owned())
            .map_err(|error| Failure::failed(format!("cannot ask at the terminal: {error}")))
    }
}

/// Runs a client command's requests.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
        .block_on(work)
}
