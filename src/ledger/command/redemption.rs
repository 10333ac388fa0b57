//! Points are spent or held, and holds are captured, given up, or come back.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::decide::Working;
use crate::domain::ids::{JournalId, MemberId, RedemptionId};
use crate::domain::movement::redemption::{self, CaptureRequest, Purpose, RedemptionReply, RedemptionRequest};
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::Needs;

impl Asked for RedemptionRequest {
    fn operation(&self) -> &'static str {
        "redemption.redeem"
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
        match &self.purpose {
            Purpose::Order { points, .. } => needs.points(self.member_id, *points),
            Purpose::Reward { reward_id, quantity } => needs.reward(self.member_id, *reward_id, *quantity),
        }
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut work = batch.work_on(self.member_id, by)?;
        let reward = match &self.purpose {
            Purpose::Reward { reward_id, .. } => batch.state.reward(*reward_id),
            Purpose::Order { .. } => None,
        };
        let response = body(&redemption::redeem(&mut work, self, reward.as_ref())?);
        batch.keep(work)?;
        Ok(response)
    }
}

/// A hold is captured.
#[derive(Clone)]
pub struct Capture(pub RedemptionId, pub CaptureRequest);

impl Asked for Capture {
    fn operation(&self) -> &'static str {
        "redemption.capture"
    }

    // Without an order it has the form that it had before one could be given.
    fn content(&self) -> serde_json::Result<Value> {
        let Self(id, CaptureRequest { points, order_id }) = self;
        match order_id {
            Some(order) => serde_json::to_value((id, points, order)),
            None => serde_json::to_value((id, points)),
        }
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn not_found(&self) -> Refusal {
        Refusal::RedemptionNotFound
    }

    fn needs(&self, needs: &mut Needs) {
        needs.redemptions(&[self.0]);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        change(self.0, batch, by, |work| redemption::capture(work, self.0, &self.1))
    }
}

/// A hold is given up.
#[derive(Clone)]
pub struct Void(pub RedemptionId);

impl Asked for Void {
    fn operation(&self) -> &'static str {
        "redemption.void"
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

    fn not_found(&self) -> Refusal {
        Refusal::RedemptionNotFound
    }

    fn needs(&self, needs: &mut Needs) {
        needs.redemptions(&[self.0]);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        change(self.0, batch, by, |work| redemption::void(work, self.0))
    }
}

/// So many captured points come back, or all.
#[derive(Clone)]
pub struct Return(pub RedemptionId, pub Option<i64>);

impl Asked for Return {
    fn operation(&self) -> &'static str {
        "redemption.return"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, self.1))
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn not_found(&self) -> Refusal {
        Refusal::RedemptionNotFound
    }

    fn needs(&self, needs: &mut Needs) {
        needs.redemptions(&[self.0]);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        change(self.0, batch, by, |work| redemption::give_back(work, self.0, self.1))
    }
}

fn change<'a>(
    id: RedemptionId,
    batch: &mut Batch<'a>,
    by: &By<'a>,
    decide: impl FnOnce(&mut Working<'a>) -> Result<RedemptionReply, Rejected>,
) -> Result<String, Rejected> {
    let member = *batch.state.owners.get(&id.uuid()).ok_or(Refusal::RedemptionNotFound)?;
    let mut work = batch.work_on(member, by)?;
    let response = body(&decide(&mut work)?);
    batch.keep(work)?;
    Ok(response)
}
