//! `/v1/redemptions`

mod input;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

pub use self::input::PartOfPoints;
use self::input::{RedemptionBody, RedemptionFields, RedemptionsQuery};
use serde_json::json;

use super::answer::{created_in, done, polled};
use super::call::{Answer, Call, Key, Need, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Nothing, Query, in_currency};
use super::problem::Problem;
use super::service::Service;
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::movement::redemption::{CaptureRequest, Purpose, RedemptionReply, RedemptionRequest};
use crate::domain::record::redemption::Redemption;
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::ledger::{ChangeRedemption, RedemptionChange};
use crate::read::{redemptions, route};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "redeem_points",
        verb: Verb::Post,
        path: "/v1/redemptions",
        need: Need::ScopeOrOwner("redemptions:write"),
        key: Key::Required,
        summary: "Redeem points",
        about: "\
            For an order (`points`) or for a reward (`reward_id`), one of the two. With `hold` the points are set \
            aside until they are captured or voided, or the hold lapses; without it they are spent at once. With \
            `order_amount` the points may pay no more than the programme's share of it. Where points have a value in \
            money, so few that they are worth nothing are refused. A member's token redeems for its own member, and \
            holds for no longer than the programme's `member_hold`.",
        takes: Some(Takes::body::<RedemptionBody, RedemptionFields>(&[
            ("points for an order", || {
                json!({
                    "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41", "points": 200,
                    "order_amount": "42.50", "hold": { "ttl": "15m" },
                })
            }),
            ("a reward", || {
                json!({
                    "member_id": "01a20785-50b0-7001-9a3c-5d0f7e2b8c41",
                    "reward_id": "01a20785-4fd2-7000-a5b9-1e6c38d2f074", "quantity": 1,
                })
            }),
        ])),
        answer: Answer::created::<RedemptionReply>(
            "The points are held or spent",
            include_str!("examples/redemption_receipt.json"),
        )
        .located("The redemption"),
        refusals: &[
            MemberNotFound,
            RewardNotFound,
            InsufficientPoints,
            RewardNotAvailable,
            TierRequired,
            RewardOutOfStock,
            RewardLimitReached,
            MemberSuspended,
            MemberClosed,
            OverOrderShare,
            PointsWithoutValue,
            PointsWorthNothing,
            PointsOverLimit,
            MemberHoldTooLong,
        ],
        handler: || web::to(redeem_points),
        ..Call::REST
    },
    Call {
        name: "list_redemptions",
        verb: Verb::Get,
        path: "/v1/redemptions",
        need: Need::ScopeOrOwner("redemptions:read"),
        summary: "List a member's redemptions",
        about: "From the newest to the oldest. A hold that is past its end is `lapsed`.",
        query: RedemptionsQuery::PARAMETERS,
        answer: Answer::ok::<RedemptionList>("A page of redemptions", include_str!("examples/redemption_list.json"))
            .polled(),
        refusals: &[MemberNotFound],
        handler: || web::to(list_redemptions),
        ..Call::REST
    },
    Call {
        name: "get_redemption",
        verb: Verb::Get,
        path: "/v1/redemptions/{redemption_id}",
        need: Need::ScopeOrOwner("redemptions:read"),
        summary: "Get a redemption",
        about: "A hold that is past its end is `lapsed`.",
        answer: Answer::ok::<Redemption>("The redemption", include_str!("examples/redemption.json")).polled(),
        refusals: &[RedemptionNotFound],
        handler: || web::to(get_redemption),
        ..Call::REST
    },
    Call {
        name: "capture_redemption",
        verb: Verb::Post,
        path: "/v1/redemptions/{redemption_id}/capture",
        need: Need::Scope("redemptions:write"),
        key: Key::Required,
        summary: "Capture a hold",
        about: "\
            Spends `points` of it, or all; the rest goes back, under the programme's grace where its lot has ended. \
            With `order_id` it pays that order, also where the hold did not name one. A reward is captured whole. \
            The body may be left out.",
        takes: Some(Takes::body::<CaptureRequest, CaptureRequest>(&[(
            "Capture a hold",
            || json!({ "points": 150, "order_id": "A-1001" }),
        )])),
        answer: Answer::ok::<RedemptionReply>("As it now is", include_str!("examples/redemption_receipt.json")),
        refusals: &[
            RedemptionNotFound,
            HoldLapsed,
            RedemptionStateConflict,
            RedemptionOfAnotherOrder,
            CaptureOverHeld,
            RewardCapturedWhole,
            PointsWorthNothing,
        ],
        handler: || web::to(capture_redemption),
        ..Call::REST
    },
    Call {
        name: "void_redemption",
        verb: Verb::Post,
        path: "/v1/redemptions/{redemption_id}/void",
        need: Need::ScopeOrOwner("redemptions:write"),
        key: Key::Required,
        summary: "Void a hold",
        about: "\
            Gives its points back; those whose lot has ended meanwhile get the programme's grace. A member's token \
            voids what it made itself for no order, and then they expire at once. The body may be left out.",
        takes: Some(Takes::body::<Nothing, Nothing>(&[("nothing", || json!({}))])),
        answer: Answer::ok::<RedemptionReply>("As it now is", include_str!("examples/redemption_receipt.json")),
        refusals: &[RedemptionNotFound, HoldLapsed, RedemptionStateConflict, HoldOfShop],
        handler: || web::to(void_redemption),
        ..Call::REST
    },
    Call {
        name: "return_redemption",
        verb: Verb::Post,
        path: "/v1/redemptions/{redemption_id}/return",
        need: Need::Scope("redemptions:write"),
        key: Key::Required,
        summary: "Return captured points",
        about: "\
            Gives `points` of what was captured back to their own lots, the last taken first, or all that has not \
            come back yet. Points whose lot has ended get the programme's grace. The body may be left out.",
        takes: Some(Takes::body::<PartOfPoints, PartOfPoints>(&[(
            "Return captured points",
            || json!({ "points": 50 }),
        )])),
        answer: Answer::ok::<RedemptionReply>("As it now is", include_str!("examples/redemption_receipt.json")),
        refusals: &[RedemptionNotFound, HoldLapsed, RedemptionStateConflict, ReturnOverCaptured, RewardReturnedInUnits],
        handler: || web::to(return_redemption),
        ..Call::REST
    },
];

