//! Queries for answers and reports. Connections here are read-only, and nothing here decides anything: what is due
//! and not yet written is shown by the same pure `settle` that the lanes write by.

pub mod adjustments;
pub mod causes;
mod compare;
pub mod donations;
pub mod due;
pub mod entries;
pub mod export;
pub mod export_file;
mod flow;
pub mod future;
mod gather;
mod kept;
mod lag;
pub mod lots;
pub mod members;
mod not_verified;
pub mod orders;
pub mod programs;
pub mod quotes;
pub mod redemptions;
pub mod refunds;
mod remembered;
pub mod reviews;
pub mod rewards;
pub mod route;
mod said;
pub mod standing;
pub mod tiers;
pub mod transfers;
pub mod verify;
pub mod wallet;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::sync::{Mutex, Semaphore};

use self::gather::Gather;
pub use self::gather::Seen;
use self::kept::Kept;
pub use self::lag::Lag;
pub use self::remembered::Remembered;
use self::route::Primary;
pub use self::said::Said;
use self::standing::Shown;
use self::wallet::WalletReply;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::program::ProgramBook;
use crate::load::{Programs, Unloadable};
use crate::postgres::clock::Clock;
use crate::postgres::connect::{self, ReadPool};
use crate::postgres::copy::Malformed;
use crate::postgres::errors::{self, Meaning};

/// How many requests wait for a reader, for each reader there is.
const WAITING_PER_READER: usize = 64;

/// How long an answer about readiness is good for.
const READINESS_AGE: Duration = Duration::from_secs(1);

/// How long the database may take to show that it is there.
const READINESS_PATIENCE: Duration = Duration::from_secs(2);

/// What a query for an answer is given. Its connection is read-only, and may be one to a copy that is a little behind.
pub struct View<'a> {
    /// The connection.
    pub connection: &'a mut PgConnection,
    /// The programme's clock.
    pub clock: &'a Clock,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

impl View<'_> {
    /// Runs queries that all see the database as it is now.
    pub fn snapshot<T>(&mut self, query: impl FnOnce(&mut View<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let (clock, programs) = (self.clock, self.programs);
        let mut transaction = self.connection.build_transaction().read_only().repeatable_read();
        transaction.run(|connection| query(&mut View { connection, clock, programs }))
    }
}

/// Runs queries for requests, a bounded number at a time.
#[derive(Clone)]
pub struct Reader {
    pool: ReadPool,
    clock: Clock,
    programs: Arc<Programs>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    url: Arc<str>,
    readiness: Arc<Mutex<Option<(bool, Instant)>>>,
    lag: Option<Arc<Lag>>,
    wallets: Arc<Gather<MemberId, Seen<WalletReply>>>,
    tiers: Arc<Gather<MemberId, Seen<Shown>>>,
}

impl Reader {
    /// `size` readers of the database at `url`, and one each that gathers reads of wallets and of tiers: several would
    /// find fewer questions each, which costs more. Nothing is connected yet.
    ///
    /// Errors: the system starts no more threads.
    pub fn new(url: &str, clock: Clock, programs: Arc<Programs>, size: u32) -> io::Result<Self> {
        let permits = usize::try_from(size).unwrap_or(1);
        let most = permits * WAITING_PER_READER;
        let kept = || Kept::new(url, clock.clone(), Arc::clone(&programs));
        let (mut of_wallets, mut of_tiers) = (kept(), kept());
        let (mut wallets, mut tiers) = (Remembered::default(), Remembered::default());
        let read_wallets =
            move |ids: &BTreeSet<MemberId>| of_wallets.run(|view| wallet::together(view, ids, &mut wallets));
        let read_tiers = move |ids: &BTreeSet<MemberId>| of_tiers.run(|view| standing::together(view, ids, &mut tiers));
        let wallets = Arc::new(Gather::start("wallets", most, [read_wallets])?);
        let tiers = Arc::new(Gather::start("tiers", most, [read_tiers])?);
        let (running, waiting) = (Arc::new(Semaphore::new(permits)), Arc::new(Semaphore::new(most)));
        let (pool, url, readiness) = (connect::readers(url, size), url.into(), Arc::default());
        Ok(Self { pool, clock, programs, running, waiting, url, readiness, lag: None, wallets, tiers })
    }

