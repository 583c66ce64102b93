//! A backup as people really run it: Debian's cron, restic, curl. Three jobs at once, each once a minute: one
//! that is well, one whose restic cron cannot find, one whose disk is full.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nightbeat_testkit::{
    Admin, Heartbeat, RealCron, Received, Receiver, Setup, SmallDisk, instant, is_root, until,
};

/// How often the jobs run, in seconds: cron knows nothing shorter.
const EVERY: u64 = 60;

/// Longer than a machine with too much to do is late with a job that ran, in seconds.
const GRACE: u64 = 30;

/// Two minutes of cron, and room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(200);

/// Whom the alert reached how long after it was decided: generous, it only has to be said at once.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(20);

/// A job: its folder, with a script and a repository.
struct Job {
    heartbeat: Heartbeat,
    folder: PathBuf,
}

impl Job {
    /// Writes the script that people write, with this restic and this repository.
    fn new(heartbeat: Heartbeat, folder: &Path, restic: &str, repository: &Path) -> Self {
        fs::create_dir_all(folder.join("precious")).unwrap();
        fs::write(folder.join("precious/file"), heartbeat.name.as_bytes()).unwrap();
        let script = format!(
            "#!/usr/bin/env bash\n\
             set -euo pipefail\n\
             export RESTIC_REPOSITORY={repository} RESTIC_PASSWORD=secret RESTIC_CACHE_DIR={cache}\n\
             {restic} backup {precious}\n\
             curl -fsS {url} > /dev/null\n",
            repository = repository.display(),
            cache = folder.join("cache").display(),
            precious = folder.join("precious").display(),
            url = heartbeat.ping_url,
        );
        let job = Self {
            heartbeat,
            folder: folder.to_owned(),
        };
        fs::write(job.script(), script).unwrap();
        fs::set_permissions(job.script(), Permissions::from_mode(0o755)).unwrap();
        let made = Command::new("restic")
            .args(["init", "--repo"])
            .arg(repository)
            .env("RESTIC_PASSWORD", "secret")
            .env("RESTIC_CACHE_DIR", folder.join("cache"))
            .output()
            .expect("restic is installed: ./test does that");
        assert!(made.status.success(), "{made:?}");
        job
    }

    fn script(&self) -> PathBuf {
        self.folder.join("backup.sh")
    }

    /// What the job said, for whoever reads a failure.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn crontab_line(&self) -> String {
        let (script, log) = (self.script(), self.log());
        format!(
            "* * * * * root {} >> {} 2>&1\n",
            script.display(),
            log.display()
        )
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

/// A second name for restic in a folder on cron's PATH, which the test may take away without taking restic
/// from everybody.
struct ResticOnPath {
    name: String,
}

impl ResticOnPath {
    /// On cron's PATH: it is `/usr/bin:/bin`.
    const REACHED: &str = "/usr/bin";
    /// Where what people install themselves lies. Found in a shell, not by cron.
    const NOT_REACHED: &str = "/usr/local/bin";

    fn new() -> Self {
        let name = format!("nightbeat-test-restic-{}", std::process::id());
        let it = Self { name };
        std::os::unix::fs::symlink("/usr/bin/restic", it.in_folder(Self::REACHED)).unwrap();
        it
    }

    fn in_folder(&self, folder: &str) -> PathBuf {
        Path::new(folder).join(&self.name)
    }

    fn take_from_cron(&self) {
        let moved = (
            self.in_folder(Self::REACHED),
            self.in_folder(Self::NOT_REACHED),
        );
        fs::rename(moved.0, moved.1).unwrap();
    }

