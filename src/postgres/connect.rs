//! Connections: the lanes' own, the readers' pool, and those of readers that gather.

use std::error::Error;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, PgConnection};
use r2d2::{HandleError, ManageConnection, Pool};

use crate::process::seldom;

/// The shortest of a lane's timeouts: how long it waits for a lock.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for a reader's connection.
pub const POOL_TIMEOUT: Duration = Duration::from_secs(2);

// What a lane is promised never depends on statistics: its statements have one plan, by index, whether the tables
// are new or large, and whether it is made once or each time: [`PlanCacheMode`]. The timeouts bound how long a stuck or
// cut-off holder can keep a journal's head.
const LANE: &str = "
    SET synchronous_commit = on;
    SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '5s';
    SET statement_timeout = '15s';
    SET idle_in_transaction_session_timeout = '10s';
    SET enable_seqscan = off;
    SET jit = off";

const READER: &str = "
    SET default_transaction_read_only = on;
    SET statement_timeout = '30s';
    SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off;
    SET jit = off";

/// When Postgres plans what a lane asks: its setting of this name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PlanCacheMode {
    /// Once, whatever values are asked for.
    #[default]
    ForceGenericPlan,
    /// As Postgres likes.
    Auto,
    /// Each time anew.
    ForceCustomPlan,
}

impl PlanCacheMode {
    fn setting(self) -> &'static str {
        match self {
            PlanCacheMode::ForceGenericPlan => "SET plan_cache_mode = force_generic_plan",
            PlanCacheMode::Auto => "SET plan_cache_mode = auto",
            PlanCacheMode::ForceCustomPlan => "SET plan_cache_mode = force_custom_plan",
        }
    }
}
// What runs here again and again has one plan, as a lane's statements have. It looks up a few rows in the order of an
// index; a bitmap would have to be sorted.
const GATHERER: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_bitmapscan = off";

/// Readers' connections; they cannot write.
pub type ReadPool = Pool<Readers>;

/// A reader's connection in its pool.
pub struct Pooled {
    /// The connection.
    pub connection: PgConnection,
    /// Did the last query on it fail? The connection is then asked whether it lives before it is used again.
    pub failed: bool,
}

/// Makes readers' connections, and tells which of them are lost.
pub struct Readers {
    url: String,
}

impl ManageConnection for Readers {
    type Connection = Pooled;
    type Error = ConnectionError;

    fn connect(&self) -> Result<Pooled, ConnectionError> {
        Ok(Pooled { connection: reader(&self.url)?, failed: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), ConnectionError> {
        pooled.connection.batch_execute("SELECT 1").map_err(ConnectionError::CouldntSetupConfiguration)
    }

    // diesel knows a connection for broken by its transactions alone; one that was lost between them it does not.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || (pooled.failed && self.is_valid(pooled).is_err())
    }
}

/// A connection as it comes, for setting up and for work that no request waits for.
pub fn plain(url: &str) -> Result<PgConnection, ConnectionError> {
    PgConnection::establish(&with_timeouts(url))
}

/// A connection for a lane.
pub fn lane(url: &str, plans: PlanCacheMode) -> Result<PgConnection, ConnectionError> {
    let mut connection = plain(url)?;
    let settings = format!("{LANE}; {}", plans.setting());
    connection.batch_execute(&settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A connection that reads a whole ledger, without the readers' time limit.
pub fn auditor(url: &str) -> Result<PgConnection, ConnectionError> {
    let mut connection = plain(url)?;
    let settings = "SET default_transaction_read_only = on; SET enable_seqscan = off; SET jit = off";
    connection.batch_execute(settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A reader's connection.
pub fn reader(url: &str) -> Result<PgConnection, ConnectionError> {
    let mut connection = plain(url)?;
    connection.batch_execute(READER).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A connection of a reader that runs the same few statements for many who ask at once.
pub fn gatherer(url: &str) -> Result<PgConnection, ConnectionError> {
    let mut connection = reader(url)?;
    connection.batch_execute(GATHERER).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A pool of `size` readers. Nothing is connected yet: the first request does it, so that a service can start
/// while its database is away.
pub fn readers(url: &str, size: u32) -> ReadPool {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        // A ping on every checkout would double the round trips.
        .test_on_check_out(false)
        .connection_timeout(POOL_TIMEOUT)
        .error_handler(Box::new(SeldomLogged))
        .build_unchecked(Readers { url: url.to_owned() })
}

// A pool tries again for as long as its database is away, and would say so each time.
#[derive(Debug)]
struct SeldomLogged;

impl<E: Error> HandleError<E> for SeldomLogged {
    fn handle_error(&self, error: E) {
        if let Some(left_out) = seldom::due("reader_unavailable") {
            tracing::warn!(%error, left_out, "a reader cannot connect");
        }
    }
}

// A peer that vanished without a word must not hold a connection for the hours that TCP allows it.
fn with_timeouts(url: &str) -> String {
    const SETTINGS: [(&str, &str); 6] = [
        ("application_name", "accrue"),
        ("connect_timeout", "3"),
        ("keepalives_idle", "30"),
        ("keepalives_interval", "10"),
        ("keepalives_count", "3"),
        ("tcp_user_timeout", "15000"),
    ];
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let mut out = url.to_owned();
    for (name, value) in SETTINGS.iter().filter(|(name, _)| !url.contains(&format!("{name}="))) {
        let mark = match is_url {
            true if out.contains('?') => '&',
            true => '?',
            false => ' ',
        };
        out.push_str(&format!("{mark}{name}={value}"));
    }
    out
}
