//! Accounts, projects and their keys: what `nightbeat init` and the setup page create.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use nightbeat_domain::{ProjectId, UnixMicros};
use nightbeat_store::control::accounts::{self, Account, Role};
use nightbeat_store::control::keys::{self, Key, Scope};
use nightbeat_store::control::projects::{self, Project};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Store, StoreError};
use sha2::{Digest, Sha256};

use crate::random;

/// The shortest password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password: hashing takes as long as the text.
pub const PASSWORD_BYTES_MAX: usize = 1_000;
/// The longest e-mail address (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
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
    #[error("the password could not be hashed: {0}")]
    Password(argon2::password_hash::Error),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored of a key: its SHA-256. It carries 256 random bits, so nothing can be guessed from it.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Creates an account where the address has none (else gives it the password, where there is one), a
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
        Some(password) => Some(hashed(password).await?),
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
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let halves = init.email.split_once('@');
    let is_address = halves
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if !is_address || init.email.len() > EMAIL_BYTES_MAX || !init.email.chars().all(plain) {
        return refused("write the e-mail address like this: name@example.org");
    }
    if !(1..=PROJECT_CHARS_MAX).contains(&init.project.chars().count())
        || init.project.contains(char::is_control)
    {
        return refused("the project's name is 1 to 100 characters, in one line");
    }
    if let Some(password) = &init.password {
        if password.chars().count() < PASSWORD_CHARS_MIN {
            return refused("a password has at least 8 characters; 15 or more are better");
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return refused("a password has at most 1000 bytes");
        }
    }
    Ok(init)
}

/// argon2id with the library's parameters (19 MiB, two passes: OWASP's and its own), off the async threads.
async fn hashed(password: String) -> Result<String, InitError> {
    let hashing =
        tokio::task::spawn_blocking(move || Argon2::default().hash_password(password.as_bytes()));
    match hashing.await {
        Ok(hash) => hash
            .map(|hash| hash.to_string())
            .map_err(InitError::Password),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

fn insert(
    sql: &mut dyn Sql,
    init: &Init,
    password_hash: Option<&str>,
    now: UnixMicros,
) -> nightbeat_store::Result<Initialised> {
    let account = if let Some(account) = accounts::by_email(sql, &init.email)? {
        if password_hash.is_some() {
            accounts::set_password_hash(sql, account.id, password_hash)?;
        }
        account.id
    } else {
        let id = random::uuid();
        let email = init.email.clone();
        accounts::create(
            sql,
            &Account {
                id,
                email,
                password_hash: password_hash.map(str::to_owned),
                created_at: now,
            },
        )?;
        id
    };
    let project = Project {
        id: ProjectId(random::uuid()),
        name: init.project.clone(),
        ping_key: random::key("nb_p_"),
        fallback_channel: None,
        created_at: now,
    };
    projects::create(sql, &project)?;
    accounts::set_member(sql, project.id, account, Role::Owner)?;
    Ok(Initialised {
        project_id: project.id,
        api_key: insert_key(sql, project.id, Scope::ReadWrite, now)?,
        read_only_key: insert_key(sql, project.id, Scope::ReadOnly, now)?,
        ping_key: project.ping_key,
    })
}

fn insert_key(
    sql: &mut dyn Sql,
    project: ProjectId,
    scope: Scope,
    now: UnixMicros,
) -> nightbeat_store::Result<String> {
    let text = random::key("nb_k_");
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
