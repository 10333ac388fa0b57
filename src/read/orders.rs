//! Orders as they were posted, with what they earned.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{ReadError, schema};
use crate::domain::ids::MemberId;
use crate::domain::money::{self, Currency};
use crate::domain::order::{Earned, Item};
use crate::domain::time::{self, Timestamp};

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
    pub currency: String,
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
    #[schema(nullable = false)]
    pub items: Option<Vec<Item>>,
    /// The points, and why.
    #[schema(value_type = Earned)]
    pub earned: Value,
}

type OrderRow =
    ((String, Uuid, DateTime<Utc>, String, Decimal), (Option<Decimal>, Option<String>, Option<String>, String));

/// The order `order_id`; none if it was never posted with success.
pub fn by_id(connection: &mut PgConnection, order_id: &str) -> Result<Option<OrderView>, ReadError> {
    use schema::orders::dsl;
    let row: Option<OrderRow> = dsl::orders
        .filter(dsl::order_id.eq(order_id))
        .select((
            (dsl::order_id, dsl::member, dsl::occurred_at, dsl::currency, dsl::amount),
            (dsl::discount, dsl::channel, dsl::items, dsl::response),
        ))
        .first(connection)
        .optional()?;
    row.map(|row| view(row).ok_or(ReadError::Corrupt("an order that cannot be read"))).transpose()
}

fn view(((order_id, member, occurred_at, currency, amount), rest): OrderRow) -> Option<OrderView> {
    let (discount, channel, items, response) = rest;
    let money: Currency = currency.parse().ok()?;
    let response: Value = serde_json::from_str(&response).ok()?;
    Some(OrderView {
        order_id,
        member_id: MemberId::try_from(member).ok()?,
        occurred_at,
        currency,
        amount: money::format_amount(amount, money),
        discount: discount.map(|discount| money::format_amount(discount, money)),
        channel,
        items: items.map(|items| serde_json::from_str(&items)).transpose().ok()?,
        earned: response["earned"].clone(),
    })
}
