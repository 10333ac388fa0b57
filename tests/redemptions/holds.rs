//! Points are set aside, and then captured, voided, or let go.

use serde_json::{Value, json};

use super::{NOON, change, hold, last_entry, member_with_points, points_of};
use crate::support::{App, Pair, at_once, instant};

#[test]
fn a_hold_sets_points_aside_until_it_is_captured() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 50, "15m");
    assert_eq!((held.status, &held.body["status"], &held.body["captured"]), (201, &json!("held"), &json!(0)));
    assert_eq!(held.body["lapses_at"], "2026-03-10T12:15:00.000000Z");
    assert_eq!((&held.body["value"], points_of(&held)), (&json!("0.50"), vec![40, 10]));
    assert_eq!(app.points(&member), [50, 0, 50, 0]);
    let captured = change(&checkout, &held, "capture", &json!({}));
    assert_eq!((captured.status, &captured.body["status"]), (200, &json!("captured")), "{captured:?}");
    assert_eq!((&captured.body["captured"], points_of(&captured)), (&json!(50), vec![40, 10]));
    assert_eq!(captured.body["wallet"], json!({ "active": 50, "debt": 0, "held": 0, "pending": 0 }));
    assert_eq!(app.points(&member), [50, 0, 0, 0]);
}

#[test]
fn the_rest_of_a_partial_capture_goes_back() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 50, "15m");
    let over = change(&checkout, &held, "capture", &json!({ "points": 51 }));
    over.assert_problem(422, "capture_over_held");
    assert_eq!(over.body["held"], 50);
    for points in [json!(0), json!(-1), json!("1")] {
        change(&checkout, &held, "capture", &json!({ "points": points })).assert_problem(422, "validation_failed");
    }
    let captured = change(&checkout, &held, "capture", &json!({ "points": 30 }));
    assert_eq!((captured.status, &captured.body["captured"]), (200, &json!(30)), "{captured:?}");
    assert_eq!((&captured.body["points"], &captured.body["value"]), (&json!(50), &json!("0.30")));
    assert_eq!(points_of(&captured), [30]);
    assert_eq!(app.points(&member), [70, 0, 0, 0]);
    let wallet = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!(wallet["expiring"][0], json!({ "points": 10, "expires_at": "2027-02-01T05:00:00.000000Z" }));
}

#[test]
fn a_voided_hold_gives_its_points_back() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    // A body may be empty, or not there at all.
    for body in [Some("{}"), None] {
        let held = hold(&checkout, &member, 50, "15m");
        let address = format!("{}/void", held.headers["location"]);
        let key = uuid::Uuid::now_v7().to_string();
        let voided = checkout.send("POST", &address, &[("idempotency-key", &key)], body);
        assert_eq!((voided.status, &voided.body["status"]), (200, &json!("voided")), "{voided:?}");
        assert_eq!(app.points(&member), [100, 0, 0, 0]);
    }
    let held = hold(&checkout, &member, 50, "15m");
    let address = format!("{}/capture", held.headers["location"]);
    let captured = checkout.send("POST", &address, &[("idempotency-key", "k-1")], None);
    assert_eq!((captured.status, &captured.body["captured"]), (200, &json!(50)), "{captured:?}");
    let text = [("idempotency-key", "k-2"), ("content-type", "text/plain")];
    checkout.send("POST", &address, &text, Some("all")).assert_problem(415, "unsupported_media_type");
    change(&checkout, &held, "void", &json!({ "points": 1 })).assert_problem(422, "validation_failed");
}

#[test]
fn a_hold_lapses_by_itself() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 50, "15m");
    app.clock.set(instant("2026-03-10T12:14:59.999999Z"));
    assert_eq!(app.points(&member), [50, 0, 50, 0]);
    assert_eq!(checkout.get(&held.headers["location"]).body["status"], "held");
    app.clock.set(instant("2026-03-10T12:15:00Z"));
    let before = app.rows();
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    assert_eq!(checkout.get(&held.headers["location"]).body["status"], "lapsed");
    assert_eq!(app.rows(), before, "a read wrote");
    for what in ["capture", "void"] {
        let refused = change(&checkout, &held, what, &json!({}));
        refused.assert_problem(409, "hold_lapsed");
        assert_eq!(refused.body["lapsed_at"], "2026-03-10T12:15:00.000000Z");
    }
    // The next thing that happens to the member writes it down, as of its time.
    app.earn(&member, "A-1", "2026-03-10T12:15:00Z", "1");
    let lapsed = last_entry(&app, &member, "redemption.lapsed");
    assert_eq!(lapsed["effective_at"], "2026-03-10T12:15:00.000000Z");
    assert_eq!((&lapsed["actor"], &lapsed["command"]), (&json!("system"), &Value::Null));
    assert_eq!(app.points(&member), [100, 1, 0, 0]);
}

