//! `/v1/rewards`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{created_in, done, polled};
use super::call::{Answer, Call, Key, Need, Parameter, Shape, Takes, Verb};
use super::caller::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::page::{PAGE, Page};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::reward::{RewardKind, RewardLimit, RewardPatch, RewardReply, RewardRequest, RewardTerms};
use crate::domain::program::level;
use crate::domain::refusal::Refusal;
use crate::domain::refusal::RefusalCode::*;
use crate::ledger::ChangeReward;
use crate::read::rewards;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "offer_reward",
        verb: Verb::Post,
        path: "/v1/rewards",
        need: Need::Scope("rewards:write"),
        key: Key::Required,
        summary: "Offer a reward",
        takes: Some(Takes::body::<RewardRequest, RewardRequest>(&[("Offer a reward", || {
            json!({
                "name": "Umbrella", "kind": "product", "points": 500, "stock": 100, "limit": { "quantity": 2, "period": "1M" },
                "available_from": "2026-01-01T00:00:00-05:00",
            })
        })])),
        answer: Answer::created::<RewardReply>("The reward is offered", include_str!("examples/reward.json"))
            .located("The reward"),
        refusals: &[WindowEndsBeforeItBegins, UnknownTier],
        handler: || web::to(offer_reward),
        ..Call::REST
    },
    Call {
        name: "list_rewards",
        verb: Verb::Get,
        path: "/v1/rewards",
        need: Need::ScopeOrOwner("rewards:read"),
        summary: "List the rewards",
        about: "\
            From the newest to the oldest. Stock that a lapsed hold has reserved counts as taken until the lapse is \
            written.",
        query: RewardsQuery::PARAMETERS,
        answer: Answer::ok::<RewardList>("A page of rewards", include_str!("examples/reward_list.json")).polled(),
        handler: || web::to(list_rewards),
        ..Call::REST
    },
    Call {
        name: "get_reward",
        verb: Verb::Get,
        path: "/v1/rewards/{reward_id}",
        need: Need::ScopeOrOwner("rewards:read"),
        summary: "Get a reward",
        answer: Answer::ok::<RewardReply>("The reward", include_str!("examples/reward.json")).polled(),
        refusals: &[RewardNotFound],
        handler: || web::to(get_reward),
        ..Call::REST
    },
    Call {
        name: "change_reward",
        verb: Verb::Patch,
        path: "/v1/rewards/{reward_id}",
        need: Need::Scope("rewards:write"),
        key: Key::Required,
        summary: "Change a reward",
        about: "\
            What is left out stays as it is; null takes a limit, an end of the window or the limit of the stock \
            away. Redemptions that were made keep their price.",
        takes: Some(Takes::body::<RewardPatch, RewardPatch>(&[(
            "Change a reward",
            || json!({ "points": 450, "stock": 80, "available_until": null }),
        )])),
        answer: Answer::ok::<RewardReply>("As it now is", include_str!("examples/reward.json")),
        refusals: &[RewardNotFound, WindowEndsBeforeItBegins, UnknownTier],
        handler: || web::to(change_reward),
        ..Call::REST
    },
];

/// The most units of a reward.
const MOST_STOCK: i64 = 1_000_000_000;

/// A page of rewards, from the newest to the oldest.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RewardList {
    /// The rewards.
    rewards: Vec<RewardReply>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

async fn offer_reward(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<RewardRequest>,
) -> Result<HttpResponse, Problem> {
    let Body(reward) = body;
    created_in("/v1/rewards", service.decide(&caller, key.required()?, reward).await?)
}

async fn list_rewards(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    query: Query<RewardsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(RewardsQuery { available, page }) = query;
    let place = (page.before, page.wanted());
    let mut rewards = service.reader.run(move |view| rewards::page(view, available, place)).await?;
    let next_cursor = page.cut(&mut rewards, |reward| reward.id);
    let list = RewardList { rewards, next_cursor };
    polled(&request, &list)
}

async fn get_reward(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    reward_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id(&reward_id)?;
    let reward = service.reader.run(move |view| rewards::by_id(view, id)).await?;
    let reward = reward.ok_or_else(|| Problem::refused(&Refusal::RewardNotFound, false))?;
    polled(&request, &reward)
}

async fn change_reward(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    reward_id: web::Path<String>,
    body: Body<RewardPatch>,
) -> Result<HttpResponse, Problem> {
    let (Body(patch), key) = (body, key.required()?);
    done(service.decide(&caller, key, ChangeReward(id(&reward_id)?, patch)).await?)
}

// An id that no reward can have is an unknown reward like any other.
fn id(reward_id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(reward_id).map_err(|_| Problem::refused(&Refusal::RewardNotFound, false))
}

/// The parameters of a page of rewards.
pub struct RewardsQuery {
    available: bool,
    page: Page<Uuid>,
}

impl RewardsQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[
        &[Parameter::optional("available", "`true`: only those in their window and in stock, now.", Shape::YES_OR_NO)],
        PAGE,
    ];
}

impl Read for RewardsQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let available = query.optional("available", fields::one_of(&[("true", true), ("false", false)]));
        Some(Self { available: available.unwrap_or(false), page: Page::read(query)? })
    }
}

impl Read for RewardRequest {
    fn read(reward: &mut Fields<'_>) -> Option<Self> {
        let name = reward.required("name", fields::string(1..=100));
        let kind = reward.required("kind", fields::one_of(&RewardKind::ALL));
        let points = reward.required("points", fields::integer(1..=MAX_POINTS));
        let limit = reward.optional_object("limit", read_limit);
        let available_from = reward.optional("available_from", fields::timestamp);
        let available_until = reward.optional("available_until", fields::timestamp);
        let min_tier = reward.optional("min_tier", level::code);
        let stock = reward.optional("stock", read_stock);
        let (name, kind, points) = (name?, kind?, points?);
        Some(Self {
            terms: RewardTerms { name, kind, points, limit, available_from, available_until, min_tier },
            stock,
        })
    }
}

impl Read for RewardPatch {
    fn read(patch: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            name: patch.optional("name", fields::string(1..=100)),
            points: patch.optional("points", fields::integer(1..=MAX_POINTS)),
            limit: patch.nullable_object("limit", read_limit),
            available_from: patch.nullable("available_from", fields::timestamp),
            available_until: patch.nullable("available_until", fields::timestamp),
            min_tier: patch.nullable("min_tier", level::code),
            stock: patch.nullable("stock", read_stock),
        })
    }
}

fn read_limit(limit: &mut Fields<'_>) -> Option<RewardLimit> {
    let quantity = limit.required("quantity", fields::integer(1..=1_000_000));
    let period = limit.optional("period", fields::lasting_period);
    Some(RewardLimit { quantity: quantity?, period })
}

fn read_stock(value: &Value) -> Result<i64, Wrong> {
    fields::integer(0..=MOST_STOCK)(value)
}
