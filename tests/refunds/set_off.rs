//! What a refund makes due is set off against what comes back with it, over all refunds of the order.

use serde_json::{Value, json};

use super::{NOON, refund, reversed};
use crate::support::{App, instant};

// A programme in which a point is worth five cents and is usable at once.
fn app() -> App {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-01T12:01:00Z", |document| {
        document["earning"]["pending"] = json!("0D");
        document["redemption"]["point_value"] = json!("0.05");
    });
    app.clock.set(instant(NOON));
    app
}

// Posts an order that `points` pay a part of, and spends what it earns.
fn pay_and_spend(app: &App, member: &str, amount: &str, points: i64) {
    let checkout = app.checkout();
    let hold = json!({ "member_id": member, "points": points, "hold": { "ttl": "15m" } });
    let held = checkout.ask("/v1/redemptions", &hold).body["id"].clone();
    let mut order = app.order(member, "O", NOON, amount);
    order["redemption_ids"] = json!([held]);
    let posted = checkout.post("/v1/orders", &order);
    assert_eq!(posted.status, 201, "{posted:?}");
    let spent = json!({ "member_id": member, "points": posted.body["earned"]["points"] });
    assert_eq!(checkout.ask("/v1/redemptions", &spent).status, 201);
}

fn refund_in(app: &App, parts: &[&str]) -> Vec<Value> {
    let refunds = (1..).zip(parts).map(|(n, part)| refund(app, "O", &format!("R-{n}"), part));
    refunds.map(|refunded| refunded.body).collect()
}

#[test]
fn a_cent_before_the_rest_does_not_keep_a_point() {
    for parts in [&["2.00"][..], &["0.01", "1.99"], &["1.99", "0.01"]] {
        let app = app();
        let member = app.enrol("ana");
        app.earn(&member, "A", "2026-02-10T12:00:00Z", "20.00");
        pay_and_spend(&app, &member, "2.00", 20);
        let replies = refund_in(&app, parts);
        assert_eq!(app.points(&member), [19, 0, 0, 0], "{parts:?}: {replies:?}");
        let sum = |name: &str| -> i64 { replies.iter().map(|reply| reply["returned"][name].as_i64().unwrap()).sum() };
        assert_eq!((sum("points"), sum("usable")), (20, 19));
        let cents = |reply: &Value| reply["paid_out"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        assert_eq!(replies.iter().map(cents).sum::<i64>(), 100, "{replies:?}");
    }
}

#[test]
fn the_longest_lived_come_back_first_however_the_order_is_split() {
    for parts in [&["200.00"][..], &["100.00", "100.00"], &["66.67", "66.67", "66.66"], &["0.01", "199.99"]] {
        let app = app();
        let member = app.enrol("ana");
        // Two lots: one ends in February, one in March.
        app.earn(&member, "A", "2026-01-10T12:00:00Z", "1000.00");
        app.earn(&member, "B", "2026-02-10T12:00:00Z", "1000.00");
        pay_and_spend(&app, &member, "200.00", 2000);
        refund_in(&app, parts);
        let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
        let points: Vec<i64> =
            wallet["expiring"].as_array().unwrap().iter().map(|lot| lot["points"].as_i64().unwrap()).collect();
        assert_eq!(points, [900, 1000], "{parts:?}: {wallet}");
        assert_eq!(app.points(&member), [1900, 0, 0, 0]);
    }
}

#[test]
fn points_that_expire_as_they_come_back_cover_nothing() {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-01T12:01:00Z", |document| {
        document["earning"]["points_per_unit"] = json!("10");
        document["earning"]["pending"] = json!("0D");
        document["redemption"] = json!({ "point_value": "0.01" });
    });
    app.clock.set(instant("2026-02-10T12:00:00Z"));
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    // Points that end at the beginning of March paid a tenth of the order.
    let gift =
        json!({ "member_id": member, "points": 100, "reason": "goodwill", "expires_at": "2026-03-01T00:00:00Z" });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
    let hold = json!({ "member_id": member, "points": 100, "hold": { "ttl": "15m" } });
    let held = checkout.ask("/v1/redemptions", &hold);
    let mut order = app.order(&member, "O", "2026-02-10T12:00:00Z", "10.00");
    order["redemption_ids"] = json!([held.body["id"]]);
    assert_eq!(checkout.post("/v1/orders", &order).body["earned"]["points"], 90);
    app.clock.set(instant(NOON));
    let back = checkout.ask(&format!("{}/return", held.headers["location"]), &json!({ "points": 50 }));
    assert_eq!((back.status, app.points(&member)), (200, [90, 0, 0, 0]), "{back:?}");
    let half = refund(&app, "O", "R-1", "5.00");
    assert_eq!(half.body["returned"], json!({ "points": 50, "value": "0.50", "usable": 0 }));
    assert_eq!(app.points(&member), [45, 0, 0, 0]);
    let spent = json!({ "member_id": member, "points": 45 });
    assert_eq!(checkout.ask("/v1/redemptions", &spent).status, 201);
    let gift = json!({ "member_id": member, "points": 60, "reason": "goodwill" });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
    let rest = refund(&app, "O", "R-2", "5.00");
    assert_eq!((reversed(&rest), &rest.body["points_reversed"]["set_off"]), ([0, 45, 0, 0], &json!(0)));
    assert_eq!(app.points(&member), [15, 0, 0, 0]);
}

