//! Wallets, right at this instant whether or not a sweeper has run (invariant 9). They gather: while some are read, those that
//! are asked for wait for the next read; and those that nothing was written about are remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::gather::Seen;
use super::members::{self, Settled};
use super::remembered::Remembered;
use super::said::Said;
use super::{ReadError, Reader, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::program::ProgramBook;
use crate::domain::record::lot::Lot;
use crate::domain::tier::shown::NamedTier;
use crate::domain::time::{self, Timestamp};
use crate::load::{Wallet, WalletColumns, WalletRow, wallet_columns};
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// How many of the instants at which points expire a wallet lists.
const EXPIRING: usize = 10;

/// What a wallet takes of what is remembered, in bytes, about.
const BYTES: usize = 1_200;

/// A wallet at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Wallet)]
pub struct WalletReply {
    /// What it holds.
    #[serde(flatten)]
    pub contents: WalletContents,
    /// The instant.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    // How the contents are said, once somebody has; the same for all who read the same.
    #[serde(skip)]
    said: Arc<OnceLock<Said>>,
}

impl WalletReply {
    /// How the contents are said.
    ///
    /// Errors: they have no JSON form.
    pub fn said(&self) -> serde_json::Result<&Said> {
        if let Some(said) = self.said.get() {
            return Ok(said);
        }
        let said = Said::of(&self.contents)?;
        Ok(self.said.get_or_init(|| said))
    }
}

/// What a wallet holds, and what it held.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WalletContents {
    /// The points.
    #[serde(flatten)]
    pub balances: Balances,
    /// How many of the held points go to what refunds made due as soon as they come back; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub claimed: Option<i64>,
    /// The sums since joining.
    #[serde(flatten)]
    pub lifetime: Lifetime,
    /// The member's tier; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<NamedTier>,
    /// When active points will expire, the soonest first; at most ten instants. Points that never expire are not among
    /// them.
    pub expiring: Vec<Expiring>,
}

/// Active points that expire together.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Expiring {
    /// How many.
    pub points: i64,
    /// The first instant at which they can no longer be used.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl Reader {
    /// A member's wallet; none if there is no such member.
    pub async fn wallet(&self, id: MemberId) -> Result<Option<WalletReply>, ReadError> {
        match self.wallets.ask(id).await? {
            Some(Seen::Whole(wallet)) => Ok(Some(wallet)),
            Some(Seen::Due) => self.run(move |view| settled(view, id)).await,
            None => Ok(None),
        }
    }
}

/// A wallet for as long as nothing is written about its member.
#[derive(Debug)]
pub struct Known {
    contents: WalletContents,
    said: Arc<OnceLock<Said>>,
    /// When time alone changes it.
    due_at: Option<Timestamp>,
    /// The version of the programme that names the tier.
    version: i32,
}

impl Known {
    // The wallet at an instant; none if it has to be read again, for another version is in force by now.
    fn at(&self, programs: &ProgramBook, as_of: Timestamp) -> Option<Seen<WalletReply>> {
        if self.due_at.is_some_and(|due_at| due_at <= as_of) {
            return Some(Seen::Due);
        }
        let is_so = self.version == programs.at(as_of).version;
        is_so.then(|| {
            let (contents, said) = (self.contents.clone(), Arc::clone(&self.said));
            Seen::Whole(WalletReply { contents, as_of, said })
        })
    }
}

/// The wallets of those of `ids` who are members.
pub fn together(
    view: &mut View<'_>,
    ids: &BTreeSet<MemberId>,
    remembered: &mut Remembered<Known>,
) -> Result<BTreeMap<MemberId, Seen<WalletReply>>, ReadError> {
    remembered.or_forget(|remembered| {
        let programs = view.programs;
        let (mut found, left) = remembered.recall(view, ids, |known, at| known.at(programs, at))?;
        if left.members.is_empty() {
            return Ok(found);
        }
        let load = LoadWallets { journals: left.journals, members: left.members, most: EXPIRING as i64 };
        let rows: Vec<Row> = load.load(view.connection)?;
        for ((member, now), wallet, (instants, points)) in rows {
            let id = MemberId::try_from(member).map_err(|_| ReadError::Corrupt("a wallet without a member's id"))?;
            let (wallet, as_of) = (Wallet::from(wallet), view.clock.read(now));
            // While nothing is due, nothing has expired that is listed here.
            let listed = instants.into_iter().flatten().zip(points.into_iter().flatten());
            let expiring = listed.map(|(expires_at, points)| Expiring { points, expires_at }).collect();
            let (due_at, version) = (wallet.next_due_at, view.programs.at(as_of).version);
            let contents = WalletContents::of(wallet, expiring, view.programs, as_of);
            let known = Known { contents, said: Arc::default(), due_at, version };
            found.extend(known.at(view.programs, as_of).map(|seen| (id, seen)));
            remembered.keep(id, known, BYTES);
        }
        Ok(found)
    })
}

