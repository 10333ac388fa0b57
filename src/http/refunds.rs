//! `/v1/orders/{order_id}/refunds`

use actix_web::{HttpResponse, get, post, web};
use rust_decimal::Decimal;
use serde::Serialize;

use super::access::Authorised;
use super::input::{self, Body, IdempotencyKey, MAX_BODY_OF_ITEMS, Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created, json, orders};
use crate::domain::fields::{self, Fields};
use crate::domain::money;
use crate::domain::movement::order::Order;
use crate::domain::movement::refund::{RefundReply, RefundRequest};
use crate::domain::quantity::Quantity;
use crate::domain::record::items::{MOST_ITEMS, RefundItem};
use crate::domain::time::Timestamp;
use crate::read::refunds::{self, RefundView};

/// A page of an order's refunds, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RefundList {
    /// The refunds.
    refunds: Vec<RefundView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Refund an order, or a part of it
///
/// Any number of times, up to the order's amount. The points that the order brought are reversed and the points that
/// paid it come back, both for the share refunded: at one instant, many small refunds end as one
/// large one does. What points had paid is not paid out; points that are set aside meanwhile are claimed: they go when
/// they come back. A refund is posted
/// once, under its `refund_id`.
///
/// With `items`, no more of an article comes back than was bought, and over all refunds no more money for it than its
/// lines cost. An order of nothing, and items that were free, come back with an amount of 0.
#[utoipa::path(
    tag = "orders",
    request_body(content = RefundRequest, example = json!({
        "refund_id": "R-1", "amount": "20.00", "items": [{ "sku": "tea", "quantity": 1 }],
    })),
    params(
        ("order_id" = String, Path, description = "The shop's id of the order"),
        ("Idempotency-Key" = Option<String>, Header, description = "Optional: the refund's id is a key already"),
    ),
    responses(
        (status = 201, description = "The refund is recorded", body = RefundReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 404, description = "`order_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`refund_conflict`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `refund_over_order`, `refund_items`, `refund_over_items`, \
         `refund_before_order`, `occurred_in_future`, `order_without_items`, `refund_of_nothing`",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["orders:write"])),
)]
#[post("/v1/orders/{order_id}/refunds")]
pub async fn post_refund(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    order_id: web::Path<String>,
    body: Body<RefundBody>,
) -> Result<HttpResponse, Problem> {
    let Body(RefundBody { refund_id, amount, items, occurred_at }) = body;
    let order = orders::find(&service, order_id.into_inner()).await?;
    let amount = input::in_currency(amount, order.currency, "amount")?;
    let (order_id, member_id) = (order.order_id, order.member_id);
    let refund = RefundRequest { order_id, member_id, refund_id, amount, items, occurred_at };
    created(service.decide(&caller, key.optional(), refund).await?, None)
}

/// List an order's refunds
///
/// From the newest to the oldest.
#[utoipa::path(
    tag = "orders",
    params(
        ("order_id" = String, Path, description = "The shop's id of the order"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of refunds", body = RefundList),
        (status = 404, description = "`order_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["orders:read"])),
)]
#[get("/v1/orders/{order_id}/refunds")]
pub async fn get_refunds(
    service: web::Data<Service>,
    _caller: Authorised,
    order_id: web::Path<String>,
    query: Query<Page<i64>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let order = orders::find(&service, order_id.into_inner()).await?;
    let place = (order.member_id.journal(), order.order_id);
    let load =
        move |connection: &mut diesel::PgConnection| refunds::page(connection, place, page.before, page.wanted());
    let mut refunds = service.reader.run(load).await?;
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
