//! Settling: what falls due by time alone.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::points::release;
use super::{Event, Working};
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::Posting;
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::Member;
use crate::domain::member::fact::Fact;
use crate::domain::record::Record;
use crate::domain::record::due::Due;
use crate::domain::record::lot::{ACTIVE, Lot};
use crate::domain::time::Timestamp;

impl Working<'_> {
    /// Settles: writes down what fell due by time alone, up to and including `until`, in the order (due time, [`Due`],
    /// id): one entry per kind and due instant with one posting per lot, and one for each record that ends.
    ///
    /// The entries depend on the member alone: settling at *a* and then at *b* gives what settling at *b* gives.
    ///
    /// Errors: only if the member's lots and wallet disagree.
    pub fn settle(&mut self, until: Timestamp) -> Result<(), Misfit> {
        if self.member.next_due_at().is_none_or(|due_at| due_at > until) {
            return Ok(());
        }
        let member = &self.member;
        let lots = member.lots.values().flat_map(due_of_lot);
        let records = member.records.values().filter_map(due_of_record);
        let tier = due_of_tier(member);
        let mut agenda: BTreeSet<Item> = lots.chain(records).chain(tier).filter(|item| item.0 <= until).collect();
        while let Some(&(due_at, due, _)) = agenda.first() {
            let mut ids = Vec::new();
            while let Some(next) = agenda.first().filter(|next| (next.0, next.1) == (due_at, due)) {
                ids.push(next.2);
                agenda.pop_first();
            }
            let moved = self.fall_due(due_at, due, &ids)?;
            let lots = moved.iter().filter_map(|id| self.member.lots.get(id));
            agenda.extend(lots.flat_map(due_of_lot).filter(|item| item.0 <= until));
            if due == Due::Term {
                agenda.extend(due_of_tier(&self.member).filter(|item| item.0 <= until));
            }
        }
        Ok(())
    }

    // Returns the lots that moved.
    fn fall_due(&mut self, due_at: Timestamp, due: Due, ids: &[Uuid]) -> Result<Vec<Uuid>, Misfit> {
        if due == Due::Term {
            self.end_term(due_at)?;
            return Ok(Vec::new());
        }
        if !due.is_of_lots() {
            let mut lots = Vec::new();
            for id in ids {
                lots.extend(self.end(due, *id, due_at)?);
            }
            return Ok(lots);
        }
        let lots = ids.iter().filter_map(|id| self.member.lots.get(id));
        let postings: Vec<Posting> = lots.filter_map(|lot| due_posting(lot, due)).collect();
        if !postings.is_empty() {
            self.post_due(due_at, ids, Event::new(due.kind(), Fact::Nothing).with_postings(postings))?;
        }
        Ok(ids.to_vec())
    }

    // A record reaches its end; returns the lots that its points go back to.
    fn end(&mut self, due: Due, id: Uuid, due_at: Timestamp) -> Result<Vec<Uuid>, Misfit> {
        let record = self.member.records.get(&id).ok_or(Misfit::NotLoaded("a record"))?.recorded();
        let lots = record.lots().iter().map(|taking| taking.lot).collect();
        let postings = release(&self.member, record.lots(), due_at)?;
        let event = Event::new(due.kind(), Fact::Record(record.ended()));
        self.post_due(due_at, &[id], event.with_postings(postings))?;
        Ok(lots)
    }
}

type Item = (Timestamp, Due, Uuid);

// What time alone will do to a lot as it now is: activate what is pending, expire what is active.
fn due_of_lot(lot: &Lot) -> impl Iterator<Item = Item> + use<> {
    let activation = (lot.pending > 0).then_some((lot.active_at, Due::Activation, lot.id));
    let expiry = lot.expires_at.filter(|_| lot.active > 0).map(|at| (at, Due::Expiry, lot.id));
    activation.into_iter().chain(expiry)
}

fn due_of_tier(member: &Member) -> Option<Item> {
    member.tier_due_at().map(|at| (at, Due::Term, member.id.uuid()))
}

fn due_of_record(record: &Record) -> Option<Item> {
    let record = record.recorded();
    record.due().map(|(at, due)| (at, due, record.id()))
}

fn due_posting(lot: &Lot, due: Due) -> Option<Posting> {
    let (debit, credit, points) = match due {
        Due::Activation => (Account::Member(Part::Pending), ACTIVE, lot.pending),
        _ => (ACTIVE, Account::Breakage, lot.active),
    };
    (points > 0).then_some(Posting { debit, credit, points, lot: Some(lot.id) })
}
