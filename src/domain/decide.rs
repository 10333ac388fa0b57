//! Decisions: a command and the state it names become entries, or a refusal. Nothing here does I/O, and time,
//! randomness and rules are inputs (invariant 10).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::iter;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::account::{Account, Part};
use super::entry::{Draft, Kind, Posting, derive_id};
use super::member::{Lot, Member, Misfit, NewLot};
use super::program::ProgramBook;
use super::time::Timestamp;

/// What every decision is given besides the state.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The present: read from the database after the locks, never earlier than the journal's last entry.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
    /// The command's id, a version 7 UUID made when it was received; ids of entries and lots follow from it.
    pub command: Uuid,
    /// Who asks: `client:<name>` or `member:<id>`.
    pub actor: &'a str,
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
    context: Context<'a>,
}

impl<'a> Working<'a> {
    /// Begins with a copy of `member`.
    pub fn on(member: &Member, context: Context<'a>) -> Self {
        Self { member: member.clone(), entries: Vec::new(), context }
    }

    /// Adds an entry that the command causes. The payload gets the keys `lots` (if any) and `balance`: the wallet
    /// after the entry, so that a statement and an auditor need not add up history.
    ///
    /// Errors: a posting that the member's balances cannot bear.
    pub fn post(
        &mut self,
        kind: Kind,
        (effective_at, program_version): (Timestamp, i32),
        payload: Map<String, Value>,
        postings: Vec<Posting>,
        lots: &[NewLot],
    ) -> Result<(), Misfit> {
        let n = (self.entries.len() as u64).to_be_bytes();
        let command = self.context.command;
        let draft = Draft {
            id: derive_id(self.context.now, command.as_bytes(), &[b"entry", &n]),
            kind,
            member: Some(self.member.id),
            actor: self.context.actor.to_owned(),
            command: Some(command),
            program_version,
            effective_at,
            payload: Value::Object(payload),
            postings,
        };
        self.add(draft, lots)
    }

    /// Settles: writes down what fell due by time alone, up to and including `until`, in the order
    /// (due time, kind, lot), one entry per kind and due instant with one posting per lot.
    ///
    /// The entries depend on the member alone: settling at *a* and then at *b* gives what settling at *b* gives.
    ///
    /// Errors: only if the member's lots and wallet disagree.
    pub fn settle(&mut self, until: Timestamp) -> Result<(), Misfit> {
        let mut agenda: BTreeSet<Due> = self.member.lots.values().flat_map(due).filter(|due| due.0 <= until).collect();
        while let Some(&(due_at, kind, _)) = agenda.first() {
            let mut lots = Vec::new();
            while let Some(next) = agenda.first().filter(|next| (next.0, next.1) == (due_at, kind)) {
                lots.push(next.2);
                agenda.pop_first();
            }
            self.fall_due(due_at, kind, &lots)?;
            let moved = lots.iter().filter_map(|id| self.member.lots.get(id));
            agenda.extend(moved.flat_map(due).filter(|due| due.0 <= until));
        }
        Ok(())
    }

    /// What the context says.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    fn add(&mut self, mut draft: Draft, lots: &[NewLot]) -> Result<(), Misfit> {
        self.member.apply(&draft.postings, lots)?;
        if !lots.is_empty() {
            draft.payload["lots"] = lots.iter().map(NewLot::to_json).collect();
        }
        draft.payload["balance"] = json!(self.member.balances);
        self.entries.push(draft);
        Ok(())
    }

    fn fall_due(&mut self, due_at: Timestamp, kind: Kind, lots: &[Uuid]) -> Result<(), Misfit> {
        let ids = lots.iter().map(|lot| lot.as_bytes().as_slice());
        let parts: Vec<&[u8]> = iter::once(kind.name().as_bytes()).chain(ids).collect();
        let draft = Draft {
            id: derive_id(due_at, self.member.id.uuid().as_bytes(), &parts),
            kind,
            member: Some(self.member.id),
            actor: "system".to_owned(),
            command: None,
            program_version: self.context.programs.at(due_at).version,
            effective_at: due_at,
            payload: Value::Object(Map::new()),
            postings: lots.iter().filter_map(|id| self.member.lots.get(id)).map(|lot| due_posting(lot, kind)).collect(),
        };
        self.add(draft, &[])
    }
}

type Due = (Timestamp, Kind, Uuid);

// What time alone will do to a lot as it now is: activate what is pending, expire what is active.
fn due(lot: &Lot) -> impl Iterator<Item = Due> + use<> {
    let activation = (lot.pending > 0).then_some((lot.active_at, Kind::PointsActivated, lot.id));
    let expiry = lot.expires_at.filter(|_| lot.active > 0).map(|at| (at, Kind::PointsExpired, lot.id));
    activation.into_iter().chain(expiry)
}

fn due_posting(lot: &Lot, kind: Kind) -> Posting {
    let (debit, credit, points) = match kind {
        Kind::PointsActivated => (Account::Member(Part::Pending), Account::Member(Part::Active), lot.pending),
        _ => (Account::Member(Part::Active), Account::Breakage, lot.active),
    };
    Posting { debit, credit, points, lot: Some(lot.id) }
}
