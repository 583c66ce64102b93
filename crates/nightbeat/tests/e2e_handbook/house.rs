//! A reader of the handbook: a folder that stands for their machine, in which what a page says is done.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nightbeat_testkit::postgres::{self, Database};
use nightbeat_testkit::{Admin, Binary, Heartbeat, Setup};
use tempfile::TempDir;

use crate::page::{Page, Way};

const NIGHTBEAT: &str = env!("CARGO_BIN_EXE_nightbeat");

/// Where the pages put things, and where in the folder that is. Of two that fit, the earlier one counts.
const PLACES: [(&str, &str); 6] = [
    ("/usr/local/bin:/usr/bin:/bin", "/bin:/usr"),
    ("/usr/local/bin/", "/bin/"),
    ("/srv/", "/srv/"),
    ("/mnt/", "/mnt/"),
    ("/etc/", "/etc/"),
    ("/var/", "/var/"),
];

/// What is there before anybody reads a page.
const DATA: &str = "mkdir -p srv/data srv/mail srv/backup mnt/nas mnt/remote etc/nightbeat etc/restic etc/borg var home bin
head -c 600000 /dev/urandom | split -b 5000 -a 3 -d - srv/data/file-
head -c 20000 /dev/urandom | split -b 5000 -a 3 -d - srv/mail/file-
echo a-password-of-a-test | tee etc/restic/password etc/borg/passphrase > /dev/null
printf '[nas]\\ntype = alias\\nremote = /mnt/remote\\n' > etc/rclone.conf";

/// A server for all houses of a page.
pub(crate) struct Town {
    admin: Admin,
    server: Binary,
    houses: AtomicUsize,
}

