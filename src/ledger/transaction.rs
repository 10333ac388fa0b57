//! One transaction: lock, load, decide, write.
//!
//! The heads come first, so that everything after them sees what they protect. They are locked from the commands alone,
//! before what these name is read. What is found may need members of other journals: their heads are locked next where
//! they come after those that are locked, and else the transaction is begun anew with all of them in order. So it is where
//! only a decision shows that it needs a member. A batch of orders alone needs no lock while nobody is in its way: see
//! [`super::quiet`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use diesel::PgConnection;
use uuid::Uuid;

use super::Failure;
use super::answer::{Answer, NoAnswer};
use super::batch::{Batch, Changes};
use super::head::{Head, Heads};
use super::keys::{self, Reach};
use super::memory::Memory;
use super::request::Request;
use super::write::{self, Before, Place};
use crate::domain::decide::Context;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::Member;
use crate::load::{self, Aim, Around, Needs, Programs, State};
use crate::postgres::clock::Clock;

/// Where a lane writes.
pub struct Here {
    /// The ledger's id.
    pub ledger: Uuid,
    /// The lane's journal.
    pub journal: JournalId,
    /// The programme's clock.
    pub clock: Clock,
    /// The programme's versions.
    pub programs: Arc<Programs>,
}

/// What a transaction is for.
pub struct Transaction<'a> {
    /// Where it is.
    pub here: &'a Here,
    /// Members of whom it is known by now that a decision needs them.
    pub others: &'a BTreeSet<MemberId>,
    /// Where keys are looked for.
    pub reach: Reach,
}

/// What a transaction came to, once it is committed.
pub struct Decided {
    /// The answers, in the order of the requests; none if a part of what was due was written, and the batch is still to be
    /// decided.
    pub answers: Option<Vec<Result<Answer, NoAnswer>>>,
    /// Where the head of the lane's journal stands.
    pub head: Head,
    /// The members as they stand.
    pub members: HashMap<MemberId, Member>,
}

impl Transaction<'_> {
    /// Decides `requests` and writes what they change. Commits nothing.
    ///
    /// Errors: [`Failure::OtherMembers`]: begin anew with those; others: roll back.
    pub fn decide_and_write(
        &self,
        connection: &mut PgConnection,
        requests: &[&Request],
        memory: &mut Memory,
    ) -> Result<Decided, Failure> {
        let Here { ledger, journal, ref clock, ref programs } = *self.here;
        let named = requests.iter().filter_map(|request| request.asked().other_journal());
        let mut heads = Heads::default();
        let others = self.others.iter().map(|member| member.journal());
        heads.lock(connection, named.chain(others).chain([journal]))?;
        if !heads.get(journal).zip(memory.head()).is_some_and(|(head, seen)| head.stands_as(seen)) {
            memory.catch_up(connection, journal)?;
        }

        let known = keys::known(connection, (journal, self.reach), requests)?;
        let (mut needs, mut state) = (Needs { members: self.others.clone(), ..Needs::default() }, State::default());
        requests.iter().for_each(|request| request.asked().needs(&mut needs));
        let named = load::named(connection, &heads.journals(), &mut needs, &mut state)?;
        requests.iter().for_each(|request| request.asked().needs_further(&named, &mut needs));
        if !heads.lock(connection, needs.members.iter().map(|member| member.journal()))? {
            return Err(Failure::OtherMembers(needs.members));
        }

        let now = heads.present(journal, clock)?;
        if requests.iter().any(|request| request.asked().publishes()) {
            // Another instance may have published a moment ago; its version is visible behind the head's lock.
            programs.refresh(connection)?;
        }
        let programs = programs.fresh(connection, now)?;
        state.members = memory.recall(&needs.members);
        let around = Around { aim: Aim::Keep, now, programs: &programs };
        let cut = load::members(connection, &heads.journals(), (&mut needs, named), &around, &mut state)?;

        let before = Before::of(&state);
        let next_seqs = heads.iter().map(|(journal, head)| (journal, head.next_seq)).collect();
        let (changes, looked_for, missing) = (Changes::default(), needs.members, BTreeSet::new());
        let mut batch = Batch { state, known, changes, looked_for, missing, next_seqs, now, programs: &programs };
        let answers = if cut.is_empty() {
            Some(requests.iter().map(|request| batch.decide(request)).collect())
        } else {
            let context = Context { now, programs: &programs, command: Uuid::nil(), actor: "system" };
            batch.settle_everyone(&cut, context).map_err(|_| Failure::UnreadableRow("lot"))?;
            None
        };
        if !batch.missing.is_empty() {
            return Err(Failure::OtherMembers(batch.missing));
        }
        let place = Place { ledger, journal, heads: &heads, now, estimate: None };
        let Batch { state, changes, .. } = batch;
        let head = write::batch(connection, &place, &before, &state, changes)?.ok_or(Failure::NoJournal(journal))?;
        Ok(Decided { answers, head, members: state.members })
    }
}
