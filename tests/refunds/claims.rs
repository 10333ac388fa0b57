//! Points in a hold or an open offer do not escape a refund: what they would have covered is claimed.

use serde_json::{Value, json};

use super::policies::with_policy;
use super::set_off::expiring;
use super::{refund, reversed};
use crate::support::{Answer, App, instant, two_journals};

// A member with 100 active points of the order "A-1".
fn member(app: &App) -> String {
    let member = app.enrol("ana");
    app.earn(&member, "A-1", "2026-02-10T12:00:00Z", "100");
    member
}

pub fn hold(app: &App, member: &str, points: i64, ttl: &str) -> Answer {
    let body = json!({ "member_id": member, "points": points, "hold": { "ttl": ttl } });
    let held = app.checkout().ask("/v1/redemptions", &body);
    assert_eq!(held.status, 201, "{held:?}");
    held
}

pub fn claimed(refunded: &Answer) -> Value {
    assert_eq!(refunded.status, 201, "{refunded:?}");
    refunded.body["points_reversed"]["claimed"].clone()
}

#[test]
fn an_offer_that_comes_back_pays_what_a_refund_made_due() {
    for answer in ["cancel", "decline", "lapse"] {
        let app = with_policy("within_balance");
        let (member, friend) = (member(&app), app.enrol("ben"));
        let (giver, receiver) = (app.member(&member), app.member(&friend));
        let offer = giver.ask("/v1/transfers", &json!({ "to_member_id": friend, "points": 100 }));
        assert_eq!(offer.status, 201, "{offer:?}");
        assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
        assert_eq!(app.points(&member), [0, 0, 100, 0]);
        match answer {
            "lapse" => app.clock.set(instant("2026-03-18T12:00:00Z")),
            answer => {
                let address = format!("/v1/transfers/{}/{answer}", offer.body["id"].as_str().unwrap());
                let asked = if answer == "decline" { &receiver } else { &giver }.ask(&address, &json!({}));
                assert_eq!(asked.status, 200, "{asked:?}");
            }
        }
        assert_eq!(app.points(&member), [0; 4], "{answer}");
    }
}

#[test]
fn a_hold_that_comes_back_pays_first_and_the_rest_is_the_members() {
    for policy in ["within_balance", "unlimited"] {
        for lapses in [true, false] {
            let app = with_policy(policy);
            let member = member(&app);
            let held = hold(&app, &member, 100, "30d");
            // In parts as at once.
            refund(&app, "A-1", "R-1", "30.00");
            refund(&app, "A-1", "R-2", "40.00");
            if lapses {
                app.clock.set(instant("2026-04-10T12:00:00Z"));
            } else {
                assert_eq!(app.checkout().ask(&format!("{}/void", held.headers["location"]), &json!({})).status, 200);
            }
            assert_eq!(app.points(&member), [30, 0, 0, 0], "{policy}, lapses: {lapses}");
        }
    }
}

#[test]
fn what_is_captured_lets_its_claim_go_and_the_next_refund_asks_again() {
    let app = with_policy("within_balance");
    let member = member(&app);
    let held = hold(&app, &member, 100, "15m");
    let half = refund(&app, "A-1", "R-1", "50.00");
    assert_eq!((reversed(&half), claimed(&half)), ([0; 4], json!(50)));
    let wallet = || app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!(wallet()["claimed"], 50);
    let capture = format!("{}/capture", held.headers["location"]);
    // 80 are spent; of the 20 that come back none is the member's.
    assert_eq!(app.checkout().ask(&capture, &json!({ "points": 80 })).status, 200);
    assert_eq!((app.points(&member), wallet().get("claimed")), ([0; 4], None));
    app.earn(&member, "B-1", "2026-02-10T12:00:00Z", "60");
    // 30 of the first refund were let go, and 20 are due now.
    let next = refund(&app, "A-1", "R-2", "20.00");
    assert_eq!((reversed(&next), claimed(&next)), ([0, 50, 0, 0], json!(0)));
    assert_eq!(app.points(&member), [10, 0, 0, 0]);
}

#[test]
fn a_claim_is_no_more_than_what_is_held() {
    let app = with_policy("within_balance");
    let member = member(&app);
    let held = hold(&app, &member, 40, "15m");
    let body = json!({ "member_id": member, "points": 60 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0, 0, 0, 60], json!(40)));
    assert_eq!(app.checkout().ask(&format!("{}/void", held.headers["location"]), &json!({})).status, 200);
    assert_eq!(app.points(&member), [0; 4]);
}

#[test]
fn what_is_accepted_lets_its_claim_go() {
    let app = with_policy("within_balance");
    let (giver, friend) = (member(&app), app.enrol("ben"));
    let offer = app.member(&giver).ask("/v1/transfers", &json!({ "to_member_id": friend, "points": 100 }));
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    let accept = format!("/v1/transfers/{}/accept", offer.body["id"].as_str().unwrap());
    assert_eq!(app.member(&friend).ask(&accept, &json!({})).status, 200);
    assert_eq!((app.points(&giver), app.points(&friend)), ([0; 4], [100, 0, 0, 0]));
    let wallet = app.checkout().get(&format!("/v1/members/{giver}/wallet")).body;
    assert_eq!(wallet.get("claimed"), None, "{wallet}");
}

