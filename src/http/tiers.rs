//! `/v1/tiers` and `/v1/members/{id}/tier`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::answer::{created, polled, polled_without};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::movement::assignment::{Assignment, AssignmentReply, Reason};
use crate::domain::program::level;
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::domain::time::Timestamp;
use crate::ledger::AssignTier;
use crate::read::standing::{TierReply, Unseen};
use crate::read::tiers::{self, ChangeView, Held, LevelReply};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "list_tiers",
        verb: Verb::Get,
        path: "/v1/tiers",
        need: Need::ScopeOrOwner("members:read"),
        summary: "List the tiers of the programme",
        about: "\
            From the lowest to the highest, as the programme in force has them; for clients with how many members have \
            each. Without tiers the list is empty.",
        answer: Answer::ok::<Tiers>("The tiers", include_str!("examples/tier_list.json")).polled(),
        handler: || web::to(list_tiers),
        ..Call::REST
    },
    Call {
        name: "get_tier",
        verb: Verb::Get,
        path: "/v1/members/{id}/tier",
        need: Need::ScopeOrMember("members:read"),
        summary: "Get a member's tier",
        about: "\
            Where the member stands, what is missing for the next tier and until when, what that brings, and what keeps \
            the present one. Right at this instant: a term that has ended counts although nothing may have written it \
            down yet. `me` stands for the member of the token.",
        query: &[&[Parameter::optional(
            "as_of",
            "As it was then, RFC 3339 with an offset; by what had occurred by then.",
            Shape::INSTANT,
        )]],
        answer: Answer::ok::<TierReply>("The tier", include_str!("examples/tier.json")).polled(),
        refusals: &[NoTiers],
        handler: || web::to(get_tier),
        ..Call::REST
    },
    Call {
        name: "assign_tier",
        verb: Verb::Post,
        path: "/v1/members/{id}/tier",
        need: Need::Scope("tiers:write"),
        key: Key::Required,
        summary: "Give a member a tier",
        about: "\
            Until it ends the member has at least this tier, whatever its orders come to; then what they come to decides \
            again. It takes the place of what was given before.",
        takes: Some(Takes::body::<Assignment, Assignment>(&[(
            "Give a member a tier",
            || json!({ "tier": "gold", "until": "2027-01-01T00:00:00Z", "reason": "goodwill" }),
        )])),
        answer: Answer::created::<AssignmentReply>("The tier is given", include_str!("examples/tier_assignment.json")),
        refusals: &[MemberNotFound, MemberClosed, NoTiers, UnknownTier, AssignmentEndsInPast],
        handler: || web::to(assign_tier),
        ..Call::REST
    },
    Call {
        name: "list_tier_changes",
        verb: Verb::Get,
        path: "/v1/members/{id}/tiers",
        need: Need::ScopeOrMember("members:read"),
        summary: "List what became of a member's tier",
        about: "From the newest to the oldest. `me` stands for the member of the token.",
        query: &[PAGE],
        answer: Answer::ok::<Changes>("A page of changes", include_str!("examples/tier_change_list.json")).polled(),
        handler: || web::to(list_tier_changes),
        ..Call::REST
    },
    Call {
        name: "get_benefits",
        verb: Verb::Get,
        path: "/v1/members/{id}/benefits",
        need: Need::ScopeOrMember("members:read"),
        summary: "Get what a member's tier brings",
        about: "For the shop's other services: the tier and its benefits, and nothing that costs more to find out.",
        answer: Answer::ok::<Held>("The tier and its benefits", include_str!("examples/benefits.json")).polled(),
        handler: || web::to(get_benefits),
        ..Call::REST
    },
];

/// The tiers of the programme, from the lowest to the highest.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TierList)]
pub struct Tiers {
    /// The tiers.
    tiers: Vec<LevelReply>,
}

/// A page of what became of a member's tier, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TierChangeList)]
pub struct Changes {
    /// What became of it.
    changes: Vec<ChangeView>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn list_tiers(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let counted = caller.own().is_none();
    let tiers = service.reader.run(move |view| tiers::levels(view, counted)).await?.unwrap_or_default();
    let list = Tiers { tiers };
    polled(&request, &list)
}

async fn assign_tier(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<Assignment>,
) -> Result<HttpResponse, Problem> {
    let (Body(assignment), id) = (body, caller.member()?);
    created(service.decide(&caller, key.required()?, AssignTier(id, assignment)).await?, None)
}

async fn get_tier(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<AsOf>,
) -> Result<HttpResponse, Problem> {
    let (Query(AsOf(as_of)), id) = (query, caller.member()?);
    let tier = service.reader.tier(id, as_of).await?.map_err(|unseen| match unseen {
        Unseen::NoMember => Problem::member_not_found(),
        Unseen::NoTiers => Problem::refused(&Refusal::NoTiers, false),
        Unseen::InFuture => {
            let (path, code) = ("/as_of".to_owned(), "out_of_range".to_owned());
            Problem::parameters(vec![Fault { path, code, message: "must not lie in the future".to_owned() }])
        }
    })?;
    match tier.is_rolling {
        true => polled_without(&request, tier.as_ref(), "period"),
        false => polled(&request, tier.as_ref()),
    }
}

async fn list_tier_changes(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
    query: Query<Page<i64>>,
) -> Result<HttpResponse, Problem> {
    let (Query(page), id) = (query, caller.member()?);
    let place = (page.before, page.wanted());
    let found = service.reader.run(move |view| tiers::history(view, id, place)).await?;
    let mut changes = found.ok_or_else(Problem::member_not_found)?;
    let next_cursor = page.cut(&mut changes, |change| change.seq);
    let list = Changes { changes, next_cursor };
    polled(&request, &list)
}

async fn get_benefits(
    service: web::Data<Service>,
    request: HttpRequest,
    caller: Authorised,
) -> Result<HttpResponse, Problem> {
    let id = caller.member()?;
    let held = service.reader.benefits(id).await?;
    let held = held.ok_or_else(Problem::member_not_found)?;
    polled(&request, &held)
}

impl Read for Assignment {
    fn read(assignment: &mut Fields<'_>) -> Option<Self> {
        let tier = assignment.required("tier", level::code);
        let until = assignment.required("until", fields::timestamp);
        let reason = assignment.required("reason", fields::one_of(&Reason::ALL));
        Some(Self { tier: tier?, until: until?, reason: reason? })
    }
}

/// The parameter of a time that has passed.
struct AsOf(Option<Timestamp>);

impl Read for AsOf {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        Some(Self(query.optional("as_of", fields::timestamp)))
    }
}
