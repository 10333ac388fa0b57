//! What was bought with an order, line by line, and what of it came back: purchase details that no journal holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::money::{self, Currency};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;

/// The most items of an order or a refund.
pub const MOST_ITEMS: usize = 2_000;

/// The most decimals of a unit price, where the line says what it costs in all.
pub const UNIT_PRICE_DECIMALS: u32 = 6;

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Item {
    /// The shop's id of the article, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Its category, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    pub category: Option<String>,
    /// How many, or how much.
    pub quantity: Quantity,
    /// The price of one, a decimal string in the order's currency. Beside `amount` it may be left out, or have up to six
    /// decimals.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "29.33")]
    pub unit_price: Option<Decimal>,
    /// What the line costs in all, a decimal string in the order's currency, such as 10.00 for three. Absent: quantity ×
    /// unit_price, rounded half up to what the currency can pay.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "10.00")]
    pub amount: Option<Decimal>,
}

impl Item {
    /// What the line costs in all.
    pub fn total(&self, currency: Currency) -> Decimal {
        self.amount.unwrap_or_else(|| {
            let exact = self.quantity.decimal() * self.unit_price.unwrap_or_default();
            exact.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::MidpointAwayFromZero)
        })
    }
}

/// Lines as they were kept, as an answer shows them: with every quantity as a decimal string.
pub fn shown(kept: &str) -> serde_json::Result<Value> {
    let mut lines: Vec<Value> = serde_json::from_str(kept)?;
    for line in &mut lines {
        let quantity: Quantity = serde_json::from_value(line["quantity"].take())?;
        line["quantity"] = quantity.to_string().into();
    }
    Ok(lines.into())
}

/// A line of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RefundItem {
    /// The article, as the order named it.
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// How many, or how much.
    pub quantity: Quantity,
}

/// What was bought with an order, and what of it came back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Purchase {
    /// What was bought, if the shop told.
    pub items: Option<Vec<Item>>,
    /// What came back so far. Old orders may name an article several times.
    pub back: Vec<BroughtBack>,
}

/// What of an article came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BroughtBack {
    /// The article.
    pub sku: String,
    /// How many, or how much.
    pub quantity: Quantity,
    /// What was paid back for it. Old orders do not say.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
}

impl Purchase {
    /// Takes up what comes back for `amount`: every item must be one of the order's, no more of it may come back than
    /// was bought, and no more money for it, over all refunds, than its lines cost.
    ///
    /// A refund has one amount for all its items. What it pays for each is not told, so it is first put down to articles
    /// of one price, which it can bar from nothing later.
    pub fn take_back(&mut self, items: &[RefundItem], amount: Decimal, currency: Currency) -> Result<(), Refusal> {
        let bought = self.items.as_deref().ok_or(Refusal::OrderWithoutItems)?;
        let mut articles = articles(bought, &self.back, currency);
        for RefundItem { sku, quantity } in items {
            let article = articles.get_mut(sku.as_str());
            let left = article.as_ref().map_or(Quantity::default(), |article| article.left());
            match article.filter(|_| *quantity <= left) {
                Some(article) => article.asked = article.asked + *quantity,
                None => return Err(Refusal::RefundItems { sku: sku.clone(), left }),
            }
        }
        let worth: Decimal = articles.values().map(|article| article.most(currency)).sum();
        if amount > worth {
            return Err(Refusal::RefundOverItems { worth: money::format_amount(worth, currency) });
        }
        let mut left = amount;
        let (simple, others): (Vec<_>, Vec<_>) = articles.values_mut().partition(|article| article.has_one_price());
        for article in simple.into_iter().chain(others) {
            let paid = left.min(article.most(currency));
            left -= paid;
            article.paid += paid;
            article.back = article.back + std::mem::take(&mut article.asked);
        }
        let back = articles.into_iter().filter(|(_, article)| article.back > Quantity::default());
        let back = back.map(|(sku, article)| BroughtBack {
            sku: sku.to_owned(),
            quantity: article.back,
            amount: Some(article.paid),
        });
        self.back = back.collect();
        Ok(())
    }
}

/// An article of an order: its lines, and what became of it.
#[derive(Default)]
struct Article {
    /// How much each line has and what it costs, the dearest first.
    lines: Vec<(Quantity, Decimal)>,
    /// How much came back before.
    back: Quantity,
    /// What was paid back for that.
    paid: Decimal,
    /// How much comes back now.
    asked: Quantity,
}

impl Article {
    fn left(&self) -> Quantity {
        self.lines.iter().map(|(quantity, _)| *quantity).sum::<Quantity>() - self.back - self.asked
    }

    /// The most that can be paid back for what comes back now: what so much of it cost at most, and for all that came
    /// back no more than that cost at most.
    fn most(&self, currency: Currency) -> Decimal {
        let all = self.dearest(self.back + self.asked, currency) - self.paid;
        self.dearest(self.asked, currency).min(all).max(Decimal::ZERO)
    }

    /// What so much of it cost at most, rounded up to what the currency can pay.
    fn dearest(&self, quantity: Quantity, currency: Currency) -> Decimal {
        let (mut left, mut cost) = (quantity, Decimal::ZERO);
        for (of_line, costs) in &self.lines {
            let part = left.min(*of_line);
            left = left - part;
            cost += if part == *of_line { *costs } else { costs * part.decimal() / of_line.decimal() };
        }
        cost.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::AwayFromZero)
    }

    fn has_one_price(&self) -> bool {
        self.lines.windows(2).all(|pair| price(&pair[0]) == price(&pair[1]))
    }
}

fn price((quantity, costs): &(Quantity, Decimal)) -> Decimal {
    costs.checked_div(quantity.decimal()).unwrap_or_default()
}

fn articles<'p>(bought: &'p [Item], back: &[BroughtBack], currency: Currency) -> BTreeMap<&'p str, Article> {
    let mut articles: BTreeMap<&str, Article> = BTreeMap::new();
    for item in bought {
        articles.entry(&item.sku).or_default().lines.push((item.quantity, item.total(currency)));
    }
    for article in articles.values_mut() {
        article.lines.sort_by_key(|line| Reverse(price(line)));
    }
    for BroughtBack { sku, quantity, amount } in back {
        if let Some(article) = articles.get_mut(sku.as_str()) {
            let before = article.dearest(article.back, currency);
            article.back = article.back + *quantity;
            // What is not told is taken for the most that it can have been.
            article.paid += amount.unwrap_or_else(|| article.dearest(article.back, currency) - before);
        }
    }
    articles
}

#[cfg(test)]
mod tests;
