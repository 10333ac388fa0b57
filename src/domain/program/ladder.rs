//! The levels of the tiers held against each other while they are read, from the lowest to the highest.

use rust_decimal::Decimal;

use super::level::{Combine, Requirement};
use crate::domain::fields::{Fields, Wrong};

/// The levels that were read so far.
#[derive(Default)]
pub struct Ladder {
    rungs: Vec<Rung>,
}

struct Rung {
    code: Option<String>,
    /// `None` where it has a fault of its own.
    requirement: Option<Requirement>,
    /// What is enough for this level, and not for one above it.
    own: Vec<(Decimal, i64)>,
}

impl Ladder {
    /// Adds the level that is being read, and reports what it gets wrong beside the lower ones: their code, less than
    /// they ask for, or so little more that nobody is left on one of them.
    pub fn add(&mut self, level: &mut Fields<'_>, code: Option<&str>, requirement: Option<&Requirement>) {
        if code.is_some() && self.rungs.iter().any(|rung| rung.code.as_deref() == code) {
            level.fault("code", Wrong::new("contradiction", "must not be that of another level"));
        }
        if let Some(requirement) = requirement {
            self.check_order(level, requirement);
            self.check_places(level, requirement);
        }
        self.rungs.push(Rung {
            code: code.map(str::to_owned),
            requirement: requirement.copied(),
            own: requirement.map(least).unwrap_or_default(),
        });
    }

    fn check_order(&self, level: &mut Fields<'_>, requirement: &Requirement) {
        let lower = || self.rungs.iter().filter_map(|rung| rung.requirement);
        let spend = lower().filter_map(|lower| lower.annual_spend).max();
        if let (Some(own), Some(most)) = (requirement.annual_spend, spend)
            && own < most
        {
            level.fault("annual_spend", out_of_order(most));
        }
        let orders = lower().filter_map(|lower| lower.orders).max();
        if let (Some(own), Some(most)) = (requirement.orders, orders)
            && own < most
        {
            level.fault("orders", out_of_order(most));
        }
    }

    /// A member has the highest level that it reaches. So one is in vain if whatever is enough for it is enough for a
    /// higher one too; where all that is barely enough is, more of it is as well.
    fn check_places(&mut self, level: &mut Fields<'_>, requirement: &Requirement) {
        for rung in &mut self.rungs {
            // Levels in the wrong order have their fault already.
            if rung.own.is_empty() || rung.requirement.is_none_or(|lower| asks_for_less(requirement, &lower)) {
                continue;
            }
            rung.own.retain(|(spend, orders)| !requirement.is_met(*spend, *orders));
            if rung.own.is_empty() {
                let name = rung.code.as_deref().unwrap_or("a lower level");
                let message = format!("must ask for more: whoever reaches {name} reaches a higher level too");
                let field = if requirement.annual_spend.is_some() { "annual_spend" } else { "orders" };
                level.fault(field, Wrong::new("contradiction", message));
            }
        }
    }
}

/// What is barely enough: with less of either it is not. There is no spend without an order.
fn least(requirement: &Requirement) -> Vec<(Decimal, i64)> {
    match *requirement {
        Requirement { annual_spend: Some(spend), orders: Some(orders), combine: Combine::All } => vec![(spend, orders)],
        Requirement { annual_spend, orders, .. } => {
            let by_spend = annual_spend.map(|spend| (spend, 1));
            by_spend.into_iter().chain(orders.map(|orders| (Decimal::ZERO, orders))).collect()
        }
    }
}

/// Whether `higher` asks for less of something that both ask for.
fn asks_for_less(higher: &Requirement, lower: &Requirement) -> bool {
    let less_spend = higher.annual_spend.zip(lower.annual_spend).is_some_and(|(higher, lower)| higher < lower);
    less_spend || higher.orders.zip(lower.orders).is_some_and(|(higher, lower)| higher < lower)
}

fn out_of_order(most: impl std::fmt::Display) -> Wrong {
    Wrong::new("contradiction", format!("must be at least {most}, which a lower level asks for"))
}