#[test]
fn what_a_member_gives_up_pays_as_what_a_client_gives_up_does() {
    let app = with_policy("within_balance");
    let member = member(&app);
    let phone = app.member(&member);
    let held = phone.ask("/v1/redemptions", &json!({ "points": 100, "hold": { "ttl": "30m" } }));
    assert_eq!(held.status, 201, "{held:?}");
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "70.00")), 70);
    assert_eq!(phone.ask(&format!("{}/void", held.headers["location"]), &json!({})).status, 200);
    assert_eq!(app.points(&member), [30, 0, 0, 0]);
}

#[test]
fn an_offer_to_another_journal_that_is_declined_pays_too() {
    let app = with_policy("within_balance");
    let (giver, friend) = two_journals(&app);
    app.earn(&giver, "A-1", "2026-02-10T12:00:00Z", "100");
    let offer = app.member(&giver).ask("/v1/transfers", &json!({ "to_member_id": friend, "points": 100 }));
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    let decline = format!("/v1/transfers/{}/decline", offer.body["id"].as_str().unwrap());
    assert_eq!(app.member(&friend).ask(&decline, &json!({})).status, 200);
    assert_eq!(app.points(&giver), [0; 4]);
}

#[test]
fn a_lapse_that_a_gift_from_another_journal_settles_pays_its_claim() {
    let app = with_policy("within_balance");
    let (giver, receiver) = two_journals(&app);
    app.earn(&giver, "G-1", "2026-02-10T12:00:00Z", "10");
    app.earn(&receiver, "A-1", "2026-02-10T12:00:00Z", "100");
    hold(&app, &receiver, 100, "15m");
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "50.00")), 50);
    app.clock.set(instant("2026-03-10T12:20:00Z"));
    let gift = json!({ "to_member_id": receiver, "points": 10, "direct": true });
    assert_eq!(app.member(&giver).ask("/v1/transfers", &gift).status, 201);
    assert_eq!(app.points(&receiver), [60, 0, 0, 0]);
    // What was paid is not asked for again.
    let rest = refund(&app, "A-1", "R-2", "50.00");
    assert_eq!((reversed(&rest), claimed(&rest)), ([0, 50, 0, 0], json!(0)));
    assert_eq!(app.points(&receiver), [10, 0, 0, 0]);
}

#[test]
fn what_one_order_claims_no_other_claims_again() {
    let app = with_policy("within_balance");
    let member = member(&app);
    hold(&app, &member, 100, "15m");
    app.earn(&member, "B-1", "2026-02-11T12:00:00Z", "60");
    let body = json!({ "member_id": member, "points": 60 });
    assert_eq!(app.checkout().ask("/v1/redemptions", &body).status, 201);
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    let next = refund(&app, "B-1", "R-1", "60.00");
    assert_eq!((reversed(&next), claimed(&next)), ([0, 0, 0, 60], json!(0)));
}

#[test]
fn nothing_is_claimed_of_what_is_held_for_a_member_who_has_left() {
    let app = with_policy("within_balance");
    let member = member(&app);
    let held = hold(&app, &member, 100, "15m");
    assert_eq!(app.operator().ask(&format!("/v1/members/{member}/close"), &json!({})).status, 200);
    let refunded = refund(&app, "A-1", "R-1", "100.00");
    assert_eq!((reversed(&refunded), claimed(&refunded)), ([0, 0, 0, 100], json!(0)));
    assert_eq!(app.checkout().ask(&format!("{}/void", held.headers["location"]), &json!({})).status, 200);
    assert_eq!(app.points(&member), [0; 4]);
}

#[test]
fn of_several_claims_the_youngest_orders_is_let_go_first() {
    let app = with_policy("within_balance");
    let member = member(&app);
    app.earn(&member, "B-1", "2026-02-11T12:00:00Z", "100");
    let [spent, back] = [140, 60].map(|points| hold(&app, &member, points, "15m"));
    for order in ["A-1", "B-1"] {
        assert_eq!(claimed(&refund(&app, order, "R-1", "50.00")), 50);
    }
    let capture = app.checkout().ask(&format!("{}/capture", spent.headers["location"]), &json!({}));
    assert_eq!(capture.status, 200, "{capture:?}");
    // 60 are still held: the older order's 50, and 10 of the younger's.
    assert_eq!(app.checkout().ask(&format!("{}/void", back.headers["location"]), &json!({})).status, 200);
    assert_eq!(app.points(&member), [0; 4]);
    app.earn(&member, "C-1", "2026-02-12T12:00:00Z", "100");
    assert_eq!(reversed(&refund(&app, "B-1", "R-2", "10.00")), [0, 50, 0, 0]);
    assert_eq!(reversed(&refund(&app, "A-1", "R-2", "10.00")), [0, 10, 0, 0]);
}

#[test]
fn an_orders_own_points_pay_its_claim_before_those_that_end_sooner() {
    let app = with_policy("within_balance");
    let member = member(&app);
    let gift = json!({ "member_id": member, "points": 50, "reason": "goodwill", "expires_at": "2026-03-20T00:00:00Z" });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
    let held = hold(&app, &member, 150, "15m");
    assert_eq!(claimed(&refund(&app, "A-1", "R-1", "100.00")), 100);
    assert_eq!(app.checkout().ask(&format!("{}/void", held.headers["location"]), &json!({})).status, 200);
    assert_eq!(expiring(&app, &member), [(50, "2026-03-20".to_owned())]);
}
