//! `/v1/members/{id}/entries`

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;

use super::access::Authorised;
use super::input::{Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, polled};
use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::Kind;
use crate::read::entries::{self, DueLine, Filter, StatementLine, StatementPage};

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

/// List a member's entries
///
/// From the newest to the oldest, each with the balance after it. `me` stands for the member of the token.
#[utoipa::path(
    tag = "members",
    params(
        ("id" = String, Path, description = "The member's id, or `me`"),
        ("kind" = inline(Option<Kind>), Query, description = "Entries of this kind alone"),
        ("from" = Option<String>, Query, description = "Entries that count from then on, RFC 3339 with an offset"),
        ("until" = Option<String>, Query, description = "Entries that count from before then, RFC 3339 with an offset"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of the statement", body = Statement,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/members/{id}/entries")]
pub async fn get_entries(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<StatementQuery>,
) -> Result<HttpResponse, Problem> {
    let (Query(StatementQuery { filter, page }), id) = (query, caller.member()?);
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let place = (page.before, page.wanted());
    let read =
        service.reader.run(move |connection| entries::statement(connection, id, filter, place, (&clock, &programs)));
    let StatementPage { due, mut entries } = read.await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut entries, |line| line.seq);
    let statement = Statement { due, entries, next_cursor };
    polled(&request, &statement, &statement)
}

/// The parameters of a page of a statement.
pub struct StatementQuery {
    filter: Filter,
    page: Page<i64>,
}

impl Read for StatementQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let kind = query.optional("kind", fields::parsed);
        let from = query.optional("from", fields::timestamp);
        let until = query.optional("until", fields::timestamp);
        Some(Self { filter: Filter { kind, from, until }, page: Page::read(query)? })
    }
}
