//! `/v1/members/{id}/entries`

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::access::Authorised;
use super::input::{Query, Read};
use super::page::Page;
use super::problem::{Problem, ProblemDocument};
use super::{Service, json};
use crate::domain::fields::{self, Fields};
use crate::read::entries::{self, DueLine, Filter, StatementLine};
use crate::read::members;

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
        ("kind" = Option<String>, Query, description = "Entries of this kind alone, such as `points.earned`"),
        ("from" = Option<String>, Query, description = "Entries that count from then on, RFC 3339 with an offset"),
        ("until" = Option<String>, Query, description = "Entries that count from before then, RFC 3339 with an offset"),
        ("limit" = Option<i64>, Query, description = "1 to 200, else 50"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of the statement", body = Statement),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/members/{id}/entries")]
pub async fn get_entries(
    service: web::Data<Service>,
    caller: Authorised,
    query: Query<StatementQuery>,
) -> Result<HttpResponse, Problem> {
    let (Query(StatementQuery { filter, page }), id) = (query, caller.member()?);
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let read = service.reader.run(move |connection| {
        // One snapshot, so that what is due and what is written fit together.
        connection.build_transaction().read_only().repeatable_read().run(|connection| {
            let Some(mut due) = members::due(connection, id, (&clock, &programs))? else { return Ok(None) };
            due.retain(|line| page.before.is_none() && filter.takes(&line.kind, line.effective_at));
            let lines = entries::statement(connection, id, filter, page.before, page.wanted())?;
            Ok(Some((due, lines)))
        })
    });
    let (due, mut lines) = read.await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut lines, |line| line.seq);
    json(&Statement { due, entries: lines, next_cursor })
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
