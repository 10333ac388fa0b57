//! A member's lots, from the newest to the oldest.
//!
//! No index leads from a member to lots that are used up: every award would pay for it. Each lot came with an entry of
//! the member that carries it in full, so a page of lots goes by the member's entries.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::members::{Settled, settle};
use super::{ReadError, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::record::lot::Lot;
use crate::domain::time::{self, Timestamp};
use crate::postgres::statement::statement;

/// Points that came together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Lot)]
pub struct LotView {
    /// Its id, as postings name it.
    pub id: Uuid,
    /// How many points it began with.
    pub earned: i64,
    /// How many of them are not usable yet.
    pub pending: i64,
    /// How many are usable.
    pub active: i64,
    /// How many are set aside.
    pub held: i64,
    /// How many expired or were forfeit.
    pub expired: i64,
    /// When they became or become usable.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; null if they never expire.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<&Lot> for LotView {
    fn from(lot: &Lot) -> Self {
        let Lot { id, earned, pending, active, held, expired, active_at, expires_at } = *lot;
        Self { id, earned, pending, active, held, expired, active_at, expires_at }
    }
}

/// Where a lot stands: the number of the entry that brought it, and its number among that entry's lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    seq: i64,
    n: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.n)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (seq, n) = text.split_once('-').ok_or(NotAPlace)?;
        let number = |text: &str| text.parse().map_err(|_| NotAPlace);
        Ok(Self { seq: number(seq)?, n: number(n)? })
    }
}

/// The text says no place of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the place of a lot")]
pub struct NotAPlace;

/// At most `limit` lots that came before the one at `before`, each with its place; none if there is no such member.
pub fn page(
    view: &mut View<'_>,
    id: MemberId,
    before: Option<Place>,
    limit: i64,
) -> Result<Option<Vec<(Place, LotView)>>, ReadError> {
    // One snapshot, so that what is due fits what is stored.
    view.snapshot(|view| {
        let Some(Settled { member, .. }) = settle(view, id)? else { return Ok(None) };
        let Place { seq, n } = before.unwrap_or(Place { seq: i64::MAX, n: 0 });
        let load = LoadLots { journal: id.journal(), member: id.uuid(), seq, n, limit };
        let rows: Vec<LotRow> = load.load(view.connection)?;
        let lots = rows.into_iter().map(
            |((seq, n), (lot, earned, pending, active, held, expired), (active_at, expires_at))| {
                let stored = Lot { id: lot, earned, pending, active, held, expired, active_at, expires_at };
                (Place { seq, n }, LotView::from(member.lots.get(&lot).unwrap_or(&stored)))
            },
        );
        Ok(Some(lots.collect()))
    })
}

type LotRow = ((i64, i64), (Uuid, i64, i64, i64, i64, i64), (DateTime<Utc>, Option<DateTime<Utc>>));

statement! {
    // Each of the entries brought at least one lot, so as many entries as lots are enough.
    LoadLots {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        seq: i64 => BigInt,
        n: i64 => BigInt,
        limit: i64 => BigInt,
    } -> ((BigInt, BigInt), (SqlUuid, BigInt, BigInt, BigInt, BigInt, BigInt), (Timestamptz, Nullable<Timestamptz>)),
    "SELECT e.seq, made.n, l.id, l.earned, l.pending, l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM (
         SELECT seq, payload::json -> 'lots' AS lots FROM entry
         WHERE journal = $1 AND member = $2 AND seq <= $3 AND (payload::json -> 'lots') IS NOT NULL
         ORDER BY journal DESC, member DESC, seq DESC LIMIT $5 + 1
     ) AS e
     CROSS JOIN LATERAL json_array_elements(e.lots) WITH ORDINALITY AS made (lot, n)
     CROSS JOIN LATERAL (
         SELECT * FROM lot WHERE journal = $1 AND id = (made.lot ->> 'id')::uuid OFFSET 0
     ) AS l
     WHERE (e.seq, made.n) < ($3, $4)
     ORDER BY e.seq DESC, made.n DESC LIMIT $5"
}
