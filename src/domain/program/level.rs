//! A level of the tiers: what it asks for, and what its members have.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ladder::Ladder;
use super::{amount_above_zero, names};
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::money::Currency;

/// The most orders that a level may ask for; nobody places more in a year.
const MAX_ORDERS: i64 = 1_000_000;

/// The highest earning factor.
const MAX_FACTOR: u64 = 100;

/// The most decimals of an earning factor. An amount has up to three and a rate up to six, so that the points which they
/// make have eleven, and any number of points that can be posted is exact with as many.
const FACTOR_DECIMALS: u32 = 2;

/// The most benefits of a level.
const MAX_BENEFITS: usize = 50;

/// The most characters of a code.
const MAX_CODE: usize = 32;

/// The most characters of a benefit's value.
const MAX_VALUE: usize = 200;

/// A level, as the programme document writes it. It asks for `annual_spend`, for `orders` or for both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelDocument {
    /// What systems call it: 1 to 32 of a-z, 0-9, `_` and `-`. No other level has it.
    #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "silver")]
    pub code: String,
    /// What people call it, by language tag.
    #[schema(schema_with = names::schema)]
    pub name: BTreeMap<String, String>,
    /// The least spend in the period: a decimal string above zero, in the programme's currency. At least as much as any
    /// lower level asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 17, example = "5000.00")]
    pub annual_spend: Option<String>,
    /// The fewest orders in the period. At least as many as any lower level asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000, example = 1)]
    pub orders: Option<i64>,
    /// Of `annual_spend` and `orders`, which must be reached: `all` or `any`. Only for levels that state both. Absent:
    /// `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub requirement: Option<Combine>,
    /// What the points that an order earns are multiplied by: a decimal string from 0 to 100 with at most 2 decimals.
    /// Absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 6, example = "1.5")]
    pub factor: Option<String>,
    /// What its members have as long as they are on it: all of it, since none comes from lower levels. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 50)]
    pub benefits: Option<Vec<Benefit>>,
}

/// A level, compiled from a [`LevelDocument`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// What systems call it.
    pub code: String,
    /// What people call it, by language tag. Never empty.
    pub name: BTreeMap<String, String>,
    /// What it asks for.
    pub requirement: Requirement,
    /// What the points that an order earns are multiplied by, from 0 to 100, with two decimals at most.
    pub factor: Decimal,
    /// What its members have, each with a code of its own.
    pub benefits: Vec<Benefit>,
}

impl Level {
    /// Reads an object of the array `levels`, whose lower ones are on `ladder`, and puts it there.
    pub(super) fn read(level: &mut Fields<'_>, currency: Option<Currency>, ladder: &mut Ladder) -> Option<Self> {
        let code = level.required("code", code);
        let name = names::read(level);
        let requirement = Requirement::read(level, currency);
        ladder.add(level, code.as_deref(), requirement.as_ref());
        let factor = level.optional("factor", fields::decimal(FACTOR_DECIMALS, MAX_FACTOR)).unwrap_or(Decimal::ONE);
        let mut codes = BTreeSet::new();
        let benefits = level
            .optional_objects("benefits", 0..=MAX_BENEFITS, |benefit| Benefit::read(benefit, &mut codes))
            .unwrap_or_default();
        Some(Self { code: code?, name: name?, requirement: requirement?, factor, benefits })
    }
}

/// What a level asks for in the period. At least one of the two stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// The least spend, above zero, in the programme's currency.
    pub annual_spend: Option<Decimal>,
    /// The fewest orders, at least one.
    pub orders: Option<i64>,
    /// Which of the two must be reached, where both stand.
    pub combine: Combine,
}

/// Which of two requirements must be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = LevelRequirement)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// One of them is enough.
    Any,
    /// Both.
    #[default]
    All,
}

impl Combine {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 2] = [("any", Self::Any), ("all", Self::All)];
}

impl Requirement {
    /// Whether a member meets it with so much spend and so many orders in the period.
    pub fn is_met(&self, spend: Decimal, orders: i64) -> bool {
        let spent = self.annual_spend.map(|least| spend >= least);
        let ordered = self.orders.map(|least| orders >= least);
        match self.combine {
            Combine::Any => spent == Some(true) || ordered == Some(true),
            Combine::All => spent != Some(false) && ordered != Some(false),
        }
    }

    fn read(level: &mut Fields<'_>, currency: Option<Currency>) -> Option<Self> {
        let annual_spend = level.optional("annual_spend", |value| amount_above_zero(value, currency));
        let orders = level.optional("orders", fields::integer(1..=MAX_ORDERS));
        let combine = level.optional("requirement", fields::one_of(&Combine::ALL));
        let stands = [level.has("annual_spend"), level.has("orders")];
        if stands == [false, false] {
            level.fault("annual_spend", Wrong::new("contradiction", "must be given, or orders, or both"));
        }
        if stands != [true, true] && level.has("requirement") {
            let message = "is for levels that ask for annual_spend and orders; leave it out here";
            level.fault("requirement", Wrong::new("contradiction", message));
        }
        // One that has a fault of its own is not held against the others by what is left of it.
        let whole = stands == [annual_spend.is_some(), orders.is_some()] && stands != [false, false];
        whole.then_some(Self { annual_spend, orders, combine: combine.unwrap_or_default() })
    }
}

/// What the members of a level have, as the programme document writes it and answers show it. What it means is up to
/// those who give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Benefit {
    /// What systems call it: 1 to 32 of a-z, 0-9, `_` and `-`. No other benefit of the level has it.
    #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "free_shipping")]
    pub code: String,
    /// What people call it, by language tag.
    #[schema(schema_with = names::schema)]
    pub name: BTreeMap<String, String>,
    /// How much of it there is, or where: a number of days, the address of a page. Absent: there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200, example = "30")]
    pub value: Option<String>,
}

impl Benefit {
    /// Reads an object of the array `benefits`, whose earlier ones have `codes`.
    fn read(benefit: &mut Fields<'_>, codes: &mut BTreeSet<String>) -> Option<Self> {
        let code = benefit.required("code", code);
        if let Some(code) = &code
            && !codes.insert(code.clone())
        {
            benefit.fault("code", Wrong::new("contradiction", "must not be that of another benefit of the level"));
        }
        let name = names::read(benefit);
        let value = benefit.optional("value", fields::string(1..=MAX_VALUE));
        Some(Self { code: code?, name: name?, value })
    }
}

/// Reads the code of a level, or of a benefit.
pub fn code(value: &Value) -> Result<String, Wrong> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    fields::word(1..=MAX_CODE, allowed, "must be of a-z, 0-9, _ and -")(value)
}
