//! The quiet way: a batch of orders that nobody else is in the way of, in one statement and one round trip.
//!
//! Where all that a batch writes fits into one statement, the head need not be locked first. What the lane remembers
//! ([`super::memory`]), and what it reads besides, is decided upon, and the statement writes only if the head stands where
//! it stood when that was true: to the last entry's number, hash and time. The statement moves the head before it inserts
//! anything, so that whoever else writes to the journal waits for it, or has moved the head and makes it write nothing. What
//! is read in between, without a lock, is of the same version for the same reason.
//!
//! Time comes from the clock as the lane last read it, and what a monotonic clock says has passed since. The statement
//! writes only if the database's clock agrees to a second, and a sandbox's was not moved meanwhile; so time comes from one
//! clock here too, and it never runs backwards in the journal (invariant 7).
//!
//! An order that was posted before is found by the unique index, which fails the statement; then keys are looked up behind
//! the lock. Only what is done is answered here: what would be refused may have been done before, and is decided behind the
//! lock, after the rest.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use diesel::PgConnection;

use super::Failure;
use super::answer::{Answer, NaturalKey, Outcome};
use super::batch::{Batch, Changes, Known};
use super::head::Heads;
use super::memory::Memory;
use super::request::Request;
use super::transaction::Here;
use super::write::{self, Before, Place};
use crate::domain::decide;
use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use crate::load::{self, Needs, State};

/// How often it is tried before the head is locked: others who write to the journal leave time enough for the second.
const MOST_TRIES: usize = 2;

/// How long ago the head and the clock may have been seen.
const FRESH: Duration = Duration::from_millis(50);

/// Decides and commits those of `requests` that can be done. The others have no answer yet: they must be decided behind the
/// head's lock, and so must all if there is none.
///
/// Errors: [`Failure::Commit`] if the statement failed, so that a lost connection leaves its outcome unknown; of what was
/// read before it the others.
pub fn decide_and_write(
    here: &Here,
    connection: &mut PgConnection,
    requests: &[&Request],
    memory: &mut Memory,
) -> Result<Vec<Option<Answer>>, Failure> {
    let none = || vec![None; requests.len()];
    let mut needs = Needs::default();
    requests.iter().for_each(|request| request.asked().needs(&mut needs));
    if !requests.iter().all(|request| is_plain(request)) || !needs.are_plain() {
        return Ok(none());
    }
    // After a while of nothing, whether the database is still there is found out by a read, whose failure is no mystery.
    if memory.head().is_some_and(|head| head.read_at.elapsed() > FRESH) {
        memory.catch_up(connection, here.journal)?;
    }
    for _ in 0..MOST_TRIES {
        let Some(head) = memory.head().cloned() else { break };
        let estimate = head.clock_by_now();
        // Behind the lock it is found out, and said, why there is no present.
        let Some(now) = here.clock.present(estimate, head.recorded_at) else { break };
        let mut state = State { members: memory.recall(&needs.members), ..State::default() };
        load::rows(connection, here.journal, &needs, &mut state)?;
        let programs = here.programs.fresh(connection, now)?;
        let by_sums =
            |member: &Member| decide::orders_wanted(member, needs.coming.get(&member.id), &programs, now).is_none();
        if !state.members.values().all(|member| is_calm(member, now) && by_sums(member)) {
            break;
        }
        let before = Before::of(&state);
        let mut batch = Batch {
            state,
            known: Known::default(),
            changes: Changes::default(),
            looked_for: needs.members.clone(),
            missing: BTreeSet::new(),
            next_seqs: BTreeMap::from([(here.journal, head.next_seq)]),
            now,
            programs: &programs,
        };
        let done = |answer: &Answer| matches!(answer.outcome, Outcome::Done(_));
        let answers: Vec<_> = requests.iter().map(|request| batch.decide(request).ok().filter(done)).collect();
        let Batch { state, changes, missing, .. } = batch;
        let is_one = missing.is_empty() && write::is_one_statement(here.journal, &before, &state, &changes);
        let refused = answers.iter().filter(|answer| answer.is_none()).count();
        // What is refused is decided after the rest, which must not be what it is asked under.
        if !is_one || refused == requests.len() || refused > 0 && have_one_id(requests) {
            break;
        }
        let heads = Heads::of(here.journal, head);
        let place = Place { ledger: here.ledger, journal: here.journal, heads: &heads, now, estimate: Some(estimate) };
        match write::one_statement(connection, &place, &before, &state, changes).map_err(of_commit)? {
            Some(head) => {
                memory.keep(head, state.members.into_values());
                return Ok(answers);
            }
            None => memory.catch_up(connection, here.journal)?,
        }
    }
    Ok(none())
}

// An order under its own key alone, as checkouts post them.
fn is_plain(request: &Request) -> bool {
    let asked = request.asked();
    let by_order = matches!(asked.natural_key(), Some(NaturalKey::Order(_))) && asked.other_key().is_none();
    by_order && request.key.is_none() && asked.other_journal().is_none()
}

// Do two of them post an order under one id?
fn have_one_id(requests: &[&Request]) -> bool {
    let mut ids = HashSet::new();
    requests.iter().any(|request| match request.asked().natural_key() {
        Some(NaturalKey::Order(id)) => !ids.insert(id),
        _ => false,
    })
}

// Does a decision need nothing of the member but its row? Nothing is due, and no refund looks to what is held.
fn is_calm(member: &Member, now: Timestamp) -> bool {
    let is_due = member.next_due_at().is_some_and(|due_at| due_at <= now);
    !is_due && !member.may_have_claims()
}

fn of_commit(failure: Failure) -> Failure {
    match failure {
        Failure::Statement(error) => Failure::Commit(error),
        other => other,
    }
}