    /// The same of a database that may be a standby; how far it is behind is known from now on.
    ///
    /// Errors: the system starts no more threads.
    pub fn of_standby(self) -> io::Result<Self> {
        let lag = Some(Arc::new(Lag::watch(self.url.as_ref().to_owned())?));
        Ok(Self { lag, ..self })
    }

    /// How far the standby is behind that is read; none of a database that is written.
    pub fn lag(&self) -> Option<&Lag> {
        self.lag.as_deref()
    }

    /// Runs a query for an answer, on a thread that may block. Says at once when too many wait already.
    pub async fn run<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (clock, programs) = (self.clock.clone(), self.programs.book());
        self.blocking(move |connection| query(&mut View { connection, clock: &clock, programs: &programs })).await
    }

    /// Finds out where a command goes, in the same way, but always in the database that the lanes write to.
    pub async fn route<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Primary<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        self.blocking(move |connection| query(&mut Primary(connection))).await
    }

    async fn blocking<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, ReadError> + Send + 'static,
    {
        let _waiting = self.waiting.try_acquire().map_err(|_| ReadError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| ReadError::Busy)?;
        let pool = self.pool.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let _running = running;
            let mut pooled = pool.get().map_err(|_| ReadError::Unavailable)?;
            let answer = query(&mut pooled.connection);
            pooled.failed = answer.is_err();
            answer
        });
        ran.await.unwrap_or(Err(ReadError::PANICKED))
    }

    /// Can the database be reached, and does no journal lie ahead of its clock? Asks on a connection of its own, so that
    /// readers who wait do not count as a database that is away; answers within two seconds, and asks at most once a
    /// second.
    pub async fn ready(&self) -> bool {
        let mut last = self.readiness.lock().await;
        if let Some((ready, _)) = last.filter(|(_, asked)| asked.elapsed() < READINESS_AGE) {
            return ready;
        }
        let (url, clock) = (self.url.clone(), self.clock.clone());
        let ping = tokio::task::spawn_blocking(move || {
            connect::reader(&url)
                .is_ok_and(|mut connection| future::heads(&mut connection, &clock).is_ok_and(|ahead| ahead.is_empty()))
        });
        let ready = matches!(tokio::time::timeout(READINESS_PATIENCE, ping).await, Ok(Ok(true)));
        *last = Some((ready, Instant::now()));
        ready
    }
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Too many wait.
    #[error("more is being read than can wait")]
    Busy,
    /// No connection.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The query failed.
    #[error("the query failed")]
    Database(#[from] diesel::result::Error),
    /// Why a query gave no answer to several who waited for it.
    #[error(transparent)]
    Shared(Arc<ReadError>),
    /// The database holds what the program cannot have written.
    #[error("the database holds {0}")]
    Corrupt(&'static str),
    /// An entry is not one that the program can have written.
    #[error("journal {journal}, entry {seq}: {fault}")]
    CorruptEntry {
        /// Its journal.
        journal: JournalId,
        /// Its number.
        seq: i64,
        /// Why.
        fault: &'static str,
    },
}

impl From<Malformed> for ReadError {
    fn from(malformed: Malformed) -> Self {
        ReadError::Database(malformed.into())
    }
}

impl From<Unloadable> for ReadError {
    fn from(unloadable: Unloadable) -> Self {
        match unloadable {
            Unloadable::Statement(error) => ReadError::Database(error),
            Unloadable::Row(_) => ReadError::Corrupt("a row that this program cannot read"),
            Unloadable::Program(_) => ReadError::Corrupt("a programme that this program cannot read"),
        }
    }
}

impl ReadError {
    const PANICKED: Self = Self::Corrupt("a query that panicked");

    /// Is the database away, rather than the query at fault?
    pub fn is_unavailable(&self) -> bool {
        match self {
            ReadError::Unavailable => true,
            ReadError::Shared(error) => error.is_unavailable(),
            _ => matches!(self.meaning(), Some(Meaning::ConnectionLost | Meaning::Unavailable | Meaning::TryAgain)),
        }
    }

    /// May the same query pass on a new connection, at once? A standby cancels what it cannot show any more while it
    /// replays.
    fn may_pass_now(&self) -> bool {
        matches!(self.meaning(), Some(Meaning::ConnectionLost | Meaning::TryAgain))
    }

    fn meaning(&self) -> Option<Meaning> {
        let ReadError::Database(error) = self else { return None };
        Some(errors::meaning(error, Duration::ZERO, connect::LOCK_TIMEOUT))
    }
}
