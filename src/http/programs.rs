//! `/v1/program/versions`

use std::sync::Arc;

use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;
use serde_json::Value;

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, MAX_BODY, Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created, json};
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::movement::publication::ProgramVersionReply;
use crate::domain::program::{Program, ProgramDocument};
use crate::domain::time::Timestamp;
use crate::ledger::Publish;
use crate::read::programs;

/// A version to publish.
#[derive(utoipa::ToSchema)]
#[schema(as = ProgramVersionRequest)]
pub struct Publication {
    /// From when it decides: at least a minute ahead, and after every published version.
    #[schema(value_type = String, format = DateTime)]
    effective_at: Timestamp,
    /// The document, whole.
    #[schema(value_type = ProgramDocument)]
    document: Arc<Program>,
}

/// A page of the programme's versions, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProgramVersions {
    /// The versions.
    versions: Vec<ProgramVersionReply>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Publish a version of the programme
///
/// Orders that occur from `effective_at` on earn by it; versions never change once published. A bad document is
/// refused whole, with every fault.
#[utoipa::path(
    tag = "program",
    request_body(content = Publication, example = json!({
        "effective_at": "2030-01-01T00:00:00-05:00",
        "document": {
            "name": "Points for everyone", "currency": "USD", "time_zone": "America/New_York",
            "earning": {
                "points_per_unit": "1", "rounding": "down", "pending": "14D", "expiry": "12M_M",
                "maximum_order_amount": "100000.00",
            },
            "redemption": { "point_value": "0.01", "order_share": "0.5", "return_grace": "30D" },
            "refunds": { "policy": "within_balance" },
            "transfers": { "direct": false, "offer_ttl": "7D", "maximum_points": 10_000 },
        },
    })),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The version is published", body = ProgramVersionReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `effective_too_soon`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["program:write"])),
)]
#[post("/v1/program/versions")]
pub async fn post_version(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Publication>,
) -> Result<HttpResponse, Problem> {
    let Body(publication) = body;
    let command = Publish(publication.document, publication.effective_at);
    created(service.decide(&caller, key.required()?, command).await?, None)
}

/// List the programme's versions
#[utoipa::path(
    tag = "program",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of versions", body = ProgramVersions),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("bearer" = ["program:read"])),
)]
#[get("/v1/program/versions")]
pub async fn get_versions(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<Page<i32>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let load = move |connection: &mut diesel::PgConnection| programs::page(connection, page.before, page.wanted());
    let mut versions = service.reader.run(load).await?;
    let next_cursor = page.cut(&mut versions, |version| version.version);
    json(&ProgramVersions { versions, next_cursor })
}

impl Read for Publication {
    const MOST_BYTES: usize = 4 * MAX_BODY;

    fn read(publication: &mut Fields<'_>) -> Option<Self> {
        let effective_at = publication.required("effective_at", fields::timestamp);
        let document = publication.required("document", |value: &Value| Ok(value.clone()));
        let program = document.as_ref().and_then(|document| match Program::read(document) {
            Ok(program) => Some(Arc::new(program)),
            Err(faults) => {
                faults.into_iter().for_each(|fault: Fault| publication.nested_fault("document", fault));
                None
            }
        });
        Some(Self { effective_at: effective_at?, document: program? })
    }
}
