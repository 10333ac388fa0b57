//! What had expired of an order's own points is not taken again by its refund.

use serde_json::json;

use super::policies::with_policy;
use super::{refund, reversed};
use crate::support::{App, instant};

// Fourteen months after an order of so many points, of which `spent` were spent; the rest has expired, and 300 others are
// there.
fn long_after(policy: &str, points: &str, spent: i64) -> (App, String) {
    let app = with_policy(policy);
    let member = app.enrol("ana");
    app.earn(&member, "OLD", "2026-01-10T12:00:00Z", points);
    if spent > 0 {
        let body = json!({ "member_id": member, "points": spent });
        assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
    }
    app.clock.set(instant("2027-03-10T12:00:00Z"));
    app.earn(&member, "NEW", "2027-02-10T12:00:00Z", "300");
    assert_eq!(app.points(&member), [300, 0, 0, 0]);
    (app, member)
}

#[test]
fn expired_points_are_not_taken_from_others() {
    for policy in ["within_balance", "unlimited"] {
        let (app, member) = long_after(policy, "500", 0);
        let refunded = refund(&app, "OLD", "R-1", "500.00");
        assert_eq!((reversed(&refunded), &refunded.body["points_reversed"]["expired"]), ([0; 4], &json!(500)));
        assert_eq!(app.points(&member), [300, 0, 0, 0], "{policy}");
    }
}

#[test]
fn what_was_spent_is_due_and_what_expired_is_not() {
    for (policy, parts) in [("within_balance", 1), ("unlimited", 1), ("within_balance", 4)] {
        let (app, member) = long_after(policy, "100", 60);
        for n in 1..=parts {
            let part = format!("{}.00", 100 / parts);
            assert_eq!(refund(&app, "OLD", &format!("R-{n}"), &part).status, 201);
        }
        assert_eq!(app.points(&member), [240, 0, 0, 0], "{policy} in {parts}");
    }
}

#[test]
fn an_old_order_that_is_imported_when_its_points_are_over_makes_nothing_due() {
    let app = with_policy("unlimited");
    let member = app.enrol("ana");
    app.earn(&member, "OLD", "2024-01-10T12:00:00Z", "500");
    app.earn(&member, "NEW", "2026-02-10T12:00:00Z", "300");
    assert_eq!(reversed(&refund(&app, "OLD", "R-1", "500.00")), [0; 4]);
    assert_eq!(app.points(&member), [300, 0, 0, 0]);
}

#[test]
fn points_that_paid_come_back_whole_where_what_was_earned_has_expired() {
    let app = with_policy("within_balance");
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "L-1", "2026-02-01T12:00:00Z", "100");
    let hold = json!({ "member_id": member, "points": 100, "hold": { "ttl": "15m" } });
    let held = checkout.ask("/v1/redemptions", &hold).body["id"].clone();
    let mut order = app.order(&member, "A-1", "2026-03-10T12:00:00Z", "10.00");
    order["redemption_ids"] = json!([held]);
    assert_eq!(checkout.post("/v1/orders", &order).body["earned"]["points"], 9);
    app.clock.set(instant("2027-05-10T12:00:00Z"));
    let refunded = refund(&app, "A-1", "R-1", "10.00");
    assert_eq!(refunded.body["points_reversed"]["expired"], 9, "{refunded:?}");
    // Their lot has ended as well: they come back under the programme's grace.
    let back = json!({ "points": 100, "value": "1.00", "usable": 100 });
    assert_eq!((&refunded.body["paid_out"], &refunded.body["returned"]), (&json!("9.00"), &back));
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn what_was_earned_is_what_orders_brought_less_what_refunds_made_due() {
    let (app, member) = long_after("within_balance", "100", 60);
    let earned = || app.checkout().get(&format!("/v1/members/{member}/wallet")).body["lifetime_earned"].clone();
    assert_eq!(earned(), 400);
    // Forty have expired and sixty are taken: all are earned no more.
    refund(&app, "OLD", "R-1", "100.00");
    assert_eq!(earned(), 300);
    // What is waived is not earned either.
    let body = json!({ "member_id": member, "points": 240 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
    assert_eq!(reversed(&refund(&app, "NEW", "R-1", "300.00")), [0, 0, 0, 300]);
    assert_eq!(earned(), 0);
}
