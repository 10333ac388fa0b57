//! Causes, and points that are given to them.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::movement::donation::{self, CauseTerms, Donation, DonationReply, DonationRequest};
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::Needs;

impl Asked for CauseTerms {
    fn operation(&self) -> &'static str {
        "cause.define"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        PROGRAM_JOURNAL
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let (cause, draft) = donation::define(self, &by.context)?;
        let response = body(&cause);
        batch.record(draft);
        batch.state.causes.insert(cause.id, cause.clone());
        batch.changes.causes.push(cause);
        Ok(response)
    }
}

impl Asked for DonationRequest {
    fn operation(&self) -> &'static str {
        "points.donate"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.member_id.journal()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.member_id);
        needs.causes.insert(self.cause_id);
        needs.points(self.member_id, self.points);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut work = batch.work_on(self.member_id, by)?;
        let entry = donation::donate(&mut work, batch.state.causes.get(&self.cause_id), self)?;
        let wallet = work.member.balances;
        let seq = batch.keep(work)? + entry as i64;
        let DonationRequest { member_id, cause_id, points } = *self;
        let receipt_number = donation::receipt_number(member_id.journal(), seq);
        let (id, donated_at) = (by.context.command, batch.now);
        let donation = Donation { id, member_id, cause_id, points, receipt_number, donated_at };
        let cause = batch.state.causes.get_mut(&cause_id).ok_or(Refusal::CauseNotFound)?;
        cause.total += points;
        cause.donations += 1;
        let response = body(&DonationReply { donation: donation.clone(), cause_total: cause.total, wallet });
        batch.changes.donations.push((donation, seq));
        Ok(response)
    }
}
