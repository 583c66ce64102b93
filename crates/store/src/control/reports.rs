//! Reports by mail: who wants them, and when the next one is due. What stands in one is read by
//! [`figures`](super::figures).
//!
//! Whoever sends one claims it for a while, as with deliveries: a claim makes the one before it void. At the
//! point of no return, right before the mail server is given the mail, [`hand_over`] makes it durable that
//! this report is told: nobody sends it a second time, whatever happens then.

use nightbeat_domain::UnixMicros;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::query::select;
use crate::Result;
use crate::fields::Fields;
use crate::sql::{Row, Sql};

/// How often a report is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rhythm {
    /// Each day.
    Daily,
    /// Each Monday.
    Weekly,
    /// On the first of each month.
    Monthly,
}

impl Rhythm {
    /// Its name in pages and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

/// What is known of the reports of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The account.
    pub account: Uuid,
    /// How often it gets one; `None`: it wants none.
    pub rhythm: Option<Rhythm>,
    /// At which hour, 0 to 23, by the clocks of its time zone.
    pub hour: u8,
    /// Stands in the links that end the reports: who knows it may end them, and nothing else.
    pub secret: String,
    /// When the next one is due or tried again, or when the claim on it runs out.
    pub next_at: Option<UnixMicros>,
    /// The end of the time that the last one told of; `None`: none yet in this rhythm.
    pub told_until: Option<UnixMicros>,
    /// Grows with each claim.
    pub claim: i64,
    /// How often the one that is due was tried.
    pub attempts: u32,
    /// When the last one was handed to the mail server.
    pub sent_at: Option<UnixMicros>,
    /// Why the last one did not arrive, or may not have.
    pub problem: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report")
            .field("account", &self.account)
            .field("rhythm", &self.rhythm)
            .field("hour", &self.hour)
            .field("next_at", &self.next_at)
            .field("told_until", &self.told_until)
            .field("claim", &self.claim)
            .field("attempts", &self.attempts)
            .field("sent_at", &self.sent_at)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

/// What an account wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// How often; `None`: never.
    pub rhythm: Option<Rhythm>,
    /// At which hour, 0 to 23.
    pub hour: u8,
    /// When the first one is due; `None` where it wants none.
    pub next_at: Option<UnixMicros>,
    /// The secret of its links, where it has none yet.
    pub fresh_secret: String,
}

/// What a try left behind that did not tell anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// [`Report::told_until`] as it was before.
    pub told_until: Option<UnixMicros>,
    /// [`Report::sent_at`] as it was before.
    pub sent_at: Option<UnixMicros>,
    /// How often it was tried; 0 where it is given up.
    pub attempts: u32,
    /// When to try again; where it is given up, when the next one is due.
    pub next_at: UnixMicros,
    /// What went wrong.
    pub problem: String,
}

const COLUMNS: [&str; 10] = [
    "report.account",
    "report.rhythm",
    "report.hour",
    "report.secret",
    "report.next_at",
    "report.told_until",
    "report.claim",
    "report.attempts",
    "report.sent_at",
    "report.problem",
];

/// What is known of an account's reports; `None`: it never wanted any.
pub fn get(sql: &mut dyn Sql, account: Uuid) -> Result<Option<Report>> {
    let query = select(&COLUMNS, "FROM report WHERE report.account = $1");
    let row = sql.first(&query, &[account.into()])?;
    row.as_ref().map(read).transpose()
}

/// The reports whose links carry this secret.
pub fn by_secret(sql: &mut dyn Sql, secret: &str) -> Result<Option<Report>> {
    let query = select(&COLUMNS, "FROM report WHERE report.secret = $1");
    let row = sql.first(&query, &[secret.into()])?;
    row.as_ref().map(read).transpose()
}

/// Stores a wish. A report that is under way under another wish is not sent; in another rhythm, the next one
/// tells of one period.
pub fn choose(sql: &mut dyn Sql, account: Uuid, wish: &Wish) -> Result<()> {
    sql.execute(
        "INSERT INTO report (account, rhythm, hour, secret, next_at, claim, attempts)
         VALUES ($1, $2, $3, $4, $5, 0, 0)
         ON CONFLICT (account) DO UPDATE
            SET rhythm = excluded.rhythm, hour = excluded.hour, next_at = excluded.next_at,
                told_until = CASE WHEN report.rhythm = excluded.rhythm THEN report.told_until END,
                claim = report.claim + 1, attempts = 0, problem = NULL",
        &[
            account.into(),
            wish.rhythm.map(Rhythm::as_str).into(),
            i64::from(wish.hour).into(),
            wish.fresh_secret.as_str().into(),
            wish.next_at.into(),
        ],
    )?;
    Ok(())
}

/// Ends the reports whose links carry this secret; whether there are such, also where they had ended.
pub fn end(sql: &mut dyn Sql, secret: &str) -> Result<bool> {
    let ended = sql.execute(
        "UPDATE report SET rhythm = NULL, next_at = NULL, told_until = NULL, claim = claim + 1, attempts = 0
          WHERE secret = $1",
        &[secret.into()],
    )?;
    Ok(ended > 0)
}

