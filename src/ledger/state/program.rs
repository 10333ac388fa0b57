//! Commands about what belongs to no member: programme versions, rewards, causes.

use std::sync::Arc;

use uuid::Uuid;

use super::super::command::{PROGRAM_JOURNAL, Request};
use super::{Batch, body};
use crate::domain::journal::entry::Draft;
use crate::domain::movement::donation::{self, CauseTerms};
use crate::domain::movement::publication::{self, ProgramVersionReply};
use crate::domain::movement::reward::{self, RewardPatch, RewardRequest};
use crate::domain::program::Program;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::Timestamp;

impl<'a> Batch<'a> {
    pub(super) fn publish(
        &mut self,
        request: &'a Request,
        program: &Arc<Program>,
        at: Timestamp,
    ) -> Result<String, Rejected> {
        let mut known = self.programs.clone();
        self.changes.versions.iter().for_each(|version| known.add(version.clone()));
        let caused_by = (self.now, request.id, request.actor.as_str());
        let (draft, version) = publication::publish(Some(&known), program, at, caused_by)?;
        let response = body(&ProgramVersionReply::of(&version));
        self.record(draft);
        self.changes.versions.push(version);
        Ok(response)
    }

    pub(super) fn define_reward(&mut self, request: &'a Request, asked: &RewardRequest) -> Result<String, Rejected> {
        let (reward, draft) = reward::define(asked, &self.context(request))?;
        let response = body(&reward.reply());
        self.record(draft);
        self.state.rewards.insert(reward.id, reward);
        Ok(response)
    }

    pub(super) fn change_reward(
        &mut self,
        request: &'a Request,
        id: Uuid,
        patch: &RewardPatch,
    ) -> Result<String, Rejected> {
        let reward = self.state.rewards.get(&id).ok_or(Refusal::RewardNotFound)?;
        let (reward, draft) = reward::change(reward, patch, &self.context(request))?;
        let response = body(&reward.reply());
        self.record(draft);
        self.state.rewards.insert(id, reward);
        Ok(response)
    }

    pub(super) fn define_cause(&mut self, request: &'a Request, terms: &CauseTerms) -> Result<String, Rejected> {
        let (cause, draft) = donation::define(terms, &self.context(request))?;
        let response = body(&cause);
        self.record(draft);
        self.state.causes.insert(cause.id, cause.clone());
        self.changes.causes.push(cause);
        Ok(response)
    }

    fn record(&mut self, draft: Draft) {
        self.changes.entries.entry(PROGRAM_JOURNAL).or_default().push(draft);
    }
}
