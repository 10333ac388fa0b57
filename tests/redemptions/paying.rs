//! Points pay a part of an order.

use serde_json::{Value, json};

use super::{NOON, change, hold, redeem};
use crate::support::{Answer, App, instant, sql};

// A member with 5000 active points, which are worth fifty dollars.
fn rich_member(app: &App, external_id: &str) -> String {
    let member = app.enrol(external_id);
    app.earn(&member, &format!("rich-{external_id}"), "2026-02-10T12:00:00Z", "5000");
    member
}

// An order of `amount` dollars that these redemptions pay.
fn order(app: &App, member: &str, order_id: &str, amount: &str, redemptions: &[&Value]) -> Answer {
    let mut order = app.order(member, order_id, NOON, amount);
    order["redemption_ids"] = json!(redemptions);
    app.checkout().post("/v1/orders", &order)
}

fn redeem_for(app: &App, member: &str, order_id: &str, points: i64) -> Answer {
    let body = json!({ "member_id": member, "points": points, "order_id": order_id });
    app.checkout().ask("/v1/redemptions", &body)
}

#[test]
fn an_order_captures_what_is_held_for_it_and_earns_on_the_rest() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let held = hold(&checkout, &member, 300, "15m");
    let spent = redeem_for(&app, &member, "A-1", 200);
    let posted = order(&app, &member, "A-1", "20.00", &[&held.body["id"], &spent.body["id"]]);
    assert_eq!(posted.status, 201, "{posted:?}");
    assert_eq!(posted.body["paid"], json!({ "points": 500, "value": "5.00" }));
    assert_eq!(posted.body["earned"]["points"], 15);
    assert_eq!(app.points(&member), [4500, 15, 0, 0]);
    let captured = checkout.get(&held.headers["location"]).body;
    assert_eq!((&captured["status"], &captured["order_id"]), (&json!("captured"), &json!("A-1")));
    let read = checkout.get("/v1/orders/A-1").body;
    assert_eq!(read["redemption_ids"], json!([held.body["id"], spent.body["id"]]));
    assert_eq!((&read["paid"], &read["remaining"]), (&posted.body["paid"], &json!("20.00")));
    let again = order(&app, &member, "A-1", "20.00", &[&held.body["id"], &spent.body["id"]]);
    assert_eq!((again.text == posted.text, again.replayed()), (true, true));
    order(&app, &member, "A-1", "20.00", &[&held.body["id"]]).assert_problem(409, "order_conflict");
}

#[test]
fn what_does_not_belong_to_an_order_cannot_pay_it() {
    let app = App::at(NOON);
    let (checkout, member, other) = (app.checkout(), rich_member(&app, "ana"), rich_member(&app, "ben"));
    let operator = app.operator();
    let reward = operator.ask("/v1/rewards", &json!({ "name": "Mug", "kind": "product", "points": 5 })).body;
    let for_reward = checkout
        .ask("/v1/redemptions", &json!({ "member_id": member, "reward_id": reward["id"], "hold": { "ttl": "1h" } }));
    let foreign = hold(&checkout, &other, 100, "1h");
    let of_another = redeem_for(&app, &member, "A-2", 100);
    let of_none = redeem(&checkout, &member, 100);
    let voided = hold(&checkout, &member, 100, "1h");
    assert_eq!(change(&checkout, &voided, "void", &json!({})).status, 200);
    let in_part = redeem_for(&app, &member, "A-1", 100);
    assert_eq!(change(&checkout, &in_part, "return", &json!({ "points": 1 })).status, 200);
    let held = hold(&checkout, &member, 2001, "1h");
    let unknown = json!(accrue::domain::ids::RedemptionId::new(1, uuid::Uuid::now_v7()));
    let before = app.rows();
    for (redemption, status, code) in [
        (&foreign.body["id"], 404, "redemption_not_found"),
        (&unknown, 404, "redemption_not_found"),
        (&of_another.body["id"], 409, "redemption_of_another_order"),
        (&of_none.body["id"], 409, "redemption_of_another_order"),
        (&for_reward.body["id"], 409, "redemption_of_another_order"),
        (&voided.body["id"], 409, "redemption_state_conflict"),
        (&held.body["id"], 422, "paid_over_amount"),
    ] {
        let refused = order(&app, &member, "A-1", "20.00", &[redemption]);
        refused.assert_problem(status, code);
    }
    let twice = order(&app, &member, "A-1", "20.00", &[&held.body["id"], &held.body["id"]]);
    twice.assert_problem(422, "validation_failed");
    assert_eq!(twice.faults(), [("/redemption_ids", "contradiction")]);
    let many = order(&app, &member, "A-1", "20.00", &[&held.body["id"]; 11]);
    assert_eq!(many.faults(), [("/redemption_ids", "wrong_length")]);
    assert_eq!(app.rows(), before, "a refusal left a trace");
    assert_eq!(checkout.get(&held.headers["location"]).body["status"], "held");
    // What came back in part pays with the rest.
    let paid = order(&app, &member, "A-1", "20.00", &[&in_part.body["id"]]);
    assert_eq!((paid.status, &paid.body["paid"]), (201, &json!({ "points": 99, "value": "0.99" })), "{paid:?}");
}

