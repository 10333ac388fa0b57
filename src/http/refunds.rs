//! `/v1/orders/{order_id}/refunds`

use actix_web::{HttpResponse, web};
use rust_decimal::Decimal;
use serde::Serialize;

use serde_json::json;

use super::answer::{created, json};
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{self, Body, IdempotencyKey, MAX_BODY_OF_ITEMS, Query, Read};
use super::orders;
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields};
use crate::domain::money;
use crate::domain::movement::order::Order;
use crate::domain::movement::refund::{RefundReply, RefundRequest};
use crate::domain::quantity::Quantity;
use crate::domain::record::items::{MOST_ITEMS, RefundItem};
use crate::domain::refusal::RefusalCode::*;
use crate::domain::time::Timestamp;
use crate::read::refunds::{self, RefundView};
use crate::read::route::{self, Posted};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "refund_order",
        verb: Verb::Post,
        path: "/v1/orders/{order_id}/refunds",
        need: Need::Scope("orders:write"),
        key: Key::Natural("the refund's id"),
        summary: "Refund an order, or a part of it",
        about: "\
            Any number of times, up to the order's amount. The points that the order brought are reversed and the \
            points that paid it come back, both for the share refunded: at one instant, many small refunds end as \
            one large one does. What points had paid is not paid out; points that are set aside meanwhile are \
            claimed: they go when they come back. A refund is posted once, under its `refund_id`.\n\
            \n\
            With `items`, no more of an article comes back than was bought, and over all refunds no more money for \
            it than its lines cost. An order of nothing, and items that were free, come back with an amount of 0.",
        takes: Some(Takes::body::<RefundBody, RefundRequest>(&[("Refund an order, or a part of it", || {
            json!({
                "refund_id": "R-1", "amount": "20.00", "items": [{ "sku": "tea", "quantity": "1" }],
            })
        })])),
        answer: Answer::created::<RefundReply>("The refund is recorded", include_str!("examples/refund_receipt.json")),
        refusals: &[
            OrderNotFound,
            RefundConflict,
            RefundOverOrder,
            RefundItems,
            RefundOverItems,
            RefundBeforeOrder,
            OccurredInFuture,
            OrderWithoutItems,
            RefundOfNothing,
        ],
        handler: || web::to(refund_order),
        ..Call::REST
    },
    Call {
        name: "list_refunds",
        verb: Verb::Get,
        path: "/v1/orders/{order_id}/refunds",
        need: Need::Scope("orders:read"),
        summary: "List an order's refunds",
        about: "From the newest to the oldest.",
        query: &[PAGE],
        answer: Answer::ok::<RefundList>("A page of refunds", include_str!("examples/refund_list.json")),
        refusals: &[OrderNotFound],
        handler: || web::to(list_refunds),
        ..Call::REST
    },
];

/// A page of an order's refunds, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RefundList {
    /// The refunds.
    refunds: Vec<RefundView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn refund_order(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    order_id: web::Path<String>,
    body: Body<RefundBody>,
) -> Result<HttpResponse, Problem> {
    let Body(RefundBody { refund_id, amount, items, occurred_at }) = body;
    let order_id = orders::named(order_id)?;
    let wanted = order_id.clone();
    let order = service.reader.route(move |primary| route::order(primary, &wanted)).await?;
    let Posted { member_id, currency, .. } = order.ok_or_else(Problem::order_not_found)?;
    let amount = input::in_currency(amount, currency, "amount")?;
    let refund = RefundRequest { order_id, member_id, refund_id, amount, items, occurred_at };
    created(service.decide(&caller, key.optional(), refund).await?, None)
}

async fn list_refunds(
    service: web::Data<Service>,
    _caller: Authorised,
    order_id: web::Path<String>,
    query: Query<Page<i64>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let order_id = orders::named(order_id)?;
    let found = service.reader.run(move |view| refunds::page(view, order_id, page.before, page.wanted())).await?;
    let mut refunds = found.ok_or_else(Problem::order_not_found)?;
    let next_cursor = page.cut(&mut refunds, |refund| refund.seq);
    json(&RefundList { refunds, next_cursor })
}

/// A refund as it is posted: its order, and with it the currency, stands in the address.
pub struct RefundBody {
    refund_id: String,
    amount: Decimal,
    items: Option<Vec<RefundItem>>,
    occurred_at: Option<Timestamp>,
}

impl Read for RefundBody {
    const MOST_BYTES: usize = MAX_BODY_OF_ITEMS;

    fn read(refund: &mut Fields<'_>) -> Option<Self> {
        let refund_id = refund.required("refund_id", Order::read_id);
        let amount = refund.required("amount", fields::decimal(money::MAX_MINOR_UNITS, money::MAX_AMOUNT));
        let items = refund.optional_objects("items", 1..=MOST_ITEMS, |item| {
            let sku = item.required("sku", fields::string(1..=64));
            let quantity = item.required("quantity", Quantity::read);
            Some(RefundItem { sku: sku?, quantity: quantity? })
        });
        let occurred_at = refund.optional("occurred_at", fields::timestamp);
        Some(Self { refund_id: refund_id?, amount: amount?, items, occurred_at })
    }
}
