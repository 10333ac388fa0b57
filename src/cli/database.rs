//! Which database a command works on: the one that `--database-url` names, or the private cluster.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use diesel::PgConnection;

use super::args::DatabaseArgs;
use super::program;
use crate::domain::program::Program;
use crate::ledger::{LedgerConfig, Mode, sandbox, setup};
use crate::postgres::clock::Clock;
use crate::postgres::cluster::{Access, Cluster, ClusterConfig, Durability, resolve_data_dir};
use crate::postgres::connect::{self, PlanCacheMode};
use crate::postgres::migrate;
use crate::process::threads;

/// The database of the private cluster.
const PRIVATE: &str = "accrue";

/// How often a service looks whether its private Postgres is still there.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A database to work on. Dropping it stops a private cluster that was started for it.
pub struct Database {
    /// For the service role.
    pub url: String,
    /// For the owner, where the command is the owner: on the private cluster.
    owner_url: Option<String>,
    plan_cache_mode: PlanCacheMode,
    _cluster: Option<Private>,
}

/// What keeps a private cluster running for as long as the command works.
enum Private {
    Access { _access: Box<Access> },
    Watched { _watched: Watched },
}

impl Database {
    /// For a command that writes and may work beside a running service: makes what is missing, and takes a database
    /// that is there as it is, sandbox or not.
    pub fn beside(args: &DatabaseArgs) -> Result<Self> {
        let database = Self::unprepared(args)?;
        if database.is_private() {
            database.prepare(None, None)?;
        }
        Ok(database)
    }

    /// For the command that prepares it.
    pub fn unprepared(args: &DatabaseArgs) -> Result<Self> {
        if let Some(url) = &args.database_url {
            return Self::of_url(args, url);
        }
        let access = Access::open(&config(args))?;
        access.ensure_database(PRIVATE)?;
        Ok(Self::of_access(args, access))
    }

    /// For a command that only reads: makes and changes nothing.
    pub fn existing(args: &DatabaseArgs) -> Result<Self> {
        let database = match &args.database_url {
            Some(url) => Self::of_url(args, url)?,
            None => {
                let data_dir = resolve_data_dir(&args.data_dir)?;
                if !data_dir.join("secrets").join("owner-password").exists() {
                    bail!("there is no ledger in {}; name another folder with --data-dir", data_dir.display());
                }
                Self::of_access(args, Access::open(&config(args))?)
            }
        };
        let mut connection = connect::plain(&database.url).map_err(unreachable)?;
        setup::check_schema(&mut connection)?;
        Ok(database)
    }

    /// For a service in `mode`: a private cluster is its own alone, and started again if it dies.
    pub fn for_service(args: &DatabaseArgs, mode: Mode) -> Result<Self> {
        if let Some(url) = &args.database_url {
            let database = Self::of_url(args, url)?;
            let mut connection = connect::plain(&database.url).map_err(unreachable)?;
            setup::check_schema(&mut connection)?;
            sandbox::check_mode(&mut connection, mode)?;
            return Ok(database);
        }
        let cluster = Cluster::start(&config(args))?;
        cluster.ensure_database(PRIVATE)?;
        let (url, owner_url) = (cluster.service_url(PRIVATE), Some(cluster.owner_url(PRIVATE)));
        let watched = Watched::new(cluster, config(args))?;
        let (plan_cache_mode, cluster) = (args.plan_cache_mode, Private::Watched { _watched: watched });
        let database = Self { url, owner_url, plan_cache_mode, _cluster: Some(cluster) };
        database.prepare(Some(mode), None)?;
        Ok(database)
    }

    /// How its ledger is opened.
    pub fn ledger(&self) -> LedgerConfig {
        LedgerConfig { plan_cache_mode: self.plan_cache_mode, ..LedgerConfig::new(&self.url) }
    }

    /// Is it the private cluster's?
    pub fn is_private(&self) -> bool {
        self.owner_url.is_some()
    }

    /// A connection as the owner: the private cluster's, or else whoever the URL names.
    pub fn owner(&self) -> Result<PgConnection> {
        connect::plain(self.owner_url.as_ref().unwrap_or(&self.url)).map_err(unreachable)
    }

    /// Migrates, and at the first time makes journals: `journals`, else as many as cores and at least two. Later
    /// they are added only when `journals` asks for more. A database in another mode than `mode` is refused before
    /// anything is changed; without one a new database is for production. Returns what was run.
    pub fn prepare(&self, mode: Option<Mode>, journals: Option<i16>) -> Result<Vec<String>> {
        let mut owner = self.owner()?;
        if let Some(mode) = mode {
            sandbox::check_mode(&mut owner, mode)?;
        }
        let run = migrate::run(&mut owner)?;
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let cores = i16::try_from(cores).unwrap_or(i16::MAX);
        setup::initialise(&mut owner, mode, cores.max(2), journals)?;
        Ok(run)
    }

    /// Seeds an empty database with the programme in `file`, and checks it against the one that is there.
    pub fn seed_file(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        self.seed(&text).with_context(|| format!("the programme {} cannot be used", file.display()))
    }

    /// As [`Self::seed_file`], with the document's text.
    pub fn seed(&self, text: &str) -> Result<()> {
        let document = program::read(text).map_err(|faults| anyhow!(program::listed(&faults)))?;
        let program = Arc::new(Program::compile(&document).map_err(|faults| anyhow!(program::listed(&faults)))?);
        let mut connection = connect::lane(&self.url, self.plan_cache_mode).map_err(unreachable)?;
        Ok(setup::seed(&mut connection, &program, &Clock::database())?)
    }

    // libpq takes what is no URL for a list of settings, and quotes it, password and all, when it cannot read it.
    fn of_url(args: &DatabaseArgs, url: &str) -> Result<Self> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            bail!("the database's URL must begin with postgres:// or postgresql://");
        }
        Ok(Self { url: url.to_owned(), owner_url: None, plan_cache_mode: args.plan_cache_mode, _cluster: None })
    }

    fn of_access(args: &DatabaseArgs, access: Access) -> Self {
        let (url, owner_url) = (access.service_url(PRIVATE), Some(access.owner_url(PRIVATE)));
        let (plan_cache_mode, cluster) = (args.plan_cache_mode, Private::Access { _access: Box::new(access) });
        Self { url, owner_url, plan_cache_mode, _cluster: Some(cluster) }
    }
}

/// A private cluster that is started again when it dies under a running service. Its URLs stay the same.
struct Watched {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    fn new(cluster: Cluster, config: ClusterConfig) -> Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let mut cluster = Some(cluster);
        let thread = threads::start("postgres", move || {
            while stopped.recv_timeout(WATCH_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if cluster.as_mut().is_some_and(|cluster| !cluster.has_exited()) {
                    continue;
                }
                // The folder is locked until the old one is dropped.
                if cluster.take().is_some() {
                    tracing::error!("the private Postgres has died; starting it again");
                }
                match Cluster::start(&config) {
                    Ok(started) => cluster = Some(started),
                    Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "it does not start"),
                }
            }
        });
        let thread = thread.context("the system starts no thread to watch the private Postgres")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// No connection, in words: libpq's own never hold a password of a URL that it could read.
pub fn unreachable(error: diesel::ConnectionError) -> anyhow::Error {
    anyhow!("cannot connect to the database: {error}")
}

fn config(args: &DatabaseArgs) -> ClusterConfig {
    ClusterConfig { data_dir: args.data_dir.clone(), durability: Durability::Full, binaries: args.postgres_bin.clone() }
}
