//! Orders as they were posted, with what they earned.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Numeric, Text, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::money::{self, Currency};
use crate::domain::movement::order::{Earned, OrderReply, Paid};
use crate::domain::program::earning::ShownStep;
use crate::domain::record::items::{self, Item};
use crate::domain::record::order::{OrderRecord, StoredRefunds};
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

type OrderRow = ((String, Uuid), (Option<String>, Option<String>), (i32, String), StoredRefunds);

/// The order `order_id`; none if it was never posted with success.
pub fn by_id(view: &mut View<'_>, order_id: &str) -> Result<Option<OrderView>, ReadError> {
    let rows: Vec<OrderRow> = LoadOrder { order_id: order_id.to_owned() }.load(view.connection)?;
    let row = rows.into_iter().next();
    row.map(|row| order(row).ok_or(ReadError::Corrupt("an order that cannot be read"))).transpose()
}

fn order(((order_id, member), (items, response), (version, payload), refunds): OrderRow) -> Option<OrderView> {
    let member_id = MemberId::try_from(member).ok()?;
    let order = OrderRecord::stored(&payload, version, refunds)?;
    let money = |amount| money::format_amount(amount, order.currency);
    let answered: Value = match response {
        Some(response) => serde_json::from_str(&response).ok()?,
        None => serde_json::to_value(OrderReply::of_entry(order_id, member_id, &payload)?).ok()?,
    };
    Some(OrderView {
        member_id,
        occurred_at: order.occurred_at,
        currency: order.currency,
        amount: money(order.amount),
        discount: order.discount.map(money),
        items: items.map(|items| items::shown(&items)).transpose().ok()?,
        earned: earned(&answered["earned"])?,
        paid: answered.get("paid").cloned(),
        refunded: money(order.refunded),
        remaining: money(order.amount - order.refunded),
        returned: order.was_refunded && order.refunded == order.amount,
        order_id: order.order_id,
        channel: order.channel,
        redemption_ids: order.redemptions,
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
        (Text, SqlUuid),
        (Nullable<Text>, Nullable<Text>),
        (Integer, Text),
        (Nullable<Numeric>, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>)
    ),
    "SELECT o.order_id, o.member, o.items, o.response, e.program_version, e.payload, o.refunded, o.reversed, o.returned,
         o.reversal
     FROM (SELECT * FROM orders WHERE order_id = $1 OFFSET 0) AS o
     CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = o.journal AND seq = o.seq OFFSET 0) AS e"
}
