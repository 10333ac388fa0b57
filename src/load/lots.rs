//! Lots: all that are due, those that open records and orders name, and of the others as many as are
//! asked for, soonest-expiring first. A wallet of ten thousand lots costs what one of ten does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Aim, Around, Unloadable, of_journal};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::Member;
use crate::domain::record::Record;
use crate::domain::record::due::Due;
use crate::domain::record::lot::Lot;
use crate::domain::time::Timestamp;
use crate::postgres::statement::statement;

/// How many due lots one transaction settles. The lots of one instant stay together, as their entry does.
const MOST_DUE: i64 = 2_000;

/// How many lots of a member are looked at first, and how many times more if they are too few.
const FIRST_LOOK: i64 = 32;
const LOOK_FURTHER: i64 = 16;

/// Loads the lots of a journal that the batch needs, and when the first of what was not loaded falls due. Returns until
/// when to settle first, if more is due than one transaction takes.
pub fn load(
    connection: &mut PgConnection,
    journal: JournalId,
    around: &Around<'_>,
    needs: &Needs,
    state: &mut State,
) -> Result<Option<Timestamp>, Unloadable> {
    let now = around.now;
    let cut = due(connection, journal, around, state)?;
    named(connection, journal, now, needs, state)?;
    let all = of_journal(&needs.all_points, journal);
    if !all.is_empty() {
        put(state, LoadAll { journal, members: all }.load(connection)?)?;
    }
    for (asked, order) in [(&needs.points, Order::SoonestToEnd), (&needs.pending, Order::LatestToBegin)] {
        as_many_as_asked(connection, (journal, now), asked, order, state)?;
    }
    beyond(connection, journal, state)?;
    Ok(cut)
}

type LotRow = (Uuid, Uuid, i64, i64, i64, i64, i64, DateTime<Utc>, Option<DateTime<Utc>>);

// An award loads no lots unless something is due. For members with something due: every lot that is due by now, to be kept
// MOST_DUE of them in the order they fall due.
fn due(
    connection: &mut PgConnection,
    journal: JournalId,
    around: &Around<'_>,
    state: &mut State,
) -> Result<Option<Timestamp>, Unloadable> {
    let members = due_members(state, journal, around.now);
    if members.is_empty() {
        return Ok(None);
    }
    let most = match around.aim {
        Aim::Keep => MOST_DUE,
        Aim::Show => i64::MAX,
    };
    let rows: Vec<LotRow> = LoadDueLots { journal, members, until: around.now, most }.load(connection)?;
    // Every lot that falls due until then is among the rows, so that everyone can be settled so far.
    let last = rows.iter().filter_map(|row| lot(row).due_at()).max();
    let cut = last.filter(|_| rows.len() as i64 >= most);
    put(state, rows)?;
    Ok(cut)
}

/// The members of a journal for whom something is due.
pub fn due_members(state: &State, journal: JournalId, now: Timestamp) -> Vec<Uuid> {
    let is_due =
        |member: &&Member| member.id.journal() == journal && member.due_beyond.is_some_and(|due_at| due_at <= now);
    let mut due: Vec<Uuid> = state.members.values().filter(is_due).map(|member| member.id.uuid()).collect();
    due.sort_unstable();
    due
}

// The lots that points of open records and of orders that are refunded are in: of those that commands name and those that
// end. Records that only count towards a limit need none.
fn named(
    connection: &mut PgConnection,
    journal: JournalId,
    now: Timestamp,
    needs: &Needs,
    state: &mut State,
) -> Result<(), Unloadable> {
    let ends = |due: Option<(Timestamp, Due)>| due.is_some_and(|(at, _)| at <= now);
    let mut ids = BTreeSet::new();
    for member in state.members.values().filter(|member| member.id.journal() == journal) {
        let open = member.records.values().map(Record::recorded).filter(|record| record.is_open());
        let wanted = open.filter(|one| needs.records.contains(&(journal, one.id())) || ends(one.due()));
        ids.extend(wanted.flat_map(|record| record.lots()).map(|taking| taking.lot));
        let refunded = member.orders.values().filter(|order| needs.refunded.contains_key(&order.order_id));
        for order in refunded {
            ids.extend(order.lot.into_iter().chain(order.reversal.lots()));
        }
        ids.retain(|id| !member.lots.contains_key(id));
    }
    if ids.is_empty() {
        return Ok(());
    }
    let ids = ids.into_iter().collect();
    put(state, LoadLots { journal, ids }.load(connection)?)
}

/// Which lots of a member are looked at first.
#[derive(Clone, Copy)]
enum Order {
    /// Of the active ones.
    SoonestToEnd,
    /// Of the pending ones.
    LatestToBegin,
}

// For members of whom points are asked: their lots in the order of taking, until there are enough. What is due by now is
// loaded already, and so are the lots that commands of the batch may give points back to.
fn as_many_as_asked(
    connection: &mut PgConnection,
    (journal, now): (JournalId, Timestamp),
    asked: &BTreeMap<MemberId, i64>,
    order: Order,
    state: &mut State,
) -> Result<(), Unloadable> {
    let asked = asked.iter().filter(|(id, _)| id.journal() == journal && state.members.contains_key(id));
    let mut asked: Vec<(MemberId, i64)> = asked.map(|(id, points)| (*id, *points)).collect();
    let mut most = FIRST_LOOK;
    while !asked.is_empty() {
        let members = asked.iter().map(|(id, _)| id.uuid()).collect();
        let rows: Vec<LotRow> = match order {
            Order::SoonestToEnd => LoadSpendable { journal, members, now, most }.load(connection)?,
            Order::LatestToBegin => LoadPending { journal, members, now, most }.load(connection)?,
        };
        let mut found: HashMap<Uuid, (i64, i64)> = HashMap::new();
        for row in &rows {
            let Lot { pending, active, .. } = lot(row);
            let (count, points) = found.entry(row.1).or_default();
            let here = match order {
                Order::SoonestToEnd => active,
                Order::LatestToBegin => pending,
            };
            (*count, *points) = (*count + 1, *points + here);
        }
        asked.retain(|(id, wanted)| {
            let (count, points) = found.get(&id.uuid()).copied().unwrap_or_default();
            points < *wanted && count >= most
        });
        put(state, rows)?;
        most = most.saturating_mul(LOOK_FURTHER);
    }
    Ok(())
}

