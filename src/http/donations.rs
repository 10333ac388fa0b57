//! `/v1/donations`

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use uuid::Uuid;

use super::access::{Authorised, Whose};
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created, polled};
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::donation::{Donation, DonationReply, DonationRequest};
use crate::domain::refusal::Refusal;
use crate::read::donations;

/// Points to be given to a cause.
#[derive(utoipa::ToSchema)]
#[schema(as = DonationRequest)]
pub struct Gift {
    /// Who gives; left out with a member's token, which means its own member.
    #[schema(value_type = Option<String>, nullable = false)]
    member_id: Option<Whose>,
    /// To what.
    cause_id: Uuid,
    /// How many points.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64)]
    points: i64,
}

/// A page of donations, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Donations {
    /// The donations.
    donations: Vec<Donation>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Give points to a cause
///
/// At once and for good. The answer has a receipt number and what the cause was given so far.
#[utoipa::path(
    tag = "donations",
    request_body(content = Gift, example = json!({
        "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
        "cause_id": "01a20785-4fd2-7000-8c60-7fb2419e5da3", "points": 100,
    })),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The points are given", body = DonationReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 404, description = "`member_not_found`, `cause_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_points`, `cause_not_open`, `member_suspended`, `member_closed`, \
         `idempotency_key_conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["donations:write"]), ("bearer" = ["me"])),
)]
#[post("/v1/donations")]
pub async fn post_donation(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Gift>,
) -> Result<HttpResponse, Problem> {
    let Body(Gift { member_id, cause_id, points }) = body;
    let member_id = caller.resolve(member_id, "member_id")?;
    let command = DonationRequest { member_id, cause_id, points };
    created(service.decide(&caller, key.required()?, command).await?, None)
}

/// List donations
///
/// From the newest to the oldest: a member's, or to a cause, or a member's to a cause. A client names at least one of
/// the two; a member's token lists its own.
#[utoipa::path(
    tag = "donations",
    params(
        ("member" = Option<String>, Query, description = "Who gave; with a member's token, its own member"),
        ("cause" = Option<String>, Query, description = "The cause that was given to"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of donations", body = Donations,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`member_not_found`, `cause_not_found`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["donations:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/donations")]
pub async fn get_donations(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<DonationsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(DonationsQuery { member, cause, page }) = query;
    let place = (page.before, page.wanted());
    let (found, missing) = match (cause, member.or(caller.own().map(Whose::Member))) {
        (None, None) => return Err(Problem::parameters(vec![neither()])),
        (Some(cause), None) => {
            let load = move |connection: &mut diesel::PgConnection| donations::to_cause(connection, cause, place);
            (service.reader.run(load).await?, Refusal::CauseNotFound)
        }
        (cause, whose) => {
            let (member, clock) = (caller.resolve_parameter(whose, "member")?, service.reader.clock().clone());
            let load = move |connection: &mut diesel::PgConnection| {
                donations::of_member(connection, member, cause, place, &clock)
            };
            (service.reader.run(load).await?, Refusal::MemberNotFound)
        }
    };
    let mut donations = found.ok_or_else(|| Problem::refused(&missing, false))?;
    let next_cursor = page.cut(&mut donations, |donation| donation.id);
    let list = Donations { donations, next_cursor };
    polled(&request, &list, &list)
}

fn neither() -> Fault {
    let (path, code) = ("/member".to_owned(), "missing".to_owned());
    Fault { path, code, message: "is required where no cause is named".to_owned() }
}

impl Read for Gift {
    fn read(gift: &mut Fields<'_>) -> Option<Self> {
        let member_id = gift.optional("member_id", fields::parsed);
        let cause_id = gift.required("cause_id", fields::uuid);
        let points = gift.required("points", fields::integer(1..=MAX_POINTS));
        Some(Self { member_id, cause_id: cause_id?, points: points? })
    }
}

/// The parameters of a page of donations.
pub struct DonationsQuery {
    member: Option<Whose>,
    cause: Option<Uuid>,
    page: Page<Uuid>,
}

impl Read for DonationsQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let member = query.optional("member", fields::parsed);
        let cause = query.optional("cause", fields::uuid);
        Some(Self { member, cause, page: Page::read(query)? })
    }
}
