//! `/v1/orders`

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answer::{created, json};
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, MAX_BODY_OF_ITEMS, Read};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::money::{self, Currency};
use crate::domain::movement::order::{MOST_REDEMPTIONS, Order, OrderReply};
use crate::domain::quantity::Quantity;
use crate::domain::record::items::{Item, MOST_ITEMS, UNIT_PRICE_DECIMALS};
use crate::domain::refusal::RefusalCode::*;
use crate::domain::time::Timestamp;
use crate::read::orders::{self, OrderView};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "post_order",
        verb: Verb::Post,
        path: "/v1/orders",
        need: Need::Scope("orders:write"),
        key: Key::Natural("the order's id"),
        summary: "Post a completed order",
        about: "\
            The order's points are written once, under its `order_id`: the same order again gets the first answer \
            again, and another order under the same id is refused. An order for a customer who is not enrolled yet \
            is refused and can be posted again later.\n\
            \n\
            `redemption_ids` say what points pay of it: what is held is captured with the order, whole, and what was \
            captured before must have been made for this `order_id`, or captured with it. What points pay earns \
            nothing.\n\
            \n\
            The items cost what their `amount` says, or else `quantity` × `unit_price`, each line rounded half up to \
            what the currency can pay; whoever rounds otherwise states the `amount`.",
        takes: Some(Takes::body::<Order, Order>(&[
            ("an order", || {
                json!({
                    "order_id": "A-1001", "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                    "occurred_at": "2026-01-15T17:00:00Z", "currency": "USD", "amount": "42.50", "discount": "5.00",
                    "items": [{ "sku": "tea", "quantity": "2", "unit_price": "20.00" },
                              { "sku": "cup", "category": "kitchen", "quantity": "1", "unit_price": "7.50" }],
                })
            }),
            ("by weight, and three for a price", || {
                json!({
                    "order_id": "A-1003", "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                    "occurred_at": "2026-01-15T17:00:00Z", "currency": "USD", "amount": "19.74",
                    "items": [{ "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" },
                              { "sku": "pencil", "quantity": "3", "amount": "10.00" }],
                })
            }),
            ("paid in part with points", || {
                json!({
                    "order_id": "A-1002", "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                    "occurred_at": "2026-01-15T17:00:00Z", "currency": "USD", "amount": "42.50",
                    "redemption_ids": ["01a20785-568c-7001-b2de-94a07f13c658"],
                })
            }),
        ])),
        answer: Answer::created::<OrderReply>("The order is recorded", include_str!("examples/order_receipt.json"))
            .located("The order"),
        refusals: &[
            MemberNotFound,
            RedemptionNotFound,
            OrderConflict,
            HoldLapsed,
            RedemptionStateConflict,
            RedemptionOfAnotherOrder,
            MemberSuspended,
            MemberClosed,
            CurrencyMismatch,
            AmountOverLimit,
            OccurredInFuture,
            OverOrderShare,
            PaidOverAmount,
            PointsWorthNothing,
            PointsOverLimit,
        ],
        handler: || web::to(post_order),
        ..Call::REST
    },
    Call {
        name: "get_order",
        verb: Verb::Get,
        path: "/v1/orders/{order_id}",
        need: Need::Scope("orders:read"),
        summary: "Get an order",
        answer: Answer::ok::<OrderView>("The order", include_str!("examples/order.json")),
        refusals: &[OrderNotFound],
        handler: || web::to(get_order),
        ..Call::REST
    },
];

/// What is encoded in a segment of a path: all but the unreserved characters (RFC 3986, section 2.3).
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

async fn post_order(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Order>,
) -> Result<HttpResponse, Problem> {
    let Body(order) = body;
    let location = format!("/v1/orders/{}", utf8_percent_encode(&order.order_id, NOT_PLAIN));
    let answer = service.decide(&caller, key.optional(), order).await?;
    created(answer, Some(location))
}

async fn get_order(
    service: web::Data<Service>,
    _caller: Authorised,
    order_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let order_id = named(order_id)?;
    let order = service.reader.run(move |view| orders::by_id(view, &order_id)).await?;
    json(&order.ok_or_else(Problem::order_not_found)?)
}

/// The id of the order that an address names. No order has one with U+0000, which Postgres cannot be asked for.
pub fn named(order_id: web::Path<String>) -> Result<String, Problem> {
    Some(order_id.into_inner()).filter(|id| !id.contains('\0')).ok_or_else(Problem::order_not_found)
}

