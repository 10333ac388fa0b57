//! An operator gives a member a tier.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::assignment::{self, Assignment};
use crate::domain::refusal::Rejected;
use crate::load::Needs;

/// An operator gives a member a tier.
#[derive(Clone)]
pub struct AssignTier(pub MemberId, pub Assignment);

impl Asked for AssignTier {
    fn operation(&self) -> &'static str {
        "tier.assign"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, &self.1))
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.0);
        needs.coming.entry(self.0).or_default().anew = true;
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut work = batch.work_on(self.0, by)?;
        let reply = assignment::assign(&mut work, &self.1)?;
        batch.keep(work)?;
        Ok(body(&reply))
    }
}
