//! Customers become members, by themselves or with what they did first; and what is personal of them changes.

use serde_json::Value;

use super::super::answer::{NaturalKey, Outcome, Remembered};
use super::super::batch::{Batch, By, NewMember, body};
use super::{Asked, Command, adjustment, hash, order};
use crate::domain::decide::Working;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::adjustment::Adjustment;
use crate::domain::movement::enrolment::{self, Enrolment, MemberReply, Profile, ProfileChange};
use crate::domain::movement::order::Order;
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::Needs;

/// A new member under an id made for it.
#[derive(Clone)]
pub struct Enrol(pub MemberId, pub Enrolment);

impl Asked for Enrol {
    fn operation(&self) -> &'static str {
        "member.enrol"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.1)
    }

    // The answer says who the customer is.
    fn personal(&self, outcome: &Outcome) -> Option<MemberId> {
        matches!(outcome, Outcome::Done(_)).then_some(self.0)
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn natural_key(&self) -> Option<NaturalKey<'_>> {
        Some(NaturalKey::Customer(&self.1.external_id))
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let (work, profile, response) = enrol(self, by)?;
        batch.keep(work)?;
        note(batch, NewMember { id: self.0, profile, hash: by.hash, response: response.clone() });
        Ok(response)
    }
}

/// What a customer may be enrolled with.
#[derive(Debug, Clone)]
pub enum First {
    /// An order.
    Order(Order),
    /// An adjustment.
    Adjustment(Adjustment),
}

impl First {
    /// The id under which the customer is enrolled, or was.
    pub fn member_id(&self) -> MemberId {
        match self {
            First::Order(order) => order.member_id,
            First::Adjustment(adjustment) => adjustment.member_id,
        }
    }

    /// The same of a member who is enrolled already.
    pub fn of_member(self, member_id: MemberId) -> Command {
        match self {
            First::Order(order) => Order { member_id, ..order }.into(),
            First::Adjustment(adjustment) => Adjustment { member_id, ..adjustment }.into(),
        }
    }

    fn asked(&self) -> &dyn Asked {
        match self {
            First::Order(order) => order,
            First::Adjustment(adjustment) => adjustment,
        }
    }
}

/// An order or an adjustment of a customer who is enrolled with it: both or neither. To whom has been enrolled under its id
/// by then, it is that order or adjustment and no more; its keys are theirs.
#[derive(Clone)]
pub struct EnrolWith(pub Enrolment, pub First);

impl Asked for EnrolWith {
    fn operation(&self) -> &'static str {
        self.1.asked().operation()
    }

    fn content(&self) -> serde_json::Result<Value> {
        self.1.asked().content()
    }

    // The answer is the order's or the adjustment's.
    fn personal(&self, outcome: &Outcome) -> Option<MemberId> {
        self.1.asked().personal(outcome)
    }

    fn journal(&self) -> JournalId {
        self.1.asked().journal()
    }

    fn natural_key(&self) -> Option<NaturalKey<'_>> {
        self.1.asked().natural_key()
    }

    fn other_key(&self) -> Option<NaturalKey<'_>> {
        Some(NaturalKey::Customer(&self.0.external_id))
    }

    fn needs(&self, needs: &mut Needs) {
        self.1.asked().needs(needs);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let Self(enrolment, first) = self;
        let id = first.member_id();
        if batch.state.members.contains_key(&id) {
            return first.asked().decide(batch, by);
        }
        let key = NaturalKey::Customer(&enrolment.external_id);
        if batch.known.natural(key).is_some() {
            return Err(key.conflict().into());
        }
        let alone = Enrol(id, enrolment.clone());
        let (work, profile, enrolled) = enrol(&alone, by)?;
        // What is refused here takes the enrolment with it: nothing is kept yet.
        let response = match first {
            First::Order(order) => order::complete(order, work, batch, by)?,
            First::Adjustment(adjustment) => adjustment::adjust(adjustment, work, batch)?,
        };
        note(batch, NewMember { id, profile, hash: hash(&alone), response: enrolled });
        Ok(response)
    }
}

/// New personal data of a member.
#[derive(Clone)]
pub struct ChangeProfile(pub MemberId, pub ProfileChange);

impl Asked for ChangeProfile {
    fn operation(&self) -> &'static str {
        "member.change"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, &self.1))
    }

    // The answer says who the customer is.
    fn personal(&self, outcome: &Outcome) -> Option<MemberId> {
        matches!(outcome, Outcome::Done(_)).then_some(self.0)
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.0);
        needs.profiles.insert(self.0);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let Self(id, change) = self;
        let mut work = batch.work_on(*id, by)?;
        let mut profile = batch.state.profiles.get(id).cloned().ok_or(Refusal::MemberClosed)?;
        enrolment::change_profile(&mut work, &mut profile, change)?;
        let response = body(&MemberReply::of(&work.member, Some(&profile)));
        batch.keep(work)?;
        batch.state.profiles.insert(*id, profile);
        batch.changes.changed_profiles.push(*id);
        Ok(response)
    }
}

fn enrol<'a>(Enrol(id, enrolment): &Enrol, by: &By<'a>) -> Result<(Working<'a>, Profile, String), Rejected> {
    let (work, profile) = enrolment::enrol(*id, enrolment, by.context)?;
    let response = body(&MemberReply::of(&work.member, Some(&profile)));
    Ok((work, profile, response))
}

fn note(batch: &mut Batch<'_>, new: NewMember) {
    batch.state.profiles.insert(new.id, new.profile.clone());
    let remembered = Remembered { member: Some(new.id), ..Remembered::done(new.hash, &new.response) };
    batch.known.enrolments.insert(new.profile.external_id.clone(), remembered);
    batch.changes.enrolled.push(new);
}