/// A member's wallet, settled in memory; none if there is no such member.
pub fn settled(view: &mut View<'_>, id: MemberId) -> Result<Option<WalletReply>, ReadError> {
    view.snapshot(|view| {
        let Some(Settled { member, lots, as_of, .. }) = members::settle(view, id)? else { return Ok(None) };
        let expiring = expiring(view.connection, &member, &lots, as_of)?;
        let tier = member.tier().map(ToOwned::to_owned);
        let Member { balances, lifetime, claimed, .. } = member;
        let wallet = Wallet { balances, lifetime, claimed, next_due_at: None, tier };
        let contents = WalletContents::of(wallet, expiring, view.programs, as_of);
        Ok(Some(WalletReply { contents, as_of, said: Arc::default() }))
    })
}

impl WalletContents {
    fn of(wallet: Wallet, expiring: Vec<Expiring>, programs: &ProgramBook, now: Timestamp) -> Self {
        let Wallet { balances, lifetime, claimed, tier, .. } = wallet;
        let tier = tier.and_then(|code| programs.level(&code, now)).map(NamedTier::of);
        Self { balances, claimed: Some(claimed).filter(|points| *points > 0), lifetime, tier, expiring }
    }
}

// What is stored, and what settling changed of it in memory.
fn expiring(
    connection: &mut PgConnection,
    member: &Member,
    before: &BTreeMap<Uuid, Lot>,
    now: Timestamp,
) -> Result<Vec<Expiring>, ReadError> {
    let most = EXPIRING + 1;
    let load = LoadExpiring { journal: member.id.journal(), member: member.id.uuid(), now, most: most as i64 };
    let stored: Vec<(DateTime<Utc>, i64)> = load.load(connection)?;
    // Beyond the last that was read there may be more of the same instant as one that settling added.
    let horizon = stored.last().filter(|_| stored.len() == most).map(|(expires_at, _)| *expires_at);
    let mut points: BTreeMap<Timestamp, i64> = stored.into_iter().collect();
    for lot in member.lots.values() {
        let was = before.get(&lot.id).map_or(0, |lot| lot.active);
        if let Some(expires_at) = lot.expires_at.filter(|at| *at > now && horizon.is_none_or(|horizon| *at < horizon)) {
            *points.entry(expires_at).or_default() += lot.active - was;
        }
    }
    let listed = points.into_iter().filter(|(_, points)| *points > 0).take(EXPIRING);
    Ok(listed.map(|(expires_at, points)| Expiring { points, expires_at }).collect())
}

type Row = ((Uuid, DateTime<Utc>), WalletRow, (Option<Vec<DateTime<Utc>>>, Option<Vec<i64>>));

statement! {
    // The heads of journals are read once, since many wallets are of one. The index has the order of the lots, so that no
    // more are read than are listed, and of who has no active points none.
    LoadWallets {
        journals: Vec<JournalId> => Array<SmallInt>,
        members: Vec<Uuid> => Array<SqlUuid>,
        most: i64 => BigInt,
    } -> ((SqlUuid, Timestamptz), WalletColumns, (Nullable<Array<Timestamptz>>, Nullable<Array<BigInt>>)),
    concat!(
        "WITH head AS MATERIALIZED (
             SELECT id, ", programme_present!("recorded_at"), " AS present FROM journal WHERE id = ANY($1)
         )
         SELECT w.member, head.present, ", wallet_columns!(), ", e.instants, e.points
         FROM UNNEST($1, $2) AS wanted (journal, id)
         CROSS JOIN LATERAL (SELECT * FROM wallet WHERE journal = wanted.journal AND member = wanted.id OFFSET 0) AS w
         JOIN head ON head.id = wanted.journal
         CROSS JOIN LATERAL (
             SELECT array_agg(expires_at) AS instants, array_agg(points) AS points
             FROM (
                 SELECT expires_at, sum(active)::bigint AS points FROM lot
                 WHERE journal = wanted.journal AND member = wanted.id AND active > 0 AND expires_at IS NOT NULL
                     AND w.active > 0
                 GROUP BY expires_at ORDER BY expires_at LIMIT $3
             ) AS soonest
         ) AS e"
    )
}

statement! {
    // The index has the order, so that no more is read than is listed.
    LoadExpiring {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        now: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> (Timestamptz, BigInt),
    "SELECT expires_at, sum(active)::bigint FROM lot
     WHERE journal = $1 AND member = $2 AND active > 0 AND expires_at > $3
     GROUP BY expires_at ORDER BY expires_at LIMIT $4"
}
