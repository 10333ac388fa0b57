//! Writing a batch, rows as arrays: what an award writes in one statement for each journal, which moves the head, and
//! one statement for each other table that changed.
//!
//! What is looked up by key is put with `ON CONFLICT`, which has one plan: a join of the table with the arrays has
//! several, and some read the whole table.

mod members;
mod post;
mod records;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::query_dsl::methods::LoadQuery;
use uuid::Uuid;

use self::post::Posted;
use super::Failure;
use super::batch::Changes;
use super::head::{Head, Heads};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::Member;
use crate::domain::movement::reward::RewardTerms;
use crate::domain::record::counter::Counter;
use crate::domain::time::Timestamp;
use crate::load::State;

/// Where a batch is written: the ledger, the lane's journal, the heads of all journals that are locked, and the present.
pub struct Place<'a> {
    /// The ledger's id, which every entry carries.
    pub ledger: Uuid,
    /// The lane's journal, which keeps the batch's keys.
    pub journal: JournalId,
    /// The heads, as they were locked.
    pub heads: &'a Heads,
    /// When the entries are recorded.
    pub now: Timestamp,
    /// What the programme's clock was taken to show, where it was not read behind the head's lock.
    pub estimate: Option<DateTime<Utc>>,
}

/// What was loaded, before anything was decided.
#[derive(Default)]
pub struct Before {
    /// The members.
    pub members: HashMap<MemberId, Member>,
    /// The rewards.
    pub rewards: BTreeMap<Uuid, RewardTerms>,
    /// The counters.
    pub counters: BTreeMap<Uuid, Counter>,
}

impl Before {
    /// The part of `state` that the batch may change.
    pub fn of(state: &State) -> Self {
        let State { members, rewards, counters, .. } = state;
        Self { members: members.clone(), rewards: rewards.clone(), counters: counters.clone() }
    }

    // The members of a journal that are not as they were, in the order of their ids.
    fn changed<'s>(&self, state: &'s State, journal: JournalId) -> Vec<&'s Member> {
        let members = state.members.values().filter(|member| member.id.journal() == journal);
        let mut changed: Vec<&Member> = members.filter(|member| self.members.get(&member.id) != Some(member)).collect();
        changed.sort_unstable_by_key(|member| member.id);
        changed
    }
}

/// Is everything that a batch changed written by one statement, in the journal that it is of?
pub fn is_one_statement(journal: JournalId, before: &Before, state: &State, changes: &Changes) -> bool {
    let Changes { entries, orders: _, refunds, enrolled, changed_profiles, erased, donations, causes, notes, .. } =
        changes;
    let Changes { keys, versions, reviewed, .. } = changes;
    let of_members = enrolled.is_empty() && changed_profiles.is_empty() && erased.is_empty() && notes.is_empty();
    let of_program = versions.is_empty()
        && reviewed.is_empty()
        && causes.is_empty()
        && state.rewards.is_empty()
        && state.counters.is_empty();
    let only_posts = of_members && of_program && refunds.is_empty() && donations.is_empty() && keys.is_empty();
    let own = entries.keys().copied().chain(state.members.keys().map(|id| id.journal())).all(|of| of == journal);
    let posted = |member: &&Member| match before.members.get(&member.id) {
        Some(old) => {
            let whole = old.lots.is_empty() && old.records.is_empty() && old.orders.is_empty();
            let as_it_was = old.status == member.status && old.standing == member.standing;
            whole && as_it_was && member.records.is_empty()
        }
        None => false,
    };
    only_posts && own && state.members.values().all(|member| posted(&member))
}

/// Writes a batch that [`is_one_statement`], which needs no transaction around it, and says where the head stands
/// afterwards. Writes nothing, and says none, if the head does not stand where it was seen, or the clock is another than
/// was estimated.
pub fn one_statement(
    connection: &mut PgConnection,
    place: &Place<'_>,
    before: &Before,
    state: &State,
    changes: Changes,
) -> Result<Option<Head>, Failure> {
    let journal = place.journal;
    let head = place.heads.get(journal).ok_or(Failure::NoJournal(journal))?;
    let drafts = changes.entries.into_values().next().unwrap_or_default();
    let changed = before.changed(state, journal);
    let posted = Posted { drafts, changed, before: &before.members, orders: &changes.orders };
    post::post(connection, place, (journal, head), posted)
}

/// Writes what a batch changed: `state` against what it was `before`, and `changes`. Says where the head of the lane's
/// journal stands afterwards.
///
/// Every statement's count of rows is checked: fewer than were meant means that the batch's picture of the
/// database was wrong, and the transaction must not commit. (Erasure alone counts nothing: what it removes may never
/// have been there.)
pub fn batch(
    connection: &mut PgConnection,
    place: &Place<'_>,
    before: &Before,
    state: &State,
    mut changes: Changes,
) -> Result<Option<Head>, Failure> {
    // What commands add is of the lane's journal; only wallets, what is in them and claims on it change in the
    // other ones too.
    members::enrolled(connection, place.journal, state, &changes)?;
    for (journal, _) in place.heads.iter() {
        members::contents(connection, journal, &before.members, &before.changed(state, journal))?;
    }
    members::profiles(connection, place.journal, state, &changes)?;
    records::donations(connection, place.journal, &changes)?;
    records::notes(connection, place.journal, &changes)?;
    records::refunds(connection, place.journal, &changes)?;
    records::keys(connection, place.journal, place.now, &changes)?;
    records::program(connection, place.now, before, state, &changes)?;
    records::reviewed(connection, &changes)?;
    let mut stands = None;
    for (journal, head) in place.heads.iter() {
        let drafts = changes.entries.remove(&journal).unwrap_or_default();
        let orders = if journal == place.journal { changes.orders.as_slice() } else { &[] };
        let posted = Posted { drafts, changed: before.changed(state, journal), before: &before.members, orders };
        let moved = post::post(connection, place, (journal, head), posted)?;
        let moved = moved.ok_or(Failure::Rows { table: "journal", meant: 1, written: 0 })?;
        if journal == place.journal {
            stands = Some(moved);
        }
    }
    // An order may be refunded in the batch that posts it.
    for (journal, _) in place.heads.iter() {
        records::refunded(connection, journal, &before.members, state, &changes)?;
    }
    // Erasure finds a member's orders by their entries, those of this batch included.
    members::erase(connection, place.journal, &changes)?;
    Ok(stands)
}

fn check(table: &'static str, meant: usize, written: i64) -> Result<(), Failure> {
    let written = usize::try_from(written).unwrap_or_default();
    if written == meant { Ok(()) } else { Err(Failure::Rows { table, meant, written }) }
}

// Rows say themselves that they were written: what a command's tag counts differs where rows are routed to other servers.
fn run<S>(connection: &mut PgConnection, table: &'static str, meant: usize, statement: S) -> Result<(), Failure>
where
    S: LoadQuery<'static, PgConnection, i32> + RunQueryDsl<PgConnection>,
{
    if meant == 0 {
        return Ok(());
    }
    let written: Vec<i32> = statement.load(connection)?;
    let written = written.len();
    if written == meant { Ok(()) } else { Err(Failure::Rows { table, meant, written }) }
}
