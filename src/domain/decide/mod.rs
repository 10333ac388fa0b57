//! Decisions: a command and the state it names become entries, or a refusal. Nothing here does I/O, and time,
//! randomness and rules are inputs (invariant 10).

mod orders_wanted;
pub mod points;
mod settle;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::iter;

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::ids::MemberId;
use crate::domain::journal::entry::{Draft, Kind, Posting, derive_id};
use crate::domain::journal::misfit::Misfit;
use crate::domain::journal::payload::Payload;
use crate::domain::member::fact::Fact;
use crate::domain::member::{Member, Status};
use crate::domain::program::{Program, ProgramBook};
use crate::domain::record::lot::NewLot;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

pub use orders_wanted::{Coming, orders_wanted};
pub use standing::Outlook;

/// How far in the future an event may lie, for clocks that differ.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What every decision is given besides the state.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The present: read from the database after the locks, never earlier than the journal's last entry.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
    /// The command's id, a version 7 UUID made when it was received; ids of what it makes follow from it.
    pub command: Uuid,
    /// Who asks: `client:<name>` or `member:<id>`.
    pub actor: &'a str,
}

impl<'a> Context<'a> {
    /// The programme in force now.
    pub fn program(&self) -> &'a Program {
        &self.programs.at(self.now).program
    }

    /// The member that asks by its own token; none where a client asks, or time.
    pub fn own(&self) -> Option<MemberId> {
        self.actor.strip_prefix("member:")?.parse().ok()
    }
}

/// An entry to be posted: what happened, what it changes, and its lines.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// When it counts from; none for now.
    pub effective_at: Option<Timestamp>,
    /// The programme version it is decided by; none for the one in force at that time.
    pub program_version: Option<i32>,
    /// What it changes besides points.
    pub fact: Fact,
    /// What else its payload says.
    pub payload: Payload,
    /// Its lines.
    pub postings: Vec<Posting>,
    /// The lots that it brings into being.
    pub lots: Vec<NewLot>,
}

impl Event {
    /// Something that happens now and changes `fact`.
    pub fn new(kind: Kind, fact: Fact) -> Self {
        let (payload, postings, lots) = (Payload::default(), Vec::new(), Vec::new());
        Self { kind, effective_at: None, program_version: None, fact, payload, postings, lots }
    }

    /// With these lines.
    pub fn with_postings(self, postings: Vec<Posting>) -> Self {
        Self { postings, ..self }
    }

    /// With something more in the payload.
    pub fn with<T: Serialize + ?Sized>(mut self, key: &'static str, value: &T) -> Self {
        self.payload.put(key, value);
        self
    }
}

/// A member under a decision: a copy that entries are applied to one by one, and the entries so far.
///
/// A refused command drops the copy, and with it the settling done for it.
#[derive(Debug)]
pub struct Working<'a> {
    /// The member as the entries so far leave it.
    pub member: Member,
    /// The entries so far.
    pub entries: Vec<Draft>,
    /// How many more units of counters that belong to no member (a reward's stock) are taken, or fewer, than before.
    pub taken: BTreeMap<Uuid, i64>,
    context: Context<'a>,
}

impl<'a> Working<'a> {
    /// Begins with a copy of `member`.
    pub fn on(member: &Member, context: Context<'a>) -> Self {
        Self { member: member.clone(), entries: Vec::new(), taken: BTreeMap::new(), context }
    }

    /// What the context says.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// Refuses if the member may not start something new.
    pub fn may_begin(&self) -> Result<(), Refusal> {
        match self.member.status {
            Status::Active => Ok(()),
            Status::Suspended => Err(Refusal::MemberSuspended),
            Status::Closed | Status::Erased => Err(Refusal::MemberClosed),
        }
    }

    /// Adds an entry that the command causes, and returns its place in [`Self::entries`]. The payload gets the fact, the
    /// keys `lots` (if any) and `balance`: the wallet after the entry, so that a statement and an auditor need not add
    /// up history.
    ///
    /// Errors: a posting that the member's balances cannot bear.
    pub fn post(&mut self, event: Event) -> Result<usize, Misfit> {
        let n = (self.entries.len() as u64).to_be_bytes();
        let Context { now, command, actor, .. } = self.context;
        // A command over two members posts in two places; the member keeps their ids apart.
        let id = derive_id(now, command.as_bytes(), &[b"entry", self.member.id.uuid().as_bytes(), &n]);
        self.add(id, Some(command), actor, event)
    }

    /// Adds an entry that time alone causes, at `due_at`; its id follows from the member and `ids`.
    pub(super) fn post_due(&mut self, due_at: Timestamp, ids: &[Uuid], event: Event) -> Result<(), Misfit> {
        let parts = ids.iter().map(|id| id.as_bytes().as_slice());
        let parts: Vec<&[u8]> = iter::once(event.kind.name().as_bytes()).chain(parts).collect();
        let id = derive_id(due_at, self.member.id.uuid().as_bytes(), &parts);
        self.add(id, None, "system", Event { effective_at: Some(due_at), ..event }).map(|_| ())
    }

    fn add(&mut self, id: Uuid, command: Option<Uuid>, actor: &str, event: Event) -> Result<usize, Misfit> {
        let Event { kind, effective_at, program_version, fact, mut payload, mut postings, lots } = event;
        let effective_at = effective_at.unwrap_or(self.context.now);
        let taken_before = self.taken_by(&fact);
        self.member.apply(&fact, &postings, &lots)?;
        let repayment = self.member.repayment(&postings);
        self.member.apply(&Fact::Nothing, &repayment, &[])?;
        postings.extend(repayment);
        if let (Some((counter, before)), Some((_, after))) = (taken_before, self.taken_by(&fact)) {
            *self.taken.entry(counter).or_default() += after - before;
        }
        fact.state(&mut payload);
        if !lots.is_empty() {
            payload.put("lots", &lots);
        }
        payload.put("balance", &self.member.balances);
        let program_version = program_version.unwrap_or_else(|| self.context.programs.at(effective_at).version);
        self.entries.push(Draft {
            id,
            kind,
            member: Some(self.member.id),
            actor: actor.to_owned(),
            command,
            program_version,
            effective_at,
            payload,
            postings,
        });
        Ok(self.entries.len() - 1)
    }

    // How many units of a counter the record that `fact` states takes, as the member now stands.
    fn taken_by(&self, fact: &Fact) -> Option<(Uuid, i64)> {
        let Fact::Record(record) = fact else { return None };
        let (counter, _) = record.recorded().takes()?;
        let now = self.member.records.get(&record.recorded().id()).and_then(|record| record.recorded().takes());
        Some((counter, now.map_or(0, |(_, units)| units)))
    }
}
