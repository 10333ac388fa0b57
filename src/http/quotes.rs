//! `/v1/quotes`

use std::borrow::Cow;

use actix_web::{HttpResponse, web};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::answer::json;
use super::call::{Answer, Call, Need, Shape, Takes, Verb};
use super::caller::{Authorised, Whose};
use super::input::{Body, Read};
use super::orders::Goods;
use super::problem::Problem;
use super::service::Service;
use crate::domain::decide::Context;
use crate::domain::fields::{self, Fields};
use crate::domain::movement::order::Order;
use crate::domain::movement::quote::{self, NO_ID, Quote};
use crate::domain::refusal::RefusalCode::*;
use crate::domain::refusal::Rejected;
use crate::domain::time::Timestamp;
use crate::read::{ReadError, quotes};

/// The calls.
pub const CALLS: &[Call] = &[Call {
    name: "quote_order",
    verb: Verb::Ask,
    path: "/v1/quotes",
    // It shows of a member what the wallet shows, and of orders nothing that was posted.
    need: Need::ScopeOrOwner("members:read"),
    summary: "Ask what would come of an order",
    about: "\
        What an order would earn if it were posted now, rule by rule, and how many points may pay it. Nothing is written, \
        and nothing promised: it is decided when it is posted. What it would be refused for, the quote is refused for.\n\
        \n\
        The body is that of an order, of which three fields may be left out. Without `member_id` a client asks for a \
        visitor, who has no points: what a member would earn. `order_id` is needed only where `redemption_ids` names what \
        was made for that order; one that was posted under it before changes nothing. Without `occurred_at` the order \
        occurs now.\n\
        \n\
        `spendable` is what a redemption for this order may have, and the order then by `redemption_ids`: offer from \
        `least` up to `points`.",
    takes: Some(Takes::body::<QuoteBody, QuoteBody>(&[
        ("a member's cart", || {
            json!({
                "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "currency": "USD", "amount": "42.50",
                "items": [{ "sku": "tea", "quantity": "2", "unit_price": "20.00" },
                          { "sku": "cup", "category": "kitchen", "quantity": "1", "unit_price": "2.50" }],
            })
        }),
        ("a visitor's cart", || json!({ "currency": "USD", "amount": "42.50" })),
        ("an order of a time", || {
            json!({
                "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "occurred_at": "2026-01-15T17:00:00Z",
                "currency": "USD", "amount": "42.50", "discount": "5.00", "channel": "app",
            })
        }),
    ])),
    answer: Answer::ok::<Quote>("What would come of it", include_str!("examples/quote.json")),
    refusals: &[
        MemberNotFound,
        RedemptionNotFound,
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
    handler: || web::to(quote_order),
    ..Call::REST
}];

async fn quote_order(
    service: web::Data<Service>,
    caller: Authorised,
    body: Body<QuoteBody>,
) -> Result<HttpResponse, Problem> {
    let Body(QuoteBody { member_id, order_id, occurred_at, goods }) = body;
    let (member, now) = match caller.resolve_or_visitor(member_id, "member_id")? {
        Some(id) => {
            let redemptions = goods.redemption_ids.clone();
            let found = service.reader.run(move |view| quotes::member(view, id, &redemptions)).await?;
            found.ok_or_else(Problem::member_not_found)?
        }
        // Nothing is asked of the database.
        None => {
            let now = service.ledger.present();
            (quote::visitor(now), now)
        }
    };
    let order_id = order_id.unwrap_or_else(|| NO_ID.to_owned());
    let order = goods.ordered(order_id, member.id, occurred_at.unwrap_or(now));
    let programs = service.ledger.programs().book();
    let context = Context { now, programs: &programs, command: Uuid::nil(), actor: "system" };
    match quote::quote(&member, &order, context) {
        Ok(quote) => json(&quote),
        Err(Rejected::Refused(refusal)) => Err(Problem::refused(&refusal, false)),
        Err(Rejected::Corrupt(_)) => Err(ReadError::Corrupt("a wallet that its lots do not make").into()),
    }
}

/// An order that is not posted, and may never be.
pub struct QuoteBody {
    member_id: Option<Whose>,
    order_id: Option<String>,
    occurred_at: Option<Timestamp>,
    goods: Goods,
}

impl Read for QuoteBody {
    const MOST_BYTES: usize = Order::MOST_BYTES;

    fn read(quote: &mut Fields<'_>) -> Option<Self> {
        let currency = Goods::read_currency(quote);
        let order_id = quote.optional("order_id", Order::read_id);
        let member_id = quote.optional("member_id", fields::parsed);
        let occurred_at = quote.optional("occurred_at", fields::timestamp);
        let goods = Goods::read(quote, currency);
        Some(Self { member_id, order_id, occurred_at, goods: goods? })
    }
}

/// What may be left out, and what it means then.
const OPTIONAL: [(&str, &str); 3] = [
    (
        "member_id",
        "Who orders; a member's token may leave it out, or say `me`. Left out by a client: a visitor, who is no member.",
    ),
    ("order_id", "The shop's id of the order, if it has one already: 1 to 64 visible ASCII characters."),
    (
        "occurred_at",
        "When, RFC 3339 with an offset; at most five minutes in the future. Left out: now, by the programme's clock.",
    ),
];

// The fields are those of an order.
impl PartialSchema for QuoteBody {
    fn schema() -> RefOr<Schema> {
        let mut schema = Order::schema();
        let RefOr::T(Schema::Object(order)) = &mut schema else { return schema };
        order.description = Some("An order that is not posted, and may never be.".to_owned());
        order.required.retain(|field| OPTIONAL.iter().all(|(optional, _)| field != optional));
        order.properties.insert("member_id".to_owned(), (Shape::MEMBER_OR_ME.schema)());
        for (field, about) in OPTIONAL {
            if let Some(RefOr::T(Schema::Object(property))) = order.properties.get_mut(field) {
                property.description = Some(about.to_owned());
            }
        }
        schema
    }
}

impl ToSchema for QuoteBody {
    fn name() -> Cow<'static, str> {
        "QuoteRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Order::schemas(schemas);
    }
}
