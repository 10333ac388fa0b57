//! An operator corrects a wallet.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, Note, body};
use super::Asked;
use crate::domain::decide::Working;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::adjustment::{self, Adjustment, Side};
use crate::domain::refusal::Rejected;
use crate::load::Needs;

impl Asked for Adjustment {
    fn operation(&self) -> &'static str {
        "points.adjust"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    // What the operator wrote.
    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        self.note.as_ref().map(|_| self.member_id)
    }

    fn journal(&self) -> JournalId {
        self.member_id.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.member_id);
        let taken = self.points.saturating_neg();
        match self.account {
            Side::Active => needs.points(self.member_id, taken),
            Side::Pending => needs.pending(self.member_id, taken),
        }
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let work = batch.work_on(self.member_id, by)?;
        adjust(self, work, batch)
    }
}

/// Adjusts the wallet of the member that `work` is on.
pub fn adjust<'a>(asked: &Adjustment, mut work: Working<'a>, batch: &mut Batch<'a>) -> Result<String, Rejected> {
    let reply = adjustment::adjust(&mut work, asked)?;
    batch.keep(work)?;
    if let Some(body) = asked.note.clone() {
        let (about, member) = (reply.id, asked.member_id);
        batch.changes.notes.push(Note { about, member, other_member: None, body });
    }
    Ok(body(&reply))
}
