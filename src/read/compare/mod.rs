//! The tables of a journal against what its entries say.

mod records;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

pub use self::records::{Sums, sums};
use super::not_verified::NotVerified;
use crate::domain::audit::Journal;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::Kind;
use crate::domain::record::lot::Lot;
use crate::load::{self, MemberColumns, MemberRow, member_columns};
use crate::postgres::statement::statement;

/// Compares what a journal's tables hold to the last column (invariant 3), and looks for rows that belong to no entry.
pub fn projections(connection: &mut PgConnection, journal: JournalId, rebuilt: &Journal) -> Result<(), NotVerified> {
    let fault = |fault: String| NotVerified::Projection { journal, fault };
    let (members, lots) = (LoadMembers { journal }.load(connection)?, stored_lots(connection, journal)?);
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
    for row in stored {
        let id = row.0.0;
        let stored = load::member(row).map_err(|_| format!("member {id} is stored in a way that cannot be read"))?;
        let member = rebuilt.members.get(&stored.id);
        let member = member.ok_or_else(|| format!("member {id} is stored and was never enrolled"))?;
        if stored.balances != member.balances {
            let (stored, meant) = (stored.balances, member.balances);
            return Err(format!("the wallet of member {id} is {stored:?}, its entries give {meant:?}"));
        }
        if stored.claimed != member.claimed {
            return Err(format!("the wallet of member {id} has other claims on it than its entries give"));
        }
        if stored.lifetime != member.lifetime {
            return Err(format!("the wallet of member {id} has other sums since joining than its entries give"));
        }
        if (stored.status, stored.joined_at) != (member.status, member.joined_at) {
            return Err(format!("member {id} has another status or joined at another time than its entries say"));
        }
        if stored.next_due_at() != member.next_due_at() {
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

type LotRow = (Uuid, Uuid, (i64, i64, i64, i64, i64), DateTime<Utc>, Option<DateTime<Utc>>);

fn stored_lots(connection: &mut PgConnection, journal: JournalId) -> QueryResult<HashMap<Uuid, Vec<Lot>>> {
    let rows: Vec<LotRow> = LoadLots { journal }.load(connection)?;
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
    CountStrays { journal, next_seq }.get_result(connection)
}

statement! {
    // When a version was published its entry says, which has been checked by then.
    LoadVersions { journal: JournalId => SmallInt, kind: String => Text } -> (Integer, Timestamptz, Text, Bool),
    "SELECT v.version, v.effective_at, v.document, v.published_at IS NOT DISTINCT FROM e.recorded_at
     FROM program_version AS v
     LEFT JOIN entry AS e ON e.journal = $1 AND e.kind = $2 AND e.program_version = v.version
     WHERE v.journal = $1 ORDER BY v.version"
}

statement! {
    LoadMembers { journal: JournalId => SmallInt } -> MemberColumns,
    concat!(
        "SELECT ", member_columns!(), "
         FROM member AS m JOIN wallet AS w ON w.journal = m.journal AND w.member = m.id WHERE m.journal = $1"
    )
}

statement! {
    LoadLots { journal: JournalId => SmallInt }
    -> (SqlUuid, SqlUuid, (BigInt, BigInt, BigInt, BigInt, BigInt), Timestamptz, Nullable<Timestamptz>),
    "SELECT member, id, earned, pending, active, held, expired, active_at, expires_at FROM lot WHERE journal = $1"
}

statement! {
    CountStrays { journal: JournalId => SmallInt, next_seq: i64 => BigInt } -> BigInt,
    "SELECT count(*) FROM further_posting WHERE journal = $1 AND (seq < 1 OR seq >= $2)"
}
