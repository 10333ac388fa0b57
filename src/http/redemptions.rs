//! `/v1/redemptions`

mod input;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use uuid::Uuid;

pub use self::input::PartOfPoints;
use self::input::{RedemptionBody, RedemptionFields, RedemptionsQuery};
use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Nothing, Query, in_currency};
use super::openapi::Changed;
use super::page::PageParameters;
use super::problem::{Problem, ProblemDocument};
use super::{Service, created_in, done, polled};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::movement::redemption::{CaptureRequest, Purpose, RedemptionReply, RedemptionRequest};
use crate::domain::record::redemption::{Redemption, RedemptionStatus};
use crate::domain::refusal::Refusal;
use crate::ledger::{Capture, Return, Void};
use crate::read::{members, redemptions};

/// A page of a member's redemptions, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RedemptionList {
    /// The redemptions.
    redemptions: Vec<Redemption>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Redeem points
///
/// For an order (`points`) or for a reward (`reward_id`), one of the two. With `hold` the points are set aside until they
/// are captured or voided, or the hold lapses; without it they are spent at once. With `order_amount` the points may pay
/// no more than the programme's share of it. Where points have a value in money, so few that they are worth nothing are
/// refused. A member's token redeems for its own member, and holds for no longer than the programme's `member_hold`.
#[utoipa::path(
    tag = "redemptions",
    request_body(content = RedemptionFields, examples(
        ("points for an order" = (value = json!({
            "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "points": 200,
            "order_amount": "42.50", "hold": { "ttl": "15m" },
        }))),
        ("a reward" = (value = json!({
            "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
            "reward_id": "01a20785-4fd2-7000-a5b9-1e6c38d2f074", "quantity": 1,
        }))),
    )),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The points are held or spent", body = RedemptionReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"),
                 ("Location" = String, description = "The redemption"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 404, description = "`member_not_found`, `reward_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_points`, `reward_not_available`, `reward_out_of_stock`, \
         `reward_limit_reached`, `member_suspended`, `member_closed`, `idempotency_key_conflict`",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `over_order_share`, `points_without_value`, \
         `points_worth_nothing`, `points_over_limit`, `member_hold_too_long`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/redemptions")]
pub async fn post_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<RedemptionBody>,
) -> Result<HttpResponse, Problem> {
    let (Body(body), key) = (body, key.required()?);
    let member_id = caller.resolve(body.member_id, "member_id")?;
    let (mut purpose, hold) = (body.purpose, body.hold.map(|hold| hold.ttl));
    if let Purpose::Order { order_amount: Some(amount), .. } = &mut purpose {
        let clock = service.reader.clock().clone();
        let now = service.reader.run(move |connection| members::present(connection, member_id, &clock)).await?;
        let now = now.ok_or_else(Problem::member_not_found)?;
        let currency = service.ledger.programs().book().at(now).program.currency;
        *amount = in_currency(*amount, currency, "order_amount")?;
    }
    let command = RedemptionRequest { member_id, purpose, hold };
    created_in("/v1/redemptions", service.decide(&caller, key, command).await?)
}

/// List a member's redemptions
///
/// From the newest to the oldest. A hold that is past its end is `lapsed`.
#[utoipa::path(
    tag = "redemptions",
    params(
        ("member" = Option<String>, Query, description = "Whose; a client must say, and a member's token means its own"),
        ("status" = inline(Option<RedemptionStatus>), Query, description = "Redemptions in this state alone"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of redemptions", body = RedemptionList,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/redemptions")]
pub async fn get_redemptions(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<RedemptionsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(RedemptionsQuery { member, status, page }) = query;
    let (member, clock) = (caller.resolve_parameter(member, "member")?, service.reader.clock().clone());
    let place = (page.before, page.wanted());
    let load =
        move |connection: &mut diesel::PgConnection| redemptions::page(connection, member, status, place, &clock);
    let mut redemptions = service.reader.run(load).await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut redemptions, |redemption| Uuid::from(redemption.id));
    let list = RedemptionList { redemptions, next_cursor };
    polled(&request, &list, &list)
}

