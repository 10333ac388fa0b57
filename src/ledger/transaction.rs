//! One transaction: lock, load, decide, write.
//!
//! The heads come first, so that everything after them sees what they protect. They are locked from the commands alone,
//! before what these name is read. What is found may need members of other journals: their heads are locked next where
//! they come after those that are locked, and else the transaction is begun anew with all of them in order. So it is where
//! only a decision shows that it needs a member.

use std::collections::BTreeSet;

use diesel::PgConnection;
use uuid::Uuid;

use super::Failure;
use super::answer::{Answer, NoAnswer};
use super::batch::{Batch, Changes};
use super::head::Heads;
use super::keys::{self, Reach};
use super::request::Request;
use super::write::{self, Before, Place};
use crate::domain::decide::Context;
use crate::domain::ids::{JournalId, MemberId};
use crate::load::{self, Aim, Around, Needs, Programs, State};
use crate::postgres::clock::Clock;

/// What a transaction is for.
pub struct Transaction<'a> {
    /// The ledger's id.
    pub ledger: Uuid,
    /// The lane's journal.
    pub journal: JournalId,
    /// Members of whom it is known by now that a decision needs them.
    pub others: &'a BTreeSet<MemberId>,
    /// Where keys are looked for.
    pub reach: Reach,
    /// The programme's clock.
    pub clock: &'a Clock,
    /// The programme's versions.
    pub programs: &'a Programs,
}

/// What a transaction came to, once it is committed.
pub enum Decided {
    /// The answers, in the order of the requests.
    Batch(Vec<Result<Answer, NoAnswer>>),
    /// A part of what was due; the batch is still to be decided.
    Part,
}

impl Transaction<'_> {
    /// Decides `requests` and writes what they change. Commits nothing.
    ///
    /// Errors: [`Failure::OtherMembers`]: begin anew with those; others: roll back.
    pub fn decide_and_write(&self, connection: &mut PgConnection, requests: &[Request]) -> Result<Decided, Failure> {
        let named = requests.iter().filter_map(|request| request.asked().other_journal());
        let mut heads = Heads::default();
        let others = self.others.iter().map(|member| member.journal());
        heads.lock(connection, named.chain(others).chain([self.journal]))?;

        let known = keys::known(connection, (self.journal, self.reach), requests)?;
        let (mut needs, mut state) = (Needs { members: self.others.clone(), ..Needs::default() }, State::default());
        requests.iter().for_each(|request| request.asked().needs(&mut needs));
        let named = load::named(connection, &heads.journals(), &mut needs, &mut state)?;
        requests.iter().for_each(|request| request.asked().needs_further(&named, &mut needs));
        if !heads.lock(connection, needs.members.iter().map(|member| member.journal()))? {
            return Err(Failure::OtherMembers(needs.members));
        }

        let now = heads.present(self.journal, self.clock)?;
        if requests.iter().any(|request| request.asked().publishes()) {
            // Another instance may have published a moment ago; its version is visible behind the head's lock.
            self.programs.refresh(connection)?;
        }
        let programs = self.programs.fresh(connection, now)?;
        let around = Around { aim: Aim::Keep, now, programs: &programs };
        let cut = load::members(connection, &heads.journals(), (&mut needs, named), &around, &mut state)?;

        let before = Before::of(&state);
        let next_seqs = heads.iter().map(|(journal, head)| (journal, head.next_seq)).collect();
        let (changes, looked_for, missing) = (Changes::default(), needs.members, BTreeSet::new());
        let mut batch = Batch { state, known, changes, looked_for, missing, next_seqs, now, programs: &programs };
        let decided = if cut.is_empty() {
            Decided::Batch(requests.iter().map(|request| batch.decide(request)).collect())
        } else {
            let context = Context { now, programs: &programs, command: Uuid::nil(), actor: "system" };
            batch.settle_everyone(&cut, context).map_err(|_| Failure::UnreadableRow("lot"))?;
            Decided::Part
        };
        if !batch.missing.is_empty() {
            return Err(Failure::OtherMembers(batch.missing));
        }
        let place = Place { ledger: self.ledger, journal: self.journal, heads: &heads, now };
        write::batch(connection, &place, &before, &batch.state, batch.changes)?;
        Ok(decided)
    }
}