#[test]
fn an_order_is_not_paid_beyond_its_share_whatever_amount_the_points_were_asked_for_with() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let bare = hold(&checkout, &member, 1001, "15m");
    let body = json!({ "member_id": member, "points": 1001, "order_amount": "100.00", "hold": { "ttl": "15m" } });
    let overstated = checkout.ask("/v1/redemptions", &body);
    assert_eq!(overstated.status, 201, "{overstated:?}");
    let before = app.rows();
    for redemption in [&bare, &overstated] {
        let refused = order(&app, &member, "A-1", "20.00", &[&redemption.body["id"]]);
        refused.assert_problem(422, "over_order_share");
        assert_eq!(refused.body["maximum_amount"], "10.00");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    assert_eq!(order(&app, &member, "A-1", "20.02", &[&bare.body["id"]]).status, 201);
}

#[test]
fn what_came_back_before_the_order_neither_paid_it_nor_comes_back_with_its_refund() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let spent = redeem_for(&app, &member, "A-1", 1000);
    assert_eq!(change(&checkout, &spent, "return", &json!({ "points": 900 })).status, 200);
    let posted = order(&app, &member, "A-1", "100.00", &[&spent.body["id"]]);
    assert_eq!(posted.body["paid"], json!({ "points": 100, "value": "1.00" }), "{posted:?}");
    let refund = |id: &str, amount: &str| {
        checkout.post("/v1/orders/A-1/refunds", &json!({ "refund_id": id, "amount": amount })).body["returned"]["points"]
            .as_i64()
    };
    assert_eq!(refund("R-1", "10.00"), Some(10));
    assert_eq!(refund("R-2", "90.00"), Some(90));
}

#[test]
fn an_order_can_be_paid_with_points_to_its_last_cent_where_the_programme_has_it_so() {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-01T12:01:00Z", |document| document["redemption"]["order_share"] = json!("1"));
    app.clock.set(instant(NOON));
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let held = hold(&checkout, &member, 2000, "15m");
    let posted = order(&app, &member, "A-1", "20.00", &[&held.body["id"]]);
    assert_eq!((posted.status, &posted.body["earned"]["points"]), (201, &json!(0)), "{posted:?}");
    assert_eq!(app.points(&member), [3000, 0, 0, 0]);
}

