//! What time alone has caused is written down.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::refusal::Rejected;
use crate::load::Needs;

/// What time alone has caused for a member is written down; nothing else is.
#[derive(Clone)]
pub struct Settle(pub MemberId);

impl Asked for Settle {
    fn operation(&self) -> &'static str {
        "member.settle"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self.0)
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.0);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        batch.settle(self.0, batch.now, by.context).map(|()| "{}".to_owned())
    }
}
