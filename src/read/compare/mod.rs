//! The tables of a journal against what its entries say.

mod records;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, SmallInt, Text, Timestamptz};
use serde_json::Value;
use uuid::Uuid;

pub use self::records::{Sums, sums};
use super::schema;
use super::verify::NotVerified;
use crate::domain::audit::Journal;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Kind;
use crate::domain::member::{Balances, Member};
use crate::domain::record::lot::Lot;
use crate::postgres::statement::statement;

/// Compares what a journal's tables hold to the last column (invariant 3), and looks for rows that belong to no entry.
pub fn projections(connection: &mut PgConnection, journal: JournalId, rebuilt: &Journal) -> Result<(), NotVerified> {
    let fault = |fault: String| NotVerified::Projection { journal, fault };
    let (members, lots) = (stored_members(connection, journal)?, stored_lots(connection, journal)?);
    compare_members(members, lots, rebuilt).map_err(fault)?;
    records::compare(connection, journal, rebuilt)?.map_err(fault)?;
    compare_versions(stored_versions(connection, journal)?, rebuilt).map_err(fault)?;
    match strays(connection, journal, rebuilt.next_seq)? {
        0 => Ok(()),
        n => Err(fault(format!("{n} postings belong to no entry"))),
    }
}

fn compare_members(stored: Vec<MemberRow>, mut lots: HashMap<Uuid, Vec<Lot>>, rebuilt: &Journal) -> Result<(), String> {
    if stored.len() != rebuilt.members.len() {
        return Err(format!("{} members are stored, {} were enrolled", stored.len(), rebuilt.members.len()));
    }
    for (id, status, joined_at, (active, pending, held, debt), (earned, spent, claimed), next_due_at) in stored {
        let known = MemberId::try_from(id).ok().and_then(|id| rebuilt.members.get(&id));
        let member: &Member = known.ok_or_else(|| format!("member {id} is stored and was never enrolled"))?;
        let balances = Balances { active, pending, held, debt };
        if balances != member.balances {
            return Err(format!("the wallet of member {id} is {balances:?}, its entries give {:?}", member.balances));
        }
        if claimed != member.claimed {
            return Err(format!("the wallet of member {id} has other claims on it than its entries give"));
        }
        if (earned, spent) != (member.lifetime.lifetime_earned, member.lifetime.lifetime_spent) {
            return Err(format!("the wallet of member {id} has other sums since joining than its entries give"));
        }
        if (status.as_str(), joined_at) != (member.status.name(), member.joined_at) {
            return Err(format!("member {id} has another status or joined at another time than its entries say"));
        }
        if next_due_at != member.next_due_at() {
            return Err(format!("the wallet of member {id} has another due time than its lots"));
        }
        let mut stored_lots = lots.remove(&id).unwrap_or_default();
        stored_lots.sort_unstable_by_key(|lot| lot.id);
        if !stored_lots.iter().eq(member.lots.values()) {
            return Err(format!("the lots of member {id} are not those that its entries give"));
        }
    }
    match lots.keys().next() {
        Some(id) => Err(format!("lots are stored for {id}, which is no member")),
        None => Ok(()),
    }
}

fn compare_versions(stored: Vec<VersionRow>, rebuilt: &Journal) -> Result<(), String> {
    if stored.len() != rebuilt.versions.len() {
        return Err(format!("{} programme versions are stored, {} published", stored.len(), rebuilt.versions.len()));
    }
    for (stored, (version, effective_at, document)) in stored.into_iter().zip(&rebuilt.versions) {
        let same = serde_json::from_str::<Value>(&stored.2).is_ok_and(|stored| stored == *document);
        if (stored.0, stored.1, stored.3) != (*version, *effective_at, true) || !same {
            return Err(format!("version {version} of the programme is stored otherwise than it was published"));
        }
    }
    Ok(())
}

type MemberRow = (Uuid, String, DateTime<Utc>, (i64, i64, i64, i64), (i64, i64, i64), Option<DateTime<Utc>>);

fn stored_members(connection: &mut PgConnection, journal: JournalId) -> QueryResult<Vec<MemberRow>> {
    use schema::{member, wallet};
    member::table
        .inner_join(wallet::table.on(wallet::journal.eq(member::journal).and(wallet::member.eq(member::id))))
        .filter(member::journal.eq(journal))
        .select((
            member::id,
            member::status,
            member::joined_at,
            (wallet::active, wallet::pending, wallet::held, wallet::debt),
            (wallet::lifetime_earned, wallet::lifetime_spent, wallet::claimed),
            wallet::next_due_at,
        ))
        .load(connection)
}

type LotRow = (Uuid, Uuid, (i64, i64, i64, i64, i64), DateTime<Utc>, Option<DateTime<Utc>>);

fn stored_lots(connection: &mut PgConnection, journal: JournalId) -> QueryResult<HashMap<Uuid, Vec<Lot>>> {
    use schema::lot::dsl;
    let points = (dsl::earned, dsl::pending, dsl::active, dsl::held, dsl::expired);
    let rows: Vec<LotRow> = dsl::lot
        .filter(dsl::journal.eq(journal))
        .select((dsl::member, dsl::id, points, dsl::active_at, dsl::expires_at))
        .load(connection)?;
    let mut lots: HashMap<Uuid, Vec<Lot>> = HashMap::new();
    for (member, id, (earned, pending, active, held, expired), active_at, expires_at) in rows {
        lots.entry(member).or_default().push(Lot { id, earned, pending, active, held, expired, active_at, expires_at });
    }
    Ok(lots)
}

type VersionRow = (i32, DateTime<Utc>, String, bool);

fn stored_versions(connection: &mut PgConnection, journal: JournalId) -> QueryResult<Vec<VersionRow>> {
    let kind = Kind::ProgramPublished.name().to_owned();
    LoadVersions { journal, kind }.load(connection)
}

fn strays(connection: &mut PgConnection, journal: JournalId, next_seq: i64) -> QueryResult<i64> {
    use schema::posting::dsl;
    dsl::posting
        .filter(dsl::journal.eq(journal).and(dsl::seq.lt(1).or(dsl::seq.ge(next_seq))))
        .count()
        .get_result(connection)
}

statement! {
    // When a version was published its entry says, which has been checked by then.
    LoadVersions { journal: JournalId => SmallInt, kind: String => Text } -> (Integer, Timestamptz, Text, Bool),
    "SELECT v.version, v.effective_at, v.document, v.published_at IS NOT DISTINCT FROM e.recorded_at
     FROM program_version AS v
     LEFT JOIN entry AS e ON e.journal = $1 AND e.kind = $2 AND e.program_version = v.version
     WHERE v.journal = $1 ORDER BY v.version"
}
