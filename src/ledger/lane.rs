//! A lane: the thread that serves one journal.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::answer::{Answer, NoAnswer};
use super::health::Health;
use super::keys::Reach;
use super::memory::Memory;
use super::queue::{Queue, Taken};
use super::request::Request;
use super::transaction::{Decided, Here, Transaction};
use super::waiting::Waiting;
use super::{Failure, LedgerConfig, quiet};
use crate::domain::ids::{JournalId, MemberId};
use crate::load::Programs;
use crate::postgres::connect::{self, PlanCacheMode};
use crate::postgres::errors::Meaning;
use crate::process::seldom;

/// How many commands go into one transaction.
pub const BATCH_LIMIT: usize = 256;

/// From how many commands in a batch on the next one is waited for, and for how long at most.
const BUSY: usize = 8;
const GATHER: Duration = Duration::from_micros(500);

/// For how many batches keys are looked up after one was found to be taken.
const WARY: u32 = 64;

/// How often a batch is tried when the database stands in the way.
const MOST_TRIES: u32 = 6;

/// How long a lane that fails waits for commands before it finds out by itself whether it can commit again: where it
/// makes the service not ready, no commands may come.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A queued request and where its answer goes.
pub struct Job {
    /// The request.
    pub request: Request,
    /// Where its answer goes.
    pub reply: oneshot::Sender<Reply>,
}

type Reply = Result<Answer, NoAnswer>;

/// The one writer of a journal in this process.
pub struct Lane {
    url: String,
    plan_cache_mode: PlanCacheMode,
    batch_limit: usize,
    here: Here,
    queue: Arc<Queue<Job>>,
    waiting: Waiting,
    health: Arc<Health>,
    connection: Option<PgConnection>,
    memory: Memory,
    /// For so many batches more the head is locked before anything is decided.
    wary: u32,
    /// The last batch found the database away; the next one does not wait for it as long.
    away: bool,
}

impl Lane {
    /// A lane that is not running yet.
    pub fn new(
        config: &LedgerConfig,
        ledger: Uuid,
        journal: JournalId,
        programs: Arc<Programs>,
        (queue, health): (Arc<Queue<Job>>, Arc<Health>),
    ) -> Self {
        let LedgerConfig { url, plan_cache_mode, batch_limit, .. } = config.clone();
        let here = Here { ledger, journal, clock: config.clock.clone(), programs };
        let (waiting, memory) = (Waiting::new(config.patience), Memory::default());
        let (connection, wary, away) = (None, 0, false);
        Self { url, plan_cache_mode, batch_limit, here, queue, waiting, health, connection, memory, wary, away }
    }

    /// Serves the queue until it is closed and empty. May be called again after a panic: whoever waited for what was
    /// taken hears that its outcome is unknown, and what is still queued is served.
    pub fn run(&mut self) {
        let health = Arc::clone(&self.health);
        let _running = health.running();
        // What a panic left behind is in the midst of something.
        self.disconnect();
        self.waiting.take();
        loop {
            let patience = health.is_failing().then_some(PROBE_INTERVAL);
            match self.queue.take(self.batch_limit, patience) {
                Taken::Batch(jobs) => {
                    health.took();
                    self.serve(jobs);
                }
                Taken::Nothing => {
                    health.took();
                    // A batch of nothing goes the way of all batches; nobody waits for what it says.
                    let _ = self.commit(&[], Course { quiet: false, unknown: false });
                }
                Taken::Closed => return,
            }
            health.answered();
        }
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        let jobs = self.waiting.admit(jobs);
        let decided = jobs.len();
        self.decide(jobs);
        // Under load, those who were just answered are about to ask again, and a batch costs about a millisecond
        // whatever is in it: a moment's wait for them makes fewer and fuller batches. With few callers nobody waits.
        if decided >= BUSY {
            self.queue.gather(self.batch_limit.min(2 * decided), GATHER);
        }
        // Where nothing is there to pass them, nobody waits either.
        if self.waiting.is_ripe() || self.queue.len() == 0 {
            let jobs = self.waiting.take();
            self.decide(jobs);
        }
    }

