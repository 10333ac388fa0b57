//! The tables against what the entries say, to the last column (invariant 3).

mod left;
mod records;
mod stored;
mod total;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, SmallInt, Text, Timestamptz};
use serde_json::Value;

pub use self::records::{Sums, sums};
pub use self::stored::{Stored, TABLES};
pub use self::total::Total;
use crate::domain::audit::Journal;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::Kind;
use crate::load::{self, MemberRow};
use crate::postgres::statement::statement;

// Members with their wallets and lots.
fn members(rows: Vec<MemberRow>, stored: &mut Stored, rebuilt: &Journal) -> Result<(), String> {
    let lots = &mut stored.lots;
    for row in rows {
        let id = row.0.0;
        let (_, (points_due_at, _), (.., next_due_at, tier)) = &row;
        let (dues, tier) = ((*next_due_at, *points_due_at), tier.clone());
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
        if (&stored.standing, &stored.spending, tier.as_deref()) != (&member.standing, &member.spending, member.tier())
        {
            return Err(format!("member {id} has another tier, or other sums towards one, than its entries give"));
        }
        if (stored.status, stored.joined_at) != (member.status, member.joined_at) {
            return Err(format!("member {id} has another status or joined at another time than its entries say"));
        }
        if dues != (member.next_due_at(), member.points_due_at()) {
            return Err(format!("the wallet of member {id} has another due time than its lots"));
        }
        let mut stored_lots = lots.remove(&id).unwrap_or_default();
        stored_lots.sort_unstable_by_key(|lot| lot.id);
        if !stored_lots.iter().eq(member.lots.values()) {
            return Err(format!("the lots of member {id} are not those that its entries give"));
        }
    }
    Ok(())
}

// Lots of nobody, once those of the members are taken out.
fn lots_of_nobody(stored: &Stored) -> Result<(), String> {
    match stored.lots.keys().min() {
        Some(id) => Err(format!("lots are stored for {id}, which is no member")),
        None => Ok(()),
    }
}

fn compare_versions(stored: Vec<VersionRow>, rebuilt: &Total) -> Result<(), String> {
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
    CountStrays { journal: JournalId => SmallInt, next_seq: i64 => BigInt } -> BigInt,
    "SELECT count(*) FROM further_posting WHERE journal = $1 AND (seq < 1 OR seq >= $2)"
}
