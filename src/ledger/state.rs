//! What a batch knows and what it changes: decided in memory, command after command, written once at the end.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::command::{Answer, Command, NoAnswer, Outcome, Request};
use crate::domain::decide::{Context, Working};
use crate::domain::enrolment::{self, Enrolment, MemberReply, Profile, ProfileChange};
use crate::domain::entry::{Draft, Kind};
use crate::domain::ids::MemberId;
use crate::domain::member::Member;
use crate::domain::order::{self, Order};
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::domain::publication::{self, ProgramVersionReply};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::Timestamp;

/// The state that the commands of a batch name, carried over from command to command.
#[derive(Default)]
pub struct State {
    /// Members as they stand; one that is absent does not exist.
    pub members: HashMap<MemberId, Member>,
    /// What is personal about the members whose commands need it.
    pub profiles: HashMap<MemberId, Profile>,
    /// Orders that exist, by id.
    pub orders: HashMap<String, Remembered>,
    /// Enrolments that exist, by external id.
    pub enrolments: HashMap<String, Remembered>,
    /// Idempotency keys that were used.
    pub keys: HashMap<Key, Remembered>,
}

/// An idempotency key in full (invariant 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The actor it belongs to.
    pub caller: String,
    /// The operation it belongs to.
    pub operation: String,
    /// The caller's text.
    pub key: String,
}

/// An effect that a key stands for.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The hash of the request that had it.
    pub hash: Vec<u8>,
    /// What it was answered.
    pub outcome: Outcome,
}

/// What a batch is going to write besides the members, in order.
#[derive(Default)]
pub struct Changes {
    /// Entries; the first gets the journal's next sequence number.
    pub entries: Vec<Draft>,
    /// Orders, each with the index of its entry.
    pub orders: Vec<NewOrder>,
    /// Enrolled members, with their profiles as they were enrolled.
    pub enrolled: Vec<NewMember>,
    /// Members whose profiles changed.
    pub changed_profiles: Vec<MemberId>,
    /// Keys and their outcomes.
    pub keys: Vec<(Key, Remembered)>,
    /// Programme versions.
    pub versions: Vec<ProgramVersion>,
}

/// An order to be written.
pub struct NewOrder {
    /// The order.
    pub order: Order,
    /// The index of its entry in [`Changes::entries`].
    pub entry: usize,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered.
    pub response: String,
}

/// A member to be written.
pub struct NewMember {
    /// Who it is.
    pub id: MemberId,
    /// The hash of its request.
    pub hash: [u8; 32],
    /// What it is answered.
    pub response: String,
}

/// A batch under decision.
pub struct Batch<'a> {
    /// The state as decided so far.
    pub state: State,
    /// What is to be written.
    pub changes: Changes,
    /// The present.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

impl<'a> Batch<'a> {
    /// Decides one command after the ones before it.
    pub fn decide(&mut self, request: &'a Request) -> Result<Answer, NoAnswer> {
        let key = request.key.as_ref().map(|key| Key {
            caller: request.actor.clone(),
            operation: request.command.operation().to_owned(),
            key: key.clone(),
        });
        if let Some(remembered) = key.as_ref().and_then(|key| self.state.keys.get(key)) {
            return Ok(remembered.answer(&request.hash, || Refusal::IdempotencyKeyConflict));
        }
        let answer = match self.remembered(request) {
            Some(answer) => answer,
            None => match self.run(request) {
                Ok(body) => Answer { outcome: Outcome::Done(body), replayed: false },
                Err(Rejected::Refused(refusal)) => Answer { outcome: Outcome::Refused(refusal), replayed: false },
                Err(Rejected::Corrupt(misfit)) => {
                    tracing::error!(%misfit, command = %request.id, "state and journal disagree");
                    return Err(NoAnswer::Fault);
                }
            },
        };
        if let Some(key) = key {
            let remembered = Remembered { hash: request.hash.to_vec(), outcome: answer.outcome.clone() };
            self.state.keys.insert(key.clone(), remembered.clone());
            self.changes.keys.push((key, remembered));
        }
        Ok(answer)
    }

    /// Settles a member up to `until` and nothing else.
    pub fn settle(&mut self, member: MemberId, until: Timestamp, context: Context<'_>) -> Result<(), Rejected> {
        if let Some(member) = self.state.members.get(&member) {
            let mut work = Working::on(member, context);
            work.settle(until)?;
            self.keep(work.member, work.entries);
        }
        Ok(())
    }

