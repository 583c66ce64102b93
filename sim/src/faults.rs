//! Kinds of bad luck, to be switched on and off.

use std::fmt;
use std::str::FromStr;

/// A kind of bad luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process is killed, at random and between any two steps; or it is restarted in order.
    Crash,
    /// The process or the machine stands still for a while.
    Pause,
    /// The store is slow, fails, or commits without saying so.
    Db,
    /// Receivers are slow, fail, hang, or lose their answers.
    Provider,
    /// Wall clocks are set and drift.
    Clock,
    /// The network between jobs and us loses, delays, doubles and reorders; clients spool.
    Client,
    /// People edit, pause, snooze, plan maintenance, delete and create.
    People,
    /// Everything is away for minutes to days.
    Outage,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Crash,
        Self::Pause,
        Self::Db,
        Self::Provider,
        Self::Clock,
        Self::Client,
        Self::People,
        Self::Outage,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Db => "db",
            Self::Provider => "provider",
            Self::Clock => "clock",
            Self::Client => "client",
            Self::People => "people",
            Self::Outage => "outage",
        }
    }
}

/// Which kinds of bad luck are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults(u16);

impl Faults {
    /// Everything goes well; only jobs die.
    pub const NONE: Self = Self(0);

    /// All kinds.
    pub fn all() -> Self {
        Fault::ALL.into_iter().fold(Self::NONE, Self::with)
    }

    /// Whether this kind is on.
    pub fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u16) != 0
    }

    /// This one too.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self(self.0 | (1 << fault as u16))
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u16))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let on = Fault::ALL.into_iter().filter(|fault| self.has(*fault));
        let names: Vec<&str> = on.map(Fault::name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::all()),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        text.split(',').try_fold(Self::NONE, |on, name| {
            let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
            found.map(|fault| on.with(fault)).ok_or_else(|| {
                let names: Vec<&str> = Fault::ALL.map(Fault::name).to_vec();
                format!("\"{name}\" is none of: all, none, {}", names.join(", "))
            })
        })
    }
}
