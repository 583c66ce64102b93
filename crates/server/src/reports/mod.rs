//! Reports by mail: a person's projects, each day, each week or each month.
//!
//! They never stand in the way of alerts: a task of its own sends them, one after the other, in bounded time.
//! Who wants one, and when it is due, is a row; of several nodes the one that claims it sends it. Right before
//! the mail server is given the mail, it is made durable that this report is told: it is sent once, or where
//! something breaks at that very moment, not at all, and never twice.

mod gather;
mod period;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nightbeat_domain::{DeliveryId, UnixMicros};
use nightbeat_notify::{Letter, Notifier, RegularLetter, SendError, SentOnce};
use nightbeat_store::control::accounts::{self, Account};
use nightbeat_store::control::figures::Period;
use nightbeat_store::control::reports::{self, Report, Rhythm, Untold, Wish};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Store, StoreError};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::Roles;
use crate::http::Shutdown;
use crate::metrics::{Metrics, ReportLabel};
use crate::node::NodeHandle;
use crate::random;
use gather::{Reader, Wanted};
pub(crate) use period::{Timetable, zone_named};

/// How often is looked whether a report is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same after the database refused.
const LOOK_AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// The same while more wait than were looked up.
const LOOK_ON_AFTER: Duration = Duration::from_millis(100);
/// How many reports are looked up at once.
const LOOKED_UP_MAX: u32 = 50;
/// How long one report may take, with all its steps.
const TOTAL_TIME: Duration = Duration::from_secs(180);
/// For how long it is claimed: others wait that long for a node that died. Longer than [`TOTAL_TIME`].
const LEASE: Duration = Duration::from_secs(300);
/// The pauses after the first, second, … try that failed. After the last try the report is given up: what it
/// would have told is told with the next one.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(4 * 3_600),
];
/// What the secrets in links that end reports begin with.
const SECRET_PREFIX: &str = "nb_u_";
/// At which hour reports come where nobody says another.
pub(crate) const USUAL_HOUR: u8 = 8;

/// Sends reports. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    store: Store,
    node: NodeHandle,
    notifier: Arc<Notifier>,
    /// The public URL, without a slash at its end.
    public_url: Arc<str>,
    metrics: Arc<Metrics>,
}

/// A report that this node may send.
struct Claimed {
    account: Account,
    /// As it was before it was claimed.
    report: Report,
    rhythm: Rhythm,
    timetable: Timetable,
    period: Period,
    now: UnixMicros,
}

/// How far a report has come; kept outside of what may be cut off.
#[derive(Debug, Default)]
struct Progress {
    /// It is being stored that it is told, or that is done.
    handed_over: AtomicBool,
    /// The claim on it does not hold any more.
    void: AtomicBool,
}

/// Why a report was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mail server does not take it.
    #[error(transparent)]
    Mail(#[from] SendError),
    /// Nobody knows whether the mail server took it.
    #[error("it is not known whether it arrived: {0}")]
    InDoubt(String),
}

impl Claimed {
    /// The row and the claim on it.
    fn ours(&self) -> (Uuid, i64) {
        (self.account.id, self.report.claim + 1)
    }
}

