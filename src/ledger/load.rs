//! Loading what a batch names: a few statements, each set-based, none for what no command of the batch needs.
//!
//! Every statement has one plan that makes sense and no other that is possible: keys are looked up by equality, each
//! behind a lateral join with a fence (`OFFSET 0`), in an index that nothing else fits. The planner sees a new table as
//! empty, and a plan that it chose then is kept while the table grows: given the choice it reads a whole index for a
//! batch of one.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, SmallInt, Text, Timestamptz};
use uuid::Uuid;

use super::Failure;
use super::command::{Command, Outcome, Request};
use super::schema;
use super::state::{Key, Remembered, State};
use crate::domain::enrolment::Profile;
use crate::domain::entry::Hash;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lot, Member};
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_time;
use crate::postgres::statement::statement;

/// How many due lots one transaction settles. The lots of one instant stay together, as their entry does.
pub const MOST_DUE: usize = 2_000;

/// A journal's head, locked.
#[derive(Debug, Clone)]
pub struct Head {
    /// The number that the next entry gets.
    pub next_seq: i64,
    /// The hash of the last entry.
    pub hash: Hash,
    /// When the last entry was written.
    pub recorded_at: Timestamp,
    /// The programme's time once the lock was held.
    pub clock: DateTime<Utc>,
}

/// Locks the head of `journal`: from here to the end of the transaction nobody else writes to the journal or to
/// anything of its members. Statements after this one see all that the lock's last holder wrote.
pub fn head(connection: &mut PgConnection, journal: JournalId) -> Result<Head, Failure> {
    type Row = (i64, Vec<u8>, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = LockHead { journal }.load(connection)?;
    let (next_seq, hash, recorded_at, clock) = rows.into_iter().next().ok_or(Failure::NoJournal(journal))?;
    let hash = hash.try_into().map_err(|_| Failure::NoJournal(journal))?;
    Ok(Head { next_seq, hash, recorded_at, clock })
}

/// Where a key that another journal may hold is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the batch's journal: all that is ever needed unless two journals meet.
    Journal,
    /// In all journals, after a unique index has shown that some journal holds one.
    AllJournals,
}

/// The state that a batch names, and the member to settle first if more is due than one transaction takes.
pub struct Loaded {
    /// The state.
    pub state: State,
    /// A member, and the time up to which all that is due was loaded.
    pub cut: Option<(MemberId, Timestamp)>,
}

/// Loads what `requests` name.
///
/// Errors: [`Failure::TooMuchDue`] if more is due than one transaction takes and the batch can be cut.
pub fn state(
    connection: &mut PgConnection,
    journal: JournalId,
    requests: &[Request],
    now: Timestamp,
    reach: Reach,
) -> Result<Loaded, Failure> {
    let needs = Needs::of(requests);
    let mut state = State::default();
    let mut cut = None;
    if !needs.members.is_empty() {
        state.members = members(connection, journal, needs.members)?;
        cut = due_lots(connection, journal, &mut state.members, now, requests.len())?;
    }
    if !needs.profiles.is_empty() {
        state.profiles = profiles(connection, journal, &needs.profiles)?;
    }
    if !needs.orders.is_empty() {
        let orders = needs.orders;
        state.orders = remembered(match reach {
            Reach::Journal => LoadOrders { journal, orders }.load(connection)?,
            Reach::AllJournals => LoadOrdersAnywhere { orders }.load(connection)?,
        });
    }
    if !needs.external_ids.is_empty() {
        let external_ids = needs.external_ids;
        state.enrolments = remembered(match reach {
            Reach::Journal => LoadEnrolments { journal, external_ids }.load(connection)?,
            Reach::AllJournals => LoadEnrolmentsAnywhere { external_ids }.load(connection)?,
        });
    }
    if !needs.keys.is_empty() {
        state.keys = keys(connection, journal, needs.keys, reach == Reach::AllJournals)?;
    }
    Ok(Loaded { state, cut })
}

