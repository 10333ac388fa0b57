//! Rewards are offered and changed.

use serde_json::Value;
use uuid::Uuid;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::movement::reward::{self, RewardPatch, RewardRequest};
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::Needs;

impl Asked for RewardRequest {
    fn operation(&self) -> &'static str {
        "reward.define"
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
        let (reward, draft) = reward::define(self, &by.context)?;
        let response = body(&reward.reply());
        batch.record(draft);
        batch.state.put_reward(reward);
        Ok(response)
    }
}

/// A change of a reward.
#[derive(Clone)]
pub struct ChangeReward(pub Uuid, pub RewardPatch);

impl Asked for ChangeReward {
    fn operation(&self) -> &'static str {
        "reward.change"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, &self.1))
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        PROGRAM_JOURNAL
    }

    fn needs(&self, needs: &mut Needs) {
        needs.rewards.insert(self.0);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let reward = batch.state.reward(self.0).ok_or(Refusal::RewardNotFound)?;
        let (reward, draft) = reward::change(&reward, &self.1, &by.context)?;
        let response = body(&reward.reply());
        batch.record(draft);
        batch.state.put_reward(reward);
        Ok(response)
    }
}
