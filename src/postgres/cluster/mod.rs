//! A private Postgres cluster, made from the binaries installed on the machine and run as a direct child.
//!
//! One data folder holds one service's cluster:
//!
//! | entry | what it is |
//! | --- | --- |
//! | `lock` | held for as long as a [`Cluster`] lives, so that no folder has two; says who holds it |
//! | `postgres-<major>/` | the files of Postgres |
//! | `postgres-<major>.log` | what Postgres prints; moved to `.log.old` at a start that finds it too long |
//! | `secrets/` | the passwords of the two login roles, readable by the service alone |
//! | `socket/` | the Unix socket, the only way in |
//!
//! Postgres refuses to run as root. A service that is root runs it as an unprivileged user instead; that user
//! owns the Postgres files and the socket folder and nothing else.
//!
//! Postgres survives a service that was killed. The next start finds it by its `postmaster.pid`, stops it and
//! starts a child of its own, so that there is one way to run and to stop, not two.
//!
//! A service starts its [`Cluster`] and insists on having the folder to itself. Other commands open an
//! [`Access`], which is the cluster of the running service if there is one.

mod access;
mod binaries;
mod endpoint;
mod error;
mod existing;
mod folder;
mod initdb;
mod leftover;
mod postmaster;
mod roles;
mod secrets;
mod user;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;

pub use self::access::Access;
use self::binaries::Binaries;
use self::endpoint::Endpoint;
pub use self::error::ClusterError;
pub use self::folder::resolve_data_dir;
use self::folder::{Folder, Layout};
use self::postmaster::Postmaster;
use self::secrets::Secrets;
use self::user::ServerUser;

/// How long a start puts up with what the processes of a killed Postgres still hold.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before trying again while they do.
const ORPHAN_PAUSE: Duration = Duration::from_millis(20);

/// A running private cluster. Dropping it stops Postgres.
#[derive(Debug)]
pub struct Cluster {
    // Fields drop in this order: Postgres has stopped before the folder is unlocked.
    postmaster: Postmaster,
    endpoint: Endpoint,
    major: u32,
    _folder: Folder,
}

/// What a cluster promises after a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A committed transaction is on disk.
    Full,
    /// Nothing is promised and little is waited for. For tests only.
    None,
}

/// What a private cluster is made from.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The folder that holds the cluster and its secrets; see [`resolve_data_dir`].
    pub data_dir: PathBuf,
    /// What to promise after a crash of the machine.
    pub durability: Durability,
    /// The folder with `postgres` and `initdb`. Without it, `ACCRUE_POSTGRES_BIN` or the newest installed.
    pub binaries: Option<PathBuf>,
}

impl Cluster {
    /// Starts the cluster in `config.data_dir`, made first if there is none, and returns when it answers.
    ///
    /// A cluster that a killed service left running is stopped and started afresh. A folder that another process
    /// holds is refused, see [`ClusterError::Locked`]; [`Access::open`] is for commands that can share it.
    pub fn start(config: &ClusterConfig) -> Result<Self, ClusterError> {
        let data_dir = resolve_data_dir(&config.data_dir)?;
        let folder = Folder::lock(&data_dir)?;
        Self::start_in(folder, &data_dir, config)
    }

    /// Starts the cluster in the folder `data_dir`, which `folder` holds.
    fn start_in(mut folder: Folder, data_dir: &Path, config: &ClusterConfig) -> Result<Self, ClusterError> {
        let began = Instant::now();
        let user = ServerUser::for_cluster_in(data_dir)?;
        let binaries = Binaries::find(config.binaries.as_deref(), &existing::majors(data_dir)?)?;
        let layout = Layout::new(data_dir, binaries.major);
        layout.prepare(user.as_ref())?;

        let secrets = Secrets::load_or_create(&layout)?;
        initdb::ensure_initialised(&layout, &binaries, user.as_ref(), &secrets, config.durability)?;
        let settings = postmaster::settings(&layout, &binaries, user.as_ref(), config.durability)?;
        let endpoint = Endpoint { layout, secrets };
        let (postmaster, mut connection) =
            launch(&endpoint, || Postmaster::spawn(&endpoint.layout, &binaries, user.as_ref(), &settings))?;
        roles::ensure_roles(&mut connection, &endpoint.secrets)?;
        folder.announce(binaries.major)?;

        let cluster = Self { postmaster, endpoint, major: binaries.major, _folder: folder };
        tracing::info!(
            data_dir = %cluster.data_dir().display(),
            version = cluster.major,
            pid = cluster.postmaster_pid(),
            took_ms = began.elapsed().as_millis(),
            "private Postgres is running"
        );
        Ok(cluster)
    }

    /// Stops Postgres and says whether that worked; dropping the cluster only logs it.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.postmaster.stop()
    }

    /// The libpq URL of the owner of everything, password included.
    pub fn owner_url(&self, database: &str) -> String {
        self.endpoint.owner_url(database)
    }

    /// The libpq URL of the role that the service works as, password included.
    pub fn service_url(&self, database: &str) -> String {
        self.endpoint.service_url(database)
    }

    /// Creates the database `name` unless there is one.
    pub fn ensure_database(&self, name: &str) -> Result<(), ClusterError> {
        self.endpoint.ensure_database(name)
    }

    /// The file that Postgres logs to.
    pub fn log_file(&self) -> &Path {
        &self.endpoint.layout.log
    }

    /// The folder that holds the cluster, as [`resolve_data_dir`] chose it.
    pub fn data_dir(&self) -> &Path {
        &self.endpoint.layout.data_dir
    }

    /// The major version of Postgres.
    pub fn major_version(&self) -> u32 {
        self.major
    }

    /// The process id of Postgres' first process.
    pub fn postmaster_pid(&self) -> u32 {
        self.postmaster.pid()
    }

    /// Whether Postgres has ended. It is not started again; this is for a service to notice.
    pub fn has_exited(&mut self) -> bool {
        self.postmaster.has_exited()
    }
}

/// Starts Postgres and waits until it answers, clearing away what earlier ones left.
///
/// More than one try may be needed. The other processes of a postmaster that was killed hold on to its shared
/// memory until they notice; and a postmaster that a service started right before it was killed may write its
/// `postmaster.pid` only after this start has looked for it.
fn launch(
    endpoint: &Endpoint,
    spawn: impl Fn() -> Result<Postmaster, ClusterError>,
) -> Result<(Postmaster, PgConnection), ClusterError> {
    let deadline = Instant::now() + ORPHAN_PATIENCE;
    loop {
        leftover::clear(&endpoint.layout)?;
        let mut postmaster = spawn()?;
        match postmaster.wait_until_ready() {
            Ok(()) => return Ok((postmaster, endpoint.connect()?)),
            Err(ClusterError::Exited { log, .. }) if leftover::kept_out(&log) && Instant::now() < deadline => {
                std::thread::sleep(ORPHAN_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}