    fn give_back(&self) {
        let moved = (
            self.in_folder(Self::NOT_REACHED),
            self.in_folder(Self::REACHED),
        );
        fs::rename(moved.0, moved.1).unwrap();
    }
}

impl Drop for ResticOnPath {
    fn drop(&mut self) {
        for folder in [Self::REACHED, Self::NOT_REACHED] {
            // It is in one of the two.
            let _ = fs::remove_file(self.in_folder(folder));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_cron_job_that_stops_working_is_told_and_so_is_its_recovery() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(8 * 1024);
    let restic = ResticOnPath::new();
    let setup = Setup::new(env!("CARGO_BIN_EXE_nightbeat"));
    let admin = setup.init();
    let server = setup.start().await;
    let receiver = Receiver::start().await;
    admin.webhook("pager", &receiver.url()).await;

    let fine = Job::new(
        admin.every("fine", EVERY, GRACE).await,
        &folder.path().join("fine"),
        "restic",
        &folder.path().join("fine/repository"),
    );
    let lost = Job::new(
        admin.every("lost", EVERY, GRACE).await,
        &folder.path().join("lost"),
        &restic.name,
        &folder.path().join("lost/repository"),
    );
    let full = Job::new(
        admin.every("full", EVERY, GRACE).await,
        &folder.path().join("full"),
        "restic",
        &disk.path().join("repository"),
    );
    let jobs = [&fine, &lost, &full];
    let crontab: String = jobs.map(Job::crontab_line).concat();
    let _cron = RealCron::with(&crontab);

    // (a) It runs, the heartbeat is up.
    first_signals(&admin, &jobs).await;
    for job in jobs {
        admin.until_status(&job.heartbeat, "up").await;
    }
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());

    // (b) restic is where cron does not look; (c) the disk is full.
    restic.take_from_cron();
    disk.fill();
    receiver
        .until_within(PATIENCE, "both are told to be down", |all| {
            let told = |name| {
                all.iter()
                    .any(|one| one.event() == "down" && one.heartbeat() == name)
            };
            told("lost") && told("full")
        })
        .await;
    assert!(lost.said().contains("command not found"), "{}", lost.said());
    assert!(
        full.said().contains("no space left on device"),
        "{}",
        full.said()
    );
    for job in [&lost, &full] {
        told_within_a_second(&admin, &receiver, &job.heartbeat).await;
    }

    // Mended: cron's next minute brings them back.
    restic.give_back();
    disk.free();
    receiver
        .until_within(PATIENCE, "both are told to be up", |all| {
            let told = |name| {
                all.iter()
                    .any(|one| one.event() == "up" && one.heartbeat() == name)
            };
            told("lost") && told("full")
        })
        .await;
    for job in jobs {
        admin.until_status(&job.heartbeat, "up").await;
    }
    let told = receiver.received();
    let of = |name: &str| -> Vec<&str> {
        let about = told.iter().filter(|one| one.heartbeat() == name);
        about.map(Received::event).collect()
    };
    assert_eq!(of("fine"), Vec::<&str>::new(), "{}", fine.said());
    assert_eq!(of("lost"), ["down", "up"]);
    assert_eq!(of("full"), ["down", "up"]);
    drop(server);
}

/// Waits until each job has signalled: cron begins with the next minute.
async fn first_signals(admin: &Admin, jobs: &[&Job]) {
    for job in jobs {
        let mut looks = 0;
        loop {
            if !admin.show(&job.heartbeat).await["last_signal_at"].is_null() {
                break;
            }
            looks += 1;
            let patience = PATIENCE.as_millis() / 200;
            assert!(
                looks < patience,
                "{} never ran: {}",
                job.heartbeat.name,
                job.said()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The alert was decided within a second of the deadline, and reached its receiver.
async fn told_within_a_second(admin: &Admin, receiver: &Receiver, heartbeat: &Heartbeat) {
    let shown = admin.show(heartbeat).await;
    let last_signal = instant(&shown["last_signal_at"]);
    let deadline = last_signal + Duration::from_secs(EVERY + GRACE);
    let down = until("the delivery is marked as sent", async || {
        let deliveries = admin.deliveries(heartbeat).await;
        deliveries
            .into_iter()
            .find(|one| one["event"] == "down" && one["state"] == "sent")
    })
    .await;
    let decided = instant(&down["created_at"]);
    let arrived = receiver.told("down", &heartbeat.name).await.at;
    assert!(decided >= deadline, "{} was told too early", heartbeat.name);
    let late = decided.since(deadline);
    println!(
        "{}: decided {late:?} after the deadline, arrived after {:?}",
        heartbeat.name,
        arrived.since(deadline)
    );
    assert!(
        late <= Duration::from_secs(1),
        "decided {late:?} after the deadline"
    );
    assert!(arrived.since(decided) <= ON_ITS_WAY_MAX);
}
