//! `/v1/members/{id}/lots`

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;

use super::access::Authorised;
use super::input::Query;
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, polled};
use crate::read::lots::{self, LotView, Place};

/// A page of a member's lots, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Lots {
    /// The lots, those with nothing left in them included.
    lots: Vec<LotView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// List a member's lots
///
/// Points that came together, from the newest to the oldest, as they are at this instant: what is due by time counts
/// although nothing may have written it down yet. `me` stands for the member of the token.
#[utoipa::path(
    tag = "members",
    params(
        ("id" = String, Path, description = "The member's id, or `me`"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of lots", body = Lots,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["members:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/members/{id}/lots")]
pub async fn get_lots(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<Page<Place>>,
) -> Result<HttpResponse, Problem> {
    let (Query(page), id) = (query, caller.member()?);
    let (clock, programs) = (service.reader.clock().clone(), service.ledger.programs().book());
    let read = move |connection: &mut diesel::PgConnection| {
        lots::page(connection, id, (&clock, &programs), page.before, page.wanted())
    };
    let mut lots = service.reader.run(read).await?.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut lots, |(place, _)| *place);
    let list = Lots { lots: lots.into_iter().map(|(_, lot)| lot).collect(), next_cursor };
    polled(&request, &list, &list)
}
