//! `nightbeat serve`

use clap::Args;
use nightbeat_server::config::Overrides;

use super::configured::{Configured, broken};
use crate::exit::Failure;
use crate::logging;

const EXAMPLES: &str = "\
Examples:
  nightbeat serve                     needs nothing: the database is made where there is none
  nightbeat serve --listen 0.0.0.0:8787 --public-url https://beats.example.org
  nightbeat serve --database postgres://nightbeat@db.example.org/nightbeat
  nightbeat serve --config /etc/nightbeat.toml --log-format json

Every key of the configuration can stand in the file or in the environment, where outgoing.allow is
NIGHTBEAT_OUTGOING_ALLOW. The environment goes before the file, a flag before both.
`nightbeat config show` prints every key, its value and where it came from.";

/// Run the server
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Where to listen; several with commas between them [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What it does, of several servers on one PostgreSQL database [default: signals,watch,deliver,web]
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
    /// The address under which people and jobs reach the server
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A host name of its own for signals: each of its paths may be one
    #[arg(long, value_name = "HOST")]
    ping_host: Option<String>,
    /// A host name of its own for clients of Dead Man's Snitch
    #[arg(long, value_name = "HOST")]
    snitch_host: Option<String>,
    /// Where to listen for signals by mail; several with commas between them
    #[arg(long, value_name = "ADDRESS")]
    smtp_listen: Option<String>,
    /// The domain whose mail is taken; several with commas between them [default: the host of the public URL]
    #[arg(long, value_name = "DOMAIN")]
    smtp_domain: Option<String>,
    /// The signal URL, on another instance, of this server's own heartbeat
    #[arg(long, value_name = "URL")]
    report_to: Option<String>,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What is logged: error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    #[command(flatten)]
    configured: Configured,
}

impl Serve {
    pub(super) fn run(self) -> Result<String, Failure> {
        let flags = Overrides {
            listen: self.listen,
            roles: self.roles,
            public_url: self.public_url,
            ping_host: self.ping_host,
            snitch_host: self.snitch_host,
            smtp_listen: self.smtp_listen,
            smtp_domain: self.smtp_domain,
            report_to: self.report_to,
            log_format: self.log_format,
            log_level: self.log_level,
            ..Overrides::default()
        };
        let config = self.configured.load_with(flags)?.config;
        logging::start(&config.log)?;
        nightbeat_server::serve(config).map_err(|error| {
            let failure = broken(&error);
            let taken = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
            if !taken {
                return failure;
            }
            failure.hint("another program listens there; choose another place with --listen")
        })?;
        Ok(String::new())
    }
}