impl Reports {
    pub(crate) fn new(
        store: Store,
        node: NodeHandle,
        notifier: Arc<Notifier>,
        public_url: Arc<str>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store,
            node,
            notifier,
            public_url,
            metrics,
        }
    }

    /// Whether there is a mail server to send them through.
    pub(crate) fn can_be_sent(&self) -> bool {
        self.notifier.sends_mail()
    }

    /// Starts the task that sends what is due, until `shutdown` begins. Nothing, where there is no mail server, or
    /// where others deliver.
    pub(crate) fn start(self, roles: Roles, shutdown: &Shutdown) {
        if roles.deliver && self.can_be_sent() {
            tokio::spawn(self.run(shutdown.clone()));
        }
    }

    async fn run(self, mut shutdown: Shutdown) {
        let mut rest = LOOK_EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = shutdown.begun() => return,
            }
            if !self.node.knows_the_time() {
                rest = LOOK_EVERY;
                continue;
            }
            rest = match self.send_due(&shutdown).await {
                Ok(true) => LOOK_ON_AFTER,
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    tracing::error!(%error, "reports cannot be looked up or stored");
                    LOOK_AFTER_TROUBLE
                }
            };
        }
    }

    /// Sends what is due now; whether there may be more. The last error, when all of it was tried.
    async fn send_due(&self, shutdown: &Shutdown) -> nightbeat_store::Result<bool> {
        let now = self.node.now();
        let looking = self
            .store
            .read(move |sql| reports::due(sql, now, LOOKED_UP_MAX));
        let due = looking.await?;
        let mut result = Ok(due.len() >= LOOKED_UP_MAX as usize);
        for account in due {
            if shutdown.has_begun() {
                break;
            }
            if let Err(error) = self.send_one(account, shutdown).await {
                result = Err(error);
            }
        }
        result
    }

    async fn send_one(&self, account: Uuid, shutdown: &Shutdown) -> nightbeat_store::Result<()> {
        let now = self.node.now();
        let claiming = self.store.write(move |sql| claim(sql, account, now));
        let Some(claimed) = claiming.await? else {
            return Ok(());
        };
        let progress = Progress::default();
        let telling = self.tell(&claimed, &progress, shutdown);
        let told = match tokio::time::timeout(TOTAL_TIME, telling).await {
            Ok(Ok(SentOnce::Withheld)) if progress.void.load(Ordering::Relaxed) => {
                tracing::debug!(%account, "a report is another node's, or nobody's any more");
                return Ok(());
            }
            Ok(told) => told,
            Err(_) if progress.handed_over.load(Ordering::Relaxed) => {
                let why = format!("nothing was said within {TOTAL_TIME:?}");
                Ok(SentOnce::InDoubt(why))
            }
            Err(_) => Err(format!("it was not made and sent within {TOTAL_TIME:?}")),
        };
        self.note(&claimed, told, shutdown.has_begun()).await
    }

    /// Makes a report and sends it. An error: for certain, it was not sent.
    async fn tell(
        &self,
        claimed: &Claimed,
        progress: &Progress,
        shutdown: &Shutdown,
    ) -> Result<SentOnce, String> {
        let wanted = Wanted {
            rhythm: claimed.rhythm,
            period: claimed.period,
            now: claimed.now,
            by_hand: false,
        };
        let letter = self.letter(&claimed.account, &claimed.report.secret, wanted);
        let mut letter = letter.await.map_err(|error| error.to_string())?;
        letter.letter.id = id_of(claimed);
        let (ours, until) = (claimed.ours(), claimed.period.to);
        let (now, next_at) = (claimed.now, claimed.timetable.next_after(claimed.now));
        let hand_over = async {
            if shutdown.has_begun() {
                return false;
            }
            progress.handed_over.store(true, Ordering::Relaxed);
            let noting = self
                .store
                .write(move |sql| reports::hand_over(sql, ours, until, next_at, now));
            match noting.await {
                Ok(ours) => {
                    progress.void.store(!ours, Ordering::Relaxed);
                    ours
                }
                Err(error) => {
                    tracing::error!(%error, "a report is not sent: it cannot be stored that it is");
                    false
                }
            }
        };
        let sending = self.notifier.mail_once(&letter, hand_over).await;
        sending.map_err(|error| error.to_string())
    }

    /// Stores what became of a report.
    async fn note(
        &self,
        claimed: &Claimed,
        told: Result<SentOnce, String>,
        stopping: bool,
    ) -> nightbeat_store::Result<()> {
        let (ours, account) = (claimed.ours(), claimed.account.id);
        match told {
            Ok(SentOnce::Taken) => {
                tracing::info!(%account, "a report was sent");
                self.count("sent");
                Ok(())
            }
            Ok(SentOnce::InDoubt(problem)) => {
                tracing::warn!(%account, problem, "whether a report arrived is not known; it is not sent again");
                self.count("in_doubt");
                let problem = format!("it may not have arrived: {problem}");
                let noting = self
                    .store
                    .write(move |sql| reports::in_doubt(sql, ours, &problem));
                noting.await
            }
            Ok(SentOnce::Withheld) if stopping => {
                // Another node, or the next start, sends it.
                self.untold(
                    claimed,
                    claimed.report.attempts,
                    claimed.now,
                    "the server stopped",
                )
                .await
            }
            Ok(SentOnce::Withheld) => self.failed(claimed, "it could not be stored").await,
            Err(problem) => self.failed(claimed, &problem).await,
        }
    }

    /// A try failed: there is another one, or the report is given up.
    async fn failed(&self, claimed: &Claimed, problem: &str) -> nightbeat_store::Result<()> {
        let account = claimed.account.id;
        let attempts = claimed.report.attempts + 1;
        self.count("failed");
        if let Some(pause) = PAUSES.get(attempts as usize - 1) {
            tracing::warn!(%account, attempts, problem, "a report could not be sent and is tried again");
            let again_at = self.node.now() + *pause;
            return self.untold(claimed, attempts, again_at, problem).await;
        }
        tracing::error!(%account, attempts, problem, "a report is given up");
        self.count("given_up");
        let next_at = claimed.timetable.next_after(self.node.now());
        self.untold(claimed, 0, next_at, problem).await
    }

    async fn untold(
        &self,
        claimed: &Claimed,
        attempts: u32,
        next_at: UnixMicros,
        problem: &str,
    ) -> nightbeat_store::Result<()> {
        let ours = claimed.ours();
        let untold = Untold {
            told_until: claimed.report.told_until,
            sent_at: claimed.report.sent_at,
            attempts,
            next_at,
            problem: problem.to_owned(),
        };
        let noting = self
            .store
            .write(move |sql| reports::untold(sql, ours, &untold));
        noting.await
    }

    /// Sends a report now, because its person asks for it; it takes no other's place.
    pub(crate) async fn send_now(&self, account: &Account) -> Result<(), NotSent> {
        let id = account.id;
        let fresh_secret = random::key(SECRET_PREFIX);
        let looking = self.store.write(move |sql| {
            if let Some(known) = reports::get(sql, id)? {
                return Ok((known.rhythm, known.secret));
            }
            reports::choose(
                sql,
                id,
                &wish(None, USUAL_HOUR, None, UnixMicros::MIN, &fresh_secret),
            )?;
            Ok((None, fresh_secret.clone()))
        });
        let (rhythm, secret) = looking.await?;
        let rhythm = rhythm.unwrap_or(Rhythm::Weekly);
        let now = self.node.now();
        let zone = account.time_zone.as_deref();
        let wanted = Wanted {
            rhythm,
            period: Timetable::new(rhythm, USUAL_HOUR, zone).just_now(now),
            now,
            by_hand: true,
        };
        let letter = self.letter(account, &secret, wanted).await?;
        match self.notifier.mail_once(&letter, async { true }).await? {
            SentOnce::InDoubt(why) => Err(NotSent::InDoubt(why)),
            SentOnce::Taken | SentOnce::Withheld => Ok(()),
        }
    }

    /// A report as a letter. `secret` stands in the link that ends such reports.
    async fn letter(
        &self,
        account: &Account,
        secret: &str,
        wanted: Wanted,
    ) -> nightbeat_store::Result<RegularLetter> {
        let reader = Reader {
            account: account.id,
            zone: zone_named(account.time_zone.as_deref()),
            base_url: self.public_url.to_string(),
            unsubscribe: format!("{}/reports/{secret}", self.public_url),
        };
        let report = gather::report(&self.store, &reader, wanted).await?;
        Ok(RegularLetter {
            letter: Letter {
                id: DeliveryId(random::uuid()),
                sent_at: wanted.now,
                to: account.email.clone(),
                text: report.text(),
            },
            unsubscribe: reader.unsubscribe,
        })
    }

    fn count(&self, outcome: &'static str) {
        let label = ReportLabel { outcome };
        self.metrics.reports.get_or_create(&label).inc();
    }
}

