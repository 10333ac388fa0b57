//! Members: their rows, wallets, lots and records, profiles, and what erasure takes away.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use uuid::Uuid;

use super::super::Failure;
use super::super::answer::{Outcome, Remembered};
use super::super::batch::Changes;
use super::run;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical;
use crate::domain::member::Member;
use crate::domain::record::Record;
use crate::domain::record::lot::Lot;
use crate::domain::time::Timestamp;
use crate::load::State;
use crate::postgres::statement::statement;

/// Writes the members who were enrolled, with their profiles; their wallets come with [`write`].
pub fn enrolled(
    connection: &mut PgConnection,
    journal: JournalId,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut rows = InsertMembers { journal, ..InsertMembers::default() };
    let mut enrolled: Vec<_> = changes.enrolled.iter().collect();
    enrolled.sort_unstable_by_key(|new| &new.profile.external_id);
    for new in enrolled {
        let member = state.members.get(&new.id).ok_or(Failure::Rows { table: "member", meant: 1, written: 0 })?;
        rows.ids.push(new.id.uuid());
        rows.statuses.push(member.status.name().to_owned());
        rows.joined.push(member.joined_at);
        rows.standings.push(standing(member)?);
        rows.external_ids.push(new.profile.external_id.clone());
        rows.birthdays.push(new.profile.birthday);
        rows.hashes.push(new.hash.to_vec());
        rows.responses.push(new.response.clone());
    }
    let meant = rows.ids.len();
    if meant == 0 {
        return Ok(());
    }
    let written: Vec<(i64, i64)> = rows.load(connection)?;
    let (members, profiles) = written.first().copied().unwrap_or_default();
    super::check("member", meant, members)?;
    super::check("member_profile", meant, profiles)
}

/// Writes what is in the wallets of `changed` members of a journal, but for lots that are new: those come with the entries
/// that bring them.
pub fn contents(
    connection: &mut PgConnection,
    journal: JournalId,
    before: &HashMap<MemberId, Member>,
    changed: &[&Member],
) -> Result<(), Failure> {
    let mut rows = PutMembers { journal, ..PutMembers::default() };
    let mut lots = PutLots { journal, ..PutLots::default() };
    let mut records = PutRecords { journal, ..PutRecords::default() };
    let mut tiers: BTreeMap<&str, i64> = BTreeMap::new();
    for member in changed {
        let old = before.get(&member.id);
        let tier_before = old.and_then(Member::tier);
        if tier_before != member.tier() {
            tier_before.into_iter().for_each(|tier| *tiers.entry(tier).or_default() -= 1);
            member.tier().into_iter().for_each(|tier| *tiers.entry(tier).or_default() += 1);
        }
        if old.is_some_and(|old| (old.status, &old.standing) != (member.status, &member.standing)) {
            rows.push(member)?;
        }
        for lot in member.lots.values() {
            if old.and_then(|old| old.lots.get(&lot.id)).is_some_and(|old| old != lot) {
                lots.push(member.id, lot);
            }
        }
        for (id, record) in &member.records {
            if old.and_then(|old| old.records.get(id)) != Some(record) {
                records.push(record)?;
            }
        }
    }
    run(connection, "member", rows.ids.len(), rows)?;
    run(connection, "lot", lots.ids.len(), lots)?;
    run(connection, "record", records.ids.len(), records)?;
    tiers.retain(|_, members| *members != 0);
    let (tiers, members): (Vec<String>, Vec<i64>) = tiers.into_iter().map(|(tier, n)| (tier.to_owned(), n)).unzip();
    run(connection, "tier_total", members.len(), AddToTiers { journal, tiers, members })
}

/// Writes changed profiles. They are rare: one statement each.
pub fn profiles(
    connection: &mut PgConnection,
    journal: JournalId,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut members = changes.changed_profiles.clone();
    members.sort_unstable();
    members.dedup();
    for member in members {
        if let Some(profile) = state.profiles.get(&member) {
            let (birthday, tags) = (profile.birthday, profile.tags.clone());
            run(connection, "member_profile", 1, UpdateProfile { journal, member: member.uuid(), birthday, tags })?;
        }
    }
    Ok(())
}

