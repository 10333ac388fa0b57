//! A cluster for a command, whether or not a service runs.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::error::ClusterError;
use super::folder::{Folder, Holder, Layout, resolve_data_dir};
use super::secrets::Secrets;
use super::{Cluster, ClusterConfig};

/// How long to wait for the Postgres of whoever holds the folder: it may be just starting, or stopping.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// How long one try to connect may take.
const ANSWER_SECONDS: u64 = 5;

/// The cluster of a data folder, for a command that runs beside a service or without one.
///
/// The command starts the cluster if nobody else does, and then stops it at its end; otherwise it uses the
/// one that runs. Whoever starts it holds the folder, and the others depend on it:
///
/// - While a command holds the folder, [`Cluster::start`] refuses it, so a service cannot start.
/// - A second command uses the cluster of the first, and loses it when the first ends. So does a command that
///   uses the cluster of a service that stops. Its connections then break, and what it had not committed is
///   undone.
#[derive(Debug)]
pub struct Access(Server);

impl Access {
    /// Starts the cluster in `config.data_dir` as [`Cluster::start`] does, or finds the one that another process
    /// runs there; `config.durability` and `config.binaries` then change nothing.
    ///
    /// If the other process has no Postgres that answers, this waits for one for 10 s; if the folder becomes
    /// free meanwhile, it starts the cluster.
    pub fn open(config: &ClusterConfig) -> Result<Self, ClusterError> {
        let data_dir = resolve_data_dir(&config.data_dir)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Folder::try_lock(&data_dir) {
                Ok(folder) => return Cluster::start_in(folder, &data_dir, config).map(|own| Self(Server::Own(own))),
                Err(ClusterError::Locked { .. }) => {}
                Err(error) => return Err(error),
            }
            match attach(&data_dir) {
                Ok(endpoint) => return Ok(Self(Server::Shared(endpoint))),
                Err(ClusterError::NotServing { .. } | ClusterError::Connect(_)) if Instant::now() < deadline => {
                    thread::sleep(POLL);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops Postgres if this started it, and says whether that worked; dropping the access only logs it.
    pub fn stop(self) -> Result<(), ClusterError> {
        match self.0 {
            Server::Own(cluster) => cluster.stop(),
            Server::Shared(_) => Ok(()),
        }
    }

    /// The libpq URL of the owner of everything, password included.
    pub fn owner_url(&self, database: &str) -> String {
        self.endpoint().owner_url(database)
    }

    /// The libpq URL of the role that the service works as, password included.
    pub fn service_url(&self, database: &str) -> String {
        self.endpoint().service_url(database)
    }

    /// Creates the database `name` unless there is one.
    pub fn ensure_database(&self, name: &str) -> Result<(), ClusterError> {
        self.endpoint().ensure_database(name)
    }

    /// The folder that holds the cluster, as [`resolve_data_dir`] chose it.
    pub fn data_dir(&self) -> &Path {
        &self.endpoint().layout.data_dir
    }

    /// Whether another process runs the cluster.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Server::Shared(_))
    }

    fn endpoint(&self) -> &Endpoint {
        match &self.0 {
            Server::Own(cluster) => &cluster.endpoint,
            Server::Shared(endpoint) => endpoint,
        }
    }
}

/// Who runs Postgres.
#[derive(Debug)]
enum Server {
    Own(Cluster),
    Shared(Endpoint),
}

/// Finds the cluster of the process that holds the folder.
///
/// That Postgres answers is not enough: a service that starts first stops the one that a killed service left,
/// and then sets passwords. It counts once the service has put into its lock that it is done.
fn attach(data_dir: &Path) -> Result<Endpoint, ClusterError> {
    let holder = Holder::of(data_dir);
    let not_serving = || ClusterError::NotServing { data_dir: data_dir.to_owned(), holder: holder.pid };
    let layout = Layout::new(data_dir, holder.serving.ok_or_else(not_serving)?);
    let secrets = Secrets::load(&layout)?;
    let endpoint = Endpoint { layout, secrets };
    endpoint.check(ANSWER_SECONDS)?;
    // Right after the folder changed hands, the lock may still have spoken of the holder before.
    if Holder::of(data_dir) != holder {
        return Err(not_serving());
    }
    tracing::info!(data_dir = %data_dir.display(), holder = holder.pid, "using the private Postgres of another process");
    Ok(endpoint)
}
