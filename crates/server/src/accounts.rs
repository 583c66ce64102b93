//! Accounts, projects and their keys: what `nightbeat init` and the setup page create.

pub mod members;
pub mod oidc;
pub mod passkeys;
pub mod passwords;
pub mod second_step;
pub mod throttle;

use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_store::control::accounts::{self, Account, Role, Theme};
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Store, StoreError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::random;
use passwords::{PasswordError, Passwords};

/// The longest e-mail address (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
/// What API keys begin with, so that scanners find a leaked one.
pub const API_KEY_PREFIX: &str = "nb_k_";
/// What ping keys begin with.
pub const PING_KEY_PREFIX: &str = "nb_p_";
/// The longest name of a project.
pub const PROJECT_CHARS_MAX: usize = 100;

/// The first account and project of a server, or further ones.
#[derive(Clone)]
pub struct Init {
    /// The account's e-mail address.
    pub email: String,
    /// Its password; without one it cannot sign in by password.
    pub password: Option<String>,
    /// The project's name.
    pub project: String,
}

/// What was created. The keys are shown this once: of the API keys only hashes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// The account that owns the project.
    pub account: Uuid,
    /// The project.
    pub project_id: ProjectId,
    /// May read and change everything in it.
    pub api_key: String,
    /// May read.
    pub read_only_key: String,
    /// Opens the project's slug URLs.
    pub ping_key: String,
}

/// Why nothing was created.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// What was asked for is not possible; the text says what is.
    #[error("{0}")]
    Refused(&'static str),
    /// The password could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored of a key: its SHA-256. It carries 256 random bits, so nothing can be guessed from it.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Creates an account where the address has none (else gives it the password, where there is one; an account whose
/// address was never confirmed is handed over: what opened it so far opens it no more), a
/// project of its own and the project's keys. All of it, or nothing. With `only_first`, refuses where
/// the server has a project already.
pub async fn create(
    store: &Store,
    init: Init,
    only_first: bool,
    now: UnixMicros,
) -> Result<Initialised, InitError> {
    let init = checked(init)?;
    let password_hash = match init.password.clone() {
        Some(password) => Some(Passwords::default().hash(password).await?),
        None => None,
    };
    let created = store.write(move |sql| {
        if only_first && projects::count(sql)? > 0 {
            return Ok(None);
        }
        insert(sql, &init, password_hash.as_deref(), now).map(Some)
    });
    created
        .await?
        .ok_or(InitError::Refused("this server has been set up already"))
}

fn checked(mut init: Init) -> Result<Init, InitError> {
    let refused = |text| Err(InitError::Refused(text));
    init.email = accounts::email_key(&init.email);
    init.project = init.project.trim().to_owned();
    if let Some(problem) = email_problem(&init.email) {
        return refused(problem);
    }
    if let Some(problem) = project_name_problem(&init.project) {
        return refused(problem);
    }
    if let Some(problem) = init.password.as_deref().and_then(passwords::problem) {
        return refused(problem);
    }
    Ok(init)
}

/// What is wrong with an e-mail address, as [`accounts::email_key`] writes it.
pub fn email_problem(email: &str) -> Option<&'static str> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let halves = email.split_once('@');
    let is_address = halves
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    let is_fine = is_address && email.len() <= EMAIL_BYTES_MAX && email.chars().all(plain);
    (!is_fine).then_some("write the e-mail address like this: name@example.org")
}

/// What is wrong with the name of a project, without white space around it.
pub fn project_name_problem(name: &str) -> Option<&'static str> {
    let is_fine =
        (1..=PROJECT_CHARS_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
    (!is_fine).then_some("the project's name is 1 to 100 characters, in one line")
}

fn insert(
    sql: &mut dyn Sql,
    init: &Init,
    password_hash: Option<&str>,
    now: UnixMicros,
) -> nightbeat_store::Result<Initialised> {
    let account = if let Some(account) = accounts::by_email(sql, &init.email)? {
        // Whoever runs this server says whose address it is; who made the account so far is not known.
        if account.verified_at.is_none() {
            accounts::hand_over(sql, account.id, now)?;
        }
        if password_hash.is_some() {
            accounts::set_password_hash(sql, account.id, password_hash)?;
        }
        account.id
    } else {
        let account = verified_account(&init.email, password_hash.map(str::to_owned), now);
        accounts::create(sql, &account)?;
        account.id
    };
    let project = insert_project(sql, &init.project, account, now)?;
    Ok(Initialised {
        account,
        project_id: project.id,
        api_key: insert_key(sql, project.id, Scope::ReadWrite, now)?,
        read_only_key: insert_key(sql, project.id, Scope::ReadOnly, now)?,
        ping_key: project.ping_key,
    })
}

/// An account with this address, which is not stored yet. Whoever makes it has only said that the address is theirs.
pub fn new_account(email: &str, password_hash: Option<String>, now: UnixMicros) -> Account {
    Account {
        id: random::uuid(),
        email: accounts::email_key(email),
        password_hash,
        created_at: now,
        verified_at: None,
        theme: Theme::System,
        time_zone: None,
    }
}

/// The same of somebody whose address it is for sure: they opened a link that was mailed to it, somebody whom the
/// operator trusts says so, or the operator makes the account.
pub fn verified_account(email: &str, password_hash: Option<String>, now: UnixMicros) -> Account {
    Account {
        verified_at: Some(now),
        ..new_account(email, password_hash, now)
    }
}

/// Creates a project that belongs to an account.
pub fn insert_project(
    sql: &mut dyn Sql,
    name: &str,
    owner: Uuid,
    now: UnixMicros,
) -> nightbeat_store::Result<Project> {
    let project = Project {
        id: ProjectId(random::uuid()),
        name: name.to_owned(),
        ping_key: random::key(PING_KEY_PREFIX),
        fallback_channel: None,
        created_at: now,
    };
    projects::create(sql, &project)?;
    accounts::set_member(sql, project.id, owner, Role::Owner)?;
    Ok(project)
}

fn insert_key(
    sql: &mut dyn Sql,
    project: ProjectId,
    scope: Scope,
    now: UnixMicros,
) -> nightbeat_store::Result<String> {
    let text = random::key(API_KEY_PREFIX);
    let key = Key {
        id: random::uuid(),
        name: format!("first {} key", scope.as_str()),
        scope,
        created_at: now,
        last_used_at: None,
    };
    keys::insert(sql, project, &key, &key_hash(&text))?;
    Ok(text)
}
