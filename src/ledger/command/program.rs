//! A version of the programme is published.

use std::sync::Arc;

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, body};
use super::Asked;
use crate::domain::decide::Context;
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::movement::publication::{self, ProgramVersionReply};
use crate::domain::program::Program;
use crate::domain::refusal::Rejected;
use crate::domain::time::{self, Timestamp};
use crate::load::Needs;

/// A new version of the programme, and from when on it is in force.
#[derive(Clone)]
pub struct Publish(pub Arc<Program>, pub Timestamp);

impl Asked for Publish {
    fn operation(&self) -> &'static str {
        "program.publish"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0.document(), time::canonical(self.1)))
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        PROGRAM_JOURNAL
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut known = batch.programs.clone();
        batch.changes.versions.iter().for_each(|version| known.add(version.clone()));
        let Context { now, command, actor, .. } = by.context;
        let (draft, version) = publication::publish(Some(&known), &self.0, self.1, (now, command, actor))?;
        let response = body(&ProgramVersionReply::of(&version));
        batch.record(draft);
        batch.changes.versions.push(version);
        Ok(response)
    }

    fn publishes(&self) -> bool {
        true
    }
}
