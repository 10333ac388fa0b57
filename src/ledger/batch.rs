//! What a batch knows and what it changes: decided in memory, command after command, written once at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::answer::{Key, NaturalKey, Remembered};
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::journal::entry::Draft;
use crate::domain::journal::misfit::Misfit;
use crate::domain::movement::donation::{Cause, Donation};
use crate::domain::movement::enrolment::Profile;
use crate::domain::movement::order::Order;
use crate::domain::movement::refund::RefundRequest;
use crate::domain::program::{ProgramBook, ProgramVersion};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::tier::Reviewed;
use crate::domain::time::Timestamp;
use crate::load::State;

/// What was done before, by the keys that the commands of a batch have.
#[derive(Default)]
pub struct Known {
    /// Orders that exist, by id.
    pub orders: HashMap<String, Remembered>,
    /// Ids that orders of other journals have, as far as they were looked for.
    pub orders_elsewhere: HashSet<String>,
    /// Refunds that exist, by order and id.
    pub refunds: HashMap<(String, String), Remembered>,
    /// Enrolments that exist, by external id.
    pub enrolments: HashMap<String, Remembered>,
    /// Idempotency keys that were used.
    pub keys: HashMap<Key, Remembered>,
}

impl Known {
    /// What a natural key stands for, if it is taken.
    pub fn natural(&self, key: NaturalKey<'_>) -> Option<&Remembered> {
        match key {
            NaturalKey::Order(id) => self.orders.get(id),
            NaturalKey::Refund { order, refund } => self.refunds.get(&(order.to_owned(), refund.to_owned())),
            NaturalKey::Customer(id) => self.enrolments.get(id),
        }
    }
}

/// What a batch is going to write besides members and rewards, in order.
#[derive(Default)]
pub struct Changes {
    /// Entries by journal; the first of each gets the journal's next sequence number.
    pub entries: BTreeMap<JournalId, Vec<Draft>>,
    /// Orders.
    pub orders: Vec<NewOrder>,
    /// Refunds.
    pub refunds: Vec<NewRefund>,
    /// Enrolled members.
    pub enrolled: Vec<NewMember>,
    /// Members whose profiles changed.
    pub changed_profiles: Vec<MemberId>,
    /// Members of whom nothing personal is kept.
    pub erased: Vec<MemberId>,
    /// Donations, each with the number of its entry.
    pub donations: Vec<(Donation, i64)>,
    /// New causes.
    pub causes: Vec<Cause>,
    /// What people wrote.
    pub notes: Vec<Note>,
    /// Keys and their outcomes.
    pub keys: Vec<NewKey>,
    /// Programme versions.
    pub versions: Vec<ProgramVersion>,
    /// How far reviews of tiers are.
    pub reviewed: Vec<Reviewed>,
}

/// An order to be written.
pub struct NewOrder {
    /// The order.
    pub order: Order,
    /// The number of its entry.
    pub seq: i64,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered, where that does not follow from its entry.
    pub response: Option<String>,
}

/// A refund to be written.
pub struct NewRefund {
    /// The refund.
    pub refund: RefundRequest,
    /// The number of its entry.
    pub seq: i64,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered.
    pub response: String,
}

/// A member to be written.
pub struct NewMember {
    /// Who it is.
    pub id: MemberId,
    /// What is personal, as it was enrolled.
    pub profile: Profile,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered.
    pub response: String,
}

/// Something that a person wrote.
pub struct Note {
    /// The transfer or the adjustment that it is about.
    pub about: Uuid,
    /// Whose journal it stands beside.
    pub member: MemberId,
    /// Whom it concerns besides.
    pub other_member: Option<MemberId>,
    /// The text.
    pub body: String,
}

/// A key to be written.
pub struct NewKey {
    /// The key.
    pub key: Key,
    /// What it stands for.
    pub remembered: Remembered,
}

/// A batch under decision.
pub struct Batch<'a> {
    /// The state as decided so far.
    pub state: State,
    /// What was done before, and by the batch so far.
    pub known: Known,
    /// What is to be written.
    pub changes: Changes,
    /// The members who were looked for: of them, one that is not in the state does not exist.
    pub looked_for: BTreeSet<MemberId>,
    /// Others whom decisions have shown to be needed: what was decided does not count, and is decided anew with them.
    pub missing: BTreeSet<MemberId>,
    /// The numbers that the next entries of the locked journals get.
    pub next_seqs: BTreeMap<JournalId, i64>,
    /// The present.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