/// A page of a member's redemptions, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RedemptionList {
    /// The redemptions.
    redemptions: Vec<Redemption>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn redeem_points(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<RedemptionBody>,
) -> Result<HttpResponse, Problem> {
    let (Body(body), key) = (body, key.required()?);
    let member_id = caller.resolve(body.member_id, "member_id")?;
    let (mut purpose, hold) = (body.purpose, body.hold.map(|hold| hold.ttl));
    if let Purpose::Order { order_amount: Some(amount), .. } = &mut purpose {
        let now = service.reader.route(move |primary| route::present(primary, member_id)).await?;
        let now = service.ledger.clock().read(now.ok_or_else(Problem::member_not_found)?);
        let currency = service.ledger.programs().book().at(now).program.currency;
        *amount = in_currency(*amount, currency, "order_amount")?;
    }
    let command = RedemptionRequest { member_id, purpose, hold };
    created_in("/v1/redemptions", service.decide(&caller, key, command).await?)
}

async fn list_redemptions(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<RedemptionsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(RedemptionsQuery { member, status, page }) = query;
    let (member, place) = (caller.resolve_parameter(member, "member")?, (page.before, page.wanted()));
    let found = service.reader.run(move |view| redemptions::page(view, member, status, place)).await?;
    let mut redemptions = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut redemptions, |redemption| Uuid::from(redemption.id));
    let list = RedemptionList { redemptions, next_cursor };
    polled(&request, &list)
}

async fn get_redemption(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    redemption_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id(&redemption_id)?;
    let redemption = service.reader.run(move |view| redemptions::by_id(view, id)).await?;
    let may_see = |member: MemberId| caller.own().is_none_or(|own| own == member);
    let redemption = redemption.filter(|redemption| may_see(redemption.member_id)).ok_or_else(not_found)?;
    polled(&request, &redemption)
}

async fn capture_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<CaptureRequest>,
) -> Result<HttpResponse, Problem> {
    let (Body(asked), key) = (body, key.required()?);
    done(service.decide(&caller, key, ChangeRedemption(id(&redemption_id)?, RedemptionChange::Capture(asked))).await?)
}

async fn void_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Body(Nothing {}), key) = (body, key.required()?);
    done(service.decide(&caller, key, ChangeRedemption(id(&redemption_id)?, RedemptionChange::Void)).await?)
}

async fn return_redemption(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    redemption_id: web::Path<String>,
    body: Body<PartOfPoints>,
) -> Result<HttpResponse, Problem> {
    let (Body(PartOfPoints { points }), key) = (body, key.required()?);
    done(service.decide(&caller, key, ChangeRedemption(id(&redemption_id)?, RedemptionChange::Return(points))).await?)
}

// An id that no redemption can have is an unknown redemption like any other.
fn id(redemption_id: &str) -> Result<RedemptionId, Problem> {
    redemption_id.parse().map_err(|_| not_found())
}

fn not_found() -> Problem {
    Problem::refused(&Refusal::RedemptionNotFound, false)
}
