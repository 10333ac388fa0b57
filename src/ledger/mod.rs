//! The only writer. A [`Request`] goes into the bounded queue of its journal; the journal's lane takes what is queued,
//! locks the head, loads what the batch names, decides in memory, writes, commits, and answers everyone.
//!
//! No statement outside of this module writes, which a test holds, and readers' connections are read-only. Everything
//! that moves points or changes a member comes through [`Ledger::submit`].

mod answer;
mod batch;
mod command;
mod failure;
mod head;
mod health;
mod keys;
mod lane;
#[cfg(test)]
mod machine;
mod memory;
mod queue;
mod quiet;
mod request;
pub mod sandbox;
pub mod setup;
mod transaction;
mod waiting;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::PgConnection;
use tokio::sync::oneshot;
use uuid::Uuid;

pub use self::answer::{Answer, Key, NaturalKey, NoAnswer, Outcome};
pub use self::command::{
    AnswerTransfer, Asked, AssignTier, ChangeMembership, ChangeProfile, ChangeRedemption, ChangeReward, Command, Enrol,
    EnrolWith, First, Publish, RedemptionChange, Review, Settle,
};
pub use self::failure::Failure;
use self::health::Health;
use self::lane::{Job, Lane};
pub use self::queue::Priority;
use self::queue::{Full, Queue};
pub use self::request::Request;
use self::sandbox::ClockError;
pub use self::sandbox::Mode;
use crate::domain::digest::sha256;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::sandbox::ClockMove;
use crate::domain::time::Timestamp;
use crate::load::{self, Programs};
use crate::postgres::clock::{Clock, LastSeen, Reading};
use crate::postgres::connect::{self, PlanCacheMode};
use crate::postgres::guard::{Gaps, Power};
use crate::process::threads;

/// How many requests, and as many background commands, wait for one journal.
pub const QUEUE_CAPACITY: usize = 4_096;

/// How often journals and programme versions that other instances added are looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// How to open a ledger.
#[derive(Clone)]
pub struct LedgerConfig {
    /// The service role's database.
    pub url: String,
    /// The programme's clock.
    pub clock: Clock,
    /// When Postgres plans what lanes ask.
    pub plan_cache_mode: PlanCacheMode,
    /// See [`QUEUE_CAPACITY`].
    pub queue_capacity: usize,
    /// How many commands go into one transaction, at most.
    pub batch_limit: usize,
    /// How long commands that may write to another journal wait for others like them, at most, while orders pass them.
    /// For no time at all nothing passes them.
    pub patience: Duration,
}

impl LedgerConfig {
    /// The usual limits on the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            clock: Clock::database(),
            plan_cache_mode: PlanCacheMode::default(),
            queue_capacity: QUEUE_CAPACITY,
            batch_limit: lane::BATCH_LIMIT,
            patience: waiting::PATIENCE,
        }
    }
}

/// An open ledger: a lane for every journal.
pub struct Ledger {
    shared: Arc<Shared>,
    watch: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

struct Shared {
    config: LedgerConfig,
    id: Uuid,
    mode: Mode,
    programs: Arc<Programs>,
    seen: LastSeen,
    lanes: RwLock<Lanes>,
    reads_only: bool,
}

#[derive(Default)]
struct Lanes {
    ends: BTreeMap<JournalId, End>,
    threads: Vec<JoinHandle<()>>,
    /// Journals that new members may get.
    open: Vec<JournalId>,
}

/// The other end of a lane: where its commands go, and how it is.
struct End {
    queue: Arc<Queue<Job>>,
    health: Arc<Health>,
}

impl Ledger {
    /// Opens the ledger: checks that the schema is this program's, that neither the role nor a gap in the triggers can
    /// change history, and that there is a programme, then starts the lanes.
    pub fn open(config: LedgerConfig) -> Result<Self, OpenError> {
        Self::open_with(config, false)
    }

    /// Opens the ledger to read it, on a standby too: the same checks, and no lanes. What it is asked to decide gets
    /// [`NoAnswer::ReadOnly`].
    pub fn open_to_read(config: LedgerConfig) -> Result<Self, OpenError> {
        Self::open_with(config, true)
    }

