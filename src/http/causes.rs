//! `/v1/causes`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use serde_json::json;

use super::answer::{created_in, polled};
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::donation::{Cause, CauseTerms};
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::read::causes;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "define_cause",
        verb: Verb::Post,
        path: "/v1/causes",
        need: Need::Scope("causes:write"),
        key: Key::Required,
        summary: "Define a cause",
        about: "Something that members can give points to. Its name stands in the ledger for good.",
        takes: Some(Takes::body::<CauseTerms, CauseTerms>(&[("Define a cause", || {
            json!({
                "name": "Trees", "goal": 1_000_000, "open_from": "2026-01-01T00:00:00-05:00",
            })
        })])),
        answer: Answer::created::<Cause>("The cause is there", include_str!("examples/cause.json"))
            .located("The address of the cause"),
        refusals: &[WindowEndsBeforeItBegins],
        handler: || web::to(define_cause),
        ..Call::REST
    },
    Call {
        name: "list_causes",
        verb: Verb::Get,
        path: "/v1/causes",
        need: Need::ScopeOrOwner("causes:read"),
        summary: "List the causes",
        about: "From the newest to the oldest, each with what it was given so far.",
        query: &[PAGE],
        answer: Answer::ok::<Causes>("A page of causes", include_str!("examples/cause_list.json")).polled(),
        handler: || web::to(list_causes),
        ..Call::REST
    },
    Call {
        name: "get_cause",
        verb: Verb::Get,
        path: "/v1/causes/{cause_id}",
        need: Need::ScopeOrOwner("causes:read"),
        summary: "Get a cause",
        answer: Answer::ok::<Cause>("The cause, with what it was given so far", include_str!("examples/cause.json"))
            .polled(),
        refusals: &[CauseNotFound],
        handler: || web::to(get_cause),
        ..Call::REST
    },
];

/// A page of causes, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CauseList)]
pub struct Causes {
    /// The causes.
    causes: Vec<Cause>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn define_cause(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<CauseTerms>,
) -> Result<HttpResponse, Problem> {
    let Body(terms) = body;
    let answer = service.decide(&caller, key.required()?, terms).await?;
    created_in("/v1/causes", answer)
}

async fn list_causes(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    query: Query<Page<Uuid>>,
) -> Result<HttpResponse, Problem> {
    let Query(page) = query;
    let mut causes = service.reader.run(move |view| causes::page(view, page.before, page.wanted())).await?;
    let next_cursor = page.cut(&mut causes, |cause| cause.id);
    let list = Causes { causes, next_cursor };
    polled(&request, &list)
}

async fn get_cause(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    cause_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::refused(&Refusal::CauseNotFound, false);
    // What is no id is the id of no cause.
    let id = Uuid::try_parse(&cause_id).map_err(|_| not_found())?;
    let cause = service.reader.run(move |view| causes::by_id(view, id)).await?;
    let cause = cause.ok_or_else(not_found)?;
    polled(&request, &cause)
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
