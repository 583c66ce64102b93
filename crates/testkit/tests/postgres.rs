//! The tests' PostgreSQL.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::process::Command;

use nightbeat_testkit::postgres::{self, Cluster, Rows, Settings, Shutdown};

const DURABLE: Settings = Settings {
    durable: true,
    tcp: false,
    conf: &[],
    files: &[],
};

fn first(rows: &Rows) -> &str {
    rows[0][0].as_deref().unwrap()
}

#[test]
fn each_test_has_a_database_of_its_own() {
    let (one, other) = (postgres::database(), postgres::database());
    one.run("CREATE TABLE heartbeat (id bigint)");
    other.run("CREATE TABLE heartbeat (id bigint)");
    one.run("INSERT INTO heartbeat VALUES (7)");
    assert_eq!(first(&one.run("SELECT count(*) FROM heartbeat")), "1");
    assert_eq!(first(&other.run("SELECT count(*) FROM heartbeat")), "0");
}

#[test]
fn a_database_is_gone_with_its_test_whoever_is_connected() {
    let witness = postgres::database();
    let test = postgres::database();
    let name = test.name().to_owned();
    let known = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(first(&witness.run(&known)), "1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (client, connection) = runtime
        .block_on(tokio_postgres::connect(&test.url(), tokio_postgres::NoTls))
        .unwrap();
    runtime.spawn(connection);
    drop(test);
    assert_eq!(first(&witness.run(&known)), "0");
    assert!(runtime.block_on(client.simple_query("")).is_err());
}

#[test]
fn a_prepared_database_is_filled_once_and_copied() {
    let prepare = |url: &str| {
        assert!(url.contains("preparing_counted"), "{url}");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
                .await
                .unwrap();
            let driving = tokio::spawn(connection);
            let fill = "CREATE TABLE kept AS SELECT 1 AS number";
            client.simple_query(fill).await.unwrap();
            drop(client);
            driving.await.unwrap().unwrap();
        });
    };
    let one = postgres::prepared("counted", prepare);
    one.run("INSERT INTO kept VALUES (2)");
    let other = postgres::prepared("counted", |_| panic!("it is prepared already"));
    assert_eq!(first(&one.run("SELECT count(*) FROM kept")), "2");
    assert_eq!(first(&other.run("SELECT count(*) FROM kept")), "1");
}

/// The tests run within a runtime more often than not.
#[tokio::test]
async fn it_can_be_used_within_a_runtime() {
    let database = postgres::database();
    assert_eq!(first(&database.run("SELECT 1")), "1");
}

/// Text sorts by a language, as on people's servers, where SQLite sorts by bytes.
#[test]
fn it_sorts_as_peoples_servers_do() {
    let database = postgres::database();
    let sorted = database.run("VALUES ('B'), ('a'), ('C') ORDER BY 1");
    let sorted: Vec<_> = sorted
        .iter()
        .map(|row| row[0].as_deref().unwrap())
        .collect();
    assert_eq!(sorted, ["a", "B", "C"]);
}

#[test]
fn it_does_not_run_as_root() {
    let database = postgres::database();
    // The server's own process: that of a connection is gone with it.
    let pid = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)";
    let process = first(&database.run(pid)).to_owned();
    let keeping = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let users = keeping
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap();
    assert!(
        users.split_whitespace().skip(1).all(|user| user != "0"),
        "{users}"
    );
}

#[test]
fn what_is_durable_survives_every_way_to_stop() {
    let mut cluster = Cluster::private(DURABLE);
    assert_eq!(first(&cluster.run("SHOW fsync")), "on");
    cluster.run("CREATE TABLE kept (number bigint)");
    let stops: [fn(&mut Cluster); 3] = [
        |cluster| cluster.stop(Shutdown::Fast),
        |cluster| cluster.stop(Shutdown::Immediate),
        Cluster::kill,
    ];
    for (before, stop) in stops.into_iter().enumerate() {
        cluster.run(&format!("INSERT INTO kept VALUES ({before})"));
        stop(&mut cluster);
        cluster.start();
        let count = cluster.run("SELECT count(*) FROM kept");
        assert_eq!(first(&count), (before + 1).to_string());
    }
    // Not after the fast one.
    assert_eq!(cluster.log().matches("not properly shut down").count(), 2);
}

