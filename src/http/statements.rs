//! `/v1/members/{id}/entries`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::answer::polled;
use super::call::{Answer, Call, Need, Parameter, Shape, Verb};
use super::caller::Authorised;
use super::input::{Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::Kind;
use crate::read::entries::{self, DueLine, Filter, StatementLine, StatementPage};

/// The calls.
pub const CALLS: &[Call] = &[Call {
    name: "list_entries",
    verb: Verb::Get,
    path: "/v1/members/{id}/entries",
    need: Need::ScopeOrMember("members:read"),
    summary: "List a member's entries",
    about: "\
            From the newest to the oldest, each with the balance after it. `me` stands for the member of the token.",
    query: StatementQuery::PARAMETERS,
    answer: Answer::ok::<Statement>("A page of the statement", include_str!("examples/statement.json")).polled(),
    handler: || web::to(list_entries),
    ..Call::REST
}];

/// A page of a member's statement, from the newest entry to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Statement {
    /// What has fallen due and is not written yet, the newest first; on the first page alone. The wallet counts it.
    due: Vec<DueLine>,
    /// The lines.
    entries: Vec<StatementLine>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn list_entries(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<StatementQuery>,
) -> Result<HttpResponse, Problem> {
    let (Query(StatementQuery { filter, page }), id) = (query, caller.member()?);
    let place = (page.before, page.wanted());
    let found = service.reader.run(move |view| entries::statement(view, id, filter, place)).await?;
    let StatementPage { due, mut entries } = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut entries, |line| line.seq);
    let statement = Statement { due, entries, next_cursor };
    polled(&request, &statement)
}

/// The parameters of a page of a statement.
pub struct StatementQuery {
    filter: Filter,
    page: Page<i64>,
}

impl StatementQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[
        &[
            Parameter::optional("kind", "Entries of this kind alone.", Shape::named::<Kind>()),
            Parameter::optional("from", "Entries that count from then on, RFC 3339 with an offset.", Shape::INSTANT),
            Parameter::optional(
                "until",
                "Entries that count from before then, RFC 3339 with an offset.",
                Shape::INSTANT,
            ),
        ],
        PAGE,
    ];
}

impl Read for StatementQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let kind = query.optional("kind", fields::parsed);
        let from = query.optional("from", fields::timestamp);
        let until = query.optional("until", fields::timestamp);
        Some(Self { filter: Filter { kind, from, until }, page: Page::read(query)? })
    }
}