/// The programme's versions after `known`.
///
/// Errors: a stored document does not compile, which means that this program is older than the one that stored it.
pub fn program_versions(connection: &mut PgConnection, known: i32) -> Result<Vec<ProgramVersion>, Failure> {
    use schema::program_version::dsl;
    let rows: Vec<(i32, DateTime<Utc>, String)> = dsl::program_version
        .filter(dsl::journal.eq(super::command::PROGRAM_JOURNAL).and(dsl::version.gt(known)))
        .order(dsl::version)
        .select((dsl::version, dsl::effective_at, dsl::document))
        .load(connection)?;
    rows.into_iter()
        .map(|(version, effective_at, document)| {
            let document = serde_json::from_str(&document).map_err(|_| Failure::UnreadableProgram(version))?;
            let program = Program::read(&document).map_err(|_| Failure::UnreadableProgram(version))?;
            Ok(ProgramVersion { version, effective_at, program: program.into() })
        })
        .collect()
}

/// All versions of the programme; none before the first.
pub fn program_book(connection: &mut PgConnection) -> Result<Option<ProgramBook>, Failure> {
    Ok(ProgramBook::new(program_versions(connection, 0)?).ok())
}

#[derive(Default)]
struct Needs {
    members: Vec<MemberId>,
    profiles: Vec<Uuid>,
    orders: Vec<String>,
    external_ids: Vec<String>,
    keys: BTreeSet<(String, String, String)>,
}

impl Needs {
    fn of(requests: &[Request]) -> Self {
        let mut needs = Self::default();
        for request in requests {
            match &request.command {
                Command::CompleteOrder(order) => {
                    needs.members.push(order.member_id);
                    needs.orders.push(order.order_id.clone());
                }
                Command::Enrol(_, enrolment) => needs.external_ids.push(enrolment.external_id.clone()),
                Command::ChangeProfile(id, _) => {
                    needs.members.push(*id);
                    needs.profiles.push(id.uuid());
                }
                Command::Settle(id) => needs.members.push(*id),
                Command::Publish(..) => {}
            }
            if let Some(key) = &request.key {
                needs.keys.insert((request.actor.clone(), request.command.operation().to_owned(), key.clone()));
            }
        }
        needs.members.sort_unstable();
        needs.members.dedup();
        needs
    }
}

type MemberRow = (Uuid, String, DateTime<Utc>, i64, i64, i64, i64, Option<DateTime<Utc>>);

fn members(
    connection: &mut PgConnection,
    journal: JournalId,
    ids: Vec<MemberId>,
) -> Result<HashMap<MemberId, Member>, Failure> {
    let members = ids.into_iter().map(MemberId::uuid).collect();
    let rows: Vec<MemberRow> = LoadMembers { journal, members }.load(connection)?;
    let member = |(id, status, joined_at, active, pending, held, debt, due_beyond): MemberRow| {
        let id = MemberId::try_from(id).ok()?;
        let status = status.parse().ok()?;
        let balances = Balances { active, pending, held, debt };
        Some((id, Member { id, status, joined_at, balances, lots: Default::default(), due_beyond }))
    };
    rows.into_iter().map(|row| member(row).ok_or(Failure::UnreadableRow("member"))).collect()
}

type LotRow = (Uuid, Uuid, i64, i64, i64, i64, DateTime<Utc>, Option<DateTime<Utc>>);

