//! Tiers as answers show them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::progress::{Missing, Next};
use crate::domain::money::{self, Currency};
use crate::domain::program::level::{Benefit, Level, Requirement};
use crate::domain::time::{self, Timestamp};

/// A tier's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NamedTier {
    /// Its code.
    #[schema(max_length = 32, example = "gold")]
    pub code: String,
    /// What people call it, by language tag.
    pub name: BTreeMap<String, String>,
}

impl NamedTier {
    /// Those of a level.
    pub fn of(level: &Level) -> Self {
        Self { code: level.code.clone(), name: level.name.clone() }
    }
}

/// The way to the next tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierProgress)]
pub struct Progress {
    /// The tier.
    pub next: NamedTier,
    /// What it asks for.
    pub requirement: Asked,
    /// What of that is missing.
    pub missing: Asked,
    /// Until when it counts, without a time where orders go out of the period one after the other.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub by: Option<Timestamp>,
    /// What it brings that the member does not have yet.
    pub brings: Vec<Benefit>,
}

/// Spend and orders that a tier asks for. Where both stand, the programme says whether either is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierAsked)]
pub struct Asked {
    /// How much spend, a decimal string; absent where none is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "3720.00")]
    pub annual_spend: Option<String>,
    /// How many orders; absent where none are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub orders: Option<i64>,
}

impl Progress {
    /// The way up to `next` from the level that is `held`.
    pub fn of(next: &Next<'_>, held: Option<&Level>, currency: Currency) -> Self {
        let has = |benefit: &Benefit| held.is_some_and(|level| level.benefits.contains(benefit));
        Self {
            next: NamedTier::of(next.level),
            requirement: Asked::of(&next.level.requirement, currency),
            missing: Asked::of_missing(next.missing, currency),
            by: next.by,
            brings: next.level.benefits.iter().filter(|benefit| !has(benefit)).cloned().collect(),
        }
    }
}

impl Asked {
    /// What a level asks for.
    pub fn of(requirement: &Requirement, currency: Currency) -> Self {
        let annual_spend = requirement.annual_spend.map(|spend| money::format_amount(spend, currency));
        Self { annual_spend, orders: requirement.orders }
    }

    /// What is missing of that.
    pub fn of_missing(missing: Missing, currency: Currency) -> Self {
        let annual_spend = missing.annual_spend.map(|spend| money::format_amount(spend, currency));
        Self { annual_spend, orders: missing.orders }
    }
}
