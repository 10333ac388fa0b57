//! Orders as they were posted, with what they earned.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::money::{self, Currency};
use crate::domain::movement::order::{Earned, Paid};
use crate::domain::program::earning::ShownStep;
use crate::domain::record::items::{self, Item};
use crate::domain::time::{self, Timestamp};
use crate::postgres::statement::statement;

/// An order and what it earned.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    /// The shop's id.
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// When.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// The currency, ISO 4217.
    pub currency: Currency,
    /// The goods after discounts, a decimal string.
    pub amount: String,
    /// What was taken off the items' sum, a decimal string.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub discount: Option<String>,
    /// Where it was placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub channel: Option<String>,
    /// What was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Item>>, nullable = false)]
    pub items: Option<Value>,
    /// The points, and why.
    #[schema(value_type = Earned)]
    pub earned: Value,
    /// What points paid of it, where redemptions paid a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Paid>, nullable = false)]
    pub paid: Option<Value>,
    /// The redemptions that paid a part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redemption_ids: Vec<RedemptionId>,
    /// How much of it was refunded so far, a decimal string.
    #[schema(example = "0.00")]
    pub refunded: String,
    /// How much of it can still be refunded, a decimal string.
    #[schema(example = "29.33")]
    pub remaining: String,
    /// Was all of it refunded? An order of nothing was when a refund of nothing says so.
    pub returned: bool,
}

type OrderRow = (
    (String, Uuid, DateTime<Utc>, String, Decimal),
    (Option<Decimal>, Option<String>, Option<String>, Option<Decimal>),
    (String, String),
);

/// The order `order_id`; none if it was never posted with success.
pub fn by_id(view: &mut View<'_>, order_id: &str) -> Result<Option<OrderView>, ReadError> {
    let rows: Vec<OrderRow> = LoadOrder { order_id: order_id.to_owned() }.load(view.connection)?;
    let row = rows.into_iter().next();
    row.map(|row| order(row).ok_or(ReadError::Corrupt("an order that cannot be read"))).transpose()
}

fn order(
    ((order_id, member, occurred_at, currency, amount), rest, (response, payload)): OrderRow,
) -> Option<OrderView> {
    let (discount, channel, items, refunded) = rest;
    let currency: Currency = currency.parse().ok()?;
    let money = |amount| money::format_amount(amount, currency);
    let response: Value = serde_json::from_str(&response).ok()?;
    // What pays an order stands in its entry.
    let payload: Value = serde_json::from_str(&payload).ok()?;
    let redemptions = payload["order"].get("redemptions").cloned();
    let (was_refunded, refunded) = (refunded.is_some(), refunded.unwrap_or_default());
    Some(OrderView {
        order_id,
        member_id: MemberId::try_from(member).ok()?,
        occurred_at,
        currency,
        amount: money(amount),
        discount: discount.map(money),
        channel,
        items: items.map(|items| items::shown(&items)).transpose().ok()?,
        earned: earned(&response["earned"])?,
        paid: response.get("paid").cloned(),
        redemption_ids: redemptions.map_or(Ok(Vec::new()), serde_json::from_value).ok()?,
        refunded: money(refunded),
        remaining: money(amount - refunded),
        returned: was_refunded && refunded == amount,
    })
}

// What was answered, in the form that answers have now.
fn earned(answered: &Value) -> Option<Value> {
    let steps: Vec<ShownStep> = serde_json::from_value(answered["calculation"].clone()).ok()?;
    let mut earned = answered.clone();
    earned["calculation"] = json!(steps);
    Some(earned)
}

statement! {
    LoadOrder { order_id: String => Text }
    -> (
        (Text, SqlUuid, Timestamptz, Text, Numeric),
        (Nullable<Numeric>, Nullable<Text>, Nullable<Text>, Nullable<Numeric>),
        (Text, Text)
    ),
    "SELECT o.order_id, o.member, o.occurred_at, o.currency, o.amount, o.discount, o.channel, o.items, o.refunded,
         o.response, e.payload
     FROM (SELECT * FROM orders WHERE order_id = $1 OFFSET 0) AS o
     CROSS JOIN LATERAL (SELECT payload FROM entry WHERE journal = o.journal AND seq = o.seq OFFSET 0) AS e"
}