    // A natural key that is taken: the first answer again, or a refusal.
    fn remembered(&self, request: &Request) -> Option<Answer> {
        match &request.command {
            Command::CompleteOrder(order) => {
                let conflict = || Refusal::OrderConflict { order_id: order.order_id.clone() };
                Some(self.state.orders.get(&order.order_id)?.answer(&request.hash, conflict))
            }
            Command::Enrol(_, enrolment) => {
                let enrolled = self.state.enrolments.get(&enrolment.external_id)?;
                Some(enrolled.answer(&request.hash, || Refusal::ExternalIdConflict))
            }
            Command::ChangeProfile(..) | Command::Settle(_) | Command::Publish(..) => None,
        }
    }

    fn run(&mut self, request: &'a Request) -> Result<String, Rejected> {
        match &request.command {
            Command::CompleteOrder(order) => self.complete_order(request, order),
            Command::Enrol(id, enrolment) => self.enrol(request, *id, enrolment),
            Command::ChangeProfile(id, change) => self.change_profile(request, *id, change),
            // Of a member that does not exist, nothing is due.
            Command::Settle(id) => self.settle(*id, self.now, self.context(request)).map(|()| "{}".to_owned()),
            Command::Publish(program, effective_at) => self.publish(request, program, *effective_at),
        }
    }

    fn complete_order(&mut self, request: &'a Request, order: &Order) -> Result<String, Rejected> {
        let member = self.state.members.get(&order.member_id).ok_or(Refusal::MemberNotFound)?;
        let mut work = Working::on(member, self.context(request));
        let response = body(&order::complete(&mut work, order)?);
        let (member, entries) = (work.member, work.entries);
        let is_orders = |draft: &Draft| matches!(draft.kind, Kind::PointsEarned | Kind::OrderRecorded);
        let entry = self.changes.entries.len() + entries.iter().position(is_orders).unwrap_or_default();
        self.keep(member, entries);
        let remembered = Remembered { hash: request.hash.to_vec(), outcome: Outcome::Done(response.clone()) };
        self.state.orders.insert(order.order_id.clone(), remembered);
        let (order, hash) = (order.clone(), request.hash);
        self.changes.orders.push(NewOrder { order, entry, hash, response: response.clone() });
        Ok(response)
    }

    fn enrol(&mut self, request: &'a Request, id: MemberId, enrolment: &Enrolment) -> Result<String, Rejected> {
        let (work, profile) = enrolment::enrol(id, enrolment, self.context(request))?;
        let response = body(&MemberReply::of(&work.member, &profile));
        let (member, entries) = (work.member, work.entries);
        self.keep(member, entries);
        self.state.profiles.insert(id, profile);
        let remembered = Remembered { hash: request.hash.to_vec(), outcome: Outcome::Done(response.clone()) };
        self.state.enrolments.insert(enrolment.external_id.clone(), remembered);
        self.changes.enrolled.push(NewMember { id, hash: request.hash, response: response.clone() });
        Ok(response)
    }

    fn change_profile(
        &mut self,
        request: &'a Request,
        id: MemberId,
        change: &ProfileChange,
    ) -> Result<String, Rejected> {
        let member = self.state.members.get(&id).ok_or(Refusal::MemberNotFound)?;
        let mut profile = self.state.profiles.get(&id).cloned().ok_or(Refusal::MemberNotFound)?;
        let mut work = Working::on(member, self.context(request));
        enrolment::change_profile(&mut work, &mut profile, change)?;
        let response = body(&MemberReply::of(&work.member, &profile));
        let (member, entries) = (work.member, work.entries);
        self.keep(member, entries);
        self.state.profiles.insert(id, profile);
        self.changes.changed_profiles.push(id);
        Ok(response)
    }

    fn publish(&mut self, request: &'a Request, program: &Arc<Program>, at: Timestamp) -> Result<String, Rejected> {
        let mut known = self.programs.clone();
        self.changes.versions.iter().for_each(|version| known.add(version.clone()));
        let caused_by = (self.now, request.id, request.actor.as_str());
        let (draft, version) = publication::publish(Some(&known), program, at, caused_by)?;
        let response = body(&ProgramVersionReply::of(&version));
        self.changes.entries.push(draft);
        self.changes.versions.push(version);
        Ok(response)
    }

    fn keep(&mut self, member: Member, entries: Vec<Draft>) {
        self.state.members.insert(member.id, member);
        self.changes.entries.extend(entries);
    }

    fn context(&self, request: &'a Request) -> Context<'a> {
        Context { now: self.now, programs: self.programs, command: request.id, actor: &request.actor }
    }
}

impl Remembered {
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
