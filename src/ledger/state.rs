//! What a batch knows and what it changes: decided in memory, command after command, written once at the end.

#[cfg(test)]
mod machine;
mod members;
mod program;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::command::{Answer, Command, First, Key, NoAnswer, Outcome, Request};
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Draft;
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::Member;
use crate::domain::movement::donation::{Cause, Donation};
use crate::domain::movement::enrolment::Profile;
use crate::domain::movement::order::Order;
use crate::domain::movement::refund::RefundRequest;
use crate::domain::movement::reward::Reward;
use crate::domain::program::{ProgramBook, ProgramVersion};
use crate::domain::record::items::Purchase;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::Timestamp;
use crate::process::seldom;

/// The state that the commands of a batch name, carried over from command to command.
#[derive(Default)]
pub struct State {
    /// Members as they stand, with what else the commands need of them; one that is absent does not exist.
    pub members: HashMap<MemberId, Member>,
    /// What is personal about the members whose commands need it.
    pub profiles: HashMap<MemberId, Profile>,
    /// Whose the records are that commands name.
    pub owners: HashMap<Uuid, MemberId>,
    /// What was bought with the orders that are refunded.
    pub purchases: HashMap<String, Purchase>,
    /// Rewards, with their stock locked.
    pub rewards: BTreeMap<Uuid, Reward>,
    /// Causes, with what they were given so far.
    pub causes: HashMap<Uuid, Cause>,
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

/// An effect that a key stands for.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The hash of the request that had it.
    pub hash: Vec<u8>,
    /// What it was answered.
    pub outcome: Outcome,
    /// About whom the answer holds something personal.
    pub member: Option<MemberId>,
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
}

