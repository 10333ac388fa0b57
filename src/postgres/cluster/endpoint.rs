//! How a running cluster is reached.

use diesel::Connection;
use diesel::pg::PgConnection;

use super::error::ClusterError;
use super::folder::Layout;
use super::roles;
use super::secrets::Secrets;

/// The database that every cluster has.
const MAINTENANCE: &str = "postgres";

/// The paths of a running cluster and the passwords that it asks for.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) layout: Layout,
    pub(super) secrets: Secrets,
}

impl Endpoint {
    pub(super) fn owner_url(&self, database: &str) -> String {
        self.secrets.owner_url(&self.layout.sockets, database)
    }

    pub(super) fn service_url(&self, database: &str) -> String {
        self.secrets.service_url(&self.layout.sockets, database)
    }

    /// Connects as the owner.
    pub(super) fn connect(&self) -> Result<PgConnection, ClusterError> {
        establish(&self.owner_url(MAINTENANCE))
    }

    /// Connects as the owner and hangs up, so that it is known that Postgres answers. A Postgres that takes the
    /// connection and says nothing counts as one that does not, after `seconds`.
    pub(super) fn check(&self, seconds: u64) -> Result<(), ClusterError> {
        establish(&format!("{}?connect_timeout={seconds}", self.owner_url(MAINTENANCE))).map(drop)
    }

    pub(super) fn ensure_database(&self, name: &str) -> Result<(), ClusterError> {
        roles::check_database_name(name)?;
        roles::ensure_database(&mut self.connect()?, name)
    }
}

fn establish(url: &str) -> Result<PgConnection, ClusterError> {
    PgConnection::establish(url).map_err(ClusterError::Connect)
}
