//! What a client gives back of a hold after the end of its points' lots gets the programme's grace, and nothing else does.

use serde_json::{Value, json};

use super::{NOON, change, hold, last_entry, member_with_points, redeem};
use crate::support::{App, instant};

// The evening before 40 of the member's points end, and the morning after.
const EVENING: &str = "2027-02-01T04:30:00Z";
const MORNING: &str = "2027-02-01T12:00:00Z";

// What a member can use, with its end.
fn expiring(app: &App, member: &str) -> Value {
    app.checkout().get(&format!("/v1/members/{member}/wallet")).body["expiring"].clone()
}

#[test]
fn a_payment_that_fails_on_the_last_evening_costs_nobody_points() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.clock.set(instant(EVENING));
    let held = hold(&checkout, &member, 50, "1d");
    app.clock.set(instant(MORNING));
    let before = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    let voided = change(&checkout, &held, "void", &json!({}));
    assert_eq!((voided.status, &voided.body["status"]), (200, &json!("voided")), "{voided:?}");
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    let expected = json!([
        { "points": 60, "expires_at": "2027-03-01T05:00:00.000000Z" },
        { "points": 40, "expires_at": "2027-03-03T12:00:00.000000Z" },
    ]);
    assert_eq!(expiring(&app, &member), expected);
    // The points change their lot, and nothing was spent, earned or expired by it.
    let entry = last_entry(&app, &member, "redemption.voided");
    assert_eq!(entry["payload"]["lots"].as_array().map(Vec::len), Some(1), "{entry}");
    let after = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    for sum in ["lifetime_earned", "lifetime_spent"] {
        assert_eq!(after[sum], before[sum], "{sum}");
    }
    let accounts: Vec<_> = entry["postings"].as_array().unwrap().iter().map(|p| (&p["debit"], &p["credit"])).collect();
    let (held, transit, active) = (json!("held"), json!("transit"), json!("active"));
    assert_eq!(accounts, [(&held, &active), (&held, &transit), (&transit, &active)]);
    app.clock.set(instant("2027-03-03T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 0, 0]);
}

#[test]
fn the_rest_of_a_cart_that_shrank_gets_the_grace_as_well() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.clock.set(instant(EVENING));
    let held = hold(&checkout, &member, 40, "1d");
    app.clock.set(instant(MORNING));
    assert_eq!(change(&checkout, &held, "capture", &json!({ "points": 15 })).status, 200);
    let expected = json!([
        { "points": 60, "expires_at": "2027-03-01T05:00:00.000000Z" },
        { "points": 25, "expires_at": "2027-03-03T12:00:00.000000Z" },
    ]);
    assert_eq!(expiring(&app, &member), expected);
}

#[test]
fn nobody_lengthens_points_by_holding_them() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let phone = app.member(&member);
    app.clock.set(instant(EVENING));
    let lapsing = hold(&checkout, &member, 15, "1h");
    let own = hold(&phone, &member, 25, "1h");
    app.clock.set(instant("2027-02-01T05:00:00Z"));
    assert_eq!(app.points(&member), [60, 0, 40, 0]);
    assert_eq!(change(&phone, &own, "void", &json!({})).status, 200);
    assert_eq!(app.points(&member), [60, 0, 15, 0]);
    app.clock.set(instant(MORNING));
    assert_eq!(checkout.get(&lapsing.headers["location"]).body["status"], "lapsed");
    assert_eq!(app.points(&member), [60, 0, 0, 0]);
}

#[test]
fn what_comes_back_to_a_member_who_has_left_is_forfeit() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.clock.set(instant(EVENING));
    let held = hold(&checkout, &member, 50, "1d");
    app.clock.set(instant(MORNING));
    assert_eq!(app.operator().ask(&format!("/v1/members/{member}/close"), &json!({})).status, 200);
    assert_eq!(change(&checkout, &held, "void", &json!({})).status, 200);
    assert_eq!(app.points(&member), [0, 0, 0, 0]);
}

#[test]
fn what_is_returned_to_a_member_who_has_left_gets_no_grace() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.clock.set(instant(EVENING));
    let spent = redeem(&checkout, &member, 50);
    // 40 of them are of a lot that has ended.
    app.clock.set(instant(MORNING));
    assert_eq!(app.operator().ask(&format!("/v1/members/{member}/close"), &json!({})).status, 200);
    let back = change(&checkout, &spent, "return", &json!({}));
    assert_eq!((back.status, &back.body["status"]), (200, &json!("returned")), "{back:?}");
    assert_eq!(app.points(&member), [0, 0, 0, 0]);
}