impl Town {
    pub(crate) async fn start() -> Self {
        let setup = Setup::new(NIGHTBEAT);
        let admin = setup.init();
        let server = setup.start().await;
        Self {
            admin,
            server,
            houses: AtomicUsize::new(1),
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

/// A machine on which a page was followed.
pub(crate) struct House<'t> {
    town: &'t Town,
    way: Way,
    folder: TempDir,
    /// What is mounted in it.
    mounts: Vec<String>,
    database: Option<Database>,
    /// What is judged.
    heartbeat: Heartbeat,
}

/// What a run left behind.
pub(crate) struct Night {
    pub(crate) code: i32,
    pub(crate) output: String,
}

impl<'t> House<'t> {
    /// Follows a page.
    pub(crate) fn build(
        town: &'t Town,
        page: &Page,
        way: Way,
        made: &str,
        mounts: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = mounts.iter().map(|mount| mount.split('=').next().unwrap());
        let places = places.map(str::to_owned).collect();
        let database = (page.tool == "pg_dump").then(shop);
        let mut house = Self {
            town,
            way,
            folder,
            mounts: places,
            database,
            heartbeat: Heartbeat {
                id: nightbeat_domain::HeartbeatId(uuid::Uuid::nil()),
                name: String::new(),
                ping_url: String::new(),
            },
        };
        house.furnish(mounts);
        let number = town.houses.fetch_add(1, Ordering::Relaxed);
        let slug = format!("nightly-{}", page.tool);
        let own_slug = format!("{slug}-{number}");
        let nightly = house.create(&page.create.replace(&slug, &own_slug));
        house.write_crontab(&page.crontab.replace(&slug, &own_slug));
        house.write_unit(&page.service.replace(&slug, &own_slug), &page.timer);
        house.write_script("bin/backup.sh", &page.script, &nightly);
        house.person(&format!(". ./variables && {made}"));
        house.heartbeat = nightly;
        if way == Way::Restore {
            let (_, name) = page.create_restore.split_once("nightbeat create ").unwrap();
            let name = name.split(' ').next().unwrap();
            let create = page
                .create_restore
                .replace(name, &format!("{name}-{number}"));
            let restore = house.create(&create);
            house.write_script("bin/restore-check.sh", &page.restore, &restore);
            house.person("sh nightly");
            house.heartbeat = restore;
        }
        house
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// What a page says, as it is here.
    pub(crate) fn here(&self, text: &str) -> String {
        let root = self.folder.path().display().to_string();
        let mut here = String::new();
        let mut rest = text;
        'text: while let Some(next) = rest.chars().next() {
            for (place, at) in PLACES {
                if let Some(behind) = rest.strip_prefix(place) {
                    let paths = at.split(':').map(|path| format!("{root}{path}"));
                    here += &paths.collect::<Vec<_>>().join(":");
                    rest = behind;
                    continue 'text;
                }
            }
            here.push(next);
            rest = &rest[next.len_utf8()..];
        }
        match &self.database {
            Some(database) => here
                .replace("restore_check", &format!("{}_restored", database.name()))
                .replace("shop", database.name()),
            None => here,
        }
    }

    fn furnish(&self, mounts: &[&str]) {
        let at = |path: &str| self.folder.path().join(path);
        fs::create_dir(at("usr")).unwrap();
        for tool in fs::read_dir("/usr/bin").unwrap() {
            let tool = tool.unwrap();
            symlink(tool.path(), at("usr").join(tool.file_name())).unwrap();
        }
        self.person(DATA);
        symlink(NIGHTBEAT, at("bin/nightbeat")).unwrap();
        for mount in mounts {
            let (place, size) = mount.split_once('=').unwrap();
            self.person(&format!("/bin/mount -t tmpfs -o size={size} tmpfs {place}"));
        }
        // As "Once for each machine" says.
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/run.md");
        let page = fs::read_to_string(page).unwrap();
        let (_, toml) = page.split_once("```toml\n").unwrap();
        let toml = toml.split("```").next().unwrap();
        let toml = toml.replace("https://beats.example.org", &self.town.url());
        fs::write(at("etc/nightbeat/agent.toml"), self.here(&toml)).unwrap();
        fs::write(at("etc/nightbeat/ping.key"), &self.town.admin.ping_key).unwrap();
    }

    /// Runs the page's `nightbeat create`, which prints the line with the URL.
    fn create(&self, block: &str) -> Heartbeat {
        let mut command = self.command("sh");
        command.args(["-c", block]);
        command.env("NIGHTBEAT_URL", self.town.url());
        command.env("NIGHTBEAT_API_KEY", self.town.admin.api_key());
        let made = ended(command);
        assert_eq!(made.code, 0, "{block}: {}", made.output);
        let (_, id) = made.output.split_once("/api/heartbeat/").unwrap();
        let id = id.split_whitespace().next().unwrap();
        Heartbeat {
            id: id.parse().unwrap(),
            name: block.to_owned(),
            ping_url: format!("{}/api/heartbeat/{id}", self.town.url()),
        }
    }

    /// Takes the lines apart as cron does: variables, and a command behind five fields and a user.
    fn write_crontab(&self, block: &str) {
        let (mut variables, mut job) = (String::new(), String::new());
        for line in self.here(block).lines() {
            let name_and_value = line.split_once('=').filter(|(name, _)| {
                name.chars()
                    .all(|char| char.is_ascii_uppercase() || char == '_')
            });
            if let Some((name, value)) = name_and_value {
                variables.extend(["export ", name, "='", value, "'\n"]);
            } else {
                assert!(job.is_empty() && !line.contains('%'), "{line}");
                let fields = line.split_whitespace();
                assert_eq!(fields.clone().nth(5), Some("root"), "{line}");
                line.split_once("  root  ").unwrap().1.clone_into(&mut job);
            }
        }
        let root = self.folder.path();
        fs::write(root.join("variables"), &variables).unwrap();
        fs::write(root.join("nightly"), variables + &job + "\n").unwrap();
    }

    fn write_unit(&self, service: &str, timer: &str) {
        let units = self.folder.path().join("units");
        fs::create_dir(&units).unwrap();
        fs::write(units.join("job.service"), self.here(service)).unwrap();
        fs::write(units.join("job.timer"), timer).unwrap();
    }

    fn write_script(&self, path: &str, block: &str, heartbeat: &Heartbeat) {
        let url = "https://beats.example.org/api/heartbeat/YOUR_ID";
        assert_eq!(block.matches(url).count(), 1);
        let path = self.folder.path().join(path);
        let text = self.here(block).replace(url, &heartbeat.ping_url);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// One run, in the page's way.
    pub(crate) fn night(&self) -> Night {
        let at = |path: &str| self.folder.path().join(path).display().to_string();
        let words = match self.way {
            Way::Curl => vec![at("bin/backup.sh")],
            Way::Restore => vec![at("bin/restore-check.sh")],
            Way::Wrapper => vec!["/bin/sh".to_owned(), at("nightly")],
            Way::Unit => return self.unit(),
        };
        let mortal = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
        let before = if self.folder.path().join("mortal").exists() {
            &mortal[..]
        } else {
            &["env"]
        };
        let mut command = self.command(before[0]);
        command.args(&before[1..]).args(words);
        ended(command)
    }

    /// The unit is one that systemd takes, and its command runs where there is no HOME.
    fn unit(&self) -> Night {
        let units = self.folder.path().join("units");
        let mut verify = Command::new("systemd-analyze");
        verify.arg("verify");
        verify.args([units.join("job.service"), units.join("job.timer")]);
        match verify.output() {
            Ok(verified) => {
                let said = String::from_utf8_lossy(&verified.stderr).into_owned();
                assert!(
                    verified.status.success() && !said.contains("job."),
                    "{said}"
                );
            }
            Err(error) => eprintln!("units are not verified: {error}"),
        }
        let service = fs::read_to_string(units.join("job.service")).unwrap();
        let of = |key: &'static str| {
            let lines = service.lines();
            lines.filter_map(move |line| line.strip_prefix(key))
        };
        let [start] = of("ExecStart=").collect::<Vec<_>>()[..] else {
            panic!("one ExecStart: {service}");
        };
        let mut command = self.command("/bin/sh");
        command.args(["-c", &format!("exec {start}")]);
        command.env_remove("HOME").current_dir("/");
        for variable in of("Environment=") {
            let (name, value) = variable.trim_matches('"').split_once('=').unwrap();
            command.env(name, value);
        }
        ended(command)
    }

    /// What somebody does to the machine.
    pub(crate) fn person(&self, line: &str) {
        let mut command = self.command("/bin/sh");
        command.args(["-c", &self.here(line)]);
        let done = ended(command);
        assert_eq!(done.code, 0, "{line}: {}", done.output);
    }

    /// As cron starts commands: little in the environment, no input.
    fn command(&self, program: &str) -> Command {
        let root = self.folder.path();
        let mut command = Command::new(program);
        let path = format!("{0}/bin:{0}/usr", root.display());
        command
            .current_dir(root)
            .env_clear()
            .env("PATH", path)
            .env("HOME", root.join("home"))
            .env(
                "NIGHTBEAT_AGENT_CONFIG",
                root.join("etc/nightbeat/agent.toml"),
            )
            .env("NIGHTBEAT_SPOOL", root.join("var/spool"))
            .stdin(Stdio::null());
        if let Some(database) = &self.database {
            let elsewhere = fs::read_to_string(root.join("pghost"));
            let socket = database.socket();
            let socket = socket.parent().unwrap().display().to_string();
            command.env(
                "PGHOST",
                elsewhere.map_or(socket, |host| host.trim().to_owned()),
            );
            command.env("PGUSER", "backup");
        }
        command
    }

    /// The heartbeat's status, and what its newest alert says.
    pub(crate) async fn told(&self) -> (String, String) {
        let admin = &self.town.admin;
        let status = admin.status(&self.heartbeat).await;
        let path = format!("/heartbeats/{}/incidents", self.heartbeat.id);
        let incidents = admin.list(&path).await;
        let text = incidents.first().and_then(|it| it["text"].as_str());
        (status, text.unwrap_or_default().to_owned())
    }
}

impl Drop for House<'_> {
    fn drop(&mut self) {
        for mount in &self.mounts {
            // It may be what the page was to notice.
            let _ = Command::new("umount")
                .arg("-lq")
                .arg(self.folder.path().join(mount))
                .status();
        }
    }
}

/// A database that holds orders, and its user `backup`.
fn shop() -> Database {
    let database = postgres::database();
    database.run(
        "DO $$ BEGIN CREATE ROLE backup SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         CREATE TABLE orders AS SELECT n, md5(n::text) AS what FROM generate_series(1, 2000) n",
    );
    database
}

fn ended(mut command: Command) -> Night {
    let ended = command.output();
    let ended = ended.expect("the tool is installed: ./test does that");
    let output = [ended.stdout, ended.stderr].concat();
    Night {
        code: ended.status.code().unwrap_or(-1),
        output: String::from_utf8_lossy(&output).into_owned(),
    }
}