/// An order to be written.
pub struct NewOrder {
    /// The order.
    pub order: Order,
    /// The number of its entry.
    pub seq: i64,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered.
    pub response: String,
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
    /// What is to be written.
    pub changes: Changes,
    /// The numbers that the next entries of the locked journals get.
    pub next_seqs: BTreeMap<JournalId, i64>,
    /// The present.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

impl<'a> Batch<'a> {
    /// Decides one command after the ones before it.
    pub fn decide(&mut self, request: &'a Request) -> Result<Answer, NoAnswer> {
        let key = request.full_key();
        let remembered = key.as_ref().and_then(|key| self.state.keys.get(key));
        if let Some(remembered) = remembered.filter(|remembered| !remembered.is_open_to(request)) {
            return Ok(remembered.answer(&request.hash, || Refusal::IdempotencyKeyConflict));
        }
        // The natural key answers from now on, whatever an old ledger remembers here.
        let key = key.filter(|_| remembered.is_none());
        let (answer, member) = match self.remembered(request) {
            Some(known) => known,
            None => {
                let outcome = match self.run(request) {
                    Ok(body) => Outcome::Done(body),
                    Err(Rejected::Refused(refusal)) => Outcome::Refused(refusal),
                    Err(Rejected::Corrupt(misfit)) => {
                        if let Some(left_out) = seldom::due("state_and_journal_disagree") {
                            tracing::error!(%misfit, command = %request.id, left_out, "state and journal disagree");
                        }
                        return Err(NoAnswer::Fault);
                    }
                };
                let member = request.command.personal(&outcome);
                (Answer { outcome, replayed: false }, member)
            }
        };
        let refused = matches!(answer.outcome, Outcome::Refused(_));
        let forgets = answer.outcome.can_heal(&request.command) || refused && request.natural;
        if let Some(key) = key.filter(|_| !forgets) {
            let (hash, outcome) = (request.hash.to_vec(), answer.outcome.clone());
            let remembered = Remembered { hash, member, outcome };
            self.state.keys.insert(key.clone(), remembered.clone());
            self.changes.keys.push(NewKey { key, remembered });
        }
        Ok(answer)
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

    /// Settles a member up to `until` and nothing else.
    pub fn settle(&mut self, member: MemberId, until: Timestamp, context: Context<'_>) -> Result<(), Rejected> {
        if let Some(member) = self.state.members.get(&member) {
            let mut work = Working::on(member, context);
            work.settle(until)?;
            self.keep(work)?;
        }
        Ok(())
    }

    // A natural key that is taken: the first answer again, or a refusal; and the member about whom the request holds
    // something personal: of an enrolment not the one that it names, whose id was made anew.
    fn remembered(&self, request: &Request) -> Option<(Answer, Option<MemberId>)> {
        let (remembered, conflict) = match &request.command {
            Command::CompleteOrder(order) | Command::EnrolWith(_, First::Order(order)) => {
                let conflict = Refusal::OrderConflict { order_id: order.order_id.clone() };
                (self.state.orders.get(&order.order_id)?, conflict)
            }
            Command::RefundOrder(refund) => {
                let key = (refund.order_id.clone(), refund.refund_id.clone());
                let conflict = Refusal::RefundConflict { refund_id: refund.refund_id.clone() };
                (self.state.refunds.get(&key)?, conflict)
            }
            Command::Enrol(_, enrolment) => {
                (self.state.enrolments.get(&enrolment.external_id)?, Refusal::ExternalIdConflict)
            }
            _ => return None,
        };
        let answer = remembered.answer(&request.hash, || conflict);
        let member = remembered.member.or_else(|| request.command.personal(&answer.outcome));
        Some((answer, member))
    }

    fn run(&mut self, request: &'a Request) -> Result<String, Rejected> {
        match &request.command {
            Command::CompleteOrder(order) => self.complete_order(request, order),
            Command::RefundOrder(refund) => self.refund_order(request, refund),
            Command::Enrol(id, enrolment) => self.enrol(request, *id, enrolment),
            Command::EnrolWith(enrolment, first) => self.enrol_with(request, enrolment, first),
            Command::ChangeProfile(id, change) => self.change_profile(request, *id, change),
            Command::ChangeMembership(id, change) => self.change_membership(request, *id, *change),
            Command::Redeem(redemption) => self.redeem(request, redemption),
            Command::Capture(..) | Command::Void(_) | Command::Return(..) => self.change_redemption(request),
            Command::Donate(donation) => self.donate(request, donation),
            Command::Transfer(transfer) => self.transfer(request, transfer),
            Command::AnswerTransfer(id, receiver, reply) => self.answer_transfer(request, *id, *receiver, *reply),
            Command::Adjust(adjustment) => self.adjust(request, adjustment),
            Command::DefineReward(reward) => self.define_reward(request, reward),
            Command::ChangeReward(id, patch) => self.change_reward(request, *id, patch),
            Command::DefineCause(terms) => self.define_cause(request, terms),
            // Of a member that does not exist, nothing is due.
            Command::Settle(id) => self.settle(*id, self.now, self.context(request)).map(|()| "{}".to_owned()),
            Command::Publish(program, effective_at) => self.publish(request, program, *effective_at),
        }
    }

    // Begins to work on a member.
    fn work_on(&self, request: &'a Request, member: MemberId) -> Result<Working<'a>, Refusal> {
        let member = self.state.members.get(&member).ok_or(Refusal::MemberNotFound)?;
        Ok(Working::on(member, self.context(request)))
    }

    // Takes up what was decided, and returns the number of the first of its entries.
    fn keep(&mut self, work: Working<'_>) -> Result<i64, Rejected> {
        let Working { member, entries, taken, .. } = work;
        for (id, taken) in taken {
            let reward = self.state.rewards.get_mut(&id).ok_or(Misfit::NotLoaded("a reward"))?;
            reward.taken += taken;
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

    fn context(&self, request: &'a Request) -> Context<'a> {
        Context { now: self.now, programs: self.programs, command: request.id, actor: &request.actor }
    }
}

impl Remembered {
    /// What stays of a key when the member whom its answer is about is erased: it is taken, for a request that nobody
    /// can repeat.
    pub fn erased() -> Self {
        Self { hash: vec![0; 32], outcome: Outcome::Refused(Refusal::MemberNotFound), member: None }
    }

    // Is it a refusal that the same request need not be given again? None is remembered any more; old ledgers have some.
    fn is_open_to(&self, request: &Request) -> bool {
        self.hash == request.hash && self.outcome.can_heal(&request.command)
    }

    fn answer(&self, hash: &[u8], conflict: impl FnOnce() -> Refusal) -> Answer {
        if self.hash == hash {
            Answer { outcome: self.outcome.clone(), replayed: true }
        } else {
            Answer { outcome: Outcome::Refused(conflict()), replayed: false }
        }
    }
}

fn body(reply: &impl Serialize) -> String {
    serde_json::to_string(reply).expect("replies have string keys and no failing Serialize")
}
