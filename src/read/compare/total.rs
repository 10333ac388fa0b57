//! What the parts of a journal amount to together, and what is compared with that.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::left::Left;
use super::{Stored, compare_versions, lots_of_nobody, members, records, stored_versions, strays};
use crate::domain::audit::Journal;
use crate::domain::ids::JournalId;
use crate::domain::member::Member;
use crate::domain::movement::donation::CauseTerms;
use crate::domain::movement::reward::RewardTerms;
use crate::domain::time::Timestamp;

/// What a journal's members amount to, and what is left to be compared.
#[derive(Debug, Default)]
pub struct Total {
    stored: usize,
    /// How many members its entries give.
    pub members: usize,
    /// How many lots these have.
    pub lots: usize,
    /// Balances of the programme's accounts.
    pub accounts: BTreeMap<String, i128>,
    /// How often something was given to a cause.
    pub given: BTreeMap<Uuid, i64>,
    /// How many members have a tier, by its code.
    pub tiers: BTreeMap<String, i64>,
    /// See [`Journal::rewards`].
    pub rewards: BTreeMap<Uuid, (RewardTerms, Option<i64>)>,
    /// See [`Journal::causes`].
    pub causes: BTreeMap<Uuid, CauseTerms>,
    /// See [`Journal::versions`].
    pub versions: Vec<(i32, Timestamp, Value)>,
    left: [Left; 4],
}

impl Total {
    /// Compares some of its members with what is stored of them, and adds them.
    ///
    /// Says whether members, their wallets and their lots are as their entries say; and whether all lots are somebody's.
    pub fn add(&mut self, mut stored: Stored, rebuilt: Journal) -> [Result<(), String>; 2] {
        let rows = stored.members();
        self.stored += rows.len();
        self.members += rebuilt.members.len();
        self.lots += rebuilt.members.values().map(|member| member.lots.len()).sum::<usize>();
        for donation in &rebuilt.donations {
            *self.given.entry(donation.cause).or_default() += 1;
        }
        for tier in rebuilt.members.values().filter_map(Member::tier) {
            *self.tiers.entry(tier.to_owned()).or_default() += 1;
        }
        let compared = members(rows, &mut stored, &rebuilt);
        let somebodys = lots_of_nobody(&stored);
        records::differ(stored, &rebuilt, &mut self.left);
        for (account, points) in rebuilt.accounts {
            *self.accounts.entry(account).or_default() += points;
        }
        // What belongs to no member is all in one part.
        self.rewards.extend(rebuilt.rewards);
        self.causes.extend(rebuilt.causes);
        self.versions.extend(rebuilt.versions);
        [compared, somebodys]
    }

    /// Adds what another thread has added up.
    pub fn join(&mut self, other: Total) {
        self.stored += other.stored;
        self.members += other.members;
        self.lots += other.lots;
        for (account, points) in other.accounts {
            *self.accounts.entry(account).or_default() += points;
        }
        for (cause, times) in other.given {
            *self.given.entry(cause).or_default() += times;
        }
        for (tier, members) in other.tiers {
            *self.tiers.entry(tier).or_default() += members;
        }
        self.rewards.extend(other.rewards);
        self.causes.extend(other.causes);
        self.versions.extend(other.versions);
        self.left.iter_mut().zip(other.left).for_each(|(left, other)| left.add(other));
    }

    /// Says whether as many members are stored as were enrolled.
    pub fn count(&self) -> Result<(), String> {
        match (self.stored, self.members) {
            (stored, members) if stored == members => Ok(()),
            (stored, members) => Err(format!("{stored} members are stored, {members} were enrolled")),
        }
    }

    /// Compares the other tables of the journal, in their order: orders, refunds, records, donations, rewards, causes,
    /// totals, tiers, versions; and looks for postings that belong to no entry.
    pub fn tables(
        &self,
        connection: &mut PgConnection,
        journal: JournalId,
        next_seq: i64,
    ) -> QueryResult<Result<(), String>> {
        let [order, refund, record, donation] = &self.left;
        let of_members = [
            order.verdict("order"),
            refund.verdict("refund"),
            record.verdict("record"),
            donation.verdict("donation of entry"),
        ];
        let others = records::compare(connection, journal, self)?;
        let versions = compare_versions(stored_versions(connection, journal)?, self);
        let strays = match strays(connection, journal, next_seq)? {
            0 => Ok(()),
            n => Err(format!("{n} postings belong to no entry")),
        };
        Ok(of_members.into_iter().chain(others).chain([versions, strays]).collect())
    }
}
