//! What an administrator does beside a running server.

use crate::support::{start, start_empty};
use nightbeat_server::admin::{self, Init, Initialised};
use nightbeat_server::config::Database;
use nightbeat_store::control::keys::{self, Scope};
use nightbeat_store::control::{accounts, projects};

/// On a thread of its own: what an administrator calls builds its own runtime.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn wish(project: &str, password: Option<&str>) -> Init {
    Init {
        email: " Ana@Example.org ".to_owned(),
        password: password.map(str::to_owned),
        project: project.to_owned(),
    }
}

async fn init(database: &Database, wish: Init) -> anyhow::Result<Initialised> {
    let database = database.clone();
    apart(move || admin::init(&database, wish)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_an_account_a_project_and_its_keys_beside_a_running_server() {
    let (server, folder) = start_empty(|_| {}).await;
    let database = Database::Sqlite(folder.path().join("nightbeat.db"));
    let first = init(&database, wish("Home", Some("correct horse")))
        .await
        .unwrap();
    let second = init(&database, wish("Work", None)).await.unwrap();
    assert_ne!(first.project_id, second.project_id);

    let (project, ping_key) = (first.project_id, first.ping_key.clone());
    let hashes =
        [&first.api_key, &first.read_only_key].map(|key| nightbeat_server::accounts::key_hash(key));
    let reading = server.store().read(move |sql| {
        let account = accounts::by_email(sql, "ana@example.org")?.expect("the account");
        assert_eq!(
            accounts::projects_of(sql, account.id)?.len(),
            2,
            "one account, two projects"
        );
        let hash = account
            .password_hash
            .expect("init without a password leaves it alone");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert_eq!(
            projects::by_ping_key(sql, &ping_key)?
                .expect("the project")
                .id,
            project
        );
        let scopes = hashes.map(|hash| keys::find_by_hash(sql, &hash).unwrap().unwrap().scope);
        assert_eq!(scopes, [Scope::ReadWrite, Scope::ReadOnly]);
        Ok(())
    });
    reading.await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn init_works_without_a_server_and_makes_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("new/folder/nightbeat.db"));
    init(&database, wish("Home", Some("correct horse")))
        .await
        .unwrap();
    assert_eq!(
        apart(move || admin::check(&database)).await.unwrap(),
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn init_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("nightbeat.db"));
    let long = "p".repeat(1_001);
    let name = "n".repeat(101);
    for (email, password, project, problem) in [
        (
            "ana",
            "correct horse",
            "Home",
            "write the e-mail address like this: name@example.org",
        ),
        (
            "a@b@c",
            "correct horse",
            "Home",
            "write the e-mail address like this: name@example.org",
        ),
        (
            "a b@c",
            "correct horse",
            "Home",
            "write the e-mail address like this: name@example.org",
        ),
        (
            "a@b",
            "seven77",
            "Home",
            "a password has at least 8 characters; 15 or more are better",
        ),
        ("a@b", &long, "Home", "a password has at most 1000 bytes"),
        (
            "a@b",
            "correct horse",
            " ",
            "the project's name is 1 to 100 characters, in one line",
        ),
        (
            "a@b",
            "correct horse",
            &name,
            "the project's name is 1 to 100 characters, in one line",
        ),
        (
            "a@b",
            "correct horse",
            "a\nb",
            "the project's name is 1 to 100 characters, in one line",
        ),
    ] {
        let wish = Init {
            email: email.to_owned(),
            password: Some(password.to_owned()),
            project: project.to_owned(),
        };
        let error = init(&database, wish).await.unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_what_was_signalled_and_replaces_nothing() {
    let nightbeat = start(|_| {}).await;
    nightbeat.heartbeat("backup").await;
    let database = nightbeat.database();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let (from, into) = (database.clone(), to.clone());
    apart(move || admin::backup(&from, &into, false))
        .await
        .unwrap();

    let copy = nightbeat_store::Store::open_sqlite(&to, nightbeat_store::Opener::Tool)
        .unwrap()
        .store;
    let project = nightbeat.project();
    let found =
        copy.read(move |sql| nightbeat_store::control::heartbeats::by_slug(sql, project, "backup"));
    assert!(matches!(
        found.await.unwrap(),
        nightbeat_store::control::heartbeats::BySlug::One(_)
    ));

    let again = apart(move || admin::backup(&database, &to, false)).await;
    assert!(again.unwrap_err().to_string().contains("it exists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_path_is_not_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("typo.db");
    let database = Database::Sqlite(path.clone());
    let error = apart(move || admin::check(&database)).await.unwrap_err();
    assert!(
        error.to_string().starts_with("there is no database at "),
        "{error}"
    );
    assert!(!path.exists());
}
