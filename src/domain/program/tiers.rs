//! Tiers: which levels members reach by what they spend in a period, and how long they keep them.
//!
//! When a refund counts against a tier is said here, by [`TierRefunds`]. The section `refunds` of the programme is
//! another: it says how far a refund takes points back.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ladder::Ladder;
use super::level::{Level, LevelDocument};
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::money::Currency;
use crate::domain::time::Period;

/// The most levels.
const MAX_LEVELS: usize = 20;

/// The term that lasts until the end of the next period.
const NEXT_PERIOD: &str = "next_period";

/// The tiers of members, as the programme document writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierDocument {
    /// In which time spend and orders count towards a level, in the programme's time zone: `rolling_12_months`, the
    /// twelve months before each instant; `calendar_year`; `membership_year`, the years from the day of enrolment.
    pub period: QualifyingPeriod,
    /// How long a level lasts that was reached: a period of at least a day such as 12M_M, from when it was reached; or
    /// "next_period", until the end of the period after the one in which it was reached, and there is none after
    /// `rolling_12_months`. Absent: 12M for `rolling_12_months`, "next_period" for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 11, example = "next_period")]
    pub term: Option<String>,
    /// How long a level lasts beyond its term: a period that is not empty. Absent: it ends with its term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 9, example = "30D")]
    pub grace: Option<String>,
    /// Where members go who no longer reach their level when it ends. `one_down`: one level down, or as far as they
    /// reach if that is higher; `by_spend`: to the level that they reach, or to none. Absent: `by_spend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub downgrade: Option<Downgrade>,
    /// When a refund counts that brings a member below what its level asks for. `at_once`: it ends the level;
    /// `at_term`: the level lasts as long as it would have, and the refund counts then. How far a refund takes points
    /// back is said in the programme's own section `refunds`. Absent: `at_once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refunds: Option<TierRefunds>,
    /// What of an order counts as spend. `money`: what was paid otherwise than with points; `goods`: its whole amount,
    /// however it was paid. Absent: `money`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub counts: Option<Counts>,
    /// The levels, from the lowest to the highest. A member has the highest that it reaches.
    #[schema(min_items = 1, max_items = 20)]
    pub levels: Vec<LevelDocument>,
}

/// In which time spend and orders count towards a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualifyingPeriod {
    /// The twelve months before each instant.
    #[serde(rename = "rolling_12_months")]
    Rolling,
    /// The calendar's years, in the programme's time zone.
    CalendarYear,
    /// The years that begin on the day of the member's enrolment, in the programme's time zone.
    MembershipYear,
}

impl QualifyingPeriod {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 3] = [
        ("rolling_12_months", Self::Rolling),
        ("calendar_year", Self::CalendarYear),
        ("membership_year", Self::MembershipYear),
    ];

    /// The term of a document that states none.
    fn usual_term(self) -> Term {
        match self {
            Self::Rolling => Term::Span(Period::TWELVE_MONTHS),
            Self::CalendarYear | Self::MembershipYear => Term::NextPeriod,
        }
    }
}

/// Where members go who no longer reach their level when it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TierDowngrade)]
#[serde(rename_all = "snake_case")]
pub enum Downgrade {
    /// One level down, or as far as they reach if that is higher.
    OneDown,
    /// To the level that they reach, or to none.
    #[default]
    BySpend,
}

impl Downgrade {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 2] = [("one_down", Self::OneDown), ("by_spend", Self::BySpend)];
}

/// When a refund counts that brings a member below what its level asks for. How far it takes points back is another
/// question, which a `RefundPolicy` answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierRefunds {
    /// It ends the level.
    #[default]
    AtOnce,
    /// The level lasts as long as it would have, and the refund counts then.
    AtTerm,
}

impl TierRefunds {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 2] = [("at_once", Self::AtOnce), ("at_term", Self::AtTerm)];
}

/// What of an order counts as spend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TierCounts)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// What was paid otherwise than with points.
    #[default]
    Money,
    /// Its whole amount, however it was paid.
    Goods,
}

impl Counts {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 2] = [("money", Self::Money), ("goods", Self::Goods)];
}

/// How long a level lasts that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Until the end of the period after the one in which it was reached. Never of a rolling period.
    NextPeriod,
    /// From when it was reached; a day at least.
    Span(Period),
}

impl Term {
    fn read(value: &Value) -> Result<Self, Wrong> {
        if value.as_str() == Some(NEXT_PERIOD) {
            return Ok(Self::NextPeriod);
        }
        let span: Period = fields::parsed(value)
            .map_err(|wrong| Wrong::new(wrong.code, format!("{}; or be \"{NEXT_PERIOD}\"", wrong.message)))?;
        if !span.has_a_day() {
            return Err(Wrong::new("out_of_range", "must be at least a day"));
        }
        Ok(Self::Span(span))
    }
}

/// The tiers of members, compiled from a [`TierDocument`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRules {
    /// In which time spend and orders count towards a level.
    pub period: QualifyingPeriod,
    /// How long a level lasts that was reached.
    pub term: Term,
    /// How long it lasts beyond its term. `None`: it ends with its term.
    pub grace: Option<Period>,
    /// Where members go who no longer reach their level when it ends.
    pub downgrade: Downgrade,
    /// When a refund counts that brings a member below what its level asks for.
    pub refunds: TierRefunds,
    /// What of an order counts as spend.
    pub counts: Counts,
    /// The levels, from the lowest to the highest: at least one, each with a code of its own, and none that nobody can
    /// be on.
    pub levels: Vec<Level>,
}

impl TierRules {
    /// Reads the `tiers` object of a document. `currency` is `None` where the document's own has a fault, so that the
    /// faults here are found all the same.
    pub fn read(tiers: &mut Fields<'_>, currency: Option<Currency>) -> Option<Self> {
        let period = tiers.required("period", fields::one_of(&QualifyingPeriod::ALL));
        let term = tiers.optional("term", Term::read);
        if let (Some(QualifyingPeriod::Rolling), Some(Term::NextPeriod)) = (period, term) {
            let message = "must be a period such as 12M: none comes after rolling_12_months";
            tiers.fault("term", Wrong::new("contradiction", message));
        }
        let grace = tiers.optional("grace", fields::lasting_period);
        let downgrade = tiers.optional("downgrade", fields::one_of(&Downgrade::ALL)).unwrap_or_default();
        let refunds = tiers.optional("refunds", fields::one_of(&TierRefunds::ALL)).unwrap_or_default();
        let counts = tiers.optional("counts", fields::one_of(&Counts::ALL)).unwrap_or_default();
        let mut ladder = Ladder::default();
        let levels = tiers.objects("levels", 1..=MAX_LEVELS, |level| Level::read(level, currency, &mut ladder));
        let (period, levels) = (period?, levels?);
        let term = term.unwrap_or_else(|| period.usual_term());
        Some(Self { period, term, grace, downgrade, refunds, counts, levels })
    }

    /// The highest level that so much spend and so many orders reach, by its place; none if that is none.
    pub fn reached(&self, spend: Decimal, orders: i64) -> Option<usize> {
        self.levels.iter().rposition(|level| level.requirement.is_met(spend, orders))
    }

    /// The level with this code, if there is one.
    pub fn level(&self, code: &str) -> Option<&Level> {
        self.levels.iter().find(|level| level.code == code)
    }

    /// The place of the level with this code among [`levels`](Self::levels), if there is one.
    pub fn place(&self, code: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.code == code)
    }
}