    fn open_with(config: LedgerConfig, reads_only: bool) -> Result<Self, OpenError> {
        let mut connection = connect::plain(&config.url).map_err(OpenError::Unreachable)?;
        setup::check_schema(&mut connection)?;
        setup::check_guard(&mut connection)?;
        let id = load::ledger_id(&mut connection)?;
        let mode = sandbox::mode(&mut connection)?.ok_or(diesel::result::Error::NotFound)?;
        let book = load::program_book(&mut connection).map_err(Failure::from).map_err(OpenError::Failed)?;
        let book = book.ok_or(OpenError::NoProgram)?;
        let programs = Arc::new(Programs::new(book));
        let seen = LastSeen::new(config.clock.look(&mut connection)?.now);
        let shared = Arc::new(Shared { config, id, mode, programs, seen, lanes: RwLock::default(), reads_only });
        // From here on what is started is stopped with it.
        let mut ledger = Self { shared: Arc::clone(&shared), watch: None };
        shared.start_lanes(&mut connection)?;
        let (stop, stopped) = mpsc::channel();
        let watch = threads::start("watch", move || shared.watch(&stopped)).map_err(OpenError::Thread)?;
        ledger.watch = Some((stop, watch));
        Ok(ledger)
    }

    /// The ledger's id.
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// Was it opened to be read alone?
    pub fn is_read_only(&self) -> bool {
        self.shared.reads_only
    }

    /// What the database is for.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// The programme's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.config.clock
    }

    /// What the programme's clock must show by now, without asking the database: see [`LastSeen`]. Where another instance
    /// moves the clock of a sandbox, this one hears of it in some seconds.
    pub fn present(&self) -> Timestamp {
        self.clock().read(self.shared.seen.now())
    }

    /// The programme's versions, as last read.
    pub fn programs(&self) -> &Arc<Programs> {
        &self.shared.programs
    }

    /// A new id for a member: in a journal chosen by the external id, so that the same customer enrolled twice at
    /// once comes to one lane, whichever instance and version of this program takes it: by the first eight bytes of its
    /// SHA-256.
    pub fn new_member_id(&self, external_id: &str) -> MemberId {
        let [a, b, c, d, e, f, g, h, ..] = sha256(&[external_id.as_bytes()]);
        let lanes = self.shared.lanes();
        let place = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % (lanes.open.len().max(1) as u64);
        let journal = usize::try_from(place).ok().and_then(|place| lanes.open.get(place)).copied();
        MemberId::new(journal.unwrap_or(1), Uuid::now_v7())
    }

    /// Queues a request and returns where its answer will arrive. A full queue says so at once; background work waits
    /// for a place.
    pub fn submit(
        &self,
        request: Request,
        priority: Priority,
    ) -> Result<oneshot::Receiver<Result<Answer, NoAnswer>>, NoAnswer> {
        if self.is_read_only() {
            return Err(NoAnswer::ReadOnly);
        }
        let (reply, answer) = oneshot::channel();
        let queue = self.shared.queue(request.asked().journal());
        let Some(queue) = queue else {
            // No journal has that number, so nothing has that id. Nothing is remembered: there is nowhere to.
            let outcome = Outcome::Refused(request.asked().not_found());
            let _ = reply.send(Ok(Answer { outcome, replayed: false }));
            return Ok(answer);
        };
        let job = Job { request, reply };
        let pushed = match priority {
            Priority::Request => queue.push(job),
            Priority::Background => queue.push_background(job),
        };
        match pushed {
            Ok(()) => Ok(answer),
            Err(Full::Full) => Err(NoAnswer::Busy),
            Err(Full::Closed) => Err(NoAnswer::Unavailable),
        }
    }

    /// Submits a request and waits for its answer.
    pub async fn decide(&self, request: Request) -> Result<Answer, NoAnswer> {
        // A lane that died with the request may have committed it before.
        self.submit(request, Priority::Request)?.await.unwrap_or(Err(NoAnswer::OutcomeUnknown))
    }

    /// Does every lane run and commit, as far as it was asked to?
    pub fn is_well(&self) -> bool {
        self.shared.lanes().ends.values().all(|end| end.health.is_well())
    }

    /// Moves the clock of a sandbox forward, for all instances at once, and says what it then shows. No command and no
    /// entry: it is kept with the database, not in its history.
    pub fn move_clock(&self, wanted: ClockMove) -> Result<Reading, ClockError> {
        if self.is_read_only() {
            return Err(ClockError::ReadOnly);
        }
        let config = &self.shared.config;
        let mut connection = connect::lane(&config.url, config.plan_cache_mode).map_err(ClockError::Unreachable)?;
        let moved = sandbox::move_clock(&mut connection, (&config.clock, &self.programs().book()), wanted)?;
        self.shared.seen.see(moved.now);
        Ok(moved)
    }