/// The next report is due then: the account's clocks are others now. One that is under way is not sent; its
/// time is told with the next.
pub fn move_to(sql: &mut dyn Sql, account: Uuid, next_at: UnixMicros) -> Result<()> {
    sql.execute(
        "UPDATE report SET next_at = $2, claim = claim + 1, attempts = 0
          WHERE account = $1 AND rhythm IS NOT NULL",
        &[account.into(), next_at.into()],
    )?;
    Ok(())
}

/// The accounts whose reports are due, those that wait longest first; at most `limit`.
pub fn due(sql: &mut dyn Sql, now: UnixMicros, limit: u32) -> Result<Vec<Uuid>> {
    let rows = sql.query(
        "SELECT report.account FROM report WHERE report.next_at <= $1
         ORDER BY report.next_at, report.account LIMIT $2",
        &[now.into(), limit.into()],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Claims a report that is due until `lease_until`; false when someone else has. `claim` is the row's as it
/// was read; the claim that was made is the next number.
pub fn claim(
    sql: &mut dyn Sql,
    (account, claim): (Uuid, i64),
    now: UnixMicros,
    lease_until: UnixMicros,
) -> Result<bool> {
    // Counted before it is sent: one that crashes its sender is not tried for ever.
    let claimed = sql.execute(
        "UPDATE report SET claim = claim + 1, attempts = attempts + 1, next_at = $4
          WHERE account = $1 AND claim = $2 AND next_at <= $3",
        &[account.into(), claim.into(), now.into(), lease_until.into()],
    )?;
    Ok(claimed > 0)
}

/// Nothing is due yet: the next report is then.
pub fn put_off(
    sql: &mut dyn Sql,
    (account, claim): (Uuid, i64),
    next_at: UnixMicros,
) -> Result<()> {
    sql.execute(
        "UPDATE report SET next_at = $3, attempts = 0 WHERE account = $1 AND claim = $2",
        &[account.into(), claim.into(), next_at.into()],
    )?;
    Ok(())
}

/// What is under way under this claim, of the time until `told_until`, is told from now on, and the next one
/// is due at `next_at`. False: it must not be sent. The claim is void, or nobody wants it any more.
pub fn hand_over(
    sql: &mut dyn Sql,
    (account, claim): (Uuid, i64),
    told_until: UnixMicros,
    next_at: UnixMicros,
    now: UnixMicros,
) -> Result<bool> {
    let told = sql.execute(
        "UPDATE report SET told_until = $3, next_at = $4, attempts = 0, sent_at = $5, problem = NULL
          WHERE account = $1 AND claim = $2 AND rhythm IS NOT NULL",
        &[
            account.into(),
            claim.into(),
            told_until.into(),
            next_at.into(),
            now.into(),
        ],
    )?;
    Ok(told > 0)
}

/// A try under this claim told nobody anything, whether it was handed over or not.
pub fn untold(sql: &mut dyn Sql, (account, claim): (Uuid, i64), what: &Untold) -> Result<()> {
    sql.execute(
        "UPDATE report SET told_until = $3, sent_at = $4, attempts = $5, next_at = $6, problem = $7
          WHERE account = $1 AND claim = $2 AND rhythm IS NOT NULL",
        &[
            account.into(),
            claim.into(),
            what.told_until.into(),
            what.sent_at.into(),
            what.attempts.into(),
            what.next_at.into(),
            what.problem.as_str().into(),
        ],
    )?;
    Ok(())
}

/// It was handed over under this claim, and nobody knows whether it arrived.
pub fn in_doubt(sql: &mut dyn Sql, (account, claim): (Uuid, i64), problem: &str) -> Result<()> {
    sql.execute(
        "UPDATE report SET problem = $3 WHERE account = $1 AND claim = $2",
        &[account.into(), claim.into(), problem.into()],
    )?;
    Ok(())
}

fn read(row: &Row) -> Result<Report> {
    let fields = Fields::new(&COLUMNS, row);
    let hour: i64 = fields.get("report.hour")?;
    let rhythm: Option<String> = fields.get("report.rhythm")?;
    Ok(Report {
        account: fields.get("report.account")?,
        rhythm: match rhythm {
            Some(_) => Some(fields.named("report.rhythm")?),
            None => None,
        },
        hour: u8::try_from(hour)
            .ok()
            .filter(|hour| *hour < 24)
            .ok_or_else(|| fields.broken("report.hour", "is not an hour of the day"))?,
        secret: fields.get("report.secret")?,
        next_at: fields.get("report.next_at")?,
        told_until: fields.get("report.told_until")?,
        claim: fields.get("report.claim")?,
        attempts: fields.get("report.attempts")?,
        sent_at: fields.get("report.sent_at")?,
        problem: fields.get("report.problem")?,
    })
}
