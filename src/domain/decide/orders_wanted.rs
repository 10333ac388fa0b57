//! Which members' orders must be known to decide about their tiers: the others' follow from sums.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::domain::member::Member;
use crate::domain::program::ProgramBook;
use crate::domain::tier::{self, Scene, Spending, Standing};
use crate::domain::time::Timestamp;

/// What is going to happen to a member.
#[derive(Debug, Clone, Default)]
pub struct Coming {
    /// Orders, in order: when each occurred, and its amount.
    pub orders: Vec<(Timestamp, Decimal)>,
    /// Is an order refunded?
    pub refund: bool,
    /// Is it found out anew where the member stands, whatever is known of that?
    pub anew: bool,
}

/// From when on the member's orders must be known to decide what is coming, and what time does by `now`; none if they need
/// not be.
pub fn orders_wanted(
    member: &Member,
    coming: Option<&Coming>,
    programs: &ProgramBook,
    now: Timestamp,
) -> Option<Timestamp> {
    let ruling = programs.at(now);
    let none = Standing::none(ruling.version);
    let standing = member.standing.as_ref().unwrap_or(&none);
    let due_at = member.tier_due_at().filter(|due_at| *due_at <= now);
    let of_orders = coming.zip(Scene::of(ruling, member.joined_at)).is_some_and(|(coming, scene)| {
        // An order beside it may raise the member first.
        let refund = coming.refund && (standing.rank != standing.base || !coming.orders.is_empty());
        let by = |version: i32| programs.same_tiers(version, scene.version);
        let is_by = |spending: &&Spending| by(spending.version) && by(standing.version);
        let spending = member.spending.as_ref().filter(is_by);
        refund
            || coming.anew
            || !coming.orders.is_empty()
                && (coming.orders.iter().any(|(at, _)| is_over(*at, &scene, now))
                    || spending.is_none_or(|spending| !foresees(standing, spending, &coming.orders, &scene)))
    });
    // What was due before a version took effect is decided by the one before it.
    let versions = programs.between(due_at.unwrap_or(now), now).iter().filter(|_| due_at.is_some() || of_orders);
    let scenes = versions.filter_map(|version| Scene::of(version, member.joined_at));
    scenes.map(|scene| tier::orders_from(standing, &scene)).min()
}

// Would the term of a tier be over that was reached at `at`? None is shorter than a day.
fn is_over(at: Timestamp, scene: &Scene<'_>, now: Timestamp) -> bool {
    now - at >= TimeDelta::days(1) && scene.with_grace(scene.term(at)) <= now
}

// Can it be foreseen where the member stands after each of the orders? Errs towards no.
fn foresees(standing: &Standing, spending: &Spending, orders: &[(Timestamp, Decimal)], scene: &Scene<'_>) -> bool {
    let in_turn = |at: &Timestamp| *at >= standing.based_at && standing.ends_at.is_none_or(|ends_at| *at < ends_at);
    let times = || orders.iter().map(|(at, _)| *at);
    let is_in_turn = times().is_sorted() && times().all(|at| at >= spending.latest && in_turn(&at));
    if !is_in_turn || scene.has_fixed_ends() {
        return is_in_turn;
    }
    let amount = orders.iter().fold(spending.amount, |sum, (_, amount)| sum + amount);
    let place = standing.rank.level.as_ref().and_then(|level| scene.rules.place(level));
    scene.rules.reached(amount, spending.orders + orders.len() as i64) <= place
}
