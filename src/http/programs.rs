//! `/v1/program/versions`

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{created, json};
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, MAX_BODY, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::movement::publication::ProgramVersionReply;
use crate::domain::program::{Program, ProgramDocument};
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::domain::time::Timestamp;
use crate::ledger::Publish;
use crate::read::programs::{self, VersionReply};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "list_program_versions",
        verb: Verb::Get,
        path: "/v1/program/versions",
        need: Need::Scope("program:read"),
        summary: "List the programme's versions",
        query: &[PAGE],
        answer: Answer::ok::<ProgramVersions>("A page of versions", include_str!("examples/program_version_list.json")),
        handler: || web::to(list_program_versions),
        ..Call::REST
    },
    Call {
        name: "get_program_version",
        verb: Verb::Get,
        path: "/v1/program/versions/{version}",
        need: Need::Scope("program:read"),
        summary: "Get a version of the programme",
        about: "\
            After a version that has other tiers all members are looked at anew, a few at a time; until it is a member's \
            turn, or an order's, its tier is the one that it has. The version says how far this is.",
        answer: Answer::ok::<VersionReply>("The version", include_str!("examples/program_version_detail.json")),
        refusals: &[ProgramVersionNotFound],
        handler: || web::to(get_program_version),
        ..Call::REST
    },
    Call {
        name: "publish_program",
        verb: Verb::Post,
        path: "/v1/program/versions",
        need: Need::Scope("program:write"),
        key: Key::Required,
        summary: "Publish a version of the programme",
        about: "\
            Orders that occur from `effective_at` on earn by it; versions never change once published. A bad \
            document is refused whole, with every fault.",
        takes: Some(Takes::body::<Publication, Publication>(&[("Publish a version of the programme", || {
            json!({
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
            })
        })])),
        answer: Answer::created::<ProgramVersionReply>(
            "The version is published",
            include_str!("examples/program_version.json"),
        ),
        refusals: &[EffectiveTooSoon],
        handler: || web::to(publish_program),
        ..Call::REST
    },
];

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
#[schema(as = ProgramVersionList)]
pub struct ProgramVersions {
    /// The versions.
    versions: Vec<ProgramVersionReply>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn publish_program(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Publication>,
) -> Result<HttpResponse, Problem> {
    let Body(publication) = body;
    let command = Publish(publication.document, publication.effective_at);
    created(service.decide(&caller, key.required()?, command).await?, None)
}

async fn list_program_versions(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<Page<i32>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let mut versions = service.reader.run(move |view| programs::page(view, page.before, page.wanted())).await?;
    let next_cursor = page.cut(&mut versions, |version| version.version);
    json(&ProgramVersions { versions, next_cursor })
}

async fn get_program_version(
    service: web::Data<Service>,
    _caller: Authorised,
    version: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::refused(&Refusal::ProgramVersionNotFound, false);
    let number: i32 = version.parse().map_err(|_| not_found())?;
    let found = service.reader.run(move |view| programs::version(view, number)).await?;
    json(&found.ok_or_else(not_found)?)
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
