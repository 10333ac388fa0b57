//! Points are spent or held, and holds are captured, given up, or come back.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId, RedemptionId};
use crate::domain::movement::redemption::{self, CaptureRequest, Purpose, RedemptionRequest};
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

/// What becomes of a redemption.
#[derive(Clone)]
pub enum RedemptionChange {
    /// A hold is captured.
    Capture(CaptureRequest),
    /// A hold is given up.
    Void,
    /// So many captured points come back, or all.
    Return(Option<i64>),
}

/// A hold is captured or given up, or captured points come back.
#[derive(Clone)]
pub struct ChangeRedemption(pub RedemptionId, pub RedemptionChange);

impl Asked for ChangeRedemption {
    fn operation(&self) -> &'static str {
        match self.1 {
            RedemptionChange::Capture(_) => "redemption.capture",
            RedemptionChange::Void => "redemption.void",
            RedemptionChange::Return(_) => "redemption.return",
        }
    }

    // A capture without an order has the form that it had before one could be given.
    fn content(&self) -> serde_json::Result<Value> {
        let Self(id, change) = self;
        match change {
            RedemptionChange::Capture(CaptureRequest { points, order_id: Some(order) }) => {
                serde_json::to_value((id, points, order))
            }
            RedemptionChange::Capture(CaptureRequest { points, order_id: None }) | RedemptionChange::Return(points) => {
                serde_json::to_value((id, points))
            }
            RedemptionChange::Void => serde_json::to_value(id),
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
        let Self(id, change) = self;
        let member = *batch.state.owners.get(&id.uuid()).ok_or(Refusal::RedemptionNotFound)?;
        let mut work = batch.work_on(member, by)?;
        let reply = match change {
            RedemptionChange::Capture(asked) => redemption::capture(&mut work, *id, asked)?,
            RedemptionChange::Void => redemption::void(&mut work, *id)?,
            RedemptionChange::Return(points) => redemption::give_back(&mut work, *id, *points)?,
        };
        let response = body(&reply);
        batch.keep(work)?;
        Ok(response)
    }
}
