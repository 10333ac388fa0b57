//! Points are never spent for nothing.

use serde_json::{Value, json};

use super::{NOON, change};
use crate::support::{Answer, App};

// A member with 100 active points, of which two are worth a yen.
fn with_yen() -> (App, String) {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "100");
    app.publish("2026-03-10T12:01:00Z", |document| {
        document["currency"] = json!("JPY");
        document["earning"].as_object_mut().unwrap().remove("maximum_order_amount");
        document["redemption"]["point_value"] = json!("0.5");
        document["redemption"]["order_share"] = json!("1");
    });
    (app, member)
}

fn redeem(app: &App, member: &str, fields: &Value) -> Answer {
    let mut body = json!({ "member_id": member });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.checkout().ask("/v1/redemptions", &body)
}

#[test]
fn points_that_are_worth_nothing_pay_nothing_and_stay() {
    let (app, member) = with_yen();
    for fields in [
        json!({ "points": 1 }),
        json!({ "points": 1, "order_id": "A-1" }),
        json!({ "points": 1, "order_amount": "100" }),
        json!({ "points": 1, "hold": { "ttl": "15m" } }),
    ] {
        let refused = redeem(&app, &member, &fields);
        refused.assert_problem(422, "points_worth_nothing");
        assert_eq!(refused.body["least"], 2, "{fields}");
    }
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    assert_eq!(redeem(&app, &member, &json!({ "points": 2 })).body["value"], "1");
    // Rewards are paid in points alone.
    let pin = app.operator().ask("/v1/rewards", &json!({ "name": "Pin", "kind": "product", "points": 1 }));
    assert_eq!(redeem(&app, &member, &json!({ "reward_id": pin.body["id"] })).status, 201);
}

#[test]
fn a_part_that_is_worth_nothing_is_not_captured() {
    let (app, member) = with_yen();
    let held = redeem(&app, &member, &json!({ "points": 5, "hold": { "ttl": "15m" } }));
    assert_eq!(held.body["value"], "2");
    let refused = change(&app.checkout(), &held, "capture", &json!({ "points": 2 }));
    refused.assert_problem(422, "points_worth_nothing");
    assert_eq!(refused.body["least"], 3, "three fifths of two yen are one");
    let captured = change(&app.checkout(), &held, "capture", &json!({ "points": 3 }));
    assert_eq!((captured.status, &captured.body["value"]), (200, &json!("1")), "{captured:?}");
}

#[test]
fn an_order_is_not_paid_with_what_is_worth_nothing() {
    let (app, member) = with_yen();
    let spent = redeem(&app, &member, &json!({ "points": 2, "order_id": "A-1" }));
    assert_eq!(change(&app.checkout(), &spent, "return", &json!({ "points": 1 })).status, 200);
    let mut order = app.order(&member, "A-1", NOON, "100");
    (order["currency"], order["occurred_at"]) = (json!("JPY"), json!("2026-03-10T12:01:00Z"));
    order["redemption_ids"] = json!([spent.body["id"]]);
    let refused = app.checkout().post("/v1/orders", &order);
    refused.assert_problem(422, "points_worth_nothing");
    assert_eq!(refused.body["least"], 2);
    assert_eq!(change(&app.checkout(), &spent, "return", &json!({})).status, 200);
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn where_points_have_no_value_in_money_any_number_is_spent() {
    let (app, member) = with_yen();
    app.publish("2026-03-10T12:05:00Z", |document| {
        document.as_object_mut().unwrap().remove("redemption");
    });
    let held = redeem(&app, &member, &json!({ "points": 2, "hold": { "ttl": "15m" } }));
    assert_eq!(change(&app.checkout(), &held, "capture", &json!({ "points": 1 })).status, 200);
}

#[test]
fn the_least_number_that_is_worth_something_is_said_also_where_no_number_is_worth_it_exactly() {
    let (app, member) = with_yen();
    app.publish("2026-03-10T12:03:00Z", |document| {
        document["currency"] = json!("JPY");
        document["earning"].as_object_mut().unwrap().remove("maximum_order_amount");
        document["redemption"]["point_value"] = json!("0.3");
    });
    let refused = redeem(&app, &member, &json!({ "points": 3 }));
    refused.assert_problem(422, "points_worth_nothing");
    assert_eq!(refused.body["least"], 4);
    assert_eq!(redeem(&app, &member, &json!({ "points": 4 })).status, 201);
}
