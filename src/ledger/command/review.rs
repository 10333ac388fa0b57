//! Members are looked at anew after a version of the programme that has other tiers.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::refusal::Rejected;
use crate::domain::tier::Reviewed;
use crate::load::Needs;

/// Members of a journal are looked at anew, and how far that is by then is written with what it changes.
#[derive(Clone)]
pub struct Review {
    /// The members, all of them of the journal.
    pub members: Vec<MemberId>,
    /// How far it is then.
    pub reviewed: Reviewed,
}

impl Asked for Review {
    fn operation(&self) -> &'static str {
        "tier.review"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.members)
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.reviewed.journal
    }

    fn needs(&self, needs: &mut Needs) {
        for member in &self.members {
            needs.members.insert(*member);
            needs.coming.entry(*member).or_default().anew = true;
        }
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        for member in &self.members {
            let mut work = batch.work_on(*member, by)?;
            work.review()?;
            batch.keep(work)?;
        }
        batch.changes.reviewed.push(self.reviewed);
        Ok("{}".to_owned())
    }
}
