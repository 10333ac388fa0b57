//! Members, their wallets and their profiles.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::state::State;
use super::super::{Failure, schema};
use super::needs::Needs;
use super::of_journal;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::movement::enrolment::Profile;
use crate::postgres::statement::statement;

type MemberRow = ((Uuid, String, DateTime<Utc>), (i64, i64, i64, i64), (i64, i64, i64), Option<DateTime<Utc>>);

/// Loads the members that the batch needs, and the profiles of those whose it needs.
pub fn load(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &Needs,
    state: &mut State,
) -> Result<(), Failure> {
    let members = of_journal(&needs.members, journal);
    if members.is_empty() {
        return Ok(());
    }
    let rows: Vec<MemberRow> = LoadMembers { journal, members }.load(connection)?;
    for row in rows {
        let member = member(row).ok_or(Failure::UnreadableRow("member"))?;
        state.members.insert(member.id, member);
    }
    let profiles = of_journal(&needs.profiles, journal);
    if profiles.is_empty() { Ok(()) } else { load_profiles(connection, journal, &profiles, state) }
}

fn member(row: MemberRow) -> Option<Member> {
    let ((id, status, joined_at), (active, pending, held, debt), (earned, spent, claimed), due_beyond) = row;
    Some(Member {
        status: status.parse().ok()?,
        balances: Balances { active, pending, held, debt },
        lifetime: Lifetime { lifetime_earned: earned, lifetime_spent: spent },
        claimed,
        due_beyond,
        ..Member::new(MemberId::try_from(id).ok()?, joined_at)
    })
}

fn load_profiles(
    connection: &mut PgConnection,
    journal: JournalId,
    members: &[Uuid],
    state: &mut State,
) -> Result<(), Failure> {
    use schema::member_profile::dsl;
    type Row = (Uuid, String, Option<NaiveDate>, Vec<Option<String>>);
    let rows: Vec<Row> = dsl::member_profile
        .filter(dsl::journal.eq(journal).and(dsl::member.eq_any(members)))
        .select((dsl::member, dsl::external_id, dsl::birthday, dsl::tags))
        .load(connection)?;
    for (member, external_id, birthday, tags) in rows {
        let member = MemberId::try_from(member).map_err(|_| Failure::UnreadableRow("member_profile"))?;
        let profile = Profile { external_id, birthday, tags: tags.into_iter().flatten().collect() };
        state.profiles.insert(member, profile);
    }
    Ok(())
}

statement! {
    LoadMembers { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<SqlUuid> }
    -> (
        (SqlUuid, Text, Timestamptz), (BigInt, BigInt, BigInt, BigInt), (BigInt, BigInt, BigInt), Nullable<Timestamptz>
    ),
    "SELECT m.id, m.status, m.joined_at, w.active, w.pending, w.held, w.debt, w.lifetime_earned, w.lifetime_spent,
         w.claimed, w.next_due_at
     FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM member WHERE journal = $1 AND id = wanted.id OFFSET 0) AS m
     CROSS JOIN LATERAL (SELECT * FROM wallet WHERE journal = $1 AND member = wanted.id OFFSET 0) AS w"
}
