//! `/v1/adjustments`

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{created, json};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::ids::MemberId;
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::adjustment::{Adjustment, AdjustmentReply, Reason, Side};
use crate::domain::refusal::RefusalCode::*;
use crate::read::adjustments::{self, AdjustmentView};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "adjust_wallet",
        verb: Verb::Post,
        path: "/v1/adjustments",
        need: Need::Scope("adjustments:write"),
        key: Key::Required,
        summary: "Adjust a wallet",
        about: "\
            Adds points or takes them away: active ones, or those that are pending. Points that are added may keep \
            the dates that they had elsewhere. Active points are taken soonest-expiring first, pending ones from \
            those that become active last. The entry says who did it and why.",
        takes: Some(Takes::body::<Adjustment, Adjustment>(&[("Adjust a wallet", || {
            json!({
                "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "points": 500,
                "reason": "goodwill", "note": "A late parcel",
            })
        })])),
        answer: Answer::created::<AdjustmentReply>(
            "The wallet is adjusted",
            include_str!("examples/adjustment_receipt.json"),
        ),
        refusals: &[
            MemberNotFound,
            InsufficientPoints,
            InsufficientPendingPoints,
            MemberClosed,
            ActiveInFuture,
            PendingNotInFuture,
            ExpiresInPast,
            ExpiresBeforeActive,
            PointsOverLimit,
        ],
        handler: || web::to(adjust_wallet),
        ..Call::REST
    },
    Call {
        name: "list_adjustments",
        verb: Verb::Get,
        path: "/v1/adjustments",
        need: Need::Scope("adjustments:read"),
        summary: "List the adjustments of a member's wallet",
        about: "\
            From the newest to the oldest, each with its note. Not for members: a note is written about them, not to \
            them.",
        query: AdjustmentsQuery::PARAMETERS,
        answer: Answer::ok::<Adjustments>("A page of adjustments", include_str!("examples/adjustment_list.json")),
        refusals: &[MemberNotFound],
        handler: || web::to(list_adjustments),
        ..Call::REST
    },
];

/// A page of a member's adjustments, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AdjustmentList)]
pub struct Adjustments {
    /// The adjustments.
    adjustments: Vec<AdjustmentView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn adjust_wallet(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Adjustment>,
) -> Result<HttpResponse, Problem> {
    let Body(adjustment) = body;
    created(service.decide(&caller, key.required()?, adjustment).await?, None)
}

async fn list_adjustments(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<AdjustmentsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AdjustmentsQuery { member, page }) = query;
    let place = (page.before, page.wanted());
    let found = service.reader.run(move |view| adjustments::page(view, member, place)).await?;
    let mut adjustments = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut adjustments, |adjustment| adjustment.seq);
    json(&Adjustments { adjustments, next_cursor })
}

/// The parameters of a page of adjustments.
pub struct AdjustmentsQuery {
    member: MemberId,
    page: Page<i64>,
}

impl AdjustmentsQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] =
        &[&[Parameter::required("member", "Whose wallet.", Shape::named::<MemberId>())], PAGE];
}

impl Read for AdjustmentsQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let (member, page) = (query.required("member", fields::parsed), Page::read(query));
        Some(Self { member: member?, page: page? })
    }
}

impl Read for Adjustment {
    fn read(adjustment: &mut Fields<'_>) -> Option<Self> {
        let member_id = adjustment.required("member_id", fields::parsed);
        let points = adjustment.required("points", signed_points);
        let account = adjustment.optional("account", fields::one_of(&Side::ALL)).unwrap_or_default();
        let active_at = adjustment.optional("active_at", fields::timestamp);
        let expires_at = adjustment.optional("expires_at", fields::timestamp);
        let reason = adjustment.required("reason", fields::one_of(&Reason::ALL));
        let note = adjustment.optional("note", fields::string(1..=500));
        let (member_id, points, reason) = (member_id?, points?, reason?);
        let read = Self { member_id, points, account, active_at, expires_at, reason, note };
        for (field, wrong) in read.contradictions() {
            // What is there and cannot be read was said already.
            if wrong.code != "missing" || !adjustment.has(field) {
                adjustment.fault(field, wrong);
            }
        }
        Some(read)
    }
}

fn signed_points(value: &Value) -> Result<i64, Wrong> {
    match fields::integer(-MAX_POINTS..=MAX_POINTS)(value)? {
        0 => Err(Wrong::new("out_of_range", "must not be zero")),
        points => Ok(points),
    }
}
