//! The whole server, from a configuration to its end.

use crate::config::Config;

/// Runs the server until it is told to stop (SIGTERM, SIGINT) or cannot go on. Builds its own runtime.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let _ = config;
    anyhow::bail!("not there yet")
}
