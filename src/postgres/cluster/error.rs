//! What can go wrong with a private cluster.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The oldest major version that will do: since 15 only a database's owner may create tables in `public`.
pub(super) const OLDEST: u32 = 15;

/// How to get binaries.
pub(super) const INSTALL: &str = "install it with `apt-get install postgresql` (Debian, Ubuntu), \
    `dnf install postgresql-server` (Fedora) or `brew install postgresql@17` (macOS), or name its folder with \
    --postgres-bin or ACCRUE_POSTGRES_BIN";

/// Why a private cluster could not be made, started, used or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable binaries anywhere.
    #[error("no PostgreSQL server (`postgres` with `initdb` beside it) found in {places}; {INSTALL}")]
    BinariesMissing {
        /// Where they were looked for.
        places: String,
    },
    /// Binaries, but none new enough.
    #[error("PostgreSQL {found} in {} is too old, {OLDEST} or newer is needed; {INSTALL}", folder.display())]
    BinariesTooOld {
        /// The newest version found.
        found: u32,
        /// Where it was found.
        folder: PathBuf,
    },
    /// A folder written by another major version, for which there are no binaries.
    #[error(
        "{} holds a cluster of PostgreSQL {}, but only {} is installed; install that version again, or dump \
         the data with it and restore it into an empty folder",
        data_dir.display(), list(existing), list(installed)
    )]
    OtherMajorVersion {
        /// The folder.
        data_dir: PathBuf,
        /// The versions of the clusters in the folder.
        existing: Vec<u32>,
        /// The versions installed.
        installed: Vec<u32>,
    },
    /// Root, and nobody to drop to.
    #[error("PostgreSQL does not run as root, and /etc/passwd has neither a user `postgres` nor `nobody`")]
    NoServerUser,
    /// A folder that the user who runs Postgres cannot enter.
    #[error("the user with id {uid} that runs PostgreSQL cannot enter {}", path.display())]
    Unreachable {
        /// The folder.
        path: PathBuf,
        /// The user.
        uid: u32,
    },
    /// Another service, or a command that works without one, uses the folder.
    #[error("{} is in use by another running service or command{}", data_dir.display(), process(*holder))]
    Locked {
        /// The folder.
        data_dir: PathBuf,
        /// The process that holds it, as far as known.
        holder: Option<u32>,
    },
    /// Another process uses the folder, and its Postgres is not to be used yet.
    #[error(
        "{} is in use by another running service or command{} that has not finished starting PostgreSQL",
        data_dir.display(), process(*holder)
    )]
    NotServing {
        /// The folder.
        data_dir: PathBuf,
        /// The process that holds it, as far as known.
        holder: Option<u32>,
    },
    /// A cluster whose password is lost.
    #[error("the cluster's password file {} is missing", path.display())]
    SecretMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A password file that this program did not write.
    #[error("the password file {} does not hold a password of this program", path.display())]
    SecretMalformed {
        /// The file.
        path: PathBuf,
    },
    /// A folder for the socket that somebody else made.
    #[error("{} exists and is not a private folder of the user that runs PostgreSQL", path.display())]
    SocketFolderTaken {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed ({status}): {output}")]
    InitFailed {
        /// How it ended.
        status: ExitStatus,
        /// The last lines it printed.
        output: String,
    },
    /// Postgres ended instead of starting.
    #[error("PostgreSQL ended while starting ({status}); the end of its log:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// Postgres did not become ready in time.
    #[error("PostgreSQL was not ready after {seconds} s; the end of its log:\n{log}")]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// Postgres did not stop.
    #[error("PostgreSQL (process {pid}) did not stop within {seconds} s")]
    NotStopped {
        /// Its first process.
        pid: u32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A database name outside the allowed alphabet.
    #[error("{name:?} cannot name a database: 1 to 63 of a-z, 0-9 and _ can")]
    InvalidDatabaseName {
        /// The name.
        name: String,
    },
    /// The running cluster refused a connection.
    #[error("the private PostgreSQL refused a connection")]
    Connect(#[source] diesel::ConnectionError),
    /// The running cluster refused a statement.
    #[error("cannot {doing} in the private PostgreSQL")]
    Sql {
        /// What the statement was for.
        doing: &'static str,
        /// Why not.
        source: diesel::result::Error,
    },
    /// The operating system gave no random numbers.
    #[error("no random numbers for a password")]
    Random(#[source] rand::rngs::SysError),
    /// A file or a process.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ClusterError {
    /// For `map_err`: what was attempted and on what.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

fn list(versions: &[u32]) -> String {
    versions.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn process(holder: Option<u32>) -> String {
    holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