// An award loads no lots unless something is due. For members with something due: every lot that is due by `now`,
// up to MOST_DUE in the order they fall due, and when the next of the others will be.
fn due_lots(
    connection: &mut PgConnection,
    journal: JournalId,
    members: &mut HashMap<MemberId, Member>,
    now: Timestamp,
    commands: usize,
) -> Result<Option<(MemberId, Timestamp)>, Failure> {
    let is_due = |member: &&Member| member.due_beyond.is_some_and(|due_at| due_at <= now);
    let mut due: Vec<Uuid> = members.values().filter(is_due).map(|member| member.id.uuid()).collect();
    if due.is_empty() {
        return Ok(None);
    }
    due.sort_unstable();
    let most = MOST_DUE as i64;
    let rows: Vec<LotRow> = LoadDueLots { journal, members: due.clone(), until: now, most }.load(connection)?;
    let mut cut = None;
    if rows.len() >= MOST_DUE {
        if commands > 1 {
            return Err(Failure::TooMuchDue);
        }
        let due_times = rows.iter().filter_map(|row| lot(row).due_at());
        cut = due_times.max().zip(due.first().and_then(|id| MemberId::try_from(*id).ok()));
    }
    let until = cut.map_or(now, |(until, _)| until);
    for row in &rows {
        if let Some(member) = MemberId::try_from(row.1).ok().and_then(|id| members.get_mut(&id)) {
            member.lots.insert(row.0, lot(row));
        }
    }
    let beyond: Vec<(Uuid, Option<DateTime<Utc>>)> = LoadDueBeyond { members: due, until }.load(connection)?;
    for (id, due_beyond) in beyond {
        if let Some(member) = MemberId::try_from(id).ok().and_then(|id| members.get_mut(&id)) {
            member.due_beyond = due_beyond;
        }
    }
    Ok(cut.map(|(until, member)| (member, until)))
}

fn lot(row: &LotRow) -> Lot {
    let (id, _, earned, pending, active, held, active_at, expires_at) = *row;
    Lot { id, earned, pending, active, held, active_at, expires_at }
}

fn profiles(
    connection: &mut PgConnection,
    journal: JournalId,
    members: &[Uuid],
) -> Result<HashMap<MemberId, Profile>, Failure> {
    use schema::member_profile::dsl;
    type Row = (Uuid, String, Option<chrono::NaiveDate>, Vec<Option<String>>);
    let rows: Vec<Row> = dsl::member_profile
        .filter(dsl::journal.eq(journal).and(dsl::member.eq_any(members)))
        .select((dsl::member, dsl::external_id, dsl::birthday, dsl::tags))
        .load(connection)?;
    let profile = |(member, external_id, birthday, tags): (Uuid, _, _, Vec<Option<String>>)| {
        let member = MemberId::try_from(member).map_err(|_| Failure::UnreadableRow("member_profile"))?;
        Ok((member, Profile { external_id, birthday, tags: tags.into_iter().flatten().collect() }))
    };
    rows.into_iter().map(profile).collect()
}

fn remembered(rows: Vec<(String, Vec<u8>, String)>) -> HashMap<String, Remembered> {
    let row = |(key, hash, response)| (key, Remembered { hash, outcome: Outcome::Done(response) });
    rows.into_iter().map(row).collect()
}

fn keys(
    connection: &mut PgConnection,
    journal: JournalId,
    wanted: BTreeSet<(String, String, String)>,
    all: bool,
) -> Result<HashMap<Key, Remembered>, Failure> {
    let mut load = LoadKeys { journal, all, ..LoadKeys::default() };
    for (caller, operation, key) in wanted {
        load.callers.push(caller);
        load.operations.push(operation);
        load.keys.push(key);
    }
    let rows: Vec<(String, String, String, Vec<u8>, bool, String)> = load.load(connection)?;
    let row = |(caller, operation, key, hash, refused, outcome): (_, _, _, _, bool, String)| {
        let outcome = match refused {
            true => serde_json::from_str(&outcome).map(Outcome::Refused),
            false => Ok(Outcome::Done(outcome)),
        };
        let outcome = outcome.map_err(|_| Failure::UnreadableRow("idempotency"))?;
        Ok((Key { caller, operation, key }, Remembered { hash, outcome }))
    };
    rows.into_iter().map(row).collect()
}

