//! `/v1/causes`

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use uuid::Uuid;

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created_in, polled};
use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::donation::{Cause, CauseTerms};
use crate::domain::refusal::Refusal;
use crate::read::causes;

/// A page of causes, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Causes {
    /// The causes.
    causes: Vec<Cause>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Define a cause
///
/// Something that members can give points to. Its name stands in the ledger for good.
#[utoipa::path(
    tag = "causes",
    request_body(content = CauseTerms, example = json!({
        "name": "Trees", "goal": 1_000_000, "open_from": "2026-01-01T00:00:00-05:00",
    })),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The cause is there", body = Cause,
         headers(("Location" = String, description = "The address of the cause"),
                 ("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `window_ends_before_it_begins`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["causes:write"])),
)]
#[post("/v1/causes")]
pub async fn post_cause(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<CauseTerms>,
) -> Result<HttpResponse, Problem> {
    let Body(terms) = body;
    let answer = service.decide(&caller, key.required()?, terms).await?;
    created_in("/v1/causes", answer)
}

/// List the causes
///
/// From the newest to the oldest, each with what it was given so far.
#[utoipa::path(
    tag = "causes",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of causes", body = Causes,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("bearer" = ["causes:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/causes")]
pub async fn get_causes(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    query: Query<Page<Uuid>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let load = move |connection: &mut diesel::PgConnection| causes::page(connection, page.before, page.wanted());
    let mut causes = service.reader.run(load).await?;
    let next_cursor = page.cut(&mut causes, |cause| cause.id);
    let list = Causes { causes, next_cursor };
    polled(&request, &list, &list)
}

/// Get a cause
#[utoipa::path(
    tag = "causes",
    params(("cause_id" = String, Path, description = "The cause's id")),
    responses(
        (status = 200, description = "The cause, with what it was given so far", body = Cause,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`cause_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["causes:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/causes/{cause_id}")]
pub async fn get_cause(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    cause_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::refused(&Refusal::CauseNotFound, false);
    // What is no id is the id of no cause.
    let id = Uuid::try_parse(&cause_id).map_err(|_| not_found())?;
    let cause = service.reader.run(move |connection| causes::by_id(connection, id)).await?;
    let cause = cause.ok_or_else(not_found)?;
    polled(&request, &cause, &cause)
}

impl Read for CauseTerms {
    fn read(cause: &mut Fields<'_>) -> Option<Self> {
        let name = cause.required("name", fields::string(1..=100));
        let goal = cause.optional("goal", fields::integer(1..=MAX_POINTS));
        let open_from = cause.optional("open_from", fields::timestamp);
        let open_until = cause.optional("open_until", fields::timestamp);
        Some(Self { name: name?, goal, open_from, open_until })
    }
}