/// Removes what is personal of the members who were erased, answers that were remembered included; runs after
/// everything else of the batch is written.
pub fn erase(connection: &mut PgConnection, journal: JournalId, changes: &Changes) -> Result<(), Failure> {
    let mut erased: Vec<MemberId> = changes.erased.clone();
    erased.sort_unstable();
    erased.dedup();
    let Remembered { hash: request_hash, outcome, .. } = Remembered::erased();
    let Outcome::Refused(refusal) = outcome else { return Ok(()) };
    let outcome = serde_json::to_string(&refusal).map_err(|_| Failure::NotCanonical)?;
    for member in erased.into_iter().map(MemberId::uuid) {
        EraseProfile { journal, member }.execute(connection)?;
        EraseNotes { journal, member }.execute(connection)?;
        EraseNotesTo { member }.execute(connection)?;
        let (request_hash, outcome) = (request_hash.clone(), outcome.clone());
        EraseAnswers { member, request_hash: request_hash.clone(), outcome }.execute(connection)?;
        ErasePurchases { journal, member, request_hash: request_hash.clone() }.execute(connection)?;
        EraseRefunds { journal, member, request_hash }.execute(connection)?;
    }
    Ok(())
}

statement! {
    InsertMembers {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        statuses: Vec<String> => Array<Text>,
        joined: Vec<Timestamp> => Array<Timestamptz>,
        external_ids: Vec<String> => Array<Text>,
        birthdays: Vec<Option<NaiveDate>> => Array<Nullable<Date>>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        responses: Vec<String> => Array<Text>,
        standings: Vec<Option<String>> => Array<Nullable<Text>>,
    } -> (BigInt, BigInt),
    "WITH new AS MATERIALIZED (
         SELECT * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9)
         AS new (id, status, joined_at, external_id, birthday, request_hash, response, standing)
     ), profile AS (
         INSERT INTO member_profile (journal, member, external_id, birthday, request_hash, response)
         SELECT $1, id, external_id, birthday, request_hash, response FROM new RETURNING 1
     ), member AS (
         INSERT INTO member (journal, id, status, joined_at, standing)
         SELECT $1, id, status, joined_at, standing FROM new RETURNING 1
     )
     SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM profile)"
}

statement! {
    UpdateProfile {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        birthday: Option<NaiveDate> => Nullable<Date>,
        tags: Vec<String> => Array<Text>,
    } -> Integer,
    "UPDATE member_profile SET birthday = $3, tags = $4 WHERE journal = $1 AND member = $2
     RETURNING 1"
}

statement! {
    PutMembers {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        statuses: Vec<String> => Array<Text>,
        joined: Vec<Timestamp> => Array<Timestamptz>,
        standings: Vec<Option<String>> => Array<Nullable<Text>>,
    } -> Integer,
    "INSERT INTO member (journal, id, status, joined_at, standing) SELECT $1, * FROM UNNEST($2, $3, $4, $5)
     ON CONFLICT (journal, id) DO UPDATE SET status = EXCLUDED.status, standing = EXCLUDED.standing
     RETURNING 1"
}

impl PutMembers {
    fn push(&mut self, member: &Member) -> Result<(), Failure> {
        self.ids.push(member.id.uuid());
        self.statuses.push(member.status.name().to_owned());
        self.joined.push(member.joined_at);
        self.standings.push(standing(member)?);
        Ok(())
    }
}

statement! {
    AddToTiers { journal: JournalId => SmallInt, tiers: Vec<String> => Array<Text>, members: Vec<i64> => Array<BigInt> }
    -> Integer,
    "INSERT INTO tier_total (journal, tier, members) SELECT $1, * FROM UNNEST($2, $3)
     ON CONFLICT (journal, tier) DO UPDATE SET members = tier_total.members + EXCLUDED.members
     RETURNING 1"
}

fn standing(member: &Member) -> Result<Option<String>, Failure> {
    Ok(member.standing.as_ref().map(canonical::to_string).transpose()?)
}

