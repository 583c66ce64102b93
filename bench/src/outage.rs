//! Many heartbeats going down in the same instant.

use std::time::{Duration, Instant};

use nightbeat_domain::UnixMicros;
use serde::Serialize;

use crate::Options;
use crate::process::{Server, now};
use crate::receiver::Receiver;
use crate::seed::{self, Seed};

/// How long the alerts may take.
const WITHIN: Duration = Duration::from_secs(300);

/// What an outage of everything looks like at the receiver.
#[derive(Debug, Serialize)]
pub(crate) struct Outage {
    /// How many heartbeats went down in the same instant.
    pub(crate) heartbeats: u32,
    /// From the deadline to the first alert, in seconds.
    pub(crate) first_seconds: f64,
    /// From the deadline to the last alert, in seconds.
    pub(crate) last_seconds: f64,
    /// How many alerts arrived.
    pub(crate) alerts: usize,
}

/// Measures one.
pub(crate) async fn measure(options: &Options, heartbeats: u32) -> anyhow::Result<Outage> {
    let receiver = Receiver::start().await?;
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("bench.db");
    // Seeding takes a while; the deadline lies safely behind it.
    let deadline = now() + Duration::from_secs(20);
    let every_seconds = 600;
    let grace_seconds = 60;
    let seed = Seed {
        heartbeats,
        every_seconds,
        grace_seconds,
        last_success_at: deadline - Duration::from_secs(every_seconds + grace_seconds),
        webhook: Some(receiver.url.clone()),
    };
    seed::write(&database, &seed).await?;
    let server = Server::start(options, &database).await?;
    anyhow::ensure!(now() < deadline, "seeding took too long");
    let began = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let arrived = receiver.arrivals();
        if arrived.len() >= heartbeats as usize || began.elapsed() > WITHIN {
            break;
        }
    }
    drop(server);
    let arrivals = receiver.arrivals();
    let after =
        |at: Option<&UnixMicros>| at.map_or(f64::NAN, |at| (at.0 - deadline.0) as f64 / 1e6);
    Ok(Outage {
        heartbeats,
        first_seconds: after(arrivals.iter().min()),
        last_seconds: after(arrivals.iter().max()),
        alerts: arrivals.len(),
    })
}
