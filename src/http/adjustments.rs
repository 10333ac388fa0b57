//! `/v1/adjustments`

use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;
use serde_json::Value;

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created, json};
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::ids::MemberId;
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::adjustment::{Adjustment, AdjustmentReply, Reason, Side};
use crate::read::adjustments::{self, AdjustmentView};

/// A page of a member's adjustments, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Adjustments {
    /// The adjustments.
    adjustments: Vec<AdjustmentView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Adjust a wallet
///
/// Adds points or takes them away: active ones, or those that are pending. Points that are added may keep the dates that
/// they had elsewhere. Active points are taken soonest-expiring first, pending ones from those that become active last.
/// The entry says who did it and why.
#[utoipa::path(
    tag = "adjustments",
    request_body(content = Adjustment, example = json!({
        "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "points": 500,
        "reason": "goodwill", "note": "A late parcel",
    })),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The wallet is adjusted", body = AdjustmentReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_points`, `insufficient_pending_points`, `member_closed`, \
          `idempotency_key_conflict`",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `active_in_future`, `pending_not_in_future`, \
          `expires_in_past`, `expires_before_active`, `points_over_limit`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["adjustments:write"])),
)]
#[post("/v1/adjustments")]
pub async fn post_adjustment(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Adjustment>,
) -> Result<HttpResponse, Problem> {
    let Body(adjustment) = body;
    created(service.decide(&caller, key.required()?, adjustment).await?, None)
}

/// List the adjustments of a member's wallet
///
/// From the newest to the oldest, each with its note. Not for members: a note is written about them, not to them.
#[utoipa::path(
    tag = "adjustments",
    params(("member" = MemberId, Query, description = "Whose wallet"), PageParameters),
    responses(
        (status = 200, description = "A page of adjustments", body = Adjustments),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["adjustments:read"])),
)]
#[get("/v1/adjustments")]
pub async fn get_adjustments(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<AdjustmentsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(AdjustmentsQuery { member, page }) = query;
    let (clock, place) = (service.reader.clock().clone(), (page.before, page.wanted()));
    let load = move |connection: &mut diesel::PgConnection| adjustments::page(connection, member, place, &clock);
    let mut adjustments = service.reader.run(load).await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut adjustments, |adjustment| adjustment.seq);
    json(&Adjustments { adjustments, next_cursor })
}

/// The parameters of a page of adjustments.
pub struct AdjustmentsQuery {
    member: MemberId,
    page: Page<i64>,
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