statement! {
    PutLots {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Uuid> => Array<SqlUuid>,
        earned: Vec<i64> => Array<BigInt>,
        pendings: Vec<i64> => Array<BigInt>,
        actives: Vec<i64> => Array<BigInt>,
        helds: Vec<i64> => Array<BigInt>,
        expired: Vec<i64> => Array<BigInt>,
        active_ats: Vec<Timestamp> => Array<Timestamptz>,
        expires_ats: Vec<Option<Timestamp>> => Array<Nullable<Timestamptz>>,
    } -> Integer,
    "INSERT INTO lot (journal, id, member, earned, pending, active, held, expired, active_at, expires_at)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (journal, id) DO UPDATE SET pending = EXCLUDED.pending, active = EXCLUDED.active,
         held = EXCLUDED.held, expired = EXCLUDED.expired
     RETURNING 1"
}

impl PutLots {
    fn push(&mut self, member: MemberId, lot: &Lot) {
        self.ids.push(lot.id);
        self.members.push(member.uuid());
        self.earned.push(lot.earned);
        self.pendings.push(lot.pending);
        self.actives.push(lot.active);
        self.helds.push(lot.held);
        self.expired.push(lot.expired);
        self.active_ats.push(lot.active_at);
        self.expires_ats.push(lot.expires_at);
    }
}

statement! {
    PutRecords {
        journal: JournalId => SmallInt,
        created: Vec<Timestamp> => Array<Timestamptz>,
        due: Vec<Option<Timestamp>> => Array<Nullable<Timestamptz>>,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Uuid> => Array<SqlUuid>,
        about: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        counts: Vec<bool> => Array<Bool>,
        kinds: Vec<String> => Array<Text>,
        statuses: Vec<String> => Array<Text>,
        states: Vec<String> => Array<Text>,
    } -> Integer,
    "INSERT INTO record (journal, created_at, due_at, id, member, about, counts, kind, status, state)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (journal, id) DO UPDATE SET due_at = EXCLUDED.due_at, counts = EXCLUDED.counts,
         status = EXCLUDED.status, state = EXCLUDED.state
     RETURNING 1"
}

impl PutRecords {
    fn push(&mut self, record: &Record) -> Result<(), Failure> {
        let about = record.recorded();
        self.created.push(about.created_at());
        self.due.push(about.due().map(|(at, _)| at));
        self.ids.push(about.id());
        self.members.push(about.member_id().uuid());
        self.about.push(about.about());
        self.counts.push(about.counts());
        self.kinds.push(record.name().to_owned());
        self.statuses.push(about.status().to_owned());
        self.states.push(canonical::to_string(record)?);
        Ok(())
    }
}

statement! {
    EraseProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (),
    "DELETE FROM member_profile WHERE journal = $1 AND member = $2"
}

statement! {
    EraseNotes { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (),
    "DELETE FROM note WHERE journal = $1 AND member = $2"
}

statement! {
    // What others wrote to the member stands in their journals.
    EraseNotesTo { member: Uuid => SqlUuid } -> (),
    "DELETE FROM note WHERE other_member = $1"
}

statement! {
    // An answer stands where it was asked for: that the customer is a member already may have been answered anywhere.
    EraseAnswers {
        member: Uuid => SqlUuid,
        request_hash: Vec<u8> => Bytea,
        outcome: String => Text,
    } -> (),
    "UPDATE idempotency SET request_hash = $2, refused = true, outcome = $3 WHERE member = $1"
}

statement! {
    // What was bought, and the hash that it could be guessed by.
    ErasePurchases {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        request_hash: Vec<u8> => Bytea,
    } -> (),
    "UPDATE orders SET items = NULL, refunded_items = NULL, request_hash = $3
     FROM (SELECT payload::json -> 'order' ->> 'order_id' AS order_id FROM entry
           WHERE journal = $1 AND member = $2 AND kind IN ('order.recorded', 'points.earned')) AS own
     WHERE orders.journal = $1 AND orders.order_id = own.order_id AND orders.items IS NOT NULL"
}

statement! {
    EraseRefunds {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        request_hash: Vec<u8> => Bytea,
    } -> (),
    "UPDATE refund SET items = NULL, request_hash = $3
     FROM (SELECT payload::json -> 'refund' ->> 'order_id' AS order_id FROM entry
           WHERE journal = $1 AND member = $2 AND kind = 'order.refunded') AS own
     WHERE refund.journal = $1 AND refund.order_id = own.order_id AND refund.items IS NOT NULL"
}