/// What is stored of a person's choice at `now`. `zone` is the name of their time zone.
pub(crate) fn wish(
    rhythm: Option<Rhythm>,
    hour: u8,
    zone: Option<&str>,
    now: UnixMicros,
    fresh_secret: &str,
) -> Wish {
    Wish {
        rhythm,
        hour,
        next_at: rhythm.map(|rhythm| Timetable::new(rhythm, hour, zone).next_after(now)),
        fresh_secret: fresh_secret.to_owned(),
    }
}

/// A secret for the links of reports.
pub(crate) fn new_secret() -> String {
    random::key(SECRET_PREFIX)
}

/// An account's clocks are those of another zone from now on, and so are its reports.
pub(crate) fn follow_zone(
    sql: &mut dyn Sql,
    account: Uuid,
    zone: Option<&str>,
    now: UnixMicros,
) -> nightbeat_store::Result<()> {
    let Some(report) = reports::get(sql, account)? else {
        return Ok(());
    };
    let Some(rhythm) = report.rhythm else {
        return Ok(());
    };
    let next_at = Timetable::new(rhythm, report.hour, zone).next_after(now);
    if report.next_at == Some(next_at) {
        return Ok(());
    }
    reports::move_to(sql, account, next_at)
}

/// Claims an account's report, where it is due.
fn claim(
    sql: &mut dyn Sql,
    account: Uuid,
    now: UnixMicros,
) -> nightbeat_store::Result<Option<Claimed>> {
    let Some(report) = reports::get(sql, account)? else {
        return Ok(None);
    };
    let (Some(rhythm), Some(next_at)) = (report.rhythm, report.next_at) else {
        return Ok(None);
    };
    let Some(account) = accounts::get(sql, account)?.filter(|_| next_at <= now) else {
        return Ok(None);
    };
    let row = (account.id, report.claim);
    let timetable = Timetable::new(rhythm, report.hour, account.time_zone.as_deref());
    // It may be somebody else's address, who never asked for anything.
    let is_known = account.verified_at.is_some();
    let Some(period) = timetable.due(report.told_until, now).filter(|_| is_known) else {
        reports::put_off(sql, row, timetable.next_after(now))?;
        return Ok(None);
    };
    if report.attempts as usize > PAUSES.len() {
        // Each try ended with its server.
        tracing::error!(account = %account.id, "a report is given up: no try came to an end");
        reports::put_off(sql, row, timetable.next_after(now))?;
        return Ok(None);
    }
    if !reports::claim(sql, row, now, now + LEASE)? {
        return Ok(None);
    }
    Ok(Some(Claimed {
        account,
        report,
        rhythm,
        timetable,
        period,
        now,
    }))
}

/// The same for each try of one report.
fn id_of(claimed: &Claimed) -> DeliveryId {
    let mut hash = Sha256::new();
    hash.update(claimed.account.id.as_bytes());
    hash.update(claimed.period.to.0.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    DeliveryId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
