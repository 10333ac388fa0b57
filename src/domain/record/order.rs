//! An order as the ledger remembers it.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::ids::RedemptionId;
use crate::domain::journal::canonical::Json;
use crate::domain::money::{self, Currency};
use crate::domain::record::lot::NewLot;
use crate::domain::record::refund::{Refunded, Reversal};
use crate::domain::time::{self, Timestamp};

/// An order as the ledger remembers it: what its refunds follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The shop's id.
    pub order_id: String,
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// The goods after discounts and before points.
    pub amount: Decimal,
    /// What was taken off the items' sum.
    pub discount: Option<Decimal>,
    /// Where it was placed.
    pub channel: Option<String>,
    /// What points paid of it, in money.
    pub paid: Decimal,
    /// How many points paid it.
    pub paid_points: i64,
    /// The redemptions that paid it.
    pub redemptions: Vec<RedemptionId>,
    /// What it earned.
    pub points: i64,
    /// The lot that it brought.
    pub lot: Option<Uuid>,
    /// The programme version that it earned by.
    pub program_version: i32,
    /// The code of the tier that the member had, by which it earned.
    pub tier: Option<String>,
    /// Was anything of it refunded? A refund of nothing counts: of what was free.
    pub was_refunded: bool,
    /// How much of it was paid back so far.
    pub refunded: Decimal,
    /// Its refunds in order: when the money went back, and how much of the order was refunded by then. Those that were
    /// written before the entries said when count from the time of the order.
    pub refunds: Vec<(Timestamp, Decimal)>,
    /// How many points its refunds have made due so far, whether they were taken, had expired or were waived.
    pub reversed: i64,
    /// How many of the points that paid it came back by its refunds.
    pub returned: i64,
    /// Where what its refunds made due came from.
    pub reversal: Reversal,
}

impl OrderRecord {
    /// The share of `amount` that is kept once so much of the order is refunded: rounded down to what the currency can pay.
    /// Of an order of nothing, nothing is paid back. None beyond what a [`Decimal`] holds.
    pub fn kept_of(&self, amount: Decimal, refunded: Decimal) -> Option<Decimal> {
        let minor = |amount| money::in_minor(amount, self.currency);
        let (part, whole) = (minor(self.amount - refunded)?, minor(self.amount)?);
        if whole == 0 { Some(amount) } else { money::share(amount, part, whole, self.currency) }
    }

    /// The order as far as these refunds of it go: of what they did to points it says nothing.
    pub fn with_refunds(self, refunds: Vec<(Timestamp, Decimal)>) -> Self {
        let refunded = refunds.last().map_or(Decimal::ZERO, |(_, refunded)| *refunded);
        Self { was_refunded: !refunds.is_empty(), refunded, refunds, ..self }
    }

    /// Takes up a refund.
    pub fn refund(&mut self, refund: &Refunded) {
        self.was_refunded = true;
        self.refunds.push((refund.occurred_at.unwrap_or(self.occurred_at), refund.refunded));
        (self.refunded, self.reversed, self.returned) = (refund.refunded, refund.reversed, refund.returned);
        self.reversal = refund.reversal.clone().unwrap_or_else(|| Reversal::settled(refund.reversed));
    }

    /// What the journal keeps of it: what its points and refunds follow from. Items stay outside.
    pub fn stated(&self) -> impl Serialize {
        let money = |amount| money::in_minor_units(amount, self.currency);
        let is_paid = !self.redemptions.is_empty();
        Stated {
            amount: money(self.amount),
            channel: self.channel.as_deref(),
            currency: self.currency.code(),
            discount: self.discount.map(money),
            occurred_at: self.occurred_at,
            order_id: &self.order_id,
            paid: is_paid.then(|| money(self.paid)),
            paid_points: is_paid.then_some(self.paid_points),
            redemptions: is_paid.then_some(self.redemptions.as_slice()),
            tier: self.tier.as_deref(),
        }
    }

    /// The order that an entry by programme version `program_version` states in its payload, with what is stored of its
    /// refunds; none if that cannot be read.
    pub fn stored(payload: &str, program_version: i32, refunds: StoredRefunds) -> Option<Self> {
        let payload = Json::read(payload)?;
        let lots = NewLot::all_from(&payload).ok()?;
        let order = Self::read(payload.get("order")?, &payload, program_version, &lots)?;
        let (refunded, reversed, returned, reversal) = refunds;
        let reversed = reversed.unwrap_or_default();
        Some(Self {
            was_refunded: refunded.is_some(),
            refunded: refunded.unwrap_or_default(),
            // Whoever needs to know when looks for it.
            refunds: refunded.map(|refunded| (order.occurred_at, refunded)).into_iter().collect(),
            reversed,
            returned: returned.unwrap_or_default(),
            reversal: match reversal {
                Some(reversal) => serde_json::from_str(&reversal).ok()?,
                None => Reversal::settled(reversed),
            },
            ..order
        })
    }

    /// The order that an entry by programme version `program_version` states under `order`, with the rest of its
    /// payload and its lots.
    pub fn read(order: &Json<'_>, payload: &Json<'_>, program_version: i32, lots: &[NewLot]) -> Option<Self> {
        let text = |key: &str| order.get(key)?.as_str();
        let money = |key: &str| text(key).map(|text| text.parse().ok());
        Some(Self {
            order_id: text("order_id")?.to_owned(),
            occurred_at: time::parse(text("occurred_at")?).ok()?,
            currency: text("currency")?.parse().ok()?,
            amount: money("amount")??,
            discount: money("discount").map_or(Some(None), |discount| discount.map(Some))?,
            channel: text("channel").map(ToOwned::to_owned),
            paid: money("paid").unwrap_or(Some(Decimal::ZERO))?,
            paid_points: order.get("paid_points").map_or(Some(0), Json::as_i64)?,
            redemptions: match order.get("redemptions") {
                Some(redemptions) => redemptions.to()?,
                None => Vec::new(),
            },
            points: payload.get("points").map_or(Some(0), Json::as_i64)?,
            lot: lots.first().map(|lot| lot.id),
            program_version,
            tier: text("tier").map(ToOwned::to_owned),
            was_refunded: false,
            refunded: Decimal::ZERO,
            refunds: Vec::new(),
            reversed: 0,
            returned: 0,
            reversal: Reversal::default(),
        })
    }
}

// In the order of the names, which is that of the canonical text.
#[derive(Serialize)]
struct Stated<'a> {
    #[serde(with = "rust_decimal::serde::str")]
    amount: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    currency: &'static str,
    #[serde(with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    discount: Option<Decimal>,
    #[serde(with = "time::serde_canonical")]
    occurred_at: Timestamp,
    order_id: &'a str,
    #[serde(with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    paid: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_points: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redemptions: Option<&'a [RedemptionId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a str>,
}

/// What is stored of an order's refunds, nothing before the first: how much was paid back, how many points are due, how
/// many came back, and the text of the [`Reversal`].
pub type StoredRefunds = (Option<Decimal>, Option<i64>, Option<i64>, Option<String>);
