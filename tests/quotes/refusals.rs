//! What an order would be refused for, its quote is refused for, in the same words.

use serde_json::{Value, json};

use super::{EARLIER, quote};
use crate::support::{Answer, App, NOON, fund, instant};

// An order and its quote are refused alike, and nothing is written.
#[track_caller]
fn both_refused(app: &App, member: &str, fields: Value, code: &str) {
    let mut order = app.order(member, "A-1", NOON, "20.00");
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let before = app.rows();
    let quoted = app.checkout().post("/v1/quotes", &order);
    let posted = app.checkout().post("/v1/orders", &order);
    assert_eq!((quoted.status, quoted.code()), (posted.status, code), "{quoted:?}");
    assert_eq!(quoted.body, posted.body);
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

fn redeem(app: &App, member: &str, fields: Value) -> Value {
    let mut body = json!({ "member_id": member });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let redeemed = app.checkout().ask("/v1/redemptions", &body);
    assert_eq!(redeemed.status, 201, "{redeemed:?}");
    redeemed.body["id"].clone()
}

fn change(app: &App, redemption: &Value, what: &str, body: Value) -> Answer {
    let changed = app.operator().ask(&format!("/v1/redemptions/{}/{what}", redemption.as_str().unwrap()), &body);
    assert_eq!(changed.status, 200, "{changed:?}");
    changed
}

#[test]
fn an_order_that_the_rules_refuse_is_quoted_its_refusal() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    both_refused(&app, &ana, json!({ "currency": "EUR" }), "currency_mismatch");
    both_refused(&app, &ana, json!({ "amount": "100000.01" }), "amount_over_limit");
    both_refused(&app, &ana, json!({ "occurred_at": "2026-03-10T12:05:00.000001Z" }), "occurred_in_future");
    assert_eq!(quote(&app, &ana, json!({ "occurred_at": "2026-03-10T12:05:00Z" })).status, 200);
    // So is a visitor's.
    for (field, value, code) in [
        ("currency", "EUR", "currency_mismatch"),
        ("amount", "100000.01", "amount_over_limit"),
        ("occurred_at", "2026-03-10T12:05:00.000001Z", "occurred_in_future"),
    ] {
        let mut cart = json!({ "currency": "USD", "amount": "20.00" });
        cart[field] = json!(value);
        app.checkout().post("/v1/quotes", &cart).assert_problem(422, code);
    }
    let much = json!({ "member_id": ana, "points": 9_007_199_254_740_991_i64, "reason": "goodwill" });
    assert_eq!(app.operator().ask("/v1/adjustments", &much).status, 201);
    both_refused(&app, &ana, json!({}), "points_over_limit");
}

#[test]
fn a_member_who_may_not_begin_anything_is_quoted_that() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let become_so =
        |what: &str| assert_eq!(app.operator().ask(&format!("/v1/members/{ana}/{what}"), &json!({})).status, 200);
    become_so("suspend");
    both_refused(&app, &ana, json!({}), "member_suspended");
    become_so("close");
    both_refused(&app, &ana, json!({}), "member_closed");
    app.member(&ana)
        .post("/v1/quotes", &json!({ "currency": "USD", "amount": "20.00" }))
        .assert_problem(409, "member_closed");
}

#[test]
fn redemptions_that_cannot_pay_an_order_are_refused_in_its_quote() {
    let app = App::at(NOON);
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    for (member, order) in [(&ana, "L-1"), (&ben, "L-2")] {
        fund(&app, member, order, EARLIER, 5_000);
    }
    let hold = |member: &str, points: i64, ttl: &str| {
        redeem(&app, member, json!({ "points": points, "hold": { "ttl": ttl } }))
    };
    let paid_by = |redemption: &Value| json!({ "redemption_ids": [redemption] });
    both_refused(&app, &ana, paid_by(&hold(&ben, 100, "1h")), "redemption_not_found");
    let of_another = redeem(&app, &ana, json!({ "points": 100, "order_id": "A-2" }));
    both_refused(&app, &ana, paid_by(&of_another), "redemption_of_another_order");
    let voided = hold(&ana, 100, "1h");
    change(&app, &voided, "void", json!({}));
    both_refused(&app, &ana, paid_by(&voided), "redemption_state_conflict");
    both_refused(&app, &ana, paid_by(&hold(&ana, 1_001, "1h")), "over_order_share");
    both_refused(&app, &ana, paid_by(&hold(&ana, 2_001, "1h")), "paid_over_amount");
    let short = hold(&ana, 100, "1m");
    // What was made for an order pays it under its id alone.
    let unnamed = json!({ "order_id": "A-2", "redemption_ids": [of_another] });
    assert_eq!(quote(&app, &ana, unnamed).status, 200);
    quote(&app, &ana, paid_by(&of_another)).assert_problem(409, "redemption_of_another_order");
    // A visitor has none.
    let cart = json!({ "currency": "USD", "amount": "20.00", "redemption_ids": [short] });
    app.checkout().post("/v1/quotes", &cart).assert_problem(404, "redemption_not_found");
    app.clock.set(instant("2026-03-10T12:01:00Z"));
    both_refused(&app, &ana, paid_by(&short), "hold_lapsed");
}

#[test]
fn points_that_are_worth_nothing_by_now_pay_no_quoted_order() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "L-1", EARLIER, 100);
    app.publish("2026-03-10T12:01:00Z", |document| document["redemption"]["point_value"] = json!("0.005"));
    let spent = redeem(&app, &ana, json!({ "points": 2, "order_id": "A-1" }));
    change(&app, &spent, "return", json!({ "points": 1 }));
    both_refused(&app, &ana, json!({ "redemption_ids": [spent] }), "points_worth_nothing");
}

#[test]
fn the_faults_of_a_cart_are_those_of_an_order() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    for fields in [
        json!({ "amount": "-1.00" }),
        json!({ "amount": "1.001", "currency": "usd" }),
        json!({ "amount": 20, "note": "x", "discount": "1e3" }),
        json!({ "occurred_at": "2026-03-10", "channel": "App", "order_id": "A 1" }),
        json!({ "items": [{ "sku": "tea", "quantity": 0 }, { "quantity": 1, "unit_price": "1.00" }] }),
        json!({ "items": [{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }] }),
        json!({ "redemption_ids": ["x"] }),
        json!({ "member_id": "nobody" }),
    ] {
        both_invalid(&app, &ana, fields);
    }
    let empty = app.checkout().post("/v1/quotes", &json!({}));
    assert_eq!((empty.status, empty.faults()), (422, vec![("/currency", "missing"), ("/amount", "missing")]));
}

#[track_caller]
fn both_invalid(app: &App, member: &str, fields: Value) {
    let mut order = app.order(member, "A-1", NOON, "20.00");
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (quoted, posted) = (app.checkout().post("/v1/quotes", &order), app.checkout().post("/v1/orders", &order));
    quoted.assert_problem(422, "validation_failed");
    assert_eq!(quoted.faults(), posted.faults());
    assert_eq!(quoted.body["errors"], posted.body["errors"]);
}