/// By whom something is asked, and what goes with it.
#[derive(Clone, Copy)]
pub struct By<'a> {
    /// The present, the programme, the command's id and who asks.
    pub context: Context<'a>,
    /// The hash of what is asked.
    pub hash: [u8; 32],
}

impl By<'_> {
    /// What a key of what is asked stands for once it is done.
    pub fn done(&self, response: &str) -> Remembered {
        Remembered::done(self.hash, response)
    }
}

impl<'a> Batch<'a> {
    /// Begins to work on a member. One who was not looked for becomes [`Self::missing`].
    pub fn work_on(&mut self, member: MemberId, by: &By<'a>) -> Result<Working<'a>, Refusal> {
        match self.state.members.get(&member) {
            Some(member) => Ok(Working::on(member, by.context)),
            None => {
                if !self.looked_for.contains(&member) {
                    self.missing.insert(member);
                }
                Err(Refusal::MemberNotFound)
            }
        }
    }

    /// Takes up what was decided of a member, and returns the number of the first of its entries.
    pub fn keep(&mut self, work: Working<'_>) -> Result<i64, Rejected> {
        let Working { member, entries, taken, .. } = work;
        for (id, taken) in taken {
            let counter = self.state.counters.get_mut(&id).ok_or(Misfit::NotLoaded("a counter"))?;
            *counter = counter.take(taken);
        }
        let journal = member.id.journal();
        self.state.owners.extend(member.records.keys().map(|id| (*id, member.id)));
        self.state.members.insert(member.id, member);
        let written = self.changes.entries.entry(journal).or_default();
        let next_seq = self.next_seqs.get(&journal).copied().ok_or(Misfit::NotLoaded("a journal's head"))?;
        let first = next_seq + written.len() as i64;
        written.extend(entries);
        Ok(first)
    }

    /// Takes up an entry about what belongs to no member.
    pub fn record(&mut self, draft: Draft) {
        self.changes.entries.entry(PROGRAM_JOURNAL).or_default().push(draft);
    }

    /// Settles a member up to `until` and nothing else. Of a member that does not exist, nothing is due.
    pub fn settle(&mut self, member: MemberId, until: Timestamp, context: Context<'_>) -> Result<(), Rejected> {
        if let Some(member) = self.state.members.get(&member) {
            let mut work = Working::on(member, context);
            work.settle(until)?;
            self.keep(work)?;
        }
        Ok(())
    }

    /// Settles the members of each journal up to a time, and nothing else.
    pub fn settle_everyone(
        &mut self,
        journals: &[(JournalId, Timestamp)],
        context: Context<'_>,
    ) -> Result<(), Rejected> {
        for (journal, until) in journals {
            let members = self.state.members.keys().filter(|member| member.journal() == *journal);
            let mut members: Vec<MemberId> = members.copied().collect();
            members.sort_unstable();
            for member in members {
                self.settle(member, *until, context)?;
            }
        }
        Ok(())
    }
}

/// The JSON body of an answer.
pub fn body(reply: &impl Serialize) -> String {
    serde_json::to_string(reply).expect("replies have string keys and no failing Serialize")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::program::{Program, ProgramDocument};
    use crate::domain::time::EARLIEST;

    #[test]
    fn a_member_who_was_not_looked_for_is_missing_and_one_who_was_does_not_exist() {
        let document = ProgramDocument::from_toml(include_str!("../cli/program.toml")).unwrap();
        let program = Arc::new(Program::compile(&document).unwrap());
        let programs = ProgramBook::new(vec![ProgramVersion { version: 1, effective_at: EARLIEST, program }]).unwrap();
        let [nobody, stranger] = [1, 2].map(|n| MemberId::new(n, Uuid::from_u128(n as u128)));
        let mut batch = Batch {
            state: State::default(),
            known: Known::default(),
            changes: Changes::default(),
            looked_for: BTreeSet::from([nobody]),
            missing: BTreeSet::new(),
            next_seqs: BTreeMap::new(),
            now: EARLIEST,
            programs: &programs,
        };
        let context = Context { now: EARLIEST, programs: &programs, command: Uuid::nil(), actor: "client:test" };
        let by = By { context, hash: [0; 32] };
        assert_eq!(batch.work_on(nobody, &by).err(), Some(Refusal::MemberNotFound));
        assert!(batch.missing.is_empty());
        assert_eq!(batch.work_on(stranger, &by).err(), Some(Refusal::MemberNotFound));
        assert_eq!(batch.missing, BTreeSet::from([stranger]));
    }
}
