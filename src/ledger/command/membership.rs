//! A member is suspended, resumed, closed or erased.

use serde_json::Value;

use super::super::answer::{Outcome, Remembered};
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::Status;
use crate::domain::movement::enrolment::MemberReply;
use crate::domain::movement::membership::{self, Change};
use crate::domain::refusal::Rejected;
use crate::load::Needs;

/// A member is suspended, resumed, closed or erased.
#[derive(Clone)]
pub struct ChangeMembership(pub MemberId, pub Change);

impl Asked for ChangeMembership {
    fn operation(&self) -> &'static str {
        match self.1 {
            Change::Suspend => "member.suspend",
            Change::Resume => "member.resume",
            Change::Close => "member.close",
            Change::Erase => "member.erase",
        }
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, &self.1))
    }

    // The answer says who the customer is, unless nobody knows any more.
    fn personal(&self, outcome: &Outcome) -> Option<MemberId> {
        let says = matches!(outcome, Outcome::Done(_)) && self.1 != Change::Erase;
        says.then_some(self.0)
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.0);
        needs.profiles.insert(self.0);
        if matches!(self.1, Change::Close | Change::Erase) {
            needs.all_points.insert(self.0);
        }
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let Self(id, change) = *self;
        let mut work = batch.work_on(id, by)?;
        membership::change(&mut work, change)?;
        if work.member.status == Status::Erased {
            if let Some(profile) = batch.state.profiles.remove(&id) {
                batch.known.enrolments.remove(&profile.external_id);
            }
            let personal = batch.known.keys.values_mut().filter(|remembered| remembered.member == Some(id));
            personal.for_each(|remembered| *remembered = Remembered::erased());
            batch.changes.erased.push(id);
        }
        let response = body(&MemberReply::of(&work.member, batch.state.profiles.get(&id)));
        batch.keep(work)?;
        Ok(response)
    }

    fn removes_rows(&self) -> bool {
        self.1 == Change::Erase
    }
}
