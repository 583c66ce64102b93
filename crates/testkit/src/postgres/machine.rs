//! The PostgreSQL that this machine has: its programs, and the user they run as.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian puts each version: `/usr/lib/postgresql/17/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// How the folders of all clusters begin.
const PREFIX: &str = "nightbeat-pg-";

/// The path of a Unix socket has 107 bytes at most; ours ends with `nightbeat-pg-…/socket/.s.PGSQL.5432`.
const TEMPORARY_BYTES_MAX: usize = 50;

/// Whom a server must not be.
const ROOT: u32 = 0;

/// The programs of one version of PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    folder: PathBuf,
    /// The user and group of the servers, where this process is root; else they are ours.
    user: Option<(u32, u32)>,
}

impl Machine {
    /// Finds the newest version of this machine.
    pub(super) fn find() -> Self {
        let folder = debian().or_else(on_path).expect(
            "PostgreSQL is missing. On Debian: `apt-get install postgresql`, or ./test as root, which does \
             that without starting a server. Elsewhere: put `initdb` and `postgres` on the PATH",
        );
        let root = rustix::process::geteuid().as_raw() == ROOT;
        Self {
            folder,
            user: root.then(postgres_user),
        }
    }

    /// A program of PostgreSQL, as the user of the servers.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        plain(&mut command);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// The command of a server, which ends when the thread that starts it does.
    pub(super) fn server(&self) -> Command {
        let mut command = Command::new("setpriv");
        plain(&mut command);
        command.args(["--pdeathsig", "QUIT"]);
        if let Some((user, group)) = self.user {
            command.arg(format!("--reuid={user}"));
            command.arg(format!("--regid={group}"));
            command.arg("--clear-groups");
        }
        command.arg("--").arg(self.folder.join("postgres"));
        command
    }

    /// A fresh cluster in `data`, with these lines in its configuration.
    pub(super) fn initdb(&self, data: &Path, password: &str, lines: &[(&str, &str)]) {
        let password_file = data.with_extension("password");
        self.write(&password_file, password.as_bytes());
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(data);
        command.arg("--pwfile").arg(&password_file);
        command.args(["--username", "postgres", "--encoding", "UTF8"]);
        command.args(["--auth-local", "trust", "--auth-host", "scram-sha-256"]);
        command.args(["--locale", "C.UTF-8", "--no-sync"]);
        // People's servers sort by a language, and SQLite by bytes: what depends on it must show here.
        if self.knows("initdb", "--icu-locale") {
            command.args(["--locale-provider", "icu", "--icu-locale", "en-US"]);
        }
        run(&mut command);
        fs::remove_file(password_file).unwrap();
        let hosts = "local all,replication all trust\n\
                     host all,replication all 127.0.0.0/8 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), hosts).unwrap();
        let file = File::options()
            .append(true)
            .open(data.join("postgresql.conf"));
        let mut file = file.unwrap();
        for (name, value) in lines {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).unwrap();
        }
    }

    /// Makes a folder that only the servers may enter, and root.
    pub(super) fn make_folder(&self, path: &Path) {
        DirBuilder::new().mode(0o700).create(path).unwrap();
        self.give(path);
    }

    /// Writes a file that only the servers may read, and root.
    pub(super) fn write(&self, path: &Path, content: &[u8]) {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path).unwrap().write_all(content).unwrap();
        self.give(path);
    }

    fn give(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn knows(&self, program: &str, option: &str) -> bool {
        let output = self.command(program).arg("--help").output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(option)
    }
}

/// The arguments of a server whose data, socket and port these are.
pub(super) fn place(folder: &Path, host: &str, port: u16) -> Vec<String> {
    let socket = folder.join("socket");
    vec![
        "-D".to_owned(),
        folder.join("data").display().to_string(),
        format!("--unix_socket_directories={}", socket.display()),
        format!("--listen_addresses={host}"),
        format!("--port={port}"),
    ]
}

/// The folder of the cluster with this name. Others may pass through it, to what they may enter.
pub(super) fn folder(name: &str) -> PathBuf {
    temporary().join(format!("{PREFIX}{name}"))
}

/// Makes such a folder where there is none, and holds it for as long as the file is open.
pub(super) fn use_folder(folder: &Path) -> File {
    loop {
        make_top(folder);
        // The folder may be taken away at any moment before we have the lock.
        let Ok(users) = append(&folder.join("users")) else {
            continue;
        };
        users.lock_shared().unwrap();
        let there = fs::metadata(folder.join("users")).map(|file| file.ino());
        if there.is_ok_and(|there| there == users.metadata().unwrap().ino()) {
            return users;
        }
    }
}

fn make_top(folder: &Path) {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return,
        Err(error) => panic!("{}: {error}", folder.display()),
    }
    match fs::set_permissions(folder, Permissions::from_mode(0o711)) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

/// The file on which the keeper of a shared cluster holds a lock.
pub(super) fn keeper(folder: &Path) -> std::io::Result<File> {
    append(&folder.join("keeper"))
}

/// Opens a file for more lines, or for a lock.
pub(super) fn append(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// Removes what runs left behind that were killed. One that is used, or that has a keeper, is not touched.
pub(super) fn sweep() {
    for entry in fs::read_dir(temporary()).unwrap().flatten() {
        let folder = entry.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        // Another user's, or gone in the meantime: not for us.
        let Ok(users) = File::open(folder.join("users")) else {
            continue;
        };
        let left = name.starts_with(PREFIX)
            && users.try_lock().is_ok()
            && keeper(&folder).is_ok_and(|keeper| keeper.try_lock().is_ok());
        if left {
            remove(&folder);
        }
    }
}

/// Removes a folder at once, as others see it.
pub(super) fn remove(folder: &Path) {
    let gone = folder.with_extension("gone");
    // Two may sweep at the same time: what is gone is gone.
    if fs::rename(folder, &gone).is_ok() {
        let _ = fs::remove_dir_all(&gone);
    }
}

/// Random letters: a name that nobody else has, a password that nobody guesses.
pub(super) fn random() -> String {
    let mut bytes = [0; 8];
    let mut source = File::open("/dev/urandom").unwrap();
    source.read_exact(&mut bytes).unwrap();
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// Runs a command that must succeed.
pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Nothing of ours: our locale, our `PG…` variables and our folder say nothing to it.
fn plain(command: &mut Command) {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null());
}

fn temporary() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() <= TEMPORARY_BYTES_MAX {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}

fn debian() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten();
    let numbers = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let folders = numbers.map(|number| (number, Path::new(DEBIAN).join(format!("{number}/bin"))));
    let whole = folders.filter(|(_, folder)| is_whole(folder));
    whole.max().map(|(_, folder)| folder)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| is_whole(folder))
}

/// A client alone has neither.
fn is_whole(folder: &Path) -> bool {
    folder.join("initdb").exists() && folder.join("postgres").exists()
}

fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    found.expect(
        "there is no user `postgres`, and root may not run PostgreSQL: `apt-get install postgresql` makes it",
    )
}