/// Get a redemption
///
/// A hold that is past its end is `lapsed`.
#[utoipa::path(
    tag = "redemptions",
    params(("redemption_id" = String, Path, description = "The redemption's id")),
    responses(
        (status = 200, description = "The redemption", body = Redemption,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`redemption_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/redemptions/{redemption_id}")]
pub async fn get_redemption(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    redemption_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, clock) = (id(&redemption_id)?, service.reader.clock().clone());
    let redemption = service.reader.run(move |connection| redemptions::by_id(connection, id, &clock)).await?;
    let may_see = |member: MemberId| caller.own().is_none_or(|own| own == member);
    let redemption = redemption.filter(|redemption| may_see(redemption.member_id)).ok_or_else(not_found)?;
    polled(&request, &redemption, &redemption)
}

/// Capture a hold
///
/// Spends `points` of it, or all; the rest goes back, under the programme's grace where its lot has ended. With
/// `order_id` it pays that order, also where the hold did not name one. A reward is captured whole. The body may be left
/// out.
#[utoipa::path(
    tag = "redemptions",
    request_body(
        content = CaptureRequest, description = "May be left out: then all held points are captured",
        example = json!({ "points": 150, "order_id": "A-1001" }),
    ),
    params(
        ("redemption_id" = String, Path, description = "The redemption's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<RedemptionReply>,
        (status = 404, description = "`redemption_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`hold_lapsed`, `redemption_state_conflict`, `redemption_of_another_order`, \
         `idempotency_key_conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `capture_over_held`, `reward_captured_whole`, \
         `points_worth_nothing`", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:write"])),
)]
#[post("/v1/redemptions/{redemption_id}/capture")]
pub async fn capture_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<CaptureRequest>,
) -> Result<HttpResponse, Problem> {
    let (Body(asked), key) = (body, key.required()?);
    done(service.decide(&caller, key, Capture(id(&redemption_id)?, asked)).await?)
}

/// Void a hold
///
/// Gives its points back; those whose lot has ended meanwhile get the programme's grace. A member's token voids what it
/// made itself for no order, and then they expire at once. The body may be left out.
#[utoipa::path(
    tag = "redemptions",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("redemption_id" = String, Path, description = "The redemption's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<RedemptionReply>,
        (status = 404, description = "`redemption_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`hold_lapsed`, `redemption_state_conflict`, `hold_of_shop`, \
         `idempotency_key_conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/redemptions/{redemption_id}/void")]
pub async fn void_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Body(Nothing {}), key) = (body, key.required()?);
    done(service.decide(&caller, key, Void(id(&redemption_id)?)).await?)
}

/// Return captured points
///
/// Gives `points` of what was captured back to their own lots, the last taken first, or all that has not come back yet.
/// Points whose lot has ended get the programme's grace. The body may be left out.
#[utoipa::path(
    tag = "redemptions",
    request_body(content = PartOfPoints, description = "May be left out: then all that was captured comes back", example = json!({ "points": 50 })),
    params(
        ("redemption_id" = String, Path, description = "The redemption's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<RedemptionReply>,
        (status = 404, description = "`redemption_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`hold_lapsed`, `redemption_state_conflict`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `return_over_captured`, `reward_returned_in_units`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["redemptions:write"])),
)]
#[post("/v1/redemptions/{redemption_id}/return")]
pub async fn return_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<PartOfPoints>,
) -> Result<HttpResponse, Problem> {
    let (Body(PartOfPoints { points }), key) = (body, key.required()?);
    done(service.decide(&caller, key, Return(id(&redemption_id)?, points)).await?)
}

// An id that no redemption can have is an unknown redemption like any other.
fn id(redemption_id: &str) -> Result<RedemptionId, Problem> {
    redemption_id.parse().map_err(|_| not_found())
}

fn not_found() -> Problem {
    Problem::refused(&Refusal::RedemptionNotFound, false)
}