    fn decide(&mut self, jobs: Vec<Job>) {
        let now = Instant::now();
        let (late, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.request.deadline <= now);
        for job in late {
            let _ = job.reply.send(Err(NoAnswer::Expired));
        }
        let (requests, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.request, job.reply)).unzip();
        let answers = self.answers(&requests.iter().collect::<Vec<_>>(), Course { quiet: true, unknown: false });
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that has gone away loses nothing: its key answers when it comes back.
            let _ = reply.send(answer);
        }
    }

    // One answer for each request. A batch that the database finds fault with is decided in halves, so that one
    // command cannot fail its neighbours.
    fn answers(&mut self, requests: &[&Request], course: Course) -> Vec<Reply> {
        if requests.is_empty() {
            return Vec::new();
        }
        // Erasure removes rows that the state of its batch still holds, so what comes after it loads what is left.
        let erasure = requests.iter().position(|request| request.asked().removes_rows());
        if let Some(erasure) = erasure.filter(|n| n + 1 < requests.len()) {
            return self.in_two(requests.split_at(erasure + 1), course);
        }
        match self.commit(requests, course) {
            Ok(answers) => answers,
            Err(Verdict::Halve { unknown }) => {
                self.in_two(requests.split_at(requests.len() / 2), Course { unknown, ..course })
            }
            Err(Verdict::Answer(no_answer)) => vec![Err(no_answer); requests.len()],
        }
    }

    fn in_two(&mut self, (first, second): (&[&Request], &[&Request]), course: Course) -> Vec<Reply> {
        let mut answers = self.answers(first, course);
        answers.extend(self.answers(second, course));
        answers
    }

    // Tries until the batch is committed or there is nothing left to try.
    //
    // Trying again is also how an unknown outcome is found out: the head's lock waits for the lost backend, and then
    // every command's key shows whether it took effect (invariant 4).
    fn commit(&mut self, requests: &[&Request], course: Course) -> Result<Vec<Reply>, Verdict> {
        let (mut reach, mut others) = (Reach::Journal, BTreeSet::new());
        let mut tries = if self.away { MOST_TRIES - 1 } else { 0 };
        self.wary = self.wary.saturating_sub(1);
        let Course { mut quiet, mut unknown } = course;
        // What may have been done before is looked up behind the lock.
        quiet &= self.wary == 0 && !self.away && !unknown;
        loop {
            let began = Instant::now();
            let quietly = std::mem::take(&mut quiet);
            let failure = match self.attempt(requests, quietly, reach, &others) {
                Ok(answers) if answers.iter().all(Option::is_none) && !requests.is_empty() => {
                    // Nothing was done quietly, or a part of what was due was written.
                    continue;
                }
                Ok(answers) => {
                    self.away = false;
                    self.health.committed();
                    count(requests.len(), quietly, began.elapsed());
                    return Ok(self.complete(requests, answers));
                }
                // Shown by what was found, or by a decision: never twice for the same members.
                Err(Failure::OtherMembers(found)) => {
                    others.extend(found);
                    continue;
                }
                Err(failure) => failure,
            };
            let meaning = match failure.meaning(began.elapsed()) {
                meaning if matches!(failure, Failure::Panicked) || self.is_connected() => meaning,
                _ => Meaning::ConnectionLost,
            };
            self.warn(&failure, &meaning, requests.len());
            tries += 1;
            match meaning {
                Meaning::ConnectionLost => {
                    self.disconnect();
                    unknown |= matches!(failure, Failure::Commit(_));
                    self.away = tries >= MOST_TRIES;
                }
                // Repetitions come in numbers, and each costs a batch that was written in vain.
                Meaning::Taken(_) if quietly => {
                    (self.wary, tries) = (WARY, tries - 1);
                    continue;
                }
                Meaning::Taken(_) if reach == Reach::Journal => {
                    reach = Reach::AllJournals;
                    continue;
                }
                Meaning::Taken(_) | Meaning::BadData if requests.len() > 1 => return Err(Verdict::Halve { unknown }),
                // The other journals' clocks are not that of this batch: only those who name one are refused with it.
                Meaning::Unavailable if failure.is_of_another(self.here.journal) && requests.len() > 1 => {
                    return Err(Verdict::Halve { unknown });
                }
                Meaning::BadData => return Err(Verdict::of(NoAnswer::Fault, unknown)),
                Meaning::Fault => {
                    self.health.failed();
                    return Err(Verdict::of(NoAnswer::Fault, unknown));
                }
                Meaning::Unavailable => tries = MOST_TRIES,
                // Whoever took the key has committed by now: the next look at all journals finds it.
                Meaning::Taken(_) | Meaning::TryAgain => {}
            }
            if tries >= MOST_TRIES {
                self.health.failed();
                return Err(Verdict::of(failure.no_answer(), unknown));
            }
            thread::sleep(Duration::from_millis(10 << tries) + Duration::from_millis(rand::random_range(0..10)));
        }
    }

    fn warn(&self, failure: &Failure, meaning: &Meaning, commands: usize) {
        // A clock that is behind has a kind of its own, so that no other failure hides it.
        let kind = if matches!(failure, Failure::Ahead { .. }) { "clock_behind" } else { meaning.name() };
        let Some(left_out) = seldom::due(kind) else { return };
        let error = failure as &dyn std::error::Error;
        tracing::warn!(journal = self.here.journal, commands, ?meaning, error, left_out, "a batch failed");
    }

    // Asked after a failure: what an error says of a lost connection differs between places and languages.
    fn is_connected(&mut self) -> bool {
        self.connection.as_mut().is_some_and(|connection| connection.batch_execute("SELECT 1").is_ok())
    }

    fn attempt(
        &mut self,
        requests: &[&Request],
        quietly: bool,
        reach: Reach,
        others: &BTreeSet<MemberId>,
    ) -> Result<Vec<Option<Reply>>, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::lane(&self.url, self.plan_cache_mode).map_err(Failure::Connect)?,
        };
        let attempt = AssertUnwindSafe(|| match quietly {
            true => {
                let answers = quiet::decide_and_write(&self.here, &mut connection, requests, &mut self.memory)?;
                Ok(answers.into_iter().map(|answer| answer.map(Ok)).collect())
            }
            false => self.transaction(&mut connection, requests, reach, others),
        });
        let committed = panic::catch_unwind(attempt).unwrap_or(Err(Failure::Panicked));
        // After a panic the connection is in the midst of something; it is dropped, and with it the transaction.
        match committed {
            Err(Failure::Panicked) => self.memory.forget(),
            _ => self.connection = Some(connection),
        }
        committed
    }

    fn transaction(
        &mut self,
        connection: &mut PgConnection,
        requests: &[&Request],
        reach: Reach,
        others: &BTreeSet<MemberId>,
    ) -> Result<Vec<Option<Reply>>, Failure> {
        let transaction = Transaction { here: &self.here, others, reach };
        AnsiTransactionManager::begin_transaction(connection)?;
        match transaction.decide_and_write(connection, requests, &mut self.memory) {
            Ok(Decided { answers, head, members }) => {
                AnsiTransactionManager::commit_transaction(connection).map_err(Failure::Commit)?;
                self.health.committed();
                let own = members.into_values().filter(|member| member.id.journal() == self.here.journal);
                self.memory.keep(head, own);
                if requests.iter().any(|request| request.asked().publishes())
                    && let Err(failure) = self.here.programs.refresh(connection)
                {
                    // What is committed is committed; the next batch and the watch read it again.
                    let error = &failure as &dyn std::error::Error;
                    tracing::warn!(error, "a published version was not read back at once");
                }
                let answers = answers.map(|answers| answers.into_iter().map(Some).collect());
                Ok(answers.unwrap_or_else(|| vec![None; requests.len()]))
            }
            Err(failure) => {
                // Fails only where the connection is lost, and then there is nothing left to roll back.
                let _ = AnsiTransactionManager::rollback_transaction(connection);
                Err(failure)
            }
        }
    }

    // What was not done quietly is decided behind the head's lock.
    fn complete(&mut self, requests: &[&Request], answers: Vec<Option<Reply>>) -> Vec<Reply> {
        let open = requests.iter().zip(&answers).filter(|(_, answer)| answer.is_none());
        let open: Vec<&Request> = open.map(|(request, _)| *request).collect();
        let mut rest = self.answers(&open, Course { quiet: false, unknown: false }).into_iter();
        let answer = |answer: Option<Reply>| answer.or_else(|| rest.next()).unwrap_or(Err(NoAnswer::Fault));
        answers.into_iter().map(answer).collect()
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.memory.forget();
    }
}

/// How requests are gone about.
#[derive(Clone, Copy)]
struct Course {
    /// May they be done without locking the head first?
    quiet: bool,
    /// Was a COMMIT of them lost before? Then nobody is told that nothing was done.
    unknown: bool,
}

enum Verdict {
    Halve { unknown: bool },
    Answer(NoAnswer),
}

impl Verdict {
    fn of(no_answer: NoAnswer, unknown: bool) -> Self {
        Verdict::Answer(if unknown { NoAnswer::OutcomeUnknown } else { no_answer })
    }
}

fn count(commands: usize, quietly: bool, elapsed: Duration) {
    metrics::counter!("accrue_batches_total", "way" => if quietly { "quiet" } else { "locked" }).increment(1);
    metrics::histogram!("accrue_batch_commands").record(commands as f64);
    metrics::histogram!("accrue_batch_seconds").record(elapsed.as_secs_f64());
}
