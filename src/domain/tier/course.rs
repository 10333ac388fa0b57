//! How a member's tier comes about: by its orders at once, and by time at the end of each term.
//!
//! Between two decisions by time a tier is a function of the orders and refunds that had occurred, whatever the order in
//! which they arrived: the highest level that was reached at any instant since the last decision, and that decision's own
//! level if it is higher. An order that arrives when a term's end has acted on the others counts in the sums of its period
//! from then on, and changes nothing of what was decided.

use rust_decimal::Decimal;

use super::standing::{Assigned, Rank, Spending, Standing};
use super::sums::{Counted, Sums};
use super::window::{Scene, TICK};
use crate::domain::program::tiers::{Downgrade, TierRules};
use crate::domain::record::order::OrderRecord;
use crate::domain::time::Timestamp;

/// Where a member stands by its orders, and what they come to. `orders` are at least all that occurred since
/// [`orders_from`].
pub fn stand<'o>(
    before: &Standing,
    orders: impl Iterator<Item = &'o OrderRecord>,
    scene: &Scene<'_>,
) -> (Standing, Spending) {
    let counted = Counted::of(orders, orders_from(before, scene), scene);
    let mut sums = Sums::over(&counted, scene);
    let mut rank = before.base.clone();
    let mut at = before.based_at;
    loop {
        sums.go_to(at);
        rise(&mut rank, sums.reached(), at, scene);
        // What occurs after the end counts for what is decided then, and afterwards.
        let ends_at = ends_at(&rank, before.based_at, scene);
        match sums.next().filter(|next| ends_at.is_none_or(|ends_at| *next < ends_at)) {
            Some(next) => at = next,
            None => break,
        }
    }
    let standing =
        Standing { version: scene.version, ends_at: ends_at(&rank, before.based_at, scene), rank, ..before.clone() };
    (standing.with_tier(scene.rules), sums.spending())
}

/// What becomes of a standing at the end of its term and grace, which is its `ends_at`.
pub fn decide<'o>(
    before: &Standing,
    orders: impl Iterator<Item = &'o OrderRecord> + Clone,
    scene: &Scene<'_>,
) -> (Standing, Spending) {
    let (Some(until), Some(ends_at)) = (before.rank.until, before.ends_at) else { return stand(before, orders, scene) };
    let counted = Counted::of(orders.clone(), orders_from(before, scene), scene);
    let mut sums = Sums::over(&counted, scene);
    // Kept is what is reached as the term ends or as its grace does.
    let reached = [until, ends_at].map(|end| {
        sums.go_to(scene.judged_at(end));
        sums.reached()
    });
    let (reached, held) = (reached[0].max(reached[1]), place(&before.rank, scene.rules));
    let next = match scene.rules.downgrade {
        Downgrade::OneDown if reached < held => reached.max(held.and_then(|place| place.checked_sub(1))),
        _ => reached,
    };
    let rank = Rank {
        level: next.map(|place| scene.rules.levels[place].code.clone()),
        since: next.and(if next == held { before.rank.since } else { Some(ends_at) }),
        // A grace may be longer than the next term.
        until: next.map(|_| scene.next_term(until).max(ends_at + TICK)),
    };
    stand(&Standing { base: rank, based_at: ends_at, ..before.clone() }, orders, scene)
}

/// Where a member stands by other rules than those of its standing, `old`, that take hold `at` an instant. Nobody loses a tier
/// before its term ends; a level that the rules have no more becomes the next lower one that they have.
pub fn change_rules<'o>(
    before: &Standing,
    old: &TierRules,
    orders: impl Iterator<Item = &'o OrderRecord>,
    scene: &Scene<'_>,
    at: Timestamp,
) -> (Standing, Spending) {
    let has = |code: &&String| scene.rules.place(code).is_some();
    let kept = |level: &String| {
        if has(&level) {
            return Some(level.clone());
        }
        let lower = old.levels[..=old.place(level)?].iter().rev();
        lower.map(|level| &level.code).find(has).cloned()
    };
    let base = match before.rank.level.as_ref().and_then(kept) {
        Some(level) => Rank { level: Some(level), ..before.rank.clone() },
        None => Rank::default(),
    };
    let assigned = before.assigned.as_ref();
    let assigned = assigned.and_then(|given| kept(&given.level).map(|level| Assigned { level, ..given.clone() }));
    stand(&Standing { base, based_at: at, assigned, ..before.clone() }, orders, scene)
}

/// What can be said without a look at other orders: where the member stands after `order`, and what all come to; none if
/// that is not enough.
///
/// In a period with fixed ends the sums are right by themselves, for orders that come in the order in which they occurred. In
/// a rolling one they are an upper bound, which is enough for as long as it reaches no other level.
pub fn foresee(
    standing: &Standing,
    spending: &Spending,
    order: &OrderRecord,
    scene: &Scene<'_>,
) -> Option<(Standing, Spending)> {
    let at = order.occurred_at;
    if at < spending.latest || at < standing.based_at || standing.ends_at.is_some_and(|ends_at| ends_at <= at) {
        return None;
    }
    let from = scene.window(at).from;
    let mut spending = spending.clone();
    if scene.has_fixed_ends() && from > spending.from {
        spending = Spending { from, amount: Decimal::ZERO, orders: 0, ..spending };
    }
    spending.count(order);
    let reached = scene.rules.reached(spending.amount, spending.orders);
    if reached <= place(&standing.rank, scene.rules) {
        return Some((standing.clone(), spending));
    }
    if !scene.has_fixed_ends() {
        return None;
    }
    let mut rank = standing.rank.clone();
    rise(&mut rank, reached, at, scene);
    let standing = Standing { ends_at: ends_at(&rank, standing.based_at, scene), rank, ..standing.clone() };
    Some((standing.with_tier(scene.rules), spending))
}

/// From when on a member's orders must be known to find out where it stands.
pub fn orders_from(standing: &Standing, scene: &Scene<'_>) -> Timestamp {
    let judged_at = scene.judged_at(standing.rank.until.unwrap_or(standing.based_at));
    scene.window(standing.based_at).from.min(scene.window(judged_at).from)
}

fn place(rank: &Rank, rules: &TierRules) -> Option<usize> {
    rank.level.as_ref().and_then(|level| rules.place(level))
}

fn rise(rank: &mut Rank, reached: Option<usize>, at: Timestamp, scene: &Scene<'_>) {
    if let Some(level) = reached.filter(|_| reached > place(rank, scene.rules)) {
        let level = scene.rules.levels[level].code.clone();
        *rank = Rank { level: Some(level), since: Some(at), until: Some(scene.term(at)) };
    }
}

// A term and grace that had ended when the rules took hold end then: rules decide nothing of the time before them.
fn ends_at(rank: &Rank, based_at: Timestamp, scene: &Scene<'_>) -> Option<Timestamp> {
    rank.until.map(|until| scene.with_grace(until).max(based_at))
}