#[test]
fn held_points_can_be_captured_after_their_lot_has_ended() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.clock.set(instant("2027-01-20T12:00:00Z"));
    let held = hold(&checkout, &member, 70, "30d");
    app.clock.set(instant("2027-02-05T12:00:00Z"));
    assert_eq!(app.points(&member), [30, 0, 70, 0]);
    // What goes back of an ended lot expires at once, and there is none here: 40 of it are captured first.
    let captured = change(&checkout, &held, "capture", &json!({ "points": 60 }));
    assert_eq!((captured.status, points_of(&captured)), (200, vec![40, 20]), "{captured:?}");
    assert_eq!(app.points(&member), [40, 0, 0, 0]);
}

#[test]
fn without_a_grace_points_that_come_back_after_their_lot_has_ended_expire_at_once() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.publish("2026-03-10T12:01:00Z", |document| {
        document["redemption"].as_object_mut().unwrap().remove("return_grace");
    });
    app.clock.set(instant("2027-01-20T12:00:00Z"));
    let voided = hold(&checkout, &member, 20, "30d");
    let cut = hold(&checkout, &member, 15, "30d");
    // This one lapses after the end of its lot as well: 5 of the lot that ends in February, 5 of the other.
    let lapsing = hold(&checkout, &member, 10, "20d");
    assert_eq!(points_of(&lapsing), [5, 5]);
    app.clock.set(instant("2027-02-05T12:00:00Z"));
    assert_eq!(app.points(&member), [55, 0, 45, 0]);
    assert_eq!(change(&checkout, &voided, "void", &json!({})).status, 200);
    assert_eq!(app.points(&member), [55, 0, 25, 0]);
    let expired = last_entry(&app, &member, "redemption.voided");
    assert_eq!(expired["postings"][0]["credit"], "breakage");
    assert_eq!(change(&checkout, &cut, "capture", &json!({ "points": 5 })).status, 200);
    assert_eq!(app.points(&member), [55, 0, 10, 0]);
    app.clock.set(instant("2027-02-09T12:00:00Z"));
    assert_eq!(app.points(&member), [60, 0, 0, 0]);
    app.earn(&member, "A-1", "2027-02-09T12:00:00Z", "1");
    assert_eq!(app.points(&member), [60, 1, 0, 0]);
}

#[test]
fn a_redemption_in_another_state_says_which() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 10, "15m");
    let refused = change(&checkout, &held, "return", &json!({}));
    refused.assert_problem(409, "redemption_state_conflict");
    assert_eq!(refused.body["state"], "held");
    assert_eq!(change(&checkout, &held, "capture", &json!({})).status, 200);
    for what in ["capture", "void"] {
        let refused = change(&checkout, &held, what, &json!({}));
        refused.assert_problem(409, "redemption_state_conflict");
        assert_eq!(refused.body["state"], "captured");
    }
    let voided = hold(&checkout, &member, 10, "15m");
    assert_eq!(change(&checkout, &voided, "void", &json!({})).status, 200);
    for what in ["capture", "void", "return"] {
        assert_eq!(change(&checkout, &voided, what, &json!({})).body["state"], "voided");
    }
    let unknown = accrue::domain::ids::RedemptionId::new(1, uuid::Uuid::now_v7());
    for id in [unknown.to_string(), member, "x".to_owned()] {
        let answer = checkout.ask(&format!("/v1/redemptions/{id}/capture"), &json!({}));
        answer.assert_problem(404, "redemption_not_found");
    }
}

#[test]
fn a_capture_is_done_once_under_its_key() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let held = hold(&checkout, &member, 50, "15m");
    let address = format!("{}/capture", held.headers["location"]);
    let first = checkout.post_keyed(&address, "k-1", &json!({ "points": 20 }));
    let again = checkout.post_keyed(&address, "k-1", &json!({ "points": 20 }));
    assert_eq!((again.status, &again.text, again.replayed()), (200, &first.text, true), "{again:?}");
    checkout.post_keyed(&address, "k-1", &json!({})).assert_problem(409, "idempotency_key_conflict");
    checkout.post(&address, &json!({})).assert_problem(400, "idempotency_key_required");
    assert_eq!(app.points(&member), [80, 0, 0, 0]);
}

#[test]
fn of_captures_and_voids_of_one_hold_at_once_one_is_done() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let (checkout, member) = (app.checkout(), member_with_points(app));
    for round in 0..3 {
        let held = hold(&checkout, &member, 30, "15m");
        let answers =
            at_once(12, |n| change(&pair.app(n).checkout(), &held, ["capture", "void"][n / 2 % 2], &json!({})));
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "round {round}: {answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_problem(409, "redemption_state_conflict");
        }
        assert_eq!(app.points(&member)[2], 0, "nothing is held any more");
    }
    pair.end();
}
