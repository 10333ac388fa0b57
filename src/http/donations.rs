//! `/v1/donations`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use serde_json::json;

use super::answer::{created, polled};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::{Authorised, Whose};
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::donation::{Donation, DonationReply, DonationRequest};
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::read::donations;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "donate_points",
        verb: Verb::Post,
        path: "/v1/donations",
        need: Need::ScopeOrOwner("donations:write"),
        key: Key::Required,
        summary: "Give points to a cause",
        about: "At once and for good. The answer has a receipt number and what the cause was given so far.",
        takes: Some(Takes::body::<Gift, Gift>(&[("Give points to a cause", || {
            json!({
                "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                "cause_id": "01a20785-4fd2-7000-8c60-7fb2419e5da3", "points": 100,
            })
        })])),
        answer: Answer::created::<DonationReply>(
            "The points are given",
            include_str!("examples/donation_receipt.json"),
        ),
        refusals: &[MemberNotFound, CauseNotFound, InsufficientPoints, CauseNotOpen, MemberSuspended, MemberClosed],
        handler: || web::to(donate_points),
        ..Call::REST
    },
    Call {
        name: "list_donations",
        verb: Verb::Get,
        path: "/v1/donations",
        need: Need::ScopeOrOwner("donations:read"),
        summary: "List donations",
        about: "\
            From the newest to the oldest: a member's, or to a cause, or a member's to a cause. A client names at \
            least one of the two; a member's token lists its own.",
        query: DonationsQuery::PARAMETERS,
        answer: Answer::ok::<Donations>("A page of donations", include_str!("examples/donation_list.json")).polled(),
        refusals: &[MemberNotFound, CauseNotFound],
        handler: || web::to(list_donations),
        ..Call::REST
    },
];

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
#[schema(as = DonationList)]
pub struct Donations {
    /// The donations.
    donations: Vec<Donation>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn donate_points(
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

async fn list_donations(
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
            let found = service.reader.run(move |view| donations::to_cause(view, cause, place)).await?;
            (found, Refusal::CauseNotFound)
        }
        (cause, whose) => {
            let member = caller.resolve_parameter(whose, "member")?;
            let found = service.reader.run(move |view| donations::of_member(view, member, cause, place)).await?;
            (found, Refusal::MemberNotFound)
        }
    };
    let mut donations = found.ok_or_else(|| Problem::refused(&missing, false))?;
    let next_cursor = page.cut(&mut donations, |donation| donation.id);
    let list = Donations { donations, next_cursor };
    polled(&request, &list)
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

impl DonationsQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[
        &[
            Parameter::optional("member", "Who gave; with a member's token, its own member.", Shape::MEMBER_OR_ME),
            Parameter::optional("cause", "The cause that was given to.", Shape::UUID),
        ],
        PAGE,
    ];
}

impl Read for DonationsQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let member = query.optional("member", fields::parsed);
        let cause = query.optional("cause", fields::uuid);
        Some(Self { member, cause, page: Page::read(query)? })
    }
}
