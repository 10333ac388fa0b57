//! How far the points of a refunded order are taken back.

use serde_json::json;

use super::{NOON, refund, reversed};
use crate::support::{App, instant};

// A service at noon whose programme has had this refund policy for months.
pub fn with_policy(policy: &str) -> App {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-01T12:01:00Z", |document| document["refunds"]["policy"] = json!(policy));
    app.clock.set(instant(NOON));
    app
}

// A member with 100 points of an order "A-1" that are active, and 50 of "B-1" that expire a month before.
fn member_with_orders(app: &App) -> String {
    let member = app.enrol("ana");
    app.earn(&member, "A-1", "2026-02-10T12:00:00Z", "100");
    app.earn(&member, "B-1", "2026-01-10T12:00:00Z", "50");
    member
}

fn spend(app: &App, member: &str, points: i64) {
    let body = json!({ "member_id": member, "points": points });
    let spent = app.checkout().ask("/v1/redemptions", &body);
    assert_eq!(spent.status, 201, "{spent:?}");
}

#[test]
fn only_pending_takes_what_is_pending_of_the_order_and_waives_the_rest() {
    let app = with_policy("only_pending");
    let member = member_with_orders(&app);
    app.earn(&member, "C-1", "2026-03-09T12:00:00Z", "30");
    assert_eq!(reversed(&refund(&app, "C-1", "R-1", "10.00")), [10, 0, 0, 0]);
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "40.00")), [0, 0, 0, 40]);
    assert_eq!(app.points(&member), [150, 20, 0, 0]);
    // The policy is that of the order's time, whatever it is now: no debt comes on earlier purchases.
    app.publish("2026-03-10T12:02:00Z", |document| document["refunds"]["policy"] = json!("unlimited"));
    assert_eq!(reversed(&refund(&app, "A-1", "R-2", "10.00")), [0, 0, 0, 50]);
    assert_eq!(app.points(&member), [150, 20, 0, 0]);
}

#[test]
fn within_balance_takes_the_orders_own_points_first_and_never_more_than_there_are() {
    let app = with_policy("within_balance");
    let member = member_with_orders(&app);
    // The 50 that expire first are spent, and 40 of the order's own.
    spend(&app, &member, 90);
    app.earn(&member, "C-1", "2026-01-10T12:00:00Z", "20");
    assert_eq!(app.points(&member), [80, 0, 0, 0]);
    // 60 of its own are left although others expire sooner; then the others; then nothing.
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "50.00")), [0, 50, 0, 0]);
    let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!(wallet["expiring"][0]["points"], 20, "{wallet}");
    assert_eq!(wallet["expiring"][1]["points"], 10, "{wallet}");
    assert_eq!(reversed(&refund(&app, "A-1", "R-2", "50.00")), [0, 30, 0, 20]);
    assert_eq!(app.points(&member), [0, 0, 0, 0]);
    app.earn(&member, "D-1", "2026-02-10T12:00:00Z", "5");
    assert_eq!(app.points(&member), [5, 0, 0, 0]);
}

#[test]
fn unlimited_leaves_a_debt_that_later_points_repay_first() {
    let app = with_policy("unlimited");
    let (checkout, member) = (app.checkout(), member_with_orders(&app));
    spend(&app, &member, 150);
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!(reversed(&refunded), [0, 0, 100, 0]);
    assert_eq!(refunded.body["wallet"], json!({ "active": 0, "debt": 100, "held": 0, "pending": 0 }));
    let refused = checkout.ask("/v1/redemptions", &json!({ "member_id": member, "points": 1 }));
    refused.assert_problem(409, "insufficient_points");
    assert_eq!(refused.body["available"], 0);
    // Points that are active at once repay at once, pending ones when they become active.
    app.earn(&member, "C-1", "2026-02-10T12:00:00Z", "30");
    assert_eq!(app.points(&member), [0, 0, 0, 70]);
    app.earn(&member, "C-2", "2026-03-10T12:00:00Z", "90");
    assert_eq!(app.points(&member), [0, 90, 0, 70]);
    app.clock.set(instant("2026-03-24T12:00:00Z"));
    assert_eq!(app.points(&member), [20, 0, 0, 0]);
    app.earn(&member, "C-3", "2026-03-24T12:00:00Z", "1");
    assert_eq!(app.points(&member), [20, 1, 0, 0]);
}

#[test]
fn what_repaid_a_debt_is_owed_again_when_its_order_is_refunded() {
    let app = with_policy("unlimited");
    let member = member_with_orders(&app);
    spend(&app, &member, 150);
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    app.earn(&member, "C-1", "2026-02-10T12:00:00Z", "30");
    assert_eq!(app.points(&member), [0, 0, 0, 70]);
    assert_eq!(reversed(&refund(&app, "C-1", "R-1", "30.00")), [0, 0, 30, 0]);
    assert_eq!(app.points(&member), [0, 0, 0, 100]);
    // An adjustment repays as well: whatever makes points active.
    let body = json!({ "member_id": member, "points": 101, "reason": "goodwill" });
    assert_eq!(app.operator().ask("/v1/adjustments", &body).status, 201);
    assert_eq!(app.points(&member), [1, 0, 0, 0]);
}

#[test]
fn held_points_are_not_taken_by_a_refund() {
    let app = with_policy("unlimited");
    let (checkout, member) = (app.checkout(), member_with_orders(&app));
    let hold = json!({ "member_id": member, "points": 150, "hold": { "ttl": "15m" } });
    let held = checkout.ask("/v1/redemptions", &hold);
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    assert_eq!(app.points(&member), [0, 0, 150, 100]);
    // What goes back repays.
    let voided = checkout.ask(&format!("{}/void", held.headers["location"]), &json!({}));
    assert_eq!(voided.status, 200, "{voided:?}");
    assert_eq!(app.points(&member), [50, 0, 0, 0]);
}

#[test]
fn a_shop_that_turns_to_debt_puts_none_on_earlier_purchases() {
    let app = with_policy("within_balance");
    let member = app.enrol("ana");
    app.earn(&member, "A-1", "2026-02-10T12:00:00Z", "100");
    spend(&app, &member, 100);
    app.publish("2026-03-10T12:01:00Z", |document| document["refunds"]["policy"] = json!("unlimited"));
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 0, 100]);
    assert_eq!(app.points(&member), [0; 4]);
    // An order that occurs from then on may leave debt.
    app.earn(&member, "B-1", "2026-03-10T12:01:00Z", "10");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    spend(&app, &member, 10);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "10.00")), [0, 0, 10, 0]);
}

#[test]
fn a_debt_that_was_repaid_is_not_taken_again_with_the_next_refund() {
    let app = with_policy("unlimited");
    let member = app.enrol("ana");
    app.earn(&member, "A-1", "2026-02-10T12:00:00Z", "100");
    spend(&app, &member, 100);
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "50.00")), [0, 0, 50, 0]);
    app.earn(&member, "B-1", "2026-02-11T12:00:00Z", "150");
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    assert_eq!(reversed(&refund(&app, "A-1", "R-2", "20.00")), [0, 20, 0, 0]);
    assert_eq!(app.points(&member), [80, 0, 0, 0]);
}
