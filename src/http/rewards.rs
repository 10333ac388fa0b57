//! `/v1/rewards`

use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::access::Authorised;
use super::input::{Body, IdempotencyKey, Query, Read};
use super::openapi::Changed;
use super::page::{Page, PageParameters};
use super::problem::{Problem, ProblemDocument};
use super::{Service, created_in, done, polled};
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::reward::{RewardKind, RewardLimit, RewardPatch, RewardReply, RewardRequest, RewardTerms};
use crate::domain::refusal::Refusal;
use crate::ledger::ChangeReward;
use crate::read::rewards;

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

/// Offer a reward
#[utoipa::path(
    tag = "rewards",
    request_body(content = RewardRequest, example = json!({
        "name": "Umbrella", "kind": "product", "points": 500, "stock": 100, "limit": { "quantity": 2, "period": "1M" },
        "available_from": "2026-01-01T00:00:00-05:00",
    })),
    params(("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry")),
    responses(
        (status = 201, description = "The reward is offered", body = RewardReply,
         headers(("Idempotency-Replayed" = String, description = "`true` if this was answered before"),
                 ("Location" = String, description = "The reward"))),
        (status = 400, description = "`idempotency_key_required`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `window_ends_before_it_begins`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["rewards:write"])),
)]
#[post("/v1/rewards")]
pub async fn post_reward(
    service: web::Data<Service>,
    caller: Authorised,
    key: IdempotencyKey,
    body: Body<RewardRequest>,
) -> Result<HttpResponse, Problem> {
    let Body(reward) = body;
    created_in("/v1/rewards", service.decide(&caller, key.required()?, reward).await?)
}

/// List the rewards
///
/// From the newest to the oldest. Stock that a lapsed hold has reserved counts as taken until the lapse is written.
#[utoipa::path(
    tag = "rewards",
    params(
        ("available" = Option<bool>, Query, description = "`true`: only those in their window and in stock, now"),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page of rewards", body = RewardList,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("bearer" = ["rewards:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/rewards")]
pub async fn get_rewards(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    query: Query<RewardsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(RewardsQuery { available, page }) = query;
    let clock = service.reader.clock().clone();
    let (before, wanted) = (page.before, page.wanted());
    let load =
        move |connection: &mut diesel::PgConnection| rewards::page(connection, available, (before, wanted), &clock);
    let mut rewards = service.reader.run(load).await?;
    let next_cursor = page.cut(&mut rewards, |reward| reward.id);
    let list = RewardList { rewards, next_cursor };
    polled(&request, &list, &list)
}

/// Get a reward
#[utoipa::path(
    tag = "rewards",
    params(("reward_id" = String, Path, description = "The reward's id")),
    responses(
        (status = 200, description = "The reward", body = RewardReply,
         headers(("ETag" = String, description = "Send it as `If-None-Match` to be told when nothing changed"))),
        (status = 304, description = "Nothing changed"),
        (status = 404, description = "`reward_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "default", description = "Another problem", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["rewards:read"]), ("bearer" = ["me"])),
)]
#[get("/v1/rewards/{reward_id}")]
pub async fn get_reward(
    service: web::Data<Service>,
    request: HttpRequest,
    _caller: Authorised,
    reward_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id(&reward_id)?;
    let reward = service.reader.run(move |connection| rewards::by_id(connection, id)).await?;
    let reward = reward.ok_or_else(|| Problem::refused(&Refusal::RewardNotFound, false))?;
    polled(&request, &reward, &reward)
}

/// Change a reward
///
/// What is left out stays as it is; null takes a limit, an end of the window or the limit of the stock away. Redemptions
/// that were made keep their price.
#[utoipa::path(
    tag = "rewards",
    request_body(content = RewardPatch, example = json!({ "points": 450, "stock": 80, "available_until": null })),
    params(
        ("reward_id" = String, Path, description = "The reward's id"),
        ("Idempotency-Key" = String, Header, description = "A new random value; the same value when you retry"),
    ),
    responses(
        Changed<RewardReply>,
        (status = 404, description = "`reward_not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`idempotency_key_conflict`", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `window_ends_before_it_begins`", body = ProblemDocument,
         content_type = "application/problem+json"),
    ),
    security(("bearer" = ["rewards:write"])),
)]
#[patch("/v1/rewards/{reward_id}")]
pub async fn patch_reward(
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
        let stock = reward.optional("stock", read_stock);
        let (name, kind, points) = (name?, kind?, points?);
        Some(Self { terms: RewardTerms { name, kind, points, limit, available_from, available_until }, stock })
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