statement! {
    // The clock is read outside the subquery that locks: in the locking one it would be read before the wait. How far
    // a sandbox's was moved is seen as it was when the wait began, which is after these commands were taken: what is
    // asked once the clock was moved is decided by the time that it was moved to.
    LockHead { journal: JournalId => SmallInt } -> (BigInt, Bytea, Timestamptz, Timestamptz),
    concat!(
        "WITH head AS MATERIALIZED (
             SELECT next_seq, head_hash, recorded_at FROM journal WHERE id = $1 FOR UPDATE)
         SELECT next_seq, head_hash, recorded_at, ", programme_time!(), " FROM head"
    )
}

statement! {
    LoadMembers { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<diesel::sql_types::Uuid> }
    -> (diesel::sql_types::Uuid, Text, Timestamptz, BigInt, BigInt, BigInt, BigInt, Nullable<Timestamptz>),
    "SELECT m.id, m.status, m.joined_at, w.active, w.pending, w.held, w.debt, w.next_due_at
     FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM member WHERE journal = $1 AND id = wanted.id OFFSET 0) AS m
     CROSS JOIN LATERAL (SELECT * FROM wallet WHERE journal = $1 AND member = wanted.id OFFSET 0) AS w"
}

statement! {
    LoadDueLots {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<diesel::sql_types::Uuid>,
        until: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> (
        diesel::sql_types::Uuid, diesel::sql_types::Uuid, BigInt, BigInt, BigInt, BigInt,
        Timestamptz, Nullable<Timestamptz>
    ),
    "SELECT due.id, due.member, due.earned, due.pending, due.active, due.held, due.active_at, due.expires_at
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT *, active_at AS due_at FROM lot
         WHERE member = wanted.member AND pending > 0 AND active_at <= $3
         UNION ALL
         SELECT *, expires_at AS due_at FROM lot
         WHERE member = wanted.member AND active > 0 AND pending = 0 AND expires_at <= $3
     ) AS due
     WHERE due.journal = $1
     ORDER BY due.due_at FETCH FIRST ($4) ROWS WITH TIES"
}

statement! {
    LoadDueBeyond {
        members: Vec<Uuid> => Array<diesel::sql_types::Uuid>,
        until: Timestamp => Timestamptz,
    } -> (diesel::sql_types::Uuid, Nullable<Timestamptz>),
    "SELECT wanted.member, LEAST(
         (SELECT min(active_at) FROM lot WHERE member = wanted.member AND pending > 0 AND active_at > $2),
         (SELECT min(expires_at) FROM lot WHERE member = wanted.member AND active > 0 AND expires_at > $2))
     FROM UNNEST($1) AS wanted (member)"
}

statement! {
    LoadOrders { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT o.order_id, o.request_hash, o.response FROM UNNEST($2) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE journal = $1 AND order_id = wanted.order_id OFFSET 0) AS o"
}

statement! {
    LoadOrdersAnywhere { orders: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT o.order_id, o.request_hash, o.response FROM UNNEST($1) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE order_id = wanted.order_id OFFSET 0) AS o"
}

statement! {
    LoadEnrolments { journal: JournalId => SmallInt, external_ids: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT p.external_id, p.request_hash, p.response
     FROM UNNEST($2) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p
     WHERE p.journal = $1"
}

statement! {
    LoadEnrolmentsAnywhere { external_ids: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT p.external_id, p.request_hash, p.response FROM UNNEST($1) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p"
}

statement! {
    LoadKeys {
        journal: JournalId => SmallInt,
        callers: Vec<String> => Array<Text>,
        operations: Vec<String> => Array<Text>,
        keys: Vec<String> => Array<Text>,
        all: bool => Bool,
    } -> (Text, Text, Text, Bytea, Bool, Text),
    "SELECT i.caller, i.operation, i.key, i.request_hash, i.refused, i.outcome
     FROM UNNEST($2, $3, $4) AS wanted (caller, operation, key)
     CROSS JOIN LATERAL (
         SELECT * FROM idempotency
         WHERE caller = wanted.caller AND operation = wanted.operation AND key = wanted.key AND ($5 OR journal = $1)
         OFFSET 0
     ) AS i"
}
