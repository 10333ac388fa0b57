//! The sweeper: settles whoever has something due, one after the other, too few at a time for orders to feel it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::sync::oneshot::Receiver;

use crate::domain::ids::{JournalId, MemberId};
use crate::ledger::{Answer, Command, Ledger, NoAnswer, Outcome, Priority, Request};
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::read::{ReadError, due};

/// Who settles, as entries name it.
const ACTOR: &str = "system";

/// How many members of one journal are being settled at a time: a small part of what a batch takes.
const IN_FLIGHT: usize = 16;

/// How many members are read at a time.
const PAGE: i64 = 1_000;

/// How long a member may wait to be settled before the sweep is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sweeps again and again, on a thread of its own, until it is dropped.
pub struct Sweeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Sweeps the ledger in `url` every `interval`, the first time when one has passed.
    pub fn start(ledger: Arc<Ledger>, url: String, clock: Clock, interval: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let sweeps = move || {
            let mut connection = None;
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let stopping = || stopped.try_recv() == Err(TryRecvError::Disconnected);
                match sweep(&mut connection, &url, (&ledger, &clock), stopping) {
                    Ok(Some(Swept { failed, .. })) if failed > 0 => {
                        tracing::error!(failed, "members could not be settled; the lanes' lines say why");
                    }
                    Ok(Some(Swept { settled, .. })) if settled > 0 => tracing::debug!(settled, "swept"),
                    Ok(_) => {}
                    Err(error) => {
                        // It may be the connection, and with it goes the lock.
                        connection = None;
                        tracing::warn!(error = &error as &dyn std::error::Error, "a sweep was given up");
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("sweeper".to_owned()).spawn(sweeps);
        Self { stop: Some(stop), thread: Some(thread.expect("the system can start a thread for the sweeper")) }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a sweep did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Members who had something due and have it written.
    pub settled: u64,
    /// Members who could not be settled.
    pub failed: u64,
}

/// As [`sweep_once`], unless another instance is sweeping: then nothing is done.
pub fn sweep_alone(
    connection: &mut PgConnection,
    service: (&Ledger, &Clock),
    stopping: impl Fn() -> bool,
) -> Result<Option<Swept>, SweepError> {
    if !due::try_lock(connection)? {
        return Ok(None);
    }
    let swept = sweep_once(connection, service, stopping);
    due::unlock(connection)?;
    swept.map(Some)
}

/// Settles everyone who has something due now, in the order in which it fell due, or until it is `stopping`. Whoever
/// cannot be settled is passed by.
///
/// Errors: the ledger or the database has no answer. What was settled by then stays so.
pub fn sweep_once(
    connection: &mut PgConnection,
    (ledger, clock): (&Ledger, &Clock),
    stopping: impl Fn() -> bool,
) -> Result<Swept, SweepError> {
    let until = clock.look(connection)?.now;
    let mut sweep = Sweep { ledger, swept: Swept::default(), in_flight: BTreeMap::new() };
    let mut last = None;
    loop {
        let page = due::page(connection, until, last, PAGE)?;
        last = page.last().copied();
        for (_, member) in page {
            if stopping() {
                return sweep.finish();
            }
            sweep.settle(member)?;
        }
        if last.is_none() {
            return sweep.finish();
        }
    }
}

/// Why a sweep was given up.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// No connection.
    #[error("cannot connect to the database")]
    Unreachable(#[from] diesel::ConnectionError),
    /// A query failed.
    #[error("the database refused")]
    Database(#[from] diesel::result::Error),
    /// Who has something due could not be read.
    #[error("who has something due could not be read")]
    Read(#[from] ReadError),
    /// The ledger has more important things to do, or none can be done.
    #[error("the ledger gave no answer")]
    NoAnswer(#[from] NoAnswer),
}

fn sweep(
    connection: &mut Option<PgConnection>,
    url: &str,
    service: (&Ledger, &Clock),
    stopping: impl Fn() -> bool,
) -> Result<Option<Swept>, SweepError> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(connect::reader(url)?),
    };
    sweep_alone(connection, service, stopping)
}

struct Sweep<'a> {
    ledger: &'a Ledger,
    swept: Swept,
    in_flight: BTreeMap<JournalId, VecDeque<Receiver<Result<Answer, NoAnswer>>>>,
}

impl Sweep<'_> {
    // Submits, and waits for the first of those under way in the member's journal if they are many.
    fn settle(&mut self, member: MemberId) -> Result<(), SweepError> {
        let journal = member.journal();
        if self.in_flight.get(&journal).is_some_and(|waiting| waiting.len() >= IN_FLIGHT) {
            self.await_first(journal)?;
        }
        let deadline = Instant::now() + PATIENCE;
        let request = Request::new(ACTOR.to_owned(), None, deadline, Command::Settle(member));
        let answer = self.ledger.submit(request, Priority::Background)?;
        self.in_flight.entry(journal).or_default().push_back(answer);
        Ok(())
    }

    fn finish(mut self) -> Result<Swept, SweepError> {
        let journals: Vec<JournalId> = self.in_flight.keys().copied().collect();
        for journal in journals {
            while self.in_flight.get(&journal).is_some_and(|waiting| !waiting.is_empty()) {
                self.await_first(journal)?;
            }
        }
        Ok(self.swept)
    }

    fn await_first(&mut self, journal: JournalId) -> Result<(), SweepError> {
        let first = self.in_flight.get_mut(&journal).and_then(VecDeque::pop_front);
        let Some(answer) = first else { return Ok(()) };
        match answer.blocking_recv().unwrap_or(Err(NoAnswer::Fault)) {
            Ok(Answer { outcome: Outcome::Done(_), .. }) => {
                self.swept.settled += 1;
                metrics::counter!("accrue_swept_members_total").increment(1);
            }
            // A journal that this instance is about to hear of.
            Ok(Answer { outcome: Outcome::Refused(_), .. }) => {}
            Err(NoAnswer::Fault) => self.swept.failed += 1,
            Err(no_answer) => return Err(no_answer.into()),
        }
        Ok(())
    }
}