// Gives points that end on this day and holds them.
fn give_and_hold(app: &App, member: &str, points: i64, expires_at: &str) -> Value {
    let gift = json!({ "member_id": member, "points": points, "reason": "goodwill", "expires_at": expires_at });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
    let hold = json!({ "member_id": member, "points": points, "hold": { "ttl": "15m" } });
    app.checkout().ask("/v1/redemptions", &hold).body["id"].clone()
}

// What a wallet lists: how many points end when.
pub fn expiring(app: &App, member: &str) -> Vec<(i64, String)> {
    let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
    let lot = |lot: &Value| (lot["points"].as_i64().unwrap(), lot["expires_at"].as_str().unwrap()[..10].to_owned());
    wallet["expiring"].as_array().unwrap().iter().map(lot).collect()
}

#[test]
fn of_several_redemptions_the_longest_lived_points_come_back_first() {
    let app = app();
    let member = app.enrol("ana");
    // What ends last was taken first.
    let held = ["2026-09-01T00:00:00Z", "2026-05-01T00:00:00Z"].map(|end| give_and_hold(&app, &member, 100, end));
    let mut order = app.order(&member, "O", NOON, "20.00");
    order["redemption_ids"] = json!(held);
    assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    let half = refund(&app, "O", "R-1", "10.00");
    assert_eq!(half.body["returned"]["points"], 100, "{half:?}");
    let lots = expiring(&app, &member);
    assert!(lots.contains(&(100, "2026-09-01".to_owned())), "{lots:?}");
}

#[test]
fn other_points_that_a_first_part_took_are_there_again_after_the_rest() {
    for parts in [&["2.00"][..], &["0.01", "1.99"]] {
        let app = app();
        let member = app.enrol("ana");
        app.earn(&member, "A", "2026-02-10T12:00:00Z", "20.00");
        pay_and_spend(&app, &member, "2.00", 20);
        let gift =
            json!({ "member_id": member, "points": 5, "reason": "goodwill", "expires_at": "2026-04-01T00:00:00Z" });
        assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
        refund_in(&app, parts);
        let lots = [(5, "2026-04-01".to_owned()), (19, "2027-03-01".to_owned())];
        assert_eq!(expiring(&app, &member), lots, "{parts:?}");
    }
}

#[test]
fn other_points_that_have_ended_between_two_parts_are_not_there_again() {
    let app = app();
    let member = app.enrol("ana");
    app.earn(&member, "A", "2026-02-10T12:00:00Z", "20.00");
    pay_and_spend(&app, &member, "2.00", 20);
    let gift = json!({ "member_id": member, "points": 5, "reason": "goodwill", "expires_at": "2026-04-01T00:00:00Z" });
    assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
    assert_eq!(reversed(&refund(&app, "O", "R-1", "0.01")), [0, 1, 0, 0]);
    app.clock.set(instant("2026-04-02T12:00:00Z"));
    let rest = refund(&app, "O", "R-2", "1.99");
    assert_eq!(rest.body["returned"], json!({ "points": 20, "value": "1.00", "usable": 20 }));
    assert_eq!(expiring(&app, &member), [(20, "2027-03-01".to_owned())]);
}

#[test]
fn what_a_first_part_brought_back_is_taken_again_before_points_that_end_sooner() {
    for parts in [&["0.66"][..], &["0.55", "0.11"]] {
        let app = app();
        let member = app.enrol("ana");
        app.earn(&member, "A", "2026-02-10T12:00:00Z", "5.00");
        pay_and_spend(&app, &member, "2.75", 5);
        let gift =
            json!({ "member_id": member, "points": 10, "reason": "goodwill", "expires_at": "2026-04-01T00:00:00Z" });
        assert_eq!(app.operator().ask("/v1/adjustments", &gift).status, 201);
        // One point comes back with a fifth of the order, and one is due a little later.
        let replies = refund_in(&app, parts);
        let returned: i64 = replies.iter().map(|reply| reply["returned"]["points"].as_i64().unwrap()).sum();
        assert_eq!((returned, expiring(&app, &member)), (1, vec![(10, "2026-04-01".to_owned())]), "{parts:?}");
    }
}

#[test]
fn what_comes_back_to_a_member_who_has_left_covers_nothing() {
    let app = app();
    let member = app.enrol("ana");
    app.earn(&member, "A", "2026-02-10T12:00:00Z", "20.00");
    pay_and_spend(&app, &member, "2.00", 20);
    assert_eq!(app.operator().ask(&format!("/v1/members/{member}/close"), &json!({})).status, 200);
    let refunded = refund(&app, "O", "R-1", "2.00");
    assert_eq!((reversed(&refunded), &refunded.body["points_reversed"]["set_off"]), ([0, 0, 0, 1], &json!(0)));
    assert_eq!(refunded.body["returned"], json!({ "points": 20, "value": "1.00", "usable": 0 }));
    assert_eq!(app.points(&member), [0; 4]);
}
