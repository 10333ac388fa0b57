//! A command with what surrounds it, and how it is decided under its keys (invariant 4).

use std::time::Instant;

use uuid::Uuid;

use super::answer::{Answer, Key, NoAnswer, Outcome, Remembered};
use super::batch::{Batch, By, NewKey};
use super::command::{self, Asked, Command};
use crate::domain::decide::Context;
use crate::domain::ids::MemberId;
use crate::domain::refusal::{Refusal, Rejected};
use crate::process::seldom;

/// A command with what surrounds it.
pub struct Request {
    /// The command's id, a version 7 UUID made when it was received.
    pub id: Uuid,
    /// Who asks: `client:<name>` or `member:<id>`. Keys belong to the actor.
    pub actor: String,
    /// The caller's idempotency key; commands without a natural key must have one.
    pub key: Option<String>,
    /// Is the key taken by success alone, as a natural key is? Else a refusal is remembered under it.
    pub natural: bool,
    /// SHA-256 of the canonical form of what was asked, to tell a repetition from another request.
    pub hash: [u8; 32],
    /// A command still queued at this time is dropped.
    pub deadline: Instant,
    /// What is asked.
    pub command: Command,
}

impl Request {
    /// A request by `actor` under `key`, made now, that waits until `deadline` at most.
    pub fn new(actor: String, key: Option<String>, deadline: Instant, command: impl Into<Command>) -> Self {
        let command = command.into();
        let hash = command::hash(command.asked());
        Self { id: Uuid::now_v7(), actor, key, natural: false, hash, deadline, command }
    }

    /// With a key that names what is asked, as the line of a file does: taken by success alone.
    pub fn with_natural_key(self, key: String) -> Self {
        Self { key: Some(key), natural: true, ..self }
    }

    /// What is asked.
    pub fn asked(&self) -> &dyn Asked {
        self.command.asked()
    }

    /// The key in full, if the caller gave one.
    pub fn full_key(&self) -> Option<Key> {
        let (caller, operation) = (self.actor.clone(), self.asked().operation().to_owned());
        self.key.clone().map(|key| Key { caller, operation, key })
    }

    // Is `outcome` decided anew when the request is sent again? Beside a natural key, a refusal that can heal is.
    fn can_heal(&self, outcome: &Outcome) -> bool {
        let natural = self.asked().natural_key().is_some();
        matches!(outcome, Outcome::Refused(refusal) if natural && refusal.can_heal())
    }

    // Is it a refusal that the same request need not be given again? None is remembered any more; old ledgers have some.
    fn is_open(&self, remembered: &Remembered) -> bool {
        remembered.hash == self.hash && self.can_heal(&remembered.outcome)
    }
}

impl<'a> Batch<'a> {
    /// Decides one command after the ones before it.
    pub fn decide(&mut self, request: &'a Request) -> Result<Answer, NoAnswer> {
        let key = request.full_key();
        let remembered = key.as_ref().and_then(|key| self.known.keys.get(key));
        if let Some(remembered) = remembered.filter(|remembered| !request.is_open(remembered)) {
            return Ok(remembered.answer(&request.hash, || Refusal::IdempotencyKeyConflict));
        }
        // The natural key answers from now on, whatever an old ledger remembers here.
        let key = key.filter(|_| remembered.is_none());
        let (answer, member) = match self.done_before(request) {
            Some(known) => known,
            None => {
                let outcome = self.outcome(request)?;
                let member = request.asked().personal(&outcome);
                (Answer { outcome, replayed: false }, member)
            }
        };
        let refused = matches!(answer.outcome, Outcome::Refused(_));
        let forgets = request.can_heal(&answer.outcome) || refused && request.natural;
        if let Some(key) = key.filter(|_| !forgets) {
            let (hash, outcome) = (request.hash.to_vec(), answer.outcome.clone());
            let remembered = Remembered { hash, member, outcome };
            self.known.keys.insert(key.clone(), remembered.clone());
            self.changes.keys.push(NewKey { key, remembered });
        }
        Ok(answer)
    }

    // A natural key that is taken: the first answer again, or a refusal; and the member about whom the request holds
    // something personal: of an enrolment not the one that it names, whose id was made anew.
    fn done_before(&self, request: &Request) -> Option<(Answer, Option<MemberId>)> {
        let key = request.asked().natural_key()?;
        let remembered = self.known.natural(key)?;
        let answer = remembered.answer(&request.hash, || key.conflict());
        let member = remembered.member.or_else(|| request.asked().personal(&answer.outcome));
        Some((answer, member))
    }

    fn outcome(&mut self, request: &'a Request) -> Result<Outcome, NoAnswer> {
        let Request { id, actor, hash, .. } = request;
        let context = Context { now: self.now, programs: self.programs, command: *id, actor };
        match request.asked().decide(self, &By { context, hash: *hash }) {
            Ok(body) => Ok(Outcome::Done(body)),
            Err(Rejected::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(Rejected::Corrupt(misfit)) => {
                if let Some(left_out) = seldom::due("state_and_journal_disagree") {
                    tracing::error!(%misfit, command = %id, left_out, "state and journal disagree");
                }
                Err(NoAnswer::Fault)
            }
        }
    }
}