#[test]
fn a_cart_that_shrank_is_captured_in_part_for_its_order() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let held = hold(&checkout, &member, 300, "15m");
    let captured = change(&checkout, &held, "capture", &json!({ "points": 200, "order_id": "A-1" }));
    assert_eq!((captured.status, &captured.body["order_id"]), (200, &json!("A-1")), "{captured:?}");
    assert_eq!(app.points(&member), [4800, 0, 0, 0]);
    let posted = order(&app, &member, "A-1", "20.00", &[&held.body["id"]]);
    assert_eq!((posted.status, &posted.body["paid"]), (201, &json!({ "points": 200, "value": "2.00" })), "{posted:?}");
    // It pays no other.
    order(&app, &member, "A-2", "20.00", &[&held.body["id"]]).assert_problem(409, "redemption_of_another_order");
}

#[test]
fn a_hold_of_another_order_or_of_a_reward_is_not_captured_for_an_order() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let body = json!({ "member_id": member, "points": 100, "order_id": "A-1", "hold": { "ttl": "15m" } });
    let of_another = checkout.ask("/v1/redemptions", &body);
    let mug = app.operator().ask("/v1/rewards", &json!({ "name": "Mug", "kind": "product", "points": 5 })).body;
    let body = json!({ "member_id": member, "reward_id": mug["id"], "hold": { "ttl": "15m" } });
    let of_reward = checkout.ask("/v1/redemptions", &body);
    let before = app.points(&member);
    for held in [&of_another, &of_reward] {
        let refused = change(&checkout, held, "capture", &json!({ "order_id": "A-2" }));
        refused.assert_problem(409, "redemption_of_another_order");
        assert_eq!(refused.body["redemption_id"], held.body["id"]);
    }
    let bad = change(&checkout, &of_another, "capture", &json!({ "order_id": "A 1" }));
    assert_eq!(bad.faults(), [("/order_id", "wrong_form")]);
    assert_eq!(app.points(&member), before);
    assert_eq!(change(&checkout, &of_another, "capture", &json!({ "order_id": "A-1" })).status, 200);
}

#[test]
fn a_key_of_a_capture_tells_its_order_from_another() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let address = format!("{}/capture", hold(&checkout, &member, 300, "15m").headers["location"]);
    let first = checkout.post_keyed(&address, "k-1", &json!({ "order_id": "A-1" }));
    let again = checkout.post_keyed(&address, "k-1", &json!({ "order_id": "A-1" }));
    assert_eq!((first.status, &again.text, again.replayed()), (200, &first.text, true), "{first:?}");
    for other in [json!({}), json!({ "order_id": "A-2" })] {
        checkout.post_keyed(&address, "k-1", &other).assert_problem(409, "idempotency_key_conflict");
    }
    // Without an order it is known by the form that it had before captures named one.
    let held = hold(&checkout, &member, 300, "15m");
    let address = format!("{}/capture", held.headers["location"]);
    assert_eq!(checkout.post_keyed(&address, "k-2", &json!({ "points": 20 })).status, 200);
    let form = format!(r#"["{}",20]"#, held.body["id"].as_str().unwrap());
    let known = format!("SELECT count(*) FROM idempotency WHERE request_hash = sha256(convert_to('{form}', 'UTF8'))");
    assert_eq!(sql::number(&mut app.owner(), &known), 1);
}

#[test]
fn an_order_is_judged_by_the_share_of_its_own_time() {
    let app = App::at(NOON);
    let member = rich_member(&app, "ana");
    let before = redeem_for(&app, &member, "A-1", 500);
    let after = redeem_for(&app, &member, "A-2", 500);
    app.publish("2026-03-10T12:05:00Z", |document| document["redemption"]["order_share"] = json!("0.2"));
    let posted = order(&app, &member, "A-1", "10.00", &[&before.body["id"]]);
    assert_eq!((posted.status, &posted.body["paid"]["points"]), (201, &json!(500)), "{posted:?}");
    let mut late = app.order(&member, "A-2", "2026-03-10T12:05:00Z", "10.00");
    late["redemption_ids"] = json!([after.body["id"]]);
    let refused = app.checkout().post("/v1/orders", &late);
    refused.assert_problem(422, "over_order_share");
    assert_eq!(refused.body["maximum_amount"], "2.00");
}
