//! Rewards: what points can be redeemed for, and how much of it there is.
//!
//! Its stock is a [`Counter`] under the reward's id.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::decide::Context;
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{Draft, Kind, MAX_POINTS, derive_id};
use crate::domain::journal::payload::Payload;
use crate::domain::member::Member;
use crate::domain::program::ProgramBook;
use crate::domain::record::counter::Counter;
use crate::domain::record::redemption::Redemption;
use crate::domain::refusal::Refusal;
use crate::domain::time::{self, Period, Timestamp};

/// What kind of thing a reward is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Goods.
    Product,
    /// Something done for the member.
    Service,
    /// A coupon.
    Coupon,
}

impl RewardKind {
    /// Each with its name.
    pub const ALL: [(&str, Self); 3] =
        [("product", Self::Product), ("service", Self::Service), ("coupon", Self::Coupon)];
}

/// How much of a reward one member may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RewardLimit {
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: i64,
    /// In which time, such as 1M; absent: ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "1M")]
    pub period: Option<Period>,
}

/// What a reward is, without its stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RewardTerms {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100, example = "Umbrella")]
    pub name: String,
    /// What it is.
    pub kind: RewardKind,
    /// What one costs, in points.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub points: i64,
    /// How many one member may have; absent: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<RewardLimit>,
    /// From when on it can be redeemed; absent: from the beginning.
    #[serde(default, with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub available_from: Option<Timestamp>,
    /// Until when, exclusive; absent: for good.
    #[serde(default, with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub available_until: Option<Timestamp>,
    /// The code of the lowest tier whose members may have it; absent: everybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 32, example = "gold")]
    pub min_tier: Option<String>,
}

/// A reward to be offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RewardRequest {
    /// What it is.
    #[serde(flatten)]
    pub terms: RewardTerms,
    /// How many there are; absent: without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1_000_000_000)]
    pub stock: Option<i64>,
}

/// A change of a reward. What is left out stays; null takes a limit away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct RewardPatch {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What one costs, in points. Redemptions that were made keep their price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub points: Option<i64>,
    /// How many one member may have; null: as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RewardLimit>)]
    pub limit: Option<Option<RewardLimit>>,
    /// From when on it can be redeemed; null: from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub available_from: Option<Option<Timestamp>>,
    /// Until when, exclusive; null: for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub available_until: Option<Option<Timestamp>>,
    /// The code of the lowest tier whose members may have it; null: everybody may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    pub min_tier: Option<Option<String>>,
    /// How many there are from now on, besides those that are taken; null: without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000)]
    pub stock: Option<Option<i64>>,
}

/// A reward and its stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub terms: RewardTerms,
    /// How many there are.
    pub stock: Counter,
}

/// A reward as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Reward)]
pub struct RewardReply {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    #[serde(flatten)]
    pub terms: RewardTerms,
    /// How many are left; null without limit.
    pub stock: Option<i64>,
}

impl RewardTerms {
    fn is_open(&self, now: Timestamp) -> bool {
        self.available_from.is_none_or(|from| from <= now) && self.available_until.is_none_or(|until| now < until)
    }

