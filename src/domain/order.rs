//! A completed order becomes points.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::account::{Account, Part};
use super::decide::{Context, Working};
use super::earning::{self, EarnFault, EarningFacts, Step};
use super::entry::{Kind, Posting, derive_id};
use super::fields::{self, Wrong};
use super::ids::MemberId;
use super::member::{Balances, NewLot};
use super::money::{self, Currency};
use super::refusal::{Refusal, Rejected};
use super::time::{self, Timestamp};

/// How far in the future an order may lie, for clocks that differ.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A completed order, as the checkout posts it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = OrderRequest)]
pub struct Order {
    /// The shop's id of the order: the key under which it counts once. 1 to 64 visible ASCII characters.
    #[schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$", example = "A-1001")]
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// When, RFC 3339 with an offset; at most five minutes in the future. It decides the programme version, activation and expiry.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// The programme's currency, ISO 4217.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// The goods after discounts and before points, a decimal string; with items Σ quantity × unit_price − discount.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", example = "29.33")]
    pub amount: Decimal,
    /// What was taken off the items' sum, a decimal string.
    #[serde(with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "5.00")]
    pub discount: Option<Decimal>,
    /// Where it was placed: 1 to 32 characters of a–z, 0–9, `_` and `-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 32, pattern = "^[a-z0-9_-]+$", example = "app")]
    pub channel: Option<String>,
    /// What was bought; at most 500 items.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 500)]
    pub items: Option<Vec<Item>>,
}

impl Order {
    /// Reads an order's id: 1 to 64 visible ASCII characters.
    pub fn read_id(value: &Value) -> Result<String, Wrong> {
        fields::word(1..=64, |c| c.is_ascii_graphic(), "must be visible ASCII")(value)
    }
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Item {
    /// The shop's id of the article, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Its category, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    pub category: Option<String>,
    /// How many, 1 to 1 000 000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: u32,
    /// The price of one, a decimal string in the order's currency.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "29.33")]
    pub unit_price: Decimal,
}

/// What an order brought: the answer to the checkout, and again whenever the order is sent again.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OrderReply {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// The points, and why.
    pub earned: Earned,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// Points earned by an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Earned {
    /// How many; zero is possible.
    pub points: i64,
    /// When they become active.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; null if they never expire.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Rule by rule.
    pub calculation: Vec<Step>,
}

/// Decides a completed order: settle, earn by the version in force when it occurred, settle again, so that the
/// wallet is right at this instant also when the order is older than its points' activation or expiry.
pub fn complete(work: &mut Working<'_>, order: &Order) -> Result<OrderReply, Rejected> {
    let Context { now, programs, command, .. } = *work.context();
    if order.occurred_at > now + CLOCK_TOLERANCE {
        return Err(Refusal::OccurredInFuture { minutes: CLOCK_TOLERANCE.num_minutes() }.into());
    }
    // A version that takes effect within the tolerated future may not be known to every instance yet.
    let version = programs.at(order.occurred_at.min(now));
    let program = &version.program;
    if order.currency != program.currency {
        return Err(Refusal::CurrencyMismatch { expected: program.currency.to_string() }.into());
    }
    let facts = EarningFacts { amount: order.amount, occurred_at: order.occurred_at };
    let earning = earning::earn(program, &facts).map_err(|fault| refusal(fault, program.currency))?;

    work.settle(now)?;
    let effect = (order.occurred_at, version.version);
    let mut payload =
        Map::from_iter([("order".to_owned(), facts_of(order)), ("calculation".to_owned(), json!(earning.calculation))]);
    if earning.points == 0 {
        work.post(Kind::OrderRecorded, effect, payload, Vec::new(), &[])?;
    } else {
        let lot = NewLot {
            id: derive_id(now, command.as_bytes(), &[b"lot"]),
            active_at: earning.active_at,
            expires_at: earning.expires_at,
        };
        let credit = Account::Member(if earning.active_at <= now { Part::Active } else { Part::Pending });
        let posting = Posting { debit: Account::Issuance, credit, points: earning.points, lot: Some(lot.id) };
        payload.insert("points".to_owned(), earning.points.into());
        work.post(Kind::PointsEarned, effect, payload, vec![posting], &[lot])?;
    }
    work.settle(now)?;
    Ok(OrderReply {
        order_id: order.order_id.clone(),
        member_id: order.member_id,
        earned: Earned {
            points: earning.points,
            active_at: earning.active_at,
            expires_at: earning.expires_at,
            calculation: earning.calculation,
        },
        wallet: work.member.balances,
    })
}

fn refusal(fault: EarnFault, currency: Currency) -> Refusal {
    match fault {
        EarnFault::AmountAboveMaximum { maximum } => {
            Refusal::AmountOverLimit { maximum: money::format_amount(maximum, currency) }
        }
        EarnFault::NegativeAmount | EarnFault::TooManyPoints => Refusal::PointsOverLimit,
    }
}

// What the journal keeps of an order: what its points follow from. Items stay outside.
fn facts_of(order: &Order) -> Value {
    let mut facts = json!({
        "amount": money::format_amount(order.amount, order.currency),
        "currency": order.currency.to_string(),
        "occurred_at": time::canonical(order.occurred_at),
        "order_id": order.order_id,
    });
    if let Some(discount) = order.discount {
        facts["discount"] = money::format_amount(discount, order.currency).into();
    }
    if let Some(channel) = &order.channel {
        facts["channel"] = channel.as_str().into();
    }
    facts
}