    /// How many commands wait, by journal.
    pub fn queued(&self) -> Vec<(JournalId, usize)> {
        self.shared.lanes().ends.iter().map(|(journal, end)| (*journal, end.queue.len())).collect()
    }

    /// Takes no more commands in, decides those that are queued, and stops the lanes.
    pub fn close(&self) {
        let threads = {
            let mut lanes = self.shared.lanes.write().unwrap_or_else(PoisonError::into_inner);
            lanes.ends.values().for_each(|end| end.queue.close());
            std::mem::take(&mut lanes.threads)
        };
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Some((stop, watch)) = self.watch.take() {
            drop(stop);
            let _ = watch.join();
        }
        self.close();
    }
}

impl Shared {
    fn queue(&self, journal: JournalId) -> Option<Arc<Queue<Job>>> {
        self.lanes().ends.get(&journal).map(|end| Arc::clone(&end.queue))
    }

    fn lanes(&self) -> RwLockReadGuard<'_, Lanes> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner)
    }

    // Starts the lanes of journals that have none yet.
    fn start_lanes(&self, connection: &mut PgConnection) -> Result<(), OpenError> {
        if self.reads_only {
            return Ok(());
        }
        let journals = setup::journals(connection)?;
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.open = journals.iter().filter(|journal| journal.open).map(|journal| journal.id).collect();
        for setup::JournalRow { id: journal, .. } in journals {
            if lanes.ends.contains_key(&journal) {
                continue;
            }
            let (queue, health) = (Arc::new(Queue::new(self.config.queue_capacity)), Arc::default());
            let end = End { queue: Arc::clone(&queue), health: Arc::clone(&health) };
            let programs = Arc::clone(&self.programs);
            let mut lane = Lane::new(&self.config, self.id, journal, programs, (queue, health));
            let thread = threads::start(format!("lane-{journal}"), move || lane.run());
            lanes.threads.push(thread.map_err(OpenError::Thread)?);
            lanes.ends.insert(journal, end);
        }
        Ok(())
    }

    // Other instances add journals, publish versions and move the clock of a sandbox; this one hears of it here.
    fn watch(&self, stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(WATCH_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let looked = || -> Result<(), OpenError> {
                let mut connection = connect::plain(&self.config.url).map_err(OpenError::Unreachable)?;
                self.seen.see(self.config.clock.look(&mut connection)?.now);
                self.programs.refresh(&mut connection).map_err(Failure::from).map_err(OpenError::Failed)?;
                self.start_lanes(&mut connection)
            };
            if let Err(error) = looked() {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "could not look for new journals and programme versions");
            }
        }
    }
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No connection.
    #[error("cannot connect to the database")]
    Unreachable(#[source] diesel::ConnectionError),
    /// The database belongs to an older or newer program, or to none.
    #[error(
        "the database's schema is at {found}, this program needs {needed}; if the database is behind, run `accrue \
         migrate` as its owner, else run a newer accrue"
    )]
    Schema {
        /// The last migration that was run.
        found: String,
        /// The last migration that this program knows.
        needed: String,
    },
    /// Invariant 1 asks for a role that cannot change history.
    #[error(
        "the role {} {}, so that it could change what is written; connect as a login that is only a member of \
         accrue_service (CREATE ROLE name LOGIN PASSWORD '…' IN ROLE accrue_service)",
        .0.role, .0.what
    )]
    RoleTooStrong(Power),
    /// Invariant 1 asks for triggers that refuse every change of history.
    #[error("history is not guarded: {0}; run `accrue verify` before you mend it")]
    Unguarded(Gaps),
    /// The database is empty.
    #[error("there is no programme yet; give one with --program FILE")]
    NoProgram,
    /// Another programme than the database's was given at start.
    #[error("the database already has a programme, and it is another one; publish versions over the API instead")]
    OtherProgram,
    /// The database is for something else.
    #[error("the database is {found}, and stays one; {}", other_mode(*.found))]
    OtherMode {
        /// What it is.
        found: Mode,
    },
    /// A query failed.
    #[error("the database refused")]
    Database(#[from] diesel::result::Error),
    /// A transaction failed.
    #[error("the ledger could not be prepared")]
    Failed(#[source] Failure),
    /// No thread for a lane.
    #[error("the system starts no more threads")]
    Thread(#[source] io::Error),
}

fn other_mode(found: Mode) -> &'static str {
    match found {
        Mode::Production => "leave --sandbox out, or use another database for a sandbox or a demonstration",
        Mode::Sandbox => "give --sandbox, or use another database for production",
    }
}