    // The tier that it asks for is one of the programme in force.
    fn check_tier(&self, context: &Context<'_>) -> Result<(), Refusal> {
        let tiers = context.program().tiers.as_ref();
        match &self.min_tier {
            Some(tier) if tiers.is_none_or(|tiers| tiers.level(tier).is_none()) => {
                Err(Refusal::UnknownTier { tier: tier.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Reward {
    /// As the API shows it.
    pub fn reply(&self) -> RewardReply {
        RewardReply { id: self.id, terms: self.terms.clone(), stock: self.stock.left() }
    }

    /// Can any of it be had at `now`? Limits of a member aside.
    pub fn is_available(&self, now: Timestamp) -> bool {
        self.terms.is_open(now) && self.stock.left().is_none_or(|left| left > 0)
    }

    /// What `quantity` of it cost `member` now, if it may be had. `taken` is what the decision under way has taken of
    /// it already, or given back.
    pub fn price(
        &self,
        member: &Member,
        quantity: i64,
        taken: Option<&i64>,
        context: &Context<'_>,
    ) -> Result<i64, Refusal> {
        let RewardTerms { points, limit, .. } = &self.terms;
        let now = context.now;
        if !self.terms.is_open(now) {
            return Err(Refusal::RewardNotAvailable);
        }
        if let Some(tier) = self.terms.min_tier.as_ref().filter(|tier| !has_tier(member, tier, context.programs)) {
            return Err(Refusal::TierRequired { tier: tier.clone() });
        }
        let left = self.stock.take(taken.copied().unwrap_or_default()).left();
        if let Some(left) = left.filter(|left| quantity > *left) {
            return Err(Refusal::RewardOutOfStock { left });
        }
        if let Some(RewardLimit { quantity: most, period }) = limit {
            let zone = context.program().time_zone;
            let still_counts = |redemption: &&Redemption| {
                redemption.reward_id == Some(self.id)
                    && period.is_none_or(|period| period.after(redemption.created_at, zone) > now)
            };
            let had: i64 = member.records::<Redemption>().filter(still_counts).map(Redemption::stock_taken).sum();
            if had + quantity > *most {
                return Err(Refusal::RewardLimitReached { maximum: *most, left: (most - had).max(0) });
            }
        }
        points.checked_mul(quantity).filter(|points| *points <= MAX_POINTS).ok_or(Refusal::PointsOverLimit)
    }

    fn draft(&self, kind: Kind, context: &Context<'_>) -> Draft {
        let Context { now, programs, command, actor } = *context;
        let stated = Stated { id: self.id, supplied: self.stock.most, terms: &self.terms };
        Draft {
            id: derive_id(now, command.as_bytes(), &[b"entry"]),
            kind,
            member: None,
            actor: actor.to_owned(),
            command: Some(command),
            program_version: programs.at(now).version,
            effective_at: now,
            payload: Payload::default().with("reward", &stated),
            postings: Vec::new(),
        }
    }
}

// What an entry of journal 0 states of a reward.
#[derive(Serialize)]
struct Stated<'a> {
    id: Uuid,
    supplied: Option<i64>,
    terms: &'a RewardTerms,
}

/// What an entry of journal 0 states of a reward: its id, its terms, and how many there ever were.
pub fn read(reward: &Json<'_>) -> Option<(Uuid, RewardTerms, Option<i64>)> {
    let id = reward.get("id")?.as_str()?.parse().ok()?;
    let supplied = match reward.get("supplied")? {
        supplied if supplied.is_null() => None,
        supplied => Some(supplied.as_i64()?),
    };
    Some((id, reward.get("terms")?.to()?, supplied))
}

/// Decides a new reward; the command's id is its own.
pub fn define(request: &RewardRequest, context: &Context<'_>) -> Result<(Reward, Draft), Refusal> {
    let stock = Counter { most: request.stock, taken: 0 };
    let reward = Reward { id: context.command, terms: request.terms.clone(), stock };
    check_window(&reward.terms)?;
    reward.terms.check_tier(context)?;
    let draft = reward.draft(Kind::RewardDefined, context);
    Ok((reward, draft))
}

/// Decides a change of a reward.
pub fn change(reward: &Reward, patch: &RewardPatch, context: &Context<'_>) -> Result<(Reward, Draft), Refusal> {
    let mut changed = reward.clone();
    let terms = &mut changed.terms;
    terms.name = patch.name.clone().unwrap_or_else(|| terms.name.clone());
    terms.points = patch.points.unwrap_or(terms.points);
    terms.limit = patch.limit.clone().unwrap_or_else(|| terms.limit.clone());
    terms.available_from = patch.available_from.unwrap_or(terms.available_from);
    terms.available_until = patch.available_until.unwrap_or(terms.available_until);
    if let Some(tier) = &patch.min_tier {
        terms.min_tier.clone_from(tier);
        terms.check_tier(context)?;
    }
    if let Some(left) = patch.stock {
        changed.stock = changed.stock.with_left(left);
    }
    check_window(&changed.terms)?;
    let draft = changed.draft(Kind::RewardChanged, context);
    Ok((changed, draft))
}

// Does the member have this tier or a higher one? By the rules that gave it its own.
fn has_tier(member: &Member, tier: &str, programs: &ProgramBook) -> bool {
    let place = || {
        let rules = programs.tiers(member.standing.as_ref()?.version)?;
        Some(rules.place(member.tier()?)? >= rules.place(tier)?)
    };
    place().unwrap_or(false)
}

fn check_window(terms: &RewardTerms) -> Result<(), Refusal> {
    match (terms.available_from, terms.available_until) {
        (Some(from), Some(until)) if until <= from => Err(Refusal::WindowEndsBeforeItBegins),
        _ => Ok(()),
    }
}
