//! Captured points come back.

use serde_json::json;

use super::{NOON, change, hold, member_with_points, redeem};
use crate::support::{App, instant};

#[test]
fn returned_points_go_to_their_own_lots_the_last_taken_first() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let spent = redeem(&checkout, &member, 50);
    let expiring = || checkout.get(&format!("/v1/members/{member}/wallet")).body["expiring"].clone();
    let (sooner, later) = ("2027-02-01T05:00:00.000000Z", "2027-03-01T05:00:00.000000Z");
    let part = change(&checkout, &spent, "return", &json!({ "points": 15 }));
    assert_eq!((part.status, &part.body["status"], &part.body["returned"]), (200, &json!("captured"), &json!(15)));
    let expected = json!([{ "points": 5, "expires_at": sooner }, { "points": 60, "expires_at": later }]);
    assert_eq!(expiring(), expected);
    let over = change(&checkout, &spent, "return", &json!({ "points": 36 }));
    over.assert_problem(422, "return_over_captured");
    assert_eq!(over.body["left"], 35);
    let rest = change(&checkout, &spent, "return", &json!({}));
    assert_eq!((rest.status, &rest.body["status"], &rest.body["returned"]), (200, &json!("returned"), &json!(50)));
    let expected = json!([{ "points": 40, "expires_at": sooner }, { "points": 60, "expires_at": later }]);
    assert_eq!(expiring(), expected);
    let again = change(&checkout, &spent, "return", &json!({}));
    again.assert_problem(409, "redemption_state_conflict");
    assert_eq!(again.body["state"], "returned");
    let wallet = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!((&wallet["lifetime_spent"], app.points(&member)), (&json!(0), [100, 0, 0, 0]));
}

#[test]
fn what_was_captured_of_a_hold_comes_back_and_no_more() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 50, "15m");
    assert_eq!(change(&checkout, &held, "capture", &json!({ "points": 20 })).status, 200);
    change(&checkout, &held, "return", &json!({ "points": 21 })).assert_problem(422, "return_over_captured");
    assert_eq!(change(&checkout, &held, "return", &json!({ "points": 20 })).body["status"], "returned");
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn points_that_come_back_after_their_lots_end_get_the_grace() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let spent = redeem(&checkout, &member, 50);
    app.clock.set(instant("2027-02-05T12:00:00Z"));
    assert_eq!(app.points(&member), [50, 0, 0, 0]);
    // 10 go to their own lot, which goes on; 40 have a month from now.
    assert_eq!(change(&checkout, &spent, "return", &json!({})).status, 200);
    let wallet = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    let expected = json!([
        { "points": 60, "expires_at": "2027-03-01T05:00:00.000000Z" },
        { "points": 40, "expires_at": "2027-03-07T12:00:00.000000Z" },
    ]);
    assert_eq!(wallet["expiring"], expected);
    app.clock.set(instant("2027-03-07T12:00:00Z"));
    assert_eq!(app.points(&member), [0, 0, 0, 0]);
}

#[test]
fn without_a_grace_they_expire_at_once() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.publish("2026-03-10T12:01:00Z", |document| {
        document["redemption"].as_object_mut().unwrap().remove("return_grace");
    });
    let spent = redeem(&checkout, &member, 50);
    app.clock.set(instant("2027-02-05T12:00:00Z"));
    let back = change(&checkout, &spent, "return", &json!({}));
    assert_eq!((back.status, &back.body["status"]), (200, &json!("returned")), "{back:?}");
    assert_eq!(app.points(&member), [60, 0, 0, 0]);
}

#[test]
fn points_that_come_back_in_parts_under_grace_come_back_whole() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let spent = redeem(&checkout, &member, 40);
    app.clock.set(instant("2027-02-05T12:00:00Z"));
    for left in (0..4).rev() {
        let part = change(&checkout, &spent, "return", &json!({ "points": 10 }));
        assert_eq!((part.status, &part.body["returned"]), (200, &json!(40 - left * 10)), "{part:?}");
    }
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}
