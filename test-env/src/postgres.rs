//! A PostgreSQL server of the tests' own: in a temporary folder, on a free port of 127.0.0.1, gone when it is dropped or
//! when the process that started it ends, however that ends.
//!
//! The programs come from the system's package; a machine without it fails the stories. PostgreSQL refuses to run as root,
//! so that it is started as another user where the tests are root.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{port, wait};

/// Where Debian puts a version's programs: `/usr/lib/postgresql/15/bin`.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Who owns the database, and everything in it.
pub const USER: &str = "cairn";

/// What the server asks [`USER`] for on the network.
pub const PASSWORD: &str = "open sesame";

/// The users that the server may run as when the tests are root: the package's own, and one that every system has.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A start takes a second, also after a crash; a busy machine takes longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs the server until the input ends or has a line; then ends the server at once, and removes the folder unless there
/// was a line. The input ends when the tests do: so nothing of theirs is left.
const SUPERVISOR: &str = r#"folder=$1; shift
"$@" & server=$!
read -r _ && folder=
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ -z "$folder" ] || rm -rf "$folder""#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    supervisor: Option<(Child, ChildStdin)>,
}

impl Server {
    /// Makes a database cluster and starts a server for it. `settings` are further ones, such as `max_connections=50`.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, or does not come up.
    pub fn start(settings: &[&str]) -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("cairn-postgres-").tempdir()?;
        give_away(folder.path())?;
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        give_away(&password)?;
        let mut initdb = unprivileged(programs.join("initdb"))?;
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--username", USER]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]).arg("--pwfile").arg(&password);
        initdb.arg("--pgdata").arg(folder.path().join("data"));
        finished(&mut initdb)?;

        let settings = settings.iter().map(ToString::to_string).collect();
        let port = port::free()?;
        let mut server = Self { programs, folder: folder.keep(), port, settings, supervisor: None };
        server.run()?;
        Ok(server)
    }

    /// A standby of this server, in a folder and on a port of its own: it follows every change. From now on a commit here is
    /// only answered when the standby has it on its disk.
    ///
    /// # Errors
    /// If the copy cannot be made, or the standby does not come up or does not follow.
    pub fn standby(&self) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cairn-postgres-").tempdir()?;
        give_away(folder.path())?;
        let mut copy = unprivileged(self.programs.join("pg_basebackup"))?;
        copy.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--username", USER]);
        copy.arg("--host").arg(&self.folder).arg("--port").arg(self.port.to_string());
        finished(copy.arg("--pgdata").arg(folder.path().join("data")))?;
        let (programs, settings) = (self.programs.clone(), self.settings.clone());
        let port = port::free()?;
        let mut standby = Self { programs, folder: folder.keep(), port, settings, supervisor: None };
        standby.run()?;
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        let follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        wait::until("the standby to follow", START_LIMIT, || {
            Ok((self.sql("postgres", follows)? == "1").then_some(()))
        })?;
        Ok(standby)
    }

    /// Makes a standby the primary, when the one before is gone.
    ///
    /// # Errors
    /// If it is no standby.
    pub fn promote(&self) -> Result<()> {
        // Its copy of the setting would make it wait for a standby of its own.
        let alone = "ALTER SYSTEM RESET synchronous_standby_names";
        self.sql("postgres", "SELECT pg_promote()")?;
        self.sql("postgres", alone)?;
        self.sql("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, whose children are all others.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pid(&self) -> Result<u32> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        file.lines().next().context("postmaster.pid is empty")?.trim().parse().context("in postmaster.pid")
    }

    /// The folder of its socket, where [`USER`] needs no password.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// Runs SQL in a database and returns what it gives: a line for each row.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.env_clear().args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--username", USER, "--dbname", database]);
        psql.arg("--host").arg(&self.folder).arg("--port").arg(self.port.to_string());
        finished(psql.arg("--command").arg(sql))
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// If there is one of this name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).map(drop)
    }

    /// Kills the server and all its processes where they stand (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// If it was not running.
    pub fn kill(&mut self) -> Result<()> {
        let pid_file = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let postmaster = pid_file.lines().next().context("postmaster.pid is empty")?;
        // It starts no more children.
        finished(Command::new("kill").args(["-STOP", postmaster]))?;
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
        let mut kill = Command::new("kill");
        // One of the children may have ended by itself: that is no failure. The server must not have.
        let _ = kill.arg("-KILL").args(children.split_whitespace()).stderr(Stdio::null()).status()?;
        finished(Command::new("kill").args(["-KILL", postmaster]))?;
        self.end(true)?;
        // As long as one of them holds its memory, no other server starts on the data.
        wait::until("PostgreSQL's processes to be gone", START_LIMIT, || {
            Ok(children
                .split_whitespace()
                .all(|child| !Path::new("/proc").join(child).exists())
                .then_some(()))
        })
    }

    /// Starts it again after [`Server::kill`], on its data and its port.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.run()
    }

    fn run(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        let mut supervisor = unprivileged("sh")?;
        supervisor
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(&self.folder)
            .arg(self.programs.join("postgres"));
        supervisor.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        supervisor.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        for setting in &self.settings {
            supervisor.args(["-c", setting]);
        }
        supervisor.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut child = supervisor.spawn().context("cannot start PostgreSQL's supervisor")?;
        let input = child.stdin.take().context("the supervisor has no input")?;
        self.supervisor = Some((child, input));
        wait::until("PostgreSQL to answer", START_LIMIT, || Ok(self.sql("postgres", "SELECT 1").ok()))
            .with_context(|| fs::read_to_string(self.folder.join("log")).unwrap_or_default())?;
        Ok(())
    }

    /// Ends the supervisor, and the server if it runs.
    fn end(&mut self, keep: bool) -> Result<()> {
        let Some((mut child, mut input)) = self.supervisor.take() else { return Ok(()) };
        if keep {
            input.write_all(b"keep\n")?;
        }
        drop(input);
        child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end(false);
        // What the supervisor removes, unless there was none any more.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One of PostgreSQL's programs.
///
/// # Errors
/// If PostgreSQL is not installed.
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(programs()?.join(name))
}

/// The folder of the newest version's programs.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    versions.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let elsewhere = env::split_paths(&path);
    let mut places = versions.into_iter().rev().map(|(_, folder)| folder).chain(elsewhere);
    places
        .find(|folder| {
            ["initdb", "pg_basebackup", "postgres", "psql"]
                .iter()
                .all(|program| folder.join(program).is_file())
        })
        .context("PostgreSQL is not installed; `./test-env/test postgres` installs it")
}

/// `program`, to be run as a user that PostgreSQL accepts.
fn unprivileged(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = match server_user()? {
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    // The current folder may be one that the other user cannot enter.
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    Ok(command)
}

/// Gives a file to the user that the server runs as.
fn give_away(path: &Path) -> Result<()> {
    if let Some((user, group)) = server_user()? {
        chown(path, Some(user), Some(group))?;
    }
    Ok(())
}

/// The user and the group that the server runs as, if they are not our own.
fn server_user() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = UNPRIVILEGED.into_iter().find_map(ids);
    ensure!(
        found.is_some(),
        "PostgreSQL does not run as root, and there is no user {}",
        UNPRIVILEGED.join(" or ")
    );
    Ok(found)
}

/// Runs a program to its end and returns what it printed.
fn finished(command: &mut Command) -> Result<String> {
    let output: Output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
