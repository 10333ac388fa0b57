//! `/v1/members/{id}/suspend`, `/resume`, `/close`, `/erase`

use actix_web::{HttpResponse, post, web};

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Nothing};
use super::openapi::Changed;
use super::problem::{Problem, ProblemDocument};
use super::{Service, done};
use crate::domain::movement::enrolment::MemberReply;
use crate::domain::movement::membership::Change;
use crate::ledger::ChangeMembership;

/// Suspend a member
///
/// The member starts nothing new until it is resumed: no orders, redemptions, donations or transfers. Captures, voids,
/// refunds, returns and expiries go on. One that is suspended already stays as it is.
#[utoipa::path(
    tag = "members",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("id" = String, Path, description = "The member's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<MemberReply>,
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`member_closed`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:manage"])),
)]
#[post("/v1/members/{id}/suspend")]
pub async fn suspend_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Suspend).await
}

/// Resume a suspended member
///
/// The member takes part again. One that was not suspended stays as it is.
#[utoipa::path(
    tag = "members",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("id" = String, Path, description = "The member's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<MemberReply>,
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`member_closed`, `idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:manage"])),
)]
#[post("/v1/members/{id}/resume")]
pub async fn resume_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Resume).await
}

/// Close a membership
///
/// For good. What is active or pending is forfeit; what is held can still be captured, and is forfeit when it comes back.
#[utoipa::path(
    tag = "members",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("id" = String, Path, description = "The member's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<MemberReply>,
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:manage"])),
)]
#[post("/v1/members/{id}/close")]
pub async fn close_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Close).await
}

/// Erase what is personal about a member
///
/// For good; closes the membership first. The external id, the birthday, tags, messages, notes, what was bought, and
/// remembered answers that hold any of it are removed. The entries stay, which hold nothing personal. The same customer
/// can be enrolled again, as another member.
#[utoipa::path(
    tag = "members",
    request_body(content = Nothing, description = "An empty object; may be left out"),
    params(
        ("id" = String, Path, description = "The member's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<MemberReply>,
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:manage"])),
)]
#[post("/v1/members/{id}/erase")]
pub async fn erase_member(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    _body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    change(&service, &caller, key, Change::Erase).await
}

async fn change(
    service: &Service,
    caller: &Authorised,
    key: IdempotencyKey,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let command = ChangeMembership(caller.member()?, change);
    done(service.decide(caller, key.required()?, command).await?)
}
