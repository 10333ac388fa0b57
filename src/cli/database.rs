//! Which database a command works on: the one that `--database-url` names, or the private cluster.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use diesel::PgConnection;

use super::args::DatabaseArgs;
use crate::domain::fields::Fault;
use crate::domain::program::{Program, ProgramDocument};
use crate::ledger::setup;
use crate::postgres::clock::Clock;
use crate::postgres::cluster::{Access, Cluster, ClusterConfig, Durability};
use crate::postgres::{connect, migrate};

/// The database of the private cluster.
const PRIVATE: &str = "accrue";

/// A database to work on. Dropping it stops a private cluster that was started for it.
pub struct Database {
    /// For the service role.
    pub url: String,
    /// For the owner, where the command is the owner: on the private cluster.
    owner_url: Option<String>,
    _access: Option<Access>,
    _cluster: Option<Cluster>,
}

impl Database {
    /// For a command that may work beside a running service.
    pub fn beside(args: &DatabaseArgs) -> Result<Self> {
        if let Some(url) = &args.database_url {
            return Ok(Self::of_url(url));
        }
        let access = Access::open(&config(args))?;
        access.ensure_database(PRIVATE)?;
        let (url, owner_url) = (access.service_url(PRIVATE), Some(access.owner_url(PRIVATE)));
        let database = Self { url, owner_url, _access: Some(access), _cluster: None };
        database.prepare(None)?;
        Ok(database)
    }

    /// For a service: a private cluster is its own alone.
    pub fn for_service(args: &DatabaseArgs) -> Result<Self> {
        if let Some(url) = &args.database_url {
            return Ok(Self::of_url(url));
        }
        let cluster = Cluster::start(&config(args))?;
        cluster.ensure_database(PRIVATE)?;
        let (url, owner_url) = (cluster.service_url(PRIVATE), Some(cluster.owner_url(PRIVATE)));
        let database = Self { url, owner_url, _access: None, _cluster: Some(cluster) };
        database.prepare(None)?;
        Ok(database)
    }

    /// Is it the private cluster's?
    pub fn is_private(&self) -> bool {
        self.owner_url.is_some()
    }

    /// A connection as the owner: the private cluster's, or else whoever the URL names.
    pub fn owner(&self) -> Result<PgConnection> {
        let url = self.owner_url.as_ref().unwrap_or(&self.url);
        connect::plain(url).map_err(|error| anyhow!("cannot connect to the database: {error}"))
    }

    /// Migrates, and adds journals up to `journals`, else as many as cores and at least two. Returns what was run.
    pub fn prepare(&self, journals: Option<i16>) -> Result<Vec<String>> {
        let mut owner = self.owner()?;
        let run = migrate::run(&mut owner)?;
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let journals = journals.unwrap_or_else(|| i16::try_from(cores).unwrap_or(i16::MAX).max(2));
        setup::initialise(&mut owner, journals)?;
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
        let document = ProgramDocument::from_toml(text).map_err(|faults| anyhow!(listed(&faults)))?;
        let program = Arc::new(Program::compile(&document).map_err(|faults| anyhow!(listed(&faults)))?);
        let mut connection =
            connect::plain(&self.url).map_err(|error| anyhow!("cannot connect to the database: {error}"))?;
        Ok(setup::seed(&mut connection, &program, &Clock::database())?)
    }

    fn of_url(url: &str) -> Self {
        Self { url: url.to_owned(), owner_url: None, _access: None, _cluster: None }
    }
}

fn config(args: &DatabaseArgs) -> ClusterConfig {
    ClusterConfig { data_dir: args.data_dir.clone(), durability: Durability::Full, binaries: args.postgres_bin.clone() }
}

fn listed(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    format!("the programme document has {} fault(s):{}", faults.len(), lines.concat())
}
