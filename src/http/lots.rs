//! `/v1/members/{id}/lots`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::answer::polled;
use super::call::{Answer, Call, Need, Verb};
use super::caller::Authorised;
use super::input::Query;
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::read::lots::{self, LotView, Place};

/// The calls.
pub const CALLS: &[Call] = &[Call {
    name: "list_lots",
    verb: Verb::Get,
    path: "/v1/members/{id}/lots",
    need: Need::ScopeOrMember("members:read"),
    summary: "List a member's lots",
    about: "\
            Points that came together, from the newest to the oldest, as they are at this instant: what is due by \
            time counts although nothing may have written it down yet. `me` stands for the member of the token.",
    query: &[PAGE],
    answer: Answer::ok::<Lots>("A page of lots", include_str!("examples/lot_list.json")).polled(),
    handler: || web::to(list_lots),
    ..Call::REST
}];

/// A page of a member's lots, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LotList)]
pub struct Lots {
    /// The lots, those with nothing left in them included.
    lots: Vec<LotView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn list_lots(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<Page<Place>>,
) -> Result<HttpResponse, Problem> {
    let (Query(page), id) = (query, caller.member()?);
    let found = service.reader.run(move |view| lots::page(view, id, page.before, page.wanted())).await?;
    let mut lots = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut lots, |(place, _)| *place);
    let list = Lots { lots: lots.into_iter().map(|(_, lot)| lot).collect(), next_cursor };
    polled(&request, &list)
}
