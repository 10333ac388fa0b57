//! Points whose lot ends while they are held come back to nobody: refunds ask for none of them any more.

use serde_json::json;

use super::claims::{claimed, hold};
use super::{refund, reversed};
use crate::support::{App, instant};

// On 10 March: a member with 100 points of "A-1" that end on 20 March.
fn with_short_lives(policy: &str) -> (App, String) {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-01T12:01:00Z", |document| {
        document["refunds"]["policy"] = json!(policy);
        document["earning"]["expiry"] = json!("2M");
    });
    app.clock.set(instant("2026-03-10T12:00:00Z"));
    let member = app.enrol("ana");
    app.earn(&member, "A-1", "2026-01-20T12:00:00Z", "100");
    (app, member)
}

fn give(app: &App, member: &str, points: i64, expires_at: &str) {
    let gift = json!({ "member_id": member, "points": points, "reason": "goodwill", "expires_at": expires_at });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
}

fn spend(app: &App, member: &str, points: i64) {
    let body = json!({ "member_id": member, "points": points });
    assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
}

#[test]
fn a_debt_for_an_orders_own_points_ends_with_them() {
    let (app, member) = with_short_lives("unlimited");
    hold(&app, &member, 100, "30d");
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "50.00")), [0, 0, 50, 0]);
    // What is due once they have ended is no debt.
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    let rest = refund(&app, "A-1", "R-2", "50.00");
    assert_eq!((reversed(&rest), claimed(&rest)), ([0; 4], json!(50)));
    assert_eq!(app.points(&member), [0, 0, 100, 50]);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0; 4]);
    app.earn(&member, "B-1", "2026-03-25T12:00:00Z", "20");
    assert_eq!(app.points(&member), [20, 0, 0, 0]);
}

#[test]
fn a_debt_is_repaid_by_the_orders_own_points_before_others_that_come_back_with_them() {
    for refunded_first in [true, false] {
        let (app, member) = with_short_lives("unlimited");
        give(&app, &member, 30, "2026-03-15T00:00:00Z");
        hold(&app, &member, 130, "1d");
        if refunded_first {
            assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
        }
        app.clock.set(instant("2026-03-12T12:00:00Z"));
        if !refunded_first {
            assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 100, 0, 0]);
        }
        assert_eq!(app.points(&member), [30, 0, 0, 0]);
        // Those that are left are those that end first: the order's own are gone.
        app.clock.set(instant("2026-03-16T12:00:00Z"));
        assert_eq!(app.points(&member), [0; 4], "refunded first: {refunded_first}");
    }
}

#[test]
fn a_debt_for_other_points_stays_when_what_had_ended_expires() {
    let (app, member) = with_short_lives("unlimited");
    give(&app, &member, 100, "2026-03-15T00:00:00Z");
    // The points that end first are held, and those of the order spent.
    hold(&app, &member, 100, "30d");
    let spent = json!({ "member_id": member, "points": 100 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &spent).status, 201);
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 0, 100]);
}

#[test]
fn a_debt_that_other_points_repaid_is_not_repaid_twice() {
    let (app, member) = with_short_lives("unlimited");
    hold(&app, &member, 100, "30d");
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    give(&app, &member, 100, "2027-01-01T00:00:00Z");
    assert_eq!(app.points(&member), [0, 0, 100, 0]);
    // A debt of another order is not what the held points stood for.
    app.earn(&member, "B-1", "2026-02-20T12:00:00Z", "40");
    let spent = json!({ "member_id": member, "points": 40 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &spent).status, 201);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "40.00")), [0, 0, 40, 0]);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 0, 40]);
}

#[test]
fn a_debt_stands_on_what_is_still_held_alone() {
    let (app, member) = with_short_lives("unlimited");
    app.earn(&member, "B-1", "2026-01-21T12:00:00Z", "40");
    let spent = hold(&app, &member, 100, "15m");
    hold(&app, &member, 40, "30d");
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "40.00")), [0, 0, 40, 0]);
    // Nothing of the older order is held any more: what is owed stands on the younger one's.
    let capture = app.checkout().ask(&format!("{}/capture", spent.headers["location"]), &json!({}));
    assert_eq!(capture.status, 200, "{capture:?}");
    give(&app, &member, 100, "2027-01-01T00:00:00Z");
    assert_eq!(app.points(&member), [0, 0, 40, 40]);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0; 4]);
}

#[test]
fn own_points_that_are_held_past_their_end_are_claimed_before_others_are_taken() {
    let (app, member) = with_short_lives("within_balance");
    hold(&app, &member, 100, "30d");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    app.earn(&member, "B-1", "2026-03-01T12:00:00Z", "50");
    // They expire when the hold lapses, and nobody was to lose others for them.
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0; 4], json!(100)));
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [50, 0, 0, 0]);
}

#[test]
fn a_claim_on_what_expires_is_not_paid_by_what_is_held_with_it() {
    let (app, member) = with_short_lives("within_balance");
    let spent = json!({ "member_id": member, "points": 10 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &spent).status, 201);
    give(&app, &member, 30, "2027-01-01T00:00:00Z");
    // 90 of the order's own, which end, and 30 others.
    hold(&app, &member, 120, "30d");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    // Only the 10 that were spent are taken of the others.
    assert_eq!(app.points(&member), [20, 0, 0, 0]);
}

