//! Members, their wallets and their profiles.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Unloadable, of_journal};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::movement::enrolment::Profile;
use crate::domain::tier::{Spending, Standing};
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// The columns of a [`WalletRow`] in SQL, of the table `wallet` as `w`.
macro_rules! wallet_columns {
    () => {
        "w.active, w.pending, w.held, w.debt, w.lifetime_earned, w.lifetime_spent, w.claimed, w.next_due_at, w.tier"
    };
}

pub(crate) use wallet_columns;

/// The columns of a [`MemberRow`] in SQL, of the tables `member` as `m` and `wallet` as `w`.
macro_rules! member_columns {
    () => {
        concat!(
            "m.id, m.status, m.joined_at, m.standing, w.points_due_at, w.spending, ",
            $crate::load::wallet_columns!()
        )
    };
}

/// A member's row and its wallet's, as every statement that loads one has them: who it is and where it stands; when some of
/// its points next fall due, and what its orders come to; and what the wallet shows.
pub type MemberRow = ((Uuid, String, DateTime<Utc>, Option<String>), Beside, WalletRow);

/// What stands in a wallet's row and is not shown: when some of the points next fall due, and what the member's orders come
/// to; none before the programme had tiers.
pub type Beside = (Option<DateTime<Utc>>, Option<String>);

/// A wallet's row as it is shown: the balances, the sums and claims, when something next falls due, and the member's tier.
pub type WalletRow = ((i64, i64, i64, i64), (i64, i64, i64), Option<DateTime<Utc>>, Option<String>);

/// What stands in a wallet's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// The points.
    pub balances: Balances,
    /// The sums since joining.
    pub lifetime: Lifetime,
    /// How many of the held points refunds have a claim on.
    pub claimed: i64,
    /// When something next falls due.
    pub next_due_at: Option<Timestamp>,
    /// The code of the member's tier.
    pub tier: Option<String>,
}

impl From<WalletRow> for Wallet {
    fn from(row: WalletRow) -> Self {
        let ((active, pending, held, debt), (earned, spent, claimed), next_due_at, tier) = row;
        let lifetime = Lifetime { lifetime_earned: earned, lifetime_spent: spent };
        let balances = Balances { active, pending, held, debt };
        Self { balances, lifetime, claimed, next_due_at, tier }
    }
}

/// Loads the rows of the members of a journal that are needed and not there yet, and the profiles of those whose are
/// needed.
pub fn load(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &Needs,
    state: &mut State,
) -> Result<(), Unloadable> {
    let wanted = needs.members.iter().filter(|id| id.journal() == journal && !state.members.contains_key(id));
    let members: Vec<Uuid> = wanted.map(|id| id.uuid()).collect();
    if !members.is_empty() {
        let rows: Vec<MemberRow> = LoadMembers { journal, members }.load(connection)?;
        for row in rows {
            let member = member(row)?;
            state.members.insert(member.id, member);
        }
    }
    let profiles = of_journal(&needs.profiles, journal);
    if profiles.is_empty() { Ok(()) } else { load_profiles(connection, journal, profiles, state) }
}

/// A member with its journal's present, which is never before the last entry; none if there is no such member. What is
/// due by then is not settled.
pub fn one(connection: &mut PgConnection, id: MemberId) -> Result<Option<(Member, DateTime<Utc>)>, Unloadable> {
    let rows: Vec<(MemberRow, DateTime<Utc>)> =
        LoadMember { journal: id.journal(), member: id.uuid() }.load(connection)?;
    rows.into_iter().next().map(|(row, now)| Ok((member(row)?, now))).transpose()
}

/// The present of a member's journal; none if there is no such member.
pub fn present(connection: &mut PgConnection, id: MemberId) -> Result<Option<DateTime<Utc>>, Unloadable> {
    let now: Vec<DateTime<Utc>> = LoadPresent { journal: id.journal(), member: id.uuid() }.load(connection)?;
    Ok(now.into_iter().next())
}

/// The member that a row is of, without lots, records and orders.
pub fn member(row: MemberRow) -> Result<Member, Unloadable> {
    read(row).ok_or(Unloadable::Row("member"))
}

fn read(row: MemberRow) -> Option<Member> {
    let ((id, status, joined_at, standing), (points_due_at, spending), wallet) = row;
    let Wallet { balances, lifetime, claimed, .. } = wallet.into();
    let standing: Option<Standing> = standing.map(|text| serde_json::from_str(&text)).transpose().ok()?;
    let spending: Option<Spending> = spending.map(|text| serde_json::from_str(&text)).transpose().ok()?;
    Some(Member {
        status: status.parse().ok()?,
        balances,
        lifetime,
        claimed,
        standing,
        spending,
        orders_since: None,
        due_beyond: points_due_at,
        ..Member::new(MemberId::try_from(id).ok()?, joined_at)
    })
}

fn load_profiles(
    connection: &mut PgConnection,
    journal: JournalId,
    members: Vec<Uuid>,
    state: &mut State,
) -> Result<(), Unloadable> {
    let rows: Vec<(Uuid, String, Option<NaiveDate>, Vec<String>)> =
        LoadProfiles { journal, members }.load(connection)?;
    for (member, external_id, birthday, tags) in rows {
        let member = MemberId::try_from(member).map_err(|_| Unloadable::Row("member_profile"))?;
        state.profiles.insert(member, Profile { external_id, birthday, tags });
    }
    Ok(())
}

// The types of a `MemberRow` in SQL.
type MemberColumns =
    ((SqlUuid, Text, Timestamptz, Nullable<Text>), (Nullable<Timestamptz>, Nullable<Text>), WalletColumns);

/// The types of a [`WalletRow`] in SQL.
pub type WalletColumns =
    ((BigInt, BigInt, BigInt, BigInt), (BigInt, BigInt, BigInt), Nullable<Timestamptz>, Nullable<Text>);

statement! {
    LoadMember { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (MemberColumns, Timestamptz),
    concat!(
        "SELECT ", member_columns!(), ", ", programme_present!("j.recorded_at"), "
         FROM member m JOIN wallet w ON w.journal = $1 AND w.member = $2 JOIN journal j ON j.id = $1
         WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    LoadPresent { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> Timestamptz,
    concat!(
        "SELECT ", programme_present!("j.recorded_at"), "
         FROM member m JOIN journal j ON j.id = $1 WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    LoadMembers { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<SqlUuid> }
    -> MemberColumns,
    concat!(
        "SELECT ", member_columns!(), "
         FROM UNNEST($2) AS wanted (id)
         CROSS JOIN LATERAL (SELECT * FROM member WHERE journal = $1 AND id = wanted.id OFFSET 0) AS m
         CROSS JOIN LATERAL (SELECT * FROM wallet WHERE journal = $1 AND member = wanted.id OFFSET 0) AS w"
    )
}

statement! {
    LoadProfiles { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, Text, Nullable<Date>, Array<Text>),
    "SELECT p.member, p.external_id, p.birthday, p.tags FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE journal = $1 AND member = wanted.id OFFSET 0) AS p"
}
