//! What the tables hold of members, as it flows from the database.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::record::lot::Lot;
use crate::domain::record::order::StoredRefunds;
use crate::load::{Beside, MemberRow, WalletRow};
use crate::postgres::copy::{self, Malformed, Row, Select};

/// The tables that hold what belongs to members, each with the SELECT of a range of its blocks. Each row begins with its
/// journal and its member.
pub const TABLES: [(&str, Select); 7] = [
    ("member", MEMBERS),
    ("wallet", WALLETS),
    ("lot", LOTS),
    ("orders", ORDERS),
    ("refund", REFUNDS),
    ("record", RECORDS),
    ("donation", DONATIONS),
];

/// A member's row without the wallet: id, status, when it joined; and where it stands.
type MemberAlone = ((Uuid, String, DateTime<Utc>), Option<String>);

/// Order id, entry, member; refunds; claimed; answer.
pub type OrderRow = ((String, i64, Uuid), StoredRefunds, Option<i64>, Option<String>);

/// Order, refund, entry, member, amount.
pub type RefundRow = (String, String, i64, Uuid, Decimal);

/// Id, member, what it is about; when it came into being and ends; does it count; kind, status, state.
pub type RecordRow =
    ((Uuid, Uuid, Option<Uuid>), (DateTime<Utc>, Option<DateTime<Utc>>), bool, (String, String, String));

/// Entry, member, cause, points, and whether the rest is that of the entry.
pub type DonationRow = (i64, Uuid, Uuid, i64, bool);

/// What is stored of some members of a journal.
#[derive(Debug, Default)]
pub struct Stored {
    members: Vec<MemberAlone>,
    wallets: HashMap<Uuid, (Beside, WalletRow)>,
    /// Their lots.
    pub lots: HashMap<Uuid, Vec<Lot>>,
    /// Their orders.
    pub orders: Vec<OrderRow>,
    /// Refunds of these.
    pub refunds: Vec<RefundRow>,
    /// Their records.
    pub records: Vec<RecordRow>,
    /// What they gave.
    pub donations: Vec<DonationRow>,
}

impl Stored {
    /// Takes a row of the table at place `table` of [`TABLES`], behind its journal and its member.
    pub fn take(&mut self, table: usize, member: Uuid, mut row: Row<'_>) -> Result<(), Malformed> {
        let row = &mut row;
        match TABLES.get(table).ok_or(Malformed)?.0 {
            "member" => self.members.push(((member, text(row)?, row.get()?), maybe_text(row)?)),
            "wallet" => {
                let balances = (row.get()?, row.get()?, row.get()?, row.get()?);
                let sums = (row.get()?, row.get()?, row.get()?);
                let shown = (balances, sums, row.maybe()?, maybe_text(row)?);
                self.wallets.insert(member, ((row.maybe()?, maybe_text(row)?), shown));
            }
            "lot" => self.lots.entry(member).or_default().push(Lot {
                id: row.get()?,
                earned: row.get()?,
                pending: row.get()?,
                active: row.get()?,
                held: row.get()?,
                expired: row.get()?,
                active_at: row.get()?,
                expires_at: row.maybe()?,
            }),
            "orders" => {
                let key = (text(row)?, row.get()?, member);
                let refunds = (amount(row)?, row.maybe()?, row.maybe()?, maybe_text(row)?);
                self.orders.push((key, refunds, row.maybe()?, maybe_text(row)?));
            }
            "refund" => {
                let (order, refund, seq) = (text(row)?, text(row)?, row.get()?);
                self.refunds.push((order, refund, seq, member, amount(row)?.ok_or(Malformed)?));
            }
            "record" => {
                let (ids, times) = ((row.get()?, member, row.maybe()?), (row.get()?, row.maybe()?));
                self.records.push((ids, times, row.get()?, (text(row)?, text(row)?, text(row)?)));
            }
            _ => self.donations.push((row.get()?, member, row.get()?, row.get()?, row.get()?)),
        }
        Ok(())
    }

    /// The members that have both a row and a wallet, in the order of their ids.
    pub fn members(&mut self) -> Vec<MemberRow> {
        self.members.sort_unstable_by_key(|(member, _)| member.0);
        let wallets = &mut self.wallets;
        let members = self.members.drain(..);
        let whole = |((id, status, joined_at), standing): MemberAlone| {
            let (beside, wallet) = wallets.remove(&id)?;
            Some(((id, status, joined_at, standing), beside, wallet))
        };
        members.filter_map(whole).collect()
    }
}

fn text(row: &mut Row<'_>) -> Result<String, Malformed> {
    row.get::<&str>().map(ToOwned::to_owned)
}

fn maybe_text(row: &mut Row<'_>) -> Result<Option<String>, Malformed> {
    Ok(row.maybe::<&str>()?.map(ToOwned::to_owned))
}

fn amount(row: &mut Row<'_>) -> Result<Option<Decimal>, Malformed> {
    row.maybe::<&str>()?.map(|text| text.parse().map_err(|_| Malformed)).transpose()
}

copy::select! {
    MEMBERS (BigInt, BigInt) -> (SmallInt, SqlUuid, Text, Timestamptz, Nullable<Text>),
    "SELECT journal, id, status, joined_at, standing FROM member
     WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    WALLETS (BigInt, BigInt) -> (
        SmallInt, SqlUuid, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<Timestamptz>, Nullable<Text>,
        Nullable<Timestamptz>, Nullable<Text>,
    ),
    "SELECT journal, member, active, pending, held, debt, lifetime_earned, lifetime_spent, claimed, next_due_at,
         tier, points_due_at, spending
     FROM wallet WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    LOTS (BigInt, BigInt) -> (
        SmallInt, SqlUuid, SqlUuid, BigInt, BigInt, BigInt, BigInt, BigInt, Timestamptz, Nullable<Timestamptz>,
    ),
    "SELECT journal, member, id, earned, pending, active, held, expired, active_at, expires_at
     FROM lot WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    ORDERS (BigInt, BigInt) -> (
        SmallInt, SqlUuid, Text, BigInt, Nullable<Text>, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>,
        Nullable<BigInt>, Nullable<Text>,
    ),
    "SELECT journal, member, order_id, seq, refunded::text, reversed, returned, reversal, claimed, response
     FROM orders WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    REFUNDS (BigInt, BigInt) -> (SmallInt, SqlUuid, Text, Text, BigInt, Text),
    "SELECT journal, member, order_id, refund_id, seq, amount::text
     FROM refund WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    RECORDS (BigInt, BigInt) -> (
        SmallInt, SqlUuid, SqlUuid, Nullable<SqlUuid>, Timestamptz, Nullable<Timestamptz>, Bool, Text, Text, Text,
    ),
    "SELECT journal, member, id, about, created_at, due_at, counts, kind, status, state
     FROM record WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid"
}

copy::select! {
    // The entry itself is checked too, so that what follows from its row may be compared where it stands.
    DONATIONS (BigInt, BigInt) -> (SmallInt, SqlUuid, BigInt, SqlUuid, BigInt, Bool),
    "SELECT d.journal, d.member, d.seq, d.cause, d.points,
         (d.id, d.donated_at) IS NOT DISTINCT FROM (e.command, e.effective_at)
     FROM donation AS d LEFT JOIN entry AS e ON e.journal = d.journal AND e.seq = d.seq
     WHERE d.ctid >= format('(%s,0)', $1::bigint)::tid AND d.ctid < format('(%s,0)', $2::bigint)::tid"
}