// When the first of what was not loaded falls due, for the members of whom something was.
fn beyond(connection: &mut PgConnection, journal: JournalId, state: &mut State) -> Result<(), Unloadable> {
    let mut load = LoadDueBeyond { journal, ..LoadDueBeyond::default() };
    let loaded = |member: &&Member| {
        let anything = !(member.lots.is_empty() && member.records.is_empty());
        member.id.journal() == journal && anything
    };
    for member in state.members.values().filter(loaded) {
        load.members.push(member.id.uuid());
        load.lots.extend(member.lots.keys());
        load.records.extend(member.records.keys());
    }
    if load.members.is_empty() {
        return Ok(());
    }
    let rows: Vec<(Uuid, Option<DateTime<Utc>>)> = load.load(connection)?;
    for (id, due_beyond) in rows {
        member_mut(state, id)?.due_beyond = due_beyond;
    }
    Ok(())
}

fn put(state: &mut State, rows: Vec<LotRow>) -> Result<(), Unloadable> {
    for row in rows {
        member_mut(state, row.1)?.lots.entry(row.0).or_insert_with(|| lot(&row));
    }
    Ok(())
}

fn member_mut(state: &mut State, id: Uuid) -> Result<&mut Member, Unloadable> {
    let member = MemberId::try_from(id).ok().and_then(|id| state.members.get_mut(&id));
    member.ok_or(Unloadable::Row("lot"))
}

fn lot(row: &LotRow) -> Lot {
    let (id, _, earned, pending, active, held, expired, active_at, expires_at) = *row;
    Lot { id, earned, pending, active, held, expired, active_at, expires_at }
}

type LotColumns = (SqlUuid, SqlUuid, BigInt, BigInt, BigInt, BigInt, BigInt, Timestamptz, Nullable<Timestamptz>);

statement! {
    LoadDueLots {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        until: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> LotColumns,
    "SELECT due.id, due.member, due.earned, due.pending, due.active, due.held, due.expired, due.active_at, due.expires_at
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT *, active_at AS due_at FROM lot
         WHERE journal = $1 AND member = wanted.member AND pending > 0 AND active_at <= $3
         UNION ALL
         SELECT *, expires_at AS due_at FROM lot
         WHERE journal = $1 AND member = wanted.member AND active > 0 AND pending = 0 AND expires_at <= $3
     ) AS due
     ORDER BY due.due_at FETCH FIRST ($4) ROWS WITH TIES"
}

statement! {
    LoadLots { journal: JournalId => SmallInt, ids: Vec<Uuid> => Array<SqlUuid> } -> LotColumns,
    "SELECT l.id, l.member, l.earned, l.pending, l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM lot WHERE journal = $1 AND id = wanted.id OFFSET 0) AS l"
}

statement! {
    LoadAll { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<SqlUuid> } -> LotColumns,
    "SELECT l.id, l.member, l.earned, l.pending, l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM lot WHERE journal = $1 AND member = wanted.member AND pending > 0
         UNION ALL
         SELECT * FROM lot WHERE journal = $1 AND member = wanted.member AND active > 0 AND pending = 0
     ) AS l"
}

statement! {
    // The index has the order; what has expired is at its beginning and due, so that little is passed over.
    LoadSpendable {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        now: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> LotColumns,
    "SELECT l.id, l.member, l.earned, l.pending, l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM lot
         WHERE journal = $1 AND member = wanted.member AND active > 0 AND (expires_at > $3 OR expires_at IS NULL)
         ORDER BY journal, member, expires_at, id LIMIT $4
     ) AS l"
}

statement! {
    // The index has the order of activation; what is due by now is at its beginning, and is not reached.
    LoadPending {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        now: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> LotColumns,
    "SELECT l.id, l.member, l.earned, l.pending, l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM lot
         WHERE journal = $1 AND member = wanted.member AND pending > 0 AND active_at > $3
         ORDER BY journal DESC, member DESC, active_at DESC, id DESC LIMIT $4
     ) AS l"
}

statement! {
    // Subqueries, because they are hashed: a list of ten thousand would be walked for each of ten thousand lots.
    LoadDueBeyond {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        lots: Vec<Uuid> => Array<SqlUuid>,
        records: Vec<Uuid> => Array<SqlUuid>,
    } -> (SqlUuid, Nullable<Timestamptz>),
    "SELECT wanted.member, LEAST(
         (SELECT active_at FROM lot WHERE journal = $1 AND member = wanted.member AND pending > 0
          AND id NOT IN (SELECT unnest($3)) ORDER BY active_at LIMIT 1),
         (SELECT expires_at FROM lot WHERE journal = $1 AND member = wanted.member AND active > 0
          AND expires_at IS NOT NULL AND id NOT IN (SELECT unnest($3)) ORDER BY journal, member, expires_at, id LIMIT 1),
         (SELECT due_at FROM record WHERE journal = $1 AND member = wanted.member AND due_at IS NOT NULL
          AND id NOT IN (SELECT unnest($4)) ORDER BY due_at LIMIT 1))
     FROM UNNEST($2) AS wanted (member)"
}
