//! The sweeper: settles whoever has something due, a few at a time and with rests, so that orders do not feel it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::sync::oneshot::Receiver;

use super::review_once;
use crate::domain::ids::MemberId;
use crate::ledger::{Answer, Ledger, NoAnswer, Outcome, Priority, Request, Settle};
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::process::threads;
use crate::read::{ReadError, due};

/// Who settles, as entries name it.
pub(super) const ACTOR: &str = "system";

/// How many members are settled at a time. A batch with settling in it costs a few statements more, whatever their
/// number, so that a few at once are cheaper than one by one.
const BURST: usize = 64;

/// How many times as long as a burst took the sweeper rests after it: while others work, it takes a quarter of their
/// time at most, and the less the busier they are.
pub(super) const REST: u32 = 3;

/// How long it rests at most.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(1);

/// How many members are read at a time.
const PAGE: i64 = 1_000;

/// How long a member may wait to be settled before the sweep is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Sweeps again and again, on a thread of its own, until it is dropped.
pub struct Sweeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Sweeps the ledger in `url` every `interval`, the first time when one has passed.
    ///
    /// Errors: the system starts no more threads.
    pub fn start(ledger: Arc<Ledger>, url: String, clock: Clock, interval: Duration) -> io::Result<Self> {
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
        Ok(Self { stop: Some(stop), thread: Some(threads::start("sweeper", sweeps)?) })
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

/// As [`sweep_once`] and then [`review_once`], unless another instance is sweeping: then nothing is done.
pub fn sweep_alone(
    connection: &mut PgConnection,
    service: (&Ledger, &Clock),
    stopping: impl Fn() -> bool,
) -> Result<Option<Swept>, SweepError> {
    if !due::try_lock(connection)? {
        return Ok(None);
    }
    let swept = sweep_once(connection, service, &stopping);
    let reviewed = review_once(connection, service, &stopping);
    due::unlock(connection)?;
    reviewed?;
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
    let (mut swept, mut last) = (Swept::default(), None);
    loop {
        let page = due::page(connection, until, last, PAGE)?;
        last = page.last().copied();
        for burst in page.chunks(BURST) {
            if stopping() {
                return Ok(swept);
            }
            let began = Instant::now();
            settle(ledger, burst.iter().map(|(_, member)| *member), &mut swept)?;
            thread::sleep((began.elapsed() * REST).min(LONGEST_REST));
        }
        if last.is_none() {
            return Ok(swept);
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

// Has the members settled, and waits for all of them.
fn settle(ledger: &Ledger, members: impl Iterator<Item = MemberId>, swept: &mut Swept) -> Result<(), SweepError> {
    let deadline = Instant::now() + PATIENCE;
    let submit = |member: MemberId| {
        let request = Request::new(ACTOR.to_owned(), None, deadline, Settle(member));
        ledger.submit(request, Priority::Background)
    };
    let waiting: Vec<Receiver<Result<Answer, NoAnswer>>> = members.map(submit).collect::<Result<_, _>>()?;
    for answer in waiting {
        match answer.blocking_recv().unwrap_or(Err(NoAnswer::OutcomeUnknown)) {
            Ok(Answer { outcome: Outcome::Done(_), .. }) => {
                swept.settled += 1;
                metrics::counter!("accrue_swept_members_total").increment(1);
            }
            // A journal that this instance is about to hear of.
            Ok(Answer { outcome: Outcome::Refused(_), .. }) => {}
            // One journal that is ahead of the clock must not keep the others' members from being settled.
            Err(NoAnswer::Fault | NoAnswer::ClockBehind) => swept.failed += 1,
            Err(no_answer) => return Err(no_answer.into()),
        }
    }
    Ok(())
}