#[test]
fn held_points_repay_a_debt_before_a_claim() {
    let (app, member) = with_short_lives("unlimited");
    let spend = |points: i64| {
        let body = json!({ "member_id": member, "points": points });
        assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
    };
    spend(100);
    app.publish("2026-03-10T12:01:00Z", |document| document["refunds"]["policy"] = json!("within_balance"));
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    app.earn(&member, "B-1", "2026-03-10T13:00:00Z", "60");
    spend(60);
    give(&app, &member, 50, "2027-01-01T00:00:00Z");
    let held = hold(&app, &member, 50, "15m");
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "50.00")), [0, 0, 50, 0]);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "60.00")), [0, 0, 0, 60]);
    let void = app.checkout().ask(&format!("{}/void", held.headers["location"]), &json!({}));
    assert_eq!((void.status, app.points(&member)), (200, [0; 4]), "{void:?}");
}

#[test]
fn what_is_held_is_claimed_once_whether_it_has_ended_or_not() {
    let (app, member) = with_short_lives("within_balance");
    spend(&app, &member, 40);
    hold(&app, &member, 60, "30d");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0, 0, 0, 40], json!(60)));
}

#[test]
fn what_another_order_claims_of_held_points_is_not_claimed_again_when_they_have_ended() {
    let (app, member) = with_short_lives("within_balance");
    hold(&app, &member, 100, "30d");
    app.earn(&member, "B-1", "2026-02-20T12:00:00Z", "60");
    spend(&app, &member, 60);
    assert_eq!(claimed(&refund(&app, "B-1", "R-1", "60.00")), 60);
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0, 0, 0, 60], json!(40)));
}

#[test]
fn a_debt_does_not_stand_on_what_is_claimed() {
    let (app, member) = with_short_lives("unlimited");
    spend(&app, &member, 40);
    hold(&app, &member, 60, "30d");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0, 0, 40, 0], json!(60)));
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    // The 40 were spent, and are owed whatever becomes of the 60.
    assert_eq!(app.points(&member), [0, 0, 0, 40]);
}

#[test]
fn what_expires_of_an_orders_own_points_ends_no_debt_of_another_order() {
    let (app, member) = with_short_lives("unlimited");
    hold(&app, &member, 50, "12d");
    hold(&app, &member, 50, "30d");
    app.earn(&member, "B-1", "2026-02-20T12:00:00Z", "40");
    spend(&app, &member, 40);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "40.00")), [0, 0, 40, 0]);
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "80.00")), [0, 0, 80, 0]);
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 50, 70]);
    // 30 of the second hold's stood behind the debt; the other 20 expire.
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 0, 40]);
}

#[test]
fn orders_whose_debt_was_repaid_in_part_stand_on_what_is_still_owed_together() {
    let (app, member) = with_short_lives("unlimited");
    app.earn(&member, "B-1", "2026-01-21T12:00:00Z", "40");
    hold(&app, &member, 140, "30d");
    assert_eq!(reversed(&refund(&app, "A-1", "R-1", "100.00")), [0, 0, 100, 0]);
    assert_eq!(reversed(&refund(&app, "B-1", "R-1", "40.00")), [0, 0, 40, 0]);
    give(&app, &member, 110, "2027-01-01T00:00:00Z");
    assert_eq!(app.points(&member), [0, 0, 140, 30]);
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [0; 4]);
}

#[test]
fn a_claim_ends_with_the_own_points_that_expire_though_others_are_held() {
    let (app, member) = with_short_lives("within_balance");
    spend(&app, &member, 50);
    hold(&app, &member, 50, "16d");
    give(&app, &member, 200, "2027-01-01T00:00:00Z");
    hold(&app, &member, 200, "30d");
    app.clock.set(instant("2026-03-25T12:00:00Z"));
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    app.clock.set(instant("2026-03-27T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 200, 0]);
    // The 50 that were spent are still claimed.
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(app.points(&member), [150, 0, 0, 0]);
}

#[test]
fn of_two_debts_the_one_whose_points_expired_is_repaid_first() {
    let (app, member) = with_short_lives("unlimited");
    let older = hold(&app, &member, 100, "30d");
    app.earn(&member, "B-1", "2026-02-01T12:00:00Z", "100");
    hold(&app, &member, 100, "25d");
    refund(&app, "A-1", "R-1", "100.00");
    refund(&app, "B-1", "R-1", "100.00");
    give(&app, &member, 100, "2027-01-01T00:00:00Z");
    assert_eq!(app.points(&member), [0, 0, 200, 100]);
    // The points of the younger order end on 1 April and expire with their hold; what the older one brought is spent.
    app.clock.set(instant("2026-04-05T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 100, 0]);
    assert_eq!(app.checkout().ask(&format!("{}/capture", older.headers["location"]), &json!({})).status, 200);
    assert_eq!(app.points(&member), [0; 4]);
}
