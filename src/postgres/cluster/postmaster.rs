//! The process of Postgres: starting it, waiting for it, stopping it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Durability;
use super::binaries::Binaries;
use super::error::ClusterError;
use super::folder::{Layout, SOCKET_PORT};
use super::user::ServerUser;

/// How long Postgres may take to become ready.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take if it says that it is starting up, as it does while it recovers from a crash.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(120);
/// The ways to stop it, each with the time it gets: the fast shutdown, which ends sessions and writes a
/// checkpoint, and the immediate one, after which the next start recovers. There is no third: killing the
/// first process would leave the others holding the files.
const WAYS_TO_STOP: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(60)), (Signal::QUIT, Duration::from_secs(15))];
pub(super) const POLL: Duration = Duration::from_millis(5);

/// How much of the end of a log goes into an error.
const TAIL_BYTES: u64 = 8 << 10;
const TAIL_LINES: usize = 20;

/// Settings of every cluster.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "max_connections=100",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "jit=off",
    "password_encryption=scram-sha-256",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_destination=stderr",
    // What members are and do must not reach the log: no statements, no parameters, and no details, which
    // quote the values of keys.
    "log_min_messages=warning",
    "log_statement=none",
    "log_min_error_statement=panic",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
    "log_error_verbosity=terse",
];

/// What the settings for durability are with [`Durability::Full`], and with [`Durability::None`].
const DURABLE: &[&str] = &["fsync=on", "full_page_writes=on", "synchronous_commit=on"];
const FLEETING: &[&str] = &["fsync=off", "full_page_writes=off", "synchronous_commit=off"];

/// The settings to start with, each `name=value`.
pub(super) fn settings(
    layout: &Layout,
    binaries: &Binaries,
    user: Option<&ServerUser>,
    durability: Durability,
) -> Result<Vec<String>, ClusterError> {
    let durability = match durability {
        Durability::Full => DURABLE,
        Durability::None => FLEETING,
    };
    let mut settings: Vec<String> = SETTINGS.iter().chain(durability).map(|&text| text.into()).collect();
    settings.push(format!("shared_buffers={}MB", shared_buffers()));
    settings.push(format!("port={SOCKET_PORT}"));
    settings.push(format!("unix_socket_directories={}", layout.sockets.display()));
    settings.push(wal_compression(layout, binaries, user)?.into());
    Ok(settings)
}

/// How many megabytes of pages Postgres keeps: an eighth of the machine's memory, from 128 to 1024. A ledger of some million
/// entries has its indexes and its wallets in it. Memory is taken as pages come, so that a small ledger takes little.
fn shared_buffers() -> u64 {
    const LEAST: u64 = 128;
    const MOST: u64 = 1024;
    // Only Linux has the file; elsewhere the least does.
    let known = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = known.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default();
    (kilobytes / 1024 / 8).clamp(LEAST, MOST)
}

/// LZ4 if Postgres was built with it. Postgres is asked, because a value it does not know keeps it from
/// starting.
fn wal_compression(
    layout: &Layout,
    binaries: &Binaries,
    user: Option<&ServerUser>,
) -> Result<&'static str, ClusterError> {
    const LZ4: &str = "wal_compression=lz4";
    let asked = binaries
        .command("postgres", user)
        .args(["-C", "wal_compression", "-c", LZ4, "-D"])
        .arg(&layout.postgres)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(ClusterError::io("run postgres for", &layout.postgres))?;
    Ok(if asked.success() { LZ4 } else { "wal_compression=off" })
}

/// Postgres' first process, a child of the service. Dropping it stops Postgres.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    pid_file: PathBuf,
    log: PathBuf,
    /// Where this process' part of the log starts.
    log_start: u64,
}

impl Postmaster {
    pub(super) fn spawn(
        layout: &Layout,
        binaries: &Binaries,
        user: Option<&ServerUser>,
        settings: &[String],
    ) -> Result<Self, ClusterError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&layout.log)
            .map_err(ClusterError::io("open", &layout.log))?;
        let log_start = log.metadata().map_err(ClusterError::io("look at", &layout.log))?.len();
        let also_log = log.try_clone().map_err(ClusterError::io("open", &layout.log))?;

        let mut command = binaries.command("postgres", user);
        // The folder stands first: by it the process is known again after the service was killed.
        command.arg("-D").arg(&layout.postgres);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also_log)
            // Ctrl-C in a terminal goes to the service's group: Postgres has to outlive the service's drain.
            .process_group(0);
        let child = command.spawn().map_err(ClusterError::io("run postgres for", &layout.postgres))?;
        Ok(Self { child, pid_file: pid_file(&layout.postgres), log: layout.log.clone(), log_start })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until Postgres accepts connections.
    ///
    /// It says so in `postmaster.pid`, as `pg_ctl` reads it. Connecting to find out would fill its log with
    /// refusals during a recovery.
    pub(super) fn wait_until_ready(&mut self) -> Result<(), ClusterError> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(ClusterError::io("await", &self.pid_file))? {
                return Err(ClusterError::Exited { status, log: self.log_tail() });
            }
            let patience = match self.state().as_deref() {
                Some("ready") => return Ok(()),
                Some("starting") => RECOVERY_PATIENCE,
                _ => START_PATIENCE,
            };
            if began.elapsed() > patience {
                return Err(ClusterError::NotReady { seconds: patience.as_secs(), log: self.log_tail() });
            }
            std::thread::sleep(POLL);
        }
    }

    pub(super) fn has_exited(&mut self) -> bool {
        // A child that cannot be waited for has been waited for.
        self.child.try_wait().map_or(true, |status| status.is_some())
    }

    /// Stops Postgres, if it runs, and waits until it has.
    pub(super) fn stop(&mut self) -> Result<(), ClusterError> {
        let pid = Pid::from_child(&self.child);
        stop_process(pid, || !self.has_exited())
    }

    /// What Postgres says of itself, on the eighth line of its file, whose first line is its process id.
    fn state(&self) -> Option<String> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let mut lines = text.lines();
        let pid: u32 = lines.next()?.trim().parse().ok()?;
        lines.nth(6).filter(|_| pid == self.child.id()).map(|state| state.trim().to_owned())
    }

    fn log_tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut log = File::open(&self.log)?;
            let end = log.metadata()?.len();
            log.seek(SeekFrom::Start(self.log_start.max(end.saturating_sub(TAIL_BYTES))))?;
            let mut tail = Vec::new();
            log.take(TAIL_BYTES).read_to_end(&mut tail)?;
            Ok(tail)
        };
        read().map_or_else(|error| format!("(cannot be read: {error})"), |tail| last_lines(&tail))
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "private Postgres goes on without its service");
        }
    }
}

/// The last lines of what a program printed.
pub(super) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

pub(super) fn pid_file(postgres: &Path) -> PathBuf {
    postgres.join("postmaster.pid")
}

/// Signals the process until it does not run any more.
pub(super) fn stop_process(pid: Pid, mut is_running: impl FnMut() -> bool) -> Result<(), ClusterError> {
    let began = Instant::now();
    for (signal, patience) in WAYS_TO_STOP {
        let deadline = Instant::now() + patience;
        // Gone between the two: the next look will show it.
        if is_running() && kill_process(pid, signal).is_err_and(|error| error != rustix::io::Errno::SRCH) {
            break;
        }
        while Instant::now() < deadline {
            if !is_running() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }
    let pid = pid.as_raw_pid().unsigned_abs();
    Err(ClusterError::NotStopped { pid, seconds: began.elapsed().as_secs() })
}