#[test]
fn settings_are_in_force() {
    let cluster = Cluster::private(Settings {
        conf: &[("max_connections", "17"), ("application_name", "it's")],
        ..Settings::default()
    });
    assert_eq!(first(&cluster.run("SHOW max_connections")), "17");
    assert_eq!(first(&cluster.run("SHOW application_name")), "it's");
    assert_eq!(first(&cluster.run("SHOW fsync")), "off");
    assert_eq!(first(&cluster.run("SHOW listen_addresses")), "");
}

#[test]
fn over_tcp_it_asks_for_the_password_and_keeps_its_address() {
    let tcp = Settings {
        tcp: true,
        ..Settings::default()
    };
    let mut cluster = Cluster::private(tcp);
    let url = cluster.create("nightbeat");
    let connects = |url: &str| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let opened = runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls));
        opened.map(drop).map_err(|error| format!("{error:?}"))
    };
    assert_eq!(connects(&url), Ok(()));
    let wrong = connects(&url.replace(cluster.password(), "wrong")).unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    cluster.restart(Shutdown::Fast);
    assert_eq!(connects(&url), Ok(()));
}

#[test]
fn a_promoted_standby_has_what_was_committed() {
    let mut primary = Cluster::private(DURABLE);
    primary.run("CREATE TABLE kept (number bigint)");
    let standby = primary.standby();
    primary.commit_only_with(&standby);
    primary.run("INSERT INTO kept VALUES (1)");
    primary.kill();
    assert_eq!(first(&standby.run("SELECT pg_is_in_recovery()")), "t");
    standby.promote();
    assert_eq!(first(&standby.run("SELECT count(*) FROM kept")), "1");
    standby.set("synchronous_standby_names", "");
    standby.run("INSERT INTO kept VALUES (2)");
}

#[test]
fn it_is_held_still_with_its_sessions_and_goes_on() {
    let cluster = Cluster::private(Settings::default());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = cluster.url("postgres");
    let connecting = tokio_postgres::connect(&url, tokio_postgres::NoTls);
    let (client, connection) = runtime.block_on(connecting).unwrap();
    runtime.spawn(connection);
    cluster.pause();
    let asking = runtime.spawn(async move { client.simple_query("SELECT 1").await });
    // It has time enough to answer; that it does not is what is shown.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!asking.is_finished());
    cluster.resume();
    runtime.block_on(asking).unwrap().unwrap();
}

/// This test starts itself again, kills that and sees that its servers have ended.
#[test]
fn its_servers_end_with_a_test_that_is_killed() {
    const PLACE: &str = "NIGHTBEAT_TESTKIT_ENDS";
    if let Some(place) = std::env::var_os(PLACE) {
        let cluster = Cluster::private(Settings::default());
        let shared = postgres::database();
        let data = [
            cluster.run("SHOW data_directory"),
            shared.run("SHOW data_directory"),
        ];
        let folders: Vec<_> = data.iter().map(first).collect();
        std::fs::write(place, folders.join("\n")).unwrap();
        std::thread::park();
    }
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("folders");
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args([
            "its_servers_end_with_a_test_that_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(PLACE, &place)
        // A run of its own: nobody else uses its shared cluster.
        .env_remove("NEXTEST_RUN_ID")
        .spawn()
        .unwrap();
    let folders = wait_for(|| {
        let written = std::fs::read_to_string(&place).ok()?;
        (written.lines().count() == 2).then_some(written)
    });
    let server = |folder: &str| {
        let file = std::fs::read_to_string(format!("{folder}/postmaster.pid")).ok()?;
        file.lines().next()?.parse::<u32>().ok()
    };
    let servers: Vec<u32> = folders
        .lines()
        .map(|folder| server(folder).unwrap())
        .collect();
    test.kill().unwrap();
    test.wait().unwrap();
    wait_for(|| {
        let runs = |server: &u32| {
            let line = std::fs::read_to_string(format!("/proc/{server}/stat")).ok();
            line.is_some_and(|line| !line.contains(") Z "))
        };
        (!servers.iter().any(runs)).then_some(())
    });
    // The keeper clears up at once; what is left of the other goes when the next one is made.
    let shared = folders.lines().nth(1).unwrap();
    wait_for(|| (!std::path::Path::new(shared).exists()).then_some(()));
    let _next = Cluster::private(Settings::default());
    for folder in folders.lines() {
        assert!(!std::path::Path::new(folder).exists(), "{folder}");
    }
}

fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("waited for a minute");
}