impl Read for Order {
    const MOST_BYTES: usize = MAX_BODY_OF_ITEMS;

    fn read(order: &mut Fields<'_>) -> Option<Self> {
        let currency = Goods::read_currency(order);
        let order_id = order.required("order_id", Order::read_id);
        let member_id = order.required("member_id", fields::parsed);
        let occurred_at = order.required("occurred_at", fields::timestamp);
        let goods = Goods::read(order, currency);
        Some(goods?.ordered(order_id?, member_id?, occurred_at?))
    }
}

/// What an order says of what was bought, and of what pays it.
pub struct Goods {
    currency: Currency,
    amount: Decimal,
    discount: Option<Decimal>,
    channel: Option<String>,
    items: Option<Vec<Item>>,
    /// See [`Order::redemption_ids`].
    pub redemption_ids: Vec<RedemptionId>,
}

impl Goods {
    /// Reads the currency, which all amounts are in.
    pub fn read_currency(order: &mut Fields<'_>) -> Option<Currency> {
        order.required("currency", fields::parsed)
    }

    /// Reads the rest. Without a currency the amounts are still read, by the widest form, so that their faults are found.
    pub fn read(order: &mut Fields<'_>, currency: Option<Currency>) -> Option<Self> {
        let money = move |value: &Value| match currency {
            Some(currency) => fields::amount(currency)(value),
            None => fields::decimal(money::MAX_MINOR_UNITS, money::MAX_AMOUNT)(value),
        };
        let amount = order.required("amount", money);
        let discount = order.optional("discount", money);
        let channel = order.optional("channel", fields::word(1..=32, is_channel, "must be of a-z, 0-9, _ and -"));
        let items = order.optional_objects("items", 1..=MOST_ITEMS, |item| read_item(item, currency, money));
        let redemption_ids = order.optional_list("redemption_ids", 0..=MOST_REDEMPTIONS, fields::parsed);
        let twice = |ids: &Vec<RedemptionId>| ids.iter().collect::<BTreeSet<_>>().len() < ids.len();
        if redemption_ids.as_ref().is_some_and(twice) {
            order.fault("redemption_ids", Wrong::new("contradiction", "must not name a redemption twice"));
        }
        if let (Some(amount), Some(items), Some(currency)) = (amount, &items, currency) {
            let goods: Decimal = items.iter().map(|item| item.total(currency)).sum();
            check_sum(order, amount, goods - discount.unwrap_or_default());
        }
        let redemption_ids = redemption_ids.unwrap_or_default();
        Some(Self { currency: currency?, amount: amount?, discount, channel, items, redemption_ids })
    }

    /// The order of them.
    pub fn ordered(self, order_id: String, member_id: MemberId, occurred_at: Timestamp) -> Order {
        let Self { currency, amount, discount, channel, items, redemption_ids } = self;
        Order { order_id, member_id, occurred_at, currency, amount, discount, channel, items, redemption_ids }
    }
}

fn read_item(
    item: &mut Fields<'_>,
    currency: Option<Currency>,
    money: impl Fn(&Value) -> Result<Decimal, Wrong>,
) -> Option<Item> {
    let sku = item.required("sku", fields::string(1..=64));
    let category = item.optional("category", fields::string(1..=64));
    let quantity = item.required("quantity", Quantity::read);
    let has_amount = item.has("amount");
    let amount = item.optional("amount", &money);
    // A price that is only told may be finer than what the currency can pay.
    let unit_price = item.optional("unit_price", |value| match has_amount {
        true => fields::decimal(UNIT_PRICE_DECIMALS, money::MAX_AMOUNT)(value),
        false => money(value),
    });
    if !has_amount && !item.has("unit_price") {
        item.fault("unit_price", Wrong::new("contradiction", "must be given, or else amount"));
    }
    // What a line costs must be read before lines are added up.
    if has_amount {
        amount?
    } else {
        unit_price?
    };
    let least_decimals = currency.map_or(0, Currency::minor_units);
    let unit_price = unit_price.map(|price| money::with_decimals(price, least_decimals));
    Some(Item { sku: sku?, category, quantity: quantity?, unit_price, amount })
}

// What the items cost less the discount is the amount. The largest sum has 22 digits before the point, which a Decimal
// holds.
fn check_sum(order: &mut Fields<'_>, amount: Decimal, due: Decimal) {
    if due != amount {
        let message = format!("must be the sum of the items less the discount, which is {due}");
        order.fault("amount", Wrong::new("contradiction", message));
    }
}

fn is_channel(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}
