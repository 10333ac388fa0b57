//! What is under way: many commands at once, answered in the order in which they were sent.

use std::collections::{HashSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::sync::oneshot::Receiver;

use super::super::database::unreachable;
use super::report::Report;
use super::{ACTOR, Step};
use crate::domain::ids::MemberId;
use crate::domain::refusal::Refusal;
use crate::ledger::{Answer, Command, EnrolWith, Ledger, NoAnswer, Outcome, Priority, Request};
use crate::postgres::connect;
use crate::read::route::{self, Primary};

/// How long a command may wait in its queue.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How many commands are under way at once.
const IN_FLIGHT: usize = 4_096;

/// How often a command is sent again when the database is away.
const MOST_TRIES: u32 = 10;

/// The commands under way, and what became of the others.
pub struct Flight<'a> {
    /// What became of the lines so far.
    pub report: Report,
    ledger: &'a Ledger,
    url: &'a str,
    in_flight: VecDeque<InFlight>,
    /// The members whose customers this run has enrolled.
    enrolled: HashSet<MemberId>,
}

/// A command under way: its line, what it is, and where its answer will be.
struct InFlight {
    line: u64,
    key: Option<String>,
    command: Command,
    answer: Receiver<Result<Answer, NoAnswer>>,
}

impl<'a> Flight<'a> {
    /// Nothing under way.
    pub fn new(ledger: &'a Ledger, url: &'a str, report: Report) -> Self {
        Self { report, ledger, url, in_flight: VecDeque::new(), enrolled: HashSet::new() }
    }

    /// Does with a line what was found out about it.
    pub fn take(&mut self, line: u64, step: Step) -> Result<()> {
        match step {
            Step::Send(key, command) => {
                if self.in_flight.len() >= IN_FLIGHT {
                    self.settle_first()?;
                }
                let answer = self.send(key.clone(), Command::clone(&command))?;
                self.in_flight.push_back(InFlight { line, key, command: *command, answer });
            }
            Step::Known => self.report.known += 1,
            Step::Reject(reason) => self.report.reject(line, 1, reason),
        }
        Ok(())
    }

    /// Waits for what is under way, and says what was done.
    pub fn land(mut self) -> Result<Report> {
        while !self.in_flight.is_empty() {
            self.settle_first()?;
        }
        Ok(self.report)
    }

    fn settle_first(&mut self) -> Result<()> {
        let Some(InFlight { line, key, mut command, mut answer }) = self.in_flight.pop_front() else { return Ok(()) };
        for tries in 1.. {
            match answer.blocking_recv().unwrap_or(Err(NoAnswer::OutcomeUnknown)) {
                Ok(answered) => match self.enrolled_meanwhile(&command, &answered)? {
                    Some(instead) if tries < MOST_TRIES => command = instead,
                    _ => {
                        self.count(line, &command, answered);
                        break;
                    }
                },
                Err(NoAnswer::Fault) => {
                    self.report.reject(line, 1, "an internal fault; the log says more".to_owned());
                    break;
                }
                Err(no_answer) if tries >= MOST_TRIES => bail!("{no_answer}; run the import again to go on"),
                Err(_) => thread::sleep(Duration::from_secs(1)),
            }
            // Nothing is lost by sending a command again: its key is the line's own.
            answer = self.send(key.clone(), command.clone())?;
        }
        Ok(())
    }

    // Somebody else has enrolled the customer since customers were looked up: then it is the same of that member.
    fn enrolled_meanwhile(&self, command: &Command, answer: &Answer) -> Result<Option<Command>> {
        let (Command::EnrolWith(EnrolWith(enrolment, first)), Outcome::Refused(Refusal::ExternalIdConflict)) =
            (command, &answer.outcome)
        else {
            return Ok(None);
        };
        let mut connection = connect::plain(self.url).map_err(unreachable)?;
        let member = route::member(&mut Primary(&mut connection), &enrolment.external_id)?;
        Ok(member.map(|member| first.clone().of_member(member)))
    }

    fn send(&self, key: Option<String>, command: Command) -> Result<Receiver<Result<Answer, NoAnswer>>> {
        let request = Request::new(ACTOR.to_owned(), None, Instant::now() + PATIENCE, command);
        let request = match key {
            Some(key) => request.with_natural_key(key),
            None => request,
        };
        Ok(self.ledger.submit(request, Priority::Background)?)
    }

    fn count(&mut self, line: u64, command: &Command, answer: Answer) {
        let report = &mut self.report;
        match answer.outcome {
            Outcome::Refused(refusal) => return report.reject(line, 1, refusal.to_string()),
            Outcome::Done(_) if answer.replayed => report.known += 1,
            Outcome::Done(_) => report.posted += 1,
        }
        // The first that is done of a customer has enrolled it.
        if let Command::EnrolWith(EnrolWith(_, first)) = command {
            report.enrolled += u64::from(self.enrolled.insert(first.member_id()));
        }
    }
}
